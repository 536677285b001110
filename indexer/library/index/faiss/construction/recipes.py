"""Which structure suits how many vectors.

Measured at 1,000,000 x 512 (embeddings of photographs, made denser): a scan of float32 rows takes 68 ms a query; an
inverted file of 2 * sqrt(n) lists with a 4-bit product quantiser of two dimensions a part finds 98 % of the ten
best in under a millisecond once the best candidates are scored exactly. RaBitQ with one bit a dimension is 40 %
smaller, but four times as many candidates have to be read for texts; more bits cost it its speed. Four times as
many lists take four times as long to make and win nothing.
"""

import math
from dataclasses import dataclass
from typing import Literal

from indexer.library.index.records import IndexOptions

_LEAST_ROWS = 1_000  # fewer train nothing
_ROWS_A_LIST = 64  # to train a list with, where there are so many


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRecipe:
    """A structure. `parts` is how many 4-bit codes stand for a vector, each for `dim / parts` dimensions."""

    name: Literal["flat", "ivf"]
    lists: int = 0
    parts: int = 0
    training_rows: int = 0


def choose_recipe(count: int, dim: int, options: IndexOptions) -> IndexRecipe:
    """Return the recipe for `count` vectors."""
    flat = is_scanned_fast(count, dim, options) if options.recipe == "auto" else options.recipe == "flat"
    if flat or count < _LEAST_ROWS:
        return IndexRecipe(name="flat")
    lists = 2 ** round(math.log2(2 * math.sqrt(count)))
    affordable = options.memory_bytes // (4 * 4 * dim)  # k-means and its matrix products hold a few copies
    rows = min(count, options.training_rows, affordable)
    lists = min(lists, 2 ** max(int(math.log2(max(rows // 16, 1))), 0))
    return IndexRecipe(
        name="ivf",
        lists=lists,
        parts=dim // 2 if dim % 2 == 0 else dim,
        training_rows=min(rows, _ROWS_A_LIST * lists),
    )


def is_scanned_fast(count: int, dim: int, options: IndexOptions, *, share: float = 1.0) -> bool:
    """Say whether one query may look at so many rows, or take `share` of the time that it may."""
    return count * dim <= share * options.flat_values
