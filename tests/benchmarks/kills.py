"""Kills the indexer at random moments of real runs, over and over, and looks at what is left each time.

Run as a program it prints what it found as JSON: kills.py FOLDER [--kills N] [--seed N] [--encoder NAME]...
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from processes import Bench, clean_environment
from tables import Table

from indexer.config import IndexerSettings
from indexer.library.errors import NoIndex
from indexer.library.opened import open_build
from indexer.pipeline.commands import verify

KILLS = 50
_CHECKOUT = Path(__file__).resolve().parents[2]
_FIRST = 240  # pictures before the first kill
_NEW, _GONE, _MOVED = 40, 5, 15  # what happens to the folder between one kill and the next


class Album:
    """A folder of small pictures that changes, and its library."""

    def __init__(self, folder: Path, seed: int, encoders: Sequence[str]) -> None:
        self.encoders = encoders
        self.pictures, self.data = folder / "pictures", folder / "data"
        self.pictures.mkdir(parents=True)
        self.random = np.random.default_rng(seed)
        self.drawn = 0

    def draw(self, count: int) -> None:
        """Add pictures, each unlike any other."""
        for _ in range(count):
            blocks = np.random.default_rng(self.drawn).integers(0, 256, (6, 8, 3), np.uint8)
            large = Image.fromarray(blocks).resize((480, 360), Image.Resampling.BICUBIC)
            large.save(self.pictures / f"{self.drawn:05d}.jpg", quality=90)
            self.drawn += 1

    def change(self) -> None:
        """Add, delete and rename some."""
        self.draw(_NEW)
        files = sorted(self.pictures.glob("*.jpg"))
        for n, path in enumerate(self.random.choice(files, _GONE + _MOVED, replace=False)):
            if n < _GONE:
                path.unlink()
            else:
                path.rename(path.with_name(f"moved-{self.random.integers(2**60)}.jpg"))

    def start(self) -> "subprocess.Popen[bytes]":
        """Begin a run in a process group of its own."""
        command = [sys.executable, "-m", "indexer", "build", str(self.pictures), "--data", str(self.data)]
        return subprocess.Popen(
            [*command, *(flag for name in self.encoders for flag in ("--encoder", name)), "--workers", "2"],
            env=clean_environment() | {"PYTHONPATH": str(_CHECKOUT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self) -> float:
        """Run to the end; return the seconds it took. Raises CalledProcessError."""
        started = time.monotonic()
        process = self.start()
        _, errors = process.communicate(timeout=600)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, "index build", stderr=errors.decode())
        return time.monotonic() - started

    def indexed(self) -> list[str]:
        """Return the files of the build in use, sorted; none while there is no build. Raises IndexDamaged."""
        try:
            opened = open_build(self.data)
        except NoIndex:
            return []
        ids = opened.index.list_ids()
        found = opened.index.search(opened.index.fetch(ids[:20]), 1)
        assert (found.scores > 1 - 1e-4).all()
        rows = opened.catalog.get_images(ids.tolist())
        opened.catalog.close()
        return sorted(row.path for row in rows.values())


def kill(album: Album, within_s: float) -> bool:
    """Start a run and kill all its processes at a random moment; say whether it was still at it."""
    process = album.start()
    try:
        process.communicate(timeout=album.random.uniform(0, within_s))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def check(album: Album) -> None:
    """Finish the run, and find every picture once, and nothing wrong."""
    album.finish()
    expected = sorted(path.name for path in album.pictures.glob("*.jpg"))
    found = album.indexed()
    assert found == expected, f"{len(found)} of {len(expected)} pictures"
    problems = verify(IndexerSettings(data=album.data))
    assert not problems, problems


def run_kills(folder: Path, kills: int, seed: int, encoders: Sequence[str] = ("hash",)) -> dict[str, float]:
    """Kill, look, go on; return counts and the seconds of an undisturbed run."""
    album = Album(folder, seed, encoders)
    album.draw(_FIRST)
    within = time_whole_run(album)
    landed = openable = 0
    for n in range(kills):
        album.change()
        landed += kill(album, within)
        album.indexed()  # whatever happened, the build in use opens and answers
        openable += 1
        if n % 5 == 4 or n == kills - 1:
            check(album)
    return {"kills": kills, "landed": landed, "openable": openable, "run_s": round(within, 2), "pictures": album.drawn}


def time_whole_run(album: Album) -> float:
    """Return how long a first run takes, and begin again without its library."""
    within = album.finish()
    shutil.rmtree(album.data)
    return within


def measure(bench: Bench) -> list[Table]:
    """Kill the indexer fifty times."""
    folder = bench.folder / "kills"
    shutil.rmtree(folder, ignore_errors=True)
    done = bench.run([sys.executable, __file__, str(folder), "--kills", str(KILLS)], {"PYTHONPATH": str(_CHECKOUT)})
    facts = json.loads(done.stdout)
    row = (facts["kills"], facts["landed"], facts["openable"], facts["pictures"], 0, 0)
    note = (
        "`xuntu index build` killed (SIGKILL, all its processes) at uniformly random moments of its run of "
        f"{facts['run_s']} s, while pictures are added, deleted and renamed in between; after each the build in use is "
        "opened and asked, after every fifth the run is finished and everything checked: each picture once, "
        "`xuntu index verify` clean."
    )
    head = ("runs killed", "still running when killed", "build opens", "pictures drawn", "lost", "twice")
    return [Table(title="Killed runs", head=head, rows=[tuple(map(str, row))], notes=(note,), facts=facts)]


def main() -> None:
    """Kill as often as asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", action="append", help="default: hash")
    arguments = parser.parse_args()
    encoders = arguments.encoder or ["hash"]
    print(json.dumps(run_kills(arguments.folder, arguments.kills, arguments.seed, encoders)))


if __name__ == "__main__":
    main()
