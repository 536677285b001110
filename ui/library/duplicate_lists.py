"""Duplicates as lists for a person's own script: a table, and the paths of those that need not be kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from api.schemas import DuplicatePicture
from ui.library.skipped import harmless

_COLUMNS = ("group", "why", "id", "root", "path", "width", "height", "bytes", "taken_at", "bits", "cosine")
_LOST = "\N{REPLACEMENT CHARACTER}"  # stands for bytes of a name that is no text


def write_csv(groups: Iterable[Sequence[DuplicatePicture]]) -> bytes:
    """Return all of them as CSV, which Excel reads as UTF-8 by its first bytes; groups are numbered from 1."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(_COLUMNS)
    for number, group in enumerate(groups, 1):
        for one in group:
            told = one.model_dump()
            table.writerow([number, *(_cell(told[name]) for name in _COLUMNS[1:])])
    return written.getvalue().encode("utf-8-sig")


def _cell(value: object) -> object:
    return harmless(value) if isinstance(value, str) else value


def write_paths(groups: Iterable[Sequence[DuplicatePicture]], root: str, which: str, end: str) -> bytes:
    """Return the paths below a root of those that need not be kept, each with `end` behind it, in UTF-8.

    `which`: "copy" for those with the same content as another that stays, "all" for near-duplicates as well. Names that
    cannot be told from others this way are left out.
    """
    kinds = ("copy",) if which == "copy" else ("copy", "near")
    found = [one.path for group in groups for one in group if one.root == root and one.why in kinds]
    # A name that begins with a hyphen is no option for whoever reads the list.
    return "".join(f"{'./' * path.startswith('-')}{path}{end}" for path in found if _is_plain(path, end)).encode()


def _is_plain(path: str, end: str) -> bool:
    return not (_LOST in path or path.startswith(("…", "/")) or (end == "\n" and "\n" in path))
