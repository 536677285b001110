"""The plug-in under examples/: installed with pip, found by its entry points, and used through the commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def xuntu(tmp_path_factory, processes):
    """Install the plug-in into a folder of its own; return what runs `xuntu` with or without it in an empty folder."""
    folder = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    command = [*pip, "install", *offline, "--target", folder / "site", CHECKOUT / "examples" / "plugin"]
    copied = subprocess.run(command, capture_output=True, text=True, check=False)
    assert copied.returncode == 0, copied.stderr

    def run(*arguments: object, plugged_in: bool = True) -> subprocess.CompletedProcess[str]:
        path = [str(CHECKOUT), *([str(folder / "site")] if plugged_in else [])]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG"))}
        return subprocess.run(
            [sys.executable, "-c", "from api.cli import main; main()", *map(str, arguments)],
            env={**kept, "PYTHONPATH": os.pathsep.join(path), "HOME": str(folder), "LANG": "C.UTF-8"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def data(xuntu, tmp_path_factory) -> Path:
    """A library of five pictures of one colour each, built with the encoder of the plug-in."""
    folder = tmp_path_factory.mktemp("shades")
    (folder / "pictures").mkdir()
    shades = {"poppy": "#e01010", "sea": "#1020d0", "meadow": "#10a010", "snow": "#f8f8f8", "night": "#080808"}
    for name, shade in shades.items():
        Image.new("RGB", (64, 48), shade).save(folder / "pictures" / f"{name}.png")
    done = xuntu("index", "build", folder / "pictures", "--encoder", "palette", "--data", folder / "data")
    assert done.returncode == 0, done.stderr
    return folder / "data"


def first(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["hits"][0]["path"]


def test_its_encoder_is_listed_beside_the_others(processes, xuntu):
    listed = {one["name"]: one for one in json.loads(xuntu("models", "list", "--json").stdout)}
    assert (listed["palette"]["dim"], listed["palette"]["weights"]) == (4, "plug-in")
    assert listed["starter"]["weights"] == "built in"


@pytest.mark.parametrize(
    ("words", "path"), [("红色", "poppy.png"), ("the blue sea", "sea.png"), ("绿", "meadow.png"), ("white", "snow.png")]
)
def test_its_encoder_answers_in_both_languages(processes, xuntu, data, words, path):
    assert first(xuntu("search", words, "--data", data, "--json")) == path


def test_a_word_that_its_encoder_does_not_know_is_named(processes, xuntu, data):
    done = xuntu("search", "zebra", "--data", data)
    assert (done.returncode, "zebra" in done.stderr) == (2, True)


def test_what_its_annotator_finds_is_filtered_by(processes, xuntu, data):
    found = json.loads(xuntu("search", "red", "--data", data, "--where", "brightness>=0.9", "--json").stdout)
    assert [hit["path"] for hit in found["hits"]] == ["snow.png"]


def test_without_the_plug_in_the_library_says_what_is_missing(processes, xuntu, data):
    done = xuntu("search", "red", "--data", data, plugged_in=False)
    assert done.returncode == 2
    assert "palette" in done.stderr
    assert xuntu("index", "stats", "--data", data, plugged_in=False).returncode == 0
