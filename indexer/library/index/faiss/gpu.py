"""A GPU that FAISS can use, and why not where it cannot.

FAISS ends the process at every error of CUDA but a lack of memory. So a GPU is tried in a process of its own first.
"""

import ctypes
import logging
import subprocess
import sys
from typing import Any, Protocol

import numpy as np

from indexer.library.errors import GpuNotUsed
from indexer.library.index.faiss.flat import import_faiss
from models.foundation.devices import CPU, list_devices
from models.foundation.errors import BackendNotInstalled, DeviceUnavailable
from models.foundation.messages import message

_log = logging.getLogger(__name__)
_SCRATCH_BYTES = 64 * 2**20  # of a lane
_TRIAL_SECONDS = 120


class Gpu(Protocol):
    """What is asked of a GPU, by one thread at a time. `name` is what to call it."""

    name: str

    def free_bytes(self) -> int:
        """Return how much memory is left on it. Raises RuntimeError or OSError."""
        ...

    def make_index(self, dim: int, *, half: bool = False, lane: int = 0) -> Any:
        """Return a FAISS index of inner products there, in float32 or half precision. Raises RuntimeError.

        Indexes of different lanes may be searched at the same time.
        """
        ...


class FaissGpu:
    """A GPU through FAISS."""

    def __init__(self, number: int) -> None:
        self.name = f"cuda:{number}"
        self._number = number
        self._lanes: list[Any] = []

    def free_bytes(self) -> int:
        """Ask the driver, which, unlike FAISS, only says that it failed. Raises RuntimeError or OSError."""
        driver = ctypes.CDLL("libcuda.so.1")
        device, context, popped = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        free, total = ctypes.c_size_t(), ctypes.c_size_t()

        def call(name: str, *arguments: Any) -> None:
            if code := getattr(driver, name)(*arguments):
                raise RuntimeError(f"{name} of the driver failed with error {code}")

        call("cuInit", 0)
        call("cuDeviceGet", ctypes.byref(device), self._number)
        call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        try:
            call("cuCtxPushCurrent_v2", context)
            try:
                call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            finally:
                call("cuCtxPopCurrent_v2", ctypes.byref(popped))
        finally:
            call("cuDevicePrimaryCtxRelease_v2", device)
        return free.value

    def make_index(self, dim: int, *, half: bool = False, lane: int = 0) -> Any:
        """Return an empty GpuIndexFlatIP. Raises RuntimeError."""
        faiss = import_faiss()
        while lane >= len(self._lanes):
            resources = faiss.StandardGpuResources()
            resources.setTempMemory(_SCRATCH_BYTES)
            resources.setPinnedMemory(0)
            self._lanes.append(resources)
        config = faiss.GpuIndexFlatConfig()
        config.device, config.useFloat16 = self._number, half
        return faiss.GpuIndexFlatIP(self._lanes[lane], dim, config)


class ProcessorInPlace:
    """A processor in the place of a GPU, with FAISS's twins of its indexes: for tests, and to try benchmarks."""

    name = "cpu"

    def free_bytes(self) -> int:
        """Return what a GPU might have."""
        return 8 * 2**30

    def make_index(self, dim: int, *, half: bool = False, lane: int = 0) -> Any:  # noqa: ARG002
        """Return an empty IndexFlatIP, or in half precision an IndexScalarQuantizer."""
        faiss = import_faiss()
        if not half:
            return faiss.IndexFlatIP(dim)
        return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def open_gpu(asked: str) -> FaissGpu | None:
    """Return the first GPU that `asked` (see list_devices) stands for; None, and why in the log, if it is unusable."""
    try:
        gpus = [device for device in list_devices(asked) if device != CPU]
        if not gpus:
            return None
        number = int(gpus[0].partition(":")[2])
        refusal = _find_refusal(number)
    except (DeviceUnavailable, BackendNotInstalled) as error:
        _log.warning("%s", error)
        return None
    if refusal is None:
        return FaissGpu(number)
    _log.log(logging.INFO if asked == "auto" else logging.WARNING, "%s", refusal)
    return None


def _find_refusal(number: int) -> GpuNotUsed | None:
    """Return why FAISS cannot use a GPU, or None. Raises BackendNotInstalled."""
    if not hasattr(import_faiss(), "StandardGpuResources"):
        return GpuNotUsed(
            f"cuda:{number}", message("FAISS is installed without GPUs. Install the extra gpu in place of cpu")
        )
    command = [sys.executable, "-c", f"from {__name__} import FaissGpu, check_gpu; check_gpu(FaissGpu({number}))"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False)
        said = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    else:
        if done.returncode == 0:
            return None
    return GpuNotUsed(
        f"cuda:{number}",
        message(
            "a trial failed ({said}). See that nvidia-smi shows it and its driver is new enough for CUDA 12", said=said
        ),
    )


def check_gpu(gpu: Gpu) -> None:
    """Do on a GPU what a search does. Raises RuntimeError or OSError, or ends the process."""
    gpu.free_bytes()
    index = gpu.make_index(64, half=True)
    rows = np.eye(64, dtype=np.float32)
    index.add(rows)
    if (index.search(rows, 1)[1][:, 0] != np.arange(64)).any():
        raise RuntimeError("it computes wrongly")


def failure(name: str, error: Exception) -> GpuNotUsed:
    """Return what to say of an error on a GPU; of what FAISS says, what comes last tells most."""
    said = " ".join(str(error).rpartition("failed: ")[2].split()) or type(error).__name__
    return GpuNotUsed(
        name,
        message("it failed ({said}), and is tried again with the next build. Leave more of its memory free", said=said),
    )
