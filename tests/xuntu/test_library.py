"""A library through `xuntu.open`: searched, read and written, by this program and by others."""

import shutil
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xuntu
from api.search.engine import SearchEngine
from api.search.query import Query
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.pipeline.commands import BuildOptions, build
from xuntu import errors

CHECKOUT = Path(__file__).resolve().parents[2]
COLOURS = ("red", "green", "blue", "yellow", "white")


def draw(folder: Path, *names: str) -> Path:
    """Draw a picture for each name, unlike every other."""
    folder.mkdir(exist_ok=True)
    for name in names:
        seed = list(name.encode())
        blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(blocks).resize((48, 36), Image.Resampling.NEAREST).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def opened(library):
    """The library of photographs, open."""
    with xuntu.open(library) as opened:
        yield opened


@pytest.fixture
def album(tmp_path):
    """A new library, open, with nothing in it; pictures are to be drawn in `tmp_path / "pictures"`."""
    with xuntu.open(tmp_path / "album", create=True, workers=0, encoder="hash") as album:
        yield album


@pytest.fixture
def pictures(tmp_path) -> Path:
    return draw(tmp_path / "pictures", *COLOURS)


def paths(result) -> list[str]:
    return [hit.path for hit in result.hits]


# Searching


def test_a_search_is_that_of_the_engine(opened, library):
    found = opened.search("2:天空", "-0.5:建筑", where="width>=400", k=4, offset=1, hide_duplicates=True)
    clauses = [xuntu.Clause(text="天空", weight=2), xuntu.Clause(text="建筑", weight=-0.5)]
    engine = SearchEngine.open(library)
    same = engine.search(Query(clauses=clauses, where="width>=400", k=4, offset=1, hide_duplicates=True))
    engine.opened.catalog.close()
    assert [asdict(hit) for hit in found.hits] == [asdict(hit) for hit in same.hits]
    assert found.total == same.total
    assert paths(opened.search(*clauses, where="width>=400", k=4, offset=1)) == paths(found)


@pytest.mark.parametrize("as_what", [str, Path, Path.read_bytes, Image.open])
def test_a_picture_is_asked_for_as_the_caller_has_it(opened, photographs, as_what):
    assert paths(opened.search(image=as_what(photographs / "cat.png"), k=1)) == ["cat.png"]


def test_what_is_like_a_picture_leaves_it_out(opened):
    (cat,) = opened.search("一只猫", k=1).hits
    assert cat.path == "cat.png"
    assert len(paths(opened.search(like=cat.id))) == 8
    assert paths(opened.search("花", like=cat.id, k=1)) == ["flower.jpg"]


def test_what_cannot_be_asked_is_an_error_of_the_product(opened, tmp_path):
    for asked, kind in (
        ({"min_score": 0.5}, errors.InvalidQuery),
        ({"like": 9999}, errors.ImageNotFound),
        ({"where": "weather=fine", "like": 2}, errors.InvalidFilter),
        ({"image": tmp_path / "gone.png"}, errors.DecodeError),
        ({"image": b"no picture"}, errors.DecodeError),
        ({"like": 2, "k": 0}, errors.InvalidQuery),
        ({"like": 2, "encoders": ["nobody"]}, errors.InvalidQuery),
    ):
        with pytest.raises(kind) as caught:
            opened.search(**asked)
        assert caught.value.text("en") != caught.value.text("zh")
    with pytest.raises(TypeError, match="number"):
        opened.search("a cat", number=3)
    with pytest.raises(errors.UnknownWords):
        opened.search("Ⅹⅸⅴ")


# Reading


def test_pictures_come_one_by_one_with_what_is_known_of_them(opened, photographs):
    found = list(opened)
    assert len(found) == len(opened) == 9
    assert [picture.id for picture in found] == sorted(picture.id for picture in found)
    (cat,) = [picture for picture in found if picture.path == "cat.png"]
    file = photographs / "cat.png"
    assert (cat.root, cat.place, cat.format, cat.url) == (photographs, str(file), "png", None)
    assert (cat.width, cat.height, cat.bytes) == (451, 300, file.stat().st_size)
    assert cat.modified_at.timestamp() == pytest.approx(file.stat().st_mtime, abs=1e-3)
    assert {"phash", "dominant"} <= cat.annotations.keys()
    assert (cat.caption, cat.tags) == ("", ())
    assert opened.picture(cat.id) == cat
    assert opened.original(cat.id) == file.read_bytes()
    assert {picture.path for picture in opened.pictures("format=jpeg")} == {"china.jpg", "flower.jpg", "rocket.jpg"}
    with pytest.raises(errors.InvalidFilter):
        next(opened.pictures("weather=fine"))
    with pytest.raises(errors.ImageNotFound):
        opened.picture(9999)


def test_captions_and_tags_of_a_list_are_told(album, pictures, tmp_path):
    (tmp_path / "list.csv").write_text("path,caption,tags\npictures/red.png,a red one,warm|plain\n", encoding="utf-8")
    album.add(tmp_path / "list.csv")
    (red,) = album
    assert (red.caption, red.tags) == ("a red one", ("warm", "plain"))
    assert album.original(red.id) == (pictures / "red.png").read_bytes()


def test_vectors_are_those_that_searches_compare(opened, photographs):
    ids, vectors = opened.vectors()
    assert (ids.dtype, vectors.dtype, vectors.shape) == (
        np.int64,
        np.float32,
        (9, opened.vectors("starter")[1].shape[1]),
    )
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    (cat,) = opened.search("一只猫", k=1, hub_correction=False).hits
    words = opened.encode_text("一只猫", "a rocket")
    assert float(vectors[ids == cat.id][0] @ words[0]) == pytest.approx(cat.score, abs=1e-5)
    shown = opened.encode_image(photographs / "cat.png", Image.open(photographs / "cat.png"))
    assert shown @ vectors[ids == cat.id][0] == pytest.approx([1, 1], abs=1e-4)
    blocks = list(opened.vector_blocks(rows=4))
    assert [len(block.ids) for block in blocks] == [4, 4, 1]
    assert np.array_equal(np.concatenate([block.vectors for block in blocks]), vectors)
    assert opened.encode_text().shape == (0, vectors.shape[1])
    for encode in (opened.vectors, lambda name: next(opened.vector_blocks(name))):
        with pytest.raises(errors.InvalidQuery, match="nobody"):
            encode("nobody")


def test_an_encoder_that_knows_turned_pictures_makes_one_vector_of_a_picture(demo_library, tmp_path):
    with xuntu.open(shutil.copytree(demo_library, tmp_path / "demo")) as library:
        picture = next(library.pictures("format=jpeg"))
        ids, vectors = library.vectors()
        found = library.encode_image(library.original(picture.id))
    assert found @ vectors[ids == picture.id][0] == pytest.approx([1], abs=1e-3)


def test_a_text_that_is_a_date_has_a_vector_as_any_other(opened):
    assert opened.encode_text("2024年5月").shape == (1, opened.vectors().vectors.shape[1])


def test_what_it_holds_in_figures(opened, photographs):
    stats = opened.stats()
    assert (stats.pictures, stats.failed, stats.encoders, stats.roots) == (9, 1, ("starter",), (photographs,))
    assert stats.formats == {"png": 6, "jpeg": 3}


# Writing


def test_a_new_library_has_nothing_until_pictures_are_added(album, pictures):
    assert (len(album), list(album), album.folder.exists()) == (0, [], False)
    with pytest.raises(errors.NoIndex):
        album.search("red")
    with pytest.raises(errors.NoIndex):
        album.update()
    steps = []
    report = album.add(pictures, on_progress=steps.append)
    assert (report.encoded, report.encoders, len(album)) == (5, ("hash",), 5)
    assert [step for step in steps if step.stage == "encode"][-1] == ("encode", 5, 5)
    assert {step.stage for step in steps} >= {"encode"}
    red = next(picture for picture in album if picture.path == "red.png")
    assert paths(album.search(image=pictures / "red.png", k=1)) == ["red.png"]
    assert red.id not in [hit.id for hit in album.search(like=red.id).hits]


def test_what_changes_in_a_folder_is_found_after_an_update(album, pictures):
    album.add(pictures)
    assert len(album) == 5
    draw(pictures, "black")
    (pictures / "red.png").unlink()
    (pictures / "torn.png").write_bytes(b"torn")
    report = album.update()
    assert (report.encoded, report.removed, report.failed) == (1, 1, 1)
    assert sorted(picture.path for picture in album) == [
        "black.png",
        "blue.png",
        "green.png",
        "white.png",
        "yellow.png",
    ]
    draw(pictures, "torn")
    assert album.update(retry=True).failed == 0


def test_only_what_is_wanted_is_added(album, pictures, tmp_path):
    draw(tmp_path / "more", "grey")
    album.add(str(pictures), tmp_path / "more", include=["*r*"], exclude=["green*"])
    assert sorted(picture.path for picture in album) == ["grey.png", "red.png"]


def test_a_build_of_another_process_is_searched_at_once(album, pictures, processes):
    album.add(pictures)
    before = album.stats().build
    draw(pictures, "black")
    command = [sys.executable, "-m", "indexer", "update", "--data", str(album.folder), "--workers", "0"]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    assert paths(album.search(image=pictures / "black.png", k=1)) == ["black.png"]
    assert album.stats().build != before


def test_a_folder_that_emptied_is_no_reason_to_forget(album, pictures):
    album.add(pictures)
    for file in pictures.iterdir():
        file.unlink()
    with pytest.raises(errors.RootEmptied):
        album.update()
    assert len(album) == 5
    album.update(allow_empty=[pictures])
    assert len(album) == 0


def test_two_threads_do_not_write_at_once(album, pictures):
    with write_lock(Layout(album.folder)):
        caught = []

        def add():
            try:
                album.add(pictures)
            except errors.LibraryBusy as error:
                caught.append(error.code)

        thread = threading.Thread(target=add)
        thread.start()
        thread.join()
    assert caught == ["library_busy"]
    assert album.add(pictures).encoded == 5


def test_several_threads_search_while_builds_are_published(album, pictures):
    album.add(pictures)
    found = []

    def search():
        found.extend(paths(album.search(image=pictures / "red.png", k=1)) for _ in range(20))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    draw(pictures, "black")
    album.update()
    for thread in threads:
        thread.join()
    assert found == [["red.png"]] * 60


# Opening and closing


def test_what_is_no_library_is_not_opened(tmp_path):
    with pytest.raises(errors.NoIndex):
        xuntu.open(tmp_path)
    with pytest.raises(errors.InvalidSetting, match="THREADS"):
        xuntu.open(tmp_path, create=True, threads=-1)
    with pytest.raises(TypeError, match="devise"):
        xuntu.open(tmp_path, create=True, devise="cpu")


def test_a_closed_library_says_so(tmp_path, pictures):
    build(IndexerSettings(data=tmp_path / "album", workers=0), [pictures], BuildOptions(encoders=["hash"]))
    with xuntu.open(tmp_path / "album") as album:
        assert len(album) == 5
    for use in (album.stats, album.update, lambda: album.search("red"), lambda: len(album)):
        with pytest.raises(errors.LibraryClosed) as caught:
            use()
        assert str(album.folder) in caught.value.zh
    album.close()
