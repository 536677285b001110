"""Why a picture could not be decoded: cut short, damaged, of a kind that is not supported, or no picture."""

import logging
from collections.abc import Callable
from io import BytesIO
from typing import Final

from PIL import TiffImagePlugin, UnidentifiedImageError

from models.pictures.openers import FIRST_FRAME_GIF, opener_of

logger = logging.getLogger(__name__)


def reason(error: Exception, data: bytes) -> tuple[str, str]:
    """Tell why `data` could not be decoded: a key of DECODE_REASONS, and what belongs to it."""
    if isinstance(error, MemoryError):
        return "out_of_memory", ""
    kind = opener_of(data)
    if kind is None:
        return "not_an_image", ""
    opened = not isinstance(error, UnidentifiedImageError)
    try:
        cut = "truncated" in str(error) or ENDS_EARLY.get(kind, _never)(data)
        variant = "" if cut else _UNSUPPORTED.get(kind, _none)(data, str(error), opened)
    except Exception:  # part of the per-image guard: the structure itself leads nowhere
        logger.debug("the end of a picture file could not be found", exc_info=True)
        cut, variant = len(data) < 16, ""
    if variant:
        return "unsupported", variant
    return ("truncated" if cut else "corrupt"), ""


def tiff_ends_early(data: bytes, size: int = 0) -> bool:
    """Tell whether the directory of a TIFF, or a strip or tile of its first page, lies behind its end, or `size`."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:3] == b"+" else 8])
    start = directory.next
    file = BytesIO(data)
    file.seek(start)
    directory.load(file)
    if directory.next == start:  # it could not be read to its end
        return True
    offsets, sizes = (directory.get(strip) or directory[tile] for strip, tile in ((273, 324), (279, 325)))
    return max(map(sum, zip(offsets, sizes, strict=False))) > (size or len(data))


def boxes_end_early(data: bytes) -> bool:
    """Tell whether a box that an AVIF or HEIF cannot do without lies behind its end."""
    at, has_pixels = 0, False
    for _ in range(1000):  # of any number that a hostile file may hold
        if at + 8 > len(data):
            return not has_pixels and b"idat" not in data
        size, box = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # 0: to the end of the file
            break
        at += size
        if at > len(data) and box in {b"ftyp", b"meta", b"mdat", b"moov"}:  # anything may follow a picture
            return True
        has_pixels |= box == b"mdat"
    return False


def _never(_data: bytes) -> bool:
    return False


# Opener -> whether a file lacks the end that its own structure asks for.
ENDS_EARLY: Final[dict[str, Callable[[bytes], bool]]] = {
    "JPEG": lambda data: b"\xff\xd9" not in data,
    "PNG": lambda data: b"IEND" not in data,
    "WEBP": lambda data: len(data) < int.from_bytes(data[4:8], "little") + 8,
    FIRST_FRAME_GIF: lambda data: not data.rstrip(b"\0").endswith(b";"),
    "TIFF": tiff_ends_early,
    "BMP": lambda data: len(data) < max(int.from_bytes(data[2:6], "little"), 54),
    "AVIF": boxes_end_early,
    "HEIF": boxes_end_early,
    "JPEG2000": lambda data: b"\xff\xd9" not in data[-64:],
    "DIB": lambda data: len(data) < int.from_bytes(data[:4], "little"),
}


# Opener -> what is unusual in a file that is sound by its own structure, and of which its decoder said `error`, having
# opened it or not; empty where that is nothing.

_FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # of a JPEG: how its pixels are coded
_DECODED: Final = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}


def _jpeg_variant(data: bytes, _error: str, _opened: bool) -> str:
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 10 <= len(data):
        marker = data[at + 1]
        if marker in _FRAMES:
            bits, components = data[at + 4], data[at + 9]
            if bits != 8:
                return f"JPEG, {bits} bits"
            if components not in {1, 3, 4}:
                return f"JPEG, {components} channels"
            return "" if marker in _DECODED else "JPEG, lossless" if marker in {0xC3, 0xCB} else "JPEG, hierarchical"
        if marker in {0x00, 0x01, 0xFF} or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
        elif marker in {0xD9, 0xDA}:
            break
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return ""


def _tiff_variant(data: bytes, error: str, opened: bool) -> str:
    file = BytesIO(data)
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:3] == b"+" else 8])
    file.seek(directory.next)
    directory.load(file)
    compression = directory.get(259, 1)
    if compression not in TiffImagePlugin.COMPRESSION_INFO or "decoder" in error:
        return f"TIFF, compression {compression}"
    bits, samples, number = directory.get(258, (1,))[0], directory.get(277, 1), directory.get(339, (1,))[0]
    if opened or not 0 < bits <= 128:
        return ""
    return f"TIFF, {samples} x {bits} bits {_NUMBERS.get(number, '')}".strip()


_NUMBERS: Final = {2: "int", 3: "float", 5: "complex int", 6: "complex float"}


def _bmp_variant(data: bytes, _error: str, _opened: bool) -> str:
    start = 14 if data[:2] == b"BM" else 0
    size, bits, compression = (
        int.from_bytes(data[start + at : start + at + length], "little") for at, length in ((0, 4), (14, 2), (16, 4))
    )
    if size not in {12, 16, 40, 52, 56, 64, 108, 124}:
        return ""
    if size > 12 and compression > 6:
        return f"BMP, compression {compression}"
    return f"BMP, {bits} bits" if size > 12 and bits not in {0, 1, 4, 8, 16, 24, 32} else ""


def _container_variant(_data: bytes, error: str, _opened: bool) -> str:
    return "HEIF, " + error.strip() if "nsupported" in error else ""


def _psd_variant(data: bytes, _error: str, opened: bool) -> str:
    depth, mode = (int.from_bytes(data[at : at + 2], "big") for at in (22, 24))
    return "" if opened else f"PSD, {depth} bits, mode {mode}"


def _none(_data: bytes, _error: str, _opened: bool) -> str:
    return ""


_UNSUPPORTED: Final[dict[str, Callable[[bytes, str, bool], str]]] = {
    "JPEG": _jpeg_variant,
    "TIFF": _tiff_variant,
    "BMP": _bmp_variant,
    "AVIF": _container_variant,
    "HEIF": _container_variant,
    "DIB": _bmp_variant,
    "PSD": _psd_variant,
}
