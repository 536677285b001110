"""Regions of pictures in a library: made where they are wanted, kept as the pictures change, forgotten on demand."""

import sqlite3

import numpy as np
import pytest
from PIL import Image

from indexer.library.builds.current import read_current
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import open_encoders
from indexer.library.part_keys import numbers_of, owners_of, pack_key
from indexer.pipeline.commands import BuildOptions, build, compact
from models.pictures.parts import FIRST_REGION, list_regions

SIZE = (120, 90)
COUNT = len(list_regions(*SIZE))
EVERY = list(range(FIRST_REGION, FIRST_REGION + COUNT))


def draw(path, seed: int, size: tuple[int, int] = SIZE) -> None:
    """Draw a picture of sixty blocks, each of another colour."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path)


def region_keys(album) -> dict[str, list[int]]:
    """Return the numbers of the parts that the index in use has, by the names of their pictures."""
    names, opened = {one: name for name, one in album.ids().items()}, album.open()
    keys = opened.index.parts.list_ids() if opened.manifest.parts else np.empty(0, np.int64)
    found: dict[str, list[int]] = {}
    for owner, number in zip(owners_of(keys).tolist(), numbers_of(keys).tolist(), strict=True):
        found.setdefault(names[owner], []).append(number)
    return found


def run(album, *folders, regions: bool | None = None, **options):
    return build(album.settings(regions=regions), folders, BuildOptions(**options))


@pytest.fixture
def pictures(album):
    """An album of two pictures, one too small to have regions, and a long one, built without regions."""
    for seed, name in enumerate(("a.png", "trip/b.png")):
        draw(album.pictures / name, seed)
    album.draw("small.png")
    draw(album.pictures / "long.png", 7, (40, 200))
    album.build()
    return album


def test_regions_are_made_of_what_is_there_and_of_what_comes_until_they_are_not_wanted(pictures):
    before = region_keys(pictures)
    assert list(before) == ["long.png"]
    report = run(pictures, regions=True)
    assert (report.encoded, report.reused) == (0, 4)
    assert "regions" in report.stages
    assert region_keys(pictures) == {**before, "a.png": EVERY, "trip/b.png": EVERY}
    draw(pictures.pictures / "c.png", 9)
    draw(pictures.pictures / "a.png", 10)
    assert run(pictures).encoded == 2  # as it was: the library knows
    assert region_keys(pictures) == {**before, "a.png": EVERY, "trip/b.png": EVERY, "c.png": EVERY}
    assert pictures.problems() == []
    built = run(pictures).build
    assert run(pictures, regions=True).build == built
    assert run(pictures, regions=False).encoded == 0
    assert region_keys(pictures) == before
    assert pictures.problems() == []
    draw(pictures.pictures / "d.png", 11)
    run(pictures)
    assert region_keys(pictures) == before
    compact(pictures.settings())
    connection = sqlite3.connect(pictures.layout.catalog)
    assert connection.execute("SELECT sum(rows) FROM shards").fetchone() == (6 + len(before["long.png"]),)
    assert pictures.problems() == []


def test_a_picture_is_found_by_each_of_its_regions_and_the_whole_comes_first(pictures):
    run(pictures, regions=True)
    opened, catalog = pictures.open(), Catalog(pictures.layout.catalog)
    (encoder,) = open_encoders(pictures.layout, catalog.list_encoders(), pictures.settings().runtime).values()
    image_id = pictures.ids()["a.png"]
    places = catalog.part_locations(encoder.id)
    boxes = list_regions(*SIZE)
    known = {number: part.box for (_, number), part in catalog.get_parts([image_id]).items()}
    assert known == dict(zip(EVERY, boxes, strict=True))
    for number in EVERY:
        at = int(np.flatnonzero(places.ids == pack_key(image_id, number))[0])
        query = encoder.store.gather(places[at : at + 1])
        found = opened.index.search(query, 1)
        assert found.ids.tolist() == [[image_id]]
        assert opened.index.best_parts(query, np.array([image_id])).tolist() == [number]
        assert found.scores[0, 0] == pytest.approx(opened.index.score(query, np.array([image_id]))[0], abs=1e-5)
    whole = opened.index.fetch(np.array([image_id]))
    assert opened.index.best_parts(whole, np.array([image_id])).tolist() == [0]
    catalog.close()


def test_what_stops_while_regions_are_made_costs_nothing_and_is_gone_on_with(pictures, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("indexer.pipeline.encoding.RegionsRun.run", stop)
        with pytest.raises(KeyboardInterrupt):
            run(pictures, regions=True)
    pictures.rebuild()
    assert list(region_keys(pictures)) == ["long.png"]
    run(pictures)
    assert sorted(region_keys(pictures)) == ["a.png", "long.png", "trip/b.png"]
    assert pictures.problems() == []


def test_the_command_says_whether_regions_are_made(pictures, processes):
    pictures.ask("update", "--regions")
    assert sorted(region_keys(pictures)) == ["a.png", "long.png", "trip/b.png"]
    pictures.ask("update")
    assert [one.count for one in read_current(pictures.layout).parts] == [
        2 * COUNT + len(region_keys(pictures)["long.png"])
    ]
    pictures.ask("update", "--no-regions")
    assert list(region_keys(pictures)) == ["long.png"]
