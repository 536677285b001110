"""Files of a library that are not indexed, or not all of them, page by page; and pictures by their content."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from indexer.library.catalog.roots import ROOT_COLUMNS, RootDatabase, root_of
from indexer.library.sources.items import Locator, Root

# Not read at all, read and found unusable, and indexed without a part of it.
ProblemKind: TypeAlias = Literal["skipped", "failed", "partial"]

_SKIPPED = "reason IN ('unread', 'needs_formats', 'needs_video', 'too_many_bytes', 'too_many_pixels', 'offline')"
_CONDITIONS: dict[ProblemKind, str] = {
    "skipped": f"status = 'failed' AND {_SKIPPED}",
    "failed": f"status = 'failed' AND NOT {_SKIPPED}",
    "partial": "status = 'indexed' AND (partial OR dropped <> '')",
}
_TABLES = "images JOIN roots ON roots.id = root_id LEFT JOIN contents ON contents.id = content_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRow:
    """A file with a problem. `reason` is a key of DECODE_REASONS, "" for one that is indexed in part.

    `breaks_off` says that the end of such a one is missing; `dropped` are its parts that could not be read.
    """

    id: int
    kind: ProblemKind
    root: Root
    locator: Locator
    reason: str
    detail: str
    breaks_off: bool
    dropped: tuple[str, ...]


class ProblemDatabase(RootDatabase):
    """Questions about what went wrong."""

    def list_problems(self, kind: ProblemKind, *, after: int, most: int, reason: str | None = None) -> list[ProblemRow]:
        """Return the next files of a kind behind the id `after`, by id; with a `reason` only those."""
        wanted = " AND reason = ?" if reason is not None else ""
        rows = self._query(
            f"SELECT images.id, images.path, list_row, reason, detail, partial, dropped, {ROOT_COLUMNS} FROM {_TABLES} "
            f"WHERE images.id > ? AND {_CONDITIONS[kind]}{wanted} ORDER BY images.id LIMIT ?",
            (after, *(() if reason is None else (reason,)), most),
        )
        is_partial = kind == "partial"
        return [
            ProblemRow(
                id=image_id,
                kind=kind,
                root=root_of(tuple(root)),
                locator=Locator(root[0], key or "", row=number),
                reason="" if is_partial else found or "",
                detail="" if is_partial else detail or "",
                breaks_off=is_partial and bool(partial),
                dropped=tuple((dropped or "").split()) if is_partial else (),
            )
            for image_id, key, number, found, detail, partial, dropped, *root in rows
        ]

    def count_problems(self) -> dict[ProblemKind, int]:
        """Return the number of files of each kind."""
        counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in _CONDITIONS.values())
        row = self._query(f"SELECT {counts} FROM {_TABLES}")[0]
        return dict(zip(_CONDITIONS, row, strict=True))

    def find_by_content(self, sha256: str) -> list[int]:
        """Return the ids of the indexed pictures whose file has this checksum, hex."""
        rows = self._query(
            "SELECT images.id FROM images JOIN contents ON contents.id = content_id "
            "WHERE sha256 = ? AND status = 'indexed' ORDER BY 1",
            (sha256,),
        )
        return [row[0] for row in rows]
