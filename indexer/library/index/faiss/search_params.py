"""Search parameters of an inverted file (nprobe, candidates): the table that tuning makes and searches read."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from indexer.library.index.records import QueryKind

_SLACK = 1.2
FEW, MANY = 10, 100  # the numbers of hits that are tuned for


@dataclass(frozen=True, slots=True)
class SearchParams:
    """`nprobe` lists are looked through, and the `rerank` best by their codes are scored exactly."""

    nprobe: int
    rerank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParamsTable:
    """Search parameters for each kind of query, for up to 10 hits and for up to 100."""

    picture_few: SearchParams
    picture_many: SearchParams
    text_few: SearchParams
    text_many: SearchParams

    def choose(self, kind: QueryKind, k: int, share: float = 1.0) -> SearchParams:
        """Return the parameters for `k` hits among a share of the rows, 0 < share <= 1.

        Among a share f of the rows the k-th hit lies about where the k/f-th lies among all, so lists are counted
        for that many.
        """
        k = _page_end(k)
        few, many = (self.picture_few, self.picture_many) if kind == "picture" else (self.text_few, self.text_many)
        return SearchParams(
            nprobe=math.ceil(_between(few.nprobe, many.nprobe, k / share, beyond=0.2)),
            rerank=math.ceil(_between(few.rerank, many.rerank, k, beyond=1.0)),
        )

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Return the table as JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SearchParamsTable":
        """Read a table. Raises KeyError, TypeError or ValueError."""
        return cls(
            **{
                name: SearchParams(nprobe=_count(values[name]["nprobe"]), rerank=_count(values[name]["rerank"]))
                for name in ("picture_few", "picture_many", "text_few", "text_many")
            }
        )


def _between(few: int, many: int, k: float, *, beyond: float) -> float:
    """Return what `k` hits need, on the straight line through both in logarithms; no less than few need.

    Beyond what was tuned the line rises at least with the power `beyond`.
    """
    power = math.log10(many / few)  # from 10 hits to 100
    if k <= MANY:
        return float(few * (max(k, FEW) / FEW) ** power)
    return float(many * (k / MANY) ** max(power, beyond))


def _page_end(k: int) -> int:
    """Return how many hits are looked for where `k` are: 10, 100, 1,000 ..., so that the pages of a search agree.

    A few more than that change nothing: pictures that were asked about are found too, and left out.
    """
    end = FEW
    while _SLACK * end < k:
        end *= 10
    return end


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < 2**40:
        raise ValueError(f"{value!r} is no search parameter")
    return value


def untuned(lists: int) -> SearchParamsTable:
    """Return parameters that suit most data, for an index that has not been tuned."""
    return SearchParamsTable(
        picture_few=SearchParams(max(lists // 32, 8), 100),
        picture_many=SearchParams(max(lists // 20, 8), 400),
        text_few=SearchParams(max(lists // 16, 16), 200),
        text_many=SearchParams(max(lists // 10, 16), 600),
    )
