"""Rows through a device in batches as large as fit."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

logger = logging.getLogger(__name__)

_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate memory",
    "can't allocate memory",
    "cublas_status_alloc_failed",
    "bfcarena::allocate",
)


class FittingBatches:
    """Splits rows into batches of at most `size`. A batch that the device has no memory for halves it, and goes on."""

    def __init__(self, size: int) -> None:
        self.size = size

    def run(
        self, encode: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]], rows: npt.NDArray[Any]
    ) -> npt.NDArray[np.float32]:
        """Return what `encode` makes of `rows`, in order. Raises what it raises when even one row does not fit."""
        parts: list[npt.NDArray[np.float32]] = []
        done = 0
        while done < len(rows):
            part = rows[done : done + self.size]
            try:
                parts.append(encode(part))
            except Exception as error:
                if not is_out_of_memory(error) or len(part) == 1:
                    raise
                self.size = len(part) // 2
                logger.warning("no memory for %d rows at once; going on with %d", len(part), self.size)
            else:
                done += len(part)
        return np.concatenate(parts)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether a library's error means that the device has no memory left; each has its own way to say it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY)
