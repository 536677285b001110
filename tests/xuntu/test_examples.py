"""The programs under examples/, run as a reader runs them after `xuntu demo`, and the cells of the notebook."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "examples"


@pytest.fixture
def run(readers_folder, processes):
    """Run an example in the reader's folder; return what it prints."""

    def run_example(name: str, *arguments: object, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, FOLDER / name, *map(str, arguments)],
            cwd=readers_folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout + (done.stderr if status else "")

    return run_example


def first_file(printed: str) -> str:
    return printed.splitlines()[0].rpartition("/")[2]


def test_a_library_is_searched(run, demo_library):
    assert first_file(run("search_library.py", "data/demo", "一只猫")) == "chelsea.png"
    assert first_file(run("search_library.py", "data/demo", demo_library / "pictures" / "china.jpg")) == "china.jpg"


def test_pictures_are_added_and_searched(run, demo_library):
    for counts in ("15 encoded, 0 already there, 0 failed", "0 encoded, 15 already there, 0 failed"):
        printed = run("add_and_search.py", "album", demo_library / "pictures", "a", "rocket").splitlines()
        assert printed[0] == counts
        assert printed[1].endswith("/rocket.jpg")


def test_a_service_is_asked(run, demo_url, readers_folder):
    printed = run("rest_client.py", demo_url, "一只猫").splitlines()
    assert printed[0] == "15 pictures"
    assert "pictures/chelsea.png" in printed[1]
    assert len(list(readers_folder.glob("*.webp"))) == 5
    assert "invalid_query, request" in run("rest_client.py", demo_url, "cat", "-1:cat", status=1)
    assert "cannot be reached" in run("rest_client.py", "http://127.0.0.1:9", "a cat", status=1)


def test_vectors_are_written_for_numpy(run, readers_folder):
    assert run("export_vectors.py", "data/demo", "vectors.npz").startswith("15 vectors of 384 numbers")
    with np.load(readers_folder / "vectors.npz") as found:
        assert found["vectors"].shape == (len(found["ids"]), 384)
        assert sum(path.endswith("/chelsea.png") for path in found["paths"]) == 1


def test_duplicates_are_listed(run, readers_folder, demo_library):
    shutil.copytree(demo_library / "pictures", readers_folder / "pictures")
    shutil.copyfile(readers_folder / "pictures" / "moon.png", readers_folder / "pictures" / "zz.png")
    run("add_and_search.py", "album", "pictures", "moon")
    kept, copy = run("duplicates.py", "album").splitlines()
    assert kept.startswith("keep  ")
    assert copy.startswith("copy  ")
    assert {line.rpartition("/")[2] for line in (kept, copy)} == {"moon.png", "zz.png"}
    assert run("duplicates.py", "data/demo") == ""


def test_a_small_evaluation(run, readers_folder):
    questions = "query,picture\n一只猫,chelsea.png\na rocket,rocket.jpg\nа ракета,rocket.jpg\na cat,nothing.png\n"
    (readers_folder / "questions.csv").write_text(questions, encoding="utf-8")
    assert run("evaluate.py", "data/demo", "questions.csv").endswith("recall@10: 50% of 4 questions\n")


def test_every_example_is_run_here():
    told = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in FOLDER.glob("*.py") if f'"{path.name}"' not in told] == []


def test_the_notebook_runs_from_top_to_bottom(readers_folder, heavy, capsys):
    notebook = json.loads((FOLDER / "tour.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(cells)
    names: dict[str, object] = {}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert "一只猫 chelsea.png" in printed
    assert "5 pictures; chelsea.png" in printed
