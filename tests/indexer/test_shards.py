"""Pictures that come from WebDataset shards (tar files), through the front door."""

import io
import json
import os
import random
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.errors import DescriptionsUnreadable, NoPictures, ShardDamaged
from indexer.library.catalog.writer import Catalog
from indexer.library.originals import address_of
from indexer.library.sources.items import Root
from indexer.sources.shards import scan_shard

Members = Sequence[tuple[str, bytes]]


def picture(seed: int, kind: str = "PNG", side: int = 24) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def write_tar(path: Path, members: Members, kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_shard_gives_its_pictures_with_captions_and_tags(album):
    path = write_tar(
        album.folder / "shard-000.tar",
        [
            ("000.jpg", picture(0, "JPEG")),
            ("000.txt", "草地上的猫\n".encode()),
            ("./001.png", picture(1)),
            ("001.json", json.dumps({"caption": "a dog", "tags": ["pet", "狗"], "x": 1}).encode()),
            ("sub/002.mask.png", picture(2)),
            ("sub/002.json", b"[1]"),
            ("._003.png", b"resource fork"),
            ("004.cls", b"7"),
        ],
    )
    report = album.build(path)
    assert (report.encoded, report.failed) == (3, 0)
    found = album.by_path()
    assert {name: (row.source.kind, row.caption, row.tags) for name, row in found.items()} == {
        "000.jpg": ("tar", "草地上的猫", ""),
        "001.png": ("tar", "a dog", "pet\n狗"),
        "sub/002.mask.png": ("tar", "", ""),
    }
    row = found["001.png"]
    start = row.locator.part.start
    assert row.locator.part.length == row.stamp.size
    assert path.read_bytes()[start : start + row.stamp.size] == picture(1)
    assert album.update().encoded == 0


def test_an_unchanged_shard_is_not_read_again_a_changed_one_is(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("b.png", picture(1))])
    album.build(path)
    before = {name: row.id for name, row in album.by_path().items()}
    stamp = path.stat().st_mtime_ns
    damaged = path.read_bytes().replace(picture(1), picture(2)[: len(picture(1))].ljust(len(picture(1)), b"\0"))
    path.write_bytes(damaged)
    os.utime(path, ns=(stamp, stamp))
    assert (album.update().encoded, len(album.by_path())) == (0, 2)
    # Other pictures at other offsets, though nothing of the file's time says so.
    write_tar(path, [("note.txt", b"x" * 600), ("a.png", picture(0)), ("b.png", picture(3)), ("c.png", picture(4))])
    os.utime(path, ns=(stamp, stamp))
    report = album.update()
    assert (report.encoded, report.reused, report.failed) == (2, 1, 0)
    found = album.by_path()
    assert {name: row.id for name, row in found.items() if name != "c.png"} == before
    content = path.read_bytes()
    for name, seed in (("a.png", 0), ("b.png", 3), ("c.png", 4)):
        assert content[found[name].locator.part.start :].startswith(picture(seed))


def test_hostile_names_are_only_labels(album):
    names = [
        "../../escape.png",
        "/etc/absolute.png",
        "new\nline.png",
        "猫" * 120 + ".png",
        "a\\b.png",
        "http://x/y.png",
    ]
    members = [(name, picture(n)) for n, name in enumerate(names)]
    path = write_tar(album.folder / "s.tar", members)
    before = sorted(album.folder.rglob("*"))
    assert album.build(path).encoded == len(names)
    found = album.by_path()
    assert set(found) == set(names)
    assert all(row.place == f"{path}/{name}" and address_of(row) is None for name, row in found.items())
    assert {p for p in album.folder.rglob("*") if not p.is_relative_to(album.data)} == set(before)


def test_of_members_with_one_name_the_last_counts(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("a.png", picture(1)), ("b.png", picture(2))])
    assert album.build(path).encoded == 2
    row = album.by_path()["a.png"]
    assert path.read_bytes()[row.locator.part.start :].startswith(picture(1))


@pytest.mark.parametrize("cut", [0.45, 0.8])
def test_a_shard_that_is_cut_short_gives_what_can_be_read(album, cut):
    members = [(f"{n}.png", picture(n)) for n in range(6)]
    path = write_tar(album.folder / "s.tar", members)
    album.build(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(members) * (len(picture(0)) + 1024) * cut)])
    report = album.update()
    assert ShardDamaged in [type(warning) for warning in report.warnings]
    assert report.removed == 0
    other = album.folder / "fresh.tar"
    other.write_bytes(path.read_bytes())
    report = album.build(other)
    assert ShardDamaged in [type(warning) for warning in report.warnings]
    assert 0 < sum(row.root == other for row in album.by_path().values()) < 6
    path.write_bytes(whole)
    other.write_bytes(whole)
    assert album.update().warnings == ()
    assert len([row for row in album.by_path().values() if row.root == other]) == 6


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b\x08 packed" * 100])
def test_what_is_no_tar_says_so(album, content):
    path = album.folder / "s.tar"
    path.write_bytes(content)
    with pytest.raises((ShardDamaged, NoPictures)) as caught:
        album.build(path)
    assert str(path) in caught.value.en
    if content[:1] == b"\x1f":
        assert "compressed" in caught.value.en


def add_members(path: Path, *members: tuple[str, bytes, str]) -> None:
    """Add members of other types, each a name, a type and where a link leads to."""
    with tarfile.open(path, "a") as tar:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)


def test_links_are_the_members_they_lead_to(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("sub/b.png", picture(1)), ("c.txt", b"linked")])
    add_members(
        path,
        ("c.png", tarfile.LNKTYPE, "a.png"),
        ("sub/d.png", tarfile.SYMTYPE, "./b.png"),
        ("sub/e.png", tarfile.SYMTYPE, "../a.png"),
        ("lost.png", tarfile.SYMTYPE, "/etc/hostname"),
        ("itself.png", tarfile.SYMTYPE, "itself.png"),
        ("pipe.png", tarfile.FIFOTYPE, ""),
        ("folder.png", tarfile.DIRTYPE, ""),
    )
    report = album.build(path)
    assert (report.encoded, report.reused, report.failed, report.warnings) == (2, 3, 3, ())
    found = album.by_path()
    assert found["c.png"].locator.part == found["sub/e.png"].locator.part == found["a.png"].locator.part
    assert found["sub/d.png"].content_id == found["sub/b.png"].content_id
    assert found["c.png"].caption == "linked"
    assert album.failed() == dict.fromkeys(
        [f"{path}/{name}" for name in ("lost.png", "itself.png", "pipe.png")], "not_a_regular_file"
    )


def test_a_sparse_member_is_reported_and_is_no_damage(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0))])
    hole = tarfile.TarInfo("hole.png")
    hole.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": str(10**9)}
    hole.size = 512
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(hole, io.BytesIO(bytes(512)))
    report = album.build(path)
    assert (report.encoded, report.warnings) == (1, ())
    assert album.failed() == {f"{path}/hole.png": "not_a_regular_file"}


def test_descriptions_in_gbk_and_those_that_are_cut(album):
    path = write_tar(
        album.folder / "s.tar",
        [
            *((f"{n}.png", picture(n)) for n in range(4)),
            ("0.txt", "草地上的猫".encode("gbk")),
            ("1.json", json.dumps({"标题": "一只狗", "标签": "宠物;狗"}, ensure_ascii=False).encode("gbk")),
            ("2.txt", "草地上的猫".encode()[:-1]),
            ("3.txt", b"a\xff\xff\xffb"),
        ],
    )
    assert album.build(path).warnings == ()
    found = album.by_path()
    assert [found[f"{n}.png"].caption for n in range(4)] == ["草地上的猫", "一只狗", "草地上的", "a\ufffd\ufffd\ufffdb"]
    assert found["1.png"].tags == "宠物\n狗"


def test_json_that_is_none_is_named(album):
    broken = [("b.json", b"{broken"), ("c.json", b"[" * 100_000), ("d.json", b"[1, 2]"), ("e.json", b"")]
    path = write_tar(album.folder / "s.tar", [("b.png", picture(0)), *broken])
    for report in (album.build(path), album.update()):
        (warning,) = report.warnings
        assert isinstance(warning, DescriptionsUnreadable)
        assert (warning.name, warning.count) == ("b.json", 3)
    assert list(album.by_path()) == ["b.png"]


def test_a_shard_that_ends_between_two_members_is_known_to_be_cut(album):
    path = write_tar(album.folder / "s.tar", [(f"{n}.png", picture(n)) for n in range(4)])
    album.build(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: album.by_path()["3.png"].locator.part.start - 512])
    report = album.update()
    assert ([type(warning) for warning in report.warnings], report.removed) == ([ShardDamaged], 0)
    assert len(album.by_path()) == 4
    path.write_bytes(whole)
    assert album.update().warnings == ()


def test_shards_that_were_joined_are_not_taken_for_one(album):
    one = write_tar(album.folder / "1.tar", [("a.png", picture(0))]).read_bytes()
    two = write_tar(album.folder / "2.tar", [("b.png", picture(1))]).read_bytes()
    path = album.folder / "s.tar"
    path.write_bytes(one + two)
    (warning,) = album.build(path).warnings
    assert "joined" in warning.en


@pytest.fixture
def opened():
    """The files that this process opens, while it is asked."""
    files: list[str] = []
    watching = [True]

    def notice(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open":
            files.append(str(arguments[0]))

    sys.addaudithook(notice)  # there is no way to remove it
    yield files
    watching.clear()


def test_a_shard_that_nobody_touched_is_not_opened(album, opened):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("b.png", b"broken"), ("a.txt", b"one")])
    add_members(path, ("c.png", tarfile.SYMTYPE, "nowhere"))
    first = album.build(path)
    assert str(path) in opened
    opened.clear()
    for report in (album.update(), album.build(path)):
        assert (report.seen, report.reused, report.failed, report.build) == (3, 1, 2, first.build)
    assert str(path) not in opened
    album.build(path, exclude=["b.png"])
    assert str(path) in opened
    assert album.failed() == {f"{path}/c.png": "not_a_regular_file"}
    opened.clear()
    album.update(retry=True)
    assert str(path) in opened
    assert album.rebuild().reused == 1


def test_a_run_that_is_stopped_forgets_nothing_of_a_shard(album):
    path = write_tar(album.folder / "s.tar", [(f"{n}.png", picture(n)) for n in range(40)])

    def stop(progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        album.build(path, settings=album.settings(batch_size=4), on_progress=stop)
    report = album.update()
    assert (report.seen, report.failed) == (40, 0)
    assert 0 < report.reused < 40
    assert len(album.by_path()) == 40


def test_what_cannot_be_read_in_a_shard_is_tried_again_only_when_it_changes(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("b.png", b"broken")])
    album.build(path)
    stamp = path.stat().st_mtime_ns
    for padding in (600, 1200):
        write_tar(path, [("x", bytes(padding)), ("a.png", picture(0)), ("b.png", b"broken")])
        os.utime(path, ns=(stamp, stamp))
        album.update()
    catalog = Catalog(album.layout.catalog)
    known = catalog.known_items(catalog.list_roots()[0], [1])
    catalog.close()
    content = path.read_bytes()
    assert all(content[item.part.start :].startswith((b"broken", b"\x89PNG")) for item in known.values())


def test_damaged_headers_end_no_run(album, heavy):
    """Flip bytes at random in the headers: whatever comes out, it is a report."""
    path = album.folder / "s.tar"
    members = [("a" * 150 + f"{n}.png", picture(n, side=4)) for n in range(4)] + [("x.json", b'{"caption": "x"}')]
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        whole = write_tar(path, members, kind).read_bytes()
        chance = random.Random(kind)  # noqa: S311
        for _ in range(300):
            damaged = bytearray(whole)
            for _ in range(chance.choice([1, 3, 30])):
                at = 512 * chance.randrange(len(whole) // 512) + chance.randrange(160)
                damaged[at % len(whole)] = chance.choice([0, 0x80, 0xFF, 0x37, chance.randrange(256)])
            if chance.random() < 0.7:  # headers whose checksum is right all the same
                for start in range(0, len(damaged) - 511, 512):
                    if damaged[start + 257 : start + 262] == b"ustar":
                        damaged[start + 148 : start + 156] = b" " * 8
                        damaged[start + 148 : start + 156] = b"%06o\0 " % sum(damaged[start : start + 512])
            path.write_bytes(damaged)
            found = list(scan_shard(Root(id=1, path=path, kind="tar"), unreadable=[], warnings=[]))
            assert len({item.locator.key for item in found}) == len(found) <= 10


def test_patterns_choose_among_members(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("raw/b.png", picture(1))])
    album.build(path, exclude=["raw/"])
    assert list(album.by_path()) == ["a.png"]
