"""TIFF files of numbers that Pillow does not read: floats of every width, and integers beyond 16 bits in colours."""

import logging
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.pictures.errors import ImageTooLarge
from models.pictures.limits import DecodeLimits, check_pixels

logger = logging.getLogger(__name__)

_BYTES_PER_PIXEL: Final = 4  # beyond them, fewer pixels are accepted
_INVERTED: Final = 0  # photometric interpretation: the smallest value is white


def read_numbers(data: bytes, limits: DecodeLimits) -> NDArray[Any] | None:
    """Return the first page of a TIFF, (h, w) or (h, w, 3), or None where it cannot be read.

    Raises ImageTooLarge (too_many_pixels).
    """
    import tifffile  # only where such a file turns up: it takes a tenth of a second

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            page = file.pages.first
            height, width = page.imagelength, page.imagewidth
            check_pixels((width, height), limits)
            samples, dtype = page.samplesperpixel, page.dtype
            if dtype is None or dtype.kind not in "uif" or page.imagedepth != 1:
                return None
            if width * height * samples * dtype.itemsize > limits.max_pixels * _BYTES_PER_PIXEL:
                check_pixels((width * samples, height * dtype.itemsize), limits)
            values = page.asarray()
            inverted = page.photometric == _INVERTED
    except ImageTooLarge:
        raise
    except Exception:  # hostile bytes raise every kind of exception; or a compression needs more than is installed
        logger.debug("a TIFF of unusual numbers could not be read", exc_info=True)
        return None
    if samples > 1 and values.ndim == 3 and values.shape[0] == samples:  # channels one after another
        values = np.moveaxis(values, 0, -1)
    if values.size != height * width * samples or not values.size:
        return None
    values = values.reshape(height, width, samples)
    values = values[..., :3] if samples >= 3 else values[..., 0]
    return -values.astype(np.float64) if inverted else values
