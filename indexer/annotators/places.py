"""Where a picture was taken, as the names of places: from GPS coordinates, without any network.

The nearest of GeoNames' cities of 5,000 people and more and of seats of Chinese districts, the metropolis that it lies
in or beside, and the country, each in Chinese and English. The table is made by tools/places.py; see NOTICE.md.
Coordinates themselves are not kept, only those of the place that is named, by which maps are drawn; far from any, they
are kept to whole degrees.
"""

import gzip
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags

from indexer.annotators.exif import read_directory
from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values
from models.foundation.messages import mark
from models.pictures.xmp import Xmp, read_xmp

_EARTH: Final = 6371.0  # km
_NEAR: Final = 60.0  # km to the nearest place, for a picture to be said to be there
_AROUND, _METROPOLIS = 50.0, 500  # km, and thousands of people


class PlaceAnnotator:
    """Says in words where a picture was taken, where its file has coordinates."""

    name = "place"
    version = 3
    needs: Needs = "bytes"
    fields = (
        Field(name="place", type=FieldType.TEXT, label=mark("Place"), searchable=True, filterable=True, faceted=True),
        Field(
            name="location",
            type=FieldType.POINT,
            label=mark("Place on the map"),
            filterable=True,
            shown=False,
            aliases=("bounds",),
        ),
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the place of each picture and where that is, None where no coordinates are known."""
        return [_read(picture) for picture in batch]


def _read(picture: AnnotatedPicture) -> Values:
    gps = read_directory(picture.exif, ExifTags.IFD.GPSInfo)
    where = _of_exif(gps) or _of_xmp(read_xmp(picture.metadata.xmp))
    place, location = find_place(*where) if where else (None, None)
    return {"place": place, "location": location}


def _of_exif(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    tags = ExifTags.GPS
    latitude = _degrees(gps.get(tags.GPSLatitude), gps.get(tags.GPSLatitudeRef))
    longitude = _degrees(gps.get(tags.GPSLongitude), gps.get(tags.GPSLongitudeRef))
    return _usable(latitude, longitude)


def _degrees(parts: Any, reference: Any) -> float | None:
    try:
        numbers = [float(part) for part in (parts if isinstance(parts, tuple) else (parts,))]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value: float = sum(number / 60**place for place, number in enumerate(numbers[:3]))
    name = reference.decode("ascii", "replace") if isinstance(reference, bytes) else str(reference or "")
    return -value if name.strip("\0 ").upper()[:1] in {"S", "W"} else value


_XMP_FORM: Final = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])")


def _of_xmp(xmp: Xmp) -> tuple[float, float] | None:
    found = [_XMP_FORM.fullmatch(xmp.first(name)) for name in ("exif:GPSLatitude", "exif:GPSLongitude")]
    values = [one and _degrees(tuple(part or 0 for part in one.groups()[:3]), one[4]) for one in found]
    return _usable(*values)


def _usable(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    if latitude is None or longitude is None or not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude, longitude) == (0, 0):  # where nothing was known
        return None
    return latitude, longitude


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Places: degrees (n, 2), points on the unit sphere (n, 3), people in thousands, country codes, names (en, zh)."""

    degrees: NDArray[np.float64]
    points: NDArray[np.float32]
    people: NDArray[np.int64]
    countries: Sequence[str]
    names: Sequence[tuple[str, str]]
    country_names: Mapping[str, tuple[str, str]]


@cache
def _places() -> _Places:
    text = gzip.decompress((files("indexer.annotators") / "places.tsv.gz").read_bytes()).decode()
    countries, cities = (part.split("\n") for part in text.rstrip("\n").split("\n\n"))
    rows = [line.split("\t") for line in cities]
    degrees = np.array([[int(row[0]), int(row[1])] for row in rows]) / 1000
    return _Places(
        degrees=degrees,
        points=_on_sphere(degrees[:, 0], degrees[:, 1]).astype(np.float32),
        people=np.array([int(row[2]) for row in rows]),
        countries=[row[3] for row in rows],
        names=[(row[4], row[5]) for row in rows],
        country_names={code: (english, chinese) for code, english, chinese in (line.split("\t") for line in countries)},
    )


def _on_sphere(latitude: Any, longitude: Any) -> NDArray[Any]:
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def name_place(latitude: float, longitude: float) -> str | None:
    """Return the place at coordinates in degrees, as "西湖 Xihu, 杭州 Hangzhou, 中国 China"; None far from any."""
    return find_place(latitude, longitude)[0]


def find_place(latitude: float, longitude: float) -> tuple[str | None, tuple[float, float]]:
    """Return what `name_place` does, and the coordinates of that place; far from any, these to whole degrees."""
    places = _places()
    # The chord is as good as the arc for what is near, and precise where their cosine is not.
    chords = np.linalg.norm(places.points - _on_sphere(latitude, longitude).astype(np.float32), axis=1) * _EARTH
    nearest = int(chords.argmin())
    if chords[nearest] > _NEAR:
        return None, (float(round(latitude)), float(round(longitude)))
    country = places.countries[nearest]
    around = [int(one) for one in np.flatnonzero((chords <= _AROUND) & (places.people >= _METROPOLIS))]
    around = [one for one in around if places.countries[one] == country]
    largest = max(around, key=lambda one: int(places.people[one]), default=nearest)
    named = [places.names[nearest], places.names[largest], places.country_names.get(country, (country, ""))]
    said = ", ".join(dict.fromkeys(" ".join(filter(None, (chinese, english))) for english, chinese in named))
    north, east = places.degrees[nearest].tolist()
    return said, (north, east)
