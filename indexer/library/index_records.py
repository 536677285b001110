"""What passes between a library and its vector indexes, as data."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from models.foundation.vectors import Ids

QueryKind = Literal["picture", "text"]  # what a query vector was made of; "text" also where both were mixed
OffsetWeight: TypeAlias = float | npt.NDArray[np.float32]  # of every query, or of each of them (n,)


@dataclass(frozen=True, slots=True)
class Neighbors:
    """What a search found: `ids` int64 (n, k) and `scores` float32 (n, k), best first.

    Where fewer than k were found the rest of a row is id -1, score -inf.
    """

    ids: Ids
    scores: npt.NDArray[np.float32]
