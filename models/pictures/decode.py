"""Bytes of a picture file -> upright RGB image, for the indexer and for uploads alike.

The kind of a file is told by its content, never by its name. Whatever the bytes are, the outcome is a
`DecodedImage`, a `DecodeError` or an `ImageTooLarge`; no warning and no other exception comes out.
"""

import errno
import logging
import os
import re
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, GifImagePlugin, Image, ImageCms, ImageFile, TiffImagePlugin, WebPImagePlugin

from models.pictures.errors import DecodeError, ImageTooLarge

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A picture, upright, in RGB, and possibly smaller than it is stored."""

    image: Image.Image  # mode RGB, without metadata; an orientation that `exif` names has been applied to it
    width: int  # of the upright original, pixels
    height: int
    format: str  # jpeg | png | webp | gif | bmp | tiff | heif | avif
    exif: Image.Exif  # empty when absent or unreadable; a damaged value may still raise when it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """The largest picture that is accepted."""

    max_pixels: int = 200_000_000
    max_bytes: int = 512 * 1024 * 1024


_DEFAULT_LIMITS: Final = DecodeLimits()
_OS_REASONS: Final = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ELOOP), "not_found"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "permission_denied"),
}


def read_image_file(
    path: Path, limits: DecodeLimits = _DEFAULT_LIMITS, *, part: tuple[int, int] | None = None
) -> bytes:
    """Return the bytes of a regular file, links followed; never wait for a writer or a device.

    With `part`, only so many of them: the offset of the first, and their number, of which none may be missing.

    Raises DecodeError (empty_file, truncated, not_a_regular_file, not_found, permission_denied, io_error) or
    ImageTooLarge (too_many_bytes).
    """
    try:
        # Before, because opening a device may set it going; and after, because the file may be another now.
        _check_regular(path.stat())
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            _check_regular(status)
            if part is not None:
                return _read_part(file, *part, limits)
            _check_bytes(status.st_size, limits)
            data = file.read(status.st_size + 1)
    except OSError as error:
        raise DecodeError(_OS_REASONS.get(error.errno or 0, "io_error"), error.strerror or "") from error
    except ValueError as error:  # a NUL in the path
        raise DecodeError("not_found") from error
    if not data:
        raise DecodeError("empty_file")
    _check_bytes(len(data), limits)  # it may have grown
    return data


def _read_part(file: BinaryIO, offset: int, size: int, limits: DecodeLimits) -> bytes:
    _check_bytes(size, limits)
    file.seek(offset)
    data = file.read(size)
    if len(data) < size or not size:
        raise DecodeError("truncated" if size else "empty_file")
    return data


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kinds = {"p": "FIFO", "s": "socket", "d": "directory"}
        raise DecodeError("not_a_regular_file", kinds.get(stat.filemode(status.st_mode)[0], "device"))


def _check_bytes(size: int, limits: DecodeLimits) -> None:
    if size > limits.max_bytes:
        raise ImageTooLarge("too_many_bytes", f"{size / 2**20:.1f} MiB, limit {limits.max_bytes / 2**20:g}")


class _FirstFrameGif(GifImagePlugin.GifImageFile):
    """A GIF of which only the first frame is shown, so that nothing has to be cleared after it."""

    # Pillow prepares that while opening the file, up to 4 GB of it, before its size can be looked at.
    @property
    def disposal_method(self) -> int:
        return 0

    @disposal_method.setter
    def disposal_method(self, value: int) -> None:
        pass


_FIRST_FRAME_GIF: Final = "GIF-FIRST-FRAME"
Image.register_open(_FIRST_FRAME_GIF, _FirstFrameGif, Image.OPEN["GIF"][1])
# One thread a picture: many pictures are decoded side by side, in worker processes or request threads.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# AVIF goes before HEIF: both claim the container brand "mif1", and the AVIF plugin turns down what is not
# its own. DIB is a BMP without its first 14 bytes; it has the weakest signature, so it goes last.
# All are registered here: for one that is not, Pillow would load every plugin it has.
_WEBP: Final = WebPImagePlugin.WebPImageFile.format
_OPENERS: Final = ("JPEG", "PNG", _WEBP, _FIRST_FRAME_GIF, "TIFF", "BMP", "AVIF", "HEIF", "DIB")
_FORMATS: Final = {"MPO": "jpeg", "DIB": "bmp"}  # the others have Pillow's name in lower case

# Pillow's own limit raises at 179 megapixels whatever the caller allows, and warns at half of that.
# `_check_pixels` takes its place: per call, exact, and before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

# Pixel memory that is freed and taken again for every picture costs a tenth of a decode in page faults.
Image.core.set_blocks_max(8)  # type: ignore[attr-defined]

# What Pillow has to say of odd files is said by DecodeError, once.
logging.getLogger("PIL").setLevel(logging.CRITICAL)
_QUIET: Final = ("ignore", None, Warning, re.compile(r"(PIL|pillow_heif)\."), 0)

_ORIENTATION: Final = 0x0112
_EXIF_DIRECTORIES: Final = (0x8769, 0x8825, 0xA005)  # Exif, GPS, interoperability
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(
    data: bytes, *, short_side: int, long_side: int = 0, limits: DecodeLimits = _DEFAULT_LIMITS
) -> DecodedImage:
    """Return the first frame of a picture file, upright, in RGB, on white where it is transparent.

    It is reduced as far as its short side stays >= `short_side` and its long side >= `long_side`, in
    pixels; a picture that is smaller than that keeps its size.

    Raises DecodeError (empty_file, not_an_image, truncated, corrupt, out_of_memory) or ImageTooLarge
    (too_many_bytes, too_many_pixels).
    """
    if not data:
        raise DecodeError("empty_file")
    _check_bytes(len(data), limits)
    if not warnings.filters or warnings.filters[0] != _QUIET:
        # Put back whenever another filter came before it: `catch_warnings` is slow, and unsafe in threads.
        warnings.filterwarnings("ignore", module=_QUIET[3].pattern)
    try:
        return _decode(data, short_side, long_side, limits)
    except DecodeError:
        raise
    except Exception as error:  # the per-image guard: hostile bytes raise every kind of exception
        logger.debug("a picture of %d bytes could not be decoded", len(data), exc_info=True)
        raise DecodeError(_reason(error, data)) from error


def _decode(data: bytes, short_side: int, long_side: int, limits: DecodeLimits) -> DecodedImage:
    """Do the work of `decode_image`, raising whatever the decoders raise."""
    _check_pixels(_webp_canvas(data), limits)
    image = _open(data)
    _check_pixels(image.size, limits)
    width, height = image.size
    exif = None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        match image.tag_v2.get(322), image.tag_v2.get(323):
            case int(tile_width), int(tile_height):  # held in memory whole, however small the picture is
                _check_pixels((tile_width, tile_height), limits)
        exif = _read_exif(image, _EXIF_DIRECTORIES)  # not later: loading would fail on a broken one
    if image.format == "HEIF" and _boxes_end_early(data):
        raise DecodeError("truncated")  # its decoder would show what there is, and grey below
    if image.format in {"JPEG", "MPO"}:
        # Decoding at 1/8, 1/4 or 1/2 costs far less than reducing afterwards.
        factor = _box_factor(image.size, short_side, long_side)
        scale = next((scale for scale in (8, 4, 2) if scale <= factor), 1)
        image.draft(None, (width // scale, height // scale))
        image.load()
    else:
        image.load()
        width, height = image.size  # loading turns a TIFF upright
    if exif is None:
        exif = _read_exif(image)  # not earlier: a PNG may have it behind the pixels
    rgb = _to_rgb(image, _box_factor(image.size, short_side, long_side), data)
    orientation = exif.get(_ORIENTATION)
    if isinstance(orientation, int) and orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
        if orientation >= 5:
            width, height = height, width
    # Metadata left here would be used again: the orientation by exif_transpose, the rest by save.
    rgb.info.clear()
    kind = _FORMATS.get(str(image.format), str(image.format).lower())
    return DecodedImage(image=rgb, width=width, height=height, format=kind, exif=exif)


def _check_pixels(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        pixels, limit = width * height / 1e6, limits.max_pixels / 1e6
        shown = f"{pixels:.0f}" if pixels >= limit + 1 else f"{pixels:g}"  # never "200 megapixels, limit 200"
        raise ImageTooLarge("too_many_pixels", f"{width} x {height} = {shown} megapixels, limit {limit:g}")


def _webp_canvas(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP header claims, else zeros: opening the file sets that memory aside."""
    if not data.startswith(b"RIFF") or data[8:12] != b"WEBP" or len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        return Image.open(BytesIO(data), formats=_OPENERS)
    except Exception:
        # Some plugins give a picture up for a broken EXIF or multi-picture block. Renamed, it is passed over.
        head = data[: 256 * 1024]
        renamed = head.replace(b"Exif", b"exif").replace(b"MPF\0", b"mpf\0")
        if renamed == head:
            raise
        return Image.open(BytesIO(renamed + data[len(head) :]), formats=_OPENERS)


def _read_exif(image: Image.Image, directories: tuple[int, ...] = ()) -> Image.Exif:
    """Read the EXIF block, and take those `directories` out of it that cannot be read."""
    try:
        exif = image.getexif()
        exif.get(_ORIENTATION)
    except Exception:  # part of the per-image guard: a picture does without its EXIF
        logger.debug("an EXIF block could not be read", exc_info=True)
        return Image.Exif()
    for directory in directories:
        try:
            if directory in exif:
                exif.get_ifd(directory)
        except Exception:  # as above
            logger.debug("EXIF directory %#x could not be read", directory, exc_info=True)
            del exif[directory]
    return exif


def _box_factor(size: tuple[int, int], short_side: int, long_side: int) -> int:
    """Return the largest whole factor by which `size` may be divided and keep both sides; at least 1."""
    return max(1, min(min(size) // max(short_side, 1), max(size) // max(long_side, 1)))


def _to_rgb(image: Image.Image, factor: int, data: bytes) -> Image.Image:
    """Reduce a loaded image by `factor` and convert it to RGB, in the cheapest order that is right."""
    if image.mode.startswith("I;16"):
        image = _from_16_bit(image)
    elif image.mode in {"I", "F"}:
        image = _from_32_bit(image)
    elif image.has_transparency_data:
        return _on_white(image, factor, data)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in {"P", "HSV"}:  # neither an index nor a hue can be averaged
        image = image.convert("RGB")
    if factor > 1:
        image = image.reduce(factor)
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.mode == "RGB" and not isinstance(image, ImageFile.ImageFile):
        return image
    return image.convert("RGB")  # a copy even of an RGB file, which would hold on to its bytes and decoder


def _on_white(image: Image.Image, factor: int, data: bytes) -> Image.Image:
    """Reduce an image that has transparency of any kind, and lay it on white."""
    if image.format == "PNG" and image.mode in {"L", "RGB"}:
        image.info["transparency"] = _png_transparency(image.info["transparency"], depth=data[24])
    if image.mode not in {"RGBA", "RGBa", "LA", "La"}:
        image = image.convert("RGBA")
    if factor > 1:
        image = image.reduce(factor)  # Pillow weighs colours by their alpha here
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba)
    return white


def _png_transparency(value: int | tuple[int, ...], *, depth: int) -> int | tuple[int, ...]:
    """Scale a PNG's transparent colour to 8 bits: Pillow scales the pixels, and leaves this as stored."""
    if isinstance(value, tuple):
        return tuple(sample >> 8 if depth == 16 else sample & 0xFF for sample in value)
    white = (1 << depth) - 1
    return (value & white) * 255 // white


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Convert 16-bit grey to 8 bits by its high byte, its transparent value to white."""
    values = np.asarray(image)
    is_12_bit = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(258) == (12,)
    grey = (values >> (4 if is_12_bit else 8)).astype(np.uint8)  # 12 bits come in this mode, unscaled
    if "transparency" in image.info:
        grey[values == image.info["transparency"]] = 255
    return Image.fromarray(grey)


def _from_32_bit(image: Image.Image) -> Image.Image:
    """Convert 32-bit grey to 8 bits: integers in 0..255 and floats in 0..1 as such, others from min to max.

    Not-a-number becomes black, an infinity the end of the range on its side.
    """
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    natural = 255.0 if image.mode == "I" else 1.0
    if low >= 0.0 and high <= natural:
        low, high = 0.0, natural
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, 2**20 // values.shape[1])
    for top in range(0, values.shape[0], rows):  # by bands: a whole picture in float64 may be gigabytes
        band = values[top : top + rows].astype(np.float64)
        np.nan_to_num(band, copy=False, nan=low, posinf=high, neginf=low)
        grey[top : top + rows] = np.rint((band - low) * 255.0 / ((high - low) or 1.0))
    return Image.fromarray(grey)


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Convert CMYK to RGB through the profile of its inks where there is a usable one."""
    if profile := image.info.get("icc_profile"):
        try:
            inks = ImageCms.ImageCmsProfile(BytesIO(profile))
            return ImageCms.buildTransform(inks, ImageCms.createProfile("sRGB"), "CMYK", "RGB").apply(image)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            logger.debug("the ink profile of a CMYK picture could not be used", exc_info=True)
    return image.convert("RGB")


def _reason(error: Exception, data: bytes) -> str:
    """Tell why `data` could not be decoded: a key of DECODE_REASONS."""
    if isinstance(error, MemoryError):
        return "out_of_memory"
    prefix = data[:16].ljust(16, b"\0")
    kind = next((name for name in _OPENERS if (accept := Image.OPEN[name][1]) and accept(prefix)), None)
    if kind is None:
        return "not_an_image"
    try:
        cut = "truncated" in str(error) or _ENDS_EARLY[kind](data)
    except Exception:  # part of the per-image guard: the structure itself leads nowhere
        logger.debug("the end of a picture file could not be found", exc_info=True)
        cut = len(data) < 16
    return "truncated" if cut else "corrupt"


def _tiff_ends_early(data: bytes) -> bool:
    """Tell whether the directory of a TIFF, or a strip or tile of its first page, lies behind its end."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:3] == b"+" else 8])
    start = directory.next
    file = BytesIO(data)
    file.seek(start)
    directory.load(file)
    if directory.next == start:  # it could not be read to its end
        return True
    offsets, sizes = (directory.get(strip) or directory[tile] for strip, tile in ((273, 324), (279, 325)))
    return max(map(sum, zip(offsets, sizes, strict=False))) > len(data)


def _boxes_end_early(data: bytes) -> bool:
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


# Opener -> whether a file lacks the end that its own structure asks for.
_ENDS_EARLY: Final[dict[str, Callable[[bytes], bool]]] = {
    "JPEG": lambda data: b"\xff\xd9" not in data,
    "PNG": lambda data: b"IEND" not in data,
    "WEBP": lambda data: len(data) < int.from_bytes(data[4:8], "little") + 8,
    _FIRST_FRAME_GIF: lambda data: not data.rstrip(b"\0").endswith(b";"),
    "TIFF": _tiff_ends_early,
    "BMP": lambda data: len(data) < max(int.from_bytes(data[2:6], "little"), 54),
    "AVIF": _boxes_end_early,
    "HEIF": _boxes_end_early,
    "DIB": lambda data: len(data) < int.from_bytes(data[:4], "little"),
}
