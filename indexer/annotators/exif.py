"""What a picture's EXIF block says of the moment it was taken."""

import re
import struct
from dataclasses import dataclass
from datetime import datetime

from PIL import ExifTags, Image

_WHEN = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized, ExifTags.Base.DateTime)
_DAMAGE = (KeyError, IndexError, OSError, OverflowError, SyntaxError, TypeError, ValueError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exif:
    """`taken_at` is ISO 8601 without a zone, as the camera's clock; None for what is not said."""

    taken_at: str | None = None
    camera: str | None = None
    has_gps: bool = False


def read_exif(exif: Image.Exif) -> Exif:
    """Return the facts in `exif`. A damaged block gives what can be read of it, never an error."""
    try:
        tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except _DAMAGE:
        return Exif()
    return Exif(
        taken_at=next(filter(None, (_moment(tags.get(tag)) for tag in _WHEN)), None),
        camera=_camera(_words(tags.get(ExifTags.Base.Make)), _words(tags.get(ExifTags.Base.Model))),
        has_gps=ExifTags.GPS.GPSLatitude in gps and ExifTags.GPS.GPSLongitude in gps,
    )


def _moment(value: object) -> str | None:
    digits = re.match(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)", _words(value))
    if not digits:
        return None
    try:
        moment = datetime(*map(int, digits.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    return moment.isoformat() if moment.year > 1800 else None


def _words(value: object) -> str:
    """Return a tag's text on one line, at most 100 characters."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value.split("\0")[0]).split())[:100]


def _camera(make: str, model: str) -> str | None:
    """Join maker and model without saying the maker twice ("Canon", "Canon EOS R5")."""
    if not make or model.lower().startswith(make.lower().split()[0]):
        return model or None
    return f"{make} {model}".strip()
