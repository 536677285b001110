"""Parts of pictures: long ones are looked at in pieces as well, since a whole one is mostly too small to see.

A screenshot of a conversation, a comic strip and a panorama have in common that an encoder, which sees a small square,
sees little of them. So a picture whose sides are further apart than `LONGEST` is also cut into squares that overlap.

Of other pictures there may be regions: small things in them are seen better in one that is smaller than the whole.
"""

from dataclasses import dataclass

from PIL import Image

LONGEST = 3  # times as long as the short side is the long side of a picture that is seen well as a whole
LEAST_SIDE = 32  # pixels of the short side, below which there is nothing to be seen in a part
_STEP = 0.75  # of the side of a part is from one to the next: what lies on an edge is within its neighbour
FIRST_REGION = 2_001  # the numbers of regions begin here: those of other parts lie below
LEAST_REGION = 32  # pixels of the short side of a region, below which there is nothing to be seen in it
_GRIDS = ((2, 0.6), (3, 0.4))  # so many regions across and down, and the share of a side that one has: they overlap
_LEAST_SHARE = min(share for _, share in _GRIDS)
LEAST_WITH_REGIONS = round(LEAST_REGION / _LEAST_SHARE)  # pixels of the short side of a picture
_MOST = 32  # parts of a picture; of one that is longer still they are no squares


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture: its left upper corner and its size, in pixels of the upright picture."""

    x: int
    y: int
    width: int
    height: int

    def clipped(self, width: int, height: int) -> "Box | None":
        """Return what of the box is within a picture of this size; None where nothing is."""
        left, top = max(0, self.x), max(0, self.y)
        right, bottom = min(self.x + self.width, width), min(self.y + self.height, height)
        return Box(left, top, right - left, bottom - top) if left < right and top < bottom else None

    def share_of(self, other: "Box") -> float:
        """Return the share of another box that is within this one."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        high = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(0, wide) * max(0, high) / max(1, other.width * other.height)


@dataclass(frozen=True, slots=True)
class PicturePart:
    """A part of a picture, or a moment of a video: then `box` is all of it, and `at_ms` is from its beginning."""

    box: Box
    at_ms: int | None = None


def is_long(width: int, height: int) -> bool:
    """Say whether a picture is looked at in parts as well."""
    return min(width, height) >= LEAST_SIDE and max(width, height) > LONGEST * min(width, height)


def list_parts(width: int, height: int) -> tuple[Box, ...]:
    """Return the parts of a picture of this size, from its beginning to its end; none where it is not long."""
    if not is_long(width, height):
        return ()
    long, short = max(width, height), min(width, height)
    count = min(_MOST, int((long / short - 1) / _STEP) + 1)
    side = min(long, round(long / (1 + _STEP * (count - 1))))
    starts = [round(number * (long - side) / (count - 1)) for number in range(count)]
    if width > height:
        return tuple(Box(start, 0, side, height) for start in starts)
    return tuple(Box(0, start, width, side) for start in starts)


def list_regions(width: int, height: int) -> tuple[Box, ...]:
    """Return the regions of a picture of this size, larger ones first; none where it is long or very small."""
    if is_long(width, height) or min(width, height) < LEAST_WITH_REGIONS:
        return ()
    return tuple(
        Box(
            _start(width, share, column, count),
            _start(height, share, row, count),
            round(width * share),
            round(height * share),
        )
        for count, share in _GRIDS
        for row in range(count)
        for column in range(count)
    )


def region_side(side: int) -> int:
    """Return the shorter side in pixels of a picture whose smallest regions have at least `side`."""
    return round(side / _LEAST_SHARE)


def is_region(number: int) -> bool:
    """Say whether a part of this number is a region of a picture that is seen well as a whole."""
    return number >= FIRST_REGION


def telling_part(width: int, height: int, count: int) -> int:
    """Return which of `count` parts stands for a long picture, from 1: the first of a tall one, else the middle.

    0 is all of it, of a picture that is not long.
    """
    if not is_long(width, height):
        return 0
    return 1 if height > width else (count + 1) // 2


def _start(side: int, share: float, place: int, count: int) -> int:
    return round(place * (side - round(side * share)) / (count - 1))


def crop(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    """Return a part of an `image` that may be smaller than the picture, of `size`, that it shows."""
    across, down = image.width / size[0], image.height / size[1]
    left, upper = int(box.x * across), int(box.y * down)
    right, lower = round((box.x + box.width) * across), round((box.y + box.height) * down)
    return image.crop((left, upper, max(right, left + 1), max(lower, upper + 1)))
