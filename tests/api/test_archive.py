"""Downloads of many pictures: what is in them, whatever has become of the files, and who may have them."""

import contextlib
import csv
import io
import json
import os
import shutil
import socket
import subprocess
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.client import Client
from api.config import Settings
from api.http.app import create_app
from api.http.archives.facts import ListedPicture, Table
from api.http.archives.names import ArchiveNames, safe_name
from api.http.archives.streaming import Pace
from api.http.archives.zip_pieces import ZipPieces
from api.http.tickets.errors import TicketsUnavailable, TicketUnknown
from api.http.tickets.store import VALID_S, TicketStore
from api.keys.records import KeyRecord, digest_of, make_key
from api.keys.scopes import Scope
from api.keys.store import add_key
from indexer.config import IndexerSettings
from indexer.library.catalog.records import ImageRow
from indexer.library.sources.items import Locator, Root, Stamp
from indexer.pipeline.commands import BuildOptions, build

WRITTEN = datetime(2021, 3, 4, 5, 6, 8, tzinfo=UTC)


def picture(seed: int = 0, form: str = "PNG", **options: object) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


NAMES = ("b.png", "猫/小 猫.png", "sub/a.png", "=cmd.png", "c.jpg")


@pytest.fixture
def made(tmp_path):
    """A library of two folders, in which one name is twice, in another case."""
    for number, name in enumerate(NAMES):
        path = tmp_path / "first" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number, "JPEG" if name.endswith("jpg") else "PNG"))
        os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    (tmp_path / "second").mkdir()
    for number, name in enumerate(("B.png", "other.png")):
        (tmp_path / "second" / name).write_bytes(picture(10 + number))
    settings = IndexerSettings(data=tmp_path / "data", workers=0)
    build(settings, [tmp_path / "first", tmp_path / "second"], BuildOptions(encoders=["hash"]))
    return tmp_path


@pytest.fixture
def start(made):
    with contextlib.ExitStack() as closing:

        def begin(**api):
            settings = Settings(data=made / "data", api={"preload_image": False, **api})
            return closing.enter_context(TestClient(create_app(settings)))

        yield begin


@pytest.fixture
def service(start):
    return start()


def ids_of(service, **headers):
    listed = service.get("/v1/images", params={"sort": "path", "k": 100}, headers=headers).json()["images"]
    return {(one["root"], one["path"]): one["id"] for one in listed}


def archive(service, ids=None, **body):
    given = {"ids": list(ids)} if ids is not None else {}
    return service.post("/v1/archive", json={**given, **body})


def opened(content):
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


def table_of(content):
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_zip_has_the_files_and_what_is_known_of_them(service, made):
    ids = ids_of(service)
    answer = archive(service, ids.values(), name="猫 2024")
    assert answer.headers["content-type"] == "application/zip"
    assert "filename*=UTF-8''%E7%8C%AB%202024.zip" in answer.headers["content-disposition"]
    assert "content-encoding" not in answer.headers
    found = opened(answer.content)
    assert set(found.namelist()) == {
        *("b.png", "second/B.png", "猫/小 猫.png", "sub/a.png", "=cmd.png", "c.jpg", "other.png", "pictures.csv")
    }
    for name in NAMES:
        assert found.read(name) == (made / "first" / name).read_bytes()
    assert found.read("second/B.png") == (made / "second" / "B.png").read_bytes()
    info = found.getinfo("猫/小 猫.png")
    assert (info.compress_type, info.flag_bits & 0x800) == (zipfile.ZIP_STORED, 0x800)
    assert time.mktime((*info.date_time, 0, 0, -1)) == WRITTEN.timestamp()
    rows = {row["path"]: row for row in table_of(found.read("pictures.csv"))}
    assert len(rows) == len(ids)
    cat = rows["猫/小 猫.png"]
    assert (cat["id"], cat["root"], cat["width"], cat["height"]) == (
        str(ids["first", "猫/小 猫.png"]),
        "first",
        "32",
        "24",
    )
    assert (cat["file"], cat["missing"], cat["bytes"]) == ("猫/小 猫.png", "", str(len(picture(1))))
    assert rows["'=cmd.png"]["file"] == "'=cmd.png"


def test_other_programs_open_it(service, made, tmp_path, processes):
    path = tmp_path / "got.zip"
    path.write_bytes(archive(service, ids_of(service).values()).content)
    tools = [("unzip", "-q", str(path), "-d"), ("bsdtar", "-xf", str(path), "-C"), ("7z", "x", str(path), "-o")]
    there = [tool for tool in tools if shutil.which(tool[0])]
    if not there:
        pytest.skip("there is no program for it here")
    for tool in there:
        folder = tmp_path / tool[0]
        folder.mkdir()
        command = [*tool[:-1], f"-o{folder}"] if tool[0] == "7z" else [*tool, str(folder)]
        subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, stdout=subprocess.DEVNULL)
        got = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert {"猫/小 猫.png", "b.png", "pictures.csv"} < got
        assert (folder / "b.png").read_bytes() == (made / "first" / "b.png").read_bytes()
        assert (folder / "b.png").stat().st_mtime == WRITTEN.timestamp()


def test_what_is_gone_or_is_another_file_is_told_of(start, made):
    service = start()
    ids, secret = ids_of(service), made / "secret.png"
    secret.write_bytes(picture(99))
    (made / "first" / "b.png").unlink()
    (made / "first" / "c.jpg").write_bytes(b"something else")
    (made / "first" / "=cmd.png").unlink()
    (made / "first" / "=cmd.png").symlink_to(secret)
    asked = [*ids.values(), 999, ids["second", "other.png"]]
    found = opened(archive(service, asked).content)
    assert set(found.namelist()) == {"B.png", "猫/小 猫.png", "sub/a.png", "other.png", "pictures.csv"}
    rows = {row["path"]: row for row in table_of(found.read("pictures.csv"))}
    assert {path: row["missing"] for path, row in rows.items() if row["missing"]} == {
        "b.png": "file_gone",
        "c.jpg": "file_changed",
        "'=cmd.png": "link_not_followed",
        "": "image_not_found",
    }
    assert rows["b.png"]["file"] == ""
    assert "no longer there" in rows["b.png"]["why"]
    assert str(made) not in str(rows)
    chinese = service.post("/v1/archive", json={"ids": asked, "format": "csv"}, headers={"accept-language": "zh"})
    assert "图片" in next(row["why"] for row in table_of(chinese.content) if row["id"] == "999")


def test_a_file_that_is_written_while_it_is_sent_is_left_out(service, made, monkeypatch, heavy):
    path = made / "second" / "large.png"
    path.write_bytes(picture(60) + bytes(600_000))
    build(IndexerSettings(data=made / "data", workers=0), [made / "second"], BuildOptions(encoders=["hash"]))
    reads, before = [], os.pread

    def pread(descriptor, count, offset):
        data = before(descriptor, count, offset)
        if Path(f"/proc/self/fd/{descriptor}").readlink() == path:
            reads.append(offset)
            if len(reads) == 3:  # to see what it is, and two pieces to be sent
                path.write_bytes(b"shorter")
        return data

    with TestClient(create_app(service.app.state.service.settings)) as again:
        ids = ids_of(again)
        monkeypatch.setattr(os, "pread", pread)
        wanted = [ids["second", "large.png"], ids["first", "b.png"]]
        found = opened(archive(again, wanted).content)
    assert reads[:2] == [0, 0]
    assert found.namelist() == ["b.png", "pictures.csv"]
    row, _ = table_of(found.read("pictures.csv"))
    assert (row["missing"], row["file"]) == ("file_changed", "")


def test_where_pictures_were_taken_is_left_out_where_the_service_is_set_so(made, start, heavy):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (30.0, 15.0, 0.0), 3: "E", 4: (120.0, 9.0, 0.0)})
    (made / "first" / "gps.jpg").write_bytes(picture(50, "JPEG", exif=exif))
    build(IndexerSettings(data=made / "data", workers=0), [made / "first"], BuildOptions(encoders=["hash"]))
    service = start(strip_gps=True)
    image_id = ids_of(service)["first", "gps.jpg"]
    content = opened(archive(service, [image_id]).content).read("gps.jpg")
    assert content == service.get(f"/v1/images/{image_id}/file").content
    assert content != (made / "first" / "gps.jpg").read_bytes()


def test_facts_alone_are_a_table_or_json(service):
    ids = ids_of(service)
    wanted = [ids["first", "=cmd.png"], 999, ids["first", "b.png"]]
    answer = archive(service, wanted, format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content[:3] == b"\xef\xbb\xbf"
    rows = table_of(answer.content)
    assert [row["path"] for row in rows] == ["'=cmd.png", "", "b.png"]
    assert "file" not in rows[0]
    told = archive(service, wanted, format="json").json()["pictures"]
    assert [one["path"] for one in told] == ["=cmd.png", None, "b.png"]
    assert (told[1]["missing"], told[2]["tags"], told[2]["width"]) == ("image_not_found", [], 32)
    board = service.post("/v1/boards", json={"name": "empty"}).json()["id"]
    assert archive(service, board=board, format="json").json() == {"pictures": []}
    assert opened(archive(service, board=board).content).namelist() == ["pictures.csv"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("a=1", "a=1"),
        (["-x", "y"], "'-x; y"),
        ("a\0b", "ab"),
        (-5, "-5"),
        ('say "猫", please\nnow', 'say "猫", please\nnow'),
    ],
)
def test_no_cell_is_a_formula(value, cell):
    table = Table(has_files=True)
    table.add(ListedPicture(1, None, {"id": 1, "caption": value}))
    assert table_of(table.take())[0]["caption"] == cell


def row_at(path, root="/pictures", image_id=7):
    return ImageRow(
        id=image_id,
        content_id=1,
        source=Root(id=1, path=Path(root)),
        locator=Locator(1, path),
        stamp=Stamp(),
        status="indexed",
        caption="",
        tags="",
        sha256="0" * 64,
        format="png",
        width=1,
        height=1,
    )


def test_names_are_safe_and_each_is_there_once():
    names = ArchiveNames("pictures.csv")
    given = [
        ("a/b.png", "a/b.png"),
        ("A/B.png", "pictures/A/B.png"),
        ("a/b.png", "pictures/a/b (2).png"),
        ("a/b.png", "pictures/a/b (3).png"),
        ("../../etc/x.png", "etc/x.png"),
        ("/home/me/secret/y.png", "secret/y.png"),
        ("PICTURES.csv", "pictures/PICTURES.csv"),
        ("a", "pictures/a (2)"),
        ("etc/x.png/deeper.png", "pictures/etc/x.png/deeper.png"),
        ("con/nul.png", "_con/_nul.png"),
        ("line\nbreak\x7f.png", "line_break_.png"),
        ("\u202egnp.exe", "_gnp.exe"),
        ('q?*"<>|:.png', "q_______.png"),
        ("dots. /x.png", "dots/x.png"),
        (".hidden/.png", "_.hidden/_.png"),
        ("bad\udcff.png", "bad\ufffd.png"),
        ("https://example.org/a/b%2F..%2Fc.png?key=1", "example.org/c.png"),
        ("https://example.org/", "example.org/7.png"),
    ]
    for path, expected in given:
        assert names.name(row_at(path)) == expected, path
    long = names.name(row_at("字" * 200 + ".png"))
    assert len(long.encode()) <= 204
    assert long.endswith(".png")
    assert safe_name("...") == "_"
    assert safe_name("e\u0301") == "\xe9"


def test_files_beyond_4_gib_are_zip64(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    pieces = ZipPieces()
    written = b""
    for name in ("a.bin", "b.bin"):
        pieces.begin(name, 5000, 2**62)
        for _ in range(5):
            written += pieces.add(b"x" * 1000)
        written += pieces.end()
    written += pieces.finish()
    assert b"PK\x06\x06" in written
    found = opened(written)
    assert found.read("b.bin") == b"x" * 5000
    assert found.getinfo("a.bin").date_time == (1980, 1, 1, 0, 0, 0)


def test_of_five_thousand_files_a_piece_is_held_at_a_time(heavy):
    pieces, largest, data = ZipPieces(), 0, os.urandom(4096)
    for number in range(5000):
        pieces.begin(f"{number}.png", len(data), None)
        largest = max(largest, len(pieces.add(data)), len(pieces.end()))
    assert largest < len(data) + 200
    assert len(pieces.finish()) < 5000 * 100


def test_what_is_asked_for_is_checked(service):
    ids = list(ids_of(service).values())
    board = service.post("/v1/boards", json={"name": "a"}).json()["id"]
    for body, status, code in (
        ({}, 422, "invalid_query"),
        ({"ids": ids, "board": board}, 422, "invalid_query"),
        ({"ids": []}, 422, "invalid_request"),
        ({"ids": [1] * 10_001}, 422, "invalid_request"),
        ({"ids": [0]}, 422, "invalid_request"),
        ({"ids": [2**63]}, 422, "invalid_request"),
        ({"ids": ids, "format": "rar"}, 422, "invalid_request"),
        ({"ids": ids, "name": "x" * 201}, 422, "invalid_request"),
        ({"ids": [998, 999]}, 404, "image_not_found"),
        ({"board": "none"}, 404, "board_not_found"),
        ({"board": board, "format": "sheet"}, 422, "invalid_query"),
    ):
        for params in ({}, {"ticket": "true"}):
            answer = service.post("/v1/archive", json=body, params=params)
            assert (answer.status_code, answer.json()["code"]) == (status, code), body


def test_a_sheet_shows_pictures_and_pages_are_printed(service, made, heavy):
    ids = list(ids_of(service).values())
    jpeg = archive(service, [*ids, 999], format="sheet", name="春天")
    assert (jpeg.headers["content-type"], jpeg.headers["content-disposition"][-4:]) == ("image/jpeg", ".jpg")
    with Image.open(io.BytesIO(jpeg.content)) as sheet:
        assert sheet.format == "JPEG"
        assert sheet.width > 1000
    shutil.rmtree(made / "data" / "thumbnails")
    pdf = archive(service, ids, format="pdf")
    assert pdf.content[:5] == b"%PDF-"
    assert pdf.content.count(b"/Type /Page\n") == 1 or b"/Count 1" in pdf.content


def test_a_board_is_downloaded_in_its_order(service):
    ids = ids_of(service)
    wanted = [ids["first", "sub/a.png"], ids["first", "b.png"]]
    board = service.post("/v1/boards", json={"name": "旅行", "ids": wanted}).json()["id"]
    answer = archive(service, board=board)
    assert "%E6%97%85%E8%A1%8C.zip" in answer.headers["content-disposition"]
    assert opened(answer.content).namelist() == ["sub/a.png", "b.png", "pictures.csv"]


# Tickets


def give_key(path, name, *scopes):
    key = make_key()
    made_at = datetime(2026, 5, 1, tzinfo=UTC)
    add_key(path, KeyRecord(name=name, digest=digest_of(key.encode()), scopes=frozenset(scopes), created_at=made_at))
    return {"authorization": f"Bearer {key}"}


def test_a_ticket_is_for_whoever_asked_and_for_some_minutes(made, start, heavy):
    keys = made / "keys.json"
    one, other = (give_key(keys, name, Scope.SEARCH, Scope.FILES) for name in ("one", "other"))
    only_files = give_key(keys, "files", Scope.FILES)
    service, beside = start(keys=keys), start(keys=keys)
    ids = list(ids_of(service, **one).values())
    asked = service.post("/v1/archive", params={"ticket": "true"}, json={"ids": ids, "name": "mine"}, headers=one)
    assert asked.status_code == 201
    ticket = asked.json()
    assert ticket["url"] == f"/v1/archive/{ticket['ticket']}"
    for client in (service, service, beside):  # several times, and by any process
        got = client.get(ticket["url"], headers=one)
        assert len(opened(got.content).namelist()) == len(ids) + 1
        assert "mine.zip" in got.headers["content-disposition"]
    head = service.head(ticket["url"], headers=one)
    assert (head.status_code, head.content) == (200, b"")
    for headers in (other, only_files):
        answer = service.get(ticket["url"], headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "ticket_unknown")
    assert service.get(ticket["url"]).status_code == 401
    assert service.get("/v1/archive/..%2f..%2fkeys.json", headers=one).status_code == 404
    refused = service.post("/v1/archive", json={"ids": ids}, headers=only_files)
    assert (refused.status_code, "search" in refused.json()["detail"]) == (403, True)
    served = service.app.state.service
    served.tickets = TicketStore(made / "data" / "tickets", now=lambda: time.time() + VALID_S + 1)
    assert service.get(ticket["url"], headers=one).json()["code"] == "ticket_unknown"


def test_tickets_are_kept_for_their_time_and_so_many(tmp_path):
    now = [1000.0]
    store = TicketStore(tmp_path / "tickets", now=lambda: now[0])
    ticket = store.give({"ids": [1]}, "me")
    now[0] += VALID_S - 1
    assert store.read(ticket.id, "me") == {"ids": [1]}
    later = store.give({"ids": [2]}, "me")
    now[0] += 1
    for name, owner in ((ticket.id, "me"), (later.id, "you"), ("../tickets", "me"), ("x" * 32, "me")):
        with pytest.raises(TicketUnknown):
            store.read(name, owner)
    store.give({}, "me")
    assert not (tmp_path / "tickets" / ticket.id).exists()
    assert (tmp_path / "tickets" / later.id).stat().st_mode & 0o777 == 0o600
    (tmp_path / "tickets" / later.id).write_text("[]")
    with pytest.raises(TicketUnknown):
        store.read(later.id, "me")
    (tmp_path / "file").write_text("")
    with pytest.raises(TicketsUnavailable, match="kept ready"):
        TicketStore(tmp_path / "file" / "tickets").give({}, "me")


def test_the_oldest_tickets_make_room(tmp_path, monkeypatch):
    now = [1000.0]
    store = TicketStore(tmp_path, now=lambda: now[0])
    monkeypatch.setattr("api.http.tickets.store._MOST", 3)
    given = []
    for _ in range(5):
        now[0] += 1
        given.append(store.give({}, "me").id)
    assert {path.name for path in tmp_path.iterdir()} == set(given[2:])


# Sending


def test_a_client_that_hangs_up_ends_it_and_gives_its_place_back(made, serve_app, wait_until):
    (made / "large").mkdir()
    for number in range(4):
        (made / "large" / f"{number}.png").write_bytes(picture(number) + os.urandom(2**23))
    build(IndexerSettings(data=made / "data", workers=0), [made / "large"], BuildOptions(encoders=["hash"]))
    app = create_app(Settings(data=made / "data", api={"preload_image": False, "max_archives": 1}))
    url = serve_app(app)
    with httpx.Client(base_url=url, timeout=120) as http:
        ids = [one for (root, _), one in ids_of(http).items() if root == "large"]
        body = json.dumps({"ids": ids}).encode()
        head = "POST /v1/archive HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as stalled:
            stalled.sendall(head.encode() + body)
            assert stalled.recv(100).startswith(b"HTTP/1.1 200")
            answer = http.post("/v1/archive", json={"ids": ids})
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert "retry-after" in answer.headers
            assert http.get(f"/v1/images/{ids[0]}/thumbnail").status_code == 200
        admission = app.state.libraries.admission

        def is_over():
            return admission.count("archive") == 0

        wait_until(is_over, "the place to be given back")
        with http.stream("POST", "/v1/archive", json={"ids": ids}) as streamed:
            content = b"".join(streamed.iter_bytes())
        assert len(opened(content).namelist()) == 5


def test_a_slow_client_is_waited_for_as_long_as_its_bytes_may_take():
    now = [0.0]
    pace = Pace(lambda: now[0])
    for _ in range(3):  # at 32 KiB a second it goes on for ever
        pace.begin()
        now[0] += 8
        pace.took(8 * 2**15)
        now[0] += 1000  # while the service reads
    assert pace.left_s == 60
    pace.begin()
    now[0] += 61
    pace.took(2**15)
    assert pace.left_s == 0


def test_the_client_downloads_too(made, serve_app):
    url = serve_app(create_app(Settings(data=made / "data", api={"preload_image": False})))
    with Client(url) as client:
        ids = [one.id for one in client.images(sort="path").images]
        file = client.archive(ids, name="猫")
        assert (file.media_type, file.name) == ("application/zip", "猫.zip")
        ticket = client.archive_ticket(ids, form="csv")
        assert len(table_of(client.archived(ticket.ticket).content)) == len(ids)
