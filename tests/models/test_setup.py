"""`xuntu setup` from the hub to measured speed, by the command a person runs; the hub is on loopback."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from models.encoders.registry import GROUP, get_published
from models.encoders.runtime import Runtime
from models.foundation.errors import WeightsUnwritable
from models.foundation.hardware import Hardware
from models.weights.setup import plan_setup

PLUGIN = Path(__file__).with_name("plugin") / "tiny.py"
CHECKOUT = Path(__file__).resolve().parents[2]
XUNTU = [sys.executable, "-c", "from api.cli import main; main()"]
NAME, FILE = "tiny", "/org/tiny/resolve/main/model.safetensors"
HALF = 3_000_000
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class TinyHub(ThreadingHTTPServer):
    """Serves one file, parts of it too; `holds`: the first answer stops half-way until it is let go."""

    daemon_threads = True

    def __init__(self, data: bytes, *, holds: bool) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.data, self.holds = data, holds
        self.asked: list[tuple[str, str | None]] = []
        self.holding, self.release = Event(), Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        """A client that is stopped is what a test is about."""


class Answer(BaseHTTPRequestHandler):
    server: TinyHub

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        hub = self.server
        hub.asked.append((self.path, self.headers["Range"]))
        if self.path != FILE:
            self.send_error(404)
            return
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(hub.data) - 1}/{len(hub.data)}")
        self.send_header("ETag", '"tiny"')
        self.send_header("Content-Length", str(len(hub.data) - start))
        self.end_headers()
        if hub.holds:
            hub.holds = False
            self.wfile.write(hub.data[:HALF])
            self.wfile.flush()
            hub.holding.set()
            hub.release.wait(120)
            return
        self.wfile.write(hub.data[start:])


@pytest.fixture(scope="module")
def checkpoint(torch, made_once) -> Path:
    """The folder with the checkpoint. Not to be changed."""

    def make(folder: Path) -> None:
        spec = importlib.util.spec_from_file_location("tiny", PLUGIN)
        tiny = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tiny)
        tiny.save(folder / NAME)

    return made_once("weights-tiny", make) / NAME


@pytest.fixture
def hub(checkpoint, servers) -> Iterator[Callable[..., TinyHub]]:
    """Start a hub."""
    started: list[TinyHub] = []

    def start(*, holds: bool = False) -> TinyHub:
        started.append(TinyHub((checkpoint / "model.safetensors").read_bytes(), holds=holds))
        Thread(target=started[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return started[-1]

    yield start
    for server in started:
        server.release.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """Variables under which the plug-in with the encoder is installed."""
    installed = tmp_path_factory.mktemp("installed")
    metadata = installed / "tiny-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\ntiny = tiny:FAMILY\n")
    shutil.copy(PLUGIN, installed)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG", "HF_"))}
    paths = os.pathsep.join(filter(None, (str(installed), str(CHECKOUT), kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": paths, "LANG": "C.UTF-8", "NO_PROXY": "*", "XUNTU_THREADS": "1"}


@pytest.fixture
def xuntu(tmp_path, environment, processes) -> Run:
    """Run the command in an empty folder, without a terminal."""

    def run(*args: object, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*XUNTU, *map(str, args)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**environment, "HOME": str(tmp_path), **more},
            check=False,
        )

    return run


def test_setup_goes_all_the_way_and_then_has_nothing_left_to_do(xuntu, hub, photographs, tmp_path):
    server = hub()
    done = xuntu("setup", "--encoder", NAME, "--yes", "--mirror", server.url)
    assert done.returncode == 0, done.stderr
    assert server.asked == [(FILE, None)]
    for part in ("about 6 MB", "Apache-2.0", "int8", "By the answers it would be fg-clip2-base"):
        assert part in done.stdout, part
    for part in ("1 of 4, fetch", "2 of 4, export", "3 of 4, verify", "4 of 4"):
        assert part in done.stderr, part
    assert "done already" not in done.stdout + done.stderr
    speed = re.search(r"Measured here just now: ([\d.e+]+) pictures a second .* \(32 pictures", done.stdout)
    assert float(speed[1]) > 0
    assert re.search(r"Measured here just now: [\d.e+-]+ ms a text \(median of 16", done.stdout)
    assert re.search(r"Measured here just now: \d+ MB of memory", done.stdout)
    assert done.stdout.splitlines()[-1] == f"Next: xuntu index build FOLDER --encoder {NAME}"

    again = xuntu("setup", "--encoder", NAME, "--yes", "--mirror", server.url, LANG="zh_CN.UTF-8")
    assert again.returncode == 0, again.stderr
    assert len(server.asked) == 1
    assert "取得权重：已完成" in again.stderr
    assert "导出：已完成" in again.stderr
    assert "刚才在本机测得" in again.stdout

    built = xuntu("index", "build", photographs, "--encoder", NAME, "--workers", "0")
    assert (built.returncode, "xuntu setup" in built.stderr) == (0, False), built.stderr
    answer = json.loads(xuntu("setup", "--encoder", NAME, "--yes", "--json", XUNTU_OFFLINE="1").stdout)
    assert answer["next"] == "xuntu index update"
    assert (answer["plan"]["has_weights"], answer["plan"]["is_exported"]) == (True, True)
    assert {(one["tower"], one["precision"]) for one in answer["exports"]} == {("image", "int8"), ("text", "int8")}
    assert answer["speed"]["pictures_a_second"] > 0
    assert answer["speed"]["text_ms"] > 0
    assert answer["bytes"] > 6_000_000
    (tmp_path / "data" / "weights" / NAME / "model.safetensors").unlink()  # once exported, it is not needed
    assert json.loads(xuntu("setup", "--encoder", NAME, "--dry-run", "--json").stdout)["plan"]["disk_bytes"] == 0


def test_it_is_stopped_and_goes_on_where_it_was(xuntu, hub, environment, tmp_path):
    server = hub(holds=True)
    flags = ("setup", "--encoder", NAME, "--yes", "--mirror", server.url)
    process = subprocess.Popen(
        [*XUNTU, *flags],
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert server.holding.wait(120)
    part = tmp_path / "data" / "weights" / NAME / "model.safetensors.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size):
        server.release.wait(0.02)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "run the same command to go on" in said
    here = part.stat().st_size
    assert 0 < here <= HALF
    planned = json.loads(xuntu(*flags, "--dry-run", "--json").stdout)["plan"]
    assert planned["download_bytes"] == 6_400_000 - here
    done = xuntu(*flags)
    assert done.returncode == 0, done.stderr
    assert server.asked == [(FILE, None), (FILE, f"bytes={here}-")]


def test_a_hub_that_cannot_be_reached_is_named_with_what_to_try(xuntu, checkpoint, hub):
    nobody = hub()
    nobody.shutdown()
    nobody.server_close()
    for language, sentence in (("C", "connection refused"), ("zh_CN", "连接被拒绝")):
        done = xuntu(
            "setup",
            "--encoder",
            NAME,
            "--yes",
            "--mirror",
            nobody.url,
            "--hub",
            "huggingface",
            LANG=f"{language}.UTF-8",
        )
        assert done.returncode == 1
        for part in (nobody.url, sentence, "--mirror https://hf-mirror.com", "--hub modelscope", "--from FILE"):
            assert part in done.stderr, part
    offline = xuntu("setup", "--encoder", NAME, "--yes", XUNTU_OFFLINE="1")
    assert (offline.returncode, "XUNTU_OFFLINE is set" in offline.stderr) == (1, True)


def test_a_checkpoint_that_one_has_is_taken_without_a_network(xuntu, checkpoint, tmp_path):
    flags = ("--data", tmp_path / "data", "--from", checkpoint / "model.safetensors", "--json")
    done = xuntu("setup", "--encoder", NAME, *flags, XUNTU_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["plan"]["download_bytes"] == 0
    assert answer["next"] == f"xuntu index build FOLDER --encoder {NAME} --data {tmp_path / 'data'}"


def test_a_library_on_another_encoder_is_encoded_anew_by_the_command_that_is_named(
    xuntu, checkpoint, photographs, tmp_path
):
    assert xuntu("index", "build", photographs, "--workers", "0").returncode == 0
    done = xuntu("setup", "--encoder", NAME, "--from", checkpoint, "--json")
    command = json.loads(done.stdout)["next"]
    assert command == f"xuntu index rebuild --reencode --encoder {NAME}"
    done = xuntu(*command.split()[1:], "--workers", "0")
    assert (done.returncode, "9 encoded" in done.stdout) == (0, True), done.stderr


def test_a_folder_that_cannot_be_written_is_named_with_another_way(xuntu, checkpoint, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = xuntu("setup", "--encoder", NAME, "--from", checkpoint, XUNTU_WEIGHTS=str(tmp_path / "file"))
    assert (done.returncode, str(tmp_path / "file") in done.stderr) == (1, True)
    assert "set XUNTU_WEIGHTS to a folder there" in done.stderr


def test_a_disk_without_the_room_is_told_of_before_anything_is_fetched(tmp_path):
    published = get_published("fg-clip2-base")
    published = replace(published, spec=replace(published.spec, parameters=10**15))
    plan = plan_setup(published, Hardware(cpus=2), Runtime(weights=tmp_path / "not" / "yet"))
    with pytest.raises(WeightsUnwritable, match="no room"):
        replace(plan, is_exported=True).check()
    assert not list(tmp_path.iterdir())


def test_damaged_weights_are_told_of_and_not_used(xuntu, checkpoint, tmp_path):
    assert xuntu("setup", "--encoder", NAME, "--from", checkpoint, "--json").returncode == 0
    exported = next((tmp_path / "data" / "weights" / NAME).glob("image-int8-*.onnx"))
    exported.write_bytes(exported.read_bytes()[:-1])
    done = xuntu("setup", "--encoder", NAME)
    assert (done.returncode, exported.name in done.stderr) == (1, True)
    assert f"xuntu models export {NAME}" in done.stderr


def test_without_torch_it_is_said_before_anything_is_fetched(xuntu, hub, environment, tmp_path):
    program = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "onnx":
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from importlib import util
find = util.find_spec
util.find_spec = lambda name, package=None: None if name == "onnx" else find(name, package)
from api.cli import main
main()
"""
    server = hub()
    done = subprocess.run(
        [sys.executable, "-c", program, "setup", "--encoder", NAME, "--yes", "--mirror", server.url],
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr.count(".[torch]")) == (1, 2), done.stderr
    assert server.asked == []


def test_for_a_gpu_it_is_exported_in_fp16_and_else_the_checkpoint_runs(xuntu, checkpoint, tmp_path):
    flags = ("setup", "--encoder", NAME, "--hardware", "gpu-8", "--json")
    done = xuntu(*flags, "--from", checkpoint)
    assert done.returncode == 0, done.stderr
    assert {one["precision"] for one in json.loads(done.stdout)["exports"]} == {"fp16"}

    (tmp_path / "large").mkdir()
    scale_weights(checkpoint / "model.safetensors", tmp_path / "large" / "model.safetensors", 1e7)
    done = xuntu(*flags, "--from", tmp_path / "large", "--data", tmp_path / "other")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["exports"], answer["speed"]["pictures"]) == ([], 32)
    assert "is refused" in done.stderr
    assert "The checkpoint itself runs on the GPU instead." in done.stderr


def scale_weights(source: Path, target: Path, factor: float) -> None:
    """Write a checkpoint whose numbers are beyond what float16 holds."""
    from safetensors.torch import load_file, save_file

    save_file({name: tensor * factor for name, tensor in load_file(source).items()}, target)
