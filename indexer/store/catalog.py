"""The catalog: one SQLite file that says which pictures there are, and where their vectors lie.

A picture (`images`) is a file at a path; its content (`contents`) is what the bytes hold. Files with the same bytes
share a content, and a content has one vector. Ids of both are never given twice.

Paths are kept as the bytes the file system has, so a name that is not valid UTF-8 survives a round trip;
Python sees such bytes as surrogates.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import numpy as np

from indexer.colours import Colour, colour_mask
from indexer.errors import IndexMismatch
from indexer.perceptual import Looks
from indexer.store.filters import Filter
from indexer.store.records import (
    NOWHERE,
    ImageFacts,
    ImageFile,
    ImageRow,
    IndexChanges,
    KnownFile,
    Locations,
    Root,
    Shard,
    StoredEncoder,
    place_of,
)
from indexer.store.texts import TextDatabase
from models.vectors import Ids

_LOOKS = "SELECT images.id, content_id, phash, colours FROM images JOIN contents ON contents.id = content_id"


class Catalog(TextDatabase):
    """What the library's database holds, in the product's words."""

    # Roots and encoders

    def list_roots(self) -> list[Root]:
        """Return the roots of the library in the order they were added."""
        return [
            Root(
                id=row[0],
                path=Path(row[1]),
                kind=row[2],
                include=tuple(json.loads(row[3])),
                exclude=tuple(json.loads(row[4])),
                hidden=bool(row[5]),
                mounts=tuple(_unquoted(name) for name in json.loads(row[6])),
                columns=json.loads(row[7]),
            )
            for row in self._query(
                "SELECT id, path, kind, include, exclude, hidden, mounts, columns FROM roots ORDER BY id"
            )
        ]

    def put_root(
        self,
        path: Path,
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        hidden: bool,
        kind: str = "folder",
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Add a root, or change how it is scanned."""
        patterns = json.dumps(list(include)), json.dumps(list(exclude))
        self._connection.execute(
            "INSERT INTO roots (path, kind, include, exclude, hidden, columns) VALUES (CAST(? AS TEXT), ?, ?, ?, ?, ?) "
            "ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, include = excluded.include, "
            "exclude = excluded.exclude, hidden = excluded.hidden, columns = excluded.columns",
            (_raw(str(path)), kind, *patterns, int(hidden), json.dumps(dict(columns or {}))),
        )

    def put_mounts(self, root: Root, mounts: Sequence[str]) -> None:
        """Record the folders of a root at which other drives are mounted."""
        if tuple(mounts) != root.mounts:
            quoted = json.dumps([quote(os.fsencode(name)) for name in mounts])
            self._connection.execute("UPDATE roots SET mounts = ? WHERE id = ?", (quoted, root.id))

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

    def begin_reencoding(self, name: str, fingerprint: str) -> None:
        """Drop all vectors, so that every picture is encoded again, if that is not under way already.

        The library may have had another encoder before. Builds keep their own vectors, and go on answering.
        """
        if self.get_meta("reencoding") == fingerprint:
            return
        for number in [row[0] for row in self._query("SELECT id FROM encoders")]:
            self.drop_shards(number, [shard.number for shard in self.list_shards(number)])
            self._connection.execute("DELETE FROM encoders WHERE id = ?", (number,))
        self._connection.execute("INSERT INTO encoders (name, fingerprint) VALUES (?, ?)", (name, fingerprint))
        self.put_meta("reencoding", fingerprint)

    def end_reencoding(self) -> None:
        """Record that every picture has been encoded again."""
        with self.writing():
            self.put_meta("reencoding", "")

    # Generations

    def generation(self) -> int:
        """Return a number that grows whenever an index made of the catalog would come out different."""
        return int(self._query("SELECT value FROM meta WHERE key = 'generation'")[0][0])

    def changes_since(self, generation: int, encoder_id: int) -> IndexChanges:
        """Return what an index made at `generation` has to follow; nothing else has changed."""
        rows = self._query(
            "SELECT images.id, status = 'indexed' AND shard IS NOT NULL, shard, vectors.row FROM images "
            "LEFT JOIN vectors ON vectors.content_id = images.content_id AND encoder_id = ? "
            "WHERE generation > ? ORDER BY +images.id",  # +: by the index on generations
            (encoder_id, generation),
        )
        touched = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return IndexChanges(touched, Locations.of([(row[0], row[2], row[3]) for row in rows if row[1]]))

    def _next_generation(self) -> int:
        ((value,),) = self._connection.execute(
            "UPDATE meta SET value = value + 1 WHERE key = 'generation' RETURNING value"
        ).fetchall()
        return int(value)

    # Pictures: writing

    def known_files(self, root: Root, encoder_id: int, paths: Sequence[str] | None = None) -> dict[str, KnownFile]:
        """Return path -> what was last seen there, for every file ever seen below `root`.

        With `paths`, only for those, and for what lies below those of them that are folders.
        """
        if paths is None:
            return self._known_files(root, encoder_id, "1", ())
        found: dict[str, KnownFile] = {}
        for path in paths:
            raw = _raw(path)
            below = "path = CAST(? AS TEXT) OR (path >= CAST(? AS TEXT) AND path < CAST(? AS TEXT))"
            found |= self._known_files(root, encoder_id, below, (raw, raw + b"/", raw + b"0"))  # 0 comes after /
        return found

    def _known_files(
        self, root: Root, encoder_id: int, condition: str, values: Sequence[object]
    ) -> dict[str, KnownFile]:
        rows = self._query(
            "SELECT path, images.id, size, mtime_ns, status, reason, vectors.content_id IS NOT NULL, caption, tags, "
            "offset FROM images LEFT JOIN vectors ON vectors.content_id = images.content_id AND vectors.encoder_id = ? "
            f"WHERE root_id = ? AND ({condition})",
            (encoder_id, root.id, *values),
        )
        return {row[0]: KnownFile(*row[1:]) for row in rows}

    def encoded_by_size(self, sizes: Collection[int], encoder_id: int) -> Mapping[int, frozenset[str]]:
        """Return size -> checksums of the files of that size whose content has a vector, for each of `sizes`."""
        found: dict[int, set[str]] = {}
        with self._lock:
            self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS sizes (size INTEGER PRIMARY KEY)")
            self._connection.execute("DELETE FROM sizes")
            self._connection.executemany("INSERT OR IGNORE INTO sizes VALUES (?)", ((size,) for size in sizes))
            rows = self._query(
                "SELECT images.size, sha256 FROM images JOIN sizes ON sizes.size = images.size "
                "JOIN vectors ON vectors.content_id = images.content_id AND encoder_id = ? "
                "JOIN contents ON contents.id = images.content_id",
                (encoder_id,),
            )
        for size, sha256 in rows:
            found.setdefault(size, set()).add(sha256)
        return {size: frozenset(checksums) for size, checksums in found.items()}

    def put_content(self, facts: ImageFacts) -> int:
        """Return the id of what is in a file, entering it the first time it is seen."""
        ((content_id,),) = self._connection.execute(
            "INSERT INTO contents (sha256, format, width, height, taken_at, camera, has_gps, colours, colour_mask, "
            "phash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET "
            "format = excluded.format, width = excluded.width, height = excluded.height, "
            "taken_at = excluded.taken_at, camera = excluded.camera, has_gps = excluded.has_gps, "
            "colours = excluded.colours, colour_mask = excluded.colour_mask, phash = excluded.phash RETURNING id",
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
                facts.phash,
            ),
        ).fetchall()
        return int(content_id)

    def find_content(self, sha256: str) -> int | None:
        """Return the id of a content, None if it is not known."""
        rows = self._query("SELECT id FROM contents WHERE sha256 = ?", (sha256,))
        return int(rows[0][0]) if rows else None

    def put_image(
        self, file: ImageFile, content_id: int, *, changing: Collection[int] = (), has_new_vector: bool = True
    ) -> int:
        """Record that a file is indexed and holds this content; return the picture's id.

        A picture keeps its id when its file has been moved or renamed: it is found by its content, among those whose
        file is gone and those in `changing`, whose file now holds something else.
        """
        here = self._connection.execute(
            "SELECT id, content_id, status FROM images WHERE root_id = ? AND path = CAST(? AS TEXT)",
            (file.root_id, _raw(file.path)),
        ).fetchone()
        if here and here[1:] == (content_id, "indexed") and not has_new_vector:
            self.put_seen([(here[0], file)])  # touched, or another caption: nothing that an index holds
            return int(here[0])
        moved = None
        if not here or here[1] != content_id:
            moved = self._find_moved(content_id, changing, here and here[0])
        if moved is not None:
            self._move(moved, file, here and here[0])
        image_id = moved or (here and here[0]) or self._insert(file)
        self.put_seen([(image_id, file)])
        self._connection.execute(
            "UPDATE images SET status = 'indexed', reason = NULL, detail = NULL, content_id = ?, generation = ? "
            "WHERE id = ?",
            (content_id, self._next_generation(), image_id),
        )
        return int(image_id)

    def put_seen(self, files: Iterable[tuple[int, ImageFile]]) -> None:
        """Record new times, captions and tags of pictures whose content is what it was."""
        self._connection.executemany(
            "UPDATE images SET size = ?, mtime_ns = ?, offset = ?, caption = ?, tags = ? WHERE id = ?",
            ((f.size, f.mtime_ns, f.offset, f.caption, f.tags, image_id) for image_id, f in files),
        )

    def _find_moved(self, content_id: int, changing: Collection[int], here: int | None) -> int | None:
        """Return the picture that held this content and has lost its file to something else, if there is one."""
        gone = self._connection.execute(
            "SELECT min(id) FROM images WHERE content_id = ? AND status = 'removed'", (content_id,)
        ).fetchone()[0]
        if gone is not None:
            return int(gone)
        if not changing:
            return None
        rows = self._connection.execute(
            "SELECT id FROM images WHERE content_id = ? AND status = 'indexed' ORDER BY id LIMIT 1000", (content_id,)
        )
        return next((int(row[0]) for row in rows if row[0] in changing and row[0] != here), None)

    def _move(self, image_id: int, file: ImageFile, here: int | None) -> None:
        """Give a picture the path of `file`; the picture that was there, if any, goes where this one was."""
        root_id, path, status = self._connection.execute(
            "SELECT root_id, CAST(path AS BLOB), status FROM images WHERE id = ?", (image_id,)
        ).fetchone()
        place = "UPDATE images SET root_id = ?, path = CAST(? AS TEXT) WHERE id = ?"
        if here is not None:
            self._connection.execute(place, (root_id, b"\0%d" % here, here))
        self._connection.execute(place, (file.root_id, _raw(file.path), image_id))
        if here is not None:
            self._connection.execute(place, (root_id, path, here))
            self._connection.execute(
                "UPDATE images SET size = ?, status = CASE WHEN ? = 'removed' THEN 'removed' ELSE status END, "
                "generation = ? WHERE id = ?",
                (NOWHERE, status, self._next_generation(), here),
            )

    def _insert(self, file: ImageFile) -> int:
        cursor = self._connection.execute(
            "INSERT INTO images (root_id, path, size, mtime_ns, offset, status) "
            "VALUES (?, CAST(? AS TEXT), ?, ?, ?, 'failed')",
            (file.root_id, _raw(file.path), file.size, file.mtime_ns, file.offset),
        )
        return int(cursor.lastrowid or 0)

    def put_failure(self, file: ImageFile, reason: str, detail: str) -> int:
        """Record why a file is not indexed; return the picture's id."""
        detail = detail.encode("utf-8", "replace").decode()
        changed = self._connection.execute(
            "UPDATE images SET size = ?, mtime_ns = ?, status = 'failed', reason = ?, detail = ?, generation = ? "
            "WHERE root_id = ? AND path = CAST(? AS TEXT) RETURNING id",
            (file.size, file.mtime_ns, reason, detail, self._next_generation(), file.root_id, _raw(file.path)),
        ).fetchone()
        if changed:
            return int(changed[0])
        image_id = self._insert(file)
        self._connection.execute("UPDATE images SET reason = ?, detail = ? WHERE id = ?", (reason, detail, image_id))
        return image_id

    def put_removed(self, image_ids: Iterable[int]) -> None:
        """Record that files are gone. Their vectors stay, for when they come back."""
        self._put_status("removed", image_ids)

    def put_returned(self, image_ids: Iterable[int]) -> None:
        """Record that files which were gone are back, unchanged and with their vectors."""
        self._put_status("indexed", image_ids)

    def _put_status(self, status: str, image_ids: Iterable[int]) -> None:
        generation = self._next_generation()
        self._connection.executemany(
            "UPDATE images SET status = ?, generation = ? WHERE id = ?",
            ((status, generation, image_id) for image_id in image_ids),
        )

    # Vectors

    def list_shards(self, encoder_id: int) -> list[Shard]:
        """Return the shards of an encoder in ascending order."""
        rows = self._query(
            "SELECT number, rows, sha256, ids_sha256, checked FROM shards WHERE encoder_id = ? ORDER BY number",
            (encoder_id,),
        )
        return [Shard(number=row[0], rows=row[1], sha256=row[2], ids_sha256=row[3], checked=row[4]) for row in rows]

    def next_shard(self) -> int:
        """Return a number no shard has had; builds keep files of shards that are gone."""
        ((value,),) = self._connection.execute(
            "UPDATE meta SET value = value + 1 WHERE key = 'next_shard' RETURNING value"
        ).fetchall()
        return int(value) - 1

    def put_shard(self, encoder_id: int, shard: Shard, content_ids: Sequence[int]) -> None:
        """Record a shard; row n of it is from now on the vector of `content_ids[n]`."""
        self._connection.execute(
            "INSERT INTO shards (encoder_id, number, rows, sha256, ids_sha256, checked) VALUES (?, ?, ?, ?, ?, ?)",
            (encoder_id, shard.number, shard.rows, shard.sha256, shard.ids_sha256, shard.checked),
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
            ((encoder_id, content_id, shard.number, row) for row, content_id in enumerate(content_ids)),
        )

    def put_vectors_changed(self, content_ids: Iterable[int]) -> None:
        """Have indexes look again at every picture that holds one of these contents."""
        generation = self._next_generation()
        self._connection.executemany(
            "UPDATE images SET generation = ? WHERE content_id = ? AND status = 'indexed'",
            ((generation, content_id) for content_id in content_ids),
        )

    def put_checked(self, encoder_id: int, number: int, stamp: str) -> None:
        """Record what a shard's files looked like when they were last read in full."""
        self._connection.execute(
            "UPDATE shards SET checked = ? WHERE encoder_id = ? AND number = ?", (stamp, encoder_id, number)
        )

    def forget_checks(self) -> None:
        """Have the next run read every shard in full, and make an index of everything."""
        self._connection.execute("UPDATE shards SET checked = ''")
        self.start_indexes_anew()

    def start_indexes_anew(self) -> None:
        """Have no index be made of an earlier one: it could not be told all that has changed since."""
        self.put_meta("anew_since", str(self._next_generation()))

    def takes_over(self, generation: int) -> bool:
        """Say whether an index made at `generation` can be brought up to date."""
        return int(self.get_meta("anew_since") or 0) <= generation <= self.generation()

    def drop_shards(self, encoder_id: int, numbers: Sequence[int]) -> None:
        """Forget shards, and the vectors that lie in them."""
        for number in numbers:
            self._connection.execute(
                "UPDATE images SET generation = ? WHERE content_id IN "
                "(SELECT content_id FROM vectors WHERE encoder_id = ? AND shard = ?)",
                (self._next_generation(), encoder_id, number),
            )
            self._connection.execute("DELETE FROM vectors WHERE encoder_id = ? AND shard = ?", (encoder_id, number))
            self.drop_empty_shards(encoder_id, [number])

    def drop_empty_shards(self, encoder_id: int, numbers: Sequence[int]) -> None:
        """Forget shards in which no vector lies any more."""
        for number in numbers:
            self._connection.execute("DELETE FROM shards WHERE encoder_id = ? AND number = ?", (encoder_id, number))

    def locations(self, encoder_id: int) -> Locations:
        """Return where the vectors of all indexed pictures lie, by image id."""
        return Locations.of(
            self._query(
                "SELECT images.id, shard, row FROM images JOIN vectors ON vectors.content_id = images.content_id "
                "WHERE encoder_id = ? AND status = 'indexed' ORDER BY images.id",
                (encoder_id,),
            )
        )

    def content_locations(self, encoder_id: int) -> Locations:
        """Return where the vectors of all contents lie, by content id."""
        return Locations.of(
            self._query(
                "SELECT content_id, shard, row FROM vectors WHERE encoder_id = ? ORDER BY content_id", (encoder_id,)
            )
        )

    def count_indexed(self, root: Root) -> int:
        """Return how many pictures of a root are indexed."""
        ((count,),) = self._query("SELECT count(*) FROM images WHERE root_id = ? AND status = 'indexed'", (root.id,))
        return int(count)

    def count_without_vector(self, encoder_id: int) -> int:
        """Return how many pictures are indexed and have no vector, which no crash leaves behind."""
        ((count,),) = self._query(
            "SELECT count(*) FROM images LEFT JOIN vectors "
            "ON vectors.content_id = images.content_id AND encoder_id = ? "
            "WHERE status = 'indexed' AND vectors.content_id IS NULL",
            (encoder_id,),
        )
        return int(count)

    def forget_removed(self, encoder_id: int) -> int:
        """Forget the pictures whose files are gone, and contents and vectors nobody has; return how many pictures."""
        forgotten = self._connection.execute("DELETE FROM images WHERE status = 'removed'").rowcount
        unused = "NOT IN (SELECT content_id FROM images WHERE content_id IS NOT NULL)"
        self._connection.execute(f"DELETE FROM vectors WHERE encoder_id = ? AND content_id {unused}", (encoder_id,))
        self._connection.execute(f"DELETE FROM contents WHERE id {unused}")
        self.start_indexes_anew()
        return forgotten

    def list_checksums(self) -> set[str]:
        """Return the checksums of all contents."""
        return {row[0] for row in self._query("SELECT sha256 FROM contents")}

    # Pictures: reading

    def get_images(self, image_ids: Sequence[int]) -> dict[int, ImageRow]:
        """Return id -> picture for those of `image_ids` that have ever been indexed."""
        found: dict[int, ImageRow] = {}
        for start in range(0, len(image_ids), 500):
            chunk = [int(image_id) for image_id in image_ids[start : start + 500]]
            rows = self._query(
                "SELECT images.id, content_id, roots.path, kind, images.path, size, mtime_ns, status, offset, caption, "
                "tags, sha256, format, width, height, taken_at, camera, has_gps, colours, phash FROM images "
                "JOIN roots ON roots.id = root_id JOIN contents ON contents.id = content_id "
                f"WHERE images.id IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
            found.update((row[0], _image_row(row)) for row in rows)
        return found

    def get_looks(self, image_ids: Sequence[int]) -> Looks:
        """Return what those of `image_ids` that have ever been indexed look like, in their order."""
        found: dict[int, Any] = {}
        for start in range(0, len(image_ids), 500):
            chunk = [int(image_id) for image_id in image_ids[start : start + 500]]
            rows = self._query(f"{_LOOKS} WHERE images.id IN ({', '.join('?' * len(chunk))})", chunk)
            found.update((row[0], row) for row in rows)
        return Looks.of([found[int(image_id)] for image_id in image_ids if int(image_id) in found])

    def list_looks(self) -> Looks:
        """Return what all indexed pictures look like, those first that are most worth keeping.

        That is: the one with more pixels, then the larger file, then the one taken (or else written) first.
        """
        return Looks.of(
            self._query(
                f"{_LOOKS} WHERE status = 'indexed' ORDER BY width * height DESC, size DESC, "
                "coalesce(taken_at, strftime('%Y-%m-%dT%H:%M:%S', mtime_ns / 1000000000, 'unixepoch')), "
                "mtime_ns, images.id"
            )
        )

    def ids_where(self, where: Filter) -> Ids:
        """Return the ids of the pictures that satisfy `where`, ascending."""
        condition, values = where.to_sql()
        rows = self._query(
            f"SELECT images.id FROM images JOIN contents ON contents.id = content_id WHERE {condition} ORDER BY 1",
            values,
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def list_failures(self) -> list[tuple[str, str, str]]:
        """Return (place, reason, detail) of every file that is not indexed because it could not be used."""
        rows = self._query(
            "SELECT kind, roots.path, images.path, reason, detail FROM images JOIN roots ON roots.id = root_id "
            "WHERE status = 'failed' ORDER BY roots.id, images.path"
        )
        return [(place_of(row[0], _folder(row[1]), row[2]), row[3], row[4] or "") for row in rows]

    def counts(self) -> dict[str, int]:
        """Return status -> number of pictures."""
        rows = self._query("SELECT status, count(*) FROM images GROUP BY status")
        return {"indexed": 0, "failed": 0, "removed": 0} | dict(rows)

    def formats(self) -> dict[str, int]:
        """Return format -> number of indexed pictures, most first."""
        return dict(
            self._query(
                "SELECT format, count(*) FROM images JOIN contents ON contents.id = content_id "
                "WHERE status = 'indexed' GROUP BY format ORDER BY 2 DESC, 1"
            )
        )


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _unquoted(name: str) -> str:
    return os.fsdecode(unquote_to_bytes(name))


_folder = lru_cache(Path)  # there are few roots, and a Path is slow to make


def _image_row(row: Sequence[Any]) -> ImageRow:
    return ImageRow(
        id=row[0],
        content_id=row[1],
        root=_folder(row[2]),
        kind=row[3],
        path=row[4],
        size=row[5],
        mtime_ns=row[6],
        status=row[7],
        offset=row[8],
        caption=row[9],
        tags=row[10],
        sha256=row[11],
        format=row[12],
        width=row[13],
        height=row[14],
        taken_at=row[15],
        camera=row[16],
        has_gps=bool(row[17]),
        colours=tuple(Colour(name=c[0], hex=c[1], share=c[2]) for c in json.loads(row[18])),
        phash=row[19],
    )
