"""Which encoder of a library answers which kind of query best, by a person's own questions.

Each text is asked of every encoder that reads it, and of all of them fused; the pictures that a question names are
asked for each other. The cheaper way to answer, one encoder before several and the smaller before the larger, stays
unless another has a higher recall@10 by more than the interval of the paired difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from api.evaluation.errors import NothingToRoute
from api.evaluation.library import DEPTH, Asked, Asking, ask
from api.evaluation.measures.bootstrap import compare, estimate
from api.evaluation.measures.ranking import OnStep
from api.evaluation.measures.samples import Ranks, number_groups
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.library.routing import Measured, Routing
from models.foundation.messages import mark
from models.relevance.curves import KINDS, Kind, kind_of

LEAST_QUERIES = 20  # fewer say nothing about a kind of query
_METRIC = "recall@10"

Names = tuple[str, ...]


def measure_routes(
    engine: SearchEngine, asked: Sequence[Asked], asking: Asking, path: Path, on_step: OnStep
) -> Routing:
    """Return the routes that find most, and what was measured; kinds with too few questions stay as they are.

    Raises NothingToRoute where no kind of query has enough of them, or there is nothing to choose from.
    """
    questions = {kind: _select(kind, asked) for kind in KINDS}
    samples: dict[Kind, list[tuple[Names, Ranks]]] = {}
    for kind, chosen in questions.items():
        ways = _ways(engine, kind)
        if len(ways) > 1 and len(chosen) >= LEAST_QUERIES:
            samples[kind] = [(names, _sample(engine, kind, names, chosen, asking, path, on_step)) for names in ways]
    if not samples:
        counts: dict[str, int] = {kind: len(chosen) for kind, chosen in questions.items()}
        raise NothingToRoute(counts, LEAST_QUERIES, list(engine.spaces))
    fingerprints = {name: space.entry.fingerprint for name, space in engine.spaces.items()}
    before = engine.get_measured_routes()
    kept = before.routes_for(fingerprints) if before else {}
    earlier = {kind: found for kind, found in (before.measured if before else {}).items() if kind in kept}
    return Routing(
        fingerprints=fingerprints,
        routes={**kept, **{kind: choose(found) for kind, found in samples.items()}},
        measured={**earlier, **{kind: [_describe(*one) for one in found] for kind, found in samples.items()}},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _select(kind: Kind, asked: Sequence[Asked]) -> list[Asked]:
    """Return the questions that say something about a kind of query."""
    if kind == "picture":
        return [one for one in asked if len(one.contents) > 1]
    return [one for one in asked if one.contents and kind_of(one.question.text) == kind]


def _ways(engine: SearchEngine, kind: Kind) -> list[Names]:
    """Return the ways to answer a kind of query, the cheapest first: each encoder that can, and all of them fused."""
    able = [space for space in engine.spaces.values() if space.reads_text or kind == "picture"]
    able.sort(key=lambda space: space.encoders.spec.parameters)
    alone: list[Names] = [(space.name,) for space in able]
    return [*alone, tuple(space.name for space in able)] if len(able) > 1 else alone


def _sample(
    engine: SearchEngine,
    kind: Kind,
    names: Names,
    chosen: Sequence[Asked],
    asking: Asking,
    path: Path,
    on_step: OnStep,
) -> Ranks:
    """Return what one way to answer finds."""
    if kind == "picture":
        pairs = [(group, image_id) for group, one in enumerate(chosen) for image_id in one.ids]
        groups = np.array([group for group, _ in pairs], np.int64)
        return Ranks(groups, np.array(list(_rank_pictures(engine, names, chosen, pairs, on_step))))
    groups = number_groups([min(one.contents) for one in chosen])
    answers = ask(engine, chosen, replace(asking, encoders=names), path, on_step)
    return Ranks(groups, np.array([answer.rank for answer in answers]))


def _rank_pictures(
    engine: SearchEngine,
    names: Names,
    chosen: Sequence[Asked],
    pairs: Sequence[tuple[int, int]],
    on_step: OnStep,
) -> Iterator[float]:
    """Yield, for each picture that is asked for, the rank of the first other one that its question names."""
    for number, (group, image_id) in enumerate(pairs):
        on_step(mark("Asking"), number, len(pairs))
        hits = engine.search(Query(clauses=[Clause(image_id=image_id)], k=DEPTH, encoders=names)).hits
        looks = engine.opened.catalog.get_looks([image_id, *(hit.id for hit in hits)]).contents.tolist()
        own, contents = looks[0], [content for content in looks[1:] if content != looks[0]]  # copies are no answer
        right = [place for place, content in enumerate(contents) if content in chosen[group].contents - {own}]
        yield float(right[0] + 1) if right else float("inf")


def choose(samples: Sequence[tuple[Names, Ranks]]) -> Names:
    """Return the first way that none after it beats by more than chance explains."""
    best, best_sample = samples[0]
    for names, sample in samples[1:]:
        if compare(sample, best_sample)[_METRIC].low > 0:
            best, best_sample = names, sample
    return best


def _describe(names: Names, sample: Ranks) -> Measured:
    figure = estimate(sample)[_METRIC]
    return Measured(
        encoders=names,
        queries=len(sample.groups),
        recall=round(figure.value, 6),
        low=round(figure.low, 6),
        high=round(figure.high, 6),
    )
