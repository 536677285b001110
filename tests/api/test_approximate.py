"""Limits hold in an index that does not look at everything: what it finds is never below them."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from api.search.plan import Plan, QueryPart, sum_parts
from api.search.query import Clause, Query
from api.search.relevance_scoring import RelevanceScorer, WantedClause
from api.search.retrievers.vectors import VectorRetriever
from indexer.library.catalog.records import Locations
from indexer.library.index.faiss.construction.incremental import build_main
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.records import IndexOptions
from indexer.library.vectors.shard_files import ShardFiles
from models.foundation.vectors import l2_normalize
from models.relevance.mixture import DEPTH

DIM, COUNT = 16, 3_000
QUERY = Query(clauses=[Clause(text="cat")])
PLAN = Plan(query=QUERY, question=QUERY, started=0.0)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return l2_normalize(np.random.default_rng(0).standard_normal((COUNT, DIM)))


@pytest.fixture(scope="module")
def index(vectors, tmp_path_factory) -> SegmentedIndex:
    """An inverted file that finds few of the exact answers."""
    folder = tmp_path_factory.mktemp("shards")
    np.save(folder / "00000.npy", vectors)
    locations = Locations(np.arange(1, COUNT + 1), np.zeros(COUNT, np.int64), np.arange(COUNT))
    options = IndexOptions(recipe="ivf", recall=0.1, threads=1, tuning_queries=64)
    return build_main(locations, ShardFiles(folder, DIM), options)


def test_no_hit_is_below_the_least_score_and_as_many_are_counted_as_can_be_paged_to(index, vectors):
    missed = 0
    for vector in vectors[:40]:
        parts = [QueryPart(1.0, "picture", vector)]
        nearest = VectorRetriever(SimpleNamespace(index=index), parts, sum_parts(parts, hub_correction=False))
        exact = np.sort(vectors @ vector)[::-1]
        for place in (4, 15, 90):
            least = float(exact[place])
            counted = index.count_above(nearest.query.vector, least)
            ids, scores, total = nearest.find_range(PLAN, None, least, 0, 500)
            assert scores.min() >= np.float32(least)
            assert len(ids) == total <= counted
            missed += total < counted
    assert missed, "the index has counted what it then did not find"


def test_no_hit_of_a_sum_is_less_relevant_than_asked_in_any_of_its_parts(index, vectors, make_fit):
    found = 0
    for one, other in zip(vectors[:30], vectors[30:60], strict=True):
        parts = [QueryPart(1.0, "picture", one), QueryPart(1.0, "picture", l2_normalize(one[None] + 0.1 * other)[0])]
        first = np.sort(vectors @ one)[::-1].astype(float)
        read = make_fit(0.5).read(first[:DEPTH], len(vectors))
        wanted = [WantedClause(read, part.as_query(hub_correction=False)) for part in parts]
        judge = RelevanceScorer(index, wanted, ranks=False)
        for place in (5, 12, 60):
            (least,) = read.relevances(first[place - 1 : place])
            kept = judge.among(least, None).ids()
            assert (np.diff(kept) > 0).all()
            told = [relevance for relevance, _ in judge.judge(kept, np.zeros(len(kept), np.float32))]
            assert min(told, default=math.inf) >= least
            found += len(kept)
    assert found
