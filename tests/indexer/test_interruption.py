"""A run that is stopped, killed or not alone: nothing is lost, and nothing is there twice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.library.catalog.writer import Catalog
from indexer.library.errors import IndexDamaged, NoIndex
from indexer.library.lock import write_lock


@pytest.fixture
def start(album, processes):
    """Start a run with two workers in a process group of its own, as a terminal does."""
    started: list[subprocess.Popen[str]] = []

    def run() -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "indexer", "build", album.pictures, "--data", album.data, "--encoder", "hash"]
        process = subprocess.Popen(
            [*map(str, command), "--workers", "2"],
            env=album.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=120)


def fill(album, count: int) -> None:
    """Give the album `count` files of fifty pictures, each with bytes of its own after the picture."""
    album.draw(*(f"{n:02}.jpg" for n in range(50)))
    for n in range(50, count):
        picture = (album.pictures / f"{n % 50:02}.jpg").read_bytes()
        (album.pictures / f"other{n:05}.jpg").write_bytes(picture + b"%d" % n)


def rows_of(album) -> int:
    """Return how many pictures the catalog holds; none while there is no catalog."""
    try:
        catalog = Catalog(album.layout.catalog)
        indexed = catalog.counts()["indexed"]
        catalog.close()
    except NoIndex:
        return 0
    return indexed


def check_resumed(album, total: int, kept: int, failed: int = 0) -> None:
    """Run again, and find everything once."""
    report = album.build()
    assert (report.seen, report.encoded, report.reused, report.failed) == (total, total - kept - failed, kept, failed)
    assert sorted(path.name for path in album.pictures.glob("*") if path.stat().st_size) == album.names()
    assert album.problems() == []
    assert album.build_names() == {report.build}
    assert album.update().encoded == 0


def test_a_killed_run_loses_only_what_was_not_yet_written(album, start, wait_until):
    fill(album, 800)
    (album.pictures / "0a.jpg").touch()
    for n in range(1999):  # 2048 files are written at once, and those that are empty are soon read
        (album.pictures / f"0a{n:04}.jpg").hardlink_to(album.pictures / "0a.jpg")
    process = start()
    wait_until(lambda: rows_of(album) or process.poll() is not None, "pictures in the catalog")
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(timeout=120) == -signal.SIGKILL, "the run was over before it could be killed"
    kept = rows_of(album)
    assert 0 < kept < 800
    check_resumed(album, 2800, kept, failed=2000)


def test_runs_killed_at_random_moments_lose_nothing(tmp_path, processes, depth):
    """The suite of benchmarks does the same fifty times."""
    program = Path(__file__).resolve().parents[1] / "benchmarks" / "kills.py"
    command = [sys.executable, program, tmp_path / "album", "--kills", "5", "--seed", "1"]
    environment = {**os.environ, "PYTHONPATH": str(program.parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]
    facts = json.loads(done.stdout)
    assert facts["openable"] == 5
    assert facts["landed"] > 0


def test_workers_end_with_the_run_that_started_them(album, start, wait_until, depth):
    fill(album, 6000)
    process = start()

    def workers() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[2]) == process.pid and path.parent.name != str(process.pid) and fields[0] != "Z":
                    found.append(path.parent.name)
        return found

    wait_until(lambda: len(workers()) == 2, "the workers")
    process.kill()
    process.wait()
    wait_until(lambda: not workers(), "the workers to end")


def test_workers_that_outlive_a_killed_run_are_not_in_the_way_of_the_next(album, start, wait_until, depth):
    fill(album, 500)
    process = start()
    wait_until(lambda: list(album.layout.thumbnails.glob("*/*.webp")), "the first picture to be read")
    process.kill()  # the run alone; its workers find out
    process.wait(timeout=120)
    check_resumed(album, 500, rows_of(album))


@pytest.mark.parametrize("everyone", [True, False], ids=["terminal", "process"])
def test_a_stopped_run_keeps_what_it_has_encoded(album, start, wait_until, everyone):
    fill(album, 800)
    process = start()
    wait_until(lambda: len(list(album.layout.thumbnails.glob("*/*.webp"))) > 40, "pictures to be read")
    if everyone:
        os.killpg(process.pid, signal.SIGINT)  # Control-C reaches the workers too
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert "Stopped." in err
    assert "Traceback" not in err
    check_resumed(album, 800, rows_of(album))


@pytest.mark.parametrize("command", ["build", "update", "rebuild", "rollback"])
def test_of_two_writers_the_second_is_told_to_wait(full_album, command, processes):
    before = full_album.names()
    folders = [full_album.pictures] if command == "build" else []
    with write_lock(full_album.layout):
        done = full_album.command(command, *folders, "--data", full_album.data)
    assert done.returncode == 1
    assert "Another process is indexing" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert full_album.names() == before


def test_readers_do_not_wait_for_a_writer(full_album, processes):
    with write_lock(full_album.layout):
        assert full_album.ask("stats")["pictures"] == 5
        assert full_album.ask("verify") == {"ok": True, "problems": []}


def test_what_an_interrupted_publication_left_is_cleared_away(full_album):
    before = full_album.open().manifest.build
    left = full_album.layout.builds / "20200101T000000Z-dead"
    left.mkdir()
    (left / "hash.faiss").write_bytes(b"half an ind")
    assert full_album.open().manifest.build == before
    full_album.draw("new.png")
    after = full_album.update().build
    assert full_album.build_names() == {before, after}


def test_a_run_killed_before_it_published_is_published_by_the_next(full_album):
    full_album.layout.current.unlink()
    with pytest.raises(NoIndex):
        full_album.open()
    assert full_album.update().encoded == 0
    assert len(full_album.names()) == 5


def test_a_build_folder_without_its_manifest_is_not_used(full_album):
    build = full_album.open().manifest.build
    (full_album.layout.builds / build / "manifest.json").unlink()
    with pytest.raises(IndexDamaged):
        full_album.open()
    assert full_album.update().build != build
    assert len(full_album.names()) == 5
