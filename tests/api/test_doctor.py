"""`xuntu doctor`: each check finds what is wrong, on the real machine and a real library."""

import json
import os
import resource
import shutil
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as real_version
from pathlib import Path

import pytest

from api.config import Settings
from api.doctor import machine, packages
from api.doctor.checkup import examine
from api.doctor.findings import Level
from api.doctor.known import Situation, look_around
from api.doctor.library import check_library, check_lock, check_permissions, check_secrets, check_weights
from api.doctor.machine import check_clock, check_disk, check_limits, file_system_of
from api.doctor.packages import check_gpu, check_packages
from api.doctor.surroundings import check_access, check_network, check_ports, check_settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.pipeline.commands import BuildOptions, build
from models.config import load_settings


@pytest.fixture(scope="module")
def made(photographs, made_once):
    def fill(data: Path) -> None:
        build(IndexerSettings(data=data, workers=0), [photographs], BuildOptions(encoders=["hash"]))

    return made_once("library-of-the-doctor", fill)


@pytest.fixture
def data(made, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("XUNTU_")]:
        monkeypatch.delenv(name)
    return shutil.copytree(made, tmp_path / "data")


def known_of(data: Path) -> Situation:
    return look_around(load_settings(IndexerSettings, data=data), load_settings(Settings, data=data))


def levels(found) -> dict[str, Level]:
    return {one.check: one.level for one in found}


def test_a_library_that_is_well(data):
    found = [*check_library(known_of(data)), *check_lock(known_of(data)), *check_permissions(known_of(data))]
    found += [*check_weights(known_of(data)), *check_clock(known_of(data))]
    assert {one.level for one in found} == {Level.OK}
    assert "9 pictures; 1 could not be indexed" in found[0].said.text("en")


def test_no_library_yet(data):
    (found,) = check_library(known_of(data / "none"))
    assert (found.level, "xuntu index build" in found.to_do.text("en")) == (Level.WARNING, True)
    assert not list(check_lock(known_of(data / "none")))


def test_files_that_are_missing_or_cut_short(data):
    known = known_of(data)
    file = data / "builds" / known.manifest.build / known.manifest.indexes[0].files[0].file
    os.truncate(file, file.stat().st_size - 1)
    shutil.rmtree(data / "vectors" / "hash")
    said = [one.said.text("en") for one in check_library(known) if one.level is Level.PROBLEM]
    assert len(said) == 2
    assert file.name in said[0]
    (data / "catalog.sqlite3").write_bytes(b"no database" * 1000)
    assert "damaged" in [one for one in check_library(known) if one.level is Level.PROBLEM][-1].said.text("en")
    (data / "builds" / "CURRENT").write_text("nothing")
    assert levels(check_library(known_of(data)))["library"] is Level.PROBLEM


def test_who_writes(data, processes):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from indexer.library.layout import Layout\n"
        "from indexer.library.lock import write_lock\n"
        "with write_lock(Layout(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "held\n"
    (found,) = check_lock(known_of(data))
    writer.communicate()
    assert f"Process {writer.pid} (" in found.said.text("en")
    with write_lock(Layout(data)):
        pass


def test_disks(data, monkeypatch):
    known = known_of(data)
    assert {one.level for one in check_disk(known)} <= {Level.OK, Level.WARNING}
    full = shutil.disk_usage(data)._replace(free=10)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: full)
    monkeypatch.setattr(machine, "file_system_of", lambda _: "nfs4")
    found = list(check_disk(known))
    assert found[0].level is Level.PROBLEM
    assert "network drive (nfs4)" in found[-1].said.text("en")


def test_the_kind_of_a_file_system():
    assert file_system_of(Path("/proc/self")) == "proc"


def test_few_files_may_be_open(data, monkeypatch):
    known = known_of(data)
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (200, 200))
    assert levels(check_limits(known))["limits"] is Level.PROBLEM
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (1024, 1024))
    assert levels(check_limits(known))["limits"] is Level.WARNING
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    assert levels(check_limits(known))["limits"] is Level.OK


def test_a_clock_before_the_last_build(data):
    known = known_of(data)
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    (found, _) = check_clock(replace(known, manifest=replace(known.manifest, created_at=later)))
    assert found.level is Level.WARNING
    assert "before the last build" in found.said.text("en")


def test_a_disk_whose_clock_is_wrong(data, monkeypatch):
    monkeypatch.setattr(machine.time, "time", lambda: 1_000_000_000.0)
    (found,) = check_clock(known_of(data))
    assert "away from this machine's clock" in found.said.text("en")


def test_packages_that_overwrite_each_other(data, monkeypatch):
    assert {one.level for one in check_packages(known_of(data))} == {Level.OK}
    fake = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1", "pillow": "9.0"}
    monkeypatch.setattr(packages, "version", lambda name: fake.get(name) or real_version(name))
    found = [one.said.text("en") for one in check_packages(known_of(data))]
    assert found[0] == "onnxruntime and onnxruntime-gpu are both installed, and overwrite each other's files"
    assert found[1].startswith("pillow 9.0 is installed, ")


def test_devices(data, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert levels(check_gpu(known_of(data))) == {"gpu": Level.OK}
    monkeypatch.setenv("XUNTU_DEVICE", "gpu7")
    assert levels(check_gpu(known_of(data))) == {"gpu": Level.PROBLEM}
    monkeypatch.setenv("XUNTU_DEVICE", "cuda:0")
    monkeypatch.setenv("PATH", "")
    assert levels(check_gpu(known_of(data)))["gpu"] is not Level.OK


def test_settings_that_do_nothing(data, tmp_path):
    (tmp_path / ".env").write_text("XUNTU_INDEX__RECAL=0.9\n")
    given = {"XUNTU_API__TOKN": "x", "XUNTU_API__TOKEN_FILE": "x", "XUNTU_DATA": "x", "xuntu_workers": "1", "HOME": "/"}
    found = {one.said.text("en"): one.to_do.text("en") for one in check_settings(given)}
    assert found == {
        "The setting XUNTU_API__TOKN does nothing": "Did you mean XUNTU_API__TOKEN?",
        "The setting XUNTU_INDEX__RECAL does nothing": "Did you mean XUNTU_INDEX__RECALL?",
    }


def test_secrets_that_others_read(data, tmp_path):
    path = tmp_path / "token"
    path.touch(mode=0o644)
    assert [one.to_do.text("en") for one in check_secrets([path])] == [f"chmod 600 {path}"]
    path.chmod(0o600)
    assert not list(check_secrets([path]))


def test_who_listens_on_a_port(data, serve_app, monkeypatch):
    address = serve_app(create_app(Settings(data=data)))
    monkeypatch.setenv("XUNTU_API__PORT", address.rpartition(":")[2])
    assert "of xuntu, which answers" in next(check_ports(known_of(data))).said.text("en")
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("XUNTU_API__PORT", str(other.getsockname()[1]))
        monkeypatch.setattr("api.doctor.surroundings._ASKING_SECONDS", 0.1)
        found = next(check_ports(known_of(data)))
    assert (found.level, "another program" in found.said.text("en")) == (Level.WARNING, True)
    monkeypatch.setenv("XUNTU_API__HOST", "192.0.2.7")
    assert next(check_ports(known_of(data))).level is Level.PROBLEM


def test_access_and_network(data, monkeypatch):
    monkeypatch.setenv("XUNTU_API__HOST", "192.0.2.7")
    assert levels(check_access(known_of(data))) == {"access": Level.PROBLEM}
    monkeypatch.setenv("XUNTU_API__TOKEN", "x")
    assert not list(check_access(known_of(data)))
    monkeypatch.setenv("XUNTU_OFFLINE", "1")
    monkeypatch.setenv("XUNTU_MIRROR", "https://hf-mirror.com")
    assert [one.level for one in check_network(known_of(data))] == [Level.OK, Level.WARNING]


def test_a_setting_that_cannot_be_used_is_a_finding(data, monkeypatch):
    monkeypatch.setenv("XUNTU_API__PORT", "many")
    found = examine(data)
    assert found[-1].level is Level.PROBLEM
    assert "XUNTU_API__PORT" in found[-1].said.text("en")


def test_the_command(data, xuntu):
    done = xuntu("doctor", "--data", data, "--json", XUNTU_API__PORT="0", XUNTU_API__TOKN="x")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"]) == (0, True), done.stdout + done.stderr
    assert any(one["to_do"] == "Did you mean XUNTU_API__TOKEN?" for one in answer["findings"])
    (data / "builds" / "CURRENT").write_text("nothing")
    said = xuntu("doctor", "--data", data, LANG="zh_CN.UTF-8")
    assert said.returncode == 1
    assert "问题" in said.stdout
