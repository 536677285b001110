"""Whether an index finds what it holds."""

import numpy as np

from indexer.library.index.port import VectorIndex

_SAMPLE = 100


def measure_self_recall(index: VectorIndex) -> float:
    """Return the share of sampled vectors that are their own nearest (or as near as an exact copy); 1 without any.

    The same index gives the same share each time.
    """
    if not len(index):
        return 1.0
    ids = index.list_ids()
    sample = np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False)
    vectors = index.fetch(sample)
    own = (vectors * vectors).sum(axis=1)
    return float((index.search(vectors, 1, kind="picture").scores[:, 0] >= own - 1e-5).mean())
