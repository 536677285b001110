"""A file that cannot be used is reported with its reason, and stops nothing."""

import io
import os
import signal
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.pipeline.read import FailureRecord, Record, load_records
from models.foundation.messages import translate
from models.pictures.errors import DECODE_REASONS


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def damaged_png() -> bytes:
    data = bytearray(picture("PNG"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def bomb() -> bytes:
    """Return a PNG of a few bytes that claims 3600 megapixels."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    chunks.append((b"IEND", b""))
    body = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def make_sparse(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


BROKEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "empty.jpg": ("empty_file", lambda path: path.write_bytes(b"")),
    "text.jpg": ("not_an_image", lambda path: path.write_text("I am no picture\n" * 20)),
    "page.png": ("not_an_image", lambda path: path.write_text("<!doctype html><title>404</title>")),
    "cut.jpg": ("truncated", lambda path: path.write_bytes(picture("JPEG")[:1000])),
    "cut.png": ("truncated", lambda path: path.write_bytes(picture("PNG")[:4000])),
    "cut.webp": ("truncated", lambda path: path.write_bytes(picture("WEBP")[:1000])),
    "cut.heic": ("truncated", lambda path: path.write_bytes(picture("HEIF")[:-500])),
    "damaged.png": ("corrupt", lambda path: path.write_bytes(damaged_png())),
    "bomb.png": ("too_many_pixels", lambda path: path.write_bytes(bomb())),
    "huge.jpg": ("too_many_bytes", lambda path: make_sparse(path, 2**30)),
    "pipe.jpg": ("not_a_regular_file", os.mkfifo),
    "gone.jpg": ("not_found", lambda path: path.symlink_to("nowhere.jpg")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_file_is_reported_and_the_rest_is_indexed(album, name):
    code, make = BROKEN[name]
    make(album.pictures / name)
    album.draw("a.png", "z.png")
    report = album.build()
    assert (report.seen, report.encoded, report.failed) == (3, 2, 1)
    assert album.names() == ["a.png", "z.png"]
    assert album.failures() == {name: code}


def test_all_of_them_at_once_through_real_workers(album, processes):
    album.draw(*(f"{n}.png" for n in range(70)))
    for name, (_, make) in BROKEN.items():
        make(album.pictures / name)
    done = album.command("build", album.pictures, "--data", album.data, "--encoder", "hash", "--workers", 2)
    assert done.returncode == 0
    assert f"{len(BROKEN)} failed" in done.stdout
    report = album.ask("report")
    assert report.keys() == {"failed", "indexed_in_part"}
    assert report["indexed_in_part"] == []
    assert {Path(item["path"]).name: item["code"] for item in report["failed"]} == {
        name: code for name, (code, _) in BROKEN.items()
    }
    for item in report["failed"]:
        assert item.keys() == {"path", "code", "reason_en", "reason_zh"}
        english, chinese = item["reason_en"], item["reason_zh"]
        assert english.startswith(DECODE_REASONS[item["code"]].split("{")[0])
        assert chinese.startswith(translate(DECODE_REASONS[item["code"]], "zh").split("{")[0])
        assert "{" not in english + chinese
    assert len(album.names()) == 70
    assert album.problems() == []


def test_the_limits_of_the_settings_hold(album):
    Image.new("RGB", (100, 100)).save(album.pictures / "many pixels.png")
    (album.pictures / "many bytes.bmp").write_bytes(picture("BMP") + bytes(100_000))
    album.draw("a.png")
    album.build(settings=album.settings(max_pixels=9_999, max_file_bytes=100_000))
    assert album.failures() == {"many pixels.png": "too_many_pixels", "many bytes.bmp": "too_many_bytes"}
    assert album.names() == ["a.png"]


def test_a_broken_file_is_not_read_again_until_it_changes(album):
    album.draw("a.png")
    broken = album.pictures / "b.png"
    broken.write_bytes(b"no picture")
    album.build()
    before = broken.stat()
    album.draw("b.png")
    with broken.open("r+b") as file:
        file.truncate(10)
    os.utime(broken, ns=(0, before.st_mtime_ns))  # as if it had not been touched
    report = album.update()
    assert (report.encoded, report.failed) == (0, 1)
    assert album.failures() == {"b.png": "not_an_image"}
    album.redraw("b.png")
    report = album.update()
    assert (report.encoded, report.failed) == (1, 0)
    assert album.names() == ["a.png", "b.png"]


def test_what_may_pass_by_itself_is_tried_again(album):
    album.draw("a.png")
    target = album.folder / "target.png"
    (album.pictures / "link.png").symlink_to(target)
    album.build()
    assert album.update().failed == 1
    album.draw(target)
    report = album.update()
    assert (report.encoded, report.failed) == (1, 0)
    assert album.failures() == {}


def test_a_file_without_permission_is_indexed_once_there_is(album, without_privileges):
    album.draw("a.png", "private.png")
    (album.pictures / "private.png").chmod(0)
    album.command(
        "build", album.pictures, "--data", album.data, "--encoder", "hash", "--workers", 0, prepare=without_privileges
    )
    assert album.failures() == {"private.png": "permission_denied"}
    (album.pictures / "private.png").chmod(0o644)  # neither size nor time of change is another
    assert album.update().encoded == 1
    assert album.names() == ["a.png", "private.png"]


def test_a_picture_that_breaks_leaves_the_index_and_comes_back_mended(full_album):
    before = full_album.ids()
    good = (full_album.pictures / "b.jpg").read_bytes()
    (full_album.pictures / "b.jpg").write_bytes(good[:300])
    assert full_album.update().failed == 1
    assert "b.jpg" not in full_album.names()
    (full_album.pictures / "b.jpg").write_bytes(good)
    assert full_album.update().encoded == 1
    assert full_album.ids() == before


def test_a_raised_limit_lets_in_what_was_too_large(album):
    album.draw("a.png")
    Image.new("RGB", (300, 300)).save(album.pictures / "large.png")
    assert album.build(settings=album.settings(max_pixels=50_000)).failed == 1
    assert album.build(settings=album.settings(max_pixels=50_000)).failed == 1
    assert album.build(settings=album.settings(max_pixels=90_000)).encoded == 1


class Deadly:
    """A data set, some of whose items end the process that reads them."""

    def __init__(self, count: int, deadly: set[int], way: str) -> None:
        self.count, self.deadly, self.way = count, deadly, way

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Record:
        if index in self.deadly:
            if self.way == "exit":
                os._exit(3)
            os.kill(os.getpid(), getattr(signal, self.way))
        return FailureRecord(index, "fine")


real_workers = pytest.mark.filterwarnings(
    "ignore:This DataLoader will create",  # more workers than this machine has processors
    "ignore:This process .* is multi-threaded:DeprecationWarning",
)


@real_workers
@pytest.mark.parametrize(("deadly", "way"), [({0}, "exit"), ({20, 21}, "SIGKILL")])
def test_a_crash_of_a_worker_costs_only_the_file_that_caused_it(deadly, way, processes):
    batches = load_records(Deadly(50, deadly, way), workers=2, batch_size=4)
    records = [record for batch in batches for record in batch]
    assert [record.index for record in records] == list(range(50))
    assert {record.index for record in records if record.reason == "crashed"} == deadly
    assert {record.reason for record in records} == {"fine", "crashed"}


@real_workers
@pytest.mark.parametrize("way", ["SIGSEGV"])
def test_a_worker_that_dies_while_its_reader_is_busy_costs_only_that_file(way, processes, depth):
    seen: list[Record] = []
    for batch in load_records(Deadly(50, {30}, way), workers=2, batch_size=4):
        seen += batch
        for _ in range(3000):  # as an encoder that is at work
            np.linalg.norm(np.ones(1000))
    assert [record.index for record in seen] == list(range(50))
    assert [record.index for record in seen if record.reason == "crashed"] == [30]
