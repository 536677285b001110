"""Several implementations, one suite: each answers as the plain matrix product does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.selection import IdSelection
from models.foundation.vectors import l2_normalize

TOLERANCE = 2e-6
QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
DIM = 8
# Products of these are exact in any order of summation, so ties are ties for everyone.
EXACT = np.concatenate([np.eye(DIM), -np.eye(DIM), np.kron(np.eye(2), [[1, 1, 1, 1], [1, -1, 1, -1]]) / 2]).astype(
    np.float32
)


def ids(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def random_vectors(count: int, dim: int = DIM, seed: int = 0) -> np.ndarray:
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)))


def assert_alike(reference, other, queries, k, where=None, weights=0.0) -> None:
    """Same scores; and the same ids, but for neighbours whose scores are as good as equal."""
    expected, found = (one.search(queries, k, where=where, offset_weight=weights) for one in (reference, other))
    each = np.broadcast_to(weights, len(queries)).tolist()
    assert expected.ids.shape == found.ids.shape == (len(queries), k)
    assert (found.ids.dtype, found.scores.dtype) == (np.int64, np.float32)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=TOLERANCE)
    for query, weight, row, scores in zip(queries, each, found.ids, found.scores, strict=True):
        hits = row[row >= 0]
        assert len(set(hits.tolist())) == len(hits) == min(k, reference.count(where))
        exact = reference.score(query[None], hits, offset_weight=weight)
        np.testing.assert_allclose(exact, scores[: len(hits)], rtol=0, atol=TOLERANCE)
        assert (row[len(hits) :] == -1).all()
        assert np.isneginf(scores[len(hits) :]).all()


def assert_identical(reference, other, queries, k, where=None, kind="text") -> None:
    expected, found = reference.search(queries, k, where=where), other.search(queries, k, where=where, kind=kind)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("dim", [1, 3, 32, 512])
@pytest.mark.parametrize("k", [1, 10, 100, 250])
def test_random_vectors(pair, dim, k):
    reference, other = pair(random_vectors(200, dim))
    assert_alike(reference, other, random_vectors(5, dim, seed=1), k)


def test_a_vector_is_its_own_nearest(pair):
    vectors = random_vectors(100)
    for index in pair(vectors):
        found = index.search(vectors, 1)
        assert found.ids[:, 0].tolist() == list(range(1, 101))
        np.testing.assert_allclose(found.scores[:, 0], 1, atol=TOLERANCE)


@pytest.mark.parametrize("k", [1, 2, 15, 16, 17, 49, 50, 51, 99, 100, 101, 500])
def test_ties_go_to_the_lower_id_wherever_the_edge_is(pair, k):
    vectors = EXACT[np.random.default_rng(3).integers(0, len(EXACT), 100)]
    reference, other = pair(vectors, np.random.default_rng(4).permutation(1000)[:100])
    assert_identical(reference, other, EXACT, k)


@pytest.mark.parametrize("k", [1, 7, 100, 300])
def test_nothing_but_copies(pair, k):
    vectors = np.repeat(random_vectors(1), 300, axis=0)
    for index in pair(vectors):
        found = index.search(vectors[:1], k)
        assert found.ids[0].tolist() == list(range(1, k + 1))
        assert len(set(found.scores[0].tolist())) == 1


def test_scores_that_differ_by_less_than_a_millionth_are_a_tie(pair):
    angles = 1.0 + 1e-9 * np.arange(50)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for index in pair(vectors, np.arange(50)[::-1].copy()):
        assert index.search(np.eye(2, dtype=np.float32), 5).ids.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_the_opposite_scores_minus_one_and_comes_last(pair):
    vectors = np.concatenate([random_vectors(20), -random_vectors(1)])
    for index in pair(vectors):
        found = index.search(vectors[:1], 21)
        assert (found.ids[0, 0], found.ids[0, -1]) == (1, 21)
        assert found.scores[0, -1] == pytest.approx(-1, abs=TOLERANCE)


def test_k_beyond_what_there_is_is_padded(pair):
    for index in pair(random_vectors(3)):
        found = index.search(random_vectors(2, seed=1), 5)
        assert (found.ids[:, 3:] == -1).all()
        assert np.isneginf(found.scores[:, 3:]).all()


def random_offsets(count: int, seed: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.6, 0.1, count).astype(np.float32)


@pytest.mark.parametrize("dim", [1, 3, 32, 512])
@pytest.mark.parametrize("k", [1, 10, 100, 250])
def test_offsets_count_as_much_as_each_query_says(pair, dim, k):
    reference, other = pair(random_vectors(200, dim), offsets=random_offsets(200))
    queries, weights = random_vectors(5, dim, seed=1), np.array([0, 0.3, 1, 2.5, 4], np.float32)
    assert (reference.search(queries, k, offset_weight=weights).ids != reference.search(queries, k).ids).any()
    assert_alike(reference, other, queries, k, weights=weights)
    assert_alike(reference, other, queries, k, IdSelection(np.arange(1, 150, 2)), weights)
    assert_alike(reference, other, queries, k, weights=1.0)
    assert_alike(reference, other, queries, k)
    for n, weight in enumerate(weights):
        exact = random_vectors(200, dim) @ queries[n] + weight * random_offsets(200)
        hits = other.search(queries[n : n + 1], k, offset_weight=float(weight))
        best = np.sort(exact)[::-1][:k]
        np.testing.assert_allclose(hits.scores[0, : len(best)], best, rtol=0, atol=2e-6 * max(1, weight))


def test_rows_without_offsets_pass_over_their_weight(pair):
    vectors, queries = random_vectors(80), random_vectors(4, seed=1)
    for index in pair(vectors):
        plain, weighed = index.search(queries, 20), index.search(queries, 20, offset_weight=1.0)
        np.testing.assert_array_equal(weighed.ids, plain.ids)
        np.testing.assert_array_equal(weighed.scores, plain.scores)


def test_offsets_are_replaced_and_removed_with_their_vectors(pair):
    vectors, offsets = random_vectors(60), random_offsets(60)
    reference, other = pair(vectors, offsets=offsets)
    query = random_vectors(1, seed=1)
    for index in (reference, other):
        index.upsert(ids(5, 70, 5), random_vectors(3, seed=2), np.array([0.5, 0.4, 0.9], np.float32))
        index.upsert(ids(6), vectors[:1])
        assert index.remove(ids(7, 8)) == 2
        held = index.list_ids()
        expected = np.append(offsets, [0] * 10)[held - 1]
        expected[np.isin(held, ids(5, 6, 70))] = [0.9, 0, 0.4]
        np.testing.assert_array_equal(index.fetch(ids(5, 6)), np.stack([random_vectors(3, seed=2)[2], vectors[0]]))
        scores = index.score(query, held, offset_weight=1.0)
        np.testing.assert_allclose(scores, index.fetch(held) @ query[0] + expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(index.score(query, held[::-1], offset_weight=1.0), scores[::-1])
        assert index.count_above(query, 0.2, offset_weight=1.0) == (scores.round(6) >= np.float32(0.2)).sum()
        with pytest.raises(KeyError):
            index.score(query, ids(5, 7))
    assert_alike(reference, other, query, 60, weights=1.0)


WHERE = {
    "none": ids(),
    "one": ids(7),
    "unknown": ids(-5, 0, 1000, 2**62),
    "some unknown": ids(3, 1000, 9),
    "unordered and repeated": ids(40, 2, 2, 17, 40, 5),
    "every second": np.arange(2, 101, 2),
    "all": np.arange(1, 101),
    "all and more": np.arange(-50, 200),
}


@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("k", [1, 6, 60, 120])
def test_a_search_among_some_ids_only(pair, where, k):
    reference, other = pair(random_vectors(100))
    queries, selection = random_vectors(4, seed=1), IdSelection(where)
    assert_alike(reference, other, queries, k, selection)
    for index in (reference, other):
        assert index.count(selection) == len(set(where.tolist()) & set(range(1, 101)))
        hits = index.search(queries, k, where=selection).ids
        assert set(hits.ravel().tolist()) <= {*where.tolist(), -1}


@pytest.mark.parametrize("where", [None, *WHERE.values()], ids=["no", *WHERE])
def test_an_empty_index(pair, where):
    where = None if where is None else IdSelection(where)
    for index in pair(np.empty((0, DIM), np.float32)):
        assert (len(index), index.count(where), index.count_above(random_vectors(1), -1, where=where)) == (0, 0, 0)
        found = index.search(random_vectors(2), 3, where=where)
        assert (found.ids == -1).all()
        assert found.ids.shape == found.scores.shape == (2, 3)
        assert index.remove(ids(1, 2)) == 0
        assert index.list_ids().tolist() == []
        assert index.holds(ids(1, 2)).tolist() == [False, False]


def test_no_queries_and_no_hits_keep_their_shapes(pair):
    for index in pair(random_vectors(10)):
        assert index.search(np.empty((0, DIM), np.float32), 3).ids.shape == (0, 3)
        assert index.search(random_vectors(2), 0).scores.shape == (2, 0)


@QUICK
@given(st.integers(0, 2**16), st.floats(-1, 1, width=32), st.none() | st.lists(st.integers(-5, 130), max_size=60))
def test_how_many_score_at_least_so_much(heavy, pair, seed, score, chosen):
    where = None if chosen is None else IdSelection(np.array(chosen, np.int64))
    vectors, query = random_vectors(100, seed=seed), random_vectors(1, seed=seed + 1)
    reference, other = pair(vectors)
    near = np.abs(vectors @ query[0] - score) < TOLERANCE
    if not near.any():
        assert other.count_above(query, score, where=where) == reference.count_above(query, score, where=where)


@QUICK
@given(st.integers(0, 2**16), st.booleans())
def test_the_count_agrees_with_the_hits_at_every_score(heavy, pair, seed, exact):
    rng = np.random.default_rng(seed)
    vectors = EXACT[rng.integers(0, len(EXACT), 60)] if exact else random_vectors(60, seed=seed)
    query = EXACT[:1] if exact else random_vectors(1, seed=seed + 1)
    for index in pair(vectors):
        scores = index.search(query, 60).scores[0]
        for score in scores[::7].tolist():
            assert index.count_above(query, score) == (scores >= np.float32(score)).sum()


@pytest.mark.parametrize("score", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_the_bound_of_a_count_is_included(pair, score):
    reference, other = pair(EXACT)
    expected = int((EXACT @ EXACT[0] >= score).sum())
    assert reference.count_above(EXACT[:1], score) == other.count_above(EXACT[:1], score) == expected


def test_vectors_come_back_bit_for_bit_in_the_order_asked_for(pair):
    vectors = random_vectors(50)
    for index in pair(vectors):
        np.testing.assert_array_equal(index.fetch(ids(30, 1, 50, 1)), vectors[[29, 0, 49, 0]])
        with pytest.raises(KeyError):
            index.fetch(ids(1, 51))
        with pytest.raises(KeyError):
            index.fetch(ids(-1))


@pytest.mark.parametrize("count", [0, 5])
def test_fetching_nothing_gives_nothing(pair, count):
    for index in pair(random_vectors(count)):
        assert index.fetch(ids()).shape == (0, DIM)


def test_the_last_vector_given_for_an_id_counts(pair):
    vectors = random_vectors(4)
    for index in pair(np.empty((0, DIM), np.float32)):
        index.upsert(ids(5, 5, 2, 5), vectors)
        assert index.list_ids().tolist() == [2, 5]
        np.testing.assert_array_equal(index.fetch(ids(2, 5)), vectors[[2, 3]])


def test_what_is_given_may_change_afterwards(pair):
    for index in pair(np.empty((0, DIM), np.float32)):
        vectors, numbers = random_vectors(3), ids(1, 2, 3)
        expected = vectors.copy()
        index.upsert(numbers, vectors)
        vectors[:], numbers[:] = 0, 9
        assert index.list_ids().tolist() == [1, 2, 3]
        np.testing.assert_array_equal(index.fetch(ids(1, 2, 3)), expected)


@pytest.mark.parametrize("page", [1, 7, 16])
@pytest.mark.parametrize("kind", ["random", "ties"])
def test_pages_put_together_are_one_page_of_all(pair, page, kind):
    rng = np.random.default_rng(9)
    vectors = random_vectors(150, seed=9) if kind == "random" else EXACT[rng.integers(0, len(EXACT), 150)]
    for index in pair(vectors):
        for query in (random_vectors(1, seed=5), EXACT[:1]):
            for where in (None, IdSelection(np.arange(1, 150, 3))):
                count = index.count(where)
                whole = index.search(query, count, where=where)
                starts = range(0, count, page)
                pages = [index.search(query, min(start + page, count), where=where) for start in starts]
                joined = np.concatenate([p.ids[0, start:] for start, p in zip(starts, pages, strict=True)])
                assert joined.tolist() == whole.ids[0].tolist()
                assert (np.diff(whole.scores[0]) <= 0).all()


few_ids = st.lists(st.integers(0, 30), max_size=12).map(lambda values: np.array(values, np.int64))


class BothIndexes(RuleBasedStateMachine):
    """Any sequence of changes, made to both."""

    maker = None

    def __init__(self) -> None:
        super().__init__()
        self.reference, self.other = NumpyIndex(DIM), self.maker(ids(), np.empty((0, DIM), np.float32))

    @initialize(count=st.integers(0, 30), seed=st.integers(0, 100))
    def start(self, count, seed):
        vectors = EXACT[np.random.default_rng(seed).integers(0, len(EXACT), count)]
        self.reference.upsert(np.arange(count), vectors)
        self.other = self.maker(np.arange(count), vectors)

    @rule(image_ids=few_ids, seed=st.integers(0, 100))
    def upsert(self, image_ids, seed):
        vectors = EXACT[np.random.default_rng(seed).integers(0, len(EXACT), len(image_ids))]
        self.reference.upsert(image_ids, vectors)
        self.other.upsert(image_ids, vectors)

    @rule(count=st.integers(0, 5), seed=st.integers(0, 100))
    def append(self, count, seed):
        start = int(self.reference.list_ids().max(initial=30)) + 1
        vectors = EXACT[np.random.default_rng(seed).integers(0, len(EXACT), count)]
        for index in (self.reference, self.other):
            index.upsert(np.arange(start, start + count), vectors)

    @rule(image_ids=few_ids)
    def remove(self, image_ids):
        assert self.reference.remove(image_ids) == self.other.remove(image_ids)

    @rule()
    def publish(self):
        if isinstance(self.other, SegmentedIndex):
            self.other = self.maker.reopened(self.other)

    @rule(
        where=few_ids,
        k=st.integers(0, 40),
        query=st.integers(0, len(EXACT) - 1),
        score=st.sampled_from([-1, 0, 0.5]),
        kind=st.sampled_from(["picture", "text"]),
    )
    def ask(self, where, k, query, score, kind):
        one = EXACT[query : query + 1]
        for chosen in (None, IdSelection(where)):
            assert_identical(self.reference, self.other, one, k, chosen, kind=kind)
            assert self.reference.count(chosen) == self.other.count(chosen)
            counts = [index.count_above(one, score, where=chosen) for index in (self.reference, self.other)]
            assert counts[0] == counts[1]

    @invariant()
    def hold_the_same(self):
        held = self.reference.list_ids()
        some = np.arange(-1, 60)
        assert self.other.holds(some).tolist() == np.isin(some, held).tolist()
        assert held.tolist() == sorted(set(held.tolist())) == self.other.list_ids().tolist()
        assert len(self.reference) == len(self.other) == len(held)
        if len(held):
            np.testing.assert_array_equal(self.reference.fetch(held), self.other.fetch(held))


def test_any_sequence_of_changes(heavy, maker):
    machine = type("Both", (BothIndexes,), {"maker": maker})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=30, stateful_step_count=20, deadline=None, derandomize=True, database=None),
    )
