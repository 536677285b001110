"""Reciprocal rank fusion, against the formula of the paper in plain Python."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.search.fusion import fuse

RANKINGS = st.lists(
    st.tuples(st.lists(st.integers(1, 12), unique=True, max_size=8), st.sampled_from([0.25, 0.5, 1.0])), max_size=4
)


def fuse_plainly(rankings, weights) -> list[int]:
    sums = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, one in enumerate(ranking, 1):
            sums[one] = sums.get(one, 0) + Fraction(weight) / (60 + rank)
    first = next((list(ranking) for ranking in rankings if len(ranking)), [])
    place = {one: number for number, one in enumerate(first)}
    return sorted(sums, key=lambda one: (-sums[one], place.get(one, len(first)), one))


@given(RANKINGS)
def test_it_is_the_formula(drawn):
    rankings = [np.array(ranking, np.int64) for ranking, _ in drawn]
    weights = [weight for _, weight in drawn]
    fused = fuse(rankings, weights)
    assert fused.dtype == np.int64
    assert fused.tolist() == fuse_plainly([ranking for ranking, _ in drawn], weights)


def test_long_rankings_fuse_as_short_ones_do():
    rng = np.random.default_rng(0)
    rankings, weights = [rng.permutation(1000)[:400] for _ in range(3)], [0.5, 0.25, 0.25]
    assert fuse(rankings, weights).tolist() == fuse_plainly(rankings, weights)


def test_of_equal_sums_the_first_ranking_decides_and_then_the_lower_id():
    assert fuse([np.array([9, 2]), np.array([2, 9])], [1, 1]).tolist() == [9, 2]
    assert fuse([np.array([5]), np.array([8]), np.array([3])], [1, 1, 1]).tolist() == [5, 3, 8]


def test_sums_that_rounding_alone_parts_are_a_tie():
    # Binary fractions of 0.1 + 0.2 and 0.3 differ in the last place.
    assert fuse([np.array([7]), np.array([7]), np.array([1])], [0.1, 0.2, 0.3]).tolist() == [7, 1]
    assert fuse([np.array([1]), np.array([7]), np.array([7])], [0.3, 0.1, 0.2]).tolist() == [1, 7]


def test_every_ranking_has_a_weight():
    with pytest.raises(ValueError, match="shorter"):
        fuse([np.array([1]), np.array([2])], [1])
