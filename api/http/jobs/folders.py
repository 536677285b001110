"""The folders that somebody may choose from to have them taken into the library."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from api.http.jobs.errors import RootNotAllowed
from api.http.jobs.places import JobRoot, find_job_root

MOST_FOLDERS = 500
_MOST_ENTRIES = 50_000  # of a folder that are looked at


def list_folders(named: str, allowed: Sequence[JobRoot], data: Path) -> tuple[list[str], bool]:
    """Return the names of the folders in one that jobs may read, and whether there are more.

    No links, nothing hidden, not the library's own folder `data`, and no name that is no valid Unicode. Raises
    RootNotAllowed, in the same words whether there is something or not.
    """
    if named.startswith("/"):
        raise RootNotAllowed(named)
    folder = find_job_root(named, allowed)
    try:
        with os.scandir(folder) as entries:
            looked_at = list(islice(entries, _MOST_ENTRIES + 1))
        found = sorted(_names(looked_at[:_MOST_ENTRIES], data.resolve()), key=lambda name: (name.casefold(), name))
    except OSError as error:
        raise RootNotAllowed(named) from error
    return found[:MOST_FOLDERS], len(found) > MOST_FOLDERS or len(looked_at) > _MOST_ENTRIES


def _names(entries: Sequence["os.DirEntry[str]"], data: Path) -> Iterator[str]:
    for entry in entries:
        is_named = entry.name.isprintable() and not entry.name.startswith(".")
        if is_named and entry.is_dir(follow_symlinks=False) and Path(entry.path) != data:
            yield entry.name
