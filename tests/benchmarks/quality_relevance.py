"""Whether relevance holds: what is said of hits by a fit that has not seen their classes, and what is so."""

from dataclasses import asdict

from processes import say
from quality_ways import DEFAULT, WAYS
from tables import Table

from api.evaluation import tables
from api.evaluation.calibrate import calibrate
from api.evaluation.data.datasets import ClassSet
from api.evaluation.tasks.classes import evaluate_classes
from models.foundation.messages import Word
from models.relevance.reference_pictures import read_reference

_HOW = "Fitted on half of the classes, judged on the other half, of which again half is there; intervals over 40 draws."
_UNSEEN = (
    "Training saw no picture and no name of the classes that are asked for; in every gallery but small ones are "
    "photographs of other things besides."
)


def measure(classes: ClassSet) -> list[Table]:
    """Fit as `xuntu evaluate CLASSES --calibrate` does, and return what may be said, and the reliability of it."""
    say("relevance")
    encoding = WAYS[DEFAULT].encoding
    spec = encoding.spec
    reference = read_reference(spec.fingerprint, spec.dim)
    found = evaluate_classes(classes, encoding, lambda *_: None, label=True, reference=reference)
    fitted = calibrate(found.labelled, spec, hub_correction=encoding.corrects_hubs, source=classes.form)
    return [
        _as_table(
            "Relevance of unseen classes",
            tables.calibration_table(fitted),
            facts={kind: asdict(fit) for kind, fit in fitted.kinds.items()},
        ),
        _as_table("Reliability on unseen classes", tables.reliability_table(fitted), notes=(_HOW, _UNSEEN)),
    ]


def _as_table(
    title: str, table: tables.Table, *, notes: tuple[str, ...] = (), facts: dict[str, object] | None = None
) -> Table:
    head, rows = table
    texts = [[cell.text("en") if isinstance(cell, Word) else str(cell) for cell in row] for row in rows]
    return Table(title=title, head=[str(one) for one in head], rows=texts, notes=notes, facts=facts or {})
