"""Hits of a plan -> what their scores and places are made of."""

from collections.abc import Iterator, Sequence

import numpy as np

from api.search.duplicate_collapse import Scores
from api.search.explanation import EncoderScore, Explanation, ScoreShare
from api.search.fusion import Fusion
from api.search.plan import EncoderPlan, Plan
from api.search.retrievers.vectors import VectorRetriever
from indexer.library.index.parted import PartedIndex, best_parts
from indexer.library.index.port import Mask, VectorIndex
from indexer.library.part_keys import keys_of
from models.foundation.vectors import Ids
from models.pictures.parts import FIRST_REGION


def explain_hits(
    plan: Plan, ids: Ids, retrievers: Sequence[VectorRetriever], fusion: Fusion | None
) -> dict[int, Explanation]:
    """Return what the scores of pictures are made of, by their ids; `retrievers` are those of the plan's encoders."""
    scores: dict[int, list[EncoderScore]] = {image_id: [] for image_id in ids.tolist()}
    for asked, retriever in zip(plan.encoders, retrievers, strict=True):
        held = ids[retriever.index.holds(ids)]
        for image_id, score in zip(held.tolist(), _explain_scores(plan, asked, retriever, held), strict=True):
            scores[image_id].append(score)
    if fusion is None:
        return {image_id: Explanation(scores=tuple(found)) for image_id, found in scores.items()}
    return {
        image_id: Explanation(
            scores=tuple(found), fused=fusion.fused_score(image_id), rankings=tuple(fusion.list_shares(image_id))
        )
        for image_id, found in scores.items()
    }


def _explain_scores(plan: Plan, asked: EncoderPlan, retriever: VectorRetriever, ids: Ids) -> list[EncoderScore]:
    """Return what the scores of pictures are made of that a space has."""
    index, query = retriever.index, retriever.query
    scores = index.score(query.vector, ids, offset_weight=query.offset_weight)
    numbers = best_parts(index, query.vector, ids, offset_weight=query.offset_weight)
    cosines = np.zeros((len(retriever.parts), len(ids)), np.float32)
    hubs = np.zeros(len(ids), np.float32)
    for here, rows, keys in _locate(index, ids, numbers):
        for place, part in enumerate(retriever.parts):
            cosines[place, here] = rows.score(part.vector[None], keys)
        if query.offset_weight:
            hubs[here] = _hub_shares(retriever, rows, keys)
    penalty = float(index.region_penalty(query.vector)) if isinstance(index, PartedIndex) else 0.0
    weights = [part.weight / query.length for part in retriever.parts]
    clauses = [plan.asked[place] for place in asked.places]

    def explain(place: int) -> Iterator[ScoreShare]:
        for clause, weight, cosine in zip(clauses, weights, cosines[:, place].tolist(), strict=True):
            yield ScoreShare(kind="clause", share=weight * cosine, clause=clause, weight=weight, similarity=cosine)
        if query.offset_weight:
            yield ScoreShare(kind="hub_correction", share=float(hubs[place]))
        if numbers[place] >= FIRST_REGION:
            yield ScoreShare(kind="region", share=-penalty)

    return [
        EncoderScore(
            encoder=asked.encoder, score=float(scores[place]), part=int(numbers[place]), shares=tuple(explain(place))
        )
        for place in range(len(ids))
    ]


def _hub_shares(retriever: VectorRetriever, rows: VectorIndex, keys: Ids) -> Scores:
    query = retriever.query
    hubs: Scores = rows.score(query.vector, keys, offset_weight=query.offset_weight) - rows.score(query.vector, keys)
    return hubs


def _locate(index: VectorIndex, ids: Ids, numbers: Ids) -> Iterator[tuple[Mask, VectorIndex, Ids]]:
    """Yield which of `ids` score by a row of an index, that index, and the keys of their rows in it."""
    if not isinstance(index, PartedIndex):
        yield np.ones(len(ids), np.bool_), index, ids
        return
    whole = numbers == 0
    yield whole, index.whole, ids[whole]
    yield ~whole, index.parts, keys_of(ids[~whole], numbers[~whole])
