"""Values of more than 8 bits -> 8 bits, by the range that they fill."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[Any]

_SAMPLED: Final = 1_000_000  # values that a range is read from, at most
_TAIL: Final = 0.1  # percent of values at either end that say nothing of the range
_DARK, _NARROW, _FLAT = 2**14, 2**12, 2**6  # of 2**16: all values below; between the ends; no picture at all


def grey_of_16_bits(values: Values, *, transparent: int | None = None) -> Image.Image:
    """Return 16-bit grey as 8 bits: by its high byte, or by its own range where it fills little of what it could.

    Cameras that see heat or depth, and microscopes, put 10 or 12 bits into 16. `transparent` becomes white.
    """
    stretched = _stretch(values) if transparent is None else None
    grey = (values >> 8).astype(np.uint8) if stretched is None else stretched
    if transparent is not None:
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def colours_of_16_bits(values: Values) -> Image.Image:
    """Return 16-bit colours (h, w, 3 or 4) as 8 bits, as `grey_of_16_bits` does; all of them by one range."""
    stretched = _stretch(values[..., :3])
    if stretched is None:
        return Image.fromarray((values >> 8).astype(np.uint8))
    return Image.fromarray(np.concatenate([stretched, (values[..., 3:] >> 8).astype(np.uint8)], axis=-1))


def _stretch(values: Values) -> NDArray[np.uint8] | None:
    low, high = _range(values)
    if (values >> 8 == values & 255).all():  # of 8 bits, written as 16
        return None
    if high - low < _FLAT or (high >= _DARK and high - low >= _NARROW):
        return None
    return _scale(values, low, high)


def from_numbers(values: Values) -> Image.Image:
    """Return numbers of any type (h, w) or (h, w, 3) as 8 bits.

    Integers in 0..255 and floats in 0..1 are taken as such, others by their own range. Not-a-number becomes black, an
    infinity the end of the range on its side.
    """
    low, high = _ends(values)
    natural = 1.0 if values.dtype.kind == "f" else 255.0
    if low >= 0.0 and high <= natural:
        low, high = 0.0, natural
    else:
        low, high = _range(values)
    return Image.fromarray(_scale(values, low, high))


def _ends(values: Values) -> tuple[float, float]:
    """Return the least and the most of the values that are finite, a band at a time."""
    low, high = np.inf, -np.inf
    for top in range(0, len(values), 256):
        band = values[top : top + 256]
        if (finite := band[np.isfinite(band)]).size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _range(values: Values) -> tuple[float, float]:
    """Return between which values nearly all lie."""
    some = values.reshape(-1)[:: max(1, values.size // _SAMPLED)]
    some = some[np.isfinite(some)]
    if not some.size:
        return 0.0, 0.0
    low, high = np.percentile(some, [_TAIL], method="lower")[0], np.percentile(some, [100 - _TAIL], method="higher")[0]
    return float(low), float(high)


def _scale(values: Values, low: float, high: float) -> NDArray[np.uint8]:
    scaled = np.empty(values.shape, np.uint8)
    rows = max(1, 2**20 // max(1, values[0].size))
    for top in range(0, values.shape[0], rows):  # by bands: a whole picture in float64 may be gigabytes
        band = values[top : top + rows].astype(np.float64)
        np.nan_to_num(band, copy=False, nan=low, posinf=high, neginf=low)
        band = band.clip(low, high)
        if np.isfinite(high - low):
            scaled[top : top + rows] = np.rint((band - low) * 255.0 / ((high - low) or 1.0))
        else:  # the ends are as far apart as numbers go
            scaled[top : top + rows] = np.rint((band / 2 - low / 2) / (high / 2 - low / 2) * 255.0)
    return scaled
