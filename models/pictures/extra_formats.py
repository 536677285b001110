"""Formats that take a package of the extra `formats`: files of cameras as they come from the sensor, and JPEG XL."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.pictures.errors import DecodeError
from models.pictures.formats import is_extra_installed
from models.pictures.limits import DecodeLimits, check_pixels

_RAW_STARTS: Final = (
    *(b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR"),
)
_JXL_STARTS: Final = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_DNG, _SUBFILE, _MAKE, _COMPRESSION, _OTHERS = 50706, 254, 271, 259, 330
_SENSOR_COMPRESSIONS: Final = {32767, 32769, 32770, 34713, 65535}  # of Sony, Samsung, Nikon and Pentax
_LEAST_PREVIEW: Final = 1_000  # pixels of its longer side


@dataclass(frozen=True, slots=True, eq=False)
class Developed:
    """What an extra package makes of a file: another file (a preview), or pixels, uint8 or uint16 (h, w, 3 or 4).

    `size` is that of the upright original in pixels; `orientation` is EXIF's, for the preview.
    """

    format: str
    size: tuple[int, int]
    preview: bytes = b""
    pixels: NDArray[Any] | None = None
    orientation: int = 1


def develop(data: bytes, limits: DecodeLimits) -> Developed | None:
    """Read a file of one of these formats; None for any other.

    Raises DecodeError (needs_formats, unread), ImageTooLarge (too_many_pixels) and what the packages raise.
    """
    if data.startswith(_JXL_STARTS):
        return _develop_jxl(data, limits)
    return _develop_raw(data, limits) if _is_raw(data) else None


def _need(package: str, what: str, limits: DecodeLimits) -> None:
    if not limits.extra_formats:
        raise DecodeError("unread", what)
    if not is_extra_installed(package):
        raise DecodeError("needs_formats", what)


# Camera files


def _is_raw(data: bytes) -> bool:
    if data.startswith(_RAW_STARTS) or data[4:12] == b"ftypcrx ":
        return True
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if data[8:11] == b"CR\2":
        return True
    tags = _first_directory(data)
    reduced = tags.get(_SUBFILE) == 1 and _OTHERS in tags and _MAKE in tags
    return _DNG in tags or reduced or tags.get(_COMPRESSION) in _SENSOR_COMPRESSIONS


def _first_directory(data: bytes) -> dict[int, int]:
    """Return the tags of the first directory of a TIFF, each with its value if that is one number."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > len(data):
        return {}
    (count,) = struct.unpack_from(order + "H", data, start)
    tags = {}
    for entry in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0]
    return tags


_TURNS: Final = {3: 3, 5: 8, 6: 6}  # how LibRaw says that a picture is turned -> EXIF


def _develop_raw(data: bytes, limits: DecodeLimits) -> Developed:
    """Return the preview that the camera made, where it is large enough, else develop at half size."""
    _need("rawpy", "RAW", limits)
    import rawpy

    with rawpy.imread(BytesIO(data)) as raw:
        sizes = raw.sizes
        check_pixels((max(sizes.raw_width, sizes.width), max(sizes.raw_height, sizes.height)), limits)
        size = (sizes.height, sizes.width) if sizes.flip in {5, 6} else (sizes.width, sizes.height)
        try:
            thumbnail = raw.extract_thumb()
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            thumbnail = None
        if thumbnail is not None and thumbnail.format == rawpy.ThumbFormat.JPEG:
            preview = bytes(thumbnail.data)
            if _longer_side(preview) >= min(_LEAST_PREVIEW, max(size)):
                return Developed("raw", size, preview=preview, orientation=_TURNS.get(sizes.flip, 1))
        pixels = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
    return Developed("raw", size, pixels=pixels)


def _longer_side(jpeg: bytes) -> int:
    from PIL import Image

    with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
        return max(image.size)


# JPEG XL


def _develop_jxl(data: bytes, limits: DecodeLimits) -> Developed:
    _need("imagecodecs", "JPEG XL", limits)
    import imagecodecs

    size = _jxl_size(data)
    check_pixels(size, limits)
    pixels = np.asarray(imagecodecs.jpegxl_decode(data, index=0))
    while pixels.ndim > 3:
        pixels = pixels[0]
    if pixels.dtype.kind == "f":
        pixels = np.rint(np.nan_to_num(pixels).clip(0, 1) * 255).astype(np.uint8)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] < 3:  # grey, perhaps with alpha
        pixels = np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)
    return Developed("jxl", (pixels.shape[1], pixels.shape[0]), pixels=pixels[..., :4])


_RATIOS: Final = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def _jxl_size(data: bytes) -> tuple[int, int]:
    """Return width and height as the header of the codestream says them (ISO 18181-1)."""
    data = _codestream(data)
    bits = int.from_bytes(data[2:16].ljust(14, b"\0"), "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = _RATIOS[take(3)]
    return (side() if ratio is None else height * ratio[0] // ratio[1]), height


def _codestream(data: bytes) -> bytes:
    """Return the pixels of a file in boxes from their start. Raises DecodeError (corrupt) where there are none."""
    if data.startswith(_JXL_STARTS[0]):
        return data
    at = 0
    for _ in range(1_000):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if name in (b"jxlc", b"jxlp"):
            start = at + head + (4 if name == b"jxlp" else 0)
            if data[start : start + 2] == _JXL_STARTS[0]:
                return data[start:]
            break
        if size < head:
            break
        at += size
    raise DecodeError("corrupt")
