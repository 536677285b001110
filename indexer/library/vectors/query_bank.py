"""What a picture scores with any text at all, which is taken off what it scores with the one that is asked.

Some pictures lie near every text, and so turn up for every one: hubs. A bank of ordinary queries B tells which. The
offset of a picture x is -log(mean of exp(b * B.x)) / b, its score with all of them, in which the best of them count
most. Adding it to the score of a query ranks like the inverted softmax (Smith et al. 2017; Bogolin et al., "Cross Modal
Retrieval with Querybank Normalisation", 2022). That is too much where the bank is not of the kind of the library, as
queries that are written for any library are not; so only a share of it is kept. Each query says how much offsets weigh
in it: 1 for a text, 0 for a picture.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.foundation.vectors import Vectors

Offsets: TypeAlias = npt.NDArray[np.float32]  # (n,), one for each row

_DECIMALS = 5  # so that copies in different places of a library get the same
_BLOCK_ROWS = 512  # their scores with two thousand queries stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class QueryBank:
    """Ordinary queries as an encoder reads them: `vectors` float32 (m, dim).

    `sharpness` is the inverse temperature b: the larger, the more only the best of them count; `share` how much of what
    comes out is the offset. `id` stands for all that decides what offsets come out, beside the encoder.
    """

    id: str
    vectors: Vectors
    sharpness: float
    share: float = 1.0

    def measure(self, vectors: Vectors) -> Offsets:
        """Return the offset of each row."""
        scaled = np.ascontiguousarray(self.vectors.T * np.float32(self.sharpness))
        offsets = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), _BLOCK_ROWS):
            scores = vectors[start : start + _BLOCK_ROWS] @ scaled
            np.exp(scores, out=scores)
            offsets[start : start + _BLOCK_ROWS] = np.log(scores.mean(axis=1)) * (-self.share / self.sharpness)
        return offsets.round(_DECIMALS)
