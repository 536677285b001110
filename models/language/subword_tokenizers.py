"""Text -> subword ids with the Rust tokenizers: the ids of each encoder's own code, without torch."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.foundation.errors import BackendNotInstalled, WeightsCorrupt, WeightsUnsuitable
from models.foundation.messages import message, verbatim
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
    `prompt` is what every text goes on from, in one piece with it.
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
        prompt: str = "",
    ) -> None:
        self.context_length = context_length
        self._tokenizer = tokenizer
        self._unknown = unknown
        self._begin, self._end = begin, end
        self._clean = clean
        self._pad = pad
        self._prompt = prompt

    def tokenize(self, text: str) -> TokenizedText:
        """Return the ids, and the words that have none."""
        text = self._prompt + self._clean(text)
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
        """Return the pieces of `text` after its prompt that are words or symbols, the unknown ones or the others."""
        pieces = (
            text[max(start, len(self._prompt)) : end]
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
    normalizers, tokenizer = _import().normalizers, _open(path)
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


def load_prompted(
    path: Path, *, context_length: int, before: str = "", prompt: str = "", after: str = ""
) -> SubwordTokenizer:
    """Return the tokenizer of a tokenizer.json for texts between `before` + `prompt` and `after`.

    Special tokens are read in `before` and `after`, not in `prompt` and the text. What the file itself puts around a
    text stands around all. Raises WeightsCorrupt.
    """
    tokenizer = _open(path)
    bare, whole = (tokenizer.encode("a", add_special_tokens=added).ids for added in (False, True))
    start = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), 0)
    first, last = (tokenizer.encode(part, add_special_tokens=False).ids for part in (before, after))
    tokenizer.encode_special_tokens = True
    return SubwordTokenizer(
        tokenizer,
        context_length=context_length,
        unknown=-1,
        begin=(*whole[:start], *first),
        end=(*last, *whole[start + len(bare) :]),
        prompt=prompt,
    )


def read_prompt(path: Path, prompt: str, special: Sequence[str]) -> tuple[tuple[int, ...], dict[str, int]]:
    """Return the ids of a prompt without a text, with what a tokenizer.json puts around it, and those of `special`.

    Raises WeightsCorrupt, or WeightsUnsuitable where the file lacks one of the `special` tokens.
    """
    tokenizer = _open(path)
    ids: dict[str, int | None] = {token: tokenizer.token_to_id(token) for token in special}
    known = {token: number for token, number in ids.items() if number is not None}
    if lacking := sorted(ids.keys() - known.keys()):
        raise WeightsUnsuitable(path, path.parent.name, message("it has no token {token}", token=lacking[0]))
    return tuple(tokenizer.encode(prompt, add_special_tokens=True).ids), known


def _open(path: Path) -> Any:
    """Return what a tokenizer.json describes, without padding and truncation."""
    from_rust = _import()
    try:
        tokenizer = from_rust.Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no class of its own
        raise WeightsCorrupt(path, encoder=path.parent.name, why=verbatim(str(error))) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _import() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise BackendNotInstalled("tokenizers", "cpu") from error
    return tokenizers
