"""A FAISS index of compressed codes, and what its lists hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.library.index.faiss.flat import Allowed, import_faiss, multiply
from models.foundation.vectors import Vectors

Counts = npt.NDArray[np.int64]


class Codes:
    """A rotation, centroids, and lists of codes under positions 0, 1, 2 ..."""

    def __init__(self, index: Any) -> None:
        """Take an index apart. Raises TypeError or AttributeError if it is not of this kind."""
        faiss = import_faiss()
        self.index = index
        self.ivf = faiss.downcast_index(index.index)
        if not isinstance(self.ivf, faiss.IndexIVFPQFastScan) or self.ivf.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise TypeError(f"it is a {type(self.ivf).__name__}")
        if not 0 < self.ivf.nlist == self.ivf.quantizer.ntotal or not index.is_trained:
            raise TypeError("it has not been trained")
        self.lists = int(self.ivf.nlist)
        self._rotation: Any = None
        self._centroids: Vectors | None = None
        self._list_of: npt.NDArray[np.int32] | None = None
        self._sizes: Counts = np.empty(0, np.int64)

    def search(self, queries: Vectors, wanted: int, nprobe: int, allowed: Allowed | None) -> npt.NDArray[np.int64]:
        """Return the positions of the best by their codes, int64 (n, wanted), best first, the rest -1.

        Rows that are not allowed are passed over inside the scan. One query is answered by one thread.
        """
        faiss = import_faiss()
        selector = None if allowed is None else allowed.selector
        inner = faiss.SearchParametersIVF(sel=selector, nprobe=min(nprobe, self.lists))
        params = faiss.SearchParametersPreTransform(index_params=inner)
        wanted = min(wanted, int(self.index.ntotal))
        found: npt.NDArray[np.int64]
        with threads(1 if len(queries) == 1 else 0):
            _, found = self.index.search(np.ascontiguousarray(queries), wanted, params=params)
        return found

    def nearest_lists(self, query: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Return the lists, nearest first."""
        if self._centroids is None:
            faiss = import_faiss()
            self._rotation = faiss.downcast_VectorTransform(self.index.chain.at(0))
            self._centroids = self.ivf.quantizer.reconstruct_n(0, self.lists)
        with threads(1):
            rotated = self._rotation.apply(query[None])[0]
        return np.argsort(-multiply(rotated, self._centroids), kind="stable")

    def count_rows(self, allowed: Allowed | None) -> Counts:
        """Return how many rows each list holds, or how many that are allowed. Not to be changed."""
        if self._list_of is None:
            faiss = import_faiss()
            list_of = np.zeros(int(self.index.ntotal), np.int32)
            for number in range(self.lists):
                size = self.ivf.invlists.list_size(number)
                if size:
                    list_of[faiss.rev_swig_ptr(self.ivf.invlists.get_ids(number), size)] = number
            self._sizes = np.bincount(list_of, minlength=self.lists)
            self._list_of = list_of
        if allowed is None:
            return self._sizes
        if allowed.in_lists is None:
            allowed.in_lists = np.bincount(self._list_of[allowed.mask], minlength=self.lists)
        return allowed.in_lists


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads for what this thread asks of it; 0 as many as it would."""
    faiss = import_faiss()
    before = faiss.omp_get_max_threads()
    if count and count != before:
        faiss.omp_set_num_threads(count)
        try:
            yield
        finally:
            faiss.omp_set_num_threads(before)
    else:
        yield
