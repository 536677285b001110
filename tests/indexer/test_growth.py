"""The first build, published before all pictures are encoded: by counts, and never in the way of what comes after."""

import shutil
import signal
import subprocess
import sys

import pytest

from indexer.library.builds.current import read_current, roll_back
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import NoIndex, NothingToRollBack
from indexer.pipeline.growth import is_early


def published(album) -> int:
    """Return how many pictures the build in use has; 0 without one."""
    try:
        return read_current(album.layout).indexes[0].count
    except NoIndex:
        return 0


@pytest.fixture
def many(album):
    """An album of 130 pictures, of which two are read at once."""
    album.draw(*(f"{number:03}.png" for number in range(130)))
    return album


def build(album, *, stop_at=0, on_progress=lambda: None, **options):
    """Build; return how many pictures were published whenever that changed, and the report, if it was not stopped."""
    seen = []

    def look(progress):
        on_progress()
        if published(album) != (seen[-1] if seen else 0):
            seen.append(published(album))
        if stop_at and progress.done >= stop_at:
            raise KeyboardInterrupt

    settings = album.settings(batch_size=2)
    try:
        report = album.build(settings=settings, **{"publish_at": 4, "on_progress": look, **options})
    except KeyboardInterrupt:
        report = None
    return seen, report


def test_a_first_build_is_published_early_and_at_each_tenfold(many, heavy):
    seen, report = build(many)
    assert seen[:2] == [4, 40]
    assert (report.encoded, published(many)) == (130, 130)
    assert many.build_names() == {report.build}  # parts of it are nothing to go back to
    with pytest.raises(NothingToRollBack):
        roll_back(many.layout)
    assert many.problems() == []
    assert many.update().build == report.build


def test_the_index_is_what_it_would_have_been(many, heavy):
    early, _ = build(many)
    found = many.neighbours()
    shutil.rmtree(many.layout.data)
    whole, _ = build(many, publish_at=0)
    assert (bool(early), whole) == (True, [])
    assert [ids for ids, _ in many.neighbours()] == [ids for ids, _ in found]


def test_what_was_published_of_a_run_that_was_stopped_is_searched_and_goes_on(many, heavy):
    seen, report = build(many, stop_at=10)
    assert (seen, report) == ([4], None)
    assert len(many.open().index) == 4
    seen, report = build(many)
    assert seen[0] == 4
    assert 40 in seen
    assert (published(many), many.build_names(), many.problems()) == (130, {report.build}, [])


def test_a_library_with_a_build_is_published_when_all_is_there(many, heavy):
    _, first = build(many)
    many.draw(*(f"more{number:03}.png" for number in range(300)), seed=1_000)
    seen, second = build(many)
    assert seen == [130]
    assert (published(many), read_current(many.layout).previous) == (430, first.build)
    assert roll_back(many.layout).build == first.build
    assert second.encoded == 300


def test_nothing_is_published_early_where_little_is_to_come(album, heavy):
    album.draw(*(f"{number}.png" for number in range(7)))
    seen, _ = build(album)
    assert seen == []
    assert published(album) == 7


def test_a_run_goes_on_where_nothing_can_be_published_early(many, heavy):
    in_the_way = many.layout.builds

    def hinder():
        catalog = Catalog(many.layout.catalog)
        count = catalog.counts()["indexed"]
        catalog.close()
        if not count:
            in_the_way.write_text("no folder")
        elif in_the_way.is_file():
            in_the_way.unlink()

    seen, report = build(many, on_progress=hinder)
    assert (seen, published(many), report.encoded) == ([], 130, 130)


def test_the_note_of_an_early_build_goes_with_its_run(many, heavy):
    for stop_at, expected in ((10, True), (0, False)):
        build(many, stop_at=stop_at)
        catalog = Catalog(many.layout.catalog)
        assert is_early(many.layout, catalog) is expected
        catalog.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build

data, pictures = map(Path, sys.argv[1:])

def look(progress):
    if Layout(data).current.exists():
        os.kill(os.getpid(), signal.SIGKILL)

options = BuildOptions(encoders=["hash"], publish_at=4, on_progress=look)
build(IndexerSettings(data=data, workers=0, batch_size=2), [pictures], options)
"""


@pytest.mark.parametrize("noted", [True, False])
def test_a_run_that_was_killed_once_it_had_published_goes_on(many, processes, noted):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, many.data, many.pictures], env=many.environment(), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert published(many) == 4
    if not noted:  # it was killed before it could write that down
        catalog = Catalog(many.layout.catalog, create=True)
        with catalog.writing():
            catalog.put_meta("early_build", "")
        catalog.close()
    seen, report = build(many)
    assert (seen[:2] == [4, 40]) is noted
    assert report.encoded + report.reused == 130
    assert (published(many), many.problems()) == (130, [])
    assert len(many.build_names()) == (1 if noted else 2)
