"""Bytes of a picture file -> upright RGB image in the colours of sRGB, for the indexer and for uploads alike.

The kind of a file is told by its content, never by its name. Whatever the bytes are, the outcome is a
`DecodedImage`, a `DecodeError` or an `ImageTooLarge`; no warning and no other exception comes out.
"""

import logging
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from models.pictures.colour import find_transform, profile_of_code_points, profile_of_gamma
from models.pictures.ends import boxes_end_early, reason
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.extra_formats import Developed, develop
from models.pictures.formats import HEAD, say_video
from models.pictures.frames import gif_can_be_cleared, is_animated, load_telling_frame
from models.pictures.limits import DecodeLimits, check_bytes, check_pixels
from models.pictures.metadata import Metadata, read_metadata
from models.pictures.openers import format_of, open_picture, opener_of, silence
from models.pictures.pixels import has_16_bits, read_fine, to_rgb
from models.pictures.repair import Repaired, repairs
from models.pictures.samples import colours_of_16_bits, from_numbers
from models.pictures.tiff_numbers import read_numbers

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A picture, upright, in RGB, and possibly smaller than it is stored."""

    image: Image.Image  # mode RGB, without metadata; an orientation that `exif` names has been applied to it
    width: int  # of the upright original, pixels
    height: int
    format: str  # jpeg | png | webp | gif | bmp | tiff | heif | avif
    exif: Image.Exif  # empty when absent or unreadable; a damaged value may still raise when it is read
    metadata: Metadata = field(default_factory=Metadata)
    dropped: tuple[str, ...] = ()  # parts of the file beside the pixels that had to be passed over, by their names
    partial: bool = False  # whether the file breaks off: then `image` is what there is of it
    duration_ms: int | None = None  # of a video, of which `image` is the cover


_DEFAULT_LIMITS: Final = DecodeLimits()
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
_LEAST_SHARE: Final = 0.5  # of the rows of a file that breaks off


def decode_image(
    data: bytes, *, short_side: int, long_side: int = 0, spare: int = 1, limits: DecodeLimits = _DEFAULT_LIMITS
) -> DecodedImage:
    """Return a picture file, upright, in sRGB, on white where it is transparent; one frame of an animation.

    It is reduced as far as its short side stays >= `short_side` and its long side >= `long_side`, in pixels; a picture
    that is smaller than that keeps its size. `short_side` may be `spare` times what is needed, for a finer resize:
    where colours have to be converted, which costs by the pixel, the picture is reduced to what is needed.

    Raises DecodeError (empty_file, not_an_image, truncated, corrupt, unsupported, out_of_memory) or ImageTooLarge
    (too_many_bytes, too_many_pixels).
    """
    if not data:
        raise DecodeError("empty_file")
    check_bytes(len(data), limits)
    silence()
    sides = Sides(short_side, long_side, spare)
    try:
        developed = develop(data, limits)
        if developed is not None:
            return _of_developed(developed, data, sides, limits)
        return _decode(Repaired(data=data), sides, limits)
    except DecodeError:
        raise
    except Exception as error:  # the per-image guard: hostile bytes raise every kind of exception
        logger.debug("a picture of %d bytes could not be decoded", len(data), exc_info=True)
        return _decode_repaired(data, sides, limits, error)


def may_look_new(data: bytes) -> bool:
    """Say whether a picture may look otherwise than it did to version 1 of DECODING. Nothing is decoded."""
    silence()
    try:
        image = open_picture(embedded(data))
        if image.mode.startswith(("I", "F")) or (image.format == "BMP" and image.mode == "RGBA"):
            return True
        if image.mode != "CMYK" and find_transform(find_profile(image, data), image.mode) is not None:
            return True
        return has_16_bits(image, data) or is_animated(image) or (image.format == "GIF" and gif_can_be_cleared(data))
    except Exception:  # part of the per-image guard
        logger.debug("a picture of %d bytes could not be looked at", len(data), exc_info=True)
        return True


def _decode_repaired(data: bytes, sides: "Sides", limits: DecodeLimits, error: Exception) -> DecodedImage:
    """Decode what can be had of a file that raised `error`, else say what is wrong with it."""
    if not isinstance(error, MemoryError):
        # A JPEG may have junk right behind its first marker.
        for repaired in repairs(data, opener_of(data) or ("JPEG" if data[:2] == b"\xff\xd8" else None)):
            try:
                return _decode(repaired, sides, limits)
            except ImageTooLarge:
                raise
            except Exception:  # as above
                logger.debug("a repaired picture of %d bytes could not be decoded", len(data), exc_info=True)
    why, detail = reason(error, data)
    if why in {"not_an_image", "unsupported"} and say_video(data[:HEAD]):
        raise DecodeError("is_a_video") from error
    try:
        if why == "unsupported" and (numbers := read_numbers(data, limits)) is not None:
            return _of_numbers(numbers, data, sides)
    except MemoryError as short:
        raise DecodeError("out_of_memory") from short
    raise DecodeError(why, detail) from error


def _of_developed(developed: Developed, data: bytes, sides: "Sides", limits: DecodeLimits) -> DecodedImage:
    """Return the picture that a package of the extra `formats` made of a file."""
    exif = _exif_of(data)
    if developed.pixels is None:
        shown = _decode(Repaired(data=developed.preview), sides, limits)
        image = shown.image
        if _ORIENTATION not in shown.exif and developed.orientation in _UPRIGHT:
            image = image.transpose(_UPRIGHT[developed.orientation])
        exif = exif or shown.exif
    else:
        pixels = developed.pixels
        full = colours_of_16_bits(pixels) if pixels.dtype == np.uint16 else Image.fromarray(pixels)
        image = to_rgb(full, sides.factor(full.size, spared=False), None, data)
    width, height = developed.size
    return DecodedImage(image=image, width=width, height=height, format=developed.format, exif=exif)


def _exif_of(data: bytes) -> Image.Exif:
    """Return the tags of a camera file that is built as a TIFF; empty for any other."""
    try:
        exif = Image.Exif()
        exif.load(data if data[:2] in (b"II", b"MM") else b"")
        return exif
    except Exception:  # part of the per-image guard
        logger.debug("the tags of a camera file could not be read", exc_info=True)
        return Image.Exif()


def _of_numbers(numbers: NDArray[Any], data: bytes, sides: "Sides") -> DecodedImage:
    """Return the picture that a TIFF of other numbers than Pillow reads makes."""
    image = from_numbers(numbers).convert("RGB")
    factor = sides.factor(image.size, spared=False)
    image = image.reduce(factor) if factor > 1 else image
    height, width = numbers.shape[:2]
    exif = _exif_of(data)
    turn = exif.get(_ORIENTATION)
    if turn in _UPRIGHT:
        image = image.transpose(_UPRIGHT[turn])
        width, height = (height, width) if turn >= 5 else (width, height)
    return DecodedImage(image=image, width=width, height=height, format="tiff", exif=exif)


@dataclass(frozen=True, slots=True)
class Sides:
    """How large a picture has to stay, in pixels; see `decode_image`."""

    short: int
    long: int
    spare: int

    def factor(self, size: tuple[int, int], *, spared: bool) -> int:
        """Return the largest whole factor by which `size` may be divided; at least 1."""
        short = self.short // self.spare if spared else self.short
        return max(1, min(min(size) // max(short, 1), max(size) // max(self.long, 1)))


def _decode(repaired: Repaired, sides: Sides, limits: DecodeLimits) -> DecodedImage:
    """Do the work of `decode_image`, raising whatever the decoders raise."""
    data = embedded(repaired.data)
    image, _ = open_checked(data, limits)
    width, height = image.size
    exif = None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        exif = _read_exif(image, _EXIF_DIRECTORIES)  # not later: loading would fail on a broken one
    if image.format == "HEIF" and boxes_end_early(data):
        raise DecodeError("truncated")  # its decoder would show what there is, and grey below
    profile = find_profile(image, data)
    spared = sides.spare > 1 and find_transform(profile, image.mode) is not None
    scale = draft(image, sides.factor(image.size, spared=spared))
    pixels = _load(image, data, limits)
    if image.format == "TIFF":
        width, height = image.size  # loading turns it upright
    if exif is None:
        exif = _read_exif(image)  # not earlier: a PNG may have it behind the pixels
    partial = False
    if repaired.cut:
        pixels, partial = _cut(pixels, repaired.share, end=max(2, 16 // scale))
        partial |= "progressive" in image.info
    rgb = to_rgb(pixels, sides.factor(pixels.size, spared=spared), profile, data)
    orientation = exif.get(_ORIENTATION)
    if isinstance(orientation, int) and orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
        if orientation >= 5:
            width, height = height, width
    # Metadata left here would be used again: the orientation by exif_transpose, the rest by save.
    rgb.info.clear()
    return DecodedImage(
        image=rgb,
        width=width,
        height=height,
        format="bmp" if data is not repaired.data else format_of(image),
        exif=exif,
        metadata=read_metadata(image),
        dropped=repaired.dropped,
        partial=partial,
    )


def open_checked(data: bytes, limits: DecodeLimits) -> tuple[ImageFile.ImageFile, int]:
    """Return an opened picture of which nothing is decoded, and the most pixels that decoding it holds at once.

    Whatever its parts claim for themselves is looked at before any memory is set aside for it. Raises ImageTooLarge
    (too_many_pixels) and what the decoders raise.
    """
    sizes = [webp_canvas(data), *_icon_sizes(data)]
    for size in sizes:
        check_pixels(size, limits)
    image = open_picture(data)
    sizes.append(image.size)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        match image.tag_v2.get(322), image.tag_v2.get(323):
            case int(tile_width), int(tile_height):  # held in memory whole, however small the picture is
                sizes.append((tile_width, tile_height))
    for size in sizes:
        check_pixels(size, limits)
    return image, max(width * height for width, height in sizes)


def draft(image: ImageFile.ImageFile, factor: int) -> int:
    """Let a JPEG be decoded smaller, which costs far less than reducing afterwards; return by how much."""
    scale = next((scale for scale in (8, 4, 2) if scale <= factor), 1)
    if image.format == "JPEG2000":
        image.reduce = min(3, max(factor, 1).bit_length() - 1)  # type: ignore[method-assign, assignment]
    if image.format not in {"JPEG", "MPO"} or scale == 1:
        return 1
    image.draft(None, (image.width // scale, image.height // scale))
    return scale


def _load(image: ImageFile.ImageFile, data: bytes, limits: DecodeLimits) -> Image.Image:
    """Load an opened picture, and return what is to be seen of it."""
    if image.format == "GIF" and gif_can_be_cleared(data):
        image = Image.open(BytesIO(data), formats=("GIF",))
    if is_animated(image):
        return load_telling_frame(image, limits)
    try:
        image.load()
    except OSError:
        if image.format != "JPEG2000":
            raise
        image = open_picture(data)  # it has fewer sizes in it than were asked for
        image.load()
    return read_fine(image, data)


_WHOLE_PICTURES: Final = (b"\4\0\0\0", b"\5\0\0\0")  # as compressions of a BMP: JPEG and PNG


def embedded(data: bytes) -> bytes:
    """Return the JPEG or PNG that a BMP may hold in the place of pixels, else the file itself."""
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") >= 40 and data[30:34] in _WHOLE_PICTURES:
        return data[int.from_bytes(data[10:14], "little") :]
    return data


def webp_canvas(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP header claims, else zeros: opening the file sets that memory aside."""
    if not data.startswith(b"RIFF") or data[8:12] != b"WEBP" or len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _icon_sizes(data: bytes) -> list[tuple[int, int]]:
    """Width and height that each picture of an icon claims for itself, whatever the list of them says."""
    if data[:4] not in {b"\0\0\1\0", b"\0\0\2\0"}:
        return []
    sizes = []
    for entry in range(6, 6 + 16 * min(int.from_bytes(data[4:6], "little"), 1_000), 16):
        start = int.from_bytes(data[entry + 12 : entry + 16], "little")
        is_png = data[start : start + 4] == b"\x89PNG"
        at = start + (16 if is_png else 4)
        order: Literal["big", "little"] = "big" if is_png else "little"
        sizes.append((int.from_bytes(data[at : at + 4], order), int.from_bytes(data[at + 4 : at + 8], order)))
    return sizes


def _read_exif(image: Image.Image, directories: tuple[int, ...] = ()) -> Image.Exif:
    """Read the EXIF block, and take those `directories` out of it that cannot be read."""
    xmp: dict[str | tuple[int, int], Any] = {}
    for name in ("xmp", "XML:com.adobe.xmp"):
        if name in image.info:
            xmp[name] = image.info.pop(name)
    try:
        exif = image.getexif()  # which would take an orientation from XMP, as browsers do not
        exif.get(_ORIENTATION)
    except Exception:  # part of the per-image guard: a picture does without its EXIF
        logger.debug("an EXIF block could not be read", exc_info=True)
        return Image.Exif()
    finally:
        image.info.update(xmp)
    for directory in directories:
        try:
            if directory in exif:
                exif.get_ifd(directory)
        except Exception:  # as above
            logger.debug("EXIF directory %#x could not be read", directory, exc_info=True)
            del exif[directory]
    return exif


def find_profile(image: ImageFile.ImageFile, data: bytes) -> bytes | None:
    """Return the colour profile of an opened picture: its own, or one that means what its file says otherwise."""
    profile = image.info.get("icc_profile")
    if image.format == "PNG":
        at = data.find(b"cICP", 33, data.find(b"IDAT", 33))
        if at >= 0:
            return profile_of_code_points(data[at + 4], data[at + 5])
        gamma = image.info.get("gamma")
        if profile is None and "srgb" not in image.info and isinstance(gamma, float):
            return profile_of_gamma(gamma, image.info.get("chromaticity"))
    if image.format in {"AVIF", "HEIF"} and profile is None:
        at = data.find(b"colrnclx", 0, 64 * 1024)
        if at >= 0:
            return profile_of_code_points(*(int.from_bytes(data[at + 8 + i : at + 10 + i], "big") for i in (0, 2)))
    return profile if isinstance(profile, bytes) else None


def _cut(image: Image.Image, share: float | None, *, end: int) -> tuple[Image.Image, bool]:
    """Return the rows that there are of a picture that breaks off, and whether some are missing.

    Of a JPEG the rest is even grey: rows of it at the bottom, or `end` pixels of it in the last row, are missing.
    Raises DecodeError (truncated) where fewer than half are there.
    """
    if share is None:
        values = np.asarray(image).reshape(image.height, image.width, -1).astype(np.int16)
        missing: NDArray[np.bool_] = np.all(np.abs(values - 128) <= 1, axis=2)
        there = np.flatnonzero(~missing.all(axis=1))
        rows = int(there[-1]) + 1 if len(there) else 0
        partial = rows < image.height or bool(missing[-1, -end:].all())
    else:
        rows = round(share * image.height)
        partial = rows < image.height
    if rows < _LEAST_SHARE * image.height:
        raise DecodeError("truncated")
    return image.crop((0, 0, image.width, rows)) if rows < image.height else image, partial
