"""Names that training never sees, neither their pictures nor any text that says them: to measure what is unseen."""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from models.training.starter.names import ClassNames
from models.training.starter.pack import PackedPicture

_ONE_IN = {True: 14, False: 4}  # of the names that the classifier has, and of those that it has not, by checksum
_FEWEST_PICTURES = 20  # of a name, to measure anything
_MOST_SAID = 40  # captions: what people often speak of is not kept from the encoder


@dataclass(frozen=True)
class Holdout:
    """Names in both languages, and of which of them the classifier that training begins from has a class."""

    english: frozenset[str]
    chinese: frozenset[str]
    classified: frozenset[str]  # English

    @classmethod
    def of(cls, pictures: Iterable[PackedPicture], classes: Sequence[ClassNames]) -> "Holdout":
        """Choose some of the names of pictures: those with many pictures, of which few captions speak."""
        pictures = list(pictures)
        known = {name.lower() for each in classes for name in each.en}
        counts = Counter((picture.names_en[0], picture.names_zh[0]) for picture in pictures if picture.names_en)
        likely = [
            (en, zh)
            for (en, zh), count in sorted(counts.items())
            if count >= _FEWEST_PICTURES and zlib.crc32(en.encode()) % _ONE_IN[en.lower() in known] == 0
        ]
        said = Counter(
            (en, zh)
            for picture in pictures
            for caption in (*picture.captions_en, *picture.captions_zh)
            for en, zh in likely
            if zh in caption or re.search(rf"\b{re.escape(en.lower())}", caption.lower())
        )
        chosen = {en: zh for en, zh in likely if said[en, zh] <= _MOST_SAID}
        classified = frozenset(name for name in chosen if name.lower() in known)
        return cls(frozenset(chosen), frozenset(chosen.values()), classified)

    def holds(self, picture: PackedPicture) -> bool:
        """Whether a picture is of one of the names."""
        return bool(picture.names_en) and picture.names_en[0] in self.english

    def says(self, text: str) -> bool:
        """Whether a text says one of the names."""
        return bool(self._words.search(text.lower()))

    @cached_property
    def _words(self) -> re.Pattern[str]:
        english = "|".join(re.escape(name.lower()) for name in sorted(self.english))
        chinese = "|".join(re.escape(name) for name in sorted(self.chinese) if name)
        return re.compile(rf"\b(?:{english})(?:s|es)?\b|{chinese}" if self.english else r"(?!)")

    def without(self, picture: PackedPicture) -> PackedPicture:
        """Return a picture of which no caption, name or kind says one of the names."""
        fields = ("captions_en", "captions_zh", "names_en", "names_zh", "kinds_en", "kinds_zh")
        told: dict[str, Any] = {
            field: tuple(text for text in getattr(picture, field) if not self.says(text)) for field in fields
        }
        told["translated"] = tuple(pair for pair in picture.translated if not any(map(self.says, pair)))
        return replace(picture, **told)
