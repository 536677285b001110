"""A score -> how likely the hit is right, fitted for each kind of query of an encoder, and how far that holds.

Relevance is the share that is right of hits at a score, for this query in this library (see mixture.py): of hits with
0.7, seven in ten. What is known of a fit was seen on things that it was not fitted on, and what does not hold for such
things is not said: then there is a coarse word, or nothing.
"""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from models.foundation.files import JSON_ERRORS
from models.foundation.messages import mark
from models.language.text import detect_language
from models.relevance.errors import CalibrationOutdated, CalibrationUnreadable
from models.relevance.mixture import Floats, LikelihoodRatio, Mixture, read_mixture
from models.relevance.shipped import find_shipped

Kind: TypeAlias = Literal["zh", "en", "picture"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Likelihood: TypeAlias = Literal["likely", "maybe", "unlikely"]

GOOD_MATCH = 0.5  # a hit of less is rather wrong than right
LIKELY, UNLIKELY = 0.6, 0.1  # from which relevance a hit is called likely, and below which unlikely
NO_MATCH = 0.2  # below which chance that any picture is right there is no good match
MIN_AUROC = 0.75  # below this, the lower end of its interval, scores do not tell what is there from what is not
LEAST_LIKELY, MOST_UNLIKELY = 0.6, 0.2  # shares that must be right, and may be, for the words to be said
LEAST_ABSENT = 0.7  # share of queries without a good match that must have none, for that to be said
MOST_OFF = 0.1  # by which what is said may be outside of the interval of what was seen,
MOST_TOO_MUCH = 0.15  # and above the share that was seen
LEAST_HITS = 0.02  # of all that were seen: a bin of fewer says nothing against a fit

_FORMAT = 2
_OUTDATED = 1
_STEPS = 1_000  # relevance is rounded to so many parts
_HALVINGS = 60  # in which a score is found
_ABOVE_ALL = 10.0  # added to a score that nothing should reach

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share and the ends of its 95 % interval over draws of held-out classes; `count` is of how many hits or queries.

    What was seen in too few draws, or of too few, has the interval 0..1.
    """

    value: float
    low: float
    high: float
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= 1 or self.count < 0:
            raise ValueError(f"{self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Held-out hits that were said to be right alike often: `said` on average, and the share that was `right`."""

    said: float
    right: Share

    @property
    def holds(self) -> bool:
        """Whether what was said is what was seen, as far as that shows."""
        near = self.right.low - MOST_OFF <= self.said <= self.right.high + MOST_OFF
        return near and self.said <= self.right.value + MOST_TOO_MUCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What scores of one kind of query say, and how good that is for things it was not fitted on.

    A height is a score less `level_weight` times the level of its query among the reference pictures of digest
    `reference` (see reference_pictures.py); "" without. `ratio` and `caution`: see mixture.py. `auroc` is the chance
    that a query for what is there is told more likely to have an answer than one for what is not. Of hits of held-out
    classes: the `precision` and `recall` of taking those from GOOD_MATCH for right, `reliability` by relevance from low
    to high, which share was right of those called `likely` and `unlikely`; of queries said to have no good match, which
    share had none (`no_match`). None where there was nothing to see. `queries` and `classes` are how many it is of.
    """

    ratio: LikelihoodRatio
    level_weight: float
    caution: float
    queries: int
    classes: int
    auroc: float
    auroc_low: float
    auroc_high: float
    precision: Share | None
    recall: Share | None
    likely: Share | None
    unlikely: Share | None
    no_match: Share | None
    reliability: tuple[ReliabilityBin, ...]
    reference: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.auroc_low <= self.auroc <= self.auroc_high <= 1:
            raise ValueError(f"AUROC {self.auroc}, {self.auroc_low} to {self.auroc_high}")
        if not (math.isfinite(self.level_weight) and math.isfinite(self.caution) and self.caution >= 1):
            raise ValueError(f"level weight {self.level_weight}, caution {self.caution}")
        if self.queries < 1 or self.classes < 1:
            raise ValueError(f"{self.queries} queries, {self.classes} classes")

    @property
    def can_tell(self) -> bool:
        """Whether relevance may be shown: scores tell what is there, and what was said was so."""
        least = LEAST_HITS * sum(one.right.count for one in self.reliability)
        telling = [one for one in self.reliability if one.right.count >= least]
        return self.tells_presence and bool(telling) and all(one.holds for one in telling)

    @property
    def tells_presence(self) -> bool:
        """Whether scores tell what is there from what is not."""
        return self.auroc_low >= MIN_AUROC

    @property
    def has_words(self) -> bool:
        """Whether hits may be called likely, maybe or unlikely."""
        if self.likely is None or self.unlikely is None:
            return False
        return self.likely.low >= LEAST_LIKELY and self.unlikely.high <= MOST_UNLIKELY

    @property
    def tells_absence(self) -> bool:
        """Whether it may be said that a library has no good match."""
        return self.tells_presence and self.no_match is not None and self.no_match.low >= LEAST_ABSENT

    @property
    def is_usable(self) -> bool:
        """Whether there is anything that may be said."""
        return self.can_tell or self.has_words or self.tells_absence

    def read(self, first: Floats, count: int, level: float = 0.0) -> "QueryFit":
        """Return what the scores of a query's first hits (k,), best first, say of a library of `count` pictures."""
        taken = self.level_weight * level
        mixture = read_mixture(self.ratio, (first - taken)[None], count, caution=self.caution)
        return QueryFit(fit=self, mixture=mixture, taken=taken)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueryFit:
    """A fit for one query in one library; `taken` is what is taken off its scores."""

    fit: Fit
    mixture: Mixture
    taken: float

    def relevances(self, scores: Floats) -> Floats:
        """Return the relevance of hits (n,), 0..1, in steps of a thousandth."""
        found: Floats = np.round(self.mixture.relevance((scores - self.taken)[None])[0] * _STEPS) / _STEPS
        return found

    def score_for(self, relevance: float) -> float:
        """Return the least score whose relevance is at least so much.

        It is minus infinity where every score's is, and above all scores where none is.
        """
        low, high = self.taken + self.fit.ratio.heights[0], self.taken + self.fit.ratio.heights[-1]
        reached = self.relevances(np.array([low, high])) >= relevance
        if reached[0]:
            return -math.inf
        if not reached[1]:
            return high + _ABOVE_ALL
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self.relevances(np.array([middle]))[0] >= relevance:
                high = middle
            else:
                low = middle
        return high

    @property
    def lacks_match(self) -> bool:
        """Whether it is said that the library has no good match."""
        return self.fit.tells_absence and float(self.mixture.presence[0]) < NO_MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The fits of one encoder, by kind of query.

    `hub_correction` says whether the scores of texts were corrected for pictures that are near to everything: fits of
    one sort of score say nothing about the other. `source` is the form of the data it was fitted on.
    """

    encoder: str
    fingerprint: str
    hub_correction: bool
    source: str
    created_at: str  # ISO 8601, UTC
    kinds: Mapping[Kind, Fit] = field(default_factory=dict)

    @property
    def references(self) -> set[str]:
        """The reference pictures that its fits need."""
        return {fit.reference for fit in self.kinds.values() if fit.reference}

    @property
    def usable(self) -> "Calibration":
        """The same with those fits alone of which something may be said."""
        return replace(self, kinds={kind: fit for kind, fit in self.kinds.items() if fit.is_usable})

    def fit_for(self, kind: Kind | None, *, hub_correction: bool, reference: str = "") -> Fit | None:
        """Return the fit for queries of a kind, None where nothing may be said of their hits.

        `reference` is the digest of the reference pictures that are there; a fit that needs others is of no use.
        """
        fit = self.kinds.get(kind) if kind else None
        if fit is None or not fit.is_usable or (kind != "picture" and hub_correction != self.hub_correction):
            return None
        return fit if fit.reference in ("", reference) else None

    def completed_by(self, other: "Calibration | None") -> "Calibration":
        """Return it with the fits of another for kinds that it has none for and that are of the same scores."""
        if other is None:
            return self
        alike = {
            kind: fit
            for kind, fit in other.kinds.items()
            if kind == "picture" or other.hub_correction == self.hub_correction
        }
        return replace(self, kinds={**alike, **self.kinds})

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        facts = {name: getattr(self, name) for name in _FACTS}
        return {"format": _FORMAT, **facts, "kinds": {kind: asdict(fit) for kind, fit in self.kinds.items()}}

    def to_json(self) -> bytes:
        """Return it as it lies on disk."""
        return (json.dumps(self.to_dict(), indent=1) + "\n").encode()

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Read what `to_json` gave.

        Raises CalibrationUnreadable, CalibrationOutdated for what an earlier version wrote, and FileNotFoundError.
        """
        try:
            values = json.loads(path.read_bytes())
            if values["format"] == _OUTDATED:
                raise CalibrationOutdated(path)
            if values["format"] != _FORMAT:
                raise ValueError(f"format {values['format']}")
            facts = {name: _checked(values[name], kind) for name, kind in _FACTS.items()}
            kinds = {kind: _read_fit(values["kinds"][kind]) for kind in KINDS if kind in values["kinds"]}
        except FileNotFoundError:
            raise
        except JSON_ERRORS as error:
            raise CalibrationUnreadable(path) from error
        return cls(**facts, kinds=kinds)


_FACTS: Mapping[str, type] = {
    "encoder": str,
    "fingerprint": str,
    "hub_correction": bool,
    "source": str,
    "created_at": str,
}


def kind_of(text: str) -> Kind | None:
    """Return the kind of a text: Chinese also where English stands in it; None where it is neither."""
    language = detect_language(text)
    return "zh" if language in ("zh", "mixed") else "en" if language == "en" else None


def word_for(relevance: float) -> Likelihood:
    """Return what a hit of a relevance is called."""
    return "likely" if relevance >= LIKELY else "unlikely" if relevance < UNLIKELY else "maybe"


_WORDS = (mark("likely"), mark("maybe"), mark("unlikely"))  # of Likelihood, for the catalogue


def read_calibration(own: Path, fingerprint: str, *, shipped: Path | None = None) -> Calibration | None:
    """Return the calibration of an encoder: a library's `own` before the one that came with the encoder.

    A file that is not there or is of another encoder is passed over, and so is, which is logged, one of an earlier
    version. Raises CalibrationUnreadable.
    """
    found = None
    for path in filter(None, (shipped or find_shipped(fingerprint, "relevance.json"), own)):
        try:
            calibration = Calibration.read(path)
        except FileNotFoundError:
            continue
        except CalibrationOutdated as error:
            logger.warning("%s", error)
            continue
        if calibration.fingerprint == fingerprint:
            found = calibration.completed_by(found)
    return found


def _read_fit(values: Mapping[str, Any]) -> Fit:
    plain = {one.name: _checked(values[one.name], one.type) for one in fields(Fit) if one.name not in _NESTED}
    shares: dict[str, Any] = {name: None if values[name] is None else _read_share(values[name]) for name in _SHARES}
    bins = tuple(ReliabilityBin(said=_number(one["said"]), right=_read_share(one["right"])) for one in values[_BINS])
    points = {one.name: tuple(map(_number, values["ratio"][one.name])) for one in fields(LikelihoodRatio)}
    return Fit(**plain, **shares, reliability=bins, ratio=LikelihoodRatio(**points))


_SHARES = ("precision", "recall", "likely", "unlikely", "no_match")
_BINS = "reliability"
_NESTED = (*_SHARES, _BINS, "ratio")


def _read_share(values: Mapping[str, Any]) -> Share:
    return Share(**{one.name: _checked(values[one.name], one.type) for one in fields(Share)})


def _number(value: Any) -> float:
    number: float = _checked(value, float)
    return number


def _checked(value: Any, kind: Any) -> Any:
    """Return a value if it is of a type. Raises TypeError."""
    if isinstance(value, bool) and kind is not bool:
        raise TypeError(f"{value!r}")
    if isinstance(value, int) and isinstance(0.0, kind):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r}")
    return value
