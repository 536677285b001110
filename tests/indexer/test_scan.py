"""Which files become pictures of a library."""

import os
import socket

import pytest

from indexer.errors import InvalidRoot, NoPictures

AWKWARD = {
    "spaces": b"two  spaces and a leading one/ picture .png",
    "newline": b"line\nbreak\n.png",
    "emoji": "🏔️ 雪山 été.png".encode(),
    "250 bytes": b"x" * 246 + b".png",
    "not UTF-8": b"caf\xe9/\xff\xfe.png",
    "quotes": b'it\'s "quoted" %s _ % \\.png',
    "dashes": b"--data.png",
    "upper case": b"IMG_0001.PNG",
}


def test_folders_are_searched_to_any_depth(album):
    deep = "/".join("abcdefgh") + "/deep.png"
    album.draw("top.png", "trip/one.jpg", deep)
    assert album.build().seen == 3
    assert album.names() == [deep, "top.png", "trip/one.jpg"]


@pytest.mark.parametrize("name", AWKWARD.values(), ids=AWKWARD)
def test_any_file_name_survives(album, name):
    path = album.draw(os.fsdecode(name))
    album.build()
    assert album.names() == [os.fsdecode(name)]
    assert album.update().reused == 1
    path.write_bytes(b"")
    album.update()
    assert album.failures() == {os.fsdecode(name): "empty_file"}
    path.unlink()
    album.draw("other.png")
    album.update()
    assert album.names() == ["other.png"]
    assert album.problems() == []


def test_every_suffix_of_a_picture_counts_and_no_other(album):
    names = [
        f"{n}{suffix}" for n, suffix in enumerate([".jpg", ".JPEG", ".png", ".webp", ".gif", ".bmp", ".tif", ".mpo"])
    ]
    names += ["8.tiff", "9.heic", "9.heif", "9.avif", "9.Jpe", "9.apng", "9.dib"]
    album.draw("p.png")
    for name in names:
        os.link(album.pictures / "p.png", album.pictures / name)  # the content tells the kind
    for name in ["notes.txt", "film.wmv", "png", "a.png.part", "a.jpg~", "Thumbs.db", "README"]:
        (album.pictures / name).write_bytes(b"not looked at")
    report = album.build()
    assert album.names() == sorted(["p.png", *names])
    assert report.failed == 0


def test_several_folders_in_one_run(album):
    album.draw("one/a.png", "two/b.png", "three/c.png")
    assert album.build(album.pictures / "one", album.pictures / "two").encoded == 2
    assert album.names() == ["one/a.png", "two/b.png"]
    assert album.build(album.pictures / "three").encoded == 1
    assert album.update().reused == 3


@pytest.mark.parametrize("order", [("", "trip"), ("trip", ""), ("", "", "trip", "trip/2024", "trip")])
def test_a_folder_inside_another_gives_no_picture_twice(album, order):
    album.draw("a.png", "trip/b.png", "trip/2024/c.png")
    assert album.build(*(album.pictures / name for name in order)).seen == 3
    assert album.names() == ["a.png", "trip/2024/c.png", "trip/b.png"]


def test_a_folder_around_a_known_one_leaves_it_to_itself(album):
    album.draw("a.png", "trip/b.png")
    album.build(album.pictures / "trip")
    before = album.ids()
    report = album.build(album.pictures)
    assert (report.encoded, report.reused) == (1, 1)
    assert album.ids()["trip/b.png"] == before["trip/b.png"]


def test_a_folder_inside_a_known_one_changes_nothing(album):
    album.draw("a.png", "trip/b.png")
    build = album.build().build
    report = album.build(album.pictures / "trip")
    assert (report.encoded, report.reused, report.build) == (0, 2, build)


def test_a_folder_named_through_a_link_is_the_folder_itself(album):
    album.draw("a.png")
    (album.folder / "link").symlink_to(album.pictures)
    album.build()
    report = album.build(album.folder / "link")
    assert (report.seen, report.encoded) == (1, 0)


def test_a_loop_of_links_ends(album):
    album.draw("a.png", "trip/b.png")
    (album.pictures / "trip/up").symlink_to("..")
    (album.pictures / "trip/here").symlink_to(".")
    (album.pictures / "x").symlink_to("y")
    (album.pictures / "y").symlink_to("x")
    report = album.build()
    assert album.names() == ["a.png", "trip/b.png"]
    assert report.failed == 0


def test_links_to_folders_and_files_are_followed(album):
    outside = album.folder / "outside"
    album.draw(outside / "a.png", outside / "sub/b.png")
    (album.pictures / "album").symlink_to(outside)
    (album.pictures / "single.png").symlink_to(outside / "a.png")
    album.build()
    assert album.names() == ["album/a.png", "album/sub/b.png", "single.png"]


def test_a_folder_reached_twice_is_read_once_under_its_real_name(album):
    album.draw("zoo/a.png")
    (album.pictures / "first").symlink_to("zoo")
    (album.pictures / "second").symlink_to("zoo")
    album.build()
    assert album.names() == ["zoo/a.png"]


def test_two_links_to_one_folder_outside_give_each_picture_once(album):
    album.draw(album.folder / "outside/a.png")
    for name in ("first", "second"):
        (album.pictures / name).symlink_to(album.folder / "outside")
    album.build()
    assert album.names() == ["first/a.png"]


def test_a_link_into_another_folder_of_the_library_gives_no_picture_twice(album):
    album.draw("one/a.png", "two/b.png", "two/deep/c.png")
    (album.pictures / "one/link").symlink_to(album.pictures / "two")
    album.build(album.pictures / "one", album.pictures / "two")
    assert album.names() == ["one/a.png", "two/b.png", "two/deep/c.png"]


def test_a_library_inside_the_folder_does_not_swallow_its_own_thumbnails(album):
    album.draw("a.png")
    settings = album.settings(data=album.pictures / "data")
    assert album.build(settings=settings).seen == 1
    assert album.build(settings=settings).seen == 1


def test_links_to_nothing_are_reported_and_stop_nothing(album):
    album.draw("a.png")
    (album.pictures / "gone.png").symlink_to("nowhere.png")
    (album.pictures / "gone folder").symlink_to("nowhere")
    (album.pictures / "self.png").symlink_to("self.png")
    album.build()
    assert album.names() == ["a.png"]
    assert album.failures() == {"gone.png": "not_found", "self.png": "not_found"}


def test_hidden_files_and_folders_are_skipped(album):
    album.draw("a.png", ".b.png", ".cache/c.png", "trip/.thumbs/d.png")
    album.build()
    assert album.names() == ["a.png"]


def test_hidden_files_and_folders_are_taken_when_asked_for(album):
    album.draw("a.png", ".b.png", ".cache/c.png")
    album.build(hidden=True)
    assert album.names() == [".b.png", ".cache/c.png", "a.png"]
    assert album.update().reused == 3


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"include": ["*.png"]}, ["2023/a.png", "2024/b.png"]),
        ({"include": ["2024/"]}, ["2024/b.png", "2024/c.jpg", "2024/raw/d.jpg"]),
        ({"include": ["/2024/*.jpg"]}, ["2024/c.jpg"]),
        ({"include": ["*.png", "raw/"]}, ["2023/a.png", "2024/b.png", "2024/raw/d.jpg"]),
        ({"exclude": ["*.png"]}, ["2024/c.jpg", "2024/raw/d.jpg"]),
        ({"exclude": ["raw"]}, ["2023/a.png", "2024/b.png", "2024/c.jpg"]),
        ({"exclude": ["2024/*", "!2024/b.png"]}, ["2023/a.png", "2024/b.png"]),
        ({"include": ["*.jpg"], "exclude": ["raw/"]}, ["2024/c.jpg"]),
        ({"exclude": ["图*"]}, ["2023/a.png", "2024/b.png", "2024/c.jpg", "2024/raw/d.jpg"]),
    ],
)
def test_patterns_choose_as_in_gitignore_files(album, patterns, expected):
    album.draw("2023/a.png", "2024/b.png", "2024/c.jpg", "2024/raw/d.jpg")
    album.build(**patterns)
    assert album.names() == expected
    assert album.update().seen == len(expected), "an update scans as the build did"


def test_patterns_given_later_take_pictures_out_and_bring_them_back(album):
    album.draw("a.png", "b.jpg")
    album.build()
    before = album.ids()
    assert album.build(exclude=["*.jpg"]).removed == 1
    assert album.names() == ["a.png"]
    report = album.build()
    assert (report.encoded, report.reused) == (0, 2)
    assert album.ids() == before


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]"])
def test_a_pattern_that_means_nothing_is_refused_in_a_sentence(album, pattern, processes):
    album.draw("a.png")
    done = album.command("build", album.pictures, "--data", album.data, "--encoder", "hash", "--exclude", pattern)
    assert done.returncode == 2
    assert pattern in done.stderr


@pytest.mark.parametrize("flag", ["hidden", "exclude"])
def test_a_folder_named_by_the_person_is_indexed_though_the_one_around_it_skips_it(album, flag):
    album.draw("a.png", ".private/b.png", "raw/c.png")
    album.build(exclude=["raw/"])
    name = {"hidden": ".private/b.png", "exclude": "raw/c.png"}[flag]
    album.build((album.pictures / name).parent)
    assert name in album.names()


def test_fifos_and_sockets_named_like_pictures_never_block(album, monkeypatch):
    album.draw("a.png")
    os.mkfifo(album.pictures / "pipe.jpg")
    monkeypatch.chdir(album.pictures)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        album.build()
    assert album.names() == ["a.png"]
    assert album.failures() == {"pipe.jpg": "not_a_regular_file", "socket.jpg": "not_a_regular_file"}


def test_a_folder_named_like_a_picture_is_a_folder(album):
    album.draw("holiday.jpg/a.png")
    album.build()
    assert album.names() == ["holiday.jpg/a.png"]
    assert album.failures() == {}


def test_an_unreadable_folder_loses_nothing(album, without_privileges):
    album.draw("a.png", "locked/b.png", "locked/deep/c.png", "lockedout.png")
    album.build()
    (album.pictures / "lockedout.png").unlink()
    (album.pictures / "locked").chmod(0)
    try:
        done = album.command("update", "--data", album.data, prepare=without_privileges)
    finally:
        (album.pictures / "locked").chmod(0o755)
    assert done.returncode == 0
    assert album.names() == ["a.png", "locked/b.png", "locked/deep/c.png"]


def test_a_root_that_cannot_be_read_loses_nothing(album, without_privileges):
    album.draw("a.png")
    album.build()
    album.pictures.chmod(0)
    try:
        done = album.command("update", "--data", album.data, prepare=without_privileges)
    finally:
        album.pictures.chmod(0o755)
    assert done.returncode == 2
    assert album.names() == ["a.png"]


def test_a_modification_time_far_from_now_is_no_obstacle(album):
    for name, moment in (("future.png", 10**19), ("past.png", -(10**18))):
        os.utime(album.draw(name), ns=(0, moment))
    if (album.pictures / "future.png").stat().st_mtime_ns != 10**19:
        pytest.skip("the file system does not keep such a time")
    assert album.build().encoded == 2
    assert album.update().reused == 2


def test_no_pictures_is_said_and_leaves_no_library(album):
    (album.pictures / "notes.txt").write_text("nothing here")
    with pytest.raises(NoPictures) as caught:
        album.build()
    assert str(album.pictures) in caught.value.en
    assert str(album.pictures) in caught.value.zh
    album.draw("a.png")
    assert album.build().encoded == 1


@pytest.mark.parametrize("name", ["missing", "a.png"])
def test_a_missing_folder_or_a_file_in_its_place_is_refused(album, name):
    album.draw("a.png")
    with pytest.raises(InvalidRoot) as caught:
        album.build(album.pictures, album.pictures / name)
    assert name in caught.value.en
    assert name in caught.value.zh
    assert not album.data.exists()
