"""Words beyond the captions: pairs of Chinese and English words for things that can be seen, the common ones first."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from models.training.starter.words import pairs, seen_pairs

_LONGEST_ZH, _LONGEST_EN = 6, 3  # characters, words
_ONE_SIDED = 0.01  # what counts of the frequency of a pair whose other side is in no list
_USEFUL = 40_000


class Lexicon:
    """The word lists in a folder: cedict_ts.u8, wordnet/, and freq_en.tsv and freq_zh.tsv (word, tab, frequency).

    Raises WordListUnreadable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        english, chinese = (_read_frequencies(folder / f"freq_{language}.tsv") for language in ("en", "zh"))
        self._frequencies = english, chinese
        seen = seen_pairs(folder / "cedict_ts.u8", folder / "wordnet")
        self.pairs = self._common_first(seen)[:_USEFUL]  # (Chinese, English)

    @property
    def dictionary(self) -> list[tuple[str, str]]:
        """Pairs of Chinese and English words for anything at all, the common ones first."""
        return self._common_first(pairs(self._folder / "cedict_ts.u8"))

    def _common_first(self, found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        weight = {
            (zh, en): _how_common(en, zh, *self._frequencies)
            for zh, en in found
            if len(zh) <= _LONGEST_ZH and len(en.split()) <= _LONGEST_EN
        }
        usual = [pair for pair, value in weight.items() if value]
        return sorted(usual, key=lambda pair: (-weight[pair], pair))

    @property
    def words(self) -> Iterable[str]:
        """Every word of the pairs, English and Chinese, the common ones first."""
        return dict.fromkeys(word for zh, en in self.pairs for word in (en, zh))


def _how_common(en: str, zh: str, english: Mapping[str, float], chinese: Mapping[str, float]) -> float:
    rarest = min((english.get(word, 0.0) for word in en.lower().split()), default=0.0)
    other = chinese.get(zh, 0.0)
    low, high = sorted((rarest, other))
    return low + 0.05 * high if low else _ONE_SIDED * high


def _read_frequencies(path: Path) -> dict[str, float]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {word: float(value) for word, value in (line.split("\t") for line in lines)}
