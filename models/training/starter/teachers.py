"""What the teachers say of a view: two public ImageNet classifiers (TensorFlow Lite files, 8 bits).

Only their answers are used, as targets. `ai-edge-litert` runs them.
"""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.starter.pack import SIDE, Tell
from models.training.starter.views import render, view

FEATURES = 1280  # numbers of either teacher before its classifier
CLASSES = 1000  # of ImageNet
_INPUT_SIDE = 224
_BLOCK = 64  # views a task

_worker: dict[str, Any] = {}  # the teacher and the pixels, in a worker process


class Teacher:
    """A classifier on one thread."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter  # of the extra `teachers`

        self._interpreter: Any = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
        self._interpreter.allocate_tensors()
        tensors = self._interpreter.get_tensor_details()
        self._features = [tensor for tensor in tensors if list(tensor["shape"]) == [1, 7, 7, FEATURES]][-1]
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]

    def __call__(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Return the pooled features (1280,) and the probabilities of the classes (1000,) of (224, 224, 3) pixels."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        features = self._read(self._features).mean((0, 1))
        probabilities = self._read(self._output)[-CLASSES:]  # without the background
        return features.astype(np.float16), probabilities.astype(np.float16)

    def _read(self, tensor: dict[str, Any]) -> NDArray[np.float32]:
        scale, zero = tensor["quantization"]
        values = self._interpreter.get_tensor(tensor["index"])[0].astype(np.float32)
        read: NDArray[np.float32] = (values - zero) * scale
        return read


@dataclass(frozen=True, slots=True)
class Answers:
    """What a teacher said of one view of every picture: pooled features, and the likeliest classes."""

    features: NDArray[np.float16]  # (n, 1280), mapped
    classes: NDArray[np.int16]  # (n, 10)
    probabilities: NDArray[np.float16]  # (n, 10)


def ask(teacher: Path, pixels: Path, number: int, folder: Path, *, processes: int, tell: Tell) -> Answers:
    """Return the answers of a teacher to view `number` of every picture; from `folder` where it was asked before."""
    features_path, top_path = (folder / f"{teacher.stem}-{number:02}.{kind}" for kind in ("npy", "npz"))
    if not top_path.exists():
        rows = len(np.load(pixels, mmap_mode="r"))
        features = np.lib.format.open_memmap(features_path, mode="w+", dtype=np.float16, shape=(rows, FEATURES))
        classes, probabilities = np.zeros((rows, 10), np.int16), np.zeros((rows, 10), np.float16)
        blocks = [(start, min(start + _BLOCK, rows), number) for start in range(0, rows, _BLOCK)]
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes, _begin, (teacher, pixels)) as pool:
            for (start, stop, _), (found, likely) in zip(blocks, pool.imap(_ask_block, blocks), strict=True):
                features[start:stop] = found
                classes[start:stop] = np.argsort(-likely, axis=1)[:, :10]
                probabilities[start:stop] = np.take_along_axis(likely, classes[start:stop].astype(np.int64), axis=1)
                tell(f"{teacher.stem} view {number}", stop, rows)
        features.flush()
        np.savez(top_path, classes=classes, probabilities=probabilities)
    top = np.load(top_path)
    return Answers(np.load(features_path, mmap_mode="r"), top["classes"], top["probabilities"])


def _begin(teacher: Path, pixels: Path) -> None:
    _worker.update(teacher=Teacher(teacher), pixels=np.load(pixels, mmap_mode="r"))


def _ask_block(block: tuple[int, int, int]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    start, stop, number = block
    teacher, pixels = _worker["teacher"], _worker["pixels"]
    views = (view(len(pixels), row, number, SIDE) for row in range(start, stop))
    answers = [teacher(np.asarray(render(pixels, each, _INPUT_SIDE))) for each in views]
    return np.stack([features for features, _ in answers]), np.stack([likely for _, likely in answers])
