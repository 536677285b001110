"""The search parameters that the asked recall takes, measured on the vectors themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.library.index.faiss.codes import threads
from indexer.library.index.faiss.flat import import_faiss
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.faiss.search_params import FEW, MANY, SearchParams, SearchParamsTable
from indexer.library.index.hub_offsets import WeightedQueries, with_offsets
from indexer.library.index.records import IndexOptions, QueryKind
from indexer.library.vectors.shard_files import rows_of, shards_of
from models.foundation.vectors import Ids, Vectors

_SEED = 20_261
_STEPS = (1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)  # candidates scored exactly for each hit asked for
_CODE_NS, _LIST_NS, _ROW_NS = 14, 60, 1_700  # to scan a code, to choose and open lists for each there is, to read a row
_FIELDS = {
    f"{kind}@{k}": f"{kind}_{size}" for kind in ("picture", "text") for k, size in ((FEW, "few"), (MANY, "many"))
}
_TEXT_FACTOR = 4  # without texts to measure: their lists, in pictures' lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """SearchParamsTable, and the recall that they reached: "picture@10", "picture@100", "text@10", "text@100".

    Without text queries the parameters of texts are `guessed` from those of pictures, and their recalls are missing.
    """

    search_params: SearchParamsTable
    recalls: dict[str, float]
    target: float
    guessed: bool

    @property
    def missed(self) -> bool:
        """Whether some recall stayed below the target."""
        return any(recall < self.target for recall in self.recalls.values())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return {
            "efforts": self.search_params.to_dict(),
            "recalls": {name: round(recall, 4) for name, recall in self.recalls.items()},
            "target": self.target,
            "target_missed": self.missed,
            "text_guessed": self.guessed,
        }


def tune(segment: IvfSegment, texts: Vectors | None, options: IndexOptions) -> Tuned:
    """Find the cheapest parameters that reach `options.recall` for sampled pictures and for `texts`, float32 (n, dim).

    Where rows have offsets, texts weigh them by 1 and pictures by 0.
    """
    rng = np.random.default_rng(_SEED)
    own = np.sort(rng.choice(len(segment), min(options.tuning_queries, len(segment)), replace=False))
    if texts is None or not len(texts):
        texts = np.empty((0, segment.dim), np.float32)
    texts = texts[np.sort(rng.choice(len(texts), min(options.tuning_queries, len(texts)), replace=False))]
    weights = np.repeat(np.array([0, 1], np.float32), [len(own), len(texts)])
    queries = WeightedQueries(np.concatenate([segment.fetch(own), texts]), weights)
    asked: list[tuple[QueryKind, slice]] = [("picture", slice(0, len(own)))]
    if len(texts):
        asked.append(("text", slice(len(own), len(queries))))
    itself = np.concatenate([own, np.full(len(texts), -1)])
    truth = _exact(segment, queries, itself, options)
    found: dict[str, tuple[SearchParams, float]] = {}
    for kind, part in asked:
        found |= _tune_kind(segment, kind, queries[part], truth[part], itself[part], options)
    search_params = {_FIELDS[name]: params for name, (params, _) in found.items()}
    for size in ("few", "many"):
        search_params.setdefault(f"text_{size}", _guess(search_params[f"picture_{size}"], segment.lists))
    return Tuned(
        search_params=SearchParamsTable(**search_params),
        recalls={name: recall for name, (_, recall) in found.items()},
        target=options.recall,
        guessed=not len(texts),
    )


def _guess(params: SearchParams, lists: int) -> SearchParams:
    return SearchParams(min(_TEXT_FACTOR * params.nprobe, lists), _TEXT_FACTOR * params.rerank)


def _exact(segment: IvfSegment, queries: WeightedQueries, itself: Ids, options: IndexOptions) -> Ids:
    """Return the positions of the 100 best of each query, without itself; int64 (n, 100), the rest -1."""
    faiss = import_faiss()
    wanted = MANY + 1
    rows_asked = queries.as_rows(segment.dim if segment.offsets is None else segment.dim + 1)
    scores = np.full((len(queries), wanted), -np.inf, np.float32)
    best = np.full((len(queries), wanted), -1, np.int64)
    order = np.argsort(segment.places, kind="stable")
    places = segment.places[order]
    shards = shards_of(places)
    with threads(options.processors):
        for number in np.unique(shards).tolist():
            begin, end = np.searchsorted(shards, [number, number + 1])
            rows = rows_of(places[begin:end])
            for first, block in segment.shards.blocks(number):
                low, high = np.searchsorted(rows, [first, first + len(block)])
                if low == high:
                    continue
                chosen = np.ascontiguousarray(block[rows[low:high] - first])
                if segment.offsets is not None:
                    chosen = with_offsets(chosen, segment.offsets[order[begin + low : begin + high]])
                near, at = faiss.knn(rows_asked, chosen, min(wanted, len(chosen)), faiss.METRIC_INNER_PRODUCT)
                both = np.concatenate([scores, near], axis=1)
                positions = np.concatenate([best, order[begin + low + at]], axis=1)
                rank = np.argsort(-both, axis=1, kind="stable")[:, :wanted]
                scores, best = np.take_along_axis(both, rank, 1), np.take_along_axis(positions, rank, 1)
    return _without(best, itself)


def _without(rows: Ids, itself: Ids) -> Ids:
    """Return each row of positions without one of them, one shorter."""
    kept = rows != itself[:, None]
    order = np.argsort(~kept, axis=1, kind="stable")[:, : rows.shape[1] - 1]
    return np.take_along_axis(np.where(kept, rows, -1), order, 1)


def _tune_kind(
    segment: IvfSegment, kind: QueryKind, queries: WeightedQueries, truth: Ids, itself: Ids, options: IndexOptions
) -> dict[str, tuple[SearchParams, float]]:
    """Return for 10 and for 100 hits the cheapest parameters and their recall; the most there is where none reaches."""
    nprobes = _nprobes(segment.lists)
    mean_rows = len(segment) / segment.lists
    chosen: dict[str, tuple[float, SearchParams, float]] = {}
    goal = (1 + options.recall) / 2  # half of what may be missed, for queries that come are not those measured
    for nprobe in nprobes:
        wanted = min(int(MANY * _STEPS[5]) if nprobe < nprobes[-1] else int(MANY * _STEPS[-1]), len(segment))
        found = _without(_look(segment, queries, wanted + 1, nprobe, options), itself)
        for k in (FEW, MANY):
            for rerank in sorted({min(int(k * step), found.shape[1]) for step in _STEPS}):
                recall = _recall(truth[:, :k], found[:, :rerank])
                cost = nprobe * mean_rows * _CODE_NS + segment.lists * _LIST_NS + rerank * _ROW_NS
                name = f"{kind}@{k}"
                before = chosen.get(name)
                better = before is None or (cost < before[0] if min(recall, before[2]) >= goal else recall > before[2])
                if better:
                    chosen[name] = (cost, SearchParams(nprobe, rerank), recall)
        if all(recall >= goal for _, _, recall in chosen.values()) and nprobe * mean_rows * _CODE_NS > max(
            cost for cost, _, _ in chosen.values()
        ):
            break
    return {name: (params, recall) for name, (_, params, recall) in chosen.items()}


def _look(segment: IvfSegment, queries: WeightedQueries, wanted: int, nprobe: int, options: IndexOptions) -> Ids:
    with threads(options.processors):
        return segment.look(queries, wanted, nprobe, None)


def _nprobes(lists: int) -> list[int]:
    values, value = [], 1.0
    while value < lists:
        values.append(round(value))
        value *= 2**0.5
    return sorted({*values, lists})


def _recall(truth: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> float:
    """Return the share of what is to be found that was."""
    there = truth >= 0
    hits = sum(int(np.isin(right[right >= 0], row).sum()) for right, row in zip(truth, found, strict=True))
    return hits / max(int(there.sum()), 1)
