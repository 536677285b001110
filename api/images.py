"""A picture as a caller has it -> the bytes of a picture file."""

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from models.pictures.errors import DecodeError

if TYPE_CHECKING:
    from PIL.Image import Image

ImageInput: TypeAlias = "str | os.PathLike[str] | bytes | Image"  # a file, what is in one, or pixels

_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def read_image(image: ImageInput) -> bytes:
    """Return the bytes of a picture file: of the one at a path, those given, or pixels as PNG. Raises DecodeError."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, (str, os.PathLike)):
        return _read_file(Path(image))
    buffer = BytesIO()
    (image if image.mode in _PNG_MODES else image.convert("RGB")).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DecodeError("not_found", name=str(path)) from error
    except PermissionError as error:
        raise DecodeError("permission_denied", name=str(path)) from error
    except (OSError, ValueError) as error:  # the second: a NUL in the path
        raise DecodeError("io_error", getattr(error, "strerror", None) or str(error), name=str(path)) from error
