"""The ways in which a text is searched, from the bare cosine to what the product does, and how they are compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from processes import say
from tables import NO_REACH

from api.evaluation.encoding import Encoding
from api.evaluation.measures.bootstrap import Estimate, compare, estimate
from api.evaluation.measures.ranking import Floats, Positions
from api.evaluation.measures.samples import Sample
from api.evaluation.tables import show
from api.search.engine import SearchEngine
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.encoders.runtime import Runtime
from models.pictures.limits import DecodeLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is added to the cosine: `templates` as in Runtime."""

    hub_correction: bool
    templates: str

    @property
    def encoding(self) -> Encoding:
        """The same for an evaluation of a data set."""
        runtime = Runtime(templates=self.templates)
        return Encoding(
            spec=get_spec(DEFAULT_ENCODER),
            runtime=runtime,
            limits=DecodeLimits(),
            hub_correction=self.hub_correction,
        )

    def open(self, library: Path) -> SearchEngine:
        """Return the same for searches."""
        runtime = Runtime(templates=self.templates)
        return SearchEngine.open(library, runtime=runtime, hub_correction=self.hub_correction)


RAW, DEFAULT = "raw cosine", "as a search does it"
WAYS = {
    RAW: Way(hub_correction=False, templates="off"),
    "hub correction": Way(hub_correction=True, templates="off"),
    "templates": Way(hub_correction=False, templates="on"),
    DEFAULT: Way(hub_correction=True, templates="auto"),
}


Found = TypeVar("Found")
Samples = Mapping[str, Mapping[str, Sample]]  # way -> language -> what was found


@dataclass(frozen=True, eq=False)
class Shares:
    """Of the first hits of each query, the share (n,) that is right."""

    kind: ClassVar[str] = "shares"
    main: ClassVar[str] = "precision@10"

    groups: Positions
    shares: Floats

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Return the mean share."""
        return {self.main: weights @ self.shares / weights.sum(axis=1)}

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON holds it."""
        return {"kind": self.kind, "groups": self.groups.tolist(), "shares": self.shares.tolist()}


def in_each_way(title: str, search: Callable[[Way], Found]) -> dict[str, Found]:
    """Return what is found in each of WAYS; those that come to the same for this encoder are searched once."""
    done: dict[tuple[bool, bool], Found] = {}
    found = {}
    for name, way in WAYS.items():
        same = (way.hub_correction, way.encoding.templates)
        if same not in done:
            say(f"{title}: {name}")
            done[same] = search(way)
        found[name] = done[same]
    return found


def cells(sample: Sample, *measures: str) -> tuple[str, ...]:
    """Return figures in per cent with their intervals."""
    measured = estimate(sample)
    return tuple(str(show(name, measured[name])) for name in measures)


def difference(new: Sample, old: Sample, measure: str) -> str:
    """Return the paired difference with its interval; none of a sample to itself."""
    return NO_REACH if new is old else str(show(measure, compare(new, old)[measure], signed=True))


def changes(samples: Samples, way: str, language: str, *measures: str) -> tuple[str, ...]:
    """Return how a way differs from the raw cosine, query by query paired."""
    return tuple(difference(samples[way][language], samples[RAW][language], name) for name in measures)


def figures(samples: Samples) -> dict[str, dict[str, dict[str, object]]]:
    """Return the figures of each way and language, as JSON holds them."""
    return {way: {name: _as_json(estimate(sample)) for name, sample in of.items()} for way, of in samples.items()}


def _as_json(measured: Mapping[str, Estimate]) -> dict[str, object]:
    return {name: one.to_dict() for name, one in measured.items()}
