"""What there is to compute with is found without loading what computes, and may be named by a person."""

from pathlib import Path

import pytest

from models.foundation.devices import count_cpus
from models.foundation.errors import DeviceUnavailable, InvalidSetting
from models.foundation.hardware import GB, find_hardware, parse_hardware

GPUS = """\
0, GPU-5d1c, 24564
1, GPU-77ab, 8188
"""


@pytest.fixture
def machine(monkeypatch, tmp_path, processes):
    """Make a machine with a GPU driver that says this, and a package that computes on GPUs or none."""

    def make(said: str, *, visible: str = "0,1", package: str = "onnxruntime_gpu", status: int = 0) -> None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<'END'\n{said}END\nexit {status}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        monkeypatch.syspath_prepend(tmp_path)

    return make


@pytest.mark.parametrize(
    ("text", "cpus", "gpu_bytes", "name"),
    [
        ("cpu-16", 16, 0, "cpu-16"),
        ("cpu", count_cpus(), 0, f"cpu-{count_cpus()}"),
        ("gpu-8", count_cpus(), 8 * GB, "gpu-8"),
        (" GPU-24 ", count_cpus(), 24 * GB, "gpu-24"),
    ],
)
def test_a_person_names_it_in_a_word(text, cpus, gpu_bytes, name):
    hardware = parse_hardware(text)
    assert (hardware.cpus, hardware.gpu_bytes, hardware.name) == (cpus, gpu_bytes, name)


@pytest.mark.parametrize("text", ["", "gpu", "gpu-0", "gpu-x", "cpu-0", "tpu-8", "cpu-8-8"])
def test_other_words_are_refused(text):
    with pytest.raises(InvalidSetting, match="--hardware"):
        parse_hardware(text)


def test_the_smallest_gpu_counts(machine):
    machine(GPUS)
    hardware = find_hardware()
    assert (hardware.gpus, hardware.name) == (2, "gpu-8")
    assert hardware.cpus == count_cpus()


@pytest.mark.parametrize("visible", ["0", "GPU-5d1c"])
def test_of_several_gpus_those_that_may_be_seen(machine, visible):
    machine(GPUS, visible=visible)
    assert (find_hardware().gpus, find_hardware().name) == (1, "gpu-25")


def test_a_driver_that_does_not_answer_leaves_the_memory_unknown(machine):
    machine("NVIDIA-SMI has failed\n", status=9)
    hardware = find_hardware()
    assert (hardware.gpus, hardware.gpu_bytes, hardware.name) == (2, 0, "gpu")


def test_a_driver_that_says_something_else_too(machine):
    machine("[N/A], GPU-1, [N/A]\n")
    assert find_hardware().gpu_bytes == 0


def test_a_device_that_is_asked_for_is_the_one_that_counts(machine):
    machine(GPUS)
    assert find_hardware("cpu").gpus == 0
    with pytest.raises(DeviceUnavailable):
        find_hardware("abacus")


def test_a_gpu_that_nothing_computes_on_is_idle(machine, tmp_path, monkeypatch):
    machine(GPUS, package="torch")
    (tmp_path / "torch-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.0+cpu\n")
    assert (find_hardware().gpus, find_hardware().has_idle_gpu) == (0, True)
    (tmp_path / "torch-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.0\n")
    assert (find_hardware().gpus, find_hardware().has_idle_gpu) == (2, False)


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="memory is told on Linux alone")
def test_free_memory_is_found():
    assert find_hardware("cpu").memory_bytes > 10_000_000
