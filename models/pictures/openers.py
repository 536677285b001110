"""Which decoders there are, and which of them takes a file: told by its content, never by its name."""

import logging
import re
import warnings
from io import BytesIO
from typing import Final

import pillow_heif
from PIL import (
    AvifImagePlugin,
    CurImagePlugin,  # noqa: F401 - these are registered by being imported
    GifImagePlugin,
    IcoImagePlugin,  # noqa: F401
    Image,
    ImageFile,
    Jpeg2KImagePlugin,  # noqa: F401
    PsdImagePlugin,  # noqa: F401
    TgaImagePlugin,
    WebPImagePlugin,
)


class _FirstFrameGif(GifImagePlugin.GifImageFile):
    """A GIF of which only the first frame is shown, so that nothing has to be cleared after it."""

    # Pillow prepares that while opening the file, up to 4 GB of it, before its size can be looked at.
    @property
    def disposal_method(self) -> int:
        return 0

    @disposal_method.setter
    def disposal_method(self, value: int) -> None:
        pass


FIRST_FRAME_GIF: Final = "GIF-FIRST-FRAME"
Image.register_open(FIRST_FRAME_GIF, _FirstFrameGif, Image.OPEN["GIF"][1])
# One thread a picture: many pictures are decoded side by side, in worker processes or request threads.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def _accept_tga(prefix: bytes) -> bool:
    """Say whether a file may be a Targa, which has no signature: by what its header may hold."""
    kind, mapped = prefix[2] & 7, prefix[1]
    if prefix[2] not in {1, 2, 3, 9, 10, 11} or mapped != (kind == 1) or not (mapped or prefix[3:8] == bytes(5)):
        return False
    return prefix[12:14] != b"\0\0" and prefix[14:16] != b"\0\0"


Image.register_open(TgaImagePlugin.TgaImageFile.format, TgaImagePlugin.TgaImageFile, _accept_tga)

# AVIF goes before HEIF: both claim the container brand "mif1", and the AVIF plugin turns down what is not
# its own. DIB is a BMP without its first 14 bytes; it and TGA have the weakest signatures, so they go last.
# All are registered here: for one that is not, Pillow would load every plugin it has.
_WEBP: Final = WebPImagePlugin.WebPImageFile.format
_LAST: Final = ("JPEG2000", "PSD", "ICO", "CUR", "DIB", "TGA")
OPENERS: Final = ("JPEG", "PNG", _WEBP, FIRST_FRAME_GIF, "TIFF", "BMP", "AVIF", "HEIF", *_LAST)
# The others have Pillow's name in lower case.
_FORMATS: Final = {"MPO": "jpeg", "DIB": "bmp", "CUR": "ico", "JPEG2000": "jp2"}

# Pillow's own limit raises at 179 megapixels whatever the caller allows, and warns at half of that.
# `check_pixels` takes its place: per call, exact, and before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

# Pixel memory that is freed and taken again for every picture costs a tenth of a decode in page faults.
Image.core.set_blocks_max(8)  # type: ignore[attr-defined]

# What Pillow has to say of odd files is said by DecodeError, once.
logging.getLogger("PIL").setLevel(logging.CRITICAL)
_QUIET: Final = ("ignore", None, Warning, re.compile(r"(PIL|pillow_heif)\."), 0)


def open_picture(data: bytes) -> ImageFile.ImageFile:
    """Return a picture of which only the header has been read. Raises whatever the decoders raise."""
    return Image.open(BytesIO(data), formats=OPENERS)


def format_of(image: Image.Image) -> str:
    """Return the name of an opened picture's format, as the catalog keeps it."""
    return _FORMATS.get(str(image.format), str(image.format).lower())


def opener_of(data: bytes) -> str | None:
    """Return which of OPENERS takes a file for its own, by its first bytes."""
    prefix = data[:16].ljust(16, b"\0")
    return next((name for name in OPENERS if (accept := Image.OPEN[name][1]) and accept(prefix)), None)


def silence() -> None:
    """Keep the decoders' warnings from being shown, whatever filters of warnings were set since."""
    if not warnings.filters or warnings.filters[0] != _QUIET:
        # Put back whenever another filter came before it: `catch_warnings` is slow, and unsafe in threads.
        warnings.filterwarnings("ignore", module=_QUIET[3].pattern)
