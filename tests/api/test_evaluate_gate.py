"""`xuntu index build --gate`: a build that answers a person's questions worse does not replace a better one."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.evaluation.errors import BuildWorse, InvalidDataSet
from api.evaluation.gate import QuestionGate
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.builds.current import current_build
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build, rebuild
from indexer.pipeline.publish import Check

QUESTIONS = 40


class Library:
    """Drawn pictures and their library, with questions of which the right picture is the first hit."""

    def __init__(self, folder: Path) -> None:
        self.pictures, self.file = folder / "pictures", folder / "questions.csv"
        self.settings = IndexerSettings(data=folder / "data", workers=0, device="cpu")
        self.layout = Layout(folder / "data")
        self.pictures.mkdir()
        self.draw(range(60))
        build(self.settings, [self.pictures], BuildOptions(encoders=["hash"]))
        engine = SearchEngine.open(self.settings.data)
        self.answers = {}
        for number in range(QUESTIONS):
            text = f"a dog {number}" if number % 2 else f"一只狗 {number}"
            self.answers[text] = engine.search(Query(clauses=[Clause(text=text)], k=1)).hits[0].path
        self.write(self.file, list(self.answers.items()))

    def draw(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
            Image.fromarray(blocks).save(self.pictures / f"{number:03}.png")

    def write(self, path: Path, rows: Sequence[Sequence[object]]) -> Path:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("query", "picture"), *rows])
        return path

    def forget(self, share: float) -> None:
        """Delete the right pictures of a share of the questions."""
        for path in sorted(set(self.answers.values()))[: round(share * len(set(self.answers.values())))]:
            (self.pictures / path).unlink()

    def gate(self, **options: bool) -> QuestionGate:
        return QuestionGate(self.file, self.settings.runtime, **options)

    def update(self, gate: QuestionGate, **options: object) -> str:
        return build(self.settings, (), BuildOptions(check=check_of(gate), **options)).build

    @property
    def current(self) -> str:
        return current_build(self.layout)

    @property
    def builds(self) -> set[str]:
        return {path.name for path in self.layout.builds.iterdir() if path.is_dir()}


def check_of(gate: QuestionGate) -> Check:
    return partial(gate.check, on_progress=lambda *_: None)


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(tmp_path)


def test_a_worse_build_is_refused_and_the_one_in_use_stays(library):
    before = library.current
    library.forget(0.5)
    with pytest.raises(BuildWorse) as caught:
        library.update(library.gate())
    assert (library.current, library.builds) == (before, {before})
    assert "recall@10 100.0 % → " in caught.value.en
    assert "--force" in caught.value.en
    assert "--force" in caught.value.zh
    lost = {text for text, path in library.answers.items() if not (library.pictures / path).exists()}
    assert set(caught.value.lost) == lost
    assert caught.value.users_mistake


def test_what_was_encoded_for_a_refused_build_is_kept(library):
    library.forget(0.5)
    library.draw(range(100, 110))
    with pytest.raises(BuildWorse):
        library.update(library.gate())
    report = build(library.settings, (), BuildOptions())
    assert (report.encoded, report.build) == (0, library.current)


def test_by_force_a_worse_build_is_published_with_a_warning(library):
    library.forget(0.5)
    gate = library.gate(force=True)
    assert library.update(gate) == library.current
    assert gate.to_dict()["overruled"] == "build_worse"
    assert "--force" in gate.text("en")
    assert "--force" in gate.text("zh")


def test_a_build_that_is_not_worse_for_sure_is_published(library):
    (library.pictures / next(iter(library.answers.values()))).unlink()
    gate = library.gate()
    assert library.update(gate) == library.current
    found = gate.to_dict()
    (overall,) = [one for one in found["differences"] if one["language"] == "all"]
    assert (overall["verdict"], overall["metrics"]["recall@10"]["high"]) == ("unclear", 0)
    assert overall["metrics"]["recall@10"]["value"] < 0
    assert found["lost"]


def test_a_better_build_is_published(library, heavy):
    library.forget(0.5)
    library.update(library.gate(force=True))
    library.draw(range(60))
    gate = library.gate()
    library.update(gate)
    assert {one["verdict"] for one in gate.to_dict()["differences"]} == {"better"}


def test_one_language_that_gets_worse_is_enough(library, heavy):
    chinese = {path for text, path in library.answers.items() if "狗" in text}
    english = {path for text, path in library.answers.items() if "dog" in text}
    for path in chinese - english:
        (library.pictures / path).unlink()
    library.write(library.file, [*library.answers.items(), *((f"a dog {n}", "059.png") for n in range(400, 900))])
    with pytest.raises(BuildWorse, match="zh"):
        library.update(library.gate())


def test_the_first_build_has_nothing_to_be_compared_with(library, tmp_path):
    settings = library.settings.model_copy(update={"data": tmp_path / "other"})
    gate = library.gate()
    options = BuildOptions(encoders=["hash"], check=check_of(gate))
    report = build(settings, [library.pictures], options)
    assert current_build(Layout(settings.data)) == report.build
    assert (gate.to_dict()["previous"], gate.to_dict()["differences"]) == (None, [])
    assert "no build in use" in gate.text("en")
    assert "没有可比较的索引" in gate.text("zh")


def test_a_build_in_use_that_cannot_be_asked_is_no_measure(library):
    damaged = library.layout.builds / library.current / "manifest.json"
    damaged.write_text("{}")
    library.forget(0.5)
    gate = library.gate()
    assert library.update(gate) == library.current
    assert "cannot be asked" in gate.text("en")
    assert ".." not in gate.text("en")
    assert "无法查询" in gate.text("zh")


def test_with_nothing_new_the_gate_has_nothing_to_look_at(library):
    gate = library.gate()
    library.update(gate)
    assert gate.to_dict() == {"checked": False, "overruled": None}
    assert "no new build" in gate.text("en")


def test_another_encoder_has_to_be_as_good(library, photographs, heavy):
    before = library.current
    with pytest.raises(BuildWorse):
        library.update(library.gate(), encoders=["starter"], reencode=True)
    assert library.current == before
    assert library.update(library.gate(force=True)) == library.current


def test_a_rebuild_goes_through_the_gate_too(library):
    before, gate = library.current, library.gate()
    rebuild(library.settings, check=check_of(gate))
    assert library.current != before
    assert [one["metrics"]["recall@10"]["value"] for one in gate.to_dict()["differences"]] == [0, 0, 0]


def test_questions_that_nothing_can_answer_keep_a_build_back(library, tmp_path):
    library.write(library.file, [("a dog", "nowhere.png")])
    library.draw(range(100, 103))
    with pytest.raises(InvalidDataSet, match="none of its pictures"):
        library.update(library.gate())
    gate = library.gate(force=True)
    assert library.update(gate) == library.current
    assert "none of its pictures" in gate.text("en")


def test_pictures_that_neither_build_has_are_named(library):
    library.write(library.file, [*library.answers.items(), ("a dog", "nowhere.png")])
    library.draw(range(100, 103))
    gate = library.gate()
    library.update(gate)
    assert "nowhere.png" in gate.text("en")
    assert gate.to_dict()["missing"] == ["nowhere.png"]


# The command


def test_the_command_refuses_with_2_and_publishes_by_force(library, xuntu):
    before = library.current
    arguments = ("index", "update", "--data", library.settings.data, "--workers", "0", "--gate", library.file)
    library.forget(0.5)
    refused = xuntu(*arguments, "--json")
    assert (refused.returncode, refused.stdout, library.current) == (2, "", before)
    assert "recall@10" in refused.stderr
    assert "不再位于前十" in xuntu(*arguments, LANG="zh_CN.UTF-8").stderr
    forced = xuntu(*arguments, "--force", "--json")
    answer = json.loads(forced.stdout)
    assert (forced.returncode, answer["build"], answer["gate"]["overruled"]) == (0, library.current, "build_worse")
    again = xuntu("index", "rebuild", "--data", library.settings.data, "--gate", library.file)
    assert again.returncode == 0
    assert "The gate: recall@10" in again.stderr


def test_a_gate_that_cannot_be_read_is_found_out_before_anything_is_encoded(library, xuntu, tmp_path):
    library.draw(range(100, 103))
    for name, sentence in (("missing.csv", "no such file"), ("wrong.csv", "no column 'picture'")):
        (tmp_path / "wrong.csv").write_text("query,answer\na,b\n", encoding="utf-8")
        done = xuntu("index", "update", "--data", library.settings.data, "--gate", name)
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert build(library.settings, (), BuildOptions()).encoded == 3


def test_the_gate_asks_as_a_search_is_routed(library, xuntu):
    before = library.current
    library.draw(range(100, 103))
    arguments = ("index", "update", "--data", library.settings.data, "--workers", "0", "--gate", library.file)
    refused = xuntu(*arguments, XUNTU_ROUTING="zh=nobody")
    assert (refused.returncode, library.current, library.builds) == (2, before, {before})
    assert "The route 'zh=nobody' cannot be used" in refused.stderr
    assert xuntu(*arguments, XUNTU_ROUTING="zh=hash").returncode == 0
    assert library.current != before


def test_force_without_a_gate_is_a_mistake(library, xuntu):
    done = xuntu("index", "rebuild", "--data", library.settings.data, "--force")
    assert (done.returncode, "--gate" in done.stderr) == (2, True)


def test_the_write_side_alone_cannot_ask(library, processes):
    command = [sys.executable, "-m", "indexer", "update", "--data", library.settings.data, "--gate", library.file]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[2], timeout=300
    )
    assert (done.returncode, "search engine" in done.stderr) == (2, True)
