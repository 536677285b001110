"""One encoder on each device: the batches of a run are shared out, and come back in order."""

import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from types import TracebackType
from typing import Any

from indexer.library.opened import check_same
from indexer.pipeline.read import end_with_parent
from models.encoders.encoder import ImageEncoder
from models.encoders.registry import load_image_encoder
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.devices import CPU, list_devices
from models.foundation.errors import DeviceUnavailable
from models.foundation.messages import message
from models.foundation.vectors import Pixels, Vectors

_CPU_BATCH, _LARGE_BATCH, _GPU_BATCH = 32, 8, 256
_SMALL_PARAMETERS = 20_000_000
_AHEAD = 2  # batches that wait at each device, so that it never does


def _torch_sees(gpus: int) -> bool:
    """Say whether there is one device, or torch can use all of several."""
    if gpus < 2:
        return True
    import torch

    return torch.cuda.is_available() and torch.cuda.device_count() >= gpus


class _LazyEncoder:
    """An image encoder that is loaded when it is first needed."""

    def __init__(self, spec: EncoderSpec, runtime: Runtime) -> None:
        self._spec, self._runtime = spec, runtime
        self._encoder: ImageEncoder | None = None

    def load(self) -> ImageEncoder:
        if self._encoder is None:
            encoder = load_image_encoder(self._spec.name, self._runtime)
            check_same(self._spec, encoder.spec)
            self._encoder = encoder
        return self._encoder

    def encode(self, pixels: Pixels) -> Vectors:
        return self.load().encode_image(pixels)


class DeviceEncoders:
    """Encodes batches on every device of a runtime. Used as a context manager.

    A single processor encodes in the calling thread, which has nothing else to do. A GPU has a thread, so that the next
    batches are decoded meanwhile; of several GPUs each has a process.
    """

    def __init__(self, spec: EncoderSpec, runtime: Runtime) -> None:
        """Load nothing yet. Raises DeviceUnavailable for what is no device."""
        self.spec = spec
        self._devices = list_devices(runtime.device)
        if runtime.device == "auto" and (spec.publication is None or not _torch_sees(len(self._devices))):
            self._devices = self._devices[:1] if spec.publication else [CPU]
        self._encoder = _LazyEncoder(spec, runtime)
        self._is_small = spec.parameters < _SMALL_PARAMETERS
        self._executor: Executor | None = None
        if len(self._devices) > 1:
            context = get_context("spawn")
            devices = context.SimpleQueue()
            for device in self._devices:
                devices.put(device)
            self._executor = ProcessPoolExecutor(
                len(self._devices), context, initializer=_begin, initargs=(spec, runtime, devices, os.getpid())
            )
        elif self._devices[0] != CPU:
            self._executor = ThreadPoolExecutor(1)

    def __enter__(self) -> "DeviceEncoders":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    @property
    def ahead(self) -> int:
        """How many batches may be under way while the next is prepared."""
        return 0 if self._executor is None else _AHEAD * len(self._devices)

    @property
    def batch_size(self) -> int:
        """How many pictures suit a device at once; a large encoder on a processor is not kept waiting for many."""
        if self._devices[0] != CPU:
            return _GPU_BATCH
        return _CPU_BATCH if self._is_small else _LARGE_BATCH

    def load(self) -> None:
        """Load the encoder of a single device now, while the first batches are decoded. Raises as `result`."""
        if isinstance(self._executor, ThreadPoolExecutor):
            self._executor.submit(self._encoder.load)  # what it raises, the first batch raises again
        elif self._executor is None:
            self._encoder.load()

    def submit(self, pixels: Pixels) -> "Future[Vectors]":
        """Begin to encode a batch; `result` waits for it."""
        if isinstance(self._executor, ProcessPoolExecutor):
            return self._executor.submit(_encode, pixels)
        if self._executor is not None:
            return self._executor.submit(self._encoder.encode, pixels)
        done: Future[Vectors] = Future()
        done.set_result(self._encoder.encode(pixels))
        return done

    def result(self, encoding: "Future[Vectors]") -> Vectors:
        """Return the vectors of a batch. Raises what `load_image_encoder` raises, and DeviceUnavailable."""
        try:
            return encoding.result()
        except BrokenProcessPool as error:
            why = message("one of its processes has ended, perhaps for lack of memory")
            raise DeviceUnavailable(",".join(self._devices), why) from error


_own: dict[str, _LazyEncoder] = {}  # of a process that has one device of several


def _begin(spec: EncoderSpec, runtime: Runtime, devices: Any, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    end_with_parent(parent)
    _own["encoder"] = _LazyEncoder(spec, replace(runtime, device=devices.get()))


def _encode(pixels: Pixels) -> Vectors:
    return _own["encoder"].encode(pixels)
