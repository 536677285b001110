"""An index back end as another package may bring it: a NumPy array, and a table of its own to evaluate filters with.

It takes filters only. Whoever hands it a list of ids instead fails the test.
"""

import sqlite3
from pathlib import Path

import numpy as np

from indexer.library.catalog.writer import Catalog
from indexer.library.index.file_damage import find_file_damage
from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.records import EncoderVectors, IndexEntry, IndexFile, IndexOptions
from indexer.library.index.self_recall import measure_self_recall
from indexer.library.vectors.shard_files import pack_places
from models.foundation.files import sha256_of


class FiltersOnlyIndex(NumpyIndex):
    """Exact search. `asked` are the filters that it was given."""

    def __init__(self, dim: int, table: Catalog | None = None) -> None:
        super().__init__(dim)
        self.table, self.asked = table, []

    def close(self) -> None:
        if self.table:
            self.table.close()

    def _among(self, where):
        if where is None:
            return super()._among(None)
        assert where.filter is not None, "this index takes no lists of ids"
        self.asked.append(where.filter)
        kept = np.isin(self._ids, self.table.ids_where(where.filter))
        return self._ids[kept], self._rows[kept]


class FiltersOnlyBackend:
    """Makes everything anew for each build."""

    takes_ids = False

    def make(self, _previous, _changes, vectors: EncoderVectors, options: IndexOptions) -> IndexEntry:
        locations, dim = vectors.locate(), vectors.store.dim
        index, bank = NumpyIndex(dim), vectors.read_bank() if options.hub_correction else None
        rows = vectors.store.gather(pack_places(locations))
        index.upsert(locations.ids, rows, bank.measure(rows) if bank else None)
        array, table = (vectors.folder / f"{vectors.encoder}-{name}" for name in ("rows.npz", "pictures.sqlite3"))
        index.save(array)
        with sqlite3.connect(vectors.catalog.path) as connection:
            connection.execute("VACUUM INTO ?", (str(table),))
        files = tuple(
            IndexFile(
                role=role,
                segment=0,
                file=path.name,
                bytes=path.stat().st_size,
                sha256=sha256_of(path),
                count=len(index),
                dim=dim,
            )
            for role, path in (("rows", array), ("pictures", table))
        )
        recall = measure_self_recall(index)
        return vectors.describe(options, recipe="array", count=len(index), files=files, self_recall=recall)

    def open(self, folder: Path, entry: IndexEntry) -> FiltersOnlyIndex:
        array, table = (folder / file.file for file in entry.files)
        index, held = FiltersOnlyIndex(entry.dim, Catalog(table)), np.load(array)
        index.upsert(held["ids"], held["vectors"], held["offsets"])
        return index

    def damage(self, folder: Path, entry: IndexEntry) -> list[str]:
        return find_file_damage(folder, entry.files)
