"""A picture, or a content, and the number of a part of it as one number, so that parts have ids of their own.

Keys sort as the ids do. The number of a part is from 1; 0 is the whole.
"""

import numpy as np
import numpy.typing as npt

from models.foundation.vectors import Ids

PART_BITS = 16


def pack_key(owner: int, number: int) -> int:
    """Return the key of a part of one owner."""
    return owner << PART_BITS | number


def keys_of(owners: Ids, numbers: npt.NDArray[np.int64]) -> Ids:
    """Return the key of a part of each owner, int64 (n,)."""
    keys: Ids = owners << PART_BITS | numbers
    return keys


def owners_of(keys: Ids) -> Ids:
    """Return whose parts they are, int64 (n,)."""
    owners: Ids = keys >> PART_BITS
    return owners


def numbers_of(keys: Ids) -> npt.NDArray[np.int64]:
    """Return the numbers of the parts, int64 (n,)."""
    numbers: npt.NDArray[np.int64] = keys & ((1 << PART_BITS) - 1)
    return numbers


def ranges_of(sorted_keys: Ids, owners: Ids) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the keys of each of `owners` begin in `sorted_keys`, and where they end, int64 (n,) each."""
    return np.searchsorted(sorted_keys, owners << PART_BITS), np.searchsorted(sorted_keys, (owners + 1) << PART_BITS)
