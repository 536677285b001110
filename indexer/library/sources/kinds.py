"""Kinds of sources -> the classes that read them.

The library does not know these classes: it has the names of its own, which are imported when one is first needed, and
finds those of other packages by their entry points.
"""

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from indexer.library.errors import UnknownSource
from indexer.library.sources.items import Locator, Root
from indexer.library.sources.port import Source, place_within

logger = logging.getLogger(__name__)

ENTRY_POINTS = "xuntu.sources"  # the group; a name in it is a kind

_BUILT_IN = {
    "folder": "indexer.sources.folders:FolderSource",
    "list": "indexer.sources.lists:ListSource",
    "tar": "indexer.sources.shards:TarSource",
    "objects": "indexer.sources.object_store:ObjectSource",
}
_registered: dict[str, type[Source]] = {}


def register_source(source: type[Source]) -> None:
    """Make a class known to this process, for a program that has a source of its own."""
    _registered[source.kind] = source


def open_source(root: Root) -> Source:
    """Return the source that the catalog describes. Raises UnknownSource."""
    make = _registered.get(root.kind) or _load(root.kind)
    if make is None:
        raise UnknownSource(root.path, root.kind, root.package)
    return make(root)


def find_source(place: str) -> type[Source] | None:
    """Return the class for what is at a place, None if none takes it; those of xuntu itself are asked first."""
    return next((source for source in _all_sources() if source.accepts(place)), None)


def package_of(kind: str) -> str:
    """Return the package that has the class for a kind, "" for xuntu's own."""
    found = _find_entry_point(kind) if kind not in _BUILT_IN else None
    return found.dist.name if found is not None and found.dist is not None else ""


def place_of(root: Root, locator: Locator) -> str:
    """Return where a person finds an item, of whatever kind its source is."""
    try:
        return open_source(root).place(locator)
    except UnknownSource:
        return place_within(root, locator)


def what_names_say(root: Root) -> Callable[[str], str]:
    """Return what turns a key of a source into what its name says; it says itself where nobody has the kind."""
    try:
        return open_source(root).words
    except UnknownSource:
        return str


def _all_sources() -> Iterator[type[Source]]:
    for kind in _BUILT_IN:
        source = _load(kind)
        if source is not None:
            yield source
    yield from _registered.values()
    for found in entry_points(group=ENTRY_POINTS):
        source = _load(found.name)
        if source is not None:
            yield source


@lru_cache
def _load(kind: str) -> type[Source] | None:
    """Import the class for a kind, None if nobody has it."""
    if kind in _BUILT_IN:
        module, _, name = _BUILT_IN[kind].partition(":")
        source: type[Source] = getattr(import_module(module), name)
        return source
    found = _find_entry_point(kind)
    if found is None:
        return None
    try:
        plugin: type[Source] = found.load()
    except (ImportError, AttributeError):
        logger.exception("the source %s cannot be loaded", kind)
        return None
    return plugin


def _find_entry_point(kind: str) -> EntryPoint | None:
    return next(iter(entry_points(group=ENTRY_POINTS, name=kind)), None)
