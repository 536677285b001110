"""Ranks, measures and intervals: against cases worked out by hand, and against other people's code."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.evaluation.measures.bootstrap import compare, estimate
from api.evaluation.measures.ranking import best_by_class, rank_all, rank_classes, rank_first
from api.evaluation.measures.samples import (
    KS,
    NamedPictures,
    Precisions,
    Presence,
    Ranks,
    WholeRankings,
    number_groups,
    read_sample,
    weighted_median,
)
from models.foundation.vectors import Vectors, l2_normalize


def draw(count: int, dim: int = 16, seed: int = 0) -> Vectors:
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)))


def at(*degrees: float) -> Vectors:
    """Return unit vectors in the plane."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def rows(*lists: list[int]) -> list[np.ndarray]:
    return [np.array(one, np.int64) for one in lists]


def once(sample) -> dict[str, float]:
    """Return the measures, each query counted once."""
    return {name: float(values[0]) for name, values in sample.measure(np.ones((1, len(sample.groups)))).items()}


def draw_relevance(queries: int, gallery: int, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.choice(gallery, rng.integers(1, 4), replace=False) for _ in range(queries)]


# Ranks


def test_ranks_by_hand():
    gallery = at(0, 20, 50, 90)
    right = rows([0], [3], [2, 3], [0, 1], [])
    assert rank_first(at(5, 5, 5, 85, 5), gallery, right).tolist() == [1, 4, 3, 3, np.inf]


def test_of_several_right_answers_the_others_are_not_counted_before_the_best():
    assert rank_first(at(0), at(0, 1, 2, 3), rows([1, 2, 3])).tolist() == [2]
    assert rank_first(at(0), at(0, 1, 2, 3), rows([0, 2, 3])).tolist() == [1]


def test_a_tie_counts_against_us():
    collapsed = np.repeat(draw(1), 10, axis=0)
    assert rank_first(collapsed[:2], collapsed, rows([0], [3, 4])).tolist() == [10, 9]
    found, asked = rank_classes(collapsed, np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, 2]), KS)
    assert asked.tolist() == list(range(10))
    assert found.average[0] == pytest.approx(1 / 9)
    assert found.at_k[:, 0].tolist() == [0] * 10


def test_many_blocks_rank_as_one_sort_does():
    queries, gallery = draw(3_000, 4), draw(6_000, 4, seed=1)
    right = draw_relevance(len(queries), len(gallery))
    found = rank_first(queries, gallery, right)
    for place in range(0, len(queries), 307):
        order = np.argsort(-(queries[place] @ gallery.T)).tolist()
        best = min(order.index(one) for one in right[place])
        assert found[place] == best + 1


def test_average_precision_by_hand():
    vectors, classes = at(0, 10, 30, 65, 110), np.array([0, 1, 0, 1, 2])
    found, asked = rank_classes(vectors, classes, (1, 2))
    # From 0: 10, 30*, 65, 110. From 10: 0, 30, 65*. From 30: 10, 0*. From 65: 30, 110, 10*. 110 is alone.
    assert asked.tolist() == [0, 1, 2, 3]
    assert found.first.tolist() == [2, 3, 2, 3]
    assert found.average.tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1 / 3])
    assert found.at_k.tolist() == [[0, 0.5], [0, 0], [0, 0.5], [0, 0]]


def test_the_whole_ranking_by_hand():
    """Right are the first, the third and the fifth; the second two; the very last; none."""
    gallery = at(0, 10, 20, 30, 40, 50)
    found = rank_all(at(0, 0, 0, 0), gallery, rows([4, 0, 2], [1, 0], [5], []), (1, 2, 5, 10))
    assert found.first.tolist() == [1, 1, 6, np.inf]
    assert found.average.tolist() == pytest.approx([(1 + 2 / 3 + 3 / 5) / 3, 1, 1 / 6, 0])
    # Divided by k, whether there are k right answers or pictures or not.
    assert found.at_k.tolist() == [[1, 0.5, 0.6, 0.3], [1, 1, 0.4, 0.2], [0, 0, 0, 0.1], [0, 0, 0, 0]]


def test_a_tie_counts_against_every_right_answer_of_a_whole_ranking():
    gallery = at(0, 30, 30, 30, 60)
    found = rank_all(at(0), gallery, rows([2, 4]), (1, 4, 5))
    assert found.first.tolist() == rank_first(at(0), gallery, rows([2, 4])).tolist() == [4]
    assert found.average.tolist() == pytest.approx([(1 / 4 + 2 / 5) / 2])
    assert found.at_k.tolist() == [[0, 1 / 4, 2 / 5]]


def test_the_best_of_each_class():
    queries, vectors = draw(7), draw(50, seed=1)
    classes = np.random.default_rng(2).integers(0, 5, 50)
    classes[classes == 3] = 4
    best = best_by_class(queries, vectors, classes, 5)
    for number in (0, 1, 2, 4):
        np.testing.assert_allclose(best[:, number], (queries @ vectors[classes == number].T).max(axis=1), atol=1e-6)
    assert np.isneginf(best[:, 3]).all()


# Measures


def test_measures_of_ranks_by_hand():
    ranks = np.array([1, 2, 6, 11, np.inf])
    assert once(Ranks(np.arange(5), ranks)) == {
        "recall@1": pytest.approx(0.2),
        "recall@5": pytest.approx(0.4),
        "recall@10": pytest.approx(0.6),
        "mean_recall": pytest.approx(0.4),
        "median_rank": 6,
    }
    assert once(Ranks(np.arange(4), ranks[:4]))["median_rank"] == 4
    assert once(Ranks(np.arange(2), ranks[3:]))["median_rank"] == np.inf


def test_presence_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.7, 0.3, 0.2])
    present = np.array([True, True, False, True, True, False])
    sample = Presence(np.arange(6), scores, present)
    # At 0.8: half of what is there, no false alarm; at 0.7: three quarters, and half of what is not; at 0.3: all of it.
    assert sample.threshold == 0.8
    measured = once(sample)
    assert (measured["precision"], measured["recall"]) == (1, 0.5)
    assert measured["auroc"] == pytest.approx((2 + 2 + 1.5 + 1) / 8)


def test_nothing_is_there_by_chance_alone():
    same = Presence(np.arange(4), np.full(4, 0.5), np.array([True, False, True, False]))
    assert once(same) == {"auroc": 0.5, "precision": 0.5, "recall": 1, "threshold": 0.5}


@given(
    st.lists(st.tuples(st.integers(1, 9) | st.just(np.inf), st.integers(0, 3)), min_size=1, max_size=30).filter(
        lambda pairs: any(times for _, times in pairs)
    )
)
def test_the_weighted_median_is_that_of_repeated_values(pairs):
    values, times = (np.array(column, float) for column in zip(*pairs, strict=True))
    repeated = np.sort(np.repeat(values, times.astype(int)))
    middle = len(repeated) // 2
    expected = repeated[middle] if len(repeated) % 2 else (repeated[middle - 1] + repeated[middle]) / 2
    assert weighted_median(values, times[None])[0] == expected


def test_names_of_pictures_by_hand():
    """Of a class of four pictures half are named at first, the only one of another is not, and a third has no name."""
    sample = NamedPictures(np.array([0, 0, 0, 0, 1, 2]), np.array([1, 1, 2, 6, 3, np.inf]))
    assert once(sample) == {
        "top1": pytest.approx(2 / 6),
        "top5": pytest.approx(4 / 6),
        "macro_top1": pytest.approx((2 / 4 + 0 + 0) / 3),
        "macro_top5": pytest.approx((3 / 4 + 1 + 0) / 3),
    }
    # The first class drawn twice, the second once, the third not at all: nine pictures, three classes.
    drawn = {name: float(values[0]) for name, values in sample.measure(np.array([[2, 2, 2, 2, 1, 0]], float)).items()}
    assert drawn == {
        "top1": pytest.approx(4 / 9),
        "top5": pytest.approx(7 / 9),
        "macro_top1": pytest.approx(2 * (2 / 4) / 3),
        "macro_top5": pytest.approx((2 * (3 / 4) + 1) / 3),
    }


# Against other code


@pytest.fixture(scope="module")
def retrieval(torch):
    from models.encoders.torch_towers import mend_torchvision

    mend_torchvision()
    return pytest.importorskip("torchmetrics.functional.retrieval")


def by_query(measure, scores: np.ndarray, relevant: np.ndarray, **options: int) -> float:
    import torch

    scores = scores + 2  # it takes what scores less than 0 for not found
    pairs = zip(torch.from_numpy(scores), torch.from_numpy(relevant), strict=True)
    return float(np.mean([float(measure(one, right, **options)) for one, right in pairs]))


def test_recall_is_that_of_torchmetrics(retrieval):
    queries, gallery = draw(200), draw(300, seed=1)
    right = draw_relevance(200, 300)
    relevant = np.zeros((200, 300), bool)
    for row, places in enumerate(right):
        relevant[row, places] = True
    measured = once(Ranks(np.arange(200), rank_first(queries, gallery, right)))
    for k in KS:
        expected = by_query(retrieval.retrieval_hit_rate, queries @ gallery.T, relevant, top_k=k)
        assert measured[f"recall@{k}"] == pytest.approx(expected)


def test_precision_is_that_of_torchmetrics(retrieval):
    vectors, classes = draw(200), np.random.default_rng(3).integers(0, 20, 200)
    found, asked = rank_classes(vectors, classes, KS)
    assert len(asked) == 200
    others = ~np.eye(200, dtype=bool)
    scores = (vectors @ vectors.T)[others].reshape(200, 199)
    relevant = (classes[:, None] == classes)[others].reshape(200, 199)
    measured = once(Precisions(np.arange(200), found.average, found.at_k))
    assert measured["map"] == pytest.approx(by_query(retrieval.retrieval_average_precision, scores, relevant))
    for k in KS:
        expected = by_query(retrieval.retrieval_precision, scores, relevant, top_k=k)
        assert measured[f"precision@{k}"] == pytest.approx(expected)


def test_precision_of_names_is_that_of_torchmetrics(retrieval):
    queries, gallery = draw(60), draw(300, seed=1)
    right = draw_relevance(60, 300)
    relevant = np.zeros((60, 300), bool)
    for row, places in enumerate(right):
        relevant[row, places] = True
    found = rank_all(queries, gallery, right, KS)
    measured = once(Precisions(np.arange(60), found.average, found.at_k))
    scores = queries @ gallery.T
    assert measured["map"] == pytest.approx(by_query(retrieval.retrieval_average_precision, scores, relevant))
    for k in KS:
        expected = by_query(retrieval.retrieval_precision, scores, relevant, top_k=k)
        assert measured[f"precision@{k}"] == pytest.approx(expected)


def test_auroc_is_that_of_torchmetrics(retrieval):
    import torch
    from torchmetrics.functional.classification import binary_auroc

    rng = np.random.default_rng(4)
    scores, present = rng.integers(0, 40, 300) / 40, rng.random(300) < 0.4
    expected = float(binary_auroc(torch.from_numpy(scores), torch.from_numpy(present.astype(int))))
    assert once(Presence(np.arange(300), scores, present))["auroc"] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of the reference code
@pytest.mark.parametrize(
    ("name", "query", "found"), [("evaluation", "text", "image"), ("evaluation_tr", "image", "text")]
)
def test_recall_counts_as_the_evaluation_of_chinese_clip_does(tmp_path, name, query, found):
    evaluation = pytest.importorskip(f"cn_clip.eval.{name}")
    queries, gallery = draw(150), draw(120, seed=1)
    right = draw_relevance(150, 120)
    best = np.argsort(-(queries @ gallery.T), axis=1)[:, :10]
    for file, answers in (("golden.jsonl", right), ("predicted.jsonl", best)):
        lines = [{f"{query}_id": number, f"{found}_ids": one.tolist()} for number, one in enumerate(answers)]
        (tmp_path / file).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    official = evaluation.compute_score(tmp_path / "golden.jsonl", tmp_path / "predicted.jsonl")
    measured = once(Ranks(np.arange(150), rank_first(queries, gallery, right)))
    ours = [100 * measured[name] for name in ("mean_recall", "recall@1", "recall@5", "recall@10")]
    assert ours == pytest.approx(official)


# Intervals


def drawn_ranks(count: int, share: float, seed: int = 0) -> np.ndarray:
    """Return ranks of which a share are 1, the others 100."""
    return np.where(np.random.default_rng(seed).random(count) < share, 1.0, 100.0)


def test_an_interval_is_as_wide_as_theory_says():
    found = estimate(Ranks(np.arange(400), drawn_ranks(400, 0.3)))["recall@1"]
    expected = 2 * 1.96 * np.sqrt(found.value * (1 - found.value) / 400)
    assert found.high - found.low == pytest.approx(expected, rel=0.1)
    assert found.low < found.value < found.high


def test_captions_of_one_picture_are_no_more_evidence_than_one():
    ranks = drawn_ranks(100, 0.3)
    assert estimate(Ranks(np.repeat(np.arange(100), 5), np.repeat(ranks, 5))) == estimate(Ranks(np.arange(100), ranks))


def test_the_same_queries_give_the_same_interval_every_time():
    sample = Ranks(np.arange(50), drawn_ranks(50, 0.5))
    assert estimate(sample) == estimate(sample)


def test_a_difference_is_paired():
    """Two samples whose intervals overlap by far, and of which one is better for sure: query by query."""
    old = drawn_ranks(300, 0.5)
    new = old.copy()
    new[np.flatnonzero(old > 1)[:12]] = 1
    groups = np.arange(300)
    before, after = (estimate(Ranks(groups, ranks))["recall@10"] for ranks in (old, new))
    assert before.high > after.low
    change = compare(Ranks(groups, new), Ranks(groups, old))["recall@10"]
    assert (change.value, change.low > 0) == (pytest.approx(12 / 300), True)


def test_nothing_changed_is_no_difference():
    sample = Ranks(np.arange(60), np.where(np.arange(60) % 7, 3.0, np.inf))
    changes = compare(sample, sample)
    assert {(one.value, one.low, one.high) for name, one in changes.items()} == {(0, 0, 0)}


def test_classes_are_drawn_whole():
    """Ten pictures of each of ten classes, all named right or none: as sure as ten pictures, not as a hundred."""
    ranks = np.repeat(np.where(np.arange(10) < 6, 1.0, 9.0), 10)
    whole = estimate(NamedPictures(np.repeat(np.arange(10), 10), ranks))
    ten = estimate(NamedPictures(np.arange(10), ranks[::10]))
    for name, one in whole.items():
        assert (one.value, one.low, one.high) == pytest.approx((ten[name].value, ten[name].low, ten[name].high))
    assert whole["top1"].value == pytest.approx(0.6)
    assert whole["top1"].high - whole["top1"].low > 0.4


def test_what_an_earlier_version_measured_less_of_is_compared_by_what_it_measured():
    ranked = Ranks(np.arange(4), np.array([1, 2, 30, np.inf]))
    more = WholeRankings(ranked, Precisions(np.arange(4), np.full(4, 0.5), np.zeros((4, 3))))
    assert compare(more, ranked).keys() == compare(ranked, more).keys() == once(ranked).keys()
    assert compare(more, more).keys() == once(more).keys() > once(ranked).keys()


def test_a_rank_that_was_not_found_is_null_for_programs():
    assert estimate(Ranks(np.arange(3), np.full(3, np.inf)))["median_rank"].to_dict() == {
        "value": None,
        "low": None,
        "high": None,
    }


@pytest.mark.parametrize(
    "sample",
    [
        Ranks(np.array([0, 0, 1]), np.array([1, 7, np.inf])),
        Precisions(np.arange(2), np.array([1 / 3, 1]), np.array([[0, 0.2, 0.1], [1, 0.4, 0.2]])),
        Presence(np.array([0, 1, 0]), np.array([1 / 3, 0.25, -1]), np.array([True, False, False])),
        NamedPictures(np.array([0, 1, 1]), np.array([3, 1, np.inf])),
        WholeRankings(
            Ranks(np.array([0, 1]), np.array([2, np.inf])),
            Precisions(np.array([0, 1]), np.array([1 / 3, 0]), np.array([[0, 0.2, 0.1], [0, 0, 0]])),
        ),
    ],
)
def test_a_sample_survives_json(sample):
    read = read_sample(json.loads(json.dumps(sample.to_dict())))
    assert type(read) is type(sample)
    assert estimate(read) == estimate(sample)
    assert {one.high for one in compare(sample, read).values()} == {0}


@pytest.mark.parametrize("change", [{"kind": "guesses"}, {"groups": [0]}, {"ranks": "many"}])
def test_what_is_no_sample_is_refused(change):
    with pytest.raises((ValueError, TypeError)):
        read_sample(Ranks(np.arange(2), np.ones(2)).to_dict() | change)


def test_precisions_of_fewer_queries_than_ranks_are_refused():
    values = WholeRankings(
        Ranks(np.arange(2), np.ones(2)), Precisions(np.arange(2), np.ones(2), np.ones((2, 3)))
    ).to_dict()
    with pytest.raises(ValueError, match="1 and 2 precisions in 2 groups"):
        read_sample(values | {"average": [1.0]})


def test_groups_are_numbered_as_they_come():
    assert number_groups(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
