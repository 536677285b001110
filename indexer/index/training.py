"""Vectors -> codes: centroids, quantiser, and every row in its list. Rows are read a chunk at a time."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from indexer.index.codes import Codes, threads
from indexer.index.flat_segment import import_faiss
from indexer.index.options import IndexOptions
from indexer.index.recipes import Recipe
from indexer.store.shard_files import Places, ShardFiles
from models.vectors import Vectors

_log = logging.getLogger(__name__)
_SEED = 20_260
_ROUNDS = 10
_QUANTISER_ROWS = 16_384  # a part has 16 centroids
_CHUNK_BYTES = 64 * 2**20

Progress = Callable[[int, int], None]  # rows done, rows in all


def train_codes(sample: Vectors, recipe: Recipe, options: IndexOptions) -> Codes:
    """Return an empty structure trained on `sample`. The same sample gives the same structure."""
    faiss = import_faiss()
    dim = sample.shape[1]
    rotation = faiss.RandomRotationMatrix(dim, dim)
    rotation.init(_SEED)
    with threads(options.processors):
        rotated = rotation.apply(sample)
        quantizer = faiss.IndexFlatIP(dim)
        quantizer.add(_find_centroids(rotated, recipe.lists))
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
    codes: Codes, places: Places, shards: ShardFiles, options: IndexOptions, on_progress: Progress | None = None
) -> None:
    """Code the rows at `places` under the next positions."""
    step = max(min(_CHUNK_BYTES, options.memory_bytes // 4) // (4 * shards.dim), 1)
    with threads(options.processors):
        for start in range(0, len(places), step):
            codes.index.add(shards.gather(places[start : start + step]))
            if on_progress:
                on_progress(min(start + step, len(places)), len(places))


def _find_centroids(rotated: Vectors, lists: int) -> Vectors:
    faiss = import_faiss()
    settings: dict[str, Any] = {
        "niter": _ROUNDS,
        "spherical": True,
        "seed": _SEED,
        "min_points_per_centroid": 1,
        "max_points_per_centroid": max(len(rotated) // lists + 1, 1),
    }
    gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    for gpu in (True, False) if gpus else (False,):
        clustering = faiss.Kmeans(rotated.shape[1], lists, gpu=gpu, **settings)
        try:
            clustering.train(rotated)
            break
        except RuntimeError as error:
            if not gpu:
                raise
            _log.warning("Clustering on the GPU failed, so the processor does it: %s", error)
    centroids: Vectors = np.ascontiguousarray(clustering.centroids, np.float32).reshape(lists, -1)
    return centroids
