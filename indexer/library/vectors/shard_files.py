"""Rows out of vector shards: few and scattered, or all of them in order, with little memory.

Rows are read, not mapped: a mapped row brings sixteen pages into memory with it, and a mapped file that is cut short
ends the process. Files stay open, so a reader outlives their names.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.library.catalog.records import Locations
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import IndexDamaged, unreadable
from models.foundation.files import ARRAY_ERRORS, sha256_of
from models.foundation.messages import os_message
from models.foundation.vectors import Vectors

Places: TypeAlias = npt.NDArray[np.int64]  # (n,), shard number * 2**32 + row

_ROW_BITS = 32
_BLOCK_BYTES = 4 * 2**20  # small enough to stay in the processor's cache between reading and multiplying


def pack_places(locations: Locations) -> Places:
    """Return where vectors lie, shard and row in one number that sorts as the files are laid out."""
    places: Places = (locations.shards << _ROW_BITS) | locations.rows
    return places


def shards_of(places: Places) -> npt.NDArray[np.int64]:
    """Return the shard of each place."""
    shards: npt.NDArray[np.int64] = places >> _ROW_BITS
    return shards


def rows_of(places: Places) -> npt.NDArray[np.int64]:
    """Return the row of each place."""
    rows: npt.NDArray[np.int64] = places & ((1 << _ROW_BITS) - 1)
    return rows


class ShardFiles:
    """The shards of one encoder in one folder, `NNNNN.npy` float32 (n, dim). Safe to use from several threads.

    `checksums` are the SHA-256 sums that are known already, by shard number; `names` are those of files that are
    named otherwise.
    """

    def __init__(
        self,
        folder: Path,
        dim: int,
        *,
        checksums: Mapping[int, str] | None = None,
        names: Mapping[int, str] | None = None,
    ) -> None:
        self.folder, self.dim = folder, dim
        self.checksums = dict(checksums or {})
        self._names = names or {}
        self._lock = threading.Lock()
        self._open: dict[int, _ShardFile] = {}

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / self._names.get(number, f"{number:05d}.npy")

    def count(self, number: int) -> int:
        """Return how many rows a shard has. Raises IndexDamaged."""
        return self._file(number).rows

    def checksum(self, number: int) -> str:
        """Return the SHA-256 of a shard's file, hex; it is worked out where it is not known. Raises IndexDamaged."""
        if number not in self.checksums:
            self._file(number)
            self.checksums[number] = sha256_of(self.path(number))
        return self.checksums[number]

    def check(self, places: Places) -> None:
        """Open the files of `places`. Raises IndexDamaged if a file or a row is missing."""
        shards, rows = shards_of(places), rows_of(places)
        for number in np.unique(shards).tolist():
            if rows[shards == number].max() >= self.count(number):
                raise self._damaged(number, DamageKind.ROWS_MISSING)

    def gather(self, places: Places) -> Vectors:
        """Return `float32 (n, dim)`, read-only, one row for each place. Raises IndexDamaged."""
        if not len(places):
            return np.empty((0, self.dim), np.float32)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(places) != 1) + 1])  # neighbours are read at one go
        lengths = np.diff(starts, append=len(places))
        first = places[starts]
        row_bytes = 4 * self.dim
        files = {number: self._file(number) for number in np.unique(shards_of(first)).tolist()}
        data = b"".join(
            [
                os.pread(files[shard].descriptor, size, files[shard].offset + start)
                for shard, start, size in zip(
                    shards_of(first).tolist(),
                    (rows_of(first) * row_bytes).tolist(),
                    (lengths * row_bytes).tolist(),
                    strict=True,
                )
            ]
        )
        if len(data) != len(places) * row_bytes:
            raise self._damaged(int(shards_of(places[-1:])[0]), DamageKind.ROWS_MISSING)
        return np.frombuffer(data, np.float32).reshape(-1, self.dim)

    def blocks(self, number: int) -> Iterator[tuple[int, Vectors]]:
        """Yield (first row, vectors) through a whole shard; each block is gone with the next. Raises IndexDamaged."""
        file = self._file(number)
        step = max(_BLOCK_BYTES // (4 * self.dim), 1)
        buffer = np.empty((min(step, file.rows), self.dim), np.float32)
        for start in range(0, file.rows, step):
            block = buffer[: min(step, file.rows - start)]
            read = os.preadv(file.descriptor, [block.data.cast("B")], file.offset + start * 4 * self.dim)
            if read != block.nbytes:
                raise self._damaged(number, DamageKind.ROWS_MISSING)
            yield start, block

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._open.clear()

    def _file(self, number: int) -> "_ShardFile":
        found = self._open.get(number)
        if found is not None:
            return found
        with self._lock:
            if number not in self._open:
                try:
                    self._open[number] = _ShardFile(self.path(number), self.dim)
                except OSError as error:
                    damage = Damage(self.path(number), DamageKind.FAILING, why=os_message(error))
                    raise unreadable(error, damage, command="xuntu index update") from error
                except ARRAY_ERRORS as error:
                    raise self._damaged(number, DamageKind.UNREADABLE) from error
            return self._open[number]

    def _damaged(self, number: int, kind: DamageKind) -> IndexDamaged:
        return _damaged(Damage(self.path(number), kind))


def _damaged(damage: Damage) -> IndexDamaged:
    return IndexDamaged(damage, command="xuntu index update")


class _ShardFile:
    """One open file. Closed when nobody reads it any more."""

    def __init__(self, path: Path, dim: int) -> None:
        """Open and check. Raises IndexDamaged, or one of ARRAY_ERRORS."""
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise _damaged(Damage(path, DamageKind.UNKNOWN_FORMAT, found=str(version)))
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            self.offset = file.tell()
            size = os.fstat(file.fileno()).st_size
            if fortran or dtype != np.float32 or len(shape) != 2 or shape[1] != dim:
                found, wanted = f"{dtype} {shape}", f"float32 (n, {dim})"
                raise _damaged(Damage(path, DamageKind.OTHER_CONTENT, found=found, expected=wanted))
            expected = self.offset + 4 * shape[0] * dim
            if size != expected:
                raise _damaged(Damage(path, DamageKind.OTHER_SIZE, found=size, expected=expected))
            self.rows = int(shape[0])
            self.descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)
