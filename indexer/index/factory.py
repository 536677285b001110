"""Recipe name -> index."""

from pathlib import Path

from indexer.index.base import VectorIndex
from indexer.index.faiss_index import FaissIndex

FLAT = "flat"


def create_index(dim: int) -> VectorIndex:
    """Return an empty index."""
    return FaissIndex(dim)


def open_index(path: Path) -> VectorIndex:
    """Open an index file of a build. Raises IndexDamaged or BackendNotInstalled."""
    return FaissIndex.open(path)
