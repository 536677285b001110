"""What a worker process is asked, and what it answers.

The service writes pickled jobs. A worker, which handles what strangers send, answers in JSON and bytes alone: nothing
that it says is run.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from api.search.errors import CropOutside
from api.search.pictures import PictureToDecode
from indexer.library.errors import UnknownSource
from models.pictures.errors import DECODE_REASONS, DecodeError, ImageTooLarge


class DecodeTask(StrEnum):
    """What is wanted of a picture."""

    COST = "cost"
    PIXELS = "pixels"
    THUMBNAIL = "thumbnail"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob:
    """A picture, what is wanted of it, and how many bytes more than it has a worker may take for it.

    A thumbnail is WebP within a square of `side` pixels.
    """

    task: DecodeTask
    asked: PictureToDecode
    grant_bytes: int
    side: int = 0


def describe_error(error: DecodeError | UnknownSource | CropOutside) -> dict[str, Any]:
    """Return an error as JSON holds it."""
    match error:
        case DecodeError():
            return {"error": type(error).__name__, "reason": error.reason, "detail": error.detail}
        case CropOutside():
            return {"error": "CropOutside", "width": error.width, "height": error.height}
        case _:
            return {"error": "UnknownSource"}


def restore_error(said: dict[str, Any]) -> DecodeError | CropOutside:
    """Return the error that a worker described; one that makes no sense is a crash."""
    match said:
        case {"error": "CropOutside", "width": int(width), "height": int(height)}:
            return CropOutside(width, height)
        case {"error": "UnknownSource"}:
            return DecodeError("not_found")
        case {"error": kind, "reason": str(reason), "detail": str(detail)} if reason in DECODE_REASONS:
            return ImageTooLarge(reason, detail) if kind == "ImageTooLarge" else DecodeError(reason, detail)
    return DecodeError("crashed")
