"""Frozen descriptions of encoders."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.errors import WeightsCorrupt, WeightsMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """A pinned file: its name below the encoder's folder, and what it must contain."""

    name: str
    sha256: str

    def verified(self, folder: Path) -> Path:
        """Return the path of the file in `folder`, or raise WeightsMissing or WeightsCorrupt."""
        path = folder / self.name
        if not path.is_file():
            raise WeightsMissing(path)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.sha256:
                raise WeightsCorrupt(path)
        return path


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What an encoder is. Two encoders with the same `fingerprint` give the same vectors.

    `space` names the set of encoders whose vectors may be compared; `image_size` is the side in pixels of the
    square picture the image tower sees; `context_length` the number of tokens the text tower reads;
    `languages` are ISO 639-1 codes, and empty for an encoder without a text tower.
    """

    name: str
    space: str
    dim: int
    image_size: int
    context_length: int
    languages: tuple[str, ...]
    preprocess: str
    license: str
    files: tuple[WeightFile, ...]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over everything that decides what vectors come out."""
        decisive = (self.space, self.dim, self.image_size, self.context_length, self.preprocess)
        checksums = sorted((file.name, file.sha256) for file in self.files)
        return hashlib.sha256(repr((decisive, checksums)).encode()).hexdigest()[:16]
