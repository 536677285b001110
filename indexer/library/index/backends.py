"""The back ends of vector indexes, by name: those built in, and those of other packages."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import BrokenIndexBackend, IndexDamaged, UnknownIndexBackend
from indexer.library.index.filter_only import FilterOnlyIndex
from indexer.library.index.port import IndexBackend, VectorIndex
from indexer.library.index.records import IndexEntry
from models.foundation.messages import verbatim

GROUP = "xuntu.indexes"  # entry points of other packages; each names a class that takes no arguments

# Imported by name when they are asked for: to answer queries, nothing that makes an index is loaded.
_BUILT_IN = {"faiss": "indexer.library.index.faiss.backend:FaissBackend"}


def get_backend(name: str) -> IndexBackend:
    """Return the back end of a name. Raises UnknownIndexBackend or BrokenIndexBackend."""
    backend: IndexBackend
    if name in _BUILT_IN:
        backend = EntryPoint(name, _BUILT_IN[name], GROUP).load()()
        return backend
    for entry_point in entry_points(group=GROUP, name=name):
        try:
            backend = entry_point.load()()
        except (ImportError, AttributeError, TypeError) as error:
            raise BrokenIndexBackend(name, verbatim(str(error))) from error
        return backend
    raise UnknownIndexBackend(name, list_backends())


def list_backends() -> list[str]:
    """Return the names of all back ends, in order."""
    return sorted({*_BUILT_IN, *entry_points(group=GROUP).names})


def open_index(folder: Path, entry: IndexEntry) -> VectorIndex:
    """Open an index in the folder of its build, for searches among lists of ids too, whatever its back end takes.

    Raises IndexDamaged, UnknownIndexBackend, BrokenIndexBackend, or what the back end raises.
    """
    backend = get_backend(entry.backend)
    index = backend.open(folder, entry)
    if len(index) != entry.count:
        raise IndexDamaged(Damage(folder, DamageKind.OTHER_CONTENT, found=len(index), expected=entry.count))
    return index if backend.takes_ids else FilterOnlyIndex(index)


def find_index_damage(folder: Path, entry: IndexEntry) -> list[Damage]:
    """Return each thing wrong with an index; that its back end is not here is one."""
    try:
        return get_backend(entry.backend).damage(folder, entry)
    except (UnknownIndexBackend, BrokenIndexBackend) as error:
        return [Damage(entry.encoder, DamageKind.NOT_OPENED, why=error)]
