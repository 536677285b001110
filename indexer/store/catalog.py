"""The catalog: one SQLite file that says which pictures there are, and where their vectors lie.

Paths are kept as the bytes the file system has, so a name that is not valid UTF-8 survives a round trip;
Python sees such bytes as surrogates.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from indexer.colours import Colour, colour_mask
from indexer.errors import CatalogCorrupt, CatalogTooNew, IndexMismatch, IndexUnavailable, LibraryUnwritable, NoIndex
from indexer.store.filters import Filter
from indexer.store.migrations import SCRIPTS
from models.vectors import Ids


@dataclass(frozen=True, slots=True)
class StoredEncoder:
    """The encoder that a library was built with. Whether it is the one on this machine is not asked here."""

    id: int
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A folder of the library and how it is scanned; the patterns are those of .gitignore files."""

    id: int
    path: Path
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the catalog last saw of a file. `encoded`: its vector is there."""

    id: int
    size: int
    mtime_ns: int
    status: str
    reason: str | None
    encoded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What is in a picture file. `sha256` is of the file, hex; width and height are those of the upright picture."""

    sha256: str
    format: str
    width: int
    height: int
    taken_at: str | None
    camera: str | None
    has_gps: bool
    colours: tuple[Colour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow(ImageFacts):
    """A picture as the catalog knows it. `path` is below `root`; size in bytes."""

    id: int
    root: Path
    path: str
    size: int
    mtime_ns: int
    status: str

    @property
    def file(self) -> Path:
        """Where the picture is."""
        return self.root / self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A vector shard that the catalog vouches for."""

    number: int
    rows: int
    sha256: str
    ids_sha256: str


@dataclass(frozen=True, slots=True)
class Locations:
    """Where the vectors of all indexed pictures lie: three arrays of one length, in ascending order of id."""

    ids: Ids
    shards: Ids
    rows: Ids

    def __getitem__(self, part: slice) -> "Locations":
        return Locations(self.ids[part], self.shards[part], self.rows[part])

    def among(self, numbers: Sequence[int]) -> "Locations":
        """Return the locations that lie in the shards `numbers`."""
        chosen = np.isin(self.shards, numbers)
        return Locations(self.ids[chosen], self.shards[chosen], self.rows[chosen])


class Catalog:
    """A connection to the catalog. Safe to use from several threads; writing is for the holder of the write lock."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise NoIndex(path.parent)
        self.path = path
        self._lock = threading.RLock()
        self._file = path.stat() if path.exists() else None
        try:
            self._connection = sqlite3.connect(
                _address(path, create=create), uri=True, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            self._connection.execute("PRAGMA foreign_keys = ON")
            if create:
                self._connection.execute("PRAGMA journal_mode = WAL")
            self._migrate(write=create)
        except sqlite3.OperationalError as error:
            raise LibraryUnwritable(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise CatalogCorrupt(path, str(error)) from error

    def is_current(self) -> bool:
        """Say whether the file at the path is still the one that was opened."""
        try:
            return self._file is not None and os.path.samestat(self._file, self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is written inside one transaction. Raises LibraryUnwritable."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise LibraryUnwritable(self.path, str(error)) from error
                raise

    # Roots and encoders

    def list_roots(self) -> list[Root]:
        """Return the folders of the library in the order they were added."""
        return [
            Root(
                id=row[0],
                path=Path(row[1]),
                include=tuple(json.loads(row[2])),
                exclude=tuple(json.loads(row[3])),
                hidden=bool(row[4]),
            )
            for row in self._query("SELECT id, path, include, exclude, hidden FROM roots ORDER BY id")
        ]

    def put_root(self, path: Path, *, include: Sequence[str], exclude: Sequence[str], hidden: bool) -> None:
        """Add a folder, or change how it is scanned."""
        self._connection.execute(
            "INSERT INTO roots (path, include, exclude, hidden) VALUES (CAST(? AS TEXT), ?, ?, ?) ON CONFLICT (path) "
            "DO UPDATE SET include = excluded.include, exclude = excluded.exclude, hidden = excluded.hidden",
            (_raw(str(path)), json.dumps(list(include)), json.dumps(list(exclude)), int(hidden)),
        )

    def encoder_id(self, name: str, fingerprint: str) -> int:
        """Return the id of the library's encoder, entering it the first time.

        Raises IndexMismatch if the library holds vectors of another encoder, or of other weights of this one.
        """
        for number, known, known_fingerprint in self._query("SELECT id, name, fingerprint FROM encoders"):
            if (known, known_fingerprint) == (name, fingerprint):
                return int(number)
            if not self.list_shards(int(number)):  # nothing has been encoded yet
                self._connection.execute(
                    "UPDATE encoders SET name = ?, fingerprint = ? WHERE id = ?", (name, fingerprint, number)
                )
                return int(number)
            raise IndexMismatch(f"{known} ({known_fingerprint})", f"{name} ({fingerprint})")
        cursor = self._connection.execute("INSERT INTO encoders (name, fingerprint) VALUES (?, ?)", (name, fingerprint))
        return int(cursor.lastrowid or 0)

    def stored_encoder(self) -> StoredEncoder | None:
        """Return the library's encoder, None before the first build."""
        return next((StoredEncoder(*row) for row in self._query("SELECT id, name, fingerprint FROM encoders")), None)

    def generation(self) -> int:
        """Return a number that grows whenever an index made of the catalog would come out different."""
        return int(self._query("SELECT value FROM meta WHERE key = 'generation'")[0][0])

    def _next_generation(self) -> None:
        self._connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    # Pictures: writing

    def known_files(self, root: Root, encoder_id: int) -> dict[str, KnownFile]:
        """Return path -> what was last seen there, for every file ever seen below `root`."""
        rows = self._query(
            "SELECT path, images.id, size, mtime_ns, status, reason, vectors.image_id IS NOT NULL FROM images "
            "LEFT JOIN vectors ON vectors.image_id = images.id AND vectors.encoder_id = ? WHERE root_id = ?",
            (encoder_id, root.id),
        )
        return {row[0]: KnownFile(row[1], row[2], row[3], row[4], row[5], bool(row[6])) for row in rows}

    def enter_file(self, root_id: int, path: str, size: int, mtime_ns: int) -> int:
        """Return the id of the file at `path`; `put_image` or `put_failure` follows in the same transaction."""
        (row,) = self._connection.execute(
            "INSERT INTO images (root_id, path, size, mtime_ns, status) VALUES (?, CAST(? AS TEXT), ?, ?, 'failed') "
            "ON CONFLICT (root_id, path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns "
            "RETURNING id",
            (root_id, _raw(path), size, mtime_ns),
        ).fetchall()
        return int(row[0])

    def put_image(self, image_id: int, facts: ImageFacts) -> None:
        """Record what is in a picture and that it is indexed."""
        self._connection.execute(
            "UPDATE images SET status = 'indexed', reason = NULL, detail = NULL, sha256 = ?, format = ?, width = ?, "
            "height = ?, taken_at = ?, camera = ?, has_gps = ?, colours = ?, colour_mask = ? WHERE id = ?",
            (
                facts.sha256,
                facts.format,
                facts.width,
                facts.height,
                facts.taken_at,
                facts.camera,
                int(facts.has_gps),
                json.dumps([[c.name, c.hex, c.share] for c in facts.colours]),
                colour_mask(tuple(c.name for c in facts.colours)),
                image_id,
            ),
        )

    def put_failure(self, image_id: int, reason: str, detail: str) -> None:
        """Record why a file is not indexed. Its earlier vector, if any, is of other content and goes."""
        if self._connection.execute("DELETE FROM vectors WHERE image_id = ?", (image_id,)).rowcount:
            self._next_generation()
        self._connection.execute(
            "UPDATE images SET status = 'failed', reason = ?, detail = ? WHERE id = ?",
            (reason, detail.encode("utf-8", "replace").decode(), image_id),
        )

    def put_removed(self, image_ids: Iterable[int]) -> None:
        """Record that files are gone. Their vectors stay, for when they come back unchanged."""
        self._connection.executemany(
            "UPDATE images SET status = 'removed' WHERE id = ?", ((image_id,) for image_id in image_ids)
        )
        self._next_generation()

    def put_returned(self, image_ids: Iterable[int]) -> None:
        """Record that files which were gone are back, unchanged and with their vectors."""
        self._connection.executemany(
            "UPDATE images SET status = 'indexed' WHERE id = ?", ((image_id,) for image_id in image_ids)
        )
        self._next_generation()

    # Vectors

    def list_shards(self, encoder_id: int) -> list[Shard]:
        """Return the shards of an encoder in ascending order."""
        rows = self._query(
            "SELECT number, rows, sha256, ids_sha256 FROM shards WHERE encoder_id = ? ORDER BY number",
            (encoder_id,),
        )
        return [Shard(number=row[0], rows=row[1], sha256=row[2], ids_sha256=row[3]) for row in rows]

    def put_shard(self, encoder_id: int, shard: Shard, ids: Sequence[int]) -> None:
        """Record a shard; row n of it is from now on the vector of `ids[n]`."""
        self._connection.execute(
            "INSERT INTO shards VALUES (?, ?, ?, ?, ?)",
            (encoder_id, shard.number, shard.rows, shard.sha256, shard.ids_sha256),
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
            ((encoder_id, image_id, shard.number, row) for row, image_id in enumerate(ids)),
        )
        self._next_generation()

    def drop_shards(self, encoder_id: int, numbers: Sequence[int]) -> None:
        """Forget shards, and the vectors that lie in them."""
        for number in numbers:
            lost = self._connection.execute(
                "DELETE FROM vectors WHERE encoder_id = ? AND shard = ?", (encoder_id, number)
            )
            if lost.rowcount:
                self._next_generation()
            self._connection.execute("DELETE FROM shards WHERE encoder_id = ? AND number = ?", (encoder_id, number))

    def locations(self, encoder_id: int, *, removed: bool = False) -> Locations:
        """Return where the vectors of the indexed pictures lie; with `removed`, those of removed ones too."""
        statuses = "('indexed', 'removed')" if removed else "('indexed')"
        rows = self._query(
            "SELECT image_id, shard, row FROM vectors JOIN images ON images.id = image_id "
            f"WHERE encoder_id = ? AND status IN {statuses} ORDER BY image_id",
            (encoder_id,),
        )
        table = np.array(rows, np.int64).reshape(-1, 3)
        return Locations(*(np.ascontiguousarray(column) for column in table.T))

    # Pictures: reading

    def get_images(self, image_ids: Sequence[int]) -> dict[int, ImageRow]:
        """Return id -> picture for those of `image_ids` that have ever been indexed."""
        found: dict[int, ImageRow] = {}
        for start in range(0, len(image_ids), 500):
            chunk = [int(image_id) for image_id in image_ids[start : start + 500]]
            rows = self._query(
                "SELECT images.id, roots.path, images.path, size, mtime_ns, status, sha256, format, width, height, "
                "taken_at, camera, has_gps, colours FROM images JOIN roots ON roots.id = root_id "
                f"WHERE sha256 IS NOT NULL AND images.id IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
            found.update((row[0], _image_row(row)) for row in rows)
        return found

    def ids_where(self, where: Filter) -> Ids:
        """Return the ids of the pictures that satisfy `where`, ascending."""
        condition, values = where.to_sql()
        rows = self._query(
            f"SELECT id FROM images WHERE sha256 IS NOT NULL AND {condition} ORDER BY id",
            values,
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def list_failures(self) -> list[tuple[Path, str, str]]:
        """Return (file, reason, detail) of every file that is not indexed because it could not be used."""
        rows = self._query(
            "SELECT roots.path, images.path, reason, detail FROM images JOIN roots ON roots.id = root_id "
            "WHERE status = 'failed' ORDER BY roots.id, images.path"
        )
        return [(Path(row[0]) / row[1], row[2], row[3] or "") for row in rows]

    def counts(self) -> dict[str, int]:
        """Return status -> number of pictures."""
        rows = self._query("SELECT status, count(*) FROM images GROUP BY status")
        return {"indexed": 0, "failed": 0, "removed": 0} | dict(rows)

    def formats(self) -> dict[str, int]:
        """Return format -> number of indexed pictures, most first."""
        return dict(
            self._query(
                "SELECT format, count(*) FROM images WHERE status = 'indexed' GROUP BY format ORDER BY 2 DESC, 1"
            )
        )

    def check(self) -> str | None:
        """Return what SQLite finds wrong with the file, or None."""
        try:
            found = "; ".join(str(row[0]) for row in self._query("PRAGMA quick_check(5)"))
        except (CatalogCorrupt, IndexUnavailable) as error:
            return str(error.__cause__)
        return None if found == "ok" else found

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                raise IndexUnavailable(self.path, str(error)) from error
            except sqlite3.DatabaseError as error:
                raise CatalogCorrupt(self.path, str(error)) from error

    def _migrate(self, *, write: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(SCRIPTS):
            raise CatalogTooNew(self.path, version, len(SCRIPTS))
        if version < len(SCRIPTS) and not write:
            raise NoIndex(self.path.parent)
        for number in range(version, len(SCRIPTS)):
            self._connection.executescript(f"BEGIN;{SCRIPTS[number]};PRAGMA user_version = {number + 1};COMMIT;")


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _address(path: Path, *, create: bool) -> str:
    """Return the URI to open. In a folder that cannot be written to, such as a read-only mount, nobody writes."""
    read_only = not create and not os.access(path.parent, os.W_OK)
    return f"file:{quote(os.fsencode(path))}" + ("?mode=ro&immutable=1" if read_only else "")


_folder = lru_cache(Path)  # there are few roots, and a Path is slow to make


def _image_row(row: Sequence[Any]) -> ImageRow:
    return ImageRow(
        id=row[0],
        root=_folder(row[1]),
        path=row[2],
        size=row[3],
        mtime_ns=row[4],
        status=row[5],
        sha256=row[6],
        format=row[7],
        width=row[8],
        height=row[9],
        taken_at=row[10],
        camera=row[11],
        has_gps=bool(row[12]),
        colours=tuple(Colour(name=c[0], hex=c[1], share=c[2]) for c in json.loads(row[13])),
    )
