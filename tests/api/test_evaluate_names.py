"""`xuntu evaluate` of classes and their names, with an encoder whose vectors are known: figures worked out by hand.

Pictures and names are angles. Cats are at 0, 20 and 50 degrees, dogs at 60 and 85, the only bird is at 120. The nearer
two angles are, the higher the score.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.evaluation.results import EvaluationReport, Result, compare_results, read_results
from api.evaluation.runs import Request, evaluate
from api.evaluation.tables import difference_tables, result_tables
from indexer.config import IndexerSettings

PICTURES = {"cat": (0, 20, 50), "dog": (60, 85), "bird": (120,)}
NAMES = (("cat", "cat 12"), ("dog", "dog 52"), ("bird", "a bird"), ("cat", "猫 88"), ("dog", "狗 71"))


@pytest.fixture
def classes(tmp_path) -> Path:
    for name, degrees in PICTURES.items():
        (tmp_path / "classes" / name).mkdir(parents=True)
        for angle in degrees:
            Image.new("RGB", (16, 16), (angle, 0, 0)).save(tmp_path / "classes" / name / f"{angle}.png")
    return tmp_path / "classes"


@pytest.fixture
def measure(angles, classes, tmp_path):
    """Evaluate the classes by these names."""

    def run(names: Sequence[tuple[str, str]] = NAMES) -> EvaluationReport:
        with (tmp_path / "names.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("class", "name"), *names])
        request = Request(paths=[classes], names=tmp_path / "names.csv", encoders=[angles])
        return evaluate(request, IndexerSettings(workers=1, device="cpu"), lambda *_: None).report

    return run


def result(report: EvaluationReport, task: str, language: str) -> Result:
    (found,) = [one for one in report.results if (one.task, one.language) == (task, language)]
    return found


def figures(report: EvaluationReport, task: str, language: str) -> dict[str, float]:
    return {name: one.value for name, one in result(report, task, language).metrics.items()}


def test_names_find_pictures(measure):
    """From 12 degrees: three cats. From 52: a cat, a dog, a cat, a dog. No word of "a bird" is known."""
    report = measure()
    assert figures(report, "name->image", "en") == {
        "recall@1": pytest.approx(1 / 3),
        "recall@5": pytest.approx(2 / 3),
        "recall@10": pytest.approx(2 / 3),
        "mean_recall": pytest.approx(5 / 9),
        "median_rank": 2,
        "map": pytest.approx((1 + (1 / 2 + 2 / 4) / 2 + 0) / 3),
        "precision@1": pytest.approx(1 / 3),
        "precision@5": pytest.approx((3 / 5 + 2 / 5 + 0) / 3),
        "precision@10": pytest.approx((3 / 10 + 2 / 10 + 0) / 3),
    }
    found = result(report, "name->image", "en")
    assert (found.queries, found.gallery, found.unknown) == (3, 6, 1)
    # From 88 degrees: two dogs and the bird, then the cats. From 71: both dogs.
    chinese = figures(report, "name->image", "zh")
    assert chinese["map"] == pytest.approx(((1 / 4 + 2 / 5 + 3 / 6) / 3 + 1) / 2)
    assert (chinese["precision@1"], chinese["recall@1"], chinese["recall@5"]) == (0.5, 0.5, 1)
    assert chinese["precision@5"] == pytest.approx((2 / 5 + 2 / 5) / 2)


def test_a_thing_is_drawn_with_all_its_names(measure):
    found = result(measure(), "name->image", "all")
    assert found.sample.groups.tolist() == [0, 1, 2, 0, 1]
    assert found.metrics["map"].low < found.metrics["map"].value < found.metrics["map"].high


def test_pictures_are_given_the_nearest_name(measure):
    """In English the cat at 50 degrees is called a dog, and the bird cannot be called a bird."""
    report = measure()
    assert figures(report, "zero-shot", "en") == {
        "top1": pytest.approx(4 / 6),
        "top5": pytest.approx(5 / 6),
        "macro_top1": pytest.approx((2 / 3 + 1 + 0) / 3),
        "macro_top5": pytest.approx((1 + 1 + 0) / 3),
    }
    found = result(report, "zero-shot", "en")
    assert (found.queries, found.gallery, found.unknown) == (6, 3, 1)
    assert sorted(np.bincount(found.sample.groups).tolist()) == [1, 2, 3]
    # In Chinese every cat is called a dog, and the dog at 85 degrees a cat; the bird has no name, so it is not asked.
    assert figures(report, "zero-shot", "zh") == {
        "top1": pytest.approx(1 / 5),
        "top5": 1,
        "macro_top1": pytest.approx((0 + 1 / 2) / 2),
        "macro_top5": 1,
    }
    assert (result(report, "zero-shot", "zh").queries, result(report, "zero-shot", "zh").gallery) == (5, 2)


def test_any_name_of_a_class_is_right_and_a_tie_is_not(measure):
    report = measure([*NAMES[:2], ("bird", "bird 119"), ("cat", "kitten 49"), ("dog", "pet 20"), ("cat", "pet 20")])
    # Now 50 is a kitten; 20 is a pet, which is right for a cat and for a dog.
    assert figures(report, "zero-shot", "en")["top1"] == 1
    tied = measure([("cat", "cat 60"), ("dog", "dog 60"), ("bird", "bird 60")])
    assert figures(tied, "zero-shot", "en") == {"top1": 0, "top5": 1, "macro_top1": 0, "macro_top5": 1}


def test_pictures_find_the_others_of_their_class(measure):
    """The cat at 50 degrees finds a dog, a cat, a dog, a cat; the dog at 60 a cat, a dog. The others find their own."""
    report = measure()
    assert figures(report, "image->image", "–") == {
        "map": pytest.approx((1 + 1 + (1 / 2 + 2 / 4) / 2 + 1 / 2 + 1) / 5),
        "precision@1": pytest.approx(3 / 5),
        "precision@5": pytest.approx((3 * 2 / 5 + 2 * 1 / 5) / 5),
        "precision@10": pytest.approx((3 * 2 / 10 + 2 * 1 / 10) / 5),
    }
    assert (result(report, "image->image", "–").gallery, report.left_out["alone"]) == (5, 1)


def test_unknown_names_are_counted_alike_in_every_task_and_once_in_all(measure):
    report = measure()
    tasks = ("name->image", "zero-shot", "presence")
    assert [result(report, task, "en").unknown for task in tasks] == [1, 1, 1]
    assert [result(report, task, "zh").unknown for task in tasks] == [0, 0, 0]
    assert (report.unknown, report.to_dict()["unknown"]) == (1, 1)
    nothing = measure([("cat", "cat"), ("dog", "dog")])
    assert set(figures(nothing, "zero-shot", "en").values()) == {0}
    assert {figures(nothing, "name->image", "en")[name] for name in ("recall@10", "map", "precision@10")} == {0}
    assert (nothing.unknown, result(nothing, "presence", "en").metrics["auroc"].value) == (2, 0.5)


def test_names_stand_in_the_table_of_recall_and_in_that_of_precision(measure):
    tables = [(head[4], [row[0].text("en") for row in rows]) for head, rows in result_tables(measure().results)]
    assert [(str(head), sorted(set(tasks))) for head, tasks in tables] == [
        ("R@1", ["name->image"]),
        ("mAP", ["image->image", "name->image"]),
        ("top-1", ["zero-shot"]),
        ("AUROC", ["presence"]),
    ]


def test_a_report_of_an_earlier_version_is_compared_by_recall(measure, tmp_path):
    """It has the ranks of names alone, and no pictures that are given names."""
    report = measure()
    written = report.to_dict()
    for one in written["results"]:
        del one["distractors"]
        if one["task"] == "name->image":
            sample = one["sample"]
            one["sample"] = {"kind": "ranks", "groups": sample["groups"], "ranks": sample["ranks"]}
    written["results"] = [one for one in written["results"] if one["task"] != "zero-shot"]
    del written["unknown"]
    (tmp_path / "before.json").write_text(json.dumps(written), encoding="utf-8")
    differences = compare_results(report.results, read_results(tmp_path / "before.json"))
    compared = {(one.task, one.language): one for one in differences}
    assert set(compared["name->image", "all"].metrics) == {
        "recall@1",
        "recall@5",
        "recall@10",
        "mean_recall",
        "median_rank",
    }
    assert {one.verdict for one in differences} == {"unclear"}
    assert [head[2] for head, _ in difference_tables(differences)] == ["R@1", "mAP", "AUROC"]  # mAP of pictures


def test_what_names_find_is_compared_by_recall_and_by_precision(measure, tmp_path):
    before = measure()
    (tmp_path / "before.json").write_text(json.dumps(before.to_dict()), encoding="utf-8")
    differences = compare_results(before.results, read_results(tmp_path / "before.json"))
    assert len(differences) == len(before.results)
    assert [len(rows) for _, rows in difference_tables(differences)] == [3, 4, 2, 3]
