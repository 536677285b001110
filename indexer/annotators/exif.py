"""What a picture's EXIF block says of it: when, with which camera, and whether where."""

import struct
from collections.abc import Sequence

from PIL import ExifTags, Image

from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values
from models.foundation.messages import mark
from models.foundation.moments import read_moment

_WHEN = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized, ExifTags.Base.DateTime)
_DAMAGE = (KeyError, IndexError, OSError, OverflowError, SyntaxError, TypeError, ValueError, struct.error)


class ExifAnnotator:
    """Reads when a picture was taken (the camera's clock), with which camera, and whether its place is recorded."""

    name = "exif"
    version = 2
    needs: Needs = "bytes"
    fields = (
        Field(name="taken", type=FieldType.MOMENT, label=mark("Taken"), filterable=True, faceted=True),
        Field(name="camera", type=FieldType.TEXT, label=mark("Camera")),
        Field(name="has_gps", type=FieldType.FLAG, label=mark("Place recorded")),
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the facts of each EXIF block. A damaged one gives what can be read of it, never an error."""
        return [_read(picture.exif) for picture in batch]


def _read(exif: Image.Exif) -> Values:
    try:
        tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except _DAMAGE:
        return {"has_gps": False}
    return {
        "taken": next(filter(None, (_moment(tags.get(tag)) for tag in _WHEN)), None),
        "camera": _camera(_words(tags.get(ExifTags.Base.Make)), _words(tags.get(ExifTags.Base.Model))),
        "has_gps": ExifTags.GPS.GPSLatitude in gps and ExifTags.GPS.GPSLongitude in gps,
    }


def _moment(value: object) -> str | None:
    found = read_moment(_words(value))
    return found.isoformat() if found else None


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
