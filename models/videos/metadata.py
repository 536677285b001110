"""What a video says of how it came about, as the EXIF block that a picture would have."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from PIL import ExifTags, Image

_APPLE: Final = "com.apple.quicktime."
# "+30.2741+120.1551+011.000/", degrees as ISO 6709 has them: latitude, longitude
_PLACE: Final = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")
_EARLIEST: Final = 1971  # before that, a clock was never set


def read_exif(metadata: Mapping[str, str]) -> Image.Exif:
    """Return the tags of a container as EXIF: when and where it was recorded, and with what. What is unknown is absent.

    A time that names its zone is that of the clock there, one in UTC is told by this machine's.
    """
    exif = Image.Exif()
    for tag, name in ((ExifTags.Base.Make, "make"), (ExifTags.Base.Model, "model")):
        value = metadata.get(_APPLE + name) or metadata.get(f"com.android.{name}") or metadata.get(name)
        if value:
            exif[tag] = value
    recorded = _recorded(metadata)
    if recorded:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = recorded.strftime("%Y:%m:%d %H:%M:%S")
    place = next(
        filter(None, (_PLACE.match(metadata.get(name, "")) for name in (f"{_APPLE}location.ISO6709", "location"))), None
    )
    if place:
        gps, tags = exif.get_ifd(ExifTags.IFD.GPSInfo), ExifTags.GPS
        latitude, longitude = float(place[1]), float(place[2])
        gps[tags.GPSLatitudeRef], gps[tags.GPSLatitude] = "S" if latitude < 0 else "N", (abs(latitude), 0.0, 0.0)
        gps[tags.GPSLongitudeRef], gps[tags.GPSLongitude] = "W" if longitude < 0 else "E", (abs(longitude), 0.0, 0.0)
    return exif


def _recorded(metadata: Mapping[str, str]) -> datetime | None:
    """Return when it was recorded, by the clock there."""
    local = _read(metadata.get(f"{_APPLE}creationdate", ""))
    if local:
        return local.replace(tzinfo=None)
    found = _read(metadata.get("creation_time", "") or metadata.get("date", ""))
    if found is None:
        return None
    try:
        return (found.astimezone() if found.tzinfo is UTC else found).replace(tzinfo=None)
    except (OverflowError, OSError, ValueError):  # a time that no clock here can show
        return None


def _read(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.year >= _EARLIEST else None
