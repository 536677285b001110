"""The catalog: one SQLite file that says which pictures there are, and where their vectors lie.

A picture (`images`) is a file at a path; its content (`contents`) is what the bytes hold. Files with the same bytes
share a content, and a content has one vector, and one for each of its parts (see models/pictures/parts.py). Ids of
pictures and contents are never given twice.

Paths are kept as the bytes the file system has, so a name that is not valid UTF-8 survives a round trip;
Python sees such bytes as surrogates.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from indexer.library.catalog.paths import encode_path
from indexer.library.catalog.reader import CatalogReader
from indexer.library.catalog.records import Content, Shard, StoredEncoder
from indexer.library.errors import EncodersLeftOut, IndexMismatch
from indexer.library.part_keys import numbers_of, owners_of
from indexer.library.sources.items import Item, Locator, Root, Stamp
from indexer.library.sources.kinds import package_of
from models.foundation.moments import read_moment_in_name
from models.foundation.vectors import Ids
from models.pictures.formats import DECODING
from models.pictures.parts import FIRST_REGION, PicturePart

_NAMES_AT_ONCE = 10_000
_PLACE = (  # of a picture: where it lies, and what is known of the file there
    *("root_id", "list_row", "size", "mtime_ns", "fingerprint", "stale", "offset"),
    *("caption", "tags", "beside_at", "beside_rating", "named_at"),
)
_IN_SHARD = (  # contents of which a vector lies in a shard
    "SELECT content_id FROM vectors WHERE encoder_id = ? AND shard = ? "
    "UNION SELECT content_id FROM part_vectors WHERE encoder_id = ? AND shard = ?"
)
Named = Sequence[tuple[str, str]]  # encoders: name and fingerprint


class Catalog(CatalogReader):
    """The library's database: questions to it, and what is written to it."""

    # Roots and encoders

    def put_root(
        self,
        path: Path,
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        hidden: bool,
        defaults: bool = True,
        kind: str = "folder",
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Add a root, or change how it is scanned."""
        patterns = json.dumps(list(include)), json.dumps(list(exclude))
        self._connection.execute(
            "INSERT INTO roots (path, kind, package, include, exclude, hidden, defaults, columns) "
            "VALUES (CAST(? AS TEXT), ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, package = excluded.package, "
            "include = excluded.include, exclude = excluded.exclude, hidden = excluded.hidden, "
            "defaults = excluded.defaults, "
            "columns = excluded.columns, removed = 0",
            (
                *(encode_path(str(path)), kind, package_of(kind), *patterns, int(hidden), int(defaults)),
                json.dumps(dict(columns or {})),
            ),
        )

    def move_roots(self, moves: Mapping[int, Path]) -> None:
        """Say that roots lie somewhere else now. Their pictures are what they were.

        One may come to lie where another was, and a root that was taken out gives its place up.
        """
        for path in moves.values():
            self._connection.execute(
                "UPDATE roots SET path = char(0) || id WHERE removed AND path = CAST(? AS TEXT)",
                (encode_path(str(path)),),
            )
        self._connection.executemany("UPDATE roots SET path = char(0) || id WHERE id = ?", ((one,) for one in moves))
        for root_id, path in moves.items():
            self._move_root(root_id, path)

    def _move_root(self, root_id: int, path: Path) -> None:
        self._connection.execute(
            "UPDATE roots SET path = CAST(? AS TEXT) WHERE id = ?", (encode_path(str(path)), root_id)
        )

    def remove_root(self, root_id: int) -> int:
        """Take a root out of the library, but for its vectors; return how many pictures it had."""
        rows = self._connection.execute("SELECT id FROM images WHERE root_id = ? AND status = 'indexed'", (root_id,))
        gone = [row[0] for row in rows]
        self.put_removed(gone)
        self._connection.execute("DELETE FROM images WHERE root_id = ? AND status = 'failed'", (root_id,))
        self._connection.execute("UPDATE roots SET removed = 1, stamp = '' WHERE id = ?", (root_id,))
        return len(gone)

    def put_source_stamp(self, root_id: int, stamp: Stamp) -> None:
        """Record what a source looked like when everything in it was entered."""
        values = json.dumps([stamp.size, stamp.mtime_ns, stamp.fingerprint])
        self._connection.execute("UPDATE roots SET stamp = ? WHERE id = ?", (values, root_id))

    def put_mounts(self, root: Root, mounts: Sequence[str]) -> None:
        """Record the folders of a root at which other drives are mounted."""
        if tuple(mounts) != root.mounts:
            quoted = json.dumps([quote(os.fsencode(name)) for name in mounts])
            self._connection.execute("UPDATE roots SET mounts = ? WHERE id = ?", (quoted, root.id))

    def put_encoders(self, named: Named) -> None:
        """Make these the library's encoders, the main one first.

        None that has vectors is left out. Raises IndexMismatch if the library holds vectors of another encoder, or of
        other weights of one of them, and EncodersLeftOut if it has more encoders than are named.
        """
        stored = self.list_encoders()
        others = [one for one in stored if (one.name, one.fingerprint) not in named]
        for other in others:
            if self.list_shards(other.id):
                raise _mismatch(other, named, stored)
            self.drop_encoder(other.id)
        self._connection.executemany(
            "INSERT INTO encoders (name, fingerprint, position) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET position = excluded.position",
            ((name, fingerprint, position) for position, (name, fingerprint) in enumerate(named)),
        )

    def drop_encoder(self, encoder_id: int) -> None:
        """Forget an encoder and its vectors. Builds that have an index of them keep it."""
        for table, column in (("vectors", "encoder_id"), ("shards", "encoder_id"), ("encoders", "id")):
            self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (encoder_id,))

    def begin_reencoding(self, named: Named) -> None:
        """Drop all vectors, so that these encoders encode every picture again, if that is not under way already.

        The library may have had others before. Builds keep their own vectors, and go on answering.
        """
        fingerprints = " ".join(fingerprint for _, fingerprint in named)
        if self.get_meta("reencoding") == fingerprints:
            return
        for stored in self.list_encoders():
            self.drop_shards(stored.id, [shard.number for shard in self.list_shards(stored.id)])
        self.put_encoders(named)
        self.put_meta("reencoding", fingerprints)

    def end_reencoding(self) -> None:
        """Record that every picture has been encoded again."""
        with self.writing():
            self.put_meta("reencoding", "")

    # Generations

    def start_indexes_anew(self) -> None:
        """Have no index be made of an earlier one: it could not be told all that has changed since."""
        self.put_meta("anew_since", str(self._next_generation()))

    def _next_generation(self) -> int:
        ((value,),) = self._connection.execute(
            "UPDATE meta SET value = value + 1 WHERE key = 'generation' RETURNING value"
        ).fetchall()
        return int(value)

    # Pictures

    def put_content(self, content: Content) -> int:
        """Return the id of what is in a file, entering it the first time it is seen."""
        ((content_id,),) = self._connection.execute(
            "INSERT INTO contents (sha256, format, width, height, partial, dropped, duration_ms, decoding) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET format = excluded.format, "
            "width = excluded.width, height = excluded.height, partial = excluded.partial, "
            "dropped = excluded.dropped, duration_ms = excluded.duration_ms, decoding = excluded.decoding RETURNING id",
            (
                *(content.sha256, content.format, content.width, content.height),
                *(content.partial, " ".join(content.dropped), content.duration_ms, DECODING),
            ),
        ).fetchall()
        return int(content_id)

    def put_parts(self, content_id: int, parts: Sequence[PicturePart], *, first: int = 1) -> None:
        """Record the parts of a content, by numbers from `first`."""
        self._connection.execute("DELETE FROM parts WHERE content_id = ?", (content_id,))
        self._connection.executemany(
            "INSERT INTO parts (content_id, number, x, y, width, height, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((content_id, number, *astuple(part.box), part.at_ms) for number, part in enumerate(parts, first)),
        )

    def put_partial(self, content_id: int) -> None:
        """Record that a video was not looked at to its end: its file breaks off, or it took too long."""
        self._connection.execute("UPDATE contents SET partial = 1 WHERE id = ?", (content_id,))

    def put_decoded(self, content_ids: Iterable[int], *, anew: Collection[int]) -> None:
        """Record that contents of an earlier version of the decoder look the same now, and have others seen `anew`.

        Those keep their vectors until they have been encoded again.
        """
        self._connection.executemany(
            "UPDATE contents SET decoding = ? WHERE id = ?", ((DECODING, content_id) for content_id in content_ids)
        )
        self._connection.executemany("UPDATE images SET stale = 1 WHERE content_id = ?", ((one,) for one in anew))

    def put_image(
        self, item: Item, content_id: int, *, changing: Collection[int] = (), has_new_vector: bool = True
    ) -> int:
        """Record that an item is indexed and holds this content; return the picture's id.

        A picture keeps its id when its file has been moved or renamed: it is found by its content, among those whose
        file is gone and those in `changing`, whose file now holds something else.
        """
        here = self._find(item.locator)
        if here and here[1:] == (content_id, "indexed") and not has_new_vector:
            self.put_seen([(here[0], item)])  # touched, or another caption: nothing that an index holds
            return int(here[0])
        moved = None
        if not here or here[1] != content_id:
            moved = self._find_moved(content_id, changing, here and here[0])
        if moved is not None:
            self._move(moved, item.locator, here and here[0])
        image_id = moved or (here and here[0]) or self._insert(item.locator)
        self.put_seen([(image_id, item)])
        self._connection.execute(
            "UPDATE images SET status = 'indexed', reason = NULL, detail = NULL, content_id = ?, generation = ? "
            "WHERE id = ?",
            (content_id, self._next_generation(), image_id),
        )
        return int(image_id)

    def put_seen(self, items: Iterable[tuple[int, Item]]) -> None:
        """Record new stamps, captions and tags of pictures whose content is what it was."""
        self._connection.executemany(
            "UPDATE images SET size = ?, mtime_ns = ?, fingerprint = ?, stale = 0, offset = ?, caption = ?, tags = ?, "
            "beside_at = ?, beside_rating = ? WHERE id = ?",
            (
                (
                    *(item.stamp.size, item.stamp.mtime_ns, item.stamp.fingerprint),
                    *(item.locator.part and item.locator.part.start, item.caption, item.tags),
                    *(item.beside.moment, item.beside.rating, image_id),
                )
                for image_id, item in items
            ),
        )

    def _find(self, locator: Locator) -> tuple[int, int | None, str] | None:
        """Return the picture that was seen at a place, its content and its status."""
        by_key = locator.row is None
        found: tuple[int, int | None, str] | None = self._connection.execute(
            "SELECT id, content_id, status FROM images "
            f"WHERE root_id = ? AND {'path = CAST(? AS TEXT)' if by_key else 'list_row = ?'}",
            (locator.source_id, encode_path(locator.key) if by_key else locator.row),
        ).fetchone()
        return found

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

    def _move(self, image_id: int, locator: Locator, here: int | None) -> None:
        """Give a picture another place; the picture that was there, if any, goes where this one was."""
        root_id, path, status = self._connection.execute(
            "SELECT root_id, CAST(path AS BLOB), status FROM images WHERE id = ?", (image_id,)
        ).fetchone()
        place = "UPDATE images SET root_id = ?, path = CAST(? AS TEXT) WHERE id = ?"
        if here is not None:
            self._connection.execute(place, (root_id, b"\0%d" % here, here))
        self._connection.execute(place, (locator.source_id, encode_path(locator.key), image_id))
        if here is not None:
            self._connection.execute(place, (root_id, path, here))
            self._connection.execute(
                "UPDATE images SET stale = 1, status = CASE WHEN ? = 'removed' THEN 'removed' ELSE status END, "
                "generation = ? WHERE id = ?",
                (status, self._next_generation(), here),
            )

    def _insert(self, locator: Locator) -> int:
        key = encode_path(locator.key) if locator.row is None else None
        cursor = self._connection.execute(
            "INSERT INTO images (root_id, path, list_row, status) VALUES (?, CAST(? AS TEXT), ?, 'failed')",
            (locator.source_id, key, locator.row),
        )
        return int(cursor.lastrowid or 0)

    def find_indexed(self, locator: Locator) -> int | None:
        """Return the picture that is indexed at a place, None if none is."""
        here = self._find(locator)
        return here[0] if here and here[2] == "indexed" else None

    def put_failure(self, item: Item, reason: str, detail: str) -> int:
        """Record why an item is not indexed; return the picture's id."""
        here = self._find(item.locator)
        image_id = here[0] if here else self._insert(item.locator)
        self.put_seen([(image_id, item)])
        self._connection.execute(
            "UPDATE images SET status = 'failed', reason = ?, detail = ? WHERE id = ?",
            (reason, detail.encode("utf-8", "replace").decode(), image_id),
        )
        if here and here[2] == "indexed":  # else no index held it
            self._connection.execute(
                "UPDATE images SET generation = ? WHERE id = ?", (self._next_generation(), image_id)
            )
        return image_id

    def sync_named_moments(self, now: datetime) -> int:
        """Read the moments that names of pictures say, of those that are new or renamed; return how many were read."""
        done = 0
        while rows := self._query("SELECT id, path FROM images WHERE named_at IS NULL LIMIT ?", (_NAMES_AT_ONCE,)):
            read = [(read_moment_in_name((path or "").rpartition("/")[2], now=now), one) for one, path in rows]
            values = [("" if moment is None else moment.isoformat(), one) for moment, one in read]
            with self.writing():
                self._connection.executemany("UPDATE images SET named_at = ? WHERE id = ?", values)
            done += len(rows)
        return done

    def adopt(self, moved: Iterable[tuple[int, int]]) -> None:
        """Give pictures the places of others that are new and hold the same: (id to keep, id to give up)."""
        generation = self._next_generation()
        values = ", ".join(f"{name} = ?" for name in _PLACE)
        for kept, given_up in moved:
            (row,) = self._connection.execute(
                f"SELECT CAST(path AS BLOB), {', '.join(_PLACE)} FROM images WHERE id = ?", (given_up,)
            ).fetchall()
            self._connection.execute("DELETE FROM images WHERE id = ?", (given_up,))
            self._connection.execute(
                f"UPDATE images SET path = CAST(? AS TEXT), {values}, generation = ? WHERE id = ?",
                (*row, generation, kept),
            )

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

    def forget_removed(self) -> int:
        """Forget the pictures whose files are gone, and contents and vectors nobody has; return how many pictures."""
        forgotten = self._connection.execute("DELETE FROM images WHERE status = 'removed'").rowcount
        unused = "NOT IN (SELECT content_id FROM images WHERE content_id IS NOT NULL)"
        self._connection.execute(f"DELETE FROM vectors WHERE content_id {unused}")
        self._connection.execute(f"DELETE FROM contents WHERE id {unused}")
        self._connection.execute("DELETE FROM roots WHERE removed AND id NOT IN (SELECT root_id FROM images)")
        self.start_indexes_anew()
        return forgotten

    # Vectors

    def next_shard(self) -> int:
        """Return a number no shard has had; builds keep files of shards that are gone."""
        ((value,),) = self._connection.execute(
            "UPDATE meta SET value = value + 1 WHERE key = 'next_shard' RETURNING value"
        ).fetchall()
        return int(value) - 1

    def put_shard(self, encoder_id: int, shard: Shard, keys: Ids) -> None:
        """Record a shard; row n is from now on the vector of `keys[n]`: of a content or a part of it."""
        self._connection.execute(
            "INSERT INTO shards (encoder_id, number, rows, sha256, ids_sha256, checked) VALUES (?, ?, ?, ?, ?, ?)",
            (encoder_id, shard.number, shard.rows, shard.sha256, shard.ids_sha256, shard.checked),
        )
        places = list(zip(owners_of(keys).tolist(), numbers_of(keys).tolist(), range(len(keys)), strict=True))
        self._connection.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
            ((encoder_id, content_id, shard.number, row) for content_id, number, row in places if not number),
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO part_vectors VALUES (?, ?, ?, ?, ?)",
            ((encoder_id, content_id, number, shard.number, row) for content_id, number, row in places if number),
        )

    def drop_parts(self, encoder_id: int, content_ids: Iterable[int]) -> None:
        """Forget the vectors of parts of contents that are encoded anew."""
        self._connection.executemany(
            "DELETE FROM part_vectors WHERE encoder_id = ? AND content_id = ?",
            ((encoder_id, content_id) for content_id in content_ids),
        )

    def put_regions_wanted(self, wanted: bool) -> None:
        """Have runs encode regions of pictures from now on, or do without, and forget those that there are."""
        self.put_meta("regions", "1" if wanted else "")
        if wanted:
            return
        rows = self._query("SELECT DISTINCT content_id FROM part_vectors WHERE number >= ?", (FIRST_REGION,))
        self.put_vectors_changed(row[0] for row in rows)
        for table in ("part_vectors", "parts"):
            self._connection.execute(f"DELETE FROM {table} WHERE number >= ?", (FIRST_REGION,))

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

    def drop_shards(self, encoder_id: int, numbers: Sequence[int]) -> None:
        """Forget shards, and the vectors that lie in them."""
        for number in numbers:
            self._connection.execute(
                f"UPDATE images SET generation = ? WHERE content_id IN ({_IN_SHARD})",
                (self._next_generation(), encoder_id, number, encoder_id, number),
            )
            for table in ("vectors", "part_vectors"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE encoder_id = ? AND shard = ?", (encoder_id, number)
                )
            self.drop_empty_shards(encoder_id, [number])

    def drop_empty_shards(self, encoder_id: int, numbers: Sequence[int]) -> None:
        """Forget shards in which no vector lies any more."""
        for number in numbers:
            self._connection.execute("DELETE FROM shards WHERE encoder_id = ? AND number = ?", (encoder_id, number))


def _mismatch(
    stored: StoredEncoder, named: Named, all_stored: Sequence[StoredEncoder]
) -> IndexMismatch | EncodersLeftOut:
    """Return why an encoder that has vectors cannot be left out of those named."""
    names = [name for name, _ in named]
    if stored.name in names or len(all_stored) == len(named) == 1:
        name, fingerprint = named[names.index(stored.name) if stored.name in names else 0]
        return IndexMismatch(f"{stored.name} ({stored.fingerprint})", f"{name} ({fingerprint})")
    known = [one.name for one in all_stored]
    return EncodersLeftOut([name for name in known if name not in names], known)
