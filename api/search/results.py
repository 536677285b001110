"""What a search answers."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A ranked picture: `path` is below the folder `root`; `score` a cosine, higher is better.

    Width and height are those of the upright picture, in pixels.
    """

    id: int
    path: str
    root: Path
    score: float
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something about how the query was understood that the person should know."""

    code: str
    en: str
    zh: str

    def text(self, language: str) -> str:
        """Return the sentence in `language`."""
        return self.zh if language.lower().startswith("zh") else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One page of hits. `total` counts every picture that could be paged to; times are milliseconds."""

    hits: list[Hit]
    total: int
    timings_ms: dict[str, float]
    build: str
    encoder: str
    notes: list[Note] = field(default_factory=list)
