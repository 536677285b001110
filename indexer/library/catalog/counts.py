"""How many pictures have each value of a field: counted by SQLite, so that what comes back are values, not pictures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from indexer.library.annotations.fields import CatalogField, FieldType
from indexer.library.catalog.annotation_tables import AnnotationDatabase, single_values
from indexer.library.catalog.sql import join_tables, to_sql
from indexer.library.filters import Begins, Filter

Step: TypeAlias = Literal["year", "month", "day"]

_CHARS = {"year": 4, "month": 7, "day": 10}  # of a moment, ISO 8601
# Words are kept one a line. A JSON list is made of them by which SQLite reads them; a backslash would be read as well,
# so another character, which no text has, stands for it.
_LINES_AS_JSON = "'[' || replace(json_quote(replace({}, '\\', char(1))), '\\n', '\",\"') || ']'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How the values of fields are counted.

    `by`: moments by their year, month or day. `folder`: paths below it only, its name with a / at the end, "" for all;
    `depth`: and down to so many folders below it. `ids` are the pictures to be counted, None for all; `but` those of
    all that are not.
    """

    by: Step = "year"
    folder: str = ""
    depth: int = 1
    ids: Sequence[int] | None = None
    but: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Values of a field, and how many pictures have each, most first; moments and folders in their own order.

    `missing` are the pictures that have none.
    """

    values: list[tuple[str, int]]
    missing: int


class CountDatabase(AnnotationDatabase):
    """Counts of pictures by their values."""

    def count_pictures(self, where: Filter, how: Counting) -> int:
        """Return how many indexed pictures satisfy `where`. Raises InvalidFilter."""
        ((count,),) = self._aggregate("SELECT count(*) {}", "", where, how)
        return int(count)

    def count_values(self, field: CatalogField, where: Filter, how: Counting = Counting()) -> Counts:
        """Return the values of a field that indexed pictures satisfying `where` have. Raises InvalidFilter."""
        if field.field.type is FieldType.PATH:
            return self._count_folders(field, where, how)
        if field.field.type is FieldType.MOMENT:
            value = f"substr({field.expression}, 1, {_CHARS[how.by]})"
            return _in_order(self._grouped(field, value, where, how), sort=True)
        if field.field.type is FieldType.WORDS:
            return self._count_words(field, where, how)
        counts: dict[str, int] = {}
        missing = 0
        for kept, count in self._grouped(field, field.expression, where, how):
            found = single_values(field, kept)
            missing += 0 if found else count
            for one in found:
                counts[one] = counts.get(one, 0) + count
        return Counts(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])), missing)

    def list_unpublished(self, generation: int) -> list[int]:
        """Return the ids of the indexed pictures that a build of this generation may not have, ascending."""
        rows = self._query(
            "SELECT id FROM images WHERE generation > ? AND status = 'indexed' ORDER BY +id", (generation,)
        )
        return [row[0] for row in rows]

    def list_paths(self, after: int, most: int) -> list[tuple[int, str]]:
        """Return ids above `after`, ascending, and paths below their roots, of at most so many indexed pictures."""
        return self._query(
            "SELECT id, path FROM images WHERE id > ? AND status = 'indexed' ORDER BY id LIMIT ?", (after, most)
        )

    def _count_words(self, field: CatalogField, where: Filter, how: Counting) -> Counts:
        join = join_tables({field.table: None} if field.table else {})
        # The same words of many pictures are taken apart once.
        select = (
            f"WITH kept AS MATERIALIZED (SELECT nullif({field.expression}, '') AS words, count(*) AS n {{}} GROUP BY 1)"
            f" SELECT NULL, coalesce(sum(n), 0) FROM kept WHERE words IS NULL UNION ALL SELECT word, sum(n) FROM ("
            f"SELECT DISTINCT kept.rowid, n, replace(value, char(1), '\\') AS word FROM "
            f"(SELECT row_number() OVER () AS rowid, words, n FROM kept WHERE words IS NOT NULL) AS kept, "
            f"json_each({_LINES_AS_JSON.format('words')}) WHERE value <> '') GROUP BY word"
        )
        return _in_order(self._aggregate(select, join, where, how))

    def _count_folders(self, field: CatalogField, where: Filter, how: Counting) -> Counts:
        if how.folder:
            where = where.narrowed(field.field.name, Begins(((how.folder, False),)))
        # Absolute paths and addresses, which lists have, lie in no folder.
        one = field.expression
        path = f"CAST(iif({one} GLOB '/*' OR {one} GLOB '*://*', '', {one}) AS BLOB)"
        select = f"SELECT {path} AS path, 0 AS cut {{}}"
        top = how.folder.count("/")
        for _ in range(top + how.depth):  # where no further / is found, instr is 0
            select = f"SELECT path, cut + instr(substr(path, cut + 1), x'2F') AS cut FROM ({select})"
        rows = self._aggregate(f"SELECT substr(path, 1, cut), count(*) FROM ({select}) GROUP BY 1", "", where, how)
        counts: dict[bytes, int] = {}
        missing = 0
        for kept, count in rows:
            folders = bytes(kept or b"").split(b"/")[:-1]
            missing += count if len(folders) <= top else 0
            for end in range(top + 1, len(folders) + 1):
                folder = b"/".join(folders[:end]) + b"/"
                counts[folder] = counts.get(folder, 0) + count
        return Counts(
            [(key.decode("utf-8", "surrogateescape"), count) for key, count in sorted(counts.items())], missing
        )

    def _grouped(self, field: CatalogField, value: str, where: Filter, how: Counting) -> list[Any]:
        join = join_tables({field.table: None} if field.table else {})
        return self._aggregate(f"SELECT nullif({value}, ''), count(*) {{}} GROUP BY 1", join, where, how)

    def _aggregate(self, select: str, join: str, where: Filter, how: Counting) -> list[Any]:
        """Run a query whose {} is where the pictures to be counted come from."""
        asked = to_sql(where, self.fields())
        joins = asked.joins if join in asked.joins else f"{asked.joins} {join}"
        among, values = "", [*asked.values]
        if how.ids is not None:
            among = "AND images.id IN (SELECT value FROM json_each(?))"
            values.append(json.dumps([*map(int, how.ids)]))
        elif how.but:
            among = "AND images.id NOT IN (SELECT value FROM json_each(?))"
            values.append(json.dumps([*map(int, how.but)]))
        source = (
            f"FROM images JOIN contents ON contents.id = images.content_id {joins} "
            f"WHERE status = 'indexed' AND {asked.condition} {among}"
        )
        return self._query(select.replace("{}", source), values)


def _in_order(rows: Sequence[tuple[str | None, int]], *, sort: bool = False) -> Counts:
    missing = sum(int(count) for value, count in rows if value is None)
    found = [(str(value), int(count)) for value, count in rows if value is not None]
    return Counts(sorted(found) if sort else sorted(found, key=lambda pair: (-pair[1], pair[0])), missing)
