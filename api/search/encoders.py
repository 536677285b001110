"""The spaces of a library: for each encoder its towers, its index, and what its scores tell."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from api.search.calibration_file import CalibrationFile
from api.search.errors import InvalidQuery
from api.search.results import SearchNote
from api.search.turns import choose_vector
from indexer.library.errors import IndexMismatch
from indexer.library.opened import OpenBuild, check_same
from models.encoders.encoder import ImageEncoder, TextEncoder
from models.encoders.registry import get_installed_spec, get_preprocess, get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.errors import ImageSearchError, WeightsCorrupt, WeightsMissing
from models.foundation.messages import message
from models.foundation.vectors import Pixels, Vectors

Tower = TypeVar("Tower", ImageEncoder, TextEncoder)


class EncoderTowers:
    """The two towers of one encoder, each loaded when it is first needed.

    `missing` is why its weights cannot be used, where they cannot: then its pictures are found by their ids alone.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        """Look the weights up. Raises UnknownEncoder, or WeightsCorrupt for a card that cannot be read."""
        self.missing: ImageSearchError | None = None
        try:
            self.spec: EncoderSpec = get_installed_spec(name, runtime)
        except (WeightsMissing, WeightsCorrupt) as error:
            self.spec, self.missing = get_spec(name, runtime), error
        self.preprocess = get_preprocess(name, runtime)
        self.templates = runtime.uses_templates(self.spec)
        self._runtime = runtime
        self._lock = threading.Lock()
        self._text: TextEncoder | None = None
        self._image: ImageEncoder | None = None

    @property
    def text(self) -> TextEncoder:
        """The text tower. Raises what loading it raises."""
        with self._lock:
            if self._text is None:
                self._text = self._load(load_text_encoder)
            return self._text

    @property
    def reads_at_once(self) -> bool:
        """Whether a text is read, or refused, without a tower being loaded first."""
        return self._text is not None or self.missing is not None or not self.spec.languages

    @property
    def image(self) -> ImageEncoder:
        """The image tower. Raises what loading it raises."""
        with self._lock:
            if self._image is None:
                self._image = self._load(load_image_encoder)
            return self._image

    def encode_texts(self, texts: Sequence[str]) -> list[Vectors]:
        """Return a vector (dim,) for each text; the tower stays where it is while there is none."""
        return list(self.text.encode_text(texts)) if texts else []

    def encode_images(self, pixels: Sequence[Pixels]) -> list[Vectors]:
        """Return a vector (dim,) for each picture; the tower stays where it is while there is none."""
        return list(self.image.encode_image(np.stack(pixels))) if pixels else []

    def _load(self, load: Callable[[str, Runtime], Tower]) -> Tower:
        if self.missing:
            raise self.missing
        tower = load(self.spec.name, self._runtime)
        check_same(self.spec, tower.spec)
        return tower


class EncoderSpace:
    """One encoder of a build, and the index of its vectors."""

    def __init__(self, opened: OpenBuild, name: str, encoders: EncoderTowers, *, hub_correction: bool = True) -> None:
        """Take the index of the named encoder from a build. Raises IndexMismatch if others made it."""
        found = opened.by_encoder[name]
        self.entry, self.index = found.entry, found.index
        if not encoders.missing and self.entry.fingerprint != encoders.spec.fingerprint:
            raise IndexMismatch(
                f"{self.entry.encoder} ({self.entry.fingerprint})",
                f"{encoders.spec.name} ({encoders.spec.fingerprint})",
            )
        self.encoders = encoders
        self.hub_correction = hub_correction and bool(self.entry.bank)
        self.calibration = CalibrationFile(
            opened.layout.relevance(self.entry.encoder, self.entry.fingerprint), self.entry.fingerprint, self.entry.dim
        )

    @property
    def name(self) -> str:
        """The encoder's name."""
        return self.entry.encoder

    @property
    def reads_text(self) -> bool:
        """Whether texts can be encoded in it."""
        return bool(self.encoders.spec.languages)

    def choose_turn(self, turned: Vectors) -> tuple[Vectors, list[SearchNote]]:
        """Return the vector (dim,) to ask with of those of a picture as it is and turned, (4, dim); see turns.py."""
        least = self.encoders.spec.turned_cosine
        if least is None or not self.index.count():
            return turned[0], []
        return choose_vector(turned, self.index.search(turned, 1, kind="picture").scores[:, 0], least)

    def holds(self, image_id: int) -> bool:
        """Say whether the index has a picture."""
        return 0 < image_id < 2**63 and bool(self.index.holds(np.array([image_id]))[0])


Spaces: TypeAlias = Mapping[str, EncoderSpace]  # of a build, by the encoder's name, the main one first


def get_space(spaces: Spaces, name: str) -> EncoderSpace:
    """Return a space by its encoder's name. Raises InvalidQuery."""
    if name not in spaces:
        raise InvalidQuery(
            message("This library has no encoder {name!r}; it has {spaces}.", name=name, spaces=tuple(spaces))
        )
    return spaces[name]


def load_encoders(opened: OpenBuild, runtime: Runtime, known: Iterable[EncoderTowers] = ()) -> dict[str, EncoderTowers]:
    """Return the encoders of a build by name, the main one first; those already `known` are taken over.

    Without the weights of some the others answer what they are asked. Raises UnknownEncoder, and WeightsMissing or
    WeightsCorrupt where none is left.
    """
    there = {(one.spec.name, one.spec.fingerprint): one for one in known}
    found = {
        name: there.get((name, one.entry.fingerprint)) or EncoderTowers(name, runtime)
        for name, one in opened.by_encoder.items()
    }
    missing = [one.missing for one in found.values() if one.missing]
    if len(missing) == len(found):
        raise missing[0]
    return found
