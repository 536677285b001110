"""Videos in a library: one picture each, with moments that follow whatever becomes of the file."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog
from indexer.library.duplicates.report import find_duplicates
from indexer.library.encoders import open_encoders
from indexer.library.originals import find_clip_of
from indexer.pipeline.commands import compact
from indexer.pipeline.encode import MomentsRun

SCENES = (1, 2, 3)


@pytest.fixture
def film(write_video, draw_scene):
    """Return what writes a video of scenes of two seconds each."""

    def write(path, seeds=SCENES, **options: object):
        return write_video(path, [(2, draw_scene(seed, 64, 48)) for seed in seeds], gop=10, rate=5, **options)

    return write


@pytest.fixture
def films(album, film):
    """An album of a picture, two videos, one of them in a folder, and a copy of that."""
    album.draw("a.png")
    film(album.pictures / "one.mp4")
    film(album.pictures / "trip" / "two.webm", (4, 5), codec="libvpx", options={"deadline": "realtime"})
    shutil.copyfile(album.pictures / "trip" / "two.webm", album.pictures / "copy.webm")
    album.build()
    return album


def moments(album) -> dict[str, list[int]]:
    """Return when the moments are that have vectors, in milliseconds, by the names of their videos."""
    catalog = Catalog(album.layout.catalog)
    (encoder, *_) = open_encoders(album.layout, catalog.list_encoders(), album.settings().runtime).values()
    names = {one: name for name, one in album.ids().items()}
    there = set(catalog.part_locations(encoder.id).ids.tolist())
    parts = catalog.get_parts(list(names))
    found: dict[str, list[int]] = {}
    for (image_id, number), part in sorted(parts.items()):
        if image_id << 16 | number in there:
            found.setdefault(names[image_id], []).append(part.at_ms)
    catalog.close()
    return found


FOUND = {"one.mp4": [0, 2000, 4000], "trip/two.webm": [0, 2000], "copy.webm": [0, 2000]}


def test_a_video_is_one_picture_with_moments(films):
    assert sorted(films.names()) == ["a.png", "copy.webm", "one.mp4", "trip/two.webm"]
    assert moments(films) == FOUND
    row = films.rows()["one.mp4"]
    assert (row.format, row.width, row.height, row.duration_ms) == ("mp4", 64, 48, 6000)
    opened = films.open()
    assert (len(opened.index), len(opened.index.parts.list_ids())) == (4, 7)
    for number in (0, 1, 2, 3):
        with Image.open(films.layout.thumbnail(row.sha256, number)) as image:
            assert image.size == (64, 48)
    assert films.problems() == []
    report = films.update()
    assert (report.encoded, report.reused, report.failed) == (0, 4, 0)


def test_moments_follow_what_becomes_of_their_video(films, film):
    kept, untouched = films.ids()["one.mp4"], films.ids()["trip/two.webm"]
    (films.pictures / "one.mp4").rename(films.pictures / "trip" / "moved.mp4")
    films.update()
    assert films.ids()["trip/moved.mp4"] == kept
    assert moments(films)["trip/moved.mp4"] == FOUND["one.mp4"]
    film(films.pictures / "trip" / "moved.mp4", (7, 8))
    report = films.update()
    assert (report.encoded, report.reused) == (1, 3)
    assert moments(films) == {
        **{name: FOUND[name] for name in ("trip/two.webm", "copy.webm")},
        "trip/moved.mp4": [0, 2000],
    }
    assert films.ids()["trip/two.webm"] == untouched
    assert films.problems() == []
    sha256 = films.rows()["trip/moved.mp4"].sha256
    (films.pictures / "trip" / "moved.mp4").unlink()
    films.update()
    compact(films.settings())
    assert not list(films.layout.thumbnails.glob(f"*/{sha256}*"))
    assert sorted(moments(films)) == ["copy.webm", "trip/two.webm"]
    films.rebuild()
    assert sorted(moments(films)) == ["copy.webm", "trip/two.webm"]
    assert films.problems() == []


def test_what_stops_before_moments_are_made_costs_no_video(album, film, monkeypatch):
    album.draw("a.png")
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        film(album.pictures / name, (ord(name[0]), ord(name[1])))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MomentsRun, "run", stop)
        with pytest.raises(KeyboardInterrupt):
            album.build()
    album.update()
    assert moments(album) == {name: [0, 2000] for name in ("one.mp4", "two.mp4", "three.mp4")}
    # Killed after the first of them was written: the others are made by the next run, that one is not made again.
    film(album.pictures / "four.mp4", (91, 92))
    film(album.pictures / "five.mp4", (93, 94))
    calls = []

    def flush_once(self, flush=MomentsRun.flush) -> None:
        if calls:
            raise KeyboardInterrupt
        flush(self)
        calls.append(1)

    with monkeypatch.context() as patch:
        patch.setattr("indexer.pipeline.encode._FLUSH_SECONDS", -1.0)
        patch.setattr(MomentsRun, "flush", flush_once)
        with pytest.raises(KeyboardInterrupt):
            album.update()
    connection = sqlite3.connect(album.layout.catalog)
    before = connection.execute("SELECT count(*) FROM part_vectors").fetchone()
    assert before == (8,)
    album.update()
    assert connection.execute("SELECT count(*) FROM part_vectors").fetchone() == (10,)
    connection.close()
    assert len(moments(album)) == 5
    assert album.problems() == []


def test_a_run_with_workers_finds_the_same(films, heavy, processes):
    data = films.folder / "again"
    films.build(settings=films.settings(data=data, workers=2))
    films.data, films.layout = data, type(films.layout)(data)
    assert moments(films) == FOUND


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_there(album, film, processes):
    film(album.pictures / "good.mp4")
    cut = film(album.pictures / "cut.mp4")
    cut.write_bytes(cut.read_bytes()[:-300])
    for name, data in {
        "empty.mp4": b"",
        "letter.avi": b"a letter",
        "list.mp4": b"ffconcat version 1.0\nfile good.mp4",
    }.items():
        (album.pictures / name).write_bytes(data)
    (album.pictures / "program.ts").write_text("export const GG = 1;\n" * 40)
    done = album.build()
    assert (done.seen, done.encoded, done.failed) == (5, 1, 4)
    failed = {entry["path"].rpartition("/")[2]: entry["reason_en"] for entry in album.ask("report")["failed"]}
    assert failed["empty.mp4"] == "the file is empty (0 bytes)"
    assert failed["letter.avi"] == failed["list.mp4"] == "not a video in a format that can be read"
    assert "cut short" in failed["cut.mp4"]


def test_a_video_that_breaks_off_is_kept_and_named(album, film):
    path = film(album.pictures / "a.mkv", range(20))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    film(album.pictures / "whole.mkv")
    assert album.build().failed == 0
    found = moments(album)
    assert 5 <= len(found["a.mkv"]) <= 14
    catalog = Catalog(album.layout.catalog)
    assert [(place.rpartition("/")[2], partial) for place, partial, _ in catalog.list_remarks()] == [("a.mkv", True)]
    catalog.close()
    assert album.update().reused == 2


def test_without_the_extra_videos_are_counted_as_what_it_would_read(album, film, monkeypatch):
    album.draw("a.png")
    film(album.pictures / "one.mp4")
    film(album.pictures / "two.ts", codec="mpeg2video")
    with monkeypatch.context() as patch:
        patch.setattr("models.pictures.formats.is_extra_installed", lambda package: package != "av")
        done = album.build()
        assert (done.seen, done.encoded, done.failed) == (3, 1, 2)
        catalog = Catalog(album.layout.catalog)
        assert {(reason, detail) for _, reason, detail in catalog.list_failures()} == {
            ("needs_video", "MP4"),
            ("needs_video", "TS"),
        }
        catalog.close()
    done = album.update()
    assert (done.encoded, done.failed) == (2, 0)
    assert sorted(moments(album)) == ["one.mp4", "two.ts"]


def test_videos_of_lists_are_read_and_those_of_archives_named(album, film):
    film(album.pictures / "one.mp4")
    listed = album.write_list("path,caption\npictures/one.mp4,a walk\n")
    with tarfile.open(album.folder / "shard.tar", "w") as tar:
        tar.add(album.pictures / "one.mp4", "inside.mp4")
        tar.add(album.draw("a.png"), "a.png")
    done = album.build(listed, album.folder / "shard.tar")
    assert (done.encoded, done.failed) == (2, 1)
    catalog = Catalog(album.layout.catalog)
    assert [reason for _, reason, _ in catalog.list_failures()] == ["video_elsewhere"]
    catalog.close()
    assert list(moments(album).values()) == [FOUND["one.mp4"]]


def test_an_encoder_that_is_added_sees_the_moments_too(films, heavy):
    assert films.update(encoders=["hash", "starter"]).failed == 0
    opened = films.open()
    assert [(one.encoder, one.count) for one in opened.manifest.parts] == [("hash.parts", 7), ("starter.parts", 7)]
    assert films.problems() == []


def test_dates_places_and_kinds_of_videos_are_filtered(album, film, heavy):
    metadata = {
        "com.apple.quicktime.creationdate": "2023-05-04T18:20:10+0800",
        "com.apple.quicktime.location.ISO6709": "+30.2500+120.1700/",
    }
    film(album.pictures / "a.mov", metadata=metadata, container={"movflags": "use_metadata_tags"})
    film(album.pictures / "b.mp4", (7,))
    album.draw("c.png")
    album.build()

    def found(where: str) -> list[str]:
        names = {one: name for name, one in album.ids().items()}
        catalog = Catalog(album.layout.catalog)
        ids = catalog.ids_where(parse_filter(where, catalog.fields())).tolist()
        catalog.close()
        return sorted(names[one] for one in ids)

    assert found("kind=video") == found("kind=视频") == ["a.mov", "b.mp4"]
    assert found("kind=图片") == ["c.png"]
    assert found("duration>3") == ["a.mov"]
    assert found("duration<=3") == ["b.mp4"]
    assert found("taken=2023-05-04") == ["a.mov"]
    assert found("place=杭州") == ["a.mov"]
    assert found("has_gps=yes") == ["a.mov"]


def test_a_video_and_a_picture_of_it_are_no_copies_of_each_other(album, write_video, photographs, heavy):
    scene = np.asarray(Image.open(photographs / "coffee.png").convert("RGB").resize((240, 160)))
    for name, seconds in (("a.mp4", 2), ("longer.mp4", 3)):
        write_video(album.pictures / name, [(seconds, scene)], rate=5)
    shutil.copyfile(album.pictures / "a.mp4", album.pictures / "copy.mp4")
    Image.fromarray(scene).save(album.pictures / "still.png")
    Image.fromarray(scene).save(album.pictures / "still.jpg", quality=80)
    album.build(encoders=["starter"])
    groups = [{one.picture.path for one in found} for found in find_duplicates(album.data).groups]
    assert sorted(map(sorted, groups)) == [["a.mp4", "copy.mp4"], ["still.jpg", "still.png"]]


def test_a_library_of_the_version_before_takes_its_videos_up(films):
    expected = moments(films)
    connection = sqlite3.connect(films.layout.catalog)
    connection.executescript(
        "DELETE FROM images WHERE path LIKE '%.mp4' OR path LIKE '%.webm';"
        "DELETE FROM vectors WHERE content_id NOT IN (SELECT content_id FROM images);"
        "DELETE FROM contents WHERE id NOT IN (SELECT content_id FROM images);"
        "DROP INDEX contents_videos; ALTER TABLE contents DROP COLUMN duration_ms; ALTER TABLE parts DROP COLUMN at_ms;"
        "PRAGMA user_version = 6; UPDATE meta SET value = '' WHERE key = 'seal';"
    )
    connection.close()
    assert len(SCRIPTS) == 8
    report = films.update()
    assert (report.encoded, report.reused) == (2, 2)
    assert moments(films) == expected
    assert films.problems() == []


def test_the_clip_of_a_picture_is_no_video_of_its_own(album, film):
    sign = {"com.apple.quicktime.content.identifier": "4A1F"}
    tags, first = {"movflags": "use_metadata_tags"}, {"movflags": "use_metadata_tags+faststart"}
    for name in ("IMG_1", "IMG_2", "trip/IMG_3"):
        album.draw(f"{name}.jpg")
    film(album.pictures / "IMG_1.MOV", metadata=sign, container=tags)
    film(album.pictures / "trip" / "IMG_3_HEVC.MOV", metadata=sign, container=first)
    film(album.pictures / "IMG_2.MOV")  # a film that has the name of a picture
    film(album.pictures / "IMG_4.MOV", metadata=sign, container=tags)  # a clip whose picture is not there
    done = album.build()
    assert done.failed == 0
    assert sorted(album.names()) == ["IMG_1.jpg", "IMG_2.MOV", "IMG_2.jpg", "IMG_4.MOV", "trip/IMG_3.jpg"]
    clips = {name: find_clip_of(row) for name, row in album.rows().items()}
    assert {name: clip.name for name, clip in clips.items() if clip} == {
        "IMG_1.jpg": "IMG_1.MOV",
        "trip/IMG_3.jpg": "IMG_3_HEVC.MOV",
    }
    album.draw("IMG_4.jpg")  # it comes later: then the clip is its own
    album.update(only=[album.pictures / "IMG_4.jpg"])
    assert "IMG_4.MOV" not in album.names()
    (album.pictures / "IMG_1.jpg").unlink()
    album.update(only=[album.pictures / "IMG_1.jpg"])
    assert "IMG_1.MOV" in album.names()
    before = album.names()
    assert album.update().encoded == 0
    assert album.names() == before


KILLED = """
import os, signal, sys
from indexer.pipeline import encode
encode._FLUSH_SECONDS = -1.0
flush = encode.MomentsRun.flush
def flush_and_die(run):
    flush(run)
    os.kill(os.getpid(), signal.SIGKILL)
encode.MomentsRun.flush = flush_and_die
from indexer.cli import main
main()
"""


def test_a_run_that_is_killed_among_moments_loses_nothing_and_makes_nothing_twice(album, film, heavy, processes):
    names = [f"{number}.mp4" for number in range(4)]
    for number, name in enumerate(names):
        film(album.pictures / name, (2 * number + 30, 2 * number + 31))
    command = [
        sys.executable,
        "-c",
        KILLED,
        "build",
        str(album.pictures),
        "--data",
        str(album.data),
        "--encoder",
        "hash",
    ]
    made = []
    for _ in range(2):
        done = subprocess.run([*command, "--workers", "0"], env=album.environment(), capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        connection = sqlite3.connect(album.layout.catalog)
        made.append(connection.execute("SELECT count(*) FROM part_vectors").fetchone()[0])
        connection.close()
    assert made == [2, 4]  # of one video more each time
    album.build()
    assert moments(album) == {name: [0, 2000] for name in names}
    connection = sqlite3.connect(album.layout.catalog)
    assert connection.execute("SELECT count(*), count(DISTINCT content_id) FROM part_vectors").fetchone() == (8, 4)
    connection.close()
    assert album.problems() == []
