"""A score -> how likely the hit is right: a logistic curve for each kind of query (Platt 1999).

Scores of different kinds of query cannot be compared, and none of them says by itself whether it is a match. Relevance
can, and does: a hit with relevance 0.7 is right seven times in ten, whatever was asked in, where right hits and wrong
ones are equally many, and as far as the queries that it was fitted on are like those that are asked. Where scores do
not tell whether a thing is there at all, there is none.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from models.encoders import starter
from models.foundation.errors import CalibrationUnreadable
from models.foundation.files import JSON_ERRORS
from models.language.text import detect_language

Kind: TypeAlias = Literal["zh", "en", "picture"]
KINDS: tuple[Kind, ...] = get_args(Kind)

GOOD_MATCH = 0.5  # a hit of less is rather wrong than right
POOR_MATCH = 0.05  # where even the best hit has less, there is no good match
MIN_AUROC = 0.65  # below this, the lower end of its interval, scores do not tell what is there from what is not
SHIPPED = starter.FOLDER / "relevance.json"

_FORMAT = 1
_STEPS = 1_000  # relevance is rounded to so many parts
_LARGEST_EXPONENT = 700.0  # of e, that a float holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The curve of one kind of query, 1 / (1 + exp(-(slope * score + intercept))), and how good it is.

    `reference` is the digest of the reference pictures it was fitted with: what it calls score is then the score less
    the level of its query (see reference_pictures.py), and `auroc_of_scores` the AUROC of scores as they are. "" and
    None are without.
    `auroc` is the chance that the best hit of a query for what is there scores above that of one for what is not, with
    the ends of its 95 % interval; `queries` is how many it was fitted on. Of queries that were held out: the
    `precision` and `recall` of taking the hits at or above GOOD_MATCH for right, and the `calibration_error`: by how
    much relevance and the share that is right differ on average; None where nothing was taken, or nothing is right.
    """

    slope: float
    intercept: float
    auroc: float
    auroc_low: float
    auroc_high: float
    queries: int
    precision: float | None
    recall: float | None
    calibration_error: float | None
    reference: str = ""
    auroc_of_scores: float | None = None

    def __post_init__(self) -> None:
        aurocs = [self.auroc, self.auroc_low, self.auroc_high, self.auroc_of_scores]
        shares = [*aurocs, self.precision, self.recall, self.calibration_error]
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope >= 0):
            raise ValueError(f"slope {self.slope}, intercept {self.intercept}")
        if not all(share is None or 0 <= share <= 1 for share in shares) or self.queries < 1:
            raise ValueError(f"shares {shares} of {self.queries} queries")

    @property
    def can_tell(self) -> bool:
        """Whether scores tell what is there from what is not."""
        return self.slope > 0 and self.auroc_low >= MIN_AUROC

    @property
    def threshold(self) -> float | None:
        """The score whose relevance is GOOD_MATCH; None where every score has the same."""
        return -self.intercept / self.slope if self.slope > 0 else None

    def relevance(self, score: float) -> float:
        """Return the relevance of a hit, 0..1, in steps of a thousandth."""
        return round(logistic(self.slope * score + self.intercept) * _STEPS) / _STEPS

    def score_for(self, relevance: float) -> float:
        """Return the least score whose relevance is at least so much; minus infinity where every score's is."""
        least = (math.ceil(round(relevance * _STEPS, 6)) - 0.5) / _STEPS
        if least <= 0:
            return -math.inf
        return (math.log(least / (1 - least)) - self.intercept) / self.slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The curves of one encoder, by kind of query.

    `hub_correction` says whether the scores of texts were corrected for pictures that are near to everything: curves of
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
        """The reference pictures that its curves need."""
        return {fit.reference for fit in self.kinds.values() if fit.reference}

    def fit_for(self, kind: Kind | None, *, hub_correction: bool, reference: str = "") -> Fit | None:
        """Return the curve for queries of a kind, None where it cannot be told how likely their hits are right.

        `reference` is the digest of the reference pictures that are there; a curve that needs others is of no use.
        """
        fit = self.kinds.get(kind) if kind else None
        if fit is None or not fit.can_tell or (kind != "picture" and hub_correction != self.hub_correction):
            return None
        return fit if fit.reference in ("", reference) else None

    def completed_by(self, other: "Calibration | None") -> "Calibration":
        """Return it with the curves of another for kinds that it has none for and that are of the same scores."""
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
        kinds = {kind: {**asdict(fit), "threshold": fit.threshold} for kind, fit in self.kinds.items()}
        return {"format": _FORMAT, **facts, "kinds": kinds}

    def to_json(self) -> bytes:
        """Return it as it lies on disk."""
        return (json.dumps(self.to_dict(), indent=2) + "\n").encode()

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Read what `to_json` gave. Raises CalibrationUnreadable, and FileNotFoundError."""
        try:
            values = json.loads(path.read_bytes())
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


def logistic(value: float) -> float:
    """Return 1 / (1 + exp(-value))."""
    return 1 / (1 + math.exp(min(-value, _LARGEST_EXPONENT)))


def read_calibration(own: Path, fingerprint: str, *, shipped: Path = SHIPPED) -> Calibration | None:
    """Return the calibration of an encoder: a library's `own` before the one that came with xuntu.

    A file that is not there or is of another encoder is passed over. Raises CalibrationUnreadable.
    """
    found = None
    for path in (shipped, own):
        try:
            calibration = Calibration.read(path)
        except FileNotFoundError:
            continue
        if calibration.fingerprint == fingerprint:
            found = calibration.completed_by(found)
    return found


def _read_fit(values: Mapping[str, Any]) -> Fit:
    return Fit(**{one.name: _checked(values[one.name], one.type) for one in fields(Fit)})


def _checked(value: Any, kind: Any) -> Any:
    """Return a value if it is of a type. Raises TypeError."""
    if isinstance(value, bool) and kind is not bool:
        raise TypeError(f"{value!r}")
    if isinstance(value, int) and isinstance(0.0, kind):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r}")
    return value
