"""How much there is to compute with: processors, free memory, and NVIDIA GPUs. No library that computes is loaded."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from models.foundation.devices import CPU, count_cpus, list_devices
from models.foundation.errors import InvalidSetting
from models.foundation.messages import message

GB = 1_000_000_000
_MIB = 1 << 20
_ASKING_SECONDS = 20
_QUERY = ("--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What encoders run on. `memory_bytes`: what is free, 0 where that is not known; `gpu_bytes`: of the smallest GPU.

    `has_idle_gpu`: there is a GPU, and nothing is installed that computes on it.
    """

    cpus: int
    memory_bytes: int = 0
    gpus: int = 0
    gpu_bytes: int = 0
    has_idle_gpu: bool = False

    @property
    def name(self) -> str:
        """Return it as a person names it: cpu-N with N processors, gpu-N with N GB; "gpu" where that is unknown."""
        if not self.gpus:
            return f"cpu-{self.cpus}"
        return f"gpu-{self.gpu_bytes // GB}" if self.gpu_bytes else "gpu"


def parse_hardware(text: str) -> Hardware:
    """Return what "cpu", "cpu-N" (N processors) or "gpu-N" (N GB of its memory) stands for. Raises InvalidSetting."""
    found = re.fullmatch(r"(cpu)(?:-([1-9]\d{0,3}))?|(gpu)-([1-9]\d{0,3})", text.strip().lower())
    if found is None:
        raise InvalidSetting("--hardware", text, message("it is cpu, cpu-N with N processors, or gpu-N with N GB"))
    if found[3]:
        return Hardware(cpus=count_cpus(), gpus=1, gpu_bytes=int(found[4]) * GB)
    return Hardware(cpus=int(found[2] or count_cpus()))


def find_hardware(device: str = "auto") -> Hardware:
    """Return what is here; `device` (see Runtime.device) says what of it is used. Raises DeviceUnavailable."""
    devices = list_devices(device)
    has_gpu = devices[0] != CPU
    gpus = len(devices) if has_gpu and _computes_on_gpus() else 0
    return Hardware(
        cpus=count_cpus(),
        memory_bytes=_free_memory(),
        gpus=gpus,
        gpu_bytes=_gpu_memory() if gpus else 0,
        has_idle_gpu=has_gpu and not gpus,
    )


def _computes_on_gpus() -> bool:
    """Whether a package is installed that does: ONNX Runtime for CUDA, or a torch that is not for processors alone."""
    try:
        return version("onnxruntime-gpu") != ""
    except PackageNotFoundError:
        pass
    try:
        return not version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False


def _gpu_memory() -> int:
    """Return the bytes of the smallest GPU that this process may see, as nvidia-smi says; 0 where it does not."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        asked = [program, *_QUERY]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=_ASKING_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    rows = [row for row in rows if len(row) == 3 and row[2].isdecimal()]
    seen = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    named = [row for row in rows if row[0] in seen or row[1] in seen]
    return min((int(row[2]) * _MIB for row in named or rows), default=0)


def _free_memory() -> int:
    """Return the bytes that a program may still have, of the machine and of its container; 0 where nobody says."""
    try:
        said = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", said, re.MULTILINE)
    free = int(found[1]) * 1024 if found else 0
    try:
        most, used = ((_CGROUP / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current"))
        return min(free, max(0, int(most) - int(used)))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return free
