"""Published encoders, loaded from what lies on this machine: an export if there is one that fits, else the checkpoint.

On a processor an int8 export is the fastest, then fp32; a GPU runs fp16 exports, or the checkpoint in bfloat16.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from models.devices import CPU, list_devices
from models.encoder import ImageEncoder, TextEncoder
from models.errors import BackendNotInstalled, DeviceUnavailable, NotExported, NoTextTower
from models.family import Family, Towers
from models.onnx_encoder import OnnxImageEncoder, OnnxTextEncoder, open_session
from models.runtime import Runtime
from models.spec import EncoderSpec
from models.weights import EncoderFolder, Export, Record

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"
# What is tried in turn when nobody asks for a precision.
_PREFERENCES = {
    "cpu": ("int8", "fp32", "fp16", CHECKPOINT),
    "cuda": ("fp16", CHECKPOINT, "fp32"),
    "tensorrt": ("fp16", "fp32"),
}
_BATCH = {"cpu": 8, "cuda": 256, "tensorrt": 64}  # a processor gains nothing from larger ones

E = TypeVar("E", ImageEncoder, TextEncoder)


@dataclass(frozen=True, slots=True)
class Published:
    """One encoder of a family, on this machine."""

    family: Family
    spec: EncoderSpec

    def folder(self, runtime: Runtime) -> EncoderFolder:
        """Return the folder of its weights."""
        return EncoderFolder(runtime.weights, self.spec)

    def load_image(self, runtime: Runtime) -> ImageEncoder:
        """Load the image tower on the first device. Raises what `registry.load_image_encoder` names."""
        folder = self.folder(runtime)
        record = folder.record()
        spec, preprocess = folder.installed_spec(), self.family.make_preprocess(self.spec)

        def exported(export: Export, device: str) -> ImageEncoder:
            graph = folder.verified(export.files)[0]
            session = open_session(graph, threads=runtime.threads, device=device, encoder=spec.name)
            return OnnxImageEncoder(spec, preprocess, session, batch_size=_BATCH[_kind(device)])

        def original(device: str) -> ImageEncoder:
            from models.torch_encoder import TorchImageEncoder, prepare

            prepare(device, threads=runtime.threads)
            tower, _ = self.load_towers(folder)
            return TorchImageEncoder(spec, preprocess, tower, device=device, batch_size=_BATCH[_kind(device)])

        return _load(record, "image", runtime, exported, original)

    def load_text(self, runtime: Runtime) -> TextEncoder:
        """Load the text tower and its tokenizer. Raises NoTextTower and what `load_image` raises."""
        if not self.spec.languages:
            raise NoTextTower(self.spec.name)
        folder = self.folder(runtime)
        record = folder.record()
        spec = folder.installed_spec()

        def exported(export: Export, device: str) -> TextEncoder:
            graph, *_, tokenizer = folder.verified(export.files)
            reader = self.family.load_tokenizer(tokenizer, context_length=spec.context_length)
            session = open_session(graph, threads=runtime.threads, device=device, encoder=spec.name)
            return OnnxTextEncoder(spec, reader, session)

        def original(device: str) -> TextEncoder:
            from models.torch_encoder import TorchTextEncoder, prepare

            prepare(device, threads=runtime.threads)
            _, tower = self.load_towers(folder)
            if tower is None:
                raise NoTextTower(spec.name)
            reader = self.family.load_tokenizer(self.family.find_tokenizer(folder), context_length=spec.context_length)
            return TorchTextEncoder(spec, reader, tower, device=device)

        return _load(record, "text", runtime, exported, original)

    def load_towers(self, folder: EncoderFolder) -> Towers:
        """Return the towers of the checkpoint on torch. Raises BackendNotInstalled, WeightsMissing, ..."""
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise BackendNotInstalled("torch", "torch") from error
        return self.family.load_towers(self.spec, folder.verified(folder.record().checkpoint))


def _load(
    record: Record,
    tower: str,
    runtime: Runtime,
    exported: Callable[[Export, str], E],
    original: Callable[[str], E],
) -> E:
    device = list_devices(runtime.device)[0]
    try:
        return _load_on(device, record, tower, runtime, exported, original)
    except DeviceUnavailable as error:
        if runtime.device != "auto" or device == CPU:
            raise
        logger.warning("%s The processor is used.", error)
        return _load_on(CPU, record, tower, runtime, exported, original)


def _load_on(
    device: str,
    record: Record,
    tower: str,
    runtime: Runtime,
    exported: Callable[[Export, str], E],
    original: Callable[[str], E],
) -> E:
    precision = choose(record, tower, runtime.precision, _kind(device))
    export = record.find_export(tower, precision)
    return original(device) if export is None else exported(export, device)


def choose(record: Record, tower: str, asked: str, kind: str) -> str:
    """Return the precision to run a tower in on a kind of device, or CHECKPOINT. Raises NotExported."""
    if asked != "auto":
        if record.find_export(tower, asked):
            return asked
        if asked == "fp32" and kind == "cpu":
            return CHECKPOINT
        raise NotExported(record.encoder, asked)
    for precision in _PREFERENCES[kind]:
        if precision == CHECKPOINT or record.find_export(tower, precision):
            return precision
    raise NotExported(record.encoder, "fp16")


def _kind(device: str) -> str:
    return device.partition(":")[0]
