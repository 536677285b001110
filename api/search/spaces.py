"""The spaces of a library: for each encoder its towers, its index, and what its scores tell."""

import threading
from collections.abc import Sequence

import numpy as np

from api.search.judging import CalibrationFile
from indexer.errors import IndexMismatch
from indexer.library import OpenBuild, check_same
from models.encoder import ImageEncoder, TextEncoder
from models.registry import get_installed_spec, get_preprocess, load_image_encoder, load_text_encoder
from models.runtime import Runtime
from models.spec import EncoderSpec
from models.vectors import Pixels, Vectors


class Encoders:
    """The two towers of one encoder, each loaded when it is first needed."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        """Look the weights up. Raises UnknownEncoder, WeightsMissing or WeightsCorrupt."""
        self.spec: EncoderSpec = get_installed_spec(name, runtime)
        self.preprocess = get_preprocess(name, runtime)
        self.templates = runtime.uses_templates(self.spec)
        self._runtime = runtime
        self._lock = threading.Lock()
        self._text: TextEncoder | None = None
        self._image: ImageEncoder | None = None

    @property
    def text(self) -> TextEncoder:
        """The text tower."""
        with self._lock:
            if self._text is None:
                self._text = load_text_encoder(self.spec.name, self._runtime)
                check_same(self.spec, self._text.spec)
            return self._text

    @property
    def image(self) -> ImageEncoder:
        """The image tower."""
        with self._lock:
            if self._image is None:
                self._image = load_image_encoder(self.spec.name, self._runtime)
                check_same(self.spec, self._image.spec)
            return self._image

    def encode_texts(self, texts: Sequence[str]) -> list[Vectors]:
        """Return a vector (dim,) for each text; the tower stays where it is while there is none."""
        return list(self.text.encode_text(texts)) if texts else []

    def encode_images(self, pixels: Sequence[Pixels]) -> list[Vectors]:
        """Return a vector (dim,) for each picture; the tower stays where it is while there is none."""
        return list(self.image.encode_image(np.stack(pixels))) if pixels else []


class Space:
    """One encoder of a build, and the index of its vectors."""

    def __init__(self, opened: OpenBuild, position: int, encoders: Encoders, *, hub_correction: bool = True) -> None:
        """Take the index at a position of a build. Raises IndexMismatch if another encoder made it."""
        self.entry = opened.indexes[position].entry
        self.index = opened.indexes[position].index
        if self.entry.fingerprint != encoders.spec.fingerprint:
            raise IndexMismatch(
                f"{self.entry.encoder} ({self.entry.fingerprint})",
                f"{encoders.spec.name} ({encoders.spec.fingerprint})",
            )
        self.encoders = encoders
        self.hub_correction = hub_correction and bool(self.entry.bank)
        self.calibration = CalibrationFile(
            opened.layout.relevance(self.entry.encoder, self.entry.fingerprint), self.entry.fingerprint
        )

    @property
    def name(self) -> str:
        """The encoder's name."""
        return self.entry.encoder

    @property
    def reads_text(self) -> bool:
        """Whether texts can be encoded in it."""
        return bool(self.encoders.spec.languages)

    def holds(self, image_id: int) -> bool:
        """Say whether the index has a picture."""
        return 0 < image_id < 2**63 and bool(self.index.count(np.array([image_id])))


def load_encoders(opened: OpenBuild, runtime: Runtime, known: Sequence[Encoders] = ()) -> list[Encoders]:
    """Return the encoders of a build, of which those already `known` are taken over.

    Raises UnknownEncoder, WeightsMissing or WeightsCorrupt.
    """
    there = {(one.spec.name, one.spec.fingerprint): one for one in known}
    entries = [one.entry for one in opened.indexes]
    return [there.get((entry.encoder, entry.fingerprint)) or Encoders(entry.encoder, runtime) for entry in entries]
