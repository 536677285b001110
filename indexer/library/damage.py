"""What can be found wrong with the files of a library: a kind and its facts, from which sentences are made."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from models.foundation.messages import Message, Readable, Show, mark, message


class DamageKind(Enum):
    """What is wrong, as a sentence of which `it` is what is damaged."""

    MISSING = mark("{it} is missing")
    CHANGED = mark("{it} has changed since it was written")
    UNREADABLE = mark("{it} cannot be read")
    FAILING = mark("{it} cannot be read: {why}")
    UNKNOWN_FORMAT = mark("{it} is in the format {found}, which is not known")
    MADE_BY_NEWER = mark("{it} was made by a newer xuntu ({found})")
    MADE_BY_EARLIER = mark("{it} was made by an earlier xuntu ({found})")
    OTHER_SIZE = mark("{it} has {found} bytes, not the {expected} that were written")
    OTHER_CONTENT = mark("{it} holds {found}, expected {expected}")
    ROWS_MISSING = mark("{it} lacks rows")
    ROWS_UNKNOWN = mark("{it} names rows that there are not")
    UNORDERED = mark("{it} is not in order")
    MIXED_LENGTHS = mark("{it} mixes vectors of the lengths {found}")
    SOME_OFFSETS = mark("{it} has offsets for some of its segments only")
    FILES_MISSING = mark("{it} lacks files of segment {found}")
    NO_PART = mark("{it} is no part of an index of segments")
    FAISS_CANNOT_READ = mark("{it} cannot be read by FAISS")
    FINDS_TOO_LITTLE = mark("{it} finds only {found:.0%} of sampled pictures by themselves")
    NAMES_NO_BUILD = mark("{it} does not name a build")
    NAMES_NO_INDEX = mark("{it} names no index")
    NO_BUILD_IN_USE = mark("builds/{it} is missing: no build is in use")
    OTHER_PICTURES = mark("build {it} does not hold the pictures that the catalog says")
    WITHOUT_VECTOR = mark("{found} pictures have no vector of {it}")
    NOT_OPENED = mark("the index of {it} cannot be opened: {why}")
    CATALOG = mark("the catalog is damaged: {why}")


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong. `where` is a file, a folder, or the name of an encoder or a build.

    `found` is what is there, `expected` what should be; `build` the build that a file belongs to; `why` what the
    system says.
    """

    where: Path | str
    kind: DamageKind
    found: str | int | float | None = field(default=None, kw_only=True)
    expected: str | int | None = field(default=None, kw_only=True)
    build: str | None = field(default=None, kw_only=True)
    why: Readable | None = field(default=None, kw_only=True)

    def text(self, language: str, show: Show = str) -> str:
        """Return what is wrong as a sentence that names where, without a full stop."""
        it = message("{name}", name=self.name)
        if self.build:
            it = message("{name} of build {build}", name=self.name, build=self.build)
        return self._said(it).text(language, show)

    @property
    def name(self) -> str:
        """The name of what is damaged, of a file without its folder."""
        return self.where.name if isinstance(self.where, Path) else self.where

    @property
    def reason(self) -> Message:
        """What is wrong, for a sentence that has named where already."""
        return self._said(message("it"))

    def _said(self, it: Message) -> Message:
        return Message(self.kind.value, {"it": it, "found": self.found, "expected": self.expected, "why": self.why})
