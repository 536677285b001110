"""Text -> subword ids with the Rust tokenizers: the ids of each encoder's own code, without torch."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.foundation.errors import BackendNotInstalled, WeightsCorrupt
from models.foundation.messages import verbatim
from models.language.tokenizer import TokenizedText, is_sign

if TYPE_CHECKING:
    from tokenizers import Encoding
    from tokenizers import Tokenizer as RustTokenizer


_UNKNOWN = "[UNK]"
_CHINESE = re.compile(  # as BERT's own code has it
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f]"
)


class SubwordTokenizer:
    """Ids between what begins and what ends a text, at most `context_length` in all.

    A text is never read as a special token: "[MASK]" typed by a person is a bracket, a word and a bracket. With `pad`
    every text is filled up to `context_length` with zeros, for encoders that were trained so and see the padding.
    """

    def __init__(
        self,
        tokenizer: "RustTokenizer",
        *,
        context_length: int,
        unknown: int,
        begin: tuple[int, ...] = (),
        end: tuple[int, ...] = (),
        clean: Callable[[str], str] = str,
        pad: bool = False,
    ) -> None:
        self.context_length = context_length
        self._tokenizer = tokenizer
        self._unknown = unknown
        self._begin, self._end = begin, end
        self._clean = clean
        self._pad = pad

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids, and the words that have none."""
        text = self._clean(text)
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        room = self.context_length - len(self._begin) - len(self._end)
        ids = (*self._begin, *encoding.ids[:room], *self._end)
        return TokenizedText(
            ids=ids + (0,) * (self.context_length - len(ids)) * self._pad,
            unknown_words=self._words(text, encoding, unknown=True),
            truncated=len(encoding.ids) > room,
            meaningful=bool(self._words(text, encoding, unknown=False)),
        )

    def _words(self, text: str, encoding: "Encoding", *, unknown: bool) -> tuple[str, ...]:
        """Return the pieces of `text` that are words or symbols, either the unknown ones or the others."""
        pieces = (
            text[start:end]
            for number, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if (number == self._unknown) == unknown
        )
        words = (unicodedata.normalize("NFC", piece) for piece in pieces if any(map(is_sign, piece)))
        return tuple(dict.fromkeys(words))


def load_wordpiece(path: Path, *, context_length: int) -> SubwordTokenizer:
    """Return BERT's lower-casing tokenizer over the vocabulary file at `path`, one piece a line."""
    from_rust = _import()
    vocabulary = {
        piece.strip(): number for number, piece in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"))
    }
    tokenizer = from_rust.Tokenizer(
        from_rust.models.WordPiece(vocabulary, unk_token=_UNKNOWN, max_input_chars_per_word=200)
    )
    tokenizer.pre_tokenizer = from_rust.pre_tokenizers.WhitespaceSplit()
    return SubwordTokenizer(
        tokenizer,
        context_length=context_length,
        unknown=vocabulary[_UNKNOWN],
        begin=(vocabulary["[CLS]"],),
        end=(vocabulary["[SEP]"],),
        clean=_clean_for_bert,
    )


def _clean_for_bert(text: str) -> str:
    """Return `text` in lower case, without accents and control characters, Chinese characters and signs set apart.

    BERT's own rules. The Rust ones go by older tables of Unicode: they drop newer letters and emoji.
    """
    text = "".join(map(_drop_control, text.encode("utf-8", "replace").decode()))
    text = unicodedata.normalize("NFD", text.lower())
    return _CHINESE.sub(r" \g<0> ", "".join(map(_clean_char, text)))


def _drop_control(char: str) -> str:
    category = unicodedata.category(char)
    if char in "\t\n\r" or category == "Zs":
        return " "
    return "" if char == "\ufffd" or category in ("Cc", "Cf") else char


def _clean_char(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Mn":
        return ""
    is_punctuation = category[0] == "P" or (char.isascii() and not char.isalnum())
    return f" {char} " if is_punctuation else char


def load_gemma(path: Path, *, context_length: int) -> SubwordTokenizer:
    """Return SigLIP 2's tokenizer over Gemma's tokenizer.json: lower case, <eos> last even where a text is cut."""
    from_rust = _import()
    try:
        tokenizer = from_rust.Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no class of its own
        raise WeightsCorrupt(path, encoder=path.parent.name, why=verbatim(str(error))) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    normalizers = from_rust.normalizers
    ours: list[object] = [normalizers.Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer else [])]
    tokenizer.normalizer = normalizers.Sequence(ours)
    tokenizer.encode_special_tokens = True
    ids: Callable[[str], int | None] = tokenizer.token_to_id
    unknown, end = ids("<unk>"), ids("<eos>")
    return SubwordTokenizer(
        tokenizer,
        context_length=context_length,
        unknown=-1 if unknown is None else unknown,
        end=() if end is None else (end,),
        pad=True,
    )


def _import() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise BackendNotInstalled("tokenizers", "cpu") from error
    return tokenizers
