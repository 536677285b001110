"""What a picture's file says of how it came about: when, with which camera and lens, and whether where."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from PIL import ExifTags, Image

from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values
from models.foundation.messages import mark
from models.foundation.moments import read_moment
from models.pictures.metadata import Metadata, read_again, read_iptc
from models.pictures.xmp import read_xmp

_DAMAGE: Final = (KeyError, IndexError, OSError, OverflowError, SyntaxError, TypeError, ValueError, struct.error)


class ExifAnnotator:
    """Reads when a picture was taken (the camera's clock), with which camera and lens, and whether it says where."""

    name = "exif"
    version = 2
    needs: Needs = "bytes"
    fields = (
        Field(name="taken", type=FieldType.MOMENT, label=mark("Taken"), filterable=True, faceted=True),
        Field(name="camera", type=FieldType.TEXT, label=mark("Camera"), searchable=True, filterable=True, faceted=True),
        Field(name="lens", type=FieldType.TEXT, label=mark("Lens"), searchable=True, filterable=True, faceted=True),
        Field(name="has_gps", type=FieldType.FLAG, label=mark("Place recorded"), filterable=True),
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the facts of each picture. A damaged block gives what can be read of it, never an error."""
        return [_read(picture) for picture in batch]


Tags = dict[int, Any]


def read_directories(exif: Image.Exif) -> tuple[Tags, Tags]:
    """Return the tags of a picture and those of how it was taken; of damaged ones none."""
    try:
        tags = dict(exif)
    except _DAMAGE:
        return {}, {}
    return tags, read_directory(exif, ExifTags.IFD.Exif)


def read_directory(exif: Image.Exif, number: int) -> Tags:
    """Return a directory of an EXIF block, an empty one where it is damaged."""
    try:
        return dict(exif.get_ifd(number))
    except _DAMAGE:
        return {}


def _read(picture: AnnotatedPicture) -> Values:
    tags, details = read_directories(picture.exif)
    gps = read_directory(picture.exif, ExifTags.IFD.GPSInfo)
    make, model, lens_make, lens = (
        _words(where.get(tag))
        for where, tag in (
            (tags, ExifTags.Base.Make),
            (tags, ExifTags.Base.Model),
            (details, ExifTags.Base.LensMake),
            (details, ExifTags.Base.LensModel),
        )
    )
    return {
        "taken": next(filter(None, map(_moment, _moments(tags | details, picture.metadata))), None),
        "camera": _join_maker(make, model),
        "lens": _join_maker(lens_make, lens) if lens else None,
        "has_gps": ExifTags.GPS.GPSLatitude in gps and ExifTags.GPS.GPSLongitude in gps,
    }


def _moments(tags: Tags, metadata: Metadata) -> Iterator[object]:
    """Yield what says when a picture was taken, the most trustworthy first."""
    yield tags.get(ExifTags.Base.DateTimeOriginal)
    yield tags.get(ExifTags.Base.DateTimeDigitized)
    xmp, iptc = read_xmp(metadata.xmp), read_iptc(metadata.iptc)
    yield xmp.first("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate", "exif:DateTimeDigitized")
    yield " ".join(iptc[name][0][:8] for name in ((2, 55), (2, 60)) if name in iptc)
    yield from (metadata.texts.get(name) for name in ("Creation Time", "creation_time"))
    yield tags.get(ExifTags.Base.DateTime)


def _moment(value: object) -> str | None:
    found = read_moment(_words(value))
    return found.isoformat() if found else None


def _words(value: object) -> str:
    """Return a tag's text on one line, at most 100 characters."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return ""
    value = read_again(value)
    return " ".join("".join(c if c.isprintable() else " " for c in value.split("\0")[0]).split())[:100]


def _join_maker(make: str, model: str) -> str | None:
    """Join maker and model without saying the maker twice ("Canon", "Canon EOS R5")."""
    if not make or model.lower().startswith(make.lower().split()[0]):
        return model or None
    return f"{make} {model}".strip()
