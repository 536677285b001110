"""A library of several encoders: each sees every picture, and none is added or dropped without a word."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.errors import MountGone, VectorsLost
from indexer.library.builds.current import read_current, roll_back
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import EncoderNotInLibrary, EncodersLeftOut, IndexMismatch, LastEncoder
from indexer.library.sources.items import Root
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import ScanContext
from indexer.pipeline.read import CopyRecord, EncoderView, ImageDataset, ImageRecord
from models.encoders.registry import get_preprocess, get_spec, load_image_encoder

BOTH = ["hash", "starter"]


def held_by(album) -> dict[str, dict[str, np.ndarray]]:
    """Return encoder -> path -> vector, of the indexes in use."""
    opened = album.open()
    held = {}
    for one in opened.indexes:
        ids = one.index.list_ids()
        rows = opened.catalog.get_images(ids.tolist())
        vectors = one.index.fetch(ids)
        held[one.entry.encoder] = {
            os.path.relpath(rows[image_id].place, album.pictures): vectors[n] for n, image_id in enumerate(ids.tolist())
        }
    opened.catalog.close()
    return held


def assert_same(album, fresh) -> None:
    """Check that two libraries have the same encoders, in order, and the same vectors up to rounding."""
    found, expected = held_by(album), held_by(fresh)
    assert list(found) == list(expected)
    for encoder, vectors in expected.items():
        assert found[encoder].keys() == vectors.keys()
        for name, vector in vectors.items():
            np.testing.assert_allclose(found[encoder][name], vector, rtol=0, atol=1e-5, err_msg=f"{encoder} {name}")


def stored(album) -> dict[str, int]:
    """Return encoder -> rows in its vector store."""
    folders = (album.data / "vectors").iterdir()
    return {folder.name: sum(len(np.load(path)) for path in folder.glob("?????.npy")) for folder in folders}


@pytest.fixture
def pair(album):
    """An album of five pictures, built with two encoders."""
    album.draw("a.png", "b.jpg", "c.webp", "trip/d.png", "trip/e.bmp")
    report = album.build(encoders=BOTH)
    assert (report.encoded, report.encoders) == (5, ("hash", "starter"))
    return album


def fresh(album, encoders=BOTH):
    """Build a library of an album's pictures from scratch, to compare with."""
    other = type(album)(album.folder / "fresh")
    shutil.copytree(album.pictures, other.pictures, dirs_exist_ok=True)
    other.build(encoders=encoders)
    return other


# One run for all


def test_each_index_holds_what_its_encoder_sees(pair):
    manifest = read_current(pair.layout)
    held = [(index.encoder, index.dim, index.count) for index in manifest.indexes]
    assert held == [("hash", 32, 5), ("starter", 256, 5)]
    held = held_by(pair)
    for name in BOTH:
        encoder, preprocess = load_image_encoder(name), get_preprocess(name)
        for path in ("a.png", "trip/e.bmp"):
            with Image.open(pair.pictures / path) as image:
                vector = encoder.encode_image(preprocess(image.convert("RGB"))[None])[0]
            np.testing.assert_allclose(held[name][path], vector, rtol=0, atol=1e-5)
    assert pair.problems() == []


def test_a_picture_is_read_once_for_all_who_have_not_seen_it(album):
    data = album.draw("a.jpg").read_bytes()
    source = open_source(Root(id=1, path=album.pictures))
    (item,) = source.scan(ScanContext())
    known = {len(data): frozenset([hashlib.sha256(data).hexdigest()])}

    def read(*seen):
        views = {
            name: EncoderView(get_preprocess(name), get_spec(name).image_size, known if has_seen else {})
            for name, has_seen in zip(BOTH, seen, strict=True)
        }
        return ImageDataset([item], {1: source}, views, album.layout)[0]

    new, added, copy = read(False, False), read(True, False), read(True, True)
    assert isinstance(new, ImageRecord)
    sides = {name: get_spec(name).image_size for name in BOTH}
    assert {name: pixels.shape for name, pixels in new.pixels.items()} == {
        name: (1, side, side, 3) for name, side in sides.items()
    }
    assert new.content is not None
    assert isinstance(added, ImageRecord)
    assert list(added.pixels) == ["starter"]
    assert np.array_equal(added.pixels["starter"], new.pixels["starter"])
    assert added.content is None, "the catalog has it"
    assert isinstance(copy, CopyRecord)


def test_a_second_run_finds_nothing_to_do(pair):
    before = pair.open().manifest.build
    report = pair.update()
    assert (report.build, report.encoded, report.reused) == (before, 0, 5)
    assert pair.update(encoders=BOTH).build == before


def test_changes_reach_every_index(pair, heavy):
    before = pair.ids()
    (pair.pictures / "a.png").unlink()
    (pair.pictures / "b.jpg").rename(pair.pictures / "moved.jpg")
    pair.redraw("c.webp")
    shutil.copy(pair.draw("new.png"), pair.pictures / "copy.png")
    report = pair.update()
    assert (report.encoded, report.removed) == (2, 2)
    assert pair.ids()["moved.jpg"] == before["b.jpg"]
    assert stored(pair)["hash"] == stored(pair)["starter"]
    assert_same(pair, fresh(pair))
    assert pair.problems() == []


def test_the_index_can_be_made_again_without_encoders(pair):
    before = held_by(pair)
    pair.rebuild()
    after = held_by(pair)
    assert list(after) == list(before)
    assert all(np.array_equal(after[name]["a.png"], before[name]["a.png"]) for name in BOTH)


def test_compacting_forgets_in_every_store(pair, processes):
    (pair.pictures / "a.png").unlink()
    pair.update()
    assert pair.ask("compact")["forgotten"] == 1
    assert stored(pair) == {"hash": 4, "starter": 4}
    assert {name: len(vectors) for name, vectors in held_by(pair).items()} == {"hash": 4, "starter": 4}
    assert pair.problems() == []


def test_everything_is_encoded_again_by_all(pair):
    before, ids = held_by(pair), pair.ids()
    report = pair.update(reencode=True)
    assert (report.encoded, report.encoders) == (5, ("hash", "starter"))
    assert pair.ids() == ids
    np.testing.assert_allclose(held_by(pair)["starter"]["b.jpg"], before["starter"]["b.jpg"], rtol=0, atol=1e-5)
    assert stored(pair) == {"hash": 5, "starter": 5}


@pytest.mark.parametrize("encoder", BOTH)
def test_what_is_damaged_is_encoded_again_by_its_own_encoder(pair, encoder, heavy):
    (path,) = pair.layout.vectors(encoder).glob("?????.npy")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert pair.problems() == [f"{path.name} has changed since it was written"]
    report = pair.update()
    assert [type(warning) for warning in report.warnings] == [VectorsLost]
    assert report.encoded == 5
    other = next(name for name in BOTH if name != encoder)
    assert len(list(pair.layout.vectors(other).glob("?????.npy"))) == 1
    assert_same(pair, fresh(pair))
    assert pair.problems() == []


@pytest.mark.parametrize("encoder", BOTH)
def test_a_flipped_bit_of_any_index_is_found(pair, encoder):
    manifest = read_current(pair.layout)
    entry = next(index for index in manifest.indexes if index.encoder == encoder)
    path = pair.layout.builds / manifest.build / entry.files[0].file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert pair.problems() == [f"{path.name} of build {manifest.build} has changed since it was written"]
    pair.update()
    assert pair.problems() == []


# Adding


def test_a_further_encoder_is_added_to_what_is_there(full_album, heavy):
    before, ids = held_by(full_album)["hash"], full_album.ids()
    report = full_album.update(encoders=BOTH)
    assert (report.encoded, report.encoders) == (5, ("hash", "starter"))
    assert full_album.ids() == ids
    assert len(list(full_album.layout.vectors("hash").glob("?????.npy"))) == 1, "the first encoded nothing again"
    after = held_by(full_album)["hash"]
    assert all(np.array_equal(after[name], vector) for name, vector in before.items())
    assert_same(full_album, fresh(full_album))
    assert full_album.problems() == []
    assert full_album.update().encoded == 0


def test_the_first_that_is_named_is_the_main_one(pair):
    ids = pair.ids()
    report = pair.update(encoders=["starter", "hash"])
    assert report.encoded == 0
    assert [index.encoder for index in read_current(pair.layout).indexes] == ["starter", "hash"]
    assert pair.open().entry.encoder == "starter"
    assert pair.ids() == ids
    pair.draw("new.png")
    pair.update()
    assert pair.open().entry.encoder == "starter", "the order is the library's from then on"


def test_the_build_in_use_answers_until_an_added_encoder_has_seen_everything(full_album, heavy):
    _begin_to_add(full_album)
    before = full_album.names()
    full_album.rebuild()
    assert [index.encoder for index in read_current(full_album.layout).indexes] == ["hash"]
    assert full_album.names() == before
    assert full_album.problems() == ["5 pictures have no vector of starter"]
    report = full_album.update()
    assert (report.encoded, report.encoders) == (5, ("hash", "starter"))
    assert full_album.problems() == []


def _begin_to_add(album) -> None:
    """Leave the catalog as a run does that is killed before an added encoder has encoded anything."""
    catalog = Catalog(album.layout.catalog, create=True)
    with catalog.writing():
        catalog.put_encoders([(name, get_spec(name).fingerprint) for name in BOTH])
    catalog.close()


def test_pictures_out_of_sight_stay_with_the_encoders_that_have_seen_them(full_album, heavy):
    catalog = Catalog(full_album.layout.catalog, create=True)
    with catalog.writing():
        catalog.put_mounts(catalog.list_roots()[0], ["trip/"])  # as if another drive had been there
    catalog.close()
    shutil.move(full_album.pictures / "trip", full_album.folder / "drive")
    (full_album.pictures / "trip").mkdir()
    report = full_album.update(encoders=BOTH)
    assert [type(warning) for warning in report.warnings] == [MountGone]
    assert {name: len(vectors) for name, vectors in held_by(full_album).items()} == {"hash": 5, "starter": 3}
    (full_album.pictures / "trip").rmdir()
    shutil.move(full_album.folder / "drive", full_album.pictures / "trip")
    assert full_album.update().encoded == 2
    assert {name: len(vectors) for name, vectors in held_by(full_album).items()} == {"hash": 5, "starter": 5}
    assert full_album.problems() == []


def test_copies_share_the_vectors_of_every_encoder(pair):
    for n in range(3):
        shutil.copy(pair.pictures / "a.png", pair.pictures / f"copy{n}.png")
    assert pair.update().encoded == 0
    assert stored(pair) == {"hash": 5, "starter": 5}


# Dropping


def test_an_encoder_that_is_not_named_is_not_dropped(pair):
    for named in (["hash"], ["starter"]):
        with pytest.raises(EncodersLeftOut) as caught:
            pair.update(encoders=named)
        left = next(name for name in BOTH if name not in named)
        assert caught.value.left_out == (left,)
        assert f"--drop-encoder {left}" in caught.value.en
        assert f"--drop-encoder {left}" in caught.value.zh
    assert stored(pair) == {"hash": 5, "starter": 5}
    assert pair.problems() == []


def test_an_encoder_is_dropped_when_asked_and_said_so(pair, processes):
    done = pair.command("update", "--data", pair.data, "--drop-encoder", "hash")
    assert done.returncode == 0, done.stderr
    assert "No longer in the library, their vectors deleted: hash." in done.stdout
    assert stored(pair) == {"starter": 5}
    assert_same(pair, fresh(pair, ["starter"]))
    assert pair.problems() == []
    report = pair.update()
    assert (report.encoded, report.encoders, report.dropped) == (0, ("starter",), ())


def test_a_dropped_encoder_can_be_rolled_back_to_and_added_again(pair, heavy):
    pair.update(dropped=["starter"])
    pair.draw("new.png")
    roll_back(pair.layout)
    assert list(held_by(pair)) == BOTH, "a build holds all it needs"
    assert pair.update().encoders == ("hash",)
    report = pair.update(encoders=BOTH)
    assert (report.encoded, report.encoders) == (6, ("hash", "starter"))
    assert_same(pair, fresh(pair))
    assert pair.problems() == []


def test_the_last_encoder_stays_and_only_what_is_there_is_dropped(pair):
    with pytest.raises(LastEncoder):
        pair.update(dropped=BOTH)
    with pytest.raises(EncoderNotInLibrary, match="hash, starter"):
        pair.update(dropped=["dinov2-base"])
    assert pair.problems() == []


def test_going_over_to_another_encoder_replaces_all(pair):
    report = pair.update(encoders=["starter"], reencode=True)
    assert (report.encoded, report.encoders) == (5, ("starter",))
    assert stored(pair) == {"starter": 5}
    assert pair.problems() == []


def test_other_weights_of_one_of_several_are_refused(pair):
    catalog = Catalog(pair.layout.catalog, create=True)
    with catalog.writing():
        catalog._connection.execute("UPDATE encoders SET fingerprint = 'other' WHERE name = 'starter'")
    catalog.close()
    with pytest.raises(IndexMismatch, match="starter"):
        pair.update()


# From the command line


def test_encoders_are_named_by_flags_or_in_the_environment(album, processes):
    album.draw("a.png")
    done = album.command("build", album.pictures, "--data", album.data, XUNTU_ENCODER="hash, starter")
    assert done.returncode == 0, done.stderr
    assert "Encoders: hash, starter." in done.stdout
    stats = album.ask("stats")
    assert (stats["encoder"], stats["pictures"]) == ("hash", 1)
    assert [(one["encoder"], one["pictures"], one["dim"]) for one in stats["encoders"]] == [
        ("hash", 1, 32),
        ("starter", 1, 256),
    ]
    assert "starter (1 pictures, 256 dimensions" in album.command("stats", "--data", album.data).stdout
    done = album.command("update", "--data", album.data, "--encoder", "starter", "--encoder", "hash", "--json")
    assert done.returncode == 0, done.stderr
    assert album.ask("stats")["encoder"] == "starter"


def test_runs_killed_at_random_moments_lose_nothing(tmp_path, processes, depth):
    program = Path(__file__).resolve().parents[1] / "benchmarks" / "kills.py"
    named = [flag for name in BOTH for flag in ("--encoder", name)]
    command = [sys.executable, program, tmp_path / "album", "--kills", "3", "--seed", "2", *named]
    environment = {**os.environ, "PYTHONPATH": str(program.parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["openable"] == 3
