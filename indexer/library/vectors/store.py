"""Vectors on disk: shards that are written once and never changed, so that an index can be made again from them.

A shard is a pair of .npy files: NNNNN.npy float32 (n, dim) and NNNNN.ids.npy int64 (n,), the ids of the contents
whose vectors they are, of the whole or of a part.
The catalog vouches for the shards that count; others are leftovers of an interrupted run.
"""

import io
from pathlib import Path

import numpy as np

from indexer.library.catalog.records import Locations, Shard
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import IndexDamaged, LibraryUnwritable, unreadable
from models.foundation.files import ARRAY_ERRORS, replace_file, sha256_of
from models.foundation.messages import os_message
from models.foundation.vectors import Ids, Vectors, check_vectors


class VectorStore:
    """The shards of one encoder in one folder."""

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder = folder
        self.dim = dim

    def write(self, number: int, ids: Ids, vectors: Vectors) -> Shard:
        """Write a shard durably. Raises LibraryUnwritable or InvalidVectors."""
        check_vectors(vectors, self.dim)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path, array in ((self._ids_path(number), ids), (self._path(number), vectors)):
                buffer = io.BytesIO()
                np.save(buffer, array, allow_pickle=False)
                replace_file(path, buffer.getvalue())
        except OSError as error:
            raise LibraryUnwritable(self.folder, os_message(error)) from error
        return Shard(
            number=number,
            rows=len(ids),
            sha256=sha256_of(self._path(number)),
            ids_sha256=sha256_of(self._ids_path(number)),
            checked=self.stamp(number),
        )

    def read(self, number: int) -> Vectors:
        """Map a shard. Raises IndexDamaged."""
        path = self._path(number)
        try:
            vectors: Vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except ARRAY_ERRORS as error:
            raise unreadable(error, Damage(path, DamageKind.UNREADABLE), command="xuntu index update") from error
        if vectors.ndim != 2 or vectors.shape[1] != self.dim or vectors.dtype != np.float32:
            found, expected = f"{vectors.dtype} {vectors.shape}", f"float32 (n, {self.dim})"
            damage = Damage(path, DamageKind.OTHER_CONTENT, found=found, expected=expected)
            raise IndexDamaged(damage, command="xuntu index update")
        return vectors

    def gather(self, locations: Locations) -> Vectors:
        """Return `float32 (n, dim)`, one row for each location. Raises IndexDamaged."""
        vectors = np.empty((len(locations.ids), self.dim), np.float32)
        for number in np.unique(locations.shards):
            chosen = locations.shards == number
            shard, rows = self.read(int(number)), locations.rows[chosen]
            if rows.max() >= len(shard):
                damage = Damage(self._path(int(number)), DamageKind.ROWS_MISSING)
                raise IndexDamaged(damage, command="xuntu index update")
            vectors[chosen] = shard[rows]
        return vectors

    def find_damage(self, shard: Shard) -> Damage | None:
        """Return what is wrong with a shard's files, or None."""
        for path, expected in (
            (self._path(shard.number), shard.sha256),
            (self._ids_path(shard.number), shard.ids_sha256),
        ):
            if not path.is_file():
                return Damage(path, DamageKind.MISSING)
            if sha256_of(path) != expected:
                return Damage(path, DamageKind.CHANGED)
        return None

    def stamp(self, number: int) -> str:
        """Return what tells whether a shard's files have been touched: their sizes and times; "" if one is missing."""
        try:
            found = [path.stat() for path in (self._path(number), self._ids_path(number))]
        except OSError:
            return ""
        return " ".join(f"{info.st_size}:{info.st_mtime_ns}" for info in found)

    def delete_all_but(self, shards: list[Shard]) -> None:
        """Delete the files of every other shard. Raises LibraryUnwritable."""
        kept = {path for shard in shards for path in (self._path(shard.number), self._ids_path(shard.number))}
        try:
            for path in self.folder.glob("*"):
                if path not in kept and not path.is_dir():  # a NAS keeps folders of its own everywhere
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise LibraryUnwritable(self.folder, os_message(error)) from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:05d}.npy"

    def _ids_path(self, number: int) -> Path:
        return self.folder / f"{number:05d}.ids.npy"
