"""Points on a map as the catalog keeps them: latitude and longitude in thousandths of a degree, as one whole number."""

from typing import Final

UNITS: Final = 1_000  # of a degree
BITS: Final = 20  # of the longitude, which is counted from the date line; the latitude, from the south pole, lies above
MASK: Final = (1 << BITS) - 1


def pack_point(latitude: float, longitude: float) -> int:
    """Return a point in degrees as one number. Raises ValueError for one that is not on the earth."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError(f"{latitude}, {longitude} is no point on the earth")
    return to_north(latitude) << BITS | to_east(longitude)


def unpack_point(kept: int) -> tuple[float, float]:
    """Return (latitude, longitude) in degrees."""
    return to_latitude(kept >> BITS), to_longitude(kept & MASK)


def to_north(latitude: float) -> int:
    """Return a latitude in units from the south pole."""
    return round((latitude + 90) * UNITS)


def to_east(longitude: float) -> int:
    """Return a longitude in units from the date line."""
    return round((longitude + 180) * UNITS)


def to_latitude(north: float) -> float:
    """Return a latitude in degrees."""
    return round(north / UNITS - 90, 3)


def to_longitude(east: float) -> float:
    """Return a longitude in degrees."""
    return round(east / UNITS - 180, 3)
