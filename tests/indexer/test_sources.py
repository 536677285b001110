"""Pictures that come from lists (CSV, JSON lines, Parquet) and WebDataset shards, through the front door."""

import io
import json
import os
import random
import socket
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from PIL import Image

from indexer.errors import InvalidList, InvalidRoot, NoPictures, RootEmptied, ShardDamaged
from indexer.sources.addresses import Fetching, fetch_address
from indexer.sources.shards import scan_shard
from indexer.store.catalog import Catalog
from indexer.store.records import ImageRow, Root
from indexer.watch import watch
from models.decode import DecodeLimits
from models.errors import DECODE_REASONS, BackendNotInstalled, DecodeError


def picture(seed: int, kind: str = "PNG", side: int = 24) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def rows(album) -> dict[str, ImageRow]:
    """Return path -> picture of the index in use, the path as the catalog has it."""
    opened = album.open()
    found = opened.catalog.get_images(opened.index.list_ids().tolist())
    opened.catalog.close()
    return {row.path: row for row in found.values()}


def failures(album) -> dict[str, str]:
    catalog = Catalog(album.layout.catalog)
    found = {place: reason for place, reason, _ in catalog.list_failures()}
    catalog.close()
    return found


def write_list(album, text: str, name: str = "list.csv", encoding: str = "utf-8") -> Path:
    path = album.folder / name
    path.write_bytes(text.encode(encoding))
    return path


# Lists


def test_a_list_names_pictures_with_captions_and_tags(album):
    album.draw("a.png", "b.jpg", "sub/c.webp", "not_named.png")
    table = write_list(
        album,
        "filename,caption,tags\n"
        'pictures/a.png,"一只猫, 在草地上",猫；草地;草地\n'
        "pictures/../pictures/b.jpg,a dog,\n"
        f"{album.pictures / 'sub/c.webp'},,\n",
    )
    report = album.build(table)
    assert (report.encoded, report.failed) == (3, 0)
    found = rows(album)
    assert {path: (row.kind, row.caption, row.tags) for path, row in found.items()} == {
        "pictures/a.png": ("list", "一只猫, 在草地上", "猫\n草地"),
        "pictures/b.jpg": ("list", "a dog", ""),
        "pictures/sub/c.webp": ("list", "", ""),
    }
    assert found["pictures/a.png"].file == album.pictures / "a.png"


def test_what_is_unchanged_is_not_read_again_and_captions_follow(album):
    album.draw("a.png", "b.png")
    table = write_list(album, "path,caption\npictures/a.png,one\npictures/b.png,two\n")
    album.build(table)
    ids = {path: row.id for path, row in rows(album).items()}
    assert album.update().encoded == 0
    write_list(album, "path,caption\npictures/b.png,three\n")
    report = album.update()
    assert (report.encoded, report.removed) == (0, 1)
    write_list(album, "path,caption\npictures/b.png,three\npictures/a.png,four\n")
    report = album.update()
    assert (report.encoded, report.removed) == (0, 0)
    assert {path: (row.id, row.caption) for path, row in rows(album).items()} == {
        "pictures/a.png": (ids["pictures/a.png"], "four"),
        "pictures/b.png": (ids["pictures/b.png"], "three"),
    }


@pytest.mark.parametrize(
    ("encoding", "suffix"), [("utf-8", "csv"), ("utf-8-sig", "csv"), ("gbk", "csv"), ("utf-16", "tsv")]
)
def test_the_encodings_that_spreadsheets_write(album, encoding, suffix):
    album.draw("图/猫咪.png")
    separator = "\t" if suffix == "tsv" else ","
    lines = [["路径", "说明", "标签"], ["pictures/图/猫咪.png", "草地上的猫", "猫、草地"]]
    table = write_list(album, "\r\n".join(map(separator.join, lines)), f"list.{suffix}", encoding)
    album.build(table)
    row = rows(album)["pictures/图/猫咪.png"]
    assert (row.caption, row.tags) == ("草地上的猫", "猫\n草地")


def test_other_separators_and_quoted_lines(album):
    album.draw("a.png")
    table = write_list(album, '\ufeffFile; Title\n"pictures/a.png";"two\nlines; and ""more"""\n')
    album.build(table)
    assert rows(album)["pictures/a.png"].caption == 'two\nlines; and "more"'


def test_rows_that_name_a_picture_twice_are_one_picture(album):
    album.draw("a.png")
    table = write_list(
        album, "image,caption,tags\npictures/a.png,one,x\n./pictures/a.png,two,y\npictures//a.png,one,x\n"
    )
    assert album.build(table).seen == 1
    row = rows(album)["pictures/a.png"]
    assert (row.caption, row.tags) == ("one\ntwo", "x\ny")


def test_bad_rows_are_reported_with_their_number_and_stop_nothing(album):
    album.draw("a.png")
    (album.pictures / "text.png").write_text("no picture")
    good = json.dumps({"path": "pictures/a.png", "caption": ["一", "二"], "tags": ["x, y", " z ", 3]})
    lines = [
        good,
        '{"path": "pictures/broken',
        "",
        '{"caption": "no path"}',
        '["a list"]',
        '{"path": "pictures/\\ud800.png"}',
        '{"path": "nul\\u0000.png"}',
        '{"path": 5}',
        '{"path": {"bytes": "x"}}',
        "[" * 100_000,
        '{"path": "s3://bucket/a.png"}',
        '{"path": "http://user:password@host/a.png"}',
        '{"path": "pictures/gone.png"}',
        '{"path": "pictures/text.png"}',
    ]
    table = write_list(album, "\n".join(lines), "list.jsonl")
    table.write_bytes(table.read_bytes() + b'\n{"path": "\xff\xfe.png"}\n')
    report = album.build(table)
    assert (report.encoded, report.failed) == (1, 13)
    row = rows(album)["pictures/a.png"]
    assert (row.caption, row.tags) == ("一\n二", "x, y\nz\n3")
    unreadable = dict.fromkeys([f"{table}/#{n}" for n in (2, 5, 10, 15)], "row_unreadable")
    nameless = dict.fromkeys([f"{table}/#{n}" for n in (4, 6, 7, 8, 9)], "row_without_picture")
    assert failures(album) == {
        **unreadable,
        **nameless,
        "s3://bucket/a.png": "url_invalid",
        "http://user:password@host/a.png": "url_invalid",
        str(album.pictures / "gone.png"): "not_found",
        str(album.pictures / "text.png"): "not_an_image",
    }
    assert album.update().failed == 13
    write_list(album, good, "list.jsonl")
    assert album.update().failed == 0
    assert failures(album) == {}


def test_a_list_that_is_gone_or_empty_removes_nothing(album):
    album.draw("a.png", "b.png")
    table = write_list(album, "path\npictures/a.png\npictures/b.png\n")
    album.build(table)
    for change in (lambda: table.write_text("path\n"), lambda: table.write_text(""), table.unlink):
        change()
        with pytest.raises(RootEmptied, match="held 2 pictures"):
            album.update()
        assert len(rows(album)) == 2
    assert album.update(allow_empty=True).removed == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.csv", b"name,size\na.png,3\n", ["name, size", "--path-column"]),
        ("list.jsonl", b'{"name": "a.png"}\n', ["name", "--path-column"]),
        ("list.csv", b"path,caption\na.png,caf\xe9 \xff\xff\n", ["UTF-8", "GBK"]),
        ("list.csv", b'path\n"' + b"a" * 2_000_000, ["quotation mark", "row"]),
        ("list.jsonl", b"nothing\nof\nthis\n", ["row 1", "names a picture"]),
        ("list.parquet", b"PAR1 it is not", ["Parquet"]),
    ],
)
def test_a_list_that_is_none_says_what_to_do(album, name, content, says):
    path = album.folder / name
    path.write_bytes(content)
    with pytest.raises(InvalidList) as caught:
        album.build(path)
    for word in (str(path), *says):
        assert word in caught.value.en
    assert any("\u4e00" <= char <= "\u9fff" for char in caught.value.zh)
    assert not album.layout.current.exists()


def test_a_list_that_breaks_later_leaves_the_rest_of_the_library_alone(album):
    album.draw("a.png", "b.png")
    table = write_list(album, "path\npictures/a.png\n")
    album.build(table)
    album.build(album.pictures)
    write_list(album, "nonsense\nx\n")
    album.draw("c.png")
    report = album.update()
    assert [type(warning) for warning in report.warnings] == [InvalidList]
    assert report.encoded == 1
    assert sorted(rows(album)) == ["a.png", "b.png", "c.png", "pictures/a.png"]


def test_a_list_that_is_replaced_again_and_again_is_followed(album, wait_until):
    album.draw("a.png", "b.png", "c.png")
    table = write_list(album, "path\npictures/a.png\n")
    album.build(table)
    stop, reports = Event(), []
    thread = Thread(target=watch, args=(album.settings(),), kwargs={"on_report": reports.append, "stop": stop})
    thread.start()
    try:
        wait_until(lambda: reports, "the first update")
        for names in (["a", "b"], ["a", "b", "c"], ["c"]):
            write_list(album, "\n".join(["path", *(f"pictures/{name}.png" for name in names)]), "new.csv").replace(
                table
            )
            wait_until(lambda names=names: len(rows(album)) == len(names), f"a list of {names}")
    finally:
        stop.set()
        thread.join()


def test_the_columns_can_be_named_and_are_remembered(album):
    album.draw("a.png", "b.png")
    table = write_list(album, "filename,where,what,kinds\nx.png,pictures/a.png,a cat,pet\n")
    columns = {"path": "where", "caption": "What", "tags": "kinds"}
    album.build(table, columns=columns)
    assert (rows(album)["pictures/a.png"].caption, rows(album)["pictures/a.png"].tags) == ("a cat", "pet")
    write_list(album, "filename,where,what,kinds\nx.png,pictures/b.png,a dog,\n")
    album.update()
    assert {path: row.caption for path, row in rows(album).items()} == {"pictures/b.png": "a dog"}
    with pytest.raises(InvalidList, match="no column 'nowhere'"):
        album.build(table, columns={"path": "nowhere"})


def test_the_same_file_in_a_folder_and_in_a_list_has_one_vector(album):
    album.draw("a.png", "b.png")
    table = write_list(album, "path,caption\npictures/a.png,a cat\n")
    report = album.build(album.pictures, table)
    assert (report.seen, report.encoded) == (3, 2)
    assert sorted(rows(album)) == ["a.png", "b.png", "pictures/a.png"]
    assert rows(album)["a.png"].content_id == rows(album)["pictures/a.png"].content_id


def test_parquet_lists(album):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    album.draw("a.png", "b.png", "c.png")
    table = arrow.table(
        {
            "image": [{"bytes": b"x", "path": "y"}] * 4,
            "file_name": ["pictures/a.png", "pictures/b.png", None, "pictures/c.png"],
            "caption": ["一只猫", None, "nothing", "dog"],
            "tags": [["猫", "pet"], [], None, ["dog"]],
            "score": [0.5, float("nan"), 1.0, 2.0],
        }
    )
    path = album.folder / "list.parquet"
    parquet.write_table(table, path, row_group_size=2)
    report = album.build(path)
    assert (report.encoded, report.failed) == (3, 1)
    assert {p: (row.caption, row.tags) for p, row in rows(album).items()} == {
        "pictures/a.png": ("一只猫", "猫\npet"),
        "pictures/b.png": ("", ""),
        "pictures/c.png": ("dog", "dog"),
    }
    assert failures(album) == {f"{path}/#3": "row_without_picture"}


def test_parquet_without_its_package_says_which(album, monkeypatch):
    path = album.folder / "list.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BackendNotInstalled, match=r"pyarrow.*\[parquet\]"):
        album.build(path)


def test_lists_from_the_command_line_with_real_workers(album):
    names = [f"{n}.png" for n in range(70)]
    album.draw(*names)
    table = write_list(album, "\n".join(["file,words", *(f"pictures/{name},number {name}" for name in names)]))
    done = album.command(
        "build", table, "--caption-column", "words", "--data", album.data, "--encoder", "hash", "--workers", 2
    )
    assert done.returncode == 0, done.stderr
    assert "70 encoded" in done.stdout
    assert rows(album)["pictures/7.png"].caption == "number 7.png"
    assert album.ask("stats")["roots"] == [str(table)]


@pytest.mark.parametrize("name", ["pictures.tar.gz", "pictures.zip", "a.png", "notes.txt"])
def test_what_is_no_source_is_refused_with_the_way_out(album, name):
    path = album.folder / name
    path.write_bytes(b"x")
    with pytest.raises(InvalidRoot, match=r"unpack it" if name.startswith("p") else "give the folder"):
        album.build(path)


# Shards


Members = Sequence[tuple[str, bytes]]


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
            ("sub/002.json", b"{broken"),
            ("._003.png", b"resource fork"),
            ("004.cls", b"7"),
        ],
    )
    report = album.build(path)
    assert (report.encoded, report.failed) == (3, 0)
    found = rows(album)
    assert {name: (row.kind, row.caption, row.tags) for name, row in found.items()} == {
        "000.jpg": ("tar", "草地上的猫", ""),
        "001.png": ("tar", "a dog", "pet\n狗"),
        "sub/002.mask.png": ("tar", "", ""),
    }
    row = found["001.png"]
    assert path.read_bytes()[row.offset : row.offset + row.size] == picture(1)
    assert album.update().encoded == 0


def test_an_unchanged_shard_is_not_read_again_a_changed_one_is(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("b.png", picture(1))])
    album.build(path)
    before = {name: row.id for name, row in rows(album).items()}
    stamp = path.stat().st_mtime_ns
    damaged = path.read_bytes().replace(picture(1), picture(2)[: len(picture(1))].ljust(len(picture(1)), b"\0"))
    path.write_bytes(damaged)
    os.utime(path, ns=(stamp, stamp))
    assert (album.update().encoded, len(rows(album))) == (0, 2)
    # Other pictures at other offsets, though nothing of the file's time says so.
    write_tar(path, [("note.txt", b"x" * 600), ("a.png", picture(0)), ("b.png", picture(3)), ("c.png", picture(4))])
    os.utime(path, ns=(stamp, stamp))
    report = album.update()
    assert (report.encoded, report.reused, report.failed) == (2, 1, 0)
    found = rows(album)
    assert {name: row.id for name, row in found.items() if name != "c.png"} == before
    content = path.read_bytes()
    for name, seed in (("a.png", 0), ("b.png", 3), ("c.png", 4)):
        assert content[found[name].offset :].startswith(picture(seed))


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
    found = rows(album)
    assert set(found) == set(names)
    assert all(row.file == path and row.address is None for row in found.values())
    assert {p for p in album.folder.rglob("*") if not p.is_relative_to(album.data)} == set(before)


def test_of_members_with_one_name_the_last_counts(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("a.png", picture(1)), ("b.png", picture(2))])
    assert album.build(path).encoded == 2
    row = rows(album)["a.png"]
    assert path.read_bytes()[row.offset :].startswith(picture(1))


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
    assert 0 < sum(row.root == other for row in rows(album).values()) < 6
    path.write_bytes(whole)
    other.write_bytes(whole)
    assert album.update().warnings == ()
    assert len([row for row in rows(album).values() if row.root == other]) == 6


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b\x08 packed" * 100])
def test_what_is_no_tar_says_so(album, content):
    path = album.folder / "s.tar"
    path.write_bytes(content)
    with pytest.raises((ShardDamaged, NoPictures)) as caught:
        album.build(path)
    assert str(path) in caught.value.en
    if content[:1] == b"\x1f":
        assert "compressed" in caught.value.en


def test_damaged_headers_end_no_run(album):
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
            assert len({file.path for file in found}) == len(found) <= 10


def test_patterns_choose_among_members(album):
    path = write_tar(album.folder / "s.tar", [("a.png", picture(0)), ("raw/b.png", picture(1))])
    album.build(path, exclude=["raw/"])
    assert list(rows(album)) == ["a.png"]


# Addresses


Answer = tuple[int, Mapping[str, str], bytes]


@contextmanager
def web(answers: Mapping[str, Answer | Callable[[], Answer]]) -> Iterator[tuple[str, list[str]]]:
    """Serve `answers` on loopback; yields the address, and the list of what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer = answers.get(self.path, (404, {}, b""))
            status, headers, body = answer() if callable(answer) else answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


IMAGE = {"Content-Type": "image/png", "Last-Modified": "Wed, 01 May 2024 10:00:00 GMT"}


def test_addresses_are_fetched_once(album):
    with web({"/a.png": (200, IMAGE, picture(0)), "/%E7%8C%AB.png?x=%E7%8C%AB": (200, {}, picture(1))}) as (url, asked):
        table = write_list(album, f"url,caption\n{url}/a.png,a cat\n{url}/猫.png?x=猫#part,猫\n{url}/gone.png,\n")
        report = album.build(table)
        assert (report.encoded, report.failed) == (2, 1)
        row = rows(album)[f"{url}/a.png"]
        assert (row.address, row.size, row.caption) == (f"{url}/a.png", len(picture(0)), "a cat")
        assert row.mtime_ns == 1714557600 * 10**9
        assert album.layout.thumbnail(row.sha256).is_file()
        assert failures(album) == {f"{url}/gone.png": "url_status"}
        asked.clear()
        write_list(album, f"url,caption\n{url}/a.png,another\n{url}/猫.png?x=猫#part,猫\n{url}/gone.png,\n")
        album.update()
        assert asked == ["/gone.png"]
        assert (rows(album)[f"{url}/a.png"].caption, rows(album)[f"{url}/a.png"].size) == ("another", len(picture(0)))


def test_offline_nothing_is_fetched_and_later_it_is(album):
    album.draw("a.png")
    with web({"/b.png": (200, IMAGE, picture(0))}) as (url, asked):
        table = write_list(album, f"path,url\npictures/a.png,\n,{url}/b.png\n")
        report = album.build(table, settings=album.settings(offline=True))
        assert (report.encoded, report.failed, asked) == (1, 1, [])
        assert failures(album) == {f"{url}/b.png": "offline"}
        assert album.update().encoded == 1
        assert failures(album) == {}


def test_the_same_picture_at_two_addresses_is_encoded_once(album):
    with web({"/a.png": (200, IMAGE, picture(0)), "/b.png": (200, IMAGE, picture(0))}) as (url, _):
        assert album.build(write_list(album, f"url\n{url}/a.png\n{url}/b.png\n")).encoded == 1
        assert len(rows(album)) == 2


def test_several_servers_are_waited_for_at_once(album):
    together = Barrier(4, timeout=20)

    def when_all_are_there() -> Answer:
        return 200, IMAGE, picture(together.wait())

    with web({f"/{n}.png": when_all_are_there for n in range(4)}) as (url, _):
        report = album.build(write_list(album, "\n".join(["url", *(f"{url}/{n}.png" for n in range(4))])))
    assert (report.encoded, report.failed) == (4, 0)


def test_addresses_through_real_workers(album):
    with web({f"/{n}.png": (200, IMAGE, picture(n)) for n in range(70)}) as (url, asked):
        table = write_list(album, "\n".join(["url", *(f"{url}/{n}.png" for n in range(70))]))
        done = album.command("build", table, "--data", album.data, "--encoder", "hash", "--workers", 2)
        assert "70 encoded" in done.stdout, done.stderr
        assert len(asked) == 70


def busy_once() -> Callable[[], Answer]:
    answers = iter([(503, {}, b"busy"), (200, IMAGE, picture(0))])
    return lambda: next(answers)


FETCHED = {
    "ok": ((200, IMAGE, picture(0)), None),
    "busy_once": (busy_once(), None),
    "redirected": ((302, {"Location": "/ok"}, b""), None),
    "busy": ((503, {}, b""), ("url_status", "503 Service Unavailable")),
    "forbidden": ((403, {}, b""), ("url_status", "403 Forbidden")),
    "loop": ((302, {"Location": "/loop"}, b""), ("url_redirects", "302 Found")),
    "to_file": ((302, {"Location": "file:///etc/hostname"}, b""), ("url_redirects", "302 Found")),
    "to_ftp": ((301, {"Location": "ftp://127.0.0.1/x"}, b""), ("url_redirects", "301 Moved Permanently")),
    "page": ((200, {"Content-Type": "text/html; charset=utf-8"}, b"\n<!doctype html>"), ("url_web_page", "")),
    "empty": ((200, IMAGE, b""), ("empty_file", "")),
    "cut": ((200, {**IMAGE, "Content-Length": "9999"}, picture(0)), ("url_unreachable", "Connection reset by peer")),
    "large": ((200, IMAGE, bytes(50_000)), ("too_many_bytes", "> 0.0381470 MiB")),
    "claims": ((200, {**IMAGE, "Content-Length": str(10**12)}, b""), ("too_many_bytes", "> 0.0381470 MiB")),
}


@pytest.mark.parametrize("name", FETCHED)
def test_what_an_address_may_answer(name):
    answer, problem = FETCHED[name]
    limits, fetching = DecodeLimits(max_bytes=40_000), Fetching(timeout_s=5, pause_s=0)
    with web({f"/{name}": answer, "/ok": FETCHED["ok"][0]}) as (url, asked):
        if problem is None:
            assert fetch_address(f"{url}/{name}", limits, fetching)[0] == picture(0)
            return
        with pytest.raises(DecodeError) as caught:
            fetch_address(f"{url}/{name}", limits, fetching)
        assert (caught.value.reason, caught.value.detail[:9]) == (problem[0], problem[1][:9])
        assert asked.count(f"/{name}") <= 6


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/a.png", "url_unreachable"),
        ("http://127.0.0.1:99999/a.png", "url_invalid"),
        ("http://[::1/a.png", "url_invalid"),
        ("http:///a.png", "url_invalid"),
        ("file:///etc/hostname", "url_invalid"),
        ("http://" + "ü" * 100 + "/a.png", "url_invalid"),
        ("http://127.0.0.1:1/\r\nHost: evil", "url_unreachable"),
    ],
)
def test_addresses_that_lead_nowhere(address, reason):
    with pytest.raises(DecodeError) as caught:
        fetch_address(address, DecodeLimits(), Fetching(timeout_s=5, pause_s=0))
    assert caught.value.reason == reason


def test_an_address_that_never_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DecodeError) as caught:
            fetch_address(
                f"http://127.0.0.1:{silent.getsockname()[1]}/", DecodeLimits(), Fetching(timeout_s=0.05, pause_s=0)
            )
    assert (caught.value.reason, caught.value.detail) == ("url_timeout", "0.05")


def test_every_reason_is_said_in_both_languages():
    for english, chinese in DECODE_REASONS.values():
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese)
        assert ("{detail}" in english) == ("{detail}" in chinese)
