"""Checkpoints on torch: where nothing is exported yet, and where a GPU encodes a library."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.encoders.batches import FittingBatches
from models.encoders.encoder import Preprocess, TextReading
from models.encoders.onnx import pad_ids, read_text
from models.encoders.spec import EncoderSpec
from models.foundation.devices import CPU, count_cpus
from models.foundation.errors import BackendNotInstalled, DeviceUnavailable
from models.foundation.messages import message
from models.foundation.vectors import Pixels, Vectors, l2_normalize
from models.language.tokenizer import Tokenizer

if TYPE_CHECKING:
    import torch

    from models.encoders.torch_towers import ImageTower, TextTower

logger = logging.getLogger(__name__)


class TorchImageEncoder:
    """An image tower on torch: float32 on a processor, bfloat16 matrix products on a GPU."""

    def __init__(
        self, spec: EncoderSpec, preprocess: Preprocess, tower: "ImageTower", *, device: str, batch_size: int
    ) -> None:
        self.spec = spec
        self.preprocess = preprocess
        self._tower = tower.to(device)
        self._device = device
        self._batches = FittingBatches(batch_size)

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, dim)`."""
        if not len(pixels):
            return np.empty((0, self.spec.dim), np.float32)
        return l2_normalize(self._batches.run(self._encode, np.ascontiguousarray(pixels)))

    def _encode(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        return run(self._tower, pixels, self._device)


class TorchTextEncoder:
    """A text tower on torch."""

    def __init__(self, spec: EncoderSpec, tokenizer: Tokenizer, tower: "TextTower", *, device: str) -> None:
        self.spec = spec
        self._tokenizer = tokenizer
        self._tower = tower.to(device)
        self._device = device

    def read_text(self, text: str) -> TextReading:
        """Say which words are known."""
        return read_text(self._tokenizer, text)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, dim)`; each batch is only as long as its longest text."""
        if not texts:
            return np.empty((0, self.spec.dim), np.float32)
        return l2_normalize(run(self._tower, pad_ids(self._tokenizer, texts, self.spec.name), self._device))


def prepare(device: str, *, threads: int = 0) -> str:
    """Return `device` once torch can use it. Raises DeviceUnavailable or BackendNotInstalled."""
    try:
        import torch
    except ImportError as error:
        raise BackendNotInstalled("torch", "torch") from error

    if device == CPU:
        torch.set_num_threads(threads or count_cpus())
        return device
    if not device.startswith("cuda"):
        why = message("it runs exported encoders only: xuntu models export NAME --precision fp16")
        raise DeviceUnavailable(device, why)
    if not torch.cuda.is_available() or int(device.partition(":")[2]) >= torch.cuda.device_count():
        why = message(
            "torch {version} sees {count} GPUs here", version=torch.__version__, count=torch.cuda.device_count()
        )
        raise DeviceUnavailable(device, why)
    return device


def run(tower: "torch.nn.Module", inputs: npt.NDArray[np.generic], device: str) -> npt.NDArray[np.float32]:
    """Return the embedding of a batch. To a GPU it goes from pinned memory, so that copying does not wait."""
    import torch

    batch = torch.from_numpy(inputs if inputs.flags.writeable else inputs.copy())  # torch warns of what is read-only
    on_gpu = device != CPU
    if on_gpu:
        batch = batch.pin_memory().to(device, non_blocking=True)
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
        embedding: npt.NDArray[np.float32] = tower(batch).float().cpu().numpy()
    return embedding
