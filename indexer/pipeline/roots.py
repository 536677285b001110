"""The sources of a library: which there are and how they stand, moved to where they lie now, and taken out of it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from indexer.config import IndexerSettings
from indexer.errors import InvalidRoot, RootTaken, UnknownRoot
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.library.replicas.replica import check_home
from indexer.library.sources.items import Root
from indexer.library.storage.addresses import address_in
from indexer.sources.places import source_at
from models.foundation.messages import mark, message


class RootState(StrEnum):
    """How a source stands."""

    THERE = mark("there")
    GONE = mark("not there")
    EMPTY = mark("empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class RootReport:
    """A source of a library: where it lies, what kind it is, how it stands, and how many pictures it has."""

    path: Path
    kind: str
    state: RootState
    pictures: int
    failed: int
    removed: int


def list_roots(settings: IndexerSettings) -> list[RootReport]:
    """Return the sources of a library in the order they were added. Raises NoIndex."""
    catalog = Catalog(Layout(settings.data.absolute()).catalog)
    try:
        counts = catalog.count_by_root()
        return [_report(root, counts.get(root.id, {})) for root in catalog.list_roots()]
    finally:
        catalog.close()


def find_root(settings: IndexerSettings, path: Path) -> RootReport:
    """Return a source by where it lies. Raises UnknownRoot or NoIndex."""
    found = list_roots(settings)
    root = next((one for one in found if one.path == path), None)
    if root is None:
        raise UnknownRoot(path, [one.path for one in found])
    return root


def move_root(settings: IndexerSettings, old: Path, new: Path) -> list[Path]:
    """Say that a source, or every source below a folder, lies elsewhere now; return where they lie.

    Nothing is read: the next update finds its files as they were. Raises UnknownRoot, RootTaken, InvalidRoot, NoIndex,
    LibraryElsewhere, LibraryBusy or LibraryUnwritable.
    """
    if not new.exists() and address_in(new) is None:
        raise InvalidRoot(new, message("there is no such folder or file"))
    layout = Layout(settings.data.absolute())
    check_home(layout)
    with write_lock(layout):
        catalog = Catalog(layout.catalog)
        try:
            catalog.check_seal(thorough=False)
            roots = catalog.list_roots()
            moved = {root: new / root.path.relative_to(old) for root in roots if root.path.is_relative_to(old)}
            if not moved:
                raise UnknownRoot(old, [root.path for root in roots])
            taken = {root.path for root in roots} - {root.path for root in moved}
            for path in moved.values():
                if path in taken:
                    raise RootTaken(path)
            for root, path in moved.items():
                if not (path.exists() or address_in(path)) or source_at(path).kind != root.kind:
                    raise InvalidRoot(path, message("it is not the source that was at {old}", old=root.path))
            with catalog.writing():
                catalog.move_roots({root.id: path for root, path in moved.items()})
            catalog.seal()
        finally:
            catalog.close()
    return list(moved.values())


def _report(root: Root, counts: dict[str, int]) -> RootReport:
    state = RootState.THERE
    if address_in(root.path):  # nothing is asked of it
        pass
    elif not root.path.exists() or (root.kind == "folder" and not root.path.is_dir()):
        state = RootState.GONE
    elif root.path.is_dir() and not any(root.path.iterdir()):
        state = RootState.EMPTY
    return RootReport(
        path=root.path,
        kind=root.kind,
        state=state,
        pictures=counts.get("indexed", 0),
        failed=counts.get("failed", 0),
        removed=counts.get("removed", 0),
    )
