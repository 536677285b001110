"""How long an update takes over a large library in which nothing has changed."""

import json
import shutil
import struct
import zlib
from pathlib import Path

from processes import INDEXER, Bench, Finished, say
from repetitions import Repetitions
from tables import Table

FILES = 100_000
_FOLDERS = 100
_REPETITIONS = Repetitions(
    title="Update, nothing changed",
    of="files",
    count=FILES,
    times=3,
    reach_s=5.0,
    note=(
        f"Whole process: `python -m indexer update`; tiny PNG files in {_FOLDERS} folders, on the local disk, their "
        "names in the system's cache."
    ),
)


def measure(bench: Bench) -> list[Table]:
    """Index many tiny pictures once, then update over and over."""
    pictures, library = bench.folder / "tiny", bench.folder / "tiny-library"
    _draw(pictures)
    if not (library / "builds" / "CURRENT").exists():
        shutil.rmtree(library, ignore_errors=True)
        say(f"indexing {FILES} tiny pictures")
        bench.build(library, pictures, "--encoder", "hash")

    def update() -> Finished:
        finished = bench.run([*INDEXER, "--data", str(library), "update", "--json"])
        report = json.loads(finished.stdout)
        assert (report["reused"], report["encoded"], report["failed"]) == (FILES, 0, 0), report
        return finished

    return [_REPETITIONS.run(update)]


def _draw(folder: Path) -> None:
    """Write the pictures that are missing: 16 x 16 pixels, each of bytes of its own."""
    if (folder / "made").exists():
        return
    say(f"drawing {FILES} tiny pictures")
    for number in range(FILES):
        place = folder / f"{number % _FOLDERS:03d}"
        if number < _FOLDERS:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}.png").write_bytes(_png(number))
    (folder / "made").touch()


def _png(number: int) -> bytes:
    """Return a PNG of coarse blocks that depend on the number."""
    shades = zlib.crc32(b"%d" % number).to_bytes(4) + number.to_bytes(4)
    rows = b"".join(b"\0" + bytes(shade for shade in shades for _ in range(2)) for _ in range(16))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
