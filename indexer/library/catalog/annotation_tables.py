"""The tables of annotations: for each annotator one, with a row for each content that one of its versions has seen."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.library.annotations.fields import AnnotatorRecord, CatalogField, FieldSet, FieldType
from indexer.library.annotations.values import Annotation, from_kept, sql_type
from indexer.library.catalog.database import Database
from indexer.library.catalog.records import Locations
from indexer.library.catalog.sql import join_tables
from models.foundation.vectors import Ids


class AnnotationDatabase(Database):
    """What annotators have found, and the fields that follow from it."""

    def list_annotators(self) -> list[AnnotatorRecord]:
        """Return the annotators that have been at work, in the order in which they were entered."""
        rows = self._query("SELECT name, version, fields FROM annotators ORDER BY position")
        return [AnnotatorRecord.read(*row) for row in rows]

    def fields(self) -> FieldSet:
        """Return the fields that pictures of the library have."""
        return FieldSet.of(self.list_annotators())

    def get_annotations(self, content_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return content id -> values by the names of their fields, of all annotators that have seen it."""
        found: dict[int, dict[str, Any]] = {content_id: {} for content_id in content_ids}
        for record in self.list_annotators():
            for start in range(0, len(content_ids), 500):
                chunk = [int(content_id) for content_id in content_ids[start : start + 500]]
                rows = self._query(
                    f"SELECT content_id{_columns(record)} FROM {record.table} "
                    f"WHERE content_id IN ({', '.join('?' * len(chunk))}) AND problem IS NULL",
                    chunk,
                )
                for content_id, *kept in rows:
                    found[content_id].update(from_kept(record, tuple(kept)))
        return found

    def list_unannotated(self, record: AnnotatorRecord, after: int, limit: int) -> list[tuple[int, str]]:
        """Return ids, above `after` and ascending, and checksums of contents that no such version has seen."""
        return self._query(
            f"SELECT contents.id, sha256 FROM contents LEFT JOIN {record.table} ON content_id = contents.id "
            "WHERE contents.id > ? AND (version IS NULL OR version < ?) ORDER BY contents.id LIMIT ?",
            (after, record.version, limit),
        )

    def count_annotated(self, record: AnnotatorRecord) -> tuple[int, int, int]:
        """Return how many contents a version has seen, of those how many with a problem, and how many are left."""
        ((contents,),) = self._query("SELECT count(*) FROM contents")
        ((seen, problems),) = self._query(
            f"SELECT count(*), count(problem) FROM {record.table} WHERE version >= ?", (record.version,)
        )
        return int(seen), int(problems), int(contents - seen)

    def locate_contents(self, encoder_id: int, content_ids: Sequence[int]) -> Locations:
        """Return where an encoder's vectors of contents lie, by content id; those that have none are left out."""
        found: list[tuple[int, int, int]] = []
        for start in range(0, len(content_ids), 500):
            chunk = [int(content_id) for content_id in content_ids[start : start + 500]]
            found += self._query(
                "SELECT content_id, shard, row FROM vectors "
                f"WHERE encoder_id = ? AND content_id IN ({', '.join('?' * len(chunk))})",
                (encoder_id, *chunk),
            )
        return Locations.of(sorted(found))

    def list_words(self, field: CatalogField) -> dict[int, set[str]]:
        """Return content id -> the values of a field of words, of those indexed pictures that have any."""
        join = join_tables({field.table: None} if field.table else {})
        rows = self._query(
            f"SELECT contents.id, {field.expression} FROM images JOIN contents ON contents.id = images.content_id "
            f"{join} WHERE status = 'indexed' AND {field.expression} <> ''"
        )
        found: dict[int, set[str]] = {}
        for content_id, kept in rows:
            found.setdefault(content_id, set()).update(single_values(field, kept))
        return found

    def list_values(self, field: CatalogField) -> list[str]:
        """Return the values that an annotator's field of texts has anywhere, in no order."""
        rows = self._query(f"SELECT DISTINCT {field.expression} FROM {field.table}")
        return [value for (value,) in rows if value]

    def list_moments(self, field: CatalogField) -> tuple[Ids, npt.NDArray[np.datetime64]]:
        """Return the ids of the indexed pictures that have a moment, the latest first, and the moments in seconds."""
        rows = self._query(
            f"SELECT images.id, {field.expression} FROM images JOIN contents ON contents.id = images.content_id "
            f"{join_tables({field.table: None} if field.table else {})} WHERE status = 'indexed'"
        )
        dated = [row for row in rows if row[1]]
        ids = np.fromiter((row[0] for row in dated), np.int64, len(dated))
        moments = np.array([row[1] for row in dated], "datetime64[s]")
        order = np.lexsort((ids, -moments.astype(np.int64)))
        return ids[order], moments[order]

    # Written by the holder of the write lock, inside `writing`

    def put_annotators(self, records: Iterable[AnnotatorRecord]) -> None:
        """Enter annotators, and make the tables of their values fit their fields.

        A field that is new is added. One that is now of another type takes its values with it: what is there is made
        anew, as everything that an earlier version has found.
        """
        known = {record.name: record for record in self.list_annotators()}
        for record in records:
            before = known.get(record.name)
            if before == record:
                continue
            self._make_table(record, before)
            self._connection.execute(
                "INSERT INTO annotators (name, version, fields, position) VALUES (?, ?, ?, "
                "(SELECT coalesce(max(position), 0) + 1 FROM annotators)) "
                "ON CONFLICT (name) DO UPDATE SET version = excluded.version, fields = excluded.fields",
                (record.name, record.version, record.fields_json()),
            )

    def _make_table(self, record: AnnotatorRecord, before: AnnotatorRecord | None) -> None:
        columns = {field.name: sql_type(field) for field in record.fields}
        kept = {field.name: sql_type(field) for field in before.fields} if before else {}
        if any(columns.get(name, kind) != kind for name, kind in kept.items()):
            self._connection.execute(f"DROP TABLE {record.table}")
            kept = {}
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS {record.table} (content_id INTEGER PRIMARY KEY "
            "REFERENCES contents (id) ON DELETE CASCADE, version INTEGER NOT NULL, problem TEXT) STRICT"
        )
        there = {row[1] for row in self._connection.execute(f"PRAGMA table_info({record.table})")}
        for name, kind in columns.items():
            if name not in there:
                self._connection.execute(f'ALTER TABLE {record.table} ADD COLUMN "{name}" {kind}')

    def forget_annotations(self, record: AnnotatorRecord) -> None:
        """Have an annotator look at everything again; until it has, what it found before is shown."""
        self._connection.execute(f"UPDATE {record.table} SET version = 0")

    def put_annotations(self, record: AnnotatorRecord, found: Iterable[tuple[int, Annotation]]) -> None:
        """Keep what an annotator has found in contents, in place of what it found before."""
        rows = [(content_id, one.version, one.problem, *one.kept) for content_id, one in found]
        marks = ", ".join("?" * (3 + len(record.fields)))
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {record.table} (content_id, version, problem{_columns(record)}) VALUES ({marks})",
            rows,
        )
        if record.searchable:
            self._connection.executemany(
                "INSERT OR IGNORE INTO texts_stale SELECT id FROM images WHERE content_id = ?",
                ((row[0],) for row in rows),
            )


def _columns(record: AnnotatorRecord) -> str:
    return "".join(f', "{field.name}"' for field in record.fields)


def single_values(field: CatalogField, kept: Any) -> Sequence[str]:
    """Return the values that one picture has of a field, as conditions take them."""
    if kept is None or kept == "":
        return []
    if field.field.type is FieldType.WORDS:
        return list(dict.fromkeys(str(kept).split("\n")))
    if field.field.type is FieldType.CHOICES:
        return [choice.name for bit, choice in enumerate(field.field.choices) if int(kept) >> bit & 1]
    if field.field.type is FieldType.FLAG:
        return ["yes" if kept else "no"]
    return [str(kept)]
