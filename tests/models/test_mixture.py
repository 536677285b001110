"""The share of right pictures read from scores: by hand, in the limit, and that it is as high as it should be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.relevance.mixture import DEPTH, LikelihoodRatio, read_mixture

RATIO = LikelihoodRatio((0.0, 1.0, 2.0), (-4.0, 0.0, 6.0), (0.9, 0.1, 0.0), (1.0, 0.8, 0.1))


def read(first, count, ratio=RATIO, **more):
    return read_mixture(ratio, np.array([first], float), count, **more)


def test_ratios_by_hand():
    assert RATIO.log_at(np.array([-9.0, 0.5, 1.5, 9.0])).tolist() == [-4, -2, 3, 6]
    assert RATIO.log_below(np.array([1.0])) == pytest.approx(math.log(0.2 / 0.9))


@pytest.mark.parametrize(
    "points",
    [
        ((0.0,), (0.0,), (0.5,), (0.5,)),
        ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 0.0)),
        ((0.0, 1.0), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0)),
        ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (1.0, 0.0)),
        ((0.0, 1.0), (0.0, 1.0), (1.1, 0.0), (1.0, 0.0)),
        ((0.0, 1.0), (0.0, math.nan), (1.0, 0.0), (1.0, 0.0)),
        ((0.0, 1.0), (0.0, 1e4), (1.0, 0.0), (1.0, 0.0)),
        ((0.0, 1.0), (0.0, 1.0, 2.0), (1.0, 0.0), (1.0, 0.0)),
    ],
)
def test_points_that_make_no_ratio_are_refused(points):
    with pytest.raises(ValueError, match=r"points|shares|heights|inhomogeneous"):
        LikelihoodRatio(*points)


def test_a_library_of_two_by_hand():
    """Shares are weighed by what they make of both pictures; with one share that would be Bayes' rule alone."""
    mixture = read([2.0, 0.0], 2)
    ratios = np.exp([6.0, -4.0])
    likely = np.prod(1 - mixture.shares + mixture.shares * ratios[:, None], axis=0)
    prior = np.array([0.5, *[0.5 / 32] * 32])
    weights = likely * prior / (likely @ prior)
    assert mixture.weights[0] == pytest.approx(weights)
    posterior = [weights @ (mixture.shares * one / (1 - mixture.shares + mixture.shares * one)) for one in ratios]
    assert mixture.relevance(np.array([[2.0, 0.0]]))[0] == pytest.approx(posterior)
    none = prior @ (1 - mixture.shares) ** 2 / (likely @ prior)
    assert mixture.presence == pytest.approx(1 - none)


@given(
    st.lists(st.floats(-1, 3), min_size=1, max_size=40).map(lambda found: sorted(found, reverse=True)),
    st.integers(0, 10**6),
    st.floats(1, 64),
)
def test_relevance_is_a_chance_that_never_falls_while_the_score_rises(first, more, caution):
    mixture = read(first, len(first) + more, caution=caution)
    found = mixture.relevance(np.linspace(-2, 4, 50)[None])[0]
    assert (np.diff(found) >= -1e-12).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert 0 <= mixture.presence[0] <= 1
    assert mixture.weights.sum() == pytest.approx(1)


def test_the_same_score_says_less_in_a_larger_library_and_more_beside_others_like_it():
    def relevance_of_best(first, count):
        return read(first, count).relevance(np.array([[first[0]]]))[0, 0]

    alone = [1.5, *[0.2] * 11]
    assert relevance_of_best(alone, 12) > relevance_of_best(alone, 1_000) > relevance_of_best(alone, 100_000)
    assert relevance_of_best([1.5] * 12, 1_000) > relevance_of_best(alone, 1_000)


def test_a_clear_hit_among_a_dozen_pictures_is_no_three_per_cent():
    assert read([1.8, *[0.3] * 11], 12).relevance(np.array([[1.8]]))[0, 0] > 0.5
    assert read([0.5, *[0.3] * 11], 12).presence[0] < 0.2


def test_no_more_than_the_first_hits_count_and_caution_weakens_what_they_say():
    heights = np.sort(np.random.default_rng(0).uniform(0, 2, 100))[::-1]
    assert read(heights, 500).presence == read(heights[:DEPTH], 500).presence
    prior = read([], 500).weights[0]
    near = [np.abs(read(heights, 500, caution=caution).weights[0] - prior).sum() for caution in (1, 8, 64, 1e6)]
    assert near == sorted(near, reverse=True)
    assert near[-1] < 1e-3


def test_many_queries_are_read_as_each_alone():
    first = np.sort(np.random.default_rng(0).uniform(0, 2, (7, 20)))[:, ::-1]
    together = read_mixture(RATIO, first, 300)
    for row in range(7):
        alone = read(first[row], 300)
        assert together.presence[row] == pytest.approx(alone.presence[0])
        assert together.relevance(first)[row] == pytest.approx(alone.relevance(first[row : row + 1])[0])


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_found_where_scores_part(share):
    """Scores drawn from two normal distributions, of which the ratio is known."""
    rng = np.random.default_rng(1)
    heights = np.linspace(-4, 8, 200)
    above = [np.array([math.erfc((one - middle) / math.sqrt(2)) / 2 for one in heights]) for middle in (0.0, 4.0)]
    ratio = LikelihoodRatio(heights, np.clip(4 * heights - 8, -40, 40), *above)
    count = 4_000
    right = np.arange(count) < share * count
    scores = np.sort(rng.normal(np.where(right, 4.0, 0.0)))[::-1]
    mixture = read(scores, count, ratio)
    assert mixture.shares @ mixture.weights[0] == pytest.approx(share, rel=0.5)
