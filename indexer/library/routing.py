"""Which encoders of a library answer which kind of query, as its own questions have shown; `routing.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from indexer.library.errors import RoutingUnreadable
from models.foundation.files import JSON_ERRORS
from models.relevance.curves import KINDS, Kind

Routes: TypeAlias = Mapping[Kind, tuple[str, ...]]  # the names of the encoders that answer, the first of them first

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How well encoders, alone or fused, found the right pictures for one kind of query: recall@10 and its interval."""

    encoders: tuple[str, ...]
    queries: int
    recall: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.encoders or self.queries < 1 or not 0 <= self.low <= self.high <= 1 or not 0 <= self.recall <= 1:
            raise ValueError(f"{self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Routes that were measured, of encoders with these fingerprints, and what was found for each kind of query."""

    fingerprints: Mapping[str, str]
    routes: Routes
    measured: Mapping[Kind, Sequence[Measured]] = field(default_factory=dict)
    created_at: str = ""  # ISO 8601, UTC

    def routes_for(self, fingerprints: Mapping[str, str]) -> Routes:
        """Return the routes that lead to encoders a library has, with the weights they were measured with."""
        same = {name for name, value in self.fingerprints.items() if fingerprints.get(name) == value}
        return {kind: names for kind, names in self.routes.items() if same.issuperset(names)}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "format": _FORMAT,
            "created_at": self.created_at,
            "fingerprints": dict(self.fingerprints),
            "routes": {kind: list(names) for kind, names in self.routes.items()},
            "measured": {kind: [_to_dict(one) for one in found] for kind, found in self.measured.items()},
        }

    def to_json(self) -> bytes:
        """Return it as it lies on disk."""
        return (json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def read(cls, path: Path) -> "Routing":
        """Read what `to_json` gave. Raises RoutingUnreadable, and FileNotFoundError."""
        try:
            values = json.loads(path.read_bytes())
            if values["format"] != _FORMAT:
                raise ValueError(f"format {values['format']}")
            routes = {kind: _names(values["routes"][kind]) for kind in KINDS if kind in values["routes"]}
            measured = {kind: [_read_measured(one) for one in values["measured"].get(kind, [])] for kind in KINDS}
            fingerprints = {str(name): str(value) for name, value in values["fingerprints"].items()}
            created_at = str(values["created_at"])
        except FileNotFoundError:
            raise
        except JSON_ERRORS as error:
            raise RoutingUnreadable(path) from error
        kept = {kind: found for kind, found in measured.items() if found}
        return cls(fingerprints=fingerprints, routes=routes, measured=kept, created_at=created_at)


def _to_dict(measured: Measured) -> dict[str, Any]:
    return {
        "encoders": list(measured.encoders),
        "queries": measured.queries,
        "recall@10": {"value": measured.recall, "low": measured.low, "high": measured.high},
    }


def _read_measured(values: Mapping[str, Any]) -> Measured:
    recall = {name: float(values["recall@10"][name]) for name in ("value", "low", "high")}
    return Measured(
        encoders=_names(values["encoders"]),
        queries=int(values["queries"]),
        recall=recall["value"],
        low=recall["low"],
        high=recall["high"],
    )


def _names(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of a route. Raises ValueError or TypeError."""
    if not values or not isinstance(values, list) or len(set(map(str, values))) < len(values):
        raise ValueError(f"{values!r}")
    return tuple(map(str, values))
