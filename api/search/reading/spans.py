"""Spans: the pieces that a text is read into, which together are all of it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from api.search.options import SpanKind
from indexer.library.filters import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a text, with what joins it to the rest ("在杭州拍的"), and what it says ("杭州").

    `shown` is what of it a picture may show: "Christmas" of "last Christmas", and all of it where it may mean something
    else than a date or a place. `period` is that of a date.
    """

    kind: SpanKind
    start: int
    end: int
    said: str
    shown: str = ""
    period: Period | None = None

    @property
    def where(self) -> str | None:
        """The condition that leaves nothing else; None where there is none that says the same."""
        if self.kind == "place":
            return f'place="{self.said}"'
        if self.kind == "video":
            return "kind=video"
        if self.period is None:
            return None
        first, last = self.days
        ends = [("taken>=", first), ("taken<=", last)]
        return " and ".join(f"{operator}{day.isoformat()}" for operator, day in ends if day is not None)

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The first and the last day of a date, None where it is open, or no date."""
        start, end = (self.period.start, self.period.end) if self.period else (None, None)
        return start and start.date(), end and (end - timedelta(days=1)).date()

    def to_dict(self) -> dict[str, Any]:
        """Return the span as JSON holds it."""
        first, last = (day and day.isoformat() for day in self.days)
        return {
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            "said": self.said,
            "where": self.where,
            "taken_from": first,
            "taken_to": last,
        }
