"""How well names find their things, and how well scores tell whether there is such a thing at all."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
from quality_sets import NAMES, HeldOut, place_of
from quality_ways import RAW, WAYS, Samples, Shares, Way, cells, changes, figures, in_each_way
from tables import Table

from api.evaluation.data.datasets import ClassName, ClassSet
from api.evaluation.measures.samples import Ranks, Sample, number_groups
from api.evaluation.tasks.classes import evaluate_classes
from api.evaluation.unknown import search
from api.search.engine import SearchEngine
from api.search.query import Clause, Query

FIRST = 10  # hits that are looked at
_RECALLS = ("recall@1", "recall@5", "recall@10")
_PRECISIONS = {"map": "mAP", "precision@1": "P@1", "precision@5": "P@5", "precision@10": "P@10"}
_NAMING = {"top1": "top-1", "top5": "top-5", "macro_top1": "top-1, mean of classes"}
_PRESENCE = {"auroc": "AUROC", "precision": "precision", "recall": "recall", "threshold": "threshold"}


def measure(held_out: HeldOut) -> list[Table]:
    """Search for every name, and measure with names what `xuntu evaluate` does."""
    return [_find_names(held_out), *_in_classes(held_out.classes)]


def _find_names(held_out: HeldOut) -> Table:
    classes = held_out.classes
    found = in_each_way("names", partial(_search, held_out))
    ranks = {way: {language: both[0] for language, both in of.items()} for way, of in found.items()}
    shares = {way: {language: both[1] for language, both in of.items()} for way, of in found.items()}
    rows = [
        (
            title,
            way,
            *cells(ranks[way][language], *_RECALLS),
            *cells(shares[way][language], "precision@10"),
            *changes(ranks, way, language, "recall@10"),
            *changes(shares, way, language, "precision@10"),
        )
        for language, title in NAMES.items()
        for way in WAYS
    ]
    return Table(
        title="Names of things",
        head=("names", "searched by", "R@1", "R@5", "R@10", "P@10", "change of R@10", "change of P@10"),
        rows=rows,
        notes=(_describe(classes, ranks),),
        facts={"ranks": figures(ranks), "shares": figures(shares)},
    )


def _search(held_out: HeldOut, way: Way) -> dict[str, tuple[Ranks, Shares]]:
    engine = way.open(held_out.named.library)
    return {language: _ask(engine, held_out.classes, language) for language in NAMES}


def _ask(engine: SearchEngine, classes: ClassSet, language: str) -> tuple[Ranks, Shares]:
    """Return for each name the rank of the first picture of it, and how many of the first hits are pictures of it."""
    names = [name for name in classes.names if name.language == language]
    right = np.stack([_first_right(engine, classes, name) for name in names])
    groups = number_groups([name.classes[0] for name in names])
    ranks = np.where(right.any(axis=1), 1.0 + right.argmax(axis=1), np.inf)
    return Ranks(groups, ranks), Shares(groups, right.mean(axis=1))


def _first_right(engine: SearchEngine, classes: ClassSet, name: ClassName) -> npt.NDArray[np.bool_]:
    """Return (FIRST,): which of the first hits are right; none where the encoder does not know the name."""
    right = np.zeros(FIRST, np.bool_)
    hits = search(engine, Query(clauses=[Clause(text=name.text)], k=FIRST)) or []
    right[: len(hits)] = [classes.members[place_of(hit.path)] in name.classes for hit in hits]
    return right


def _describe(classes: ClassSet, samples: Samples) -> str:
    counts = ", ".join(f"{len(samples[RAW][language].groups)} {title}" for language, title in NAMES.items())
    most = np.bincount(classes.members).max()
    return (
        f"{len(classes.pictures):,} pictures; names: {counts}; asked through the search itself. {most} pictures show a "
        f"thing, so P@10 is {100 * most / FIRST:.0f} at most."
    )


def _in_classes(classes: ClassSet) -> list[Table]:
    """Measure what `xuntu evaluate` measures with names: the whole ranking, naming of pictures, and presence."""
    found = in_each_way("names in classes", partial(_evaluate, classes))

    def table(task: str, title: str, heads: Mapping[str, str], *notes: str) -> Table:
        samples = {way: of[task] for way, of in found.items()}
        main = next(iter(heads))
        rows = [
            (name, way, *cells(samples[way][language], *heads), *changes(samples, way, language, main))
            for language, name in NAMES.items()
            for way in WAYS
        ]
        head = ("names", "searched by", *heads.values(), f"change of {heads[main]}")
        return Table(title=title, head=head, rows=rows, notes=notes, facts=figures(samples))

    return [
        table("name->image", "Names over the whole ranking", _PRECISIONS, "Precision at k is divided by k."),
        table("zero-shot", "Pictures by name", _NAMING, "Each picture is given the nearest of all names."),
        table(
            "presence",
            "Is there such a thing",
            _PRESENCE,
            "Each name is asked in two galleries, of which one has such a thing and the other has none.",
            "Precision and recall are those of a threshold of the best score. It is chosen on these very names.",
        ),
    ]


def _evaluate(classes: ClassSet, way: Way) -> dict[str, dict[str, Sample]]:
    """Return task -> language -> what was found."""
    found: dict[str, dict[str, Sample]] = {}
    for one in evaluate_classes(classes, way.encoding, lambda *_: None).results:
        found.setdefault(one.task, {})[one.language] = one.sample
    return found
