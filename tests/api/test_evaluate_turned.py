"""`xuntu evaluate --turned`, with an encoder that reads the upper left corner of pictures: ranks by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.evaluation.errors import InvalidDataSet, OptionUnsuitable
from api.evaluation.results import EvaluationReport
from api.evaluation.runs import Request, evaluate
from indexer.config import IndexerSettings


def draw(path: Path, *corners: int) -> None:
    """Save a picture whose corners are at these angles: upper left, upper right, lower right, lower left."""
    upper_left, upper_right, lower_right, lower_left = corners
    quarters = np.array([[upper_left, upper_right], [lower_left, lower_right]], np.uint8)
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :, 0] = np.kron(quarters, np.ones((8, 8), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def measure(angles):
    def run(*paths: Path, **options: object) -> EvaluationReport:
        request = Request(paths=paths, **({"turned": True, "encoders": [angles]} | options))
        return evaluate(request, IndexerSettings(workers=1, device="cpu"), lambda *_: None).report

    return run


def ranks(report: EvaluationReport) -> dict[str, list[float]]:
    return {one.task: one.sample.ranks.tolist() for one in report.results}


@pytest.fixture
def folder(tmp_path) -> Path:
    draw(tmp_path / "album" / "a.png", 10, 10, 10, 10)
    draw(tmp_path / "album" / "b.png", 40, 44, 80, 12)
    draw(tmp_path / "album" / "deeper" / "c.png", 90, 60, 89, 70)
    return tmp_path / "album"


def test_turned_pictures_ask_for_their_originals(measure, folder):
    """Turned to the left, the upper right corner comes to the upper left; then the lower right; then the lower left.

    Originals are at 10, 40 and 90 degrees. What b asks with is at 44, 80 and 12, and what c asks with at 60, 89 and 70.
    """
    report = measure(folder)
    assert ranks(report) == {
        "turned 90": [1, 1, 2],
        "turned 180": [1, 2, 1],
        "turned 270": [1, 2, 1],
        "turned": [1, 1, 2, 1, 2, 1, 1, 2, 1],
    }
    together = report.results[-1]
    assert together.metrics["recall@1"].value == pytest.approx(6 / 9)
    assert (together.queries, together.gallery, together.language) == (9, 3, "–")
    assert together.sample.groups.tolist() == [0, 1, 2] * 3  # a picture is drawn with all its turns
    assert (report.form, report.results[0].queries) == ("pictures", 3)


def test_a_copy_of_the_original_is_as_right_but_a_picture_like_it_is_not(measure, folder):
    draw(folder / "copy of a.png", 10, 10, 10, 10)
    assert ranks(measure(folder))["turned 90"] == [1, 1, 1, 2]
    draw(folder / "copy of a.png", 10, 10, 10, 11)  # the same vector, and not the same picture
    assert ranks(measure(folder))["turned 90"] == [2, 1, 2, 2]


def test_folders_of_classes_are_as_good_and_what_cannot_be_read_is_left_out(measure, folder, tmp_path):
    for name, file in (("one", "a.png"), ("one", "b.png"), ("two", "deeper/c.png")):
        (tmp_path / "classes" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "classes" / name / Path(file).name).write_bytes((folder / file).read_bytes())
    (tmp_path / "classes" / "two" / "b0.png").write_bytes(b"no picture")
    report = measure(tmp_path / "classes")
    assert ranks(report) == ranks(measure(folder))
    assert report.left_out == {"unreadable": 1}


def test_turned_pictures_are_asked_for_in_folders_alone(measure, folder, tmp_path):
    (tmp_path / "c.txt").write_text("a.png#enc#0 at 10\n", encoding="utf-8")
    with pytest.raises(OptionUnsuitable, match="--turned"):
        measure(tmp_path / "c.txt", pictures=[folder])
    with pytest.raises(OptionUnsuitable, match="--names"):
        measure(folder, names=tmp_path / "names.csv")
    with pytest.raises(InvalidDataSet, match="1 pictures; there must be two"):
        measure(folder / "deeper")


def test_where_no_picture_can_be_read_the_reason_is_given(measure, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(InvalidDataSet, match=r"can be used: a\.png cannot be used"):
        measure(tmp_path)


def test_the_command_measures_turned_pictures(xuntu, folder):
    done = xuntu("evaluate", folder, "--turned", "--encoder", "hash", "--json")
    assert [one["task"] for one in json.loads(done.stdout)["results"]][-1] == "turned", done.stderr
    chinese = xuntu("evaluate", folder, "--turned", "--encoder", "hash", LANG="zh_CN.UTF-8")
    assert [line.split()[0] for line in chinese.stdout.splitlines()][-1] == "旋转后"
