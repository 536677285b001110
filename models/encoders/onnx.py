"""Exported encoders on ONNX Runtime. The towers load apart: a text search never reads the image tower."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.encoders.batches import FittingBatches
from models.encoders.encoder import Preprocess, TextReading
from models.encoders.spec import EncoderSpec
from models.foundation.devices import CPU, count_cpus
from models.foundation.errors import BackendNotInstalled, DeviceUnavailable, UnknownWords, WeightsCorrupt
from models.foundation.messages import message, verbatim
from models.foundation.vectors import Pixels, Vectors, l2_normalize
from models.language.tokenizer import Tokenizer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_CPU_BATCH = 32


def open_session(
    path: Path, *, threads: int = 0, device: str = CPU, encoder: str = "", in_fp16: bool = True
) -> "InferenceSession":
    """Open an ONNX file on a device (see list_devices); 0 threads means every processor.

    TensorRT computes in half precision where it is faster, unless `in_fp16` is false. Weights beside the file are
    mapped into memory; those of matrix products are packed anew on the way. Raises BackendNotInstalled,
    WeightsCorrupt, or DeviceUnavailable when the session, once open, does not run on the device.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendNotInstalled("onnxruntime", "cpu") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or count_cpus()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4 if device != CPU else 3  # a missing library of CUDA is said by DeviceUnavailable
    # Idle threads must sleep: spinning ones take the processors from the workers that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device != CPU and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # those that torch or NVIDIA's own packages brought
    failures = onnxruntime.capi.onnxruntime_pybind11_state
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a provider is not in this build, which is found out below
            session = onnxruntime.InferenceSession(
                str(path), options, providers=_providers(device, path, in_fp16=in_fp16)
            )
    except (failures.Fail, failures.InvalidProtobuf, failures.InvalidGraph, failures.RuntimeException) as error:
        first_line = str(error).strip().partition("\n")[0]
        if device != CPU:
            raise DeviceUnavailable(device, verbatim(first_line)) from error
        raise WeightsCorrupt(path, encoder=encoder, why=verbatim(first_line), is_export=True) from error
    # What a build lists, or a caller asks for, says nothing: it falls back without a word.
    wanted = _PROVIDERS.get(device.partition(":")[0])
    if wanted and wanted not in session.get_providers():
        providers = session.get_providers()
        raise DeviceUnavailable(device, message("ONNX Runtime runs here on {providers}", providers=providers))
    return session


def _providers(device: str, path: Path, *, in_fp16: bool) -> list[Any]:
    kind, _, number = device.partition(":")
    cuda = ("CUDAExecutionProvider", {"device_id": int(number or 0)})
    if kind == "cuda":
        return [cuda, "CPUExecutionProvider"]
    if kind == "tensorrt":
        # An engine takes minutes to build, so it is kept beside the graph.
        own = {"device_id": int(number), "trt_engine_cache_enable": True, "trt_engine_cache_path": str(path.parent)}
        return [("TensorrtExecutionProvider", {**own, "trt_fp16_enable": in_fp16}), cuda, "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


class OnnxImageEncoder:
    """An image tower whose graph takes bytes (n, size, size, 3) and standardises them itself."""

    def __init__(
        self, spec: EncoderSpec, preprocess: Preprocess, session: "InferenceSession", *, batch_size: int = _CPU_BATCH
    ) -> None:
        self.spec = spec
        self.preprocess = preprocess
        self._session = session
        self._input = session.get_inputs()[0].name
        self._batches = FittingBatches(batch_size)

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, dim)`."""
        if not len(pixels):
            return np.empty((0, self.spec.dim), np.float32)
        return l2_normalize(self._batches.run(self._encode, np.ascontiguousarray(pixels)))

    def _encode(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        embedding: npt.NDArray[np.float32] = self._session.run(None, {self._input: pixels})[0]
        return embedding


class OnnxTextEncoder:
    """A text tower over token ids; 0 is padding."""

    def __init__(self, spec: EncoderSpec, tokenizer: Tokenizer, session: "InferenceSession") -> None:
        self.spec = spec
        self._tokenizer = tokenizer
        self._session = session
        (ids,) = session.get_inputs()
        self._input = ids.name
        self._dtype = np.int64 if ids.type == "tensor(int64)" else np.int32

    def read_text(self, text: str) -> TextReading:
        """Say which words are known."""
        return read_text(self._tokenizer, text)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, dim)`; each batch is only as long as its longest text."""
        if not texts:
            return np.empty((0, self.spec.dim), np.float32)
        ids = pad_ids(self._tokenizer, texts, self.spec.name).astype(self._dtype)
        (embedding,) = self._session.run(None, {self._input: ids})
        return l2_normalize(embedding)


def read_text(tokenizer: Tokenizer, text: str) -> TextReading:
    """Say what a text tower makes of `text`."""
    tokens = tokenizer.tokenize(text)
    return TextReading(
        known=tokens.meaningful,
        unknown_words=tokens.unknown_words,
        names=tokens.names,
        truncated=tokens.truncated,
    )


def pad_ids(tokenizer: Tokenizer, texts: Sequence[str], encoder: str) -> npt.NDArray[np.int64]:
    """Return int64 (n, length of the longest), filled up with 0. Raises UnknownWords for a text without any id."""
    rows = [tokenizer.tokenize(text) for text in texts]
    for row in rows:
        if not row.ids:
            raise UnknownWords(row.unknown_words, encoder, names=row.names)
    ids = np.zeros((len(rows), max(len(row.ids) for row in rows)), np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = row.ids
    return ids
