"""From the name of an encoder to one that is ready to be used: what that costs, and what of it is done already."""

import errno
import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from models.encoders.published import Published
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.encoders.weights_folder import EncoderFolder, Export, Record
from models.foundation.errors import BackendNotInstalled, WeightsMissing, WeightsUnwritable
from models.foundation.hardware import Hardware

_NEEDED = ("torch", "onnx", "safetensors")  # to read a checkpoint, and to export it
_BYTES = {"int8": 2, "fp16": 2}  # a parameter in an export; int8 leaves tables of tokens in float32
_TRACED = 4  # bytes a parameter takes while it is exported, beside that
# Memory of an export: measured with dinov2-large, 4.0 times the checkpoint (float32) beside the libraries.
_MEMORY_OF_EXPORT, _MEMORY_OF_LIBRARIES = 4.0, 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPlan:
    """What has to be done to have an encoder ready in `precision`. Bytes are estimates by its number of parameters.

    `disk_bytes` is what is taken at most, while it is exported; `memory_bytes` likewise, by the export alone.
    `has_weights`: a checkpoint is recorded here, or the export that it would be needed for.
    """

    spec: EncoderSpec
    precision: str
    folder: Path
    source: Path | None
    has_weights: bool
    is_exported: bool

    @property
    def download_bytes(self) -> int:
        """What is left to be fetched."""
        return 0 if self.has_weights or self.source else max(0, self.spec.download_bytes - self.partial_bytes)

    @property
    def partial_bytes(self) -> int:
        """What an interrupted run has fetched."""
        return sum(path.stat().st_size for path in self.folder.glob("*.part"))

    @property
    def disk_bytes(self) -> int:
        """Room that has to be free."""
        weights = 0 if self.has_weights else max(0, self.spec.download_bytes - self.partial_bytes)
        return weights + (0 if self.is_exported else self.spec.parameters * (_BYTES[self.precision] + _TRACED))

    @property
    def memory_bytes(self) -> int:
        """Memory that the export takes."""
        if self.is_exported:
            return 0
        return int(_MEMORY_OF_EXPORT * 4 * self.spec.parameters) + _MEMORY_OF_LIBRARIES

    @property
    def free_bytes(self) -> int:
        """Room that is free where the weights are to lie."""
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return shutil.disk_usage(there).free

    @property
    def missing_package(self) -> str:
        """A package that is needed and not installed; empty where none is."""
        return "" if self.is_exported else next((name for name in _NEEDED if find_spec(name) is None), "")

    def check(self) -> None:
        """Raise BackendNotInstalled or WeightsUnwritable now, rather than after a long download."""
        if self.missing_package:
            raise BackendNotInstalled(self.missing_package, "torch")
        if self.free_bytes < self.disk_bytes:
            raise WeightsUnwritable(self.folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def plan_setup(published: Published, hardware: Hardware, runtime: Runtime, *, source: Path | None = None) -> SetupPlan:
    """Return what is left to be done. Raises WeightsCorrupt where a record, or a checkpoint, plainly is not whole."""
    folder = published.folder(runtime)
    precision = "fp16" if hardware.gpus else "int8"
    record = _record(folder)
    is_exported = record is not None and bool(find_exports(record, folder.spec, precision))
    return SetupPlan(
        spec=published.spec,
        precision=precision,
        folder=folder.path,
        source=source,
        has_weights=record is not None and (is_exported or _is_whole(record, folder)),
        is_exported=is_exported,
    )


def find_exports(record: Record, spec: EncoderSpec, precision: str) -> list[Export]:
    """Return the exports of all towers in a precision; none where one is missing."""
    towers = ("image", "text") if spec.languages else ("image",)
    found = [record.find_export(tower, precision) for tower in towers]
    return [one for one in found if one] if all(found) else []


def _record(folder: EncoderFolder) -> Record | None:
    try:
        return folder.record()
    except WeightsMissing:
        return None


def _is_whole(record: Record, folder: EncoderFolder) -> bool:
    return all((folder.path / file.name).is_file() for file in record.checkpoint)
