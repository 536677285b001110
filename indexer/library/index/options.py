"""What may be chosen about a vector index."""

from dataclasses import dataclass
from typing import Literal

from models.foundation.devices import count_cpus

RecipeName = Literal["auto", "flat", "ivf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """How an index is built and how it grows.

    Up to `flat_values` numbers, rows times dim, a query looks at all of them; 100,000 x 512 take about 7 ms. Beyond,
    tuned searches find the share `recall` of the exact answers. `threads` 0 takes every processor that there is. The
    main part is made anew when the rows added since pass `fold_share` of it, or the dead ones `dead_share`. With
    `hub_correction` rows get offsets (see offsets.py). The first GPU that `device` (see list_devices) stands for helps,
    with `gpu_share` of its free memory at most.
    """

    recipe: RecipeName = "auto"
    flat_values: int = 100_000 * 512
    recall: float = 0.98
    training_rows: int = 131_072
    tuning_queries: int = 256
    memory_bytes: int = 2**30
    threads: int = 0
    fold_share: float = 0.5
    dead_share: float = 0.25
    hub_correction: bool = True
    device: str = "auto"
    gpu_share: float = 0.5

    @property
    def processors(self) -> int:
        """How many threads a build and a batch of queries may use."""
        return self.threads or count_cpus()
