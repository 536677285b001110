"""The two Protocols that every encoder satisfies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.encoders.spec import EncoderSpec
from models.foundation.vectors import Pixels, Vectors

# RGB image -> uint8 (height, width, 3), of one shape for all pictures: image_size squared, or what the tower of an
# encoder that keeps the aspect ratio takes. Sent to worker processes, so it must be picklable. Pixels stay bytes on the
# way to the encoder, which standardises them where it runs: a quarter of the data between processes.
Preprocess: TypeAlias = Callable[[Image.Image], npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReading:
    """How an encoder reads a text, found without encoding it."""

    known: bool  # it knows at least one word that says something of a picture
    unknown_words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # words that it does not know as they are names: of persons, brands, places, works
    truncated: bool = False  # the text has more tokens than the encoder reads


class ImageEncoder(Protocol):
    """Pictures -> unit vectors."""

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """The first step, for worker processes."""
        ...

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, dim)` for `uint8 (n, height, width, 3)`, what `preprocess` makes of n pictures."""
        ...


class TextEncoder(Protocol):
    """Texts -> unit vectors of the same space."""

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is."""
        ...

    def read_text(self, text: str) -> TextReading:
        """Say what the encoder would make of `text`."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, dim)`. Raises UnknownWords for a text without any known word."""
        ...
