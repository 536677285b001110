"""Frozen descriptions of encoders."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.foundation.errors import WeightsCorrupt, WeightsMissing
from models.foundation.files import sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """A pinned file: its name below the encoder's folder, and what it must contain."""

    name: str
    sha256: str

    def verified(self, folder: Path) -> Path:
        """Return the path of a file that came with the product, or raise WeightsMissing or WeightsCorrupt."""
        path = folder / self.name
        if not path.is_file():
            raise WeightsMissing(path)
        if sha256_of(path) != self.sha256:
            raise WeightsCorrupt(path)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Where the authors of an encoder publish its checkpoint; nowhere, for one that was fine-tuned.

    `checkpoints` are the forms it comes in, the preferred one first: each the names of all files that it needs, the
    weights themselves first.
    """

    huggingface: str  # repository on the Hugging Face hub and its mirrors
    modelscope: str  # repository on ModelScope
    checkpoints: tuple[tuple[str, ...], ...]

    @property
    def is_fetchable(self) -> bool:
        """Whether there is a place to fetch it from."""
        return bool(self.huggingface)


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What an encoder is. Two encoders with the same `fingerprint` give the same vectors.

    `space` names the set of encoders whose vectors may be compared; `image_size` is the side in pixels of the
    square picture the image tower sees; `context_length` the number of tokens the text tower reads;
    `languages` are ISO 639-1 codes, and empty for an encoder without a text tower; `parameters` counts the weights
    of both towers. `files` are empty for a published encoder until its checkpoint lies on this machine.
    `templates`: the name of a thing is found better when it is encoded in several sentences (see wordings.py).
    `prompts` are what the authors put around a text and around a picture, and `pooling` what they make one vector of,
    where an encoder can be used in several ways.
    `architecture`: the published encoder that a fine-tuned one is built like; empty for every other.
    `query_sharpness`: the inverse temperature at which a picture's scores with ordinary texts are averaged, to tell
    whether it scores well with any; `hub_share`: how much of that average is taken off its score with a text, 0
    where it was not measured to help; `unrelated_cosine`: the mean cosine of pictures that have nothing to do with
    each other, which differs much between encoders.
    """

    name: str
    space: str
    dim: int
    image_size: int
    context_length: int
    languages: tuple[str, ...]
    preprocess: str
    license: str
    files: tuple[WeightFile, ...] = ()
    parameters: int = 0
    publication: Publication | None = None
    templates: bool = False
    prompts: tuple[str, ...] = ()
    pooling: str = ""
    architecture: str = ""
    query_sharpness: float = 20.0
    hub_share: float = 0.0
    unrelated_cosine: float = 0.5

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over everything that decides what vectors come out."""
        decisive: tuple[object, ...] = (self.space, self.dim, self.image_size, self.context_length, self.preprocess)
        if self.prompts or self.pooling:
            decisive += (self.prompts, self.pooling)
        checksums = sorted((file.name, file.sha256) for file in self.files)
        return hashlib.sha256(repr((decisive, checksums)).encode()).hexdigest()[:16]
