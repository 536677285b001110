"""Exported encoders on ONNX Runtime. The towers load apart: a text search never reads the image tower."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.encoder import Preprocess, TextReading
from models.errors import BackendNotInstalled, UnknownWords, WeightsCorrupt
from models.spec import EncoderSpec
from models.tokenizer import NgramTokenizer
from models.vectors import Pixels, Vectors, l2_normalize

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def count_cpus() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_session(path: Path, *, threads: int) -> "InferenceSession":
    """Open an ONNX file on the CPU. Raises BackendNotInstalled or WeightsCorrupt."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendNotInstalled("onnxruntime", "cpu") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads must sleep: spinning ones take the processors from the workers that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
        raise WeightsCorrupt(path) from error


class OnnxImageEncoder:
    """An image tower whose graph takes bytes (n, size, size, 3) and standardises them itself."""

    def __init__(self, spec: EncoderSpec, preprocess: Preprocess, path: Path, *, threads: int = 0) -> None:
        self.spec = spec
        self.preprocess = preprocess
        self._session = open_session(path, threads=threads or count_cpus())
        self._input = self._session.get_inputs()[0].name

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, dim)`."""
        if not len(pixels):
            return np.empty((0, self.spec.dim), np.float32)
        (embedding,) = self._session.run(None, {self._input: np.ascontiguousarray(pixels)})
        return l2_normalize(embedding)


class OnnxTextEncoder:
    """A text tower over n-gram ids; 0 is padding."""

    def __init__(self, spec: EncoderSpec, tokenizer: NgramTokenizer, path: Path, *, threads: int = 1) -> None:
        self.spec = spec
        self._tokenizer = tokenizer
        self._session = open_session(path, threads=threads)
        self._input = self._session.get_inputs()[0].name

    def read_text(self, text: str) -> TextReading:
        """Say which words are known."""
        tokens = self._tokenizer.tokenize(text)
        return TextReading(known=tokens.meaningful, unknown_words=tokens.unknown_words, truncated=tokens.truncated)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, dim)`; each batch is only as long as its longest text."""
        if not texts:
            return np.empty((0, self.spec.dim), np.float32)
        rows = [self._tokenizer.tokenize(text) for text in texts]
        for row in rows:
            if not row.ids:
                raise UnknownWords(row.unknown_words, self.spec.name)
        ids = np.zeros((len(rows), max(len(row.ids) for row in rows)), np.int32)
        for number, row in enumerate(rows):
            ids[number, : len(row.ids)] = row.ids
        (embedding,) = self._session.run(None, {self._input: ids})
        return l2_normalize(embedding)
