"""Pictures of all kinds that came with an encoder: how high a query scores with any picture, whatever it asks for.

Some queries score high with every picture, so a score that is a match for one is none for another. What a query scores
with pictures that it does not ask for is its level; scores less the level of their query can be compared. It is the
same for all hits of a query, and so changes no ranking. A library's own pictures are no reference: in a small one many
of them are what is asked for. The counterpart, for pictures near to every text: indexer/library/vectors/query_bank.py.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.foundation.files import ARRAY_ERRORS, replace_file
from models.foundation.vectors import Vectors, l2_normalize
from models.relevance.errors import ReferenceUnreadable
from models.relevance.shipped import find_shipped

# Inverse temperature: a level is made by the pictures that are nearest, as the best hit of a query is.
_SHARPNESS = 20.0
_BLOCK_ROWS = 1024  # of queries
_MOST = 127  # of an int8


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The vectors of pictures, float32 (n, dim), and 16 hex digits that stand for them."""

    digest: str
    vectors: Vectors

    @classmethod
    def read(cls, path: Path, dim: int) -> "Reference":
        """Read what `write_reference` wrote. Raises ReferenceUnreadable, and FileNotFoundError."""
        try:
            content = path.read_bytes()
            coded = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
            if coded.dtype != np.int8 or coded.ndim != 2 or coded.shape[1] != dim:
                raise ValueError(f"{coded.dtype} {coded.shape}")
            if not len(coded) or not coded.any(axis=1).all():
                raise ValueError("no pictures, or one without a direction")
        except FileNotFoundError:
            raise
        except ARRAY_ERRORS as error:
            raise ReferenceUnreadable(path) from error
        return cls(hashlib.sha256(content).hexdigest()[:16], l2_normalize(coded))

    def level(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """Return the level of each query, float32 (m,): log(mean over the pictures r of exp(b * q.r)) / b."""
        if len(vectors) == 1:  # by one thread: others have searches of their own to answer
            return self._of_scores(np.einsum("ij,j->i", self.vectors, vectors[0])[None])
        levels = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), _BLOCK_ROWS):
            scores = vectors[start : start + _BLOCK_ROWS] @ self.vectors.T
            levels[start : start + _BLOCK_ROWS] = self._of_scores(scores)
        return levels

    @staticmethod
    def _of_scores(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        levels: npt.NDArray[np.float32] = np.log(np.exp(_SHARPNESS * scores).mean(axis=1)) / _SHARPNESS
        return levels


def write_reference(path: Path, vectors: Vectors) -> None:
    """Write the unit vectors of pictures, float32 (n, dim), as int8, each row as large as it may be."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    file = io.BytesIO()
    np.save(file, np.rint(vectors * (_MOST / largest)).astype(np.int8))
    replace_file(path, file.getvalue())


def read_reference(fingerprint: str, dim: int) -> Reference | None:
    """Return the reference pictures of an encoder; None where none came with it. Raises ReferenceUnreadable."""
    path = find_shipped(fingerprint, "reference.npy")
    return Reference.read(path, dim) if path else None
