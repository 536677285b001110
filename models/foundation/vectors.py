"""Array aliases, and the two functions every vector passes through."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.foundation.errors import InvalidVectors
from models.foundation.messages import message

Vectors: TypeAlias = npt.NDArray[np.float32]  # (n, dim), C-contiguous, finite, rows of L2 norm 1
Ids: TypeAlias = npt.NDArray[np.int64]  # (n,), image ids
Pixels: TypeAlias = npt.NDArray[np.uint8]  # (n, height, width, 3), RGB

NORM_TOLERANCE = 1e-3


def l2_normalize(array: npt.NDArray[np.floating]) -> Vectors:
    """Return float32 rows of length 1. A zero row stays zero, for `check_vectors` to find."""
    vectors = np.ascontiguousarray(array, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit


def check_vectors(vectors: Vectors, dim: int) -> Vectors:
    """Return `vectors` as they are, or raise InvalidVectors."""
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise InvalidVectors(message("shape {shape}, expected (n, {dim})", shape=str(vectors.shape), dim=dim))
    if vectors.dtype != np.float32:
        raise InvalidVectors(message("dtype {dtype}, expected float32", dtype=vectors.dtype))
    if not np.isfinite(vectors).all():
        raise InvalidVectors(message("a value is not finite"))
    norms = np.linalg.norm(vectors, axis=1)
    if norms.size and float(np.abs(norms - 1.0).max()) > NORM_TOLERANCE:
        worst = norms[np.abs(norms - 1.0).argmax()]
        raise InvalidVectors(message("a row has length {length:.4f}, expected 1", length=float(worst)))
    return vectors
