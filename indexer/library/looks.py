"""What pictures look like, so that they can be compared: perceptual hashes of 64 bits, and how much detail there is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from models.foundation.vectors import Ids

Hashes = npt.NDArray[np.uint64]

NO_HASH = 0  # of a picture in which there is too little to tell it from others; no other hash has this value

_PLAIN_SHARE = 0.6
_GREY_SHARE = 0.85
_BLANK_SHARE = 0.85
_GREYS = ("black", "grey", "white")
_EMPTY = ("black", "white")  # paper and night; one name of another colour, grey too, covers many shades of it


def to_signed(value: int) -> int:
    """Return a hash as the signed 64-bit number that the catalog keeps."""
    return value - 2**64 if value >= 2**63 else value


def hamming(one: np.uint64 | Hashes, others: Hashes) -> npt.NDArray[np.uint8]:
    """Return in how many bits hashes differ; shapes broadcast."""
    distance: npt.NDArray[np.uint8] = np.bitwise_count(one ^ others)
    return distance


class Detail(IntEnum):
    """How much of a picture is detail, by its dominant colours."""

    FULL = 0
    PLAIN = 1  # one colour surrounds a thing, or all is black, grey and white: a hash tells little but outlines
    BLANK = 2  # white or black nearly everywhere: a form, a page of text, a night; what is on it leaves no trace


def detail_of(colours: Sequence[tuple[str, str, float]]) -> Detail:
    """Return the detail of a picture whose dominant colours are so (name, #rrggbb, share), the largest first."""
    largest = colours[0][2] if colours else 0.0
    if largest >= _BLANK_SHARE and colours[0][0] in _EMPTY:
        return Detail.BLANK
    grey = sum(share for name, _, share in colours if name in _GREYS)
    return Detail.PLAIN if largest >= _PLAIN_SHARE or grey >= _GREY_SHARE else Detail.FULL


@dataclass(frozen=True, slots=True)
class Looks:
    """What is needed to compare pictures by looks: columns of one length, in an order that means something.

    `contents` are content ids; `hashes` NO_HASH where there is none, be it for want of detail or because the picture
    was indexed by a version that made none (then `hashed` is false); `details` as in Detail.
    """

    ids: Ids
    contents: Ids
    hashes: Hashes
    hashed: npt.NDArray[np.bool_]
    details: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Looks":
        return Looks(self.ids[part], self.contents[part], self.hashes[part], self.hashed[part], self.details[part])

    @classmethod
    def of(cls, table: Sequence[tuple[int, int, int | None, str | None]]) -> "Looks":
        """Return rows of (image id, content id, signed hash, dominant colours as JSON) as columns."""
        count = len(table)
        return cls(
            np.fromiter((row[0] for row in table), np.int64, count),
            np.fromiter((row[1] for row in table), np.int64, count),
            np.fromiter((row[2] or NO_HASH for row in table), np.int64, count).view(np.uint64),
            np.fromiter((row[2] is not None for row in table), np.bool_, count),
            np.fromiter((detail_of(json.loads(row[3] or "[]")) for row in table), np.int8, count),
        )
