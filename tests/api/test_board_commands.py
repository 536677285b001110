"""`xuntu boards`: boards on the command line, as the page and the REST API have them."""

import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from api.boards.errors import BoardAmbiguous, BoardFixed, BoardNameUnusable, BoardNotFound, BoardPictureUnknown
from api.cli import app
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def build_of(folder):
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "pictures"], BuildOptions(encoders=["hash"]))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A library of four pictures. Not to be changed."""
    folder = tmp_path_factory.mktemp("board-commands")
    for number, name in enumerate(("0.png", "1.png", "春/2.png", "7.png")):
        draw(folder / "pictures" / name, number)
    build_of(folder)
    return folder


@pytest.fixture
def library(made, copy_of):
    return copy_of(made)


@pytest.fixture
def boards(library):
    """Return what runs `xuntu boards`, and returns what it prints; an error is raised as it is."""

    def run(*arguments, given=None, language="C.UTF-8"):
        environment = {"COLUMNS": "400", "LANG": language, "LC_ALL": "", "LC_MESSAGES": ""}
        arguments = ["boards", *map(str, arguments), "--data", str(library / "data")]
        done = CliRunner(env=environment).invoke(app, arguments, input=given)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


@pytest.fixture
def ask(boards):
    """Return what runs `xuntu boards ... --json`, and returns the answer."""
    return lambda *arguments, **options: json.loads(boards(*arguments, "--json", **options).stdout)


def paths_on(ask, board):
    return [one["path"] for one in ask("show", board)["pictures"]]


def test_a_board_is_made_filled_shown_renamed_and_deleted(boards, ask, library):
    made = ask("create", " 夏天  Summer ", "0.png")
    assert (made["name"], made["count"], made["fixed"]) == ("夏天 Summer", 1, False)
    whole = library / "pictures" / "春" / "2.png"
    added = ask("add", "夏天 summer", whole, "春/2.png", os.path.relpath(library / "pictures" / "1.png"))
    assert (added["id"], added["count"]) == (made["id"], 3)
    assert paths_on(ask, made["id"]) == ["0.png", "春/2.png", "1.png"]
    page = ask("show", made["id"], "--k", 1, "--offset", 1)["pictures"]
    assert [one["place"] for one in page] == [str(whole)]
    assert str(whole) in boards("show", made["id"]).stdout
    first = ask("show", made["id"])["pictures"][0]["id"]
    assert ask("remove", made["id"], first)["count"] == 2
    assert "is called winter now" in boards("rename", made["id"], "winter").stdout
    listed = ask("list")["boards"]
    assert [(one["id"], one["name"], one["count"]) for one in listed] == [
        ("favourites", "Favourites", 0),
        (made["id"], "winter", 2),
    ]
    assert boards("delete", "winter", given="n\n").exit_code == 1
    assert len(ask("list")["boards"]) == 2
    assert "Its pictures stay" in boards("delete", "winter", given="y\n").stdout
    assert len(ask("list")["boards"]) == 1


def test_pictures_are_read_from_standard_input(ask):
    assert ask("add", "favourites", "-", "7.png", given="0.png\n\n春/2.png\n")["count"] == 3
    assert paths_on(ask, "收藏") == ["0.png", "春/2.png", "7.png"]


def test_what_the_library_has_no_more_is_shown_and_taken_off(boards, ask, library):
    ask("add", "favourites", "0.png", "1.png")
    (library / "pictures" / "0.png").unlink()
    build_of(library)
    shown = ask("show", "favourites")
    assert [(one["path"], one["id"] is None) for one in shown["pictures"]] == [("0.png", True), ("1.png", False)]
    assert shown["missing"] == 1
    said = boards("show", "favourites", language="zh_CN.UTF-8")
    assert "已不在图片库中" in said.stdout
    assert "xuntu boards remove favourites --missing" in said.stderr
    assert ask("remove", "favourites", "--missing")["count"] == 1
    assert paths_on(ask, "favourites") == ["1.png"]


def test_what_cannot_be_done_is_said(boards, heavy):
    boards("create", "twice")
    boards("create", "twice")
    for error, *arguments in (
        (BoardNotFound, "show", "none"),
        (BoardNotFound, "add", "none", "0.png"),
        (BoardAmbiguous, "show", "twice"),
        (BoardFixed, "rename", "favourites", "mine"),
        (BoardFixed, "delete", "favourites", "--yes"),
        (BoardNameUnusable, "create", " "),
        (BoardNameUnusable, "create", "x" * 201),
        (BoardPictureUnknown, "add", "favourites", "0.png", "none.png"),
        (BoardPictureUnknown, "add", "favourites", "99"),
        (BoardPictureUnknown, "add", "favourites", "9" * 40),
    ):
        with pytest.raises(error):
            boards(*arguments)
    assert json.loads(boards("list", "--json").stdout)["boards"][0]["count"] == 0


def test_a_name_that_several_folders_have_is_not_guessed(boards, ask, library):
    draw(library / "other" / "0.png", 40)
    build(IndexerSettings(data=library / "data", workers=0), [library / "other"], BuildOptions())
    with pytest.raises(BoardPictureUnknown, match="2 pictures"):
        boards("add", "favourites", "0.png")
    assert ask("add", "favourites", library / "other" / "0.png")["count"] == 1


def test_a_board_is_exported(boards, ask, library, tmp_path, heavy):
    ask("create", "春 spring", "春/2.png", "0.png")
    done = ask("export", "春 spring", tmp_path / "spring.zip")
    assert (done["format"], done["pictures"]) == ("zip", 2)
    with zipfile.ZipFile(tmp_path / "spring.zip") as archive:
        assert archive.namelist() == ["春/2.png", "0.png", "pictures.csv"]
        assert archive.read("0.png") == (library / "pictures" / "0.png").read_bytes()
    boards("export", "春 spring", tmp_path / "spring.csv")
    rows = (tmp_path / "spring.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [row.split(",")[1] for row in rows] == ["path", "春/2.png", "0.png"]
    assert "2 pictures written" in boards("export", "春 spring", tmp_path / "spring.txt", "--format", "json").stdout
    found = json.loads((tmp_path / "spring.txt").read_text(encoding="utf-8"))
    assert [one["path"] for one in found["pictures"]] == ["春/2.png", "0.png"]
    with pytest.raises(Exception, match="Cannot write"):
        boards("export", "春 spring", tmp_path / "none" / "a.zip")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_search_and_list_take_boards_in_conditions(boards, ask, library, heavy):
    ask("create", "春 spring", "春/2.png", "0.png")

    def run(*arguments):
        done = CliRunner().invoke(app, [*arguments, "--data", str(library / "data"), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    listed = run("list", "--where", 'board = "春 Spring"', "--sort", "path")["images"]
    assert [one["path"] for one in listed] == ["0.png", "春/2.png"]
    assert {hit["path"] for hit in run("search", "a cat", "--where", 'board="春 spring"')["hits"]} == {
        "0.png",
        "春/2.png",
    }
    done = CliRunner().invoke(app, ["list", "--where", "board=none", "--data", str(library / "data")])
    assert isinstance(done.exception, BoardNotFound)
