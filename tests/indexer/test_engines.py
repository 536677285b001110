"""A cluster indexes what this machine does, whatever dies meanwhile: every picture is there, and once."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).resolve().parent
# Ray stays on the loopback interface, has no secret of its own in somebody's home, and is given time.
RAY = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_raylet_start_wait_time_s": "240",
}

# An annotator that does what is written at the end of a file: it stands for decoders that crash, and machines that do.
SHAKY = """
import os, pathlib, signal, time

FOLDER = pathlib.Path(os.environ["SHAKY"])

class Shaky:
    name, version, fields, needs = "shaky", int(os.environ.get("SHAKY_VERSION", 1)), (), "bytes"

    def annotate(self, pictures):
        for picture in pictures:
            with open(FOLDER / "seen", "a") as seen:
                seen.write(f"{len(picture.data)}\\n")
            word = picture.data[-6:]
            if word == b"POISON" or (word == b"KILLME" and first("killed")):
                os.kill(os.getpid(), signal.SIGKILL)
            if word == b"WAITS!" and first("reached"):
                while not (FOLDER / "open").exists():
                    time.sleep(0.05)
        return [{} for _ in pictures]

def first(name):
    import ray
    told = FOLDER / f"{name}-{os.getpid()}"
    told.write_text(ray.get_runtime_context().get_node_id())
    try:
        os.link(told, FOLDER / name)
    except FileExistsError:
        return False
    finally:
        told.unlink()
    return True
"""


@dataclass
class Machines:
    """A cluster that a process keeps."""

    process: "subprocess.Popen[str]"
    address: str
    port: str

    @property
    def joined(self) -> str:
        return f"ray:{self.address}"

    @property
    def client(self) -> str:
        return f"ray://127.0.0.1:{self.port}"

    def kill(self, node: str) -> None:
        self.process.stdin.write(f"{node}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "removed\n"


def start(environment: dict[str, str]) -> Iterator[Machines]:
    command = [sys.executable, str(HERE / "ray_machines.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            address, port, *_ = process.stdout.readline().split()
            yield Machines(process, address, port)
        finally:
            process.stdin.close()
            process.wait(timeout=120)


@pytest.fixture(scope="module")
def shaky(tmp_path_factory) -> dict[str, str]:
    """Make the plug-in, and give the environment in which it is found; what it has met is in the folder SHAKY."""
    folder = tmp_path_factory.mktemp("shaky")
    told = folder / "shaky-1.0.dist-info"
    told.mkdir()
    (folder / "shaky.py").write_text(SHAKY)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: shaky\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[xuntu.annotators]\nshaky = shaky:Shaky\n")
    path = os.pathsep.join([str(HERE.parents[1]), str(folder)])
    return {**os.environ, **RAY, "LANG": "C.UTF-8", "PYTHONPATH": path, "SHAKY": str(folder / "met")}


@pytest.fixture(scope="module")
def machines(heavy, processes, shaky) -> Iterator[Machines]:
    yield from start(shaky)


@pytest.fixture
def met(shaky) -> Path:
    """The folder in which the annotator notes what it has met, empty."""
    folder = Path(shaky["SHAKY"])
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    return folder


@pytest.fixture
def build(album, met, shaky) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Give what builds the album with an engine."""

    def run(engine: str, *options: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        more = {"PYTHONPATH": shaky["PYTHONPATH"], "SHAKY": shaky["SHAKY"], **RAY, **environment}
        return album.command(*command(album, engine), *options, **more)

    return run


def command(album, engine: str) -> list[str]:
    data = ["--data", str(album.data), "--encoder", "hash"]
    return ["build", str(album.pictures), *data, "--engine", engine]


def draw_all(album) -> None:
    """Draw pictures of all kinds: new ones, copies, a long one, and files that cannot be used."""
    album.draw(*(f"{n:02}.jpg" for n in range(70)))
    for name in ("copy.jpg", "trip/copy.jpg"):
        (album.pictures / name).parent.mkdir(exist_ok=True)
        (album.pictures / name).write_bytes((album.pictures / "01.jpg").read_bytes())
    noise = np.random.default_rng(0).integers(0, 256, (60, 8, 3), np.uint8)
    Image.fromarray(noise).resize((120, 1800), Image.Resampling.NEAREST).save(album.pictures / "long.png")
    (album.pictures / "text.jpg").write_text("I am no picture\n" * 20)
    (album.pictures / "empty.jpg").touch()


def change(album) -> None:
    """Change what is there: another picture, one that moved, one whose place is taken, one that is gone."""
    album.redraw("03.jpg")
    (album.pictures / "04.jpg").rename(album.pictures / "trip" / "four.jpg")
    (album.pictures / "05.jpg").replace(album.pictures / "06.jpg")
    (album.pictures / "07.jpg").unlink()
    album.draw("new.jpg")


def contents(album) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Return what the library knows of each file, and its vectors with those of its parts."""
    opened = album.open()
    connection = sqlite3.connect(album.layout.catalog)
    known: dict[str, object] = dict(album.failures())
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'annotation_*'")]
    vectors = {}
    for name, row in album.rows().items():
        own = [
            connection.execute(f"SELECT * FROM {table} WHERE content_id = ?", (row.content_id,)).fetchall()  # noqa: S608
            for table in tables
        ]
        parts = connection.execute("SELECT * FROM parts WHERE content_id = ?", (row.content_id,)).fetchall()
        found = [[each[1:] for each in table] for table in (*own, parts)]
        known[name] = (
            row.sha256,
            row.format,
            row.width,
            row.height,
            album.layout.thumbnail(row.sha256).exists(),
            found,
        )
        vectors[name] = opened.index.fetch(np.array([row.id]))[0]
    ((known["vectors of parts"],),) = connection.execute("SELECT count(*) FROM part_vectors").fetchall()
    connection.close()
    opened.catalog.close()
    assert album.problems() == []
    return known, vectors


def test_every_engine_makes_the_same_library(album, build, machines, tmp_path):
    draw_all(album)
    engines = ["local", "ray", machines.joined, machines.client]
    libraries = {engine: type(album)(tmp_path / str(place)) for place, engine in enumerate(engines)}
    for engine, own in libraries.items():
        own.pictures = album.pictures
        album.data, album.layout = own.data, own.layout
        done = build(engine, "--workers", 2)
        assert done.returncode == 0, done.stderr
        assert "75 pictures seen: 71 encoded, 2 already there, 2 failed" in done.stdout
    check_same(libraries)
    change(album)
    for engine, own in libraries.items():
        album.data, album.layout = own.data, own.layout
        done = build(engine, XUNTU_CLUSTER__SHARD="16")
        assert done.returncode == 0, done.stderr
    check_same(libraries)


def check_same(libraries) -> None:
    known, vectors = contents(libraries["local"])
    for engine, own in libraries.items():
        theirs, their_vectors = contents(own)
        assert theirs == known, engine
        assert their_vectors.keys() == vectors.keys()
        for name, vector in vectors.items():
            np.testing.assert_allclose(their_vectors[name], vector, rtol=0, atol=1e-5, err_msg=f"{engine} {name}")


def mark(album, name: str, word: bytes) -> None:
    with (album.pictures / name).open("ab") as file:
        file.write(word)


def check_whole(album, failed: dict[str, str] | None = None) -> None:
    names = {str(path.relative_to(album.pictures)) for path in album.pictures.rglob("*.jpg")}
    assert album.failures() == (failed or {})
    assert set(album.names()) == names - (failed or {}).keys()
    contents(album)
    connection = sqlite3.connect(album.layout.catalog)
    ((written,),) = connection.execute("SELECT sum(rows) FROM shards").fetchall()
    connection.close()
    assert written == len({row.sha256 for row in album.indexed()})  # no vector came twice


def test_what_kills_its_worker_once_is_read_again_and_what_always_does_is_a_failure(album, build, machines, met):
    album.draw(*(f"{n:02}.jpg" for n in range(60)))
    mark(album, "20.jpg", b"KILLME")
    mark(album, "40.jpg", b"POISON")
    done = build(machines.joined)
    assert done.returncode == 0, done.stderr
    assert "60 pictures seen: 59 encoded, 0 already there, 1 failed" in done.stdout
    assert (met / "killed").exists()
    check_whole(album, {"40.jpg": "crashed"})


def test_a_machine_that_goes_takes_nothing_with_it(album, met, shaky, heavy, processes, wait_until):
    album.draw(*(f"{n:02}.jpg" for n in range(60)))
    mark(album, "20.jpg", b"WAITS!")
    for machines in start(shaky):
        with subprocess.Popen(started(album, machines.joined), env=shaky) as run:
            wait_until(lambda: (met / "reached").exists() or run.poll() is not None, "a picture")
            machines.kill((met / "reached").read_text())
            assert run.wait(timeout=120) == 0
    check_whole(album)


def started(album, engine: str) -> list[str]:
    return [sys.executable, "-m", "indexer", *command(album, engine)]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_early_goes_on_with_what_its_workers_had_made(
    album, build, machines, met, shaky, wait_until, end
):
    album.draw(*(f"{n:02}.jpg" for n in range(60)))
    mark(album, "59.jpg", b"WAITS!")
    shared = {"XUNTU_CLUSTER__SHARED": str(album.folder / "shared")}
    with subprocess.Popen(started(album, machines.joined), env={**shaky, **shared}) as run:
        wait_until(lambda: (met / "reached").exists() or run.poll() is not None, "a picture")
        run.send_signal(end)
    assert run.returncode == (130 if end == signal.SIGINT else -end)
    (met / "open").touch()
    done = build(machines.joined, **shared)
    assert done.returncode == 0, done.stderr
    check_whole(album)
    seen = Counter((met / "seen").read_text().split())
    sizes = Counter(str(path.stat().st_size) for path in album.pictures.iterdir())
    again = sum((seen - sizes).values())
    assert again < 60  # what was done is not done again
    assert not list((album.folder / "shared").iterdir())


def test_a_cluster_that_is_not_there_is_said_at_once(album, build, machines):
    album.draw("a.jpg")
    done = build("ray:127.0.0.1:1")
    assert done.returncode != 0
    assert "The Ray cluster 127.0.0.1:1 cannot be used" in done.stderr
    assert build("ray").returncode == 0


def test_a_cluster_that_would_make_something_else_is_not_used(album, build, machines):
    album.draw("a.jpg")
    done = build(machines.joined, SHAKY_VERSION="2")
    assert done.returncode != 0
    assert "has shaky as 1, this one as 2: nothing is encoded with it" in done.stderr
    assert "raylet" not in done.stdout + done.stderr
    assert album.counts()["indexed"] == 0


def test_machines_without_this_version_are_said(album, build, heavy, processes, shaky, tmp_path):
    album.draw("a.jpg")
    other = tmp_path / "other"
    (other / "indexer").mkdir(parents=True)
    (other / "indexer" / "__init__.py").touch()  # an installation without engines
    for machines in start({**shaky, "PYTHONPATH": str(other)}):
        done = build(machines.joined, PYTHONPATH=str(HERE.parents[1]))
        assert done.returncode != 0
        assert "No module named 'indexer." in done.stderr
        assert "every machine needs this version of xuntu" in done.stderr
