"""Pictures and parts of them in one index: it answers as if everything had been multiplied, the best of each kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.parted import REGION_PENALTY, PartedIndex, best_parts
from indexer.library.index.selection import IdSelection
from indexer.library.part_keys import pack_key
from models.foundation.vectors import l2_normalize
from models.pictures.parts import FIRST_REGION

DIM = 4


class Both:
    """An index, and the same in numbers: every row's score with a query.

    The numbers of parts are from `first` on: those from FIRST_REGION on are of regions.
    """

    def __init__(self, seed: int, pictures: int, most_parts: int, first: int = 1) -> None:
        random = np.random.default_rng(seed)
        ids = np.sort(random.choice(1_000, pictures, replace=False)).astype(np.int64) + 1
        keys = [
            pack_key(int(one), number)
            for one in ids
            for number in range(first, first + int(random.integers(0, most_parts + 1)))
        ]
        self.ids, self.keys = ids, np.array(keys, np.int64)
        # Few different vectors, so that there are ties.
        pool = l2_normalize(random.standard_normal((6, DIM)))
        self.whole, self.of_parts = pool[random.integers(0, 6, len(ids))], pool[random.integers(0, 6, len(keys))]
        self.offsets = random.normal(0, 0.05, len(ids)).astype(np.float32).round(3)
        self.part_offsets = random.normal(0, 0.05, len(keys)).astype(np.float32).round(3)
        whole, parts = NumpyIndex(DIM), NumpyIndex(DIM)
        whole.upsert(ids, self.whole, self.offsets)
        parts.upsert(self.keys, self.of_parts, self.part_offsets)
        self.index = PartedIndex(whole, parts)
        self.queries = l2_normalize(random.standard_normal((3, DIM)))

    def best(self, query, weight: float) -> dict[int, tuple[float, int]]:
        """Return for each picture its best score, and of which part."""
        own = self.whole @ query + weight * self.offsets
        of_parts = self.of_parts @ query + weight * self.part_offsets
        of_parts -= np.where((self.keys & 0xFFFF) >= FIRST_REGION, REGION_PENALTY * (self.whole @ query).std(), 0)
        found = {int(one): (float(score), 0) for one, score in zip(self.ids, own, strict=True)}
        for key, score in zip(self.keys.tolist(), of_parts, strict=True):
            if score > found[key >> 16][0] + 1e-7:
                found[key >> 16] = float(score), key & 0xFFFF
        return found


# No regions, nothing else, and both.
FIRST = st.sampled_from([1, FIRST_REGION, FIRST_REGION - 3])


@given(
    st.tuples(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 9), FIRST),
    st.integers(1, 40),
    st.floats(0, 1),
    st.booleans(),
)
@settings(deadline=None, max_examples=120)
def test_it_answers_as_if_everything_were_multiplied(drawn, k, weight, filtered):
    both = Both(*drawn)
    where = IdSelection(both.ids[::2]) if filtered else None
    among = set(both.ids[::2].tolist() if filtered else both.ids.tolist())
    found = both.index.search(both.queries, k, where=where, offset_weight=weight)
    for query, ids, scores in zip(both.queries, found.ids, found.scores, strict=True):
        best = {one: score for one, (score, _) in both.best(query, weight).items() if one in among}
        right = sorted(best.values(), reverse=True)[:k]
        there = ids >= 0
        np.testing.assert_allclose(scores[there], right, atol=2e-6)
        assert (len(set(ids[there].tolist())), there.sum()) == (len(right), len(right))
        for one, score in zip(ids[there].tolist(), scores[there], strict=True):
            assert best[one] == pytest.approx(score, abs=2e-6)
        order = sorted(zip((-scores[there]).tolist(), ids[there].tolist(), strict=True))
        assert [one for _, one in order] == ids[there].tolist()
    assert both.index.count(where) == len(among)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 9), FIRST, st.floats(0, 1))
@settings(deadline=None, max_examples=120)
def test_scores_and_counts_are_of_the_best_of_each(seed, pictures, most_parts, first, weight):
    both = Both(seed, pictures, most_parts, first)
    query = both.queries[:1]
    best = both.best(query[0], weight)
    shuffled = np.random.default_rng(seed).permutation(both.ids)
    scores = both.index.score(query, shuffled, offset_weight=weight)
    np.testing.assert_allclose(scores, [best[one][0] for one in shuffled.tolist()], atol=2e-6)
    numbers = best_parts(both.index, query, shuffled, offset_weight=weight)
    for one, number in zip(shuffled.tolist(), numbers.tolist(), strict=True):
        key = pack_key(one, number)
        row, offset = (
            (both.of_parts[both.keys == key][0], both.part_offsets[both.keys == key][0])
            if number
            else (both.whole[both.ids == one][0], both.offsets[both.ids == one][0])
        )
        penalty = REGION_PENALTY * (both.whole @ query[0]).std() if number >= FIRST_REGION else 0
        assert row @ query[0] + weight * offset - penalty == pytest.approx(best[one][0], abs=2e-6)
    for least in sorted({score for score, _ in best.values()})[::3]:
        above = both.index.count_above(query, least - 1e-4, offset_weight=weight)
        assert above == sum(score >= least - 1e-4 for score, _ in best.values())


def test_all_else_is_that_of_whole_pictures():
    both = Both(1, 10, 3)
    assert (len(both.index), both.index.dim) == (10, DIM)
    assert both.index.list_ids().tolist() == both.ids.tolist()
    np.testing.assert_array_equal(both.index.fetch(both.ids[2:4]), both.whole[2:4])
    assert both.index.holds(np.array([both.ids[0], both.keys[0]])).tolist() == [True, False]
    assert best_parts(NumpyIndex(DIM), both.queries[:1], both.ids).tolist() == [0] * 10
