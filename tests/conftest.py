"""The tiers of the suite, and what several rooms' tests need: a folder of photographs, and a library built of it.

A test is fast unless it uses, itself or through another fixture, one of `RESOURCES`; then it is marked with its name.
`make check` runs the fast ones, `make test` those without `depth`, `make test-full` all.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from PIL import Image
from starlette.types import ASGIApp

# Before torch is loaded, here or in a process: its idle threads would spin, and take the processors from other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:  # threads of several workers would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from indexer.config import IndexerSettings
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build
from models.relevance.curves import Calibration, Fit, ReliabilityBin, Share
from models.relevance.mixture import LikelihoodRatio

settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing of what it finds
settings.load_profile("any machine")

RESOURCES = {
    "heavy": "takes more than half a second of a processor",
    "processes": "starts processes",
    "servers": "asks a server, in a process or a thread",
    "browser": "opens a browser",
    "torch": "loads torch",
    "depth": "goes deeper into what other tests cover; in `make test-full` alone",
}
CPU_LIMIT_S = 0.5
_UNMEASURED = {"browser", "depth"}  # they go over what other tests cover
_MEASURED = "COVERAGE_PROCESS_CONFIG"  # what tells processes to measure
_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}

_PHOTOGRAPHS = {
    "cat.png": ("skimage", "data/chelsea.png"),
    "coffee.png": ("skimage", "data/coffee.png"),
    "people/astronaut.png": ("skimage", "data/astronaut.png"),
    "people/camera.png": ("skimage", "data/camera.png"),
    "rocket.jpg": ("skimage", "data/rocket.jpg"),
    "moon.png": ("skimage", "data/moon.png"),
    "motorcycle.png": ("skimage", "data/motorcycle_left.png"),
    "china.jpg": ("sklearn", "datasets/images/china.jpg"),
    "flower.jpg": ("sklearn", "datasets/images/flower.jpg"),
}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    for name, meaning in RESOURCES.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the resources that it uses; the files that take longest come first."""
    for item in items:
        used = RESOURCES.keys() & set(getattr(item, "fixturenames", ()))
        for name in used | ({"no_cover"} if "browser" in used else set()):
            item.add_marker(name)
    deep = {item.path for item in items if item.get_closest_marker("depth")}
    items.sort(key=lambda item: item.path not in deep)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Measure no coverage in processes that some tests start: it makes them take half as long again."""
    measured = os.environ.pop(_MEASURED, None) if any(map(item.get_closest_marker, _UNMEASURED)) else None
    try:
        return (yield)
    finally:
        if measured is not None:
            os.environ[_MEASURED] = measured


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hold a fast test to what fast means. Fixtures do not count, nor does a test in which something is imported."""
    if any(item.get_closest_marker(name) for name in RESOURCES):
        return (yield)
    modules, has_torch = len(sys.modules), "torch" in sys.modules
    started = time.process_time()
    _fast.append(item.name)
    try:
        result = yield
    finally:
        _fast.clear()
    used = time.process_time() - started
    if has_torch != ("torch" in sys.modules):
        pytest.fail(f"This test loads torch, which takes seconds: {_ASK.format('torch')}", pytrace=False)
    if used > CPU_LIMIT_S and len(sys.modules) == modules and not _is_traced() and used > CPU_LIMIT_S * _slowness():
        took = f"This test took {used:.2f} s of processor time, a fast test may take {CPU_LIMIT_S} s"
        way_out = f"make it faster, prepare in a fixture what it needs, or {_ASK.format('heavy')}"
        pytest.fail(f"{took}: {way_out}", pytrace=False)
    return result


_fast: list[str] = []  # the fast test that is running, if one is
_ASK = "let it ask for the fixture `{}`, which takes it out of `make check` (see RESOURCES in tests/conftest.py)."


def _forbid_processes(event: str, _: object) -> None:
    if _fast and event in _STARTS:
        raise RuntimeError(f"{_fast[0]} starts a process, a fast test does not: {_ASK.format('processes')}")


sys.addaudithook(_forbid_processes)


def _is_traced() -> bool:
    """Whether coverage or mutants are measured, which takes processor time of its own."""
    return sys.gettrace() is not None or "MUTANT_UNDER_TEST" in os.environ


def _slowness() -> float:
    """Return how much slower this processor is now than one on which the limit was set, at its slowest of five tries.

    Beside busy programs the same work takes more time of a processor, and not the same at any moment.
    """
    times = [time.process_time()]
    for _ in range(5):
        sum(number * number for number in range(300_000))
        times.append(time.process_time())
    return max(1.0, *((after - before) / 0.02 for before, after in pairwise(times)))


@pytest.fixture(scope="session")
def heavy() -> None:
    """For a test that computes for long."""


@pytest.fixture(scope="session")
def processes() -> None:
    """For a test that starts processes, or a fixture that does."""


@pytest.fixture(scope="session")
def servers() -> None:
    """For what asks a server."""


@pytest.fixture(scope="session")
def browser() -> None:
    """For what opens a browser."""


@pytest.fixture(scope="session")
def depth() -> None:
    """For a test whose area is covered by others in `make test`, and for what is slow to make."""


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """Torch, on one thread: threads of several workers would wait for each other."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="session")
def make_fit() -> Callable[..., Fit]:
    """Return what gives a fit of which all holds: right and wrong pictures are as likely at a score, `middle`.

    From there the logarithm of their ratio rises by `slope`; where `is_steep`, it jumps, so that hits above `middle`
    are right nearly surely and those below nearly never. Further fields may be given.
    """

    def make(middle: float = 0.2, *, slope: float = 20.0, is_steep: bool = False, **changes: object) -> Fit:
        ratio = LikelihoodRatio((middle - 1, middle + 1), (-slope, slope), (1.0, 0.0), (1.0, 0.0))
        if is_steep:
            points = (middle - 1, middle - 1e-7, middle + 1e-7, middle + 1)
            ratio = LikelihoodRatio(points, (-5.0, -5.0, 5.0, 5.0), (1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 0.0))
        good, poor = (Share(value=one, low=one - 0.05, high=one + 0.05, count=500) for one in (0.9, 0.1))
        facts = {
            "ratio": ratio,
            "level_weight": 0.0,
            "caution": 1.0,
            "queries": 100,
            "classes": 50,
            "auroc": 0.9,
            "auroc_low": 0.85,
            "auroc_high": 0.94,
            "precision": good,
            "recall": good,
            "likely": good,
            "unlikely": poor,
            "no_match": good,
            "reliability": (ReliabilityBin(said=0.1, right=poor), ReliabilityBin(said=0.9, right=good)),
        }
        return Fit(**{**facts, **changes})

    return make


@pytest.fixture(scope="session")
def save_fits() -> Callable[..., Path]:
    """Return what saves fits in a library, of its main encoder and by kind of query, and returns their file."""

    def save(data: Path, **kinds: Fit) -> Path:
        opened = open_build(data)
        entry, path = opened.entry, opened.layout.relevance(opened.entry.encoder, opened.entry.fingerprint)
        calibration = Calibration(
            encoder=entry.encoder,
            fingerprint=entry.fingerprint,
            hub_correction=bool(entry.bank),
            source="questions",
            created_at="2026-11-20T09:03:00+00:00",
            kinds=kinds,
        )
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(calibration.to_json())
        opened.catalog.close()
        return path

    return save


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return what has a folder filled by the first worker that needs it, for all of this run; nobody may change it.

    Nor may anybody open a library there: SQLite keeps files beside a catalog that is open, and takes them away again.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a worker left that failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def photographs(made_once) -> Path:
    """Nine photographs, two of them in a subfolder, and one broken file. Not to be changed."""
    return made_once("photographs", copy_photographs)


def copy_photographs(folder: Path) -> None:
    """Fill a folder with `photographs`."""
    (folder / "people").mkdir()
    for name, (package, path) in _PHOTOGRAPHS.items():
        shutil.copyfile(Path(importlib.util.find_spec(package).origin).parent / path, folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture after all")


@pytest.fixture(scope="session")
def library(photographs, made_once, tmp_path_factory) -> Path:
    """A library of the photographs, built with the encoder `starter`. Not to be changed."""

    def build_library(data: Path) -> None:
        build(IndexerSettings(data=data, workers=0), [photographs], BuildOptions(encoders=["starter"]))

    return shutil.copytree(made_once("library", build_library), tmp_path_factory.mktemp("library"), dirs_exist_ok=True)


@pytest.fixture(scope="module")
def serve(servers, processes) -> Iterator[Callable[..., str]]:
    """Start `xuntu serve` on a library, wait until it answers `until`, and return its address; ends with the file."""
    with _services() as start:
        yield start


@contextmanager
def _services() -> Iterator[Callable[..., str]]:
    processes: list[subprocess.Popen[str]] = []

    def start(data: Path, *flags: str, until: str = "/readyz", **environment: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--data", str(data)]
        process = subprocess.Popen(
            [*command, "--port", str(port), *flags],
            env={**os.environ, "XUNTU_API__FOLLOW_SECONDS": "0.05", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(url + until), "the server to answer")
        assert process.poll() is None, process.stderr.read()
        return url

    try:
        yield start
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.communicate(timeout=120)


@pytest.fixture(scope="session")
def serve_app(servers) -> Iterator[Callable[[ASGIApp], str]]:
    """Serve an application in a thread, on a free port of loopback, and return its address; stopped at the end."""
    import uvicorn

    started: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: ASGIApp) -> str:
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        started.append((server, thread))
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            thread.join(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, _ in started:
        server.should_exit = True
    for _, thread in started:
        thread.join(120)


@pytest.fixture
def object_storage(servers, monkeypatch) -> Iterator[ModuleType]:
    """Object storage on a free port of loopback, which fails where it is told to; the environment leads to it."""
    module = _load(Path(__file__).with_name("object_storage.py"))
    storage = module.ObjectStorage().start()
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    yield storage
    storage.stop()


def _load(path: Path) -> ModuleType:
    """Return a module of the tests that no test can import by a name."""
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec
        assert spec.loader
        sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[path.stem])
    return sys.modules[path.stem]


@pytest.fixture(scope="session")
def server(library, servers, processes) -> Iterator[str]:
    """The address of a server that answers from `library`; stopped at the end."""
    with _services() as start:
        yield start(library)


@pytest.fixture(scope="session", name="wait_until")
def wait_until_fixture() -> Callable[[Callable[[], object], str], None]:
    """Poll a condition; fail after two minutes, which no machine takes."""
    return wait_until


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}")
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return bool(response.status == 200)
    except urllib.error.URLError:
        return False


@pytest.fixture(scope="session")
def draw_scene() -> Callable[..., np.ndarray]:
    """Return what draws a scene of blurred colours, each `seed` another: uint8 (height, width, 3)."""

    def draw(seed: int, width: int = 160, height: int = 120) -> np.ndarray:
        blocks = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
        return np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC))

    return draw


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Return what writes a video of scenes, (seconds, pixels) each, and returns its path.

    `gop` is the number of frames from one key frame to the next at most; where scenes change there is one more, as far
    as the codec does that. `turn` are degrees against the clock. Other keywords are fields of the codec's context.
    """
    av = pytest.importorskip("av")

    def write(
        path: Path,
        scenes: Sequence[tuple[float, np.ndarray]],
        codec: str = "libx264",
        *,
        rate: int = 10,
        gop: int = 1000,
        options: Mapping[str, str] | None = None,
        pixels: str = "yuv420p",
        turn: int = 0,
        metadata: Mapping[str, str] | None = None,
        container: Mapping[str, str] | None = None,
        **context: object,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", options=dict(container or {})) as output:
            output.metadata.update(metadata or {})
            stream = output.add_stream(codec, rate=rate, options={"g": str(gop), "threads": "1", **(options or {})})
            stream.height, stream.width = scenes[0][1].shape[:2]
            stream.pix_fmt = pixels
            if turn:
                stream.set_display_rotation(turn)
            for name, value in context.items():
                setattr(stream.codec_context, name, value)
            for seconds, scene in scenes:
                for _ in range(round(seconds * rate)):
                    output.mux(stream.encode(av.VideoFrame.from_ndarray(scene, "rgb24")))
            output.mux(stream.encode(None))
        return path

    return write
