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
class PublishedFigure:
    """What somebody has measured of an encoder and published: not by xuntu, and not with xuntu.

    `value` is a percentage; `source` says where it stands, and what was different from how xuntu runs the encoder.
    """

    dataset: str
    measure: str  # English; shown in the person's language where a catalogue has it
    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Where the authors of an encoder publish its checkpoint; nowhere, for one that was fine-tuned.

    `checkpoints` are the forms it comes in, the preferred one first: each the names of all files that it needs, the
    weights themselves first. `revision` is the commit that is fetched from Hugging Face and its mirrors, all 40 digits,
    or empty for the newest; ModelScope counts commits of its own, so there it is always the newest. `terms` is where
    the licence stands, if a person has to accept it before anything is fetched. `size` is about how many
    bytes the checkpoint has, where that is not four for each parameter.
    """

    huggingface: str  # repository on the Hugging Face hub and its mirrors
    modelscope: str  # repository on ModelScope
    checkpoints: tuple[tuple[str, ...], ...]
    revision: str = ""
    terms: str = ""
    size: int = 0

    @property
    def is_fetchable(self) -> bool:
        """Whether there is a place to fetch it from."""
        return bool(self.huggingface)


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What an encoder is. Two encoders with the same `fingerprint` give the same vectors.

    `space` names the set of encoders whose vectors may be compared; `image_size` is the side in pixels of the
    square picture the image tower sees, or of the square of as many pixels; `context_length` the number of tokens the
    text tower reads; `languages` are ISO 639-1 codes, and empty for an encoder without a text tower; `parameters`
    counts the weights of both towers. `files` are empty for a published encoder until its checkpoint lies here.
    `templates`: the name of a thing is found better when it is encoded in several sentences (see wordings.py).
    `prompts` are what the authors put around a text and around a picture, and `pooling` what they make one vector of,
    where an encoder can be used in several ways.
    `architecture`: the published encoder that a fine-tuned one is built like; empty for every other.
    `query_sharpness`: the inverse temperature at which a picture's scores with ordinary texts are averaged, to tell
    whether it scores well with any; `hub_share`: how much of that average is taken off its score with a text, 0
    where it was not measured to help; `unrelated_cosine`: the mean cosine of pictures that have nothing to do with
    each other, which differs much between encoders; `turned_cosine`: from which cosine on a picture that is asked with
    is taken for one of the library that lies turned there, None where none is looked for; `figures`: what is
    published of how well it does, which decides nothing.
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
    turned_cosine: float | None = None
    figures: tuple[PublishedFigure, ...] = ()

    @property
    def download_bytes(self) -> int:
        """Return about how many bytes the published checkpoint has; 0 where nothing is to be fetched."""
        published = self.publication
        if published is None or not published.is_fetchable:
            return 0
        return published.size or 4 * self.parameters

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over everything that decides what vectors come out."""
        decisive: tuple[object, ...] = (self.space, self.dim, self.image_size, self.context_length, self.preprocess)
        if self.prompts or self.pooling:
            decisive += (self.prompts, self.pooling)
        checksums = sorted((file.name, file.sha256) for file in self.files)
        return hashlib.sha256(repr((decisive, checksums)).encode()).hexdigest()[:16]
