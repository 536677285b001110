"""A library with an approximate index, through the front door: built, added to, searched, rolled back, compacted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from indexer.errors import ClockJumped, RecallMissed
from indexer.library.builds.current import read_current, roll_back
from indexer.library.index.selection import IdSelection
from indexer.pipeline.commands import build, compact, rebuild, verify
from indexer.pipeline.run import BuildOptions

pytestmark = pytest.mark.usefixtures("heavy")

PICTURES = 1_100  # more than the fewest that an inverted file is trained on


@pytest.fixture
def large(album):
    album.draw(*(f"{n % 7}/{n:04}.png" for n in range(PICTURES)))
    return album


def test_an_approximate_index_grows_and_shrinks_with_its_library(large, depth):
    settings = large.settings(index={"recipe": "ivf", "recall": 0.9})
    report = build(settings, [large.pictures], BuildOptions(encoders=["hash"]))
    assert report.encoded == PICTURES
    (entry,) = read_current(large.layout).indexes
    assert entry.recipe == "ivf"
    assert set(entry.tuning["recalls"]) == {"picture@10", "picture@100", "text@10", "text@100"}
    assert min(entry.tuning["recalls"].values()) >= 0.9
    first = {file.file: (large.layout.builds / report.build / file.file).stat().st_ino for file in entry.files}

    def ask() -> None:
        """Every tenth picture finds itself, and as many as there are can be paged to."""
        opened = large.open()
        ids = opened.index.list_ids()
        found = opened.index.search(opened.index.fetch(ids[::10]), 1, kind="picture")
        assert (found.scores > 1 - 1e-5).mean() > 0.97
        everything = opened.index.search(opened.index.fetch(ids[:1]), len(ids))
        assert sorted(everything.ids[0].tolist()) == ids.tolist()
        few = opened.index.search(opened.index.fetch(ids[:1]), 50, where=IdSelection(ids[:60]))
        assert set(few.ids[0].tolist()) <= set(ids[:60].tolist())
        opened.catalog.close()

    ask()
    large.draw("new/1.png", "new/2.png")
    (large.pictures / "0/0000.png").unlink()
    (large.pictures / "1/0001.png").rename(large.pictures / "new/moved.png")
    report = build(settings, (), BuildOptions())
    assert (report.encoded, report.removed) == (2, 2), "what moved is removed here and found there"
    (entry,) = read_current(large.layout).indexes
    assert entry.count == PICTURES + 1
    second = {file.file: (large.layout.builds / report.build / file.file).stat().st_ino for file in entry.files}
    kept = {name for name in first if second.get(name) == first[name]}
    assert any(name.endswith("codes.faiss") for name in kept), "the codes of the first build are taken over"
    ask()
    assert verify(settings) == []
    assert roll_back(large.layout).indexes[0].count == PICTURES
    ask()
    assert build(settings, (), BuildOptions()).encoded == 0
    assert len(large.names()) == PICTURES + 1
    assert compact(settings).forgotten == 1
    ask()
    assert rebuild(settings).reused == PICTURES + 1
    assert verify(settings) == []


def test_an_index_that_misses_the_recall_says_so(large, depth):
    settings = large.settings(index={"recipe": "ivf", "recall": 1.0})
    report = build(settings, [large.pictures], BuildOptions(encoders=["hash"]))
    (entry,) = read_current(large.layout).indexes
    missed = [warning for warning in report.warnings if isinstance(warning, RecallMissed)]
    assert bool(missed) == entry.tuning["target_missed"] == (min(entry.tuning["recalls"].values()) < 1.0)


def test_a_library_that_outgrows_exact_search_goes_over(album):
    album.draw(*(f"{n:04}.png" for n in range(1_050)))
    album.build()
    assert read_current(album.layout).indexes[0].recipe == "flat"
    before = album.ids()
    settings = album.settings(index={"recipe": "ivf", "recall": 0.9})
    album.draw("new.png")
    assert build(settings, (), BuildOptions()).encoded == 1
    assert read_current(album.layout).indexes[0].recipe == "ivf"
    assert album.ids().items() >= before.items()


def test_a_clock_that_was_put_back_is_said_and_harms_nothing(full_album):
    manifest = read_current(full_album.layout)
    later = datetime.now(UTC) + timedelta(days=400)
    changed = replace(manifest, created_at=later.isoformat(timespec="seconds"))
    (full_album.layout.builds / manifest.build / "manifest.json").write_bytes(changed.to_json())
    full_album.draw("new.png")
    report = full_album.update()
    assert [type(warning) for warning in report.warnings] == [ClockJumped]
    assert str(later.year) in report.warnings[0].zh
    assert len(full_album.names()) == 6
    assert roll_back(full_album.layout).build == manifest.build
    assert np.array_equal(full_album.open().index.list_ids(), np.arange(1, 6))
