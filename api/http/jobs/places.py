"""The places that a job may read: sources of the library, and what the operator has named."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.config import ApiSettings
from api.http.jobs.errors import RootNotAllowed
from indexer.library.sources.items import Root


@dataclass(frozen=True, slots=True)
class JobRoot:
    """A place that jobs may read. `root` is the source of the library there, if there is one."""

    path: Path
    root: Root | None = None

    @property
    def label(self) -> str:
        """What it is called."""
        return self.path.name or self.path.as_posix()


def list_job_roots(settings: ApiSettings, roots: Iterable[Root]) -> list[JobRoot]:
    """Return the places that jobs may read: the sources of the library first, each place once."""
    found = [JobRoot(root.path, root) for root in roots]
    known = {one.path.resolve() for one in found}
    uploads = [settings.upload_root] if settings.upload_root else []
    for path in (*settings.job_root_paths, *uploads):
        resolved = path.expanduser().resolve()
        if resolved not in known:
            known.add(resolved)
            found.append(JobRoot(resolved))
    return found


def find_job_root(named: str, allowed: Sequence[JobRoot]) -> Path:
    """Return the place that a client names: by its label, a folder below it, or where it lies.

    Links are followed first, so that none leads out of what is allowed. Below a source only folders are taken: a list
    of paths could name any file. Raises RootNotAllowed, in the same words whether there is something or not.
    """
    label, _, below = named.strip("/").partition("/")
    for one in allowed:
        if named.startswith("/"):
            wanted = Path(named)
        elif label == one.label:
            wanted = one.path / below if below else one.path
        else:
            continue
        try:
            found, base = Path(os.path.realpath(wanted)), one.path.resolve()
        except (OSError, ValueError):  # the second: a NUL in it
            continue
        if found == base or (found.is_relative_to(base) and found.is_dir()):
            return found
    raise RootNotAllowed(named)
