"""Long pictures in a library: their parts have vectors, which follow whatever becomes of the pictures."""

import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image

from indexer.library.builds.current import read_current
from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import open_encoders, rewrite_shards
from indexer.library.part_keys import numbers_of, owners_of
from indexer.pipeline.commands import compact

STRIP, PARTS = (40, 320), 10  # size of a strip, and how many parts one has


def draw_strip(path, seed: int) -> None:
    """Draw a tall picture of eight blocks, each of another colour."""
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 1, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize(STRIP, Image.Resampling.NEAREST).save(path)


def part_keys(album) -> dict[str, list[int]]:
    """Return the numbers of the parts that the index in use has, by the names of their pictures."""
    names = {one: name for name, one in album.ids().items()}
    opened = album.open()
    keys = opened.index.parts.list_ids() if opened.manifest.parts else np.empty(0, np.int64)
    found: dict[str, list[int]] = {}
    for owner, number in zip(owners_of(keys).tolist(), numbers_of(keys).tolist(), strict=True):
        found.setdefault(names[owner], []).append(number)
    return found


def find(album, path, part: int | None = None) -> list[tuple[str, int]]:
    """Ask with the vector of a picture, or of a part of it; return who is as near as can be, and by which part."""
    opened, names = album.open(), {one: name for name, one in album.ids().items()}
    catalog = opened.catalog
    (encoder,) = open_encoders(album.layout, catalog.list_encoders(), album.settings().runtime).values()
    row = album.rows()[path]
    if part is None:
        query = opened.index.fetch(np.array([row.id]))
    else:
        places = catalog.part_locations(encoder.id)
        at = int(np.flatnonzero(places.ids == (row.id << 16 | part))[0])
        query = encoder.store.gather(places[at : at + 1])
    found = opened.index.search(query, len(opened.index))
    ids = found.ids[0][found.scores[0] > 0.9999]
    parts = opened.index.best_parts(query, ids)
    return [(names[one], number) for one, number in zip(ids.tolist(), parts.tolist(), strict=True)]


@pytest.fixture
def strips(album):
    """An album of two strips, a copy of one of them, and two other pictures."""
    album.draw("a.png", "trip/b.png")
    for seed, name in enumerate(("one.png", "trip/two.png")):
        draw_strip(album.pictures / name, seed)
    shutil.copyfile(album.pictures / "one.png", album.pictures / "copy.png")
    album.build()
    return album


def test_a_long_picture_is_found_by_each_of_its_parts(strips):
    every = list(range(1, PARTS + 1))
    assert part_keys(strips) == {"one.png": every, "copy.png": every, "trip/two.png": every}
    assert set(find(strips, "one.png", 7)) >= {("one.png", 7), ("copy.png", 7)}
    assert find(strips, "trip/two.png", 3) == [("trip/two.png", 3)]
    assert ("trip/two.png", 0) in find(strips, "trip/two.png")
    assert strips.problems() == []
    manifest = read_current(strips.layout)
    assert [(one.encoder, one.count) for one in manifest.all_indexes] == [("hash", 5), ("hash.parts", 3 * PARTS)]


def test_parts_have_thumbnails_which_go_with_their_picture(strips):
    sha256 = strips.rows()["trip/two.png"].sha256
    (strips.pictures / "trip" / "two.png").unlink()
    with Image.open(strips.layout.thumbnail(sha256, 2)) as image:
        assert image.size == (40, 41)
    strips.update()
    assert sorted(part_keys(strips)) == ["copy.png", "one.png"]
    compact(strips.settings())
    assert not list(strips.layout.thumbnails.glob(f"*/{sha256}*"))
    assert strips.layout.thumbnail(strips.rows()["one.png"].sha256, PARTS).is_file()
    assert strips.problems() == []
    connection = sqlite3.connect(strips.layout.catalog)
    assert connection.execute("SELECT count(*) FROM parts").fetchone() == (PARTS,)
    assert connection.execute("SELECT count(*) FROM part_vectors").fetchone() == (PARTS,)


def test_parts_follow_what_becomes_of_their_picture(strips):
    kept, expected = strips.ids()["trip/two.png"], find(strips, "trip/two.png", 5)
    (strips.pictures / "trip" / "two.png").rename(strips.pictures / "moved.png")
    strips.update()
    assert strips.ids()["moved.png"] == kept
    assert find(strips, "moved.png", 5) == [("moved.png", part) for _, part in expected]
    draw_strip(strips.pictures / "copy.png", 9)  # another strip in the place of a copy
    draw_strip(strips.pictures / "new.png", 10)
    strips.draw("one.png")  # a picture that is not long in the place of a strip
    strips.update()
    assert sorted(part_keys(strips)) == ["copy.png", "moved.png", "new.png"]
    assert find(strips, "new.png", 8) == [("new.png", 8)]
    assert strips.problems() == []
    before = find(strips, "moved.png", 5)
    strips.rebuild()
    assert find(strips, "moved.png", 5) == before
    for name in ("copy.png", "moved.png", "new.png"):
        (strips.pictures / name).unlink()
    strips.update()
    assert read_current(strips.layout).parts == ()
    assert strips.problems() == []


def test_shards_are_merged_with_the_parts_in_them(strips):
    draw_strip(strips.pictures / "three.png", 3)
    strips.update()
    before = find(strips, "three.png", 4), find(strips, "one.png", 2)
    catalog = Catalog(strips.layout.catalog, create=True)
    (encoder,) = open_encoders(strips.layout, catalog.list_encoders(), strips.settings().runtime).values()
    rewrite_shards(catalog, encoder, catalog.list_shards(encoder.id))
    assert [shard.rows for shard in catalog.list_shards(encoder.id)] == [5 + 3 * PARTS]  # a copy has none of its own
    catalog.close()
    strips.rebuild()
    assert (find(strips, "three.png", 4), find(strips, "one.png", 2)) == before
    assert strips.problems() == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_damaged_shard_costs_no_part(strips, place):
    """The first has the vectors of whole pictures, the second those of parts."""
    before = part_keys(strips)
    files = sorted(path for path in (strips.data / "vectors" / "hash").glob("*.npy") if ".ids" not in path.name)
    files[place].write_bytes(files[place].read_bytes()[:-40])
    report = strips.update()
    assert report.encoded + report.reused == 5
    assert part_keys(strips) == before
    assert strips.problems() == []


def test_an_encoder_that_is_added_sees_the_parts_too(strips, heavy):
    report = strips.update(encoders=["hash", "starter"])
    assert report.failed == 0
    assert [(one.encoder, one.count, one.dim) for one in read_current(strips.layout).parts] == [
        ("hash.parts", 3 * PARTS, 32),
        ("starter.parts", 3 * PARTS, 256),
    ]
    assert strips.problems() == []
    strips.update(encoders=["starter"], dropped=["hash"])
    assert [one.encoder for one in read_current(strips.layout).parts] == ["starter.parts"]


def test_long_pictures_of_a_library_from_before_get_parts_and_nothing_else_is_encoded(strips):
    expected = find(strips, "trip/two.png", 3)
    to_format_5(strips)
    assert strips.open().index.search(np.eye(1, 32, dtype=np.float32), 2).ids.shape == (1, 2)  # it opens, as it was
    report = strips.update()
    assert (report.encoded, report.reused) == (0, 5)
    assert find(strips, "trip/two.png", 3) == expected
    assert strips.problems() == []
    build = strips.update().build
    assert build == report.build


def test_what_stops_before_parts_are_made_costs_no_picture(strips, monkeypatch):
    to_format_5(strips)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("indexer.pipeline.encoding.PartsRun.run", stop)
        with pytest.raises(KeyboardInterrupt):
            strips.update()
    strips.rebuild()
    assert (len(strips.names()), part_keys(strips)) == (5, {})
    strips.update()
    assert sorted(part_keys(strips)) == ["copy.png", "one.png", "trip/two.png"]
    assert strips.problems() == []


def test_parts_of_what_cannot_be_read_now_are_made_another_time(strips):
    to_format_5(strips)
    (strips.pictures / "trip").rename(strips.folder / "away")
    (strips.pictures / "trip").mkdir()
    strips.update()
    (strips.pictures / "trip").rmdir()
    (strips.folder / "away").rename(strips.pictures / "trip")
    strips.update()
    assert sorted(part_keys(strips)) == ["copy.png", "one.png", "trip/two.png"]


def test_a_picture_that_breaks_off_and_a_thin_one_have_no_parts(album):
    draw_strip(album.pictures / "whole.jpg", 4)
    draw_strip(album.pictures / "cut.jpg", 5)
    data = (album.pictures / "cut.jpg").read_bytes()
    (album.pictures / "cut.jpg").write_bytes(data[: len(data) * 9 // 10])
    Image.new("RGB", (900, 20), "red").save(album.pictures / "thin.png")
    album.build()
    assert (len(album.names()), list(part_keys(album))) == (3, ["whole.jpg"])


def to_format_5(album) -> None:
    """Leave the library as the version before left it, without parts."""
    connection = sqlite3.connect(album.layout.catalog)
    connection.executescript(
        "DROP INDEX contents_videos; ALTER TABLE contents DROP COLUMN duration_ms; DROP INDEX contents_long;"
        "DROP TRIGGER vectors_deleted; DROP TABLE part_vectors; DROP TABLE parts;"
        "PRAGMA user_version = 5;"
        "UPDATE meta SET value = '' WHERE key = 'seal';"
    )
    connection.close()
    assert len(SCRIPTS) == 8
    Catalog(album.layout.catalog, create=True).close()
