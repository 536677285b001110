"""Published encoders, loaded from what lies on this machine: an export if there is one that fits, else the checkpoint.

On a processor an int8 export is the fastest, then fp32; a GPU runs fp16 exports, or the checkpoint in bfloat16.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from models.encoders.encoder import ImageEncoder, Preprocess, TextEncoder
from models.encoders.family import PublishedFamily, Towers
from models.encoders.onnx import OnnxImageEncoder, OnnxTextEncoder, open_session
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.encoders.weights_folder import EncoderFolder, Export, Record
from models.foundation.devices import CPU, list_devices
from models.foundation.errors import DeviceUnavailable, NotExportable, NotExported, NoTextTower, NotTrainable
from models.language.tokenizer import Tokenizer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from models.encoders.torch_towers import TrainableModel

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"
# What is tried in turn when nobody asks for a precision.
_PREFERENCES = {
    "cpu": ("int8", "fp32", "fp16", CHECKPOINT),
    "cuda": ("fp16", CHECKPOINT, "fp32"),  # the checkpoint where torch and it are there
    "tensorrt": ("fp16", "fp32"),
}
_BATCH = {"cpu": 8, "cuda": 256, "tensorrt": 64}  # a processor gains nothing from larger ones

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PublishedEncoders:
    """A family of published encoders as the registry takes it."""

    family: PublishedFamily

    @property
    def specs(self) -> tuple[EncoderSpec, ...]:
        """What the encoders are."""
        return self.family.specs

    def preprocess(self, spec: EncoderSpec) -> Preprocess:
        """Return the first step of an encoder."""
        return self.family.make_preprocess(spec)

    def open_image(self, spec: EncoderSpec, runtime: Runtime) -> ImageEncoder:
        """Load the image tower on the first device."""
        return Published(self.family, spec).load_image(runtime)

    def open_text(self, spec: EncoderSpec, runtime: Runtime) -> TextEncoder:
        """Load the text tower on the first device."""
        return Published(self.family, spec).load_text(runtime)


@dataclass(frozen=True, slots=True)
class Published:
    """One encoder of a family, on this machine."""

    family: PublishedFamily
    spec: EncoderSpec

    def folder(self, runtime: Runtime) -> EncoderFolder:
        """Return the folder of its weights."""
        return EncoderFolder(runtime.weights, self.spec)

    def load_image(self, runtime: Runtime) -> ImageEncoder:
        """Load the image tower on the first device. Raises what `registry.load_image_encoder` names."""
        return self._on_first_device("image", runtime, lambda form, device: self.open_image(runtime, form, device))

    def load_text(self, runtime: Runtime) -> TextEncoder:
        """Load the text tower and its tokenizer. Raises NoTextTower and what `load_image` raises."""
        if not self.spec.languages:
            raise NoTextTower(self.spec.name)
        return self._on_first_device("text", runtime, lambda form, device: self.open_text(runtime, form, device))

    def open_image(self, runtime: Runtime, form: str, device: str = CPU) -> ImageEncoder:
        """Open the image tower in one form, a precision or CHECKPOINT, on one device."""
        folder, preprocess = self.folder(runtime), self.family.make_preprocess(self.spec)
        spec, batch_size = folder.installed_spec(), _BATCH[_kind(device)]
        if form == CHECKPOINT:
            from models.encoders.torch import TorchImageEncoder, prepare

            prepare(device, threads=runtime.threads)
            tower, _ = self.load_towers(folder)
            return TorchImageEncoder(spec, preprocess, tower, device=device, batch_size=batch_size)
        graph, *_ = folder.verified(self._export(folder, "image", form).files)
        session = self._open(graph, runtime, device)
        return OnnxImageEncoder(spec, preprocess, session, batch_size=batch_size)

    def open_text(self, runtime: Runtime, form: str, device: str = CPU) -> TextEncoder:
        """Open the text tower in one form, a precision or CHECKPOINT, on one device."""
        folder = self.folder(runtime)
        spec = folder.installed_spec()
        if form == CHECKPOINT:
            from models.encoders.torch import TorchTextEncoder, prepare

            prepare(device, threads=runtime.threads)
            _, tower = self.load_towers(folder)
            if tower is None:
                raise NoTextTower(spec.name)
            return TorchTextEncoder(spec, self.load_tokenizer(folder), tower, device=device)
        graph, *_, vocabulary = folder.verified(self._export(folder, "text", form).files)
        tokenizer = self.family.load_tokenizer(vocabulary, context_length=spec.context_length)
        session = self._open(graph, runtime, device)
        return OnnxTextEncoder(spec, tokenizer, session)

    def load_towers(self, folder: EncoderFolder) -> Towers:
        """Return the towers of the checkpoint on torch. Raises BackendNotInstalled, WeightsMissing, ..."""
        return self.family.load_towers(self.spec, folder.verified(folder.record().checkpoint))

    def load_trainable(self, folder: EncoderFolder) -> "TrainableModel":
        """Return the towers of the checkpoint, to be trained. Raises NotTrainable and what `load_towers` raises."""
        if self.family.load_trainable is None:
            raise NotTrainable(self.spec.name)
        return self.family.load_trainable(self.spec, folder.verified(folder.record().checkpoint))

    def load_tokenizer(self, folder: EncoderFolder) -> Tokenizer:
        """Return the tokenizer that belongs to the checkpoint."""
        return self.family.load_tokenizer(self.family.find_tokenizer(folder), context_length=self.spec.context_length)

    def check_exportable(self, precision: str) -> None:
        """Raise NotExportable for a precision that the encoder is never exported in."""
        if precision not in self.family.exports:
            raise NotExportable(self.spec.name, precision, self.family.exports)

    def _open(self, graph: Path, runtime: Runtime, device: str) -> "InferenceSession":
        return open_session(
            graph,
            threads=runtime.threads,
            device=device,
            encoder=self.spec.name,
            in_fp16="fp16" in self.family.exports,
        )

    def _export(self, folder: EncoderFolder, tower: str, precision: str) -> Export:
        export = folder.record().find_export(tower, precision)
        if export is None:
            raise NotExported(self.spec.name, precision)
        return export

    def _on_first_device(self, tower: str, runtime: Runtime, load: Callable[[str, str], T]) -> T:
        """Load on the first device; where nobody named one and it turns out unusable, on the processor."""
        folder = self.folder(runtime)
        record = folder.record()
        device = list_devices(runtime.device)[0]
        whole = all((folder.path / file.name).is_file() for file in record.checkpoint)
        torch = whole and device != CPU and find_spec("torch") is not None
        attempts = [(_kind(device), device)]
        if runtime.device == "auto" and device != CPU:
            attempts += [(CHECKPOINT, device)] if torch and runtime.precision == "auto" else []
            attempts.append((CPU, CPU))
        *first, last = attempts
        for number, (kind, on) in enumerate(first, 1):
            try:
                return load(self._form(record, tower, runtime, kind, has_torch=torch), on)
            except (DeviceUnavailable, NotExported) as error:
                instead = "The processor is used." if attempts[number][1] == CPU else "Torch is used there."
                logger.warning("%s %s", error, instead)
        kind, on = last
        return load(self._form(record, tower, runtime, kind, has_torch=torch), on)

    def _form(self, record: Record, tower: str, runtime: Runtime, kind: str, *, has_torch: bool) -> str:
        if kind == CHECKPOINT:
            return CHECKPOINT
        try:
            return choose(record, tower, runtime.precision, kind, has_torch=has_torch)
        except NotExported as error:
            precision = error.precision
            if runtime.precision == "auto":
                precision = next((one for one in _PREFERENCES[kind] if one in self.family.exports), precision)
            self.check_exportable(precision)
            raise NotExported(self.spec.name, precision) from error


def choose(record: Record, tower: str, asked: str, kind: str, *, has_torch: bool) -> str:
    """Return the form to run a tower in on a kind of device: a precision, or CHECKPOINT. Raises NotExported.

    `has_torch`: torch is installed, and the checkpoint is there to run on a GPU. On a processor CHECKPOINT is the
    answer even without, for want of any other: opening it says what is missing.
    """
    if asked != "auto":
        if record.find_export(tower, asked):
            return asked
        if asked == "fp32" and kind == CPU:
            return CHECKPOINT
        raise NotExported(record.encoder, asked)
    for precision in _PREFERENCES[kind]:
        if record.find_export(tower, precision) or (precision == CHECKPOINT and (has_torch or kind == CPU)):
            return precision
    raise NotExported(record.encoder, "fp16")


def _kind(device: str) -> str:
    return device.partition(":")[0]
