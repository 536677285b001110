"""What there is to compute on, told without loading a library that computes."""

import os
import re
from itertools import takewhile
from pathlib import Path

from models.foundation.errors import DeviceUnavailable
from models.foundation.messages import message

CPU = "cpu"


def count_cpus() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def list_devices(asked: str) -> list[str]:
    """Return the devices that `asked` (see Runtime.device) stands for, one of "cpu", "cuda:N" and "tensorrt:N" each.

    "auto" is every NVIDIA GPU that this process may see, and the processor where there is none. A list such as
    "cuda:0,cuda:2" or "cpu,cpu" stands for itself. Raises DeviceUnavailable for what is no device.
    """
    gpus = range(_count_gpus())
    if asked == "auto":
        return [f"cuda:{number}" for number in gpus] or [CPU]
    if asked in ("cuda", "tensorrt"):
        return [f"{asked}:{number}" for number in gpus] or [f"{asked}:0"]
    devices = asked.split(",")
    for device in devices:
        if not re.fullmatch(r"cpu|(cuda|tensorrt):[0-9]+", device):
            raise DeviceUnavailable(device, message("known are auto, cpu, cuda, cuda:N, tensorrt and lists of them"))
    return devices


def _count_gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        # CUDA reads the list up to the first entry that names nothing.
        return len(list(takewhile(lambda number: number.strip() not in ("", "-1"), visible.split(","))))
    if Path("/dev/dxg").exists():  # GPUs under WSL have no files of their own
        return 1
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
