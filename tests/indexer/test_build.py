"""What a run reports, keeps, and encodes again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.config import IndexerSettings
from indexer.errors import NoPictures, RootEmptied
from indexer.library.errors import IndexMismatch, NoIndex
from indexer.library.opened import open_build
from indexer.library.vectors.store import VectorStore
from indexer.pipeline.commands import BuildOptions
from indexer.pipeline.commands import build as build_library
from models.encoders.registry import DEFAULT_ENCODER, get_preprocess, get_spec, load_image_encoder
from models.foundation.errors import UnknownEncoder
from models.foundation.vectors import check_vectors


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder` with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_seen_is_encoded_reused_or_failed(album):
    album.draw("a.png", "b.png", "c.png")
    (album.pictures / "broken.png").write_bytes(b"")
    report = album.build()
    assert (report.seen, report.encoded, report.reused, report.failed, report.removed) == (4, 3, 0, 1, 0)
    album.draw("d.png")
    album.redraw("a.png")
    (album.pictures / "b.png").unlink()
    report = album.update()
    assert (report.seen, report.encoded, report.reused, report.failed, report.removed) == (4, 2, 1, 1, 1)
    assert album.counts() == {"indexed": 3, "failed": 1, "removed": 1}


def test_a_second_run_encodes_nothing_and_keeps_the_build(full_album):
    before = tree(full_album.layout.builds)
    first, second = full_album.update(), full_album.build()
    assert (first.encoded, first.reused, second.encoded, second.reused) == (0, 5, 0, 5)
    assert {first.build, second.build} == full_album.build_names()
    assert tree(full_album.layout.builds) == before


def test_the_vectors_are_those_the_encoder_gives(full_album):
    spec, encoder, preprocess = get_spec("hash"), load_image_encoder("hash"), get_preprocess("hash")
    index = full_album.open().index
    check_vectors(index.fetch(index.list_ids()), spec.dim)
    for row in full_album.rows().values():
        with Image.open(row.place) as image:
            pixels = preprocess(image.convert("RGB"))
        expected = encoder.encode_image(pixels[None])
        np.testing.assert_allclose(index.fetch(np.array([row.id])), expected, atol=1e-6)


def test_a_new_library_gets_the_default_encoder_and_pictures_find_their_like(photographs, tmp_path, heavy):
    build_library(IndexerSettings(data=tmp_path / "new", workers=0), [photographs], BuildOptions())
    opened = open_build(tmp_path / "new")
    assert opened.entry.encoder == DEFAULT_ENCODER
    encoder, preprocess = load_image_encoder(DEFAULT_ENCODER), get_preprocess(DEFAULT_ENCODER)
    with Image.open(photographs / "china.jpg") as image:
        small = image.convert("RGB").resize((300, 200))
    found = opened.index.search(encoder.encode_image(preprocess(small)[None]), 1)
    row = opened.catalog.get_images(found.ids[0].tolist())[int(found.ids[0, 0])]
    assert row.path == "china.jpg"
    assert found.scores[0, 0] > 0.95


def test_a_file_that_is_not_what_it_was_is_encoded_again_and_keeps_its_id(full_album):
    before, build = full_album.ids(), full_album.open().manifest.build
    full_album.redraw("b.jpg")
    report = full_album.update()
    assert (report.encoded, report.reused) == (1, 4)
    assert report.build != build
    assert full_album.ids() == before


def test_a_file_that_was_only_touched_is_not_encoded_again(full_album):
    before, build = full_album.rows(), full_album.open().manifest.build
    os.utime(full_album.pictures / "b.jpg", ns=(0, 1_700_000_000_000_000_000))
    report = full_album.update()
    assert (report.encoded, report.reused, report.build) == (0, 5, build)
    after = full_album.rows()
    assert after["b.jpg"].stamp.mtime_ns == 1_700_000_000_000_000_000
    assert {name: row.id for name, row in after.items()} == {name: row.id for name, row in before.items()}


def test_a_changed_picture_is_found_by_its_new_content_only(full_album):
    image_id = full_album.ids()["b.jpg"]
    before = full_album.open().index.fetch(np.array([image_id]))
    full_album.redraw("b.jpg")
    full_album.update()
    index = full_album.open().index
    assert index.count() == 5
    assert (index.fetch(np.array([image_id])) @ before.T).item() < 0.999


def test_a_deleted_picture_is_no_longer_found(full_album):
    (full_album.pictures / "a.png").unlink()
    report = full_album.update()
    assert (report.seen, report.removed) == (4, 1)
    assert full_album.names() == ["b.jpg", "c.webp", "trip/d.png", "trip/e.bmp"]
    assert full_album.update().removed == 0


def test_a_picture_that_comes_back_has_its_old_id_and_is_not_encoded(full_album):
    before = full_album.ids()
    away = full_album.folder / "away.png"
    (full_album.pictures / "a.png").rename(away)
    full_album.update()
    away.rename(full_album.pictures / "a.png")
    report = full_album.update()
    assert (report.encoded, report.reused) == (0, 5)
    assert full_album.ids() == before


def test_a_picture_that_comes_back_changed_has_its_old_id_and_is_encoded(full_album):
    before = full_album.ids()
    (full_album.pictures / "a.png").unlink()
    full_album.update()
    full_album.draw("a.png", seed=2)
    assert full_album.update().encoded == 1
    assert full_album.ids() == before


def test_an_id_is_never_given_to_another_picture(full_album):
    before = full_album.ids()
    (full_album.pictures / "trip/e.bmp").unlink()
    full_album.update()
    full_album.draw("trip/new.bmp")
    full_album.update()
    assert full_album.ids()["trip/new.bmp"] not in before.values()


@pytest.mark.parametrize("how", ["vanished", "emptied"])
def test_a_folder_that_vanished_or_was_emptied_loses_nothing(full_album, how):
    shutil.move(full_album.pictures, full_album.folder / "drive")
    if how == "emptied":
        full_album.pictures.mkdir()
    before = tree(full_album.data)
    with pytest.raises(RootEmptied) as caught:
        full_album.update()
    assert caught.value.count == 5
    assert "--allow-empty" in caught.value.en
    assert "--allow-empty" in caught.value.zh
    assert tree(full_album.data).keys() == before.keys()
    assert full_album.open().index.count() == 5
    shutil.rmtree(full_album.pictures, ignore_errors=True)
    shutil.move(full_album.folder / "drive", full_album.pictures)
    assert full_album.update().reused == 5


def test_one_vanished_folder_of_two_is_a_warning(album):
    album.draw("one/a.png", "two/b.png")
    album.build(album.pictures / "one", album.pictures / "two")
    shutil.rmtree(album.pictures / "one")
    album.draw("two/c.png")
    report = album.update()
    assert [(type(w), w.path) for w in report.warnings] == [(RootEmptied, album.pictures / "one")]
    assert (report.seen, report.encoded, report.removed) == (2, 1, 0)
    assert album.names() == ["one/a.png", "two/b.png", "two/c.png"]


def test_an_empty_folder_is_believed_when_asked_to(album):
    album.draw("one/a.png", "two/b.png")
    album.build(album.pictures / "one", album.pictures / "two")
    shutil.rmtree(album.pictures / "one")
    report = album.update(allow_empty=[album.pictures / "one"])
    assert (report.removed, report.warnings) == (1, ())
    assert album.names() == ["two/b.png"]


def test_a_library_may_be_emptied_when_asked_to(full_album):
    shutil.rmtree(full_album.pictures)
    report = full_album.update(allow_empty=[full_album.pictures])
    assert (report.seen, report.removed) == (0, 5)
    assert full_album.names() == []
    assert full_album.problems() == []


def test_a_folder_of_broken_files_only_gives_an_empty_library(album):
    (album.pictures / "broken.jpg").write_bytes(b"")
    report = album.build()
    assert (report.seen, report.failed) == (1, 1)
    assert album.names() == []
    assert album.problems() == []


def test_the_report_forgets_a_broken_file_that_is_gone_even_if_it_was_the_last_one(album):
    (album.pictures / "broken.jpg").write_bytes(b"")
    album.build()
    (album.pictures / "broken.jpg").unlink()
    with pytest.raises(NoPictures):
        album.update()
    assert album.failures() == {}


def test_another_encoder_is_refused_and_nothing_changes(full_album):
    full_album.draw("new.png")
    before = tree(full_album.layout.builds)
    with pytest.raises(IndexMismatch) as caught:
        full_album.build(encoders=["starter"])
    assert "--encoder hash" in caught.value.en
    assert "--encoder hash" in caught.value.zh
    assert tree(full_album.layout.builds) == before
    assert full_album.problems() == []
    assert full_album.build(encoders=()).encoded == 1, "unless told otherwise a run uses the library's own"


def test_an_unknown_encoder_is_refused_with_the_known_ones(album):
    album.draw("a.png")
    with pytest.raises(UnknownEncoder, match="starter"):
        album.build(encoders=["clip"])
    assert album.build().encoded == 1


@pytest.mark.parametrize("command", ["update", "rebuild", "problems", "open"])
def test_without_a_library_the_command_that_makes_one_is_named(album, command):
    with pytest.raises(NoIndex, match="xuntu index build PATH"):
        getattr(album, command)()
    assert not album.data.exists()


def test_every_picture_has_a_thumbnail_within_its_square(full_album):
    Image.new("RGB", (2000, 500), "red").save(full_album.pictures / "wide.jpg")
    full_album.update()
    for name, row in full_album.rows().items():
        with Image.open(full_album.layout.thumbnail(row.sha256)) as thumbnail:
            assert (thumbnail.format, thumbnail.size) == ("WEBP", (400, 100) if name == "wide.jpg" else (48, 36))


def test_copies_of_one_picture_are_pictures_of_their_own(album):
    album.draw("a.png")
    for n in range(5):
        shutil.copy(album.pictures / "a.png", album.pictures / f"copy{n}.png")
    album.build()
    (image_ids, scores), *_ = album.neighbours(k=6)
    assert image_ids == sorted(album.ids().values())
    assert scores == pytest.approx([1.0] * 6, abs=1e-5)


def test_many_small_updates_are_merged_and_the_answers_stay(album, heavy):
    album.draw("kept0.png", "gone.png", "changed.png")
    album.build()
    for n in range(1, 16):
        album.draw(f"kept{n}.png")
        if n == 4:
            (album.pictures / "gone.png").rename(album.folder / "gone.png")
        if n == 7:
            album.redraw("changed.png")
        album.update()
    shards = album.layout.vectors("hash")
    assert len(list(shards.glob("*.ids.npy"))) == 16
    before, ids = album.neighbours(), album.ids()
    (album.folder / "gone.png").rename(album.pictures / "gone.png")
    (album.pictures / "kept15.png").rename(album.folder / "kept15.png")
    album.draw("last.png")
    album.update()
    assert len(list(shards.glob("*.ids.npy"))) == 1
    assert album.problems() == []
    (album.folder / "kept15.png").rename(album.pictures / "kept15.png")
    for name in ("gone.png", "last.png"):
        (album.pictures / name).unlink()
    report = album.update()
    assert (report.encoded, report.reused) == (0, 17), "the vector of a removed picture survives a merge"
    assert (album.neighbours(), album.ids()) == (before, ids)


def test_an_index_made_again_from_the_stored_vectors_answers_the_same(full_album):
    before = full_album.neighbours()
    shutil.move(full_album.pictures, full_album.folder / "away")  # no picture is read
    report = full_album.rebuild()
    shutil.move(full_album.folder / "away", full_album.pictures)
    assert (report.encoded, report.reused) == (0, 5)
    assert full_album.open().manifest.build == report.build
    assert full_album.neighbours() == before


def test_shards_of_an_interrupted_run_are_cleared_away(full_album):
    store = VectorStore(full_album.layout.vectors("hash"), 32)
    store.write(7, np.array([99], np.int64), np.eye(1, 32, dtype=np.float32))
    (store.folder / ".00008.npy.4711.tmp").write_bytes(b"cut sho")
    full_album.update()
    assert sorted(path.name for path in store.folder.iterdir()) == ["00000.ids.npy", "00000.npy"]
    assert full_album.problems() == []
