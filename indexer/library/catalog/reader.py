"""What the catalog says: everything that only reads it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from indexer.library.addresses.shown import shown_address
from indexer.library.catalog.cells import CellDatabase
from indexer.library.catalog.lists import ListDatabase
from indexer.library.catalog.marks import MarkDatabase
from indexer.library.catalog.paths import encode_path
from indexer.library.catalog.records import ImageRow, IndexChanges, Locations, Shard, StoredEncoder
from indexer.library.catalog.roots import ROOT_COLUMNS, root_of
from indexer.library.catalog.sql import to_sql
from indexer.library.catalog.texts import TextDatabase
from indexer.library.filters import Filter
from indexer.library.looks import NO_HASH, Looks
from indexer.library.part_keys import PART_BITS, owners_of
from indexer.library.sources.items import Beside, ByteRange, KnownItem, Locator, Name, Part, Root, Stamp
from indexer.library.sources.kinds import place_of
from models.foundation.vectors import Ids
from models.pictures.formats import DECODING
from models.pictures.parts import LEAST_SIDE, LEAST_WITH_REGIONS, LONGEST, Box, PicturePart

_LOOKS = (
    # What a video shows is not told by one frame of it.
    f"SELECT images.id, images.content_id, iif(duration_ms IS NULL, phash, {NO_HASH}), dominant "
    "FROM images JOIN contents ON contents.id = images.content_id "
    "LEFT JOIN annotation_phash ON annotation_phash.content_id = contents.id "
    "LEFT JOIN annotation_colours ON annotation_colours.content_id = contents.id"
)
_EARLIER = (
    "contents WHERE decoding < ? "
    "AND EXISTS (SELECT 1 FROM images WHERE content_id = contents.id AND status = 'indexed')"
)
# The first of the two is that of the index `contents_long`. Of a picture that breaks off the parts are not known.
_LONG = f"max(width, height) > {LONGEST} * min(width, height) AND min(width, height) >= {LEAST_SIDE}"
_HAVING_PARTS = f"({_LONG} AND NOT partial AND duration_ms IS NULL)", "duration_ms IS NOT NULL"
_HAVING_REGIONS = (
    f"max(width, height) <= {LONGEST} * min(width, height) AND min(width, height) >= {LEAST_WITH_REGIONS} "
    "AND NOT partial AND duration_ms IS NULL"
)


class CatalogReader(TextDatabase, ListDatabase, CellDatabase, MarkDatabase):
    """Questions to the library's database, in the product's words."""

    # Encoders

    def list_encoders(self) -> list[StoredEncoder]:
        """Return the library's encoders, the main one first; none before the first build."""
        rows = self._query("SELECT id, name, fingerprint FROM encoders ORDER BY position, id")
        return [StoredEncoder(*row) for row in rows]

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

    def part_changes_since(self, generation: int, encoder_id: int, held: Ids) -> IndexChanges:
        """Return the same for an index of parts, which holds those of the keys `held`, ascending."""
        rows = self._query(
            f"SELECT images.id, images.id << {PART_BITS} | number, shard, part_vectors.row, status = 'indexed' "
            "FROM images LEFT JOIN part_vectors ON part_vectors.content_id = images.content_id AND encoder_id = ? "
            "WHERE generation > ? ORDER BY +images.id, number",
            (encoder_id, generation),
        )
        owners = np.unique(np.fromiter((row[0] for row in rows), np.int64, len(rows)))
        added = Locations.of([row[1:4] for row in rows if row[4] and row[1] is not None])
        return IndexChanges(np.union1d(held[np.isin(owners_of(held), owners)], added.ids), added)

    def takes_over(self, generation: int) -> bool:
        """Say whether an index made at `generation` can be brought up to date."""
        return int(self.get_meta("anew_since") or 0) <= generation <= self.generation()

    # For a run

    def known_items(
        self, root: Root, encoder_ids: Sequence[int], paths: Sequence[str] | None = None
    ) -> dict[Name, KnownItem]:
        """Return name -> what was last seen there, for every item ever seen in `root`.

        `encoded` says whether each of the encoders has its vector. With `paths`, only for those, and for what lies
        below those of them that are folders.
        """
        if paths is None:
            return self._known_items(root, encoder_ids, "1", ())
        found: dict[Name, KnownItem] = {}
        for path in paths:
            raw = encode_path(path)
            below = "path = CAST(? AS TEXT) OR (path >= CAST(? AS TEXT) AND path < CAST(? AS TEXT))"
            found |= self._known_items(root, encoder_ids, below, (raw, raw + b"/", raw + b"0"))  # 0 comes after /
        return found

    def _known_items(
        self, root: Root, encoder_ids: Sequence[int], condition: str, values: Sequence[object]
    ) -> dict[Name, KnownItem]:
        tables = [f"vectors{n}" for n in range(len(encoder_ids))]
        encoded = " AND ".join(f"{table}.content_id IS NOT NULL" for table in tables) or "0"
        joins = " ".join(
            f"LEFT JOIN vectors AS {table} ON {table}.content_id = images.content_id AND {table}.encoder_id = ?"
            for table in tables
        )
        rows = self._query(
            "SELECT path, list_row, images.id, size, mtime_ns, fingerprint, offset, stale, status, reason, "
            f"{encoded}, caption, tags, beside_at, beside_rating FROM images {joins} "
            f"WHERE root_id = ? AND ({condition})",
            (*encoder_ids, root.id, *values),
        )
        return {row[0] if row[1] is None else row[1]: _known_item(*row[2:]) for row in rows}

    def encoded_by_size(
        self, sizes: Collection[int], encoder_id: int, *, of_parts: bool = False
    ) -> Mapping[int, frozenset[str]]:
        """Return size -> checksums of the files of that size whose content has an encoder's vector, for `sizes`.

        Vectors of what looked otherwise to an earlier decoder do not count. `of_parts`: those of its parts.
        """
        table = "part_vectors" if of_parts else "vectors"
        found: dict[int, set[str]] = {}
        with self._lock:
            self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS sizes (size INTEGER PRIMARY KEY)")
            self._connection.execute("DELETE FROM sizes")
            self._connection.executemany("INSERT OR IGNORE INTO sizes VALUES (?)", ((size,) for size in sizes))
            rows = self._query(
                "SELECT images.size, sha256 FROM images JOIN sizes ON sizes.size = images.size "
                f"JOIN {table} AS own ON own.content_id = images.content_id AND encoder_id = ? "
                "JOIN contents ON contents.id = images.content_id AND decoding = ?",
                (encoder_id, DECODING),
            )
        for size, sha256 in rows:
            found.setdefault(size, set()).add(sha256)
        return {size: frozenset(checksums) for size, checksums in found.items()}

    def find_content(self, sha256: str) -> int | None:
        """Return the id of a content, None if it is not known."""
        rows = self._query("SELECT id FROM contents WHERE sha256 = ?", (sha256,))
        return int(rows[0][0]) if rows else None

    def is_encoded(self, sha256: str, encoder_id: int) -> bool:
        """Say whether a content is known and has an encoder's vector."""
        return bool(
            self._query(
                "SELECT 1 FROM contents JOIN vectors ON content_id = contents.id AND encoder_id = ? "
                "WHERE sha256 = ? AND decoding = ?",
                (encoder_id, sha256, DECODING),
            )
        )

    def list_lacking_parts(self, encoder_ids: Sequence[int]) -> list[int]:
        """Return the contents of long pictures and videos of whose parts an encoder has no vectors, ascending."""
        return self._list_lacking(_HAVING_PARTS, encoder_ids)

    def list_lacking_regions(self, encoder_ids: Sequence[int]) -> list[int]:
        """Return the same of pictures that are not long, of whose regions an encoder has no vectors."""
        return self._list_lacking([_HAVING_REGIONS], encoder_ids) if self.has_regions else []

    @property
    def has_regions(self) -> bool:
        """Whether runs encode regions of pictures."""
        return self.get_meta("regions") == "1"

    def _list_lacking(self, kinds: Sequence[str], encoder_ids: Sequence[int]) -> list[int]:
        lacking = " OR ".join(
            "NOT EXISTS (SELECT 1 FROM part_vectors WHERE content_id = contents.id AND encoder_id = ?)"
            for _ in encoder_ids
        )
        found = [  # one after the other, each by an index
            self._query(
                f"SELECT id FROM contents WHERE {having} AND ({lacking or '0'}) "
                "AND EXISTS (SELECT 1 FROM images WHERE content_id = contents.id AND status = 'indexed')",
                tuple(encoder_ids),
            )
            for having in kinds
        ]
        return sorted(row[0] for rows in found for row in rows)

    def count_indexed(self, root: Root) -> int:
        """Return how many pictures of a root are indexed."""
        ((count,),) = self._query("SELECT count(*) FROM images WHERE root_id = ? AND status = 'indexed'", (root.id,))
        return int(count)

    def last_image(self) -> int:
        """Return the highest id that a picture has had."""
        return int(self._query("SELECT coalesce(max(id), 0) FROM images")[0][0])

    def match_moved(self, root: Root, after: int) -> list[tuple[int, int]]:
        """Return pairs of ids: of pictures of a root, and of later ones (above `after`) elsewhere that hold the same.

        Each is in one pair at most; where several hold the same, those of the same path belong together.
        """
        rows = self._query(
            "SELECT was.id, now.id FROM images AS was JOIN images AS now ON now.content_id = was.content_id "
            "WHERE was.root_id = ? AND was.status = 'indexed' AND now.id > ? AND now.status = 'indexed' "
            "AND now.root_id <> was.root_id ORDER BY was.path IS NOT now.path, was.id, now.id",
            (root.id, after),
        )
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        for was, now in rows:
            if was not in pairs and now not in taken:
                pairs[was] = now
                taken.add(now)
        return list(pairs.items())

    def count_without_vector(self, encoder_id: int) -> int:
        """Return how many pictures are indexed and have no vector of an encoder.

        No crash leaves such pictures behind. Those that could not be read have none of an encoder that was added.
        """
        ((count,),) = self._query(
            "SELECT count(*) FROM images LEFT JOIN vectors "
            "ON vectors.content_id = images.content_id AND encoder_id = ? "
            "WHERE status = 'indexed' AND vectors.content_id IS NULL",
            (encoder_id,),
        )
        return int(count)

    def list_checksums(self) -> set[str]:
        """Return the checksums of all contents."""
        return {row[0] for row in self._query("SELECT sha256 FROM contents")}

    # Vectors

    def list_shards(self, encoder_id: int) -> list[Shard]:
        """Return the shards of an encoder in ascending order."""
        rows = self._query(
            "SELECT number, rows, sha256, ids_sha256, checked FROM shards WHERE encoder_id = ? ORDER BY number",
            (encoder_id,),
        )
        return [Shard(number=row[0], rows=row[1], sha256=row[2], ids_sha256=row[3], checked=row[4]) for row in rows]

    def locations(self, encoder_id: int) -> Locations:
        """Return where the vectors of all indexed pictures lie, by image id."""
        return Locations.of(
            self._query(
                "SELECT images.id, shard, row FROM images JOIN vectors ON vectors.content_id = images.content_id "
                "WHERE encoder_id = ? AND status = 'indexed' ORDER BY images.id",
                (encoder_id,),
            )
        )

    def part_locations(self, encoder_id: int) -> Locations:
        """Return where the vectors of the parts of all indexed pictures lie, by their keys (see part_keys.py)."""
        return Locations.of(
            self._query(
                f"SELECT images.id << {PART_BITS} | number, shard, row FROM part_vectors "
                "JOIN images ON images.content_id = part_vectors.content_id "
                "WHERE encoder_id = ? AND status = 'indexed' ORDER BY 1",
                (encoder_id,),
            )
        )

    def content_locations(self, encoder_id: int) -> Locations:
        """Return where the vectors of all contents and of their parts lie, by content id and part as one key."""
        return Locations.of(
            self._query(
                f"SELECT content_id << {PART_BITS}, shard, row FROM vectors WHERE encoder_id = ? "
                f"UNION ALL SELECT content_id << {PART_BITS} | number, shard, row FROM part_vectors "
                "WHERE encoder_id = ? ORDER BY 1",
                (encoder_id, encoder_id),
            )
        )

    # Pictures

    def get_images(self, image_ids: Sequence[int]) -> dict[int, ImageRow]:
        """Return id -> picture for those of `image_ids` that have ever been indexed."""
        found: dict[int, ImageRow] = {}
        for start in range(0, len(image_ids), 500):
            chunk = [int(image_id) for image_id in image_ids[start : start + 500]]
            rows = self._query(
                "SELECT images.id, content_id, images.path, list_row, size, mtime_ns, fingerprint, offset, status, "
                "caption, tags, beside_at, named_at, sha256, format, width, height, duration_ms, "
                f"{ROOT_COLUMNS} FROM images JOIN roots ON roots.id = root_id "
                "JOIN contents ON contents.id = content_id "
                f"WHERE images.id IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
            found.update((row[0], _image_row(row)) for row in rows)
        return found

    def list_images_of(self, content_ids: Sequence[int]) -> dict[int, list[ImageRow]]:
        """Return content id -> its indexed pictures, ascending; contents without one are left out."""
        found: dict[int, list[ImageRow]] = {}
        for start in range(0, len(content_ids), 500):
            chunk = [int(content_id) for content_id in content_ids[start : start + 500]]
            rows = self._query(
                "SELECT id FROM images WHERE status = 'indexed' "
                f"AND content_id IN ({', '.join('?' * len(chunk))}) ORDER BY id",
                chunk,
            )
            for row in self.get_images([row[0] for row in rows]).values():
                found.setdefault(row.content_id, []).append(row)
        return found

    def get_parts(self, image_ids: Sequence[int]) -> dict[tuple[int, int], PicturePart]:
        """Return (image id, number of a part) -> the part, for all parts of these pictures."""
        found: dict[tuple[int, int], PicturePart] = {}
        for start in range(0, len(image_ids), 500):
            chunk = [int(image_id) for image_id in image_ids[start : start + 500]]
            rows = self._query(
                "SELECT images.id, number, at_ms, x, y, width, height FROM images "
                "JOIN parts ON parts.content_id = images.content_id "
                f"WHERE images.id IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
            found.update(((row[0], row[1]), PicturePart(Box(*row[3:]), row[2])) for row in rows)
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
                f"{_LOOKS} LEFT JOIN annotation_exif ON annotation_exif.content_id = contents.id "
                "WHERE status = 'indexed' ORDER BY width * height DESC, size DESC, "
                "coalesce(taken, strftime('%Y-%m-%dT%H:%M:%S', mtime_ns / 1000000000, 'unixepoch')), "
                "mtime_ns, images.id"
            )
        )

    def has_videos(self) -> bool:
        """Say whether any of the contents is a video."""
        return bool(self._query("SELECT 1 FROM contents WHERE duration_ms IS NOT NULL LIMIT 1"))

    def ids_where(self, where: Filter) -> Ids:
        """Return the ids of the pictures that satisfy `where`, ascending. Raises InvalidFilter."""
        asked = to_sql(where, self.fields())
        rows = self._query(
            f"SELECT images.id FROM images JOIN contents ON contents.id = images.content_id {asked.joins} "
            f"WHERE {asked.condition} ORDER BY 1",
            asked.values,
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def list_failures(self) -> list[tuple[str, str, str]]:
        """Return (place, reason, detail) of every file that is not indexed because it could not be used."""
        rows = self._query(
            f"SELECT images.path, list_row, reason, detail, {ROOT_COLUMNS} "
            "FROM images JOIN roots ON roots.id = root_id WHERE status = 'failed' "
            "ORDER BY roots.id, images.path, list_row"
        )
        return [
            (
                place_of(root_of(tuple(root)), Locator(root[0], key or "", row=number)),
                reason,
                shown_address(detail or ""),
            )
            for key, number, reason, detail, *root in rows
        ]

    def list_remarks(self) -> list[tuple[str, bool, tuple[str, ...]]]:
        """Return (place, whether it breaks off, parts that were left out) of indexed files that were not read whole."""
        rows = self._query(
            f"SELECT images.path, partial, dropped, {ROOT_COLUMNS} FROM images JOIN roots ON roots.id = root_id "
            "JOIN contents ON contents.id = content_id WHERE status = 'indexed' AND (partial OR dropped <> '') "
            "ORDER BY roots.id, images.path"
        )
        return [
            (place_of(root_of(tuple(root)), Locator(root[0], key)), bool(partial), tuple(dropped.split()))
            for key, partial, dropped, *root in rows
        ]

    def list_earlier_decoded(self, after: int, most: int) -> list[int]:
        """Return ids of contents that were read by an earlier version of the decoder: the next after `after`."""
        rows = self._query(f"SELECT id FROM {_EARLIER} AND id > ? ORDER BY id LIMIT ?", (DECODING, after, most))
        return [row[0] for row in rows]

    def count_earlier_decoded(self) -> int:
        """Return how many contents were read by an earlier version of the decoder."""
        return int(self._query(f"SELECT count(*) FROM {_EARLIER}", (DECODING,))[0][0])

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


def _known_item(
    image_id: int, size: int | None, mtime_ns: int | None, fingerprint: str | None, offset: int | None, *seen: Any
) -> KnownItem:
    stale, status, reason, encoded, caption, tags, *said_beside = seen
    stamp, part = Stamp(size, mtime_ns, fingerprint), _part(offset, size)
    beside = Beside(*said_beside)
    return KnownItem(image_id, stamp, bool(stale), status, reason, bool(encoded), caption, tags, part, beside)


def _part(offset: int | None, size: int | None) -> Part | None:
    return None if offset is None or size is None else ByteRange(offset, size)


def _image_row(row: Sequence[Any]) -> ImageRow:
    source = root_of(tuple(row[18:]))
    return ImageRow(
        id=row[0],
        content_id=row[1],
        source=source,
        locator=Locator(source.id, row[2] or "", _part(row[7], row[4]), row[3]),
        stamp=Stamp(*row[4:7]),
        status=row[8],
        caption=row[9],
        tags=row[10],
        beside_at=row[11] or None,
        named_at=row[12] or None,
        sha256=row[13],
        format=row[14],
        width=row[15],
        height=row[16],
        duration_ms=row[17],
    )
