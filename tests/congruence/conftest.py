"""The indexes that have to answer alike, each made of the same vectors."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer.library.index.backends import GROUP
from indexer.library.index.faiss.construction.recipes import IndexRecipe
from indexer.library.index.faiss.construction.training import add_rows, empty_codes, train_codes
from indexer.library.index.faiss.gpu import ProcessorInPlace
from indexer.library.index.faiss.gpu_vectors import GpuVectors
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.faiss.part import IndexPart
from indexer.library.index.faiss.search_params import SearchParams, SearchParamsTable
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.filter_only import FilterOnlyIndex
from indexer.library.index.hub_offsets import coded_dim, coded_offsets, offsets_at
from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.port import VectorIndex
from indexer.library.index.records import IndexOptions
from indexer.library.vectors.query_bank import Offsets
from indexer.library.vectors.shard_files import ShardFiles
from models.foundation.vectors import Ids, Vectors, l2_normalize

LISTS = 4
OPTIONS = IndexOptions(threads=1)


def random_vectors(count: int, dim: int, seed: int = 0) -> Vectors:
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)))


class ChangingIndex(FilterOnlyIndex):
    """An index that takes filters only, and that can be changed."""

    def upsert(self, ids: Ids, vectors: Vectors, offsets: Offsets | None = None) -> None:
        self._index.upsert(ids, vectors, offsets)

    def remove(self, ids: Ids) -> int:
        return self._index.remove(ids)


class Maker:
    """Makes one kind of index of given vectors; `folder` is for files."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.gpu = GpuVectors(ProcessorInPlace(), least_values=0)
        self._made = 0
        self._trained = {}

    def __call__(self, ids: Ids, vectors: Vectors, offsets: Offsets | None = None) -> VectorIndex:
        make: Callable[[Ids, Vectors, Offsets | None], VectorIndex] = getattr(self, f"_{self.kind}")
        return make(ids, vectors, offsets)

    def new_folder(self) -> Path:
        self._made += 1
        path = self.folder / str(self._made)
        path.mkdir()
        return path

    def reopened(self, index: SegmentedIndex) -> SegmentedIndex:
        """Return the index as it comes back from disk."""
        folder = self.new_folder()
        opened = SegmentedIndex.open(folder, index.save(folder, prefix="test."))
        if self.kind == "on_gpu":
            opened.use(self.gpu)
        return opened if opened.parts else SegmentedIndex(index.dim)

    def _segment(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> SegmentedIndex:
        index = SegmentedIndex(vectors.shape[1])
        index.upsert(ids, vectors, offsets)
        return index

    def _segments(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> SegmentedIndex:
        """Several flat segments, full of rows that are dead."""
        return self._grown(SegmentedIndex(vectors.shape[1]), ids, vectors, offsets)

    def _ivf(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> SegmentedIndex:
        """One inverted file, of which every list is looked through."""
        dim = vectors.shape[1]
        order = np.argsort(ids, kind="stable")
        part = [IndexPart(1, self.inverted(ids[order], vectors[order], offsets_at(offsets, order)))] if len(ids) else []
        return SegmentedIndex(dim, part)

    def _mixed(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> SegmentedIndex:
        """An inverted file with dead rows, and flat segments beside it, written and read back."""
        dim = vectors.shape[1]
        old = None if offsets is None else np.zeros(40, np.float32)
        stale = self._ivf(np.arange(40, dtype=np.int64) * 5 + 1, random_vectors(40, dim, 77), old)
        return self.reopened(self._grown(stale, ids, vectors, offsets))

    def _on_gpu(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> SegmentedIndex:
        """The same, its rows on a GPU, for which a processor stands in. What is changed later is not."""
        return self._mixed(ids, vectors, offsets)

    def _filters_only(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> ChangingIndex:
        """One of another package, which is never handed the ids that it is searched among."""
        from filters_only import FiltersOnlyIndex

        index = ChangingIndex(FiltersOnlyIndex(vectors.shape[1]))
        index.upsert(ids, vectors, offsets)
        return index

    def _grown(self, index: SegmentedIndex, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> SegmentedIndex:
        dim = vectors.shape[1]
        others = np.arange(5_000, 5_020)
        for chunk in np.array_split(np.arange(len(ids)), 3):
            index.upsert(ids[chunk], random_vectors(len(chunk), dim, 78), offsets_at(offsets, chunk))
            index.upsert(others, random_vectors(len(others), dim, 79))
        index.remove(np.setdiff1d(index.list_ids(), ids))
        for chunk in np.array_split(np.arange(len(ids)), 4):
            index.upsert(ids[chunk], vectors[chunk], offsets_at(offsets, chunk))
        return index

    def inverted(self, ids: Ids, vectors: Vectors, offsets: Offsets | None) -> IvfSegment:
        count, dim = vectors.shape
        folder = self.new_folder()
        halves = np.array_split(vectors[::-1], 2)  # rows that do not lie in the order of their ids
        for number, half in enumerate(halves):
            np.save(folder / f"{number:05d}.npy", np.ascontiguousarray(half))
        places = np.concatenate([(np.int64(n) << 32) | np.arange(len(half)) for n, half in enumerate(halves)])[::-1]
        width = dim if offsets is None else coded_dim(dim)
        if width not in self._trained:
            recipe = IndexRecipe(name="ivf", lists=LISTS, parts=max(width // 2, 1), training_rows=200)
            self._trained[width] = train_codes(random_vectors(200, width, 80), recipe, OPTIONS)
        codes, shards = empty_codes(self._trained[width]), ShardFiles(folder, dim)
        places = np.ascontiguousarray(places)
        add_rows(codes, places, shards, OPTIONS, coded=None if offsets is None else coded_offsets(offsets))
        everything = SearchParams(LISTS, max(count, 1))
        search_params = SearchParamsTable(
            picture_few=everything, picture_many=everything, text_few=everything, text_many=everything
        )
        return IvfSegment(ids, places, codes, shards, {"efforts": search_params.to_dict()}, offsets)


@pytest.fixture(scope="session")
def plugin(tmp_path_factory) -> Iterator[Path]:
    """Install another package with an index back end, "filters_only", and return where."""
    installed = tmp_path_factory.mktemp("installed")
    metadata = installed / "filters_only-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: filters-only\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nfilters_only = filters_only:FiltersOnlyBackend\n")
    shutil.copy(Path(__file__).with_name("plugin") / "filters_only.py", installed)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        yield installed


@pytest.fixture(scope="session", params=["segment", "segments", "ivf", "mixed", "on_gpu", "filters_only"])
def maker(request, tmp_path_factory, plugin) -> Maker:
    """Return what makes an index of one kind."""
    return Maker(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="session")
def pair(maker) -> Callable[..., tuple[NumpyIndex, VectorIndex]]:
    """Return what makes two indexes of the same vectors: the reference, and one of a kind."""

    def make(
        vectors: Vectors, image_ids: Ids | None = None, offsets: Offsets | None = None
    ) -> tuple[NumpyIndex, VectorIndex]:
        image_ids = np.arange(1, len(vectors) + 1) if image_ids is None else image_ids
        reference = NumpyIndex(vectors.shape[1])
        reference.upsert(image_ids, vectors, offsets)
        return reference, maker(image_ids, vectors, offsets)

    return make
