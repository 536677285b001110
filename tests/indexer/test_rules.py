"""indexer/sources/rules.py: what belongs to a library, and what to the systems and programs around it."""

import sqlite3

import pytest

from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog
from indexer.sources.rules import FileKind, kind_of

BESIDE = [
    "@eaDir/DSC_1.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "#recycle/old.jpg",
    "#snapshot/GMT-2024/a.jpg",
    "@Recycle/old.jpg",
    "trip/@__thumb/s800a.jpg",
    "$RECYCLE.BIN/S-1-5/a.jpg",
    "System Volume Information/a.png",
    "__MACOSX/a.jpg",
    "lost+found/a.jpg",
    "Lightroom Previews.lrdata/a.jpg",
    "Photos Library.photoslibrary/resources/derivatives/a.jpeg",
    "iPhoto Library.photolibrary/Thumbnails/a.jpg",
    "Session.cocatalog/Cache/a.jpg",
    "Android/data/com.app/cache/a.png",
    "nextcloud/appdata_oc1/preview/a.png",
    "2020/Old.photoslibrary/resources/a.jpg",
    "phone/Android/data/com.app/a.png",
]
KEPT = ["DSC_1.jpg", "Photos Library.photoslibrary/originals/A/a.jpeg", "recycle/a.jpg", "Cache/a.jpg", "Android/a.png"]


def test_what_systems_and_programs_put_beside_pictures_is_left_out(album):
    album.draw(*BESIDE, *KEPT)
    album.build()
    assert album.names() == sorted(KEPT)
    album.build(defaults=False)
    assert album.names() == sorted([*BESIDE, *KEPT])


def test_a_shard_is_asked_the_same(album):
    import tarfile

    shard = album.folder / "shard.tar"
    with tarfile.open(shard, "w") as tar:
        for name in ("a.jpg", "@eaDir/b.jpg"):
            tar.add(album.draw(name), arcname=name)
    album.build(shard)
    assert list(album.by_path()) == ["a.jpg"]


def test_a_library_of_the_format_before_leaves_them_out_as_well(tmp_path):
    path = tmp_path / "catalog.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(";".join(SCRIPTS[:4]) + ";PRAGMA user_version = 4")
    connection.execute("INSERT INTO roots (id, path) VALUES (1, '/p')")
    connection.close()
    catalog = Catalog(path, create=True)
    assert [root.defaults for root in catalog.list_roots()] == [True]
    catalog.close()


def test_a_folder_with_nomedia_is_left_out_with_all_below_it(album):
    album.draw("a.png", "cache/b.png", "cache/deep/c.png")
    (album.pictures / "cache" / ".nomedia").touch()
    album.build()
    assert album.names() == ["a.png"]
    (album.pictures / "cache" / ".nomedia").unlink()
    album.update()
    assert album.names() == ["a.png", "cache/b.png", "cache/deep/c.png"]


@pytest.mark.parametrize("name", [".ignore", ".xuntuignore", ".immichignore", ".ppignore"])
def test_patterns_in_a_folder_hold_in_it_and_below(album, name):
    album.draw("draft.png", "trip/draft.png", "trip/a.png", "trip/raw/b.png", "trip/deep/draft.png", "trip/deep/c.png")
    (album.pictures / "trip" / name).write_text("# not these\ndraft.png\n/raw/\n[\n", encoding="utf-8-sig")
    album.build()
    assert album.names() == ["draft.png", "trip/a.png", "trip/deep/c.png"]
    album.draw("trip/deep/draft.png", seed=3)
    album.update(only=[album.pictures / "trip/deep/draft.png", album.pictures / "trip/raw"])
    assert album.names() == ["draft.png", "trip/a.png", "trip/deep/c.png"]
    (album.pictures / "trip" / name).unlink()
    album.update(only=[album.pictures / "trip" / name])  # as following a folder says
    assert len(album.names()) == 6


def test_the_nearest_file_of_patterns_has_its_say(album):
    album.draw("a.jpg", "b.jpg", "sub/keep.jpg", "sub/other.jpg")
    (album.pictures / ".ignore").write_text("*.jpg\n!a.jpg\n")
    (album.pictures / "sub" / ".ignore").write_text("!keep.jpg\n")
    (album.pictures / ".xuntuignore").write_text("!b.jpg\n")
    album.build()
    assert album.names() == ["a.jpg", "b.jpg", "sub/keep.jpg"]


def test_a_source_that_is_the_folder_of_a_program_gives_the_pictures_of_its_person(album):
    album.draw("My.photoslibrary/originals/a.jpg", "My.photoslibrary/resources/b.jpg")
    album.build(album.pictures / "My.photoslibrary")
    assert album.names() == ["My.photoslibrary/originals/a.jpg"]


def test_patterns_in_folders_count_for_nothing_where_all_is_asked_for(album):
    album.draw("a.png")
    (album.pictures / ".ignore").write_text("*\n")
    album.build(defaults=False)
    assert album.names() == ["a.png"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", FileKind.PICTURE),
        ("a.mpo", FileKind.PICTURE),
        ("a.psd", FileKind.PICTURE),
        ("a.CR2", FileKind.UNREAD),
        ("a.xcf", FileKind.UNREAD),
        ("a.svg", FileKind.UNREAD),
        ("noext", FileKind.PERHAPS),
        ("a.jpg_large", FileKind.PERHAPS),
        ("a.jpg!thumb", FileKind.PERHAPS),
        ("a.png.1", FileKind.PERHAPS),
        ("a.jpg~", FileKind.PERHAPS),
        ("a.jpgx", None),
        ("a.txt", None),
        ("a.jpg.txt", FileKind.PERHAPS),
        ("video.mp4", FileKind.UNREAD),
        ("stream.ts", FileKind.PERHAPS),
    ],
)
def test_what_a_name_says(name, kind, monkeypatch):
    monkeypatch.setattr("models.pictures.formats.is_extra_installed", lambda _: False)
    assert kind_of(name) is kind


def test_pictures_are_told_by_their_content_under_other_names(album):
    picture = album.draw("a.jpg").read_bytes()
    for name in ("b.mpo", "c.jpg_large", "noext", "d.jpg.1"):
        (album.pictures / name).write_bytes(picture)
    (album.pictures / "README").write_text("no picture")
    (album.pictures / "e.jpg.txt").write_text("a caption")
    (album.pictures / "empty").touch()
    done = album.build()
    assert (done.seen, done.failed) == (5, 0)
    assert album.names() == ["a.jpg", "b.mpo", "c.jpg_large", "d.jpg.1", "noext"]


def test_pictures_that_are_not_read_are_counted_and_listed(album, processes):
    album.draw("a.png")
    for name in ("work.xcf", "logo.svg", "notes.txt", "film.wmv"):
        (album.pictures / name).write_bytes(b"something")
    done = album.build()
    assert (done.seen, done.encoded, done.failed) == (3, 1, 2)
    failed = {entry["path"].rpartition("/")[2]: entry["reason_zh"] for entry in album.ask("report")["failed"]}
    assert failed == {"work.xcf": "不读取这类图片：XCF", "logo.svg": "不读取这类图片：SVG"}
    (album.pictures / "logo.svg").unlink()
    assert album.update().failed == 1


def test_the_command_has_an_option_for_everything(album, processes):
    album.draw("@eaDir/a.jpg", "b.jpg")
    command = ("build", album.pictures, "--data", album.data, "--encoder", "hash")
    assert album.command(*command).returncode == 0
    assert album.names() == ["b.jpg"]
    assert album.command(*command, "--no-default-excludes").returncode == 0
    assert album.names() == ["@eaDir/a.jpg", "b.jpg"]
