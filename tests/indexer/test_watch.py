"""Following the folders of a library: what happens to files is in the library soon after."""

import shutil
import subprocess
import sys
import threading
import time

import pytest

from indexer.library.errors import LibraryBusy, NoIndex
from indexer.pipeline.watch import watch


@pytest.fixture
def follow(full_album):
    """Watch the album in a thread, and wait for its reports."""
    stop, reports, errors = threading.Event(), [], []

    def run() -> None:
        watch(full_album.settings(), on_report=reports.append, on_error=errors.append, stop=stop)

    thread = threading.Thread(target=run)

    def wait_for(condition, what: str) -> None:
        until = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < until, f"waited in vain for {what}; {reports} {errors}"
            assert thread.is_alive(), f"the watch ended; {reports} {errors}"
            time.sleep(0.05)

    wait_for.errors = errors
    thread.start()
    wait_for(lambda: reports, "the first update")
    yield wait_for
    stop.set()
    thread.join(timeout=120)
    assert not thread.is_alive()


def test_what_happens_to_files_is_soon_in_the_library(full_album, follow):
    before = full_album.ids()
    full_album.draw("new.png", "deep/er/雪.png")
    follow(lambda: len(full_album.names()) == 7, "new pictures")
    (full_album.pictures / "trip").rename(full_album.pictures / "旅行")
    follow(lambda: "旅行/d.png" in full_album.names(), "a renamed folder")
    assert full_album.ids()["旅行/d.png"] == before["trip/d.png"]
    (full_album.pictures / "a.png").unlink()
    follow(lambda: "a.png" not in full_album.names(), "a deleted picture")
    shutil.rmtree(full_album.pictures / "旅行")
    follow(lambda: len(full_album.names()) == 4, "a deleted folder")
    assert full_album.names() == ["b.jpg", "c.webp", "deep/er/雪.png", "new.png"]
    assert full_album.problems() == []


def test_changes_wait_while_another_command_writes(full_album, follow, processes):
    script = (
        "import sys; from pathlib import Path; from indexer.library.layout import Layout; "
        "from indexer.library.lock import write_lock\n"
        "with write_lock(Layout(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, full_album.data]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=full_album.environment()
    ) as other:
        assert other.stdout.readline() == b"held\n"
        full_album.draw("new.png")
        follow(lambda: follow.errors, "the watch to notice")
        assert isinstance(follow.errors[0], LibraryBusy)
        assert "new.png" not in full_album.names()
        other.stdin.close()
    follow(lambda: "new.png" in full_album.names(), "the change that waited")


def test_a_library_that_is_not_there_cannot_be_watched(album):
    with pytest.raises(NoIndex):
        watch(album.settings())
