"""Vectors -> codes: centroids, quantiser, and every row in its list. Rows are read a chunk at a time.

A GPU finds the nearest centroid of each row, for k-means and for the lists. The rest is the processor's: FAISS has no
4-bit codes on a GPU, and coding a row is a small part of the work.
"""

import logging
from collections.abc import Callable
from typing import Any

from indexer.library.index.faiss.codes import Codes, threads
from indexer.library.index.faiss.construction.recipes import IndexRecipe
from indexer.library.index.faiss.flat import import_faiss
from indexer.library.index.faiss.gpu import Gpu, failure
from indexer.library.index.hub_offsets import with_column
from indexer.library.index.records import IndexOptions
from indexer.library.vectors.query_bank import Offsets
from indexer.library.vectors.shard_files import Places, ShardFiles
from models.foundation.vectors import Vectors

_log = logging.getLogger(__name__)
_SEED = 20_260
_ROUNDS = 10
_QUANTISER_ROWS = 16_384  # a part has 16 centroids
_CHUNK_BYTES, _CHUNK_ROWS = 64 * 2**20, 65_536  # FAISS adds so many rows at once: where it fails, none of them

Progress = Callable[[int, int], None]  # rows done, rows in all


def train_codes(sample: Vectors, recipe: IndexRecipe, options: IndexOptions, gpu: Gpu | None = None) -> Codes:
    """Return an empty structure trained on `sample`, vectors or vectors with their coded offset (see hub_offsets.py).

    The same sample gives the same structure, without a GPU.
    """
    faiss = import_faiss()
    dim = sample.shape[1]
    rotation = faiss.RandomRotationMatrix(dim, dim)
    rotation.init(_SEED)
    with threads(options.processors):
        rotated = rotation.apply(sample)
        quantizer = faiss.IndexFlatIP(dim)
        quantizer.add(_find_centroids(rotated, recipe.lists, gpu))
        ivf = faiss.IndexIVFPQFastScan(quantizer, dim, recipe.lists, recipe.parts, 4, faiss.METRIC_INNER_PRODUCT)
        ivf.pq.cp.seed = _SEED
        ivf.pq.cp.min_points_per_centroid = 1
    with threads(1):  # parts are so small that threads would mostly wait for one another
        ivf.train(rotated[:_QUANTISER_ROWS])
    chain = faiss.IndexPreTransform(ivf)
    chain.prepend_transform(rotation)
    return copy_codes(Codes(chain))  # the copy owns its parts


def copy_codes(codes: Codes) -> Codes:
    """Return the same structure with the same rows."""
    faiss = import_faiss()
    return Codes(faiss.deserialize_index(faiss.serialize_index(codes.index)))


def empty_codes(codes: Codes) -> Codes:
    """Return the same trained structure without rows."""
    copy = copy_codes(codes)
    copy.index.reset()
    return copy


def add_rows(
    codes: Codes,
    places: Places,
    shards: ShardFiles,
    options: IndexOptions,
    on_progress: Progress | None = None,
    gpu: Gpu | None = None,
    *,
    coded: Offsets | None = None,
) -> None:
    """Code the rows at `places` under the next positions; `coded` are their coded offsets, if codes stand for these."""
    step = min(max(min(_CHUNK_BYTES, options.memory_bytes // 4) // (4 * shards.dim), 1), _CHUNK_ROWS)
    with threads(options.processors):
        centroids = None if gpu is None else _copy_centroids(codes, gpu)
        for start in range(0, len(places), step):
            rows = shards.gather(places[start : start + step])
            if coded is not None:
                rows = with_column(rows, coded[start : start + step], int(codes.index.d))
            if gpu is None or centroids is None or not _add_through(codes, rows, centroids, gpu):
                centroids = None
                codes.index.add(rows)
            if on_progress:
                on_progress(min(start + step, len(places)), len(places))


def _copy_centroids(codes: Codes, gpu: Gpu) -> Any:
    """Return an index of the centroids on a GPU, or None where it fails."""
    try:
        index = gpu.make_index(int(codes.index.d))
        index.add(codes.ivf.quantizer.reconstruct_n(0, codes.lists))
    except RuntimeError as error:
        _log.warning("%s", failure(gpu.name, error))
        return None
    return index


def _add_through(codes: Codes, rows: Vectors, centroids: Any, gpu: Gpu) -> bool:
    """Add rows, whose lists are chosen by an index of the centroids on a GPU; False if it fails, and none is added."""
    own = codes.ivf.quantizer
    codes.ivf.quantizer = centroids
    try:
        codes.index.add(rows)
    except RuntimeError as error:
        _log.warning("%s", failure(gpu.name, error))
        return False
    finally:
        codes.ivf.quantizer = own
        centroids.thisown = True  # FAISS had taken it over
    return True


def _find_centroids(rotated: Vectors, lists: int, gpu: Gpu | None) -> Vectors:
    dim = rotated.shape[1]
    if gpu is not None:
        try:
            return _cluster(rotated, lists, gpu.make_index(dim))
        except RuntimeError as error:
            _log.warning("%s", failure(gpu.name, error))
    return _cluster(rotated, lists, import_faiss().IndexFlatIP(dim))


def _cluster(rotated: Vectors, lists: int, index: Any) -> Vectors:
    """Return centroids by spherical k-means; `index` finds the nearest one, wherever it lies."""
    faiss = import_faiss()
    parameters = faiss.ClusteringParameters()
    parameters.niter, parameters.spherical, parameters.seed = _ROUNDS, True, _SEED
    parameters.min_points_per_centroid = 1
    parameters.max_points_per_centroid = max(len(rotated) // lists + 1, 1)
    clustering = faiss.Clustering(rotated.shape[1], lists, parameters)
    clustering.train(rotated, index)
    centroids: Vectors = faiss.vector_to_array(clustering.centroids).reshape(lists, -1)
    return centroids
