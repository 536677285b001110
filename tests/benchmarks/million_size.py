"""How large the index of million.py is, what is asked of it, and whether memory holds the plain recipe."""

import os

COUNT = int(os.environ.get("XUNTU_BENCH_COUNT", "1000000"))
DIM = int(os.environ.get("XUNTU_BENCH_DIM", "512"))
VECTORS_GB = 4 * COUNT * DIM / 1e9
KINDS = ("picture", "text")
DEPTHS = (10, 100)
SHARES = (0.5, 0.05, 0.001)  # what filters keep
ADDED = 1_000
PLAIN_COPIES = 3  # while it is pickled: the index, what it is serialised into, and that as an array


def memory_gb() -> float:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def plain_fits() -> bool:
    """Say whether memory holds the plain recipe while it is pickled."""
    return memory_gb() > PLAIN_COPIES * VECTORS_GB
