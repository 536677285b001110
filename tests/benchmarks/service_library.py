"""A library that the service answers from: photographs, and as many vectors as asked for that no picture has.

Photographs are indexed as everywhere. Then the catalog gets pictures with captions, names, dates and places as those
of words.py, whose vectors lie around those of ordinary queries, and a build of all is published.
"""

import random
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import words
from processes import Bench, say

from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.library.part_keys import keys_of
from indexer.library.vectors.store import VectorStore
from indexer.pipeline.publish import PublishOptions, publish
from indexer.pipeline.query_bank import read_query_bank
from models.encoders.registry import get_spec
from models.encoders.runtime import Runtime
from models.foundation.vectors import Vectors, l2_normalize

_SHARD_ROWS = 65_536
_FAR = 1.6  # how long a step away from a query is, where the query is 1 long: cosines of about a half


def ensure_large_library(bench: Bench, count: int) -> Path:
    """Return a library with the photographs of the bench, and `count` pictures that are made up."""
    data = bench.folder / f"service-{bench.pictures}-{count}"
    if data.exists():
        return data
    bench.ensure_library()
    made = data.with_name(f"{data.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(bench.library, made)
    _grow(Layout(made), count)
    made.rename(data)
    return data


def _grow(layout: Layout, count: int) -> None:
    catalog = Catalog(layout.catalog, create=True)
    (encoder,) = catalog.list_encoders()
    bank = read_query_bank(layout, encoder, Runtime())
    assert bank is not None
    store = VectorStore(layout.vectors(encoder.name), get_spec(encoder.name).dim)
    rng, chance = np.random.default_rng(0), random.Random(0)  # noqa: S311 - what is drawn is no secret
    captions = words.read_captions()
    ((last,),) = catalog._connection.execute("SELECT max((SELECT max(id) FROM images), (SELECT max(id) FROM contents))")
    first = last + 1
    for start in range(first, first + count, _SHARD_ROWS):
        say(f"service: {start - first} of {count} vectors")
        ids = range(start, min(start + _SHARD_ROWS, first + count))
        words.put_pictures(catalog, chance, captions, ids)
        with catalog.writing():
            owners = np.arange(ids.start, ids.stop, dtype=np.int64)
            shard = store.write(catalog.next_shard(), owners, _vectors(rng, bank.vectors, len(ids)))
            catalog.put_shard(encoder.id, shard, keys_of(owners, np.zeros_like(owners)))
    say("service: the full-text index, and the index of vectors")
    catalog.sync_named_moments(datetime.now())
    catalog.sync_texts()
    publish(layout, catalog, [encoder], PublishOptions(anew=True))
    catalog.close()


def _vectors(rng: np.random.Generator, queries: Vectors, count: int) -> Vectors:
    """Return float32 (count, dim): each a step in a random direction away from a query."""
    steps = rng.standard_normal((count, queries.shape[1]), dtype=np.float32) * (_FAR / queries.shape[1] ** 0.5)
    return l2_normalize(queries[rng.integers(0, len(queries), count)] + steps)
