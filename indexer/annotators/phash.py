"""What a picture looks like, in 64 bits that stay nearly the same when it is resized, recompressed or toned."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values
from indexer.library.looks import NO_HASH, to_signed
from models.foundation.messages import mark

_SIDE = 32
_LOW = 8
_FAINT = 2.0  # grey levels; half of the coefficients below it are what recompression alone makes of a smooth picture
_FREQUENCY = np.arange(_LOW)[:, None]
_COSINES = 2 * np.cos(np.pi * _FREQUENCY * (2 * np.arange(_SIDE)[None] + 1) / (2 * _SIDE))  # DCT-II, not normalised
_GREY_LEVELS = 2 * _SIDE  # a coefficient divided by it is that of the orthonormal transform


class PerceptualHashAnnotator:
    """Hashes what a picture looks like, so that near-duplicates are found."""

    name = "phash"
    version = 1
    needs: Needs = "thumbnail"
    fields = (
        Field(
            name="phash", type=FieldType.WHOLE, label=mark("Perceptual hash"), shown=False
        ),  # signed, as SQLite keeps integers
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the hash of each picture; 0 for one without detail."""
        return [{"phash": to_signed(perceptual_hash(picture.image))} for picture in batch]


def perceptual_hash(image: Image.Image) -> int:
    """Return the DCT hash of an upright picture, 0 <= hash < 2**64; NO_HASH where it would mean nothing.

    Grey (ITU-R 601), resized to 32 x 32 (Lanczos), two-dimensional DCT-II; of the 8 x 8 lowest frequencies, the
    constant one included, row by row and the first as the highest bit: whether each is above their median. So 32 bits
    of a hash are set, nearly always. The method is Zauner's (Implementation and Benchmarking of Perceptual Image Hash
    Functions, 2010) as `imagehash.phash` has it. The numbers are those of imagehash for pictures up to 127 pixels;
    larger ones are first reduced by a whole factor, a third of the time, which turns two bits of one in eight.

    A picture without detail (one colour, a smooth gradient, the dark) has no hash: its bits would be noise.
    """
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    low = (_COSINES @ np.asarray(grey, np.float64) @ _COSINES.T).ravel()
    if np.median(np.abs(low[1:])) < _FAINT * _GREY_LEVELS:
        return NO_HASH
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
