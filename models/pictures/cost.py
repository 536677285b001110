"""What decoding a picture takes of memory, told by its header: an upper bound, for whoever shares memory out.

The figures are bytes for each pixel, as the decoders were measured under limits of memory.
"""

import logging
from dataclasses import dataclass
from typing import Final

from PIL import ImageFile

from models.pictures.colour import find_transform
from models.pictures.decode import Sides, draft, embedded, find_profile, open_checked, webp_canvas
from models.pictures.errors import ImageTooLarge
from models.pictures.frames import is_animated
from models.pictures.limits import DecodeLimits, check_bytes, check_pixels
from models.pictures.openers import silence
from models.pictures.pixels import has_16_bits

logger = logging.getLogger(__name__)

_SHARE, _BESIDE = 1.1, 24 * 2**20  # what is added to an estimate: a share of it, and bytes for what is no pixel
_LARGE: Final = 16_000_000  # pixels, beyond which colours of 16 bits are not looked at twice
# Of the decoder, beside the picture that it fills: while it decodes, and as long as the picture is there.
_DECODERS: Final = {"WEBP": (13.0, 8.0), "AVIF": (11.0, 8.0), "HEIF": (6.5, 4.0), "ICO": (8.0, 8.0)}
_ANIMATIONS: Final = 16.0  # more, where frames are looked at one by one
_JPEG_2000: Final = 4.0  # each channel, and two more, in whole numbers of 32 bits
_STORED: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # bytes of a loaded pixel; others: 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCost:
    """The size of a picture as it is stored, in pixels, and the memory that decoding it takes, in bytes, at most.

    `peak_bytes` is None where its header does not say: then the size is 0 x 0. `kept_bytes` are those of what comes
    out, three for each of its pixels.
    """

    width: int = 0
    height: int = 0
    peak_bytes: int | None = None
    kept_bytes: int = 0

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.width * self.height


def estimate_cost(
    data: bytes, *, short_side: int, long_side: int = 0, spare: int = 1, limits: DecodeLimits
) -> DecodeCost:
    """Return what `decode_image` with the same arguments takes; no pixel is decoded.

    Raises ImageTooLarge (too_many_bytes, too_many_pixels).
    """
    check_bytes(len(data), limits)
    sides = Sides(short_side, long_side, spare)
    silence()
    try:
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _of_webp(data, sides, limits)
        image, pixels = open_checked(embedded(data), limits)
        return _cost(image, pixels, data, sides)
    except ImageTooLarge:
        raise
    except Exception:  # part of the per-image guard: hostile bytes raise every kind of exception
        logger.debug("the header of a picture of %d bytes could not be read", len(data), exc_info=True)
        return DecodeCost()


def _cost(image: ImageFile.ImageFile, pixels: int, data: bytes, sides: Sides) -> DecodeCost:
    width, height = image.size
    profile = find_profile(image, data)
    converted = find_transform(profile, image.mode) is not None
    factor = sides.factor(image.size, spared=converted and sides.spare > 1)
    kept = 3 * -(-width // factor) * -(-height // factor)
    while_decoding, afterwards = _of_decoder(image)
    scale = draft(image, factor) if image.format in {"JPEG", "MPO"} else 1
    loaded = _STORED.get(image.mode, 4) / scale**2
    if is_animated(image) or (image.format == "GIF" and getattr(image, "is_animated", False)):
        afterwards += _ANIMATIONS
    finishing = _finishing(image, data, whole=factor // scale <= 1) / scale**2
    most = max(while_decoding + loaded, afterwards + loaded + finishing)
    peak = int(_SHARE * most * max(pixels, width * height)) + 2 * len(data) + _BESIDE
    return DecodeCost(width=width, height=height, peak_bytes=peak, kept_bytes=kept)


def _of_webp(data: bytes, sides: Sides, limits: DecodeLimits) -> DecodeCost:
    """Return what a WebP takes, from its first bytes alone: to open it sets memory aside for all of its pixels."""
    width, height = webp_canvas(data)
    check_pixels((width, height), limits)
    kind, flags = data[12:16], data[20] if len(data) > 20 else 0
    transparent = (
        bool(flags & 0x10) if kind == b"VP8X" else kind == b"VP8L" and len(data) > 24 and bool(data[24] & 0x10)
    )
    animated = kind == b"VP8X" and bool(flags & 0x02)
    factor = sides.factor((width, height), spared=False)
    finishing = (17.0 if factor <= 1 else 9.0) if transparent else 5.0
    decoding, afterwards = _DECODERS["WEBP"]
    most = 4.0 + max(decoding, afterwards + finishing + (_ANIMATIONS if animated else 0.0))
    kept = 3 * -(-width // factor) * -(-height // factor)
    peak = int(_SHARE * most * width * height) + 2 * len(data) + _BESIDE
    return DecodeCost(width=width, height=height, peak_bytes=peak, kept_bytes=kept)


def _of_decoder(image: ImageFile.ImageFile) -> tuple[float, float]:
    """Return what a decoder holds for each pixel, while it decodes and afterwards."""
    if image.format in {"JPEG", "MPO"} and "progressive" in image.info:
        return _coefficients(image), 0.0
    if image.format == "JPEG2000":
        return _JPEG_2000 * (2 + len(image.getbands())), 0.0
    if image.format == "HEIF" and image.info.get("bit_depth") == 8:
        return 4.0, 4.0
    return _DECODERS.get(str(image.format), (1.0, 0.0))


def _coefficients(image: ImageFile.ImageFile) -> float:
    """Return what a progressive JPEG keeps of each pixel until its last pass: two bytes for each sample."""
    layers = getattr(image, "layer", [])
    wide, high = (max((layer[at] for layer in layers), default=1) for at in (1, 2))
    samples = sum(layer[1] * layer[2] for layer in layers) / max(1, wide * high)
    return 2.0 * (samples or 4.0) + 0.5


def _finishing(image: ImageFile.ImageFile, data: bytes, *, whole: bool) -> float:
    """Return what is held beside a loaded picture until it is reduced RGB, or RGB of its own size if `whole`."""
    if image.mode.startswith(("I;16", "F", "I")):
        return 14.0
    if has_16_bits(image, data):
        return 44.0 if image.width * image.height <= _LARGE else 12.0
    if image.has_transparency_data or image.mode in {"RGBa", "La", "PA"}:
        return 17.0 if whole else 9.0
    if whole:
        return 8.0 if image.format in {"HEIF", "AVIF"} else 5.0
    return 5.0 if image.mode in {"1", "P", "HSV"} else 1.0
