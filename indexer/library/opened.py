"""The read side of a library: the build in use, opened."""

from dataclasses import dataclass
from pathlib import Path

from indexer.library.builds.current import read_current
from indexer.library.builds.manifest import Manifest, parts_of
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import IndexMismatch
from indexer.library.index.backends import open_index
from indexer.library.index.parted import PartedIndex
from indexer.library.index.port import OpenIndex, VectorIndex
from indexer.library.index.records import IndexEntry
from indexer.library.layout import Layout
from models.encoders.spec import EncoderSpec


@dataclass(frozen=True, slots=True)
class OpenBuild:
    """A published build and the catalog beside it. Immutable: a later build is another object.

    `indexes` has one for each encoder of the library, the main one first.
    """

    layout: Layout
    manifest: Manifest
    indexes: tuple[OpenIndex, ...]
    catalog: Catalog

    @property
    def entry(self) -> IndexEntry:
        """What the manifest says of the main index."""
        return self.indexes[0].entry

    @property
    def index(self) -> VectorIndex:
        """The index of the main encoder."""
        return self.indexes[0].index

    @property
    def by_encoder(self) -> dict[str, OpenIndex]:
        """The indexes by their encoders' names, the main one first."""
        return {one.entry.encoder: one for one in self.indexes}

    def close(self) -> None:
        """Let go of the indexes; the catalog is for others to close."""
        for opened in self.indexes:
            opened.index.close()


def open_build(data: Path, *, catalog: Catalog | None = None, build: str | None = None) -> OpenBuild:
    """Open the build in use, or the one that `build` names, with the `catalog` if it is open and still the library's.

    Whether its encoder is the one on this machine is for those to ask who encode. Raises NoIndex, IndexDamaged,
    UnknownIndexBackend, BrokenIndexBackend, CatalogTooNew or CatalogCorrupt.
    """
    layout = Layout(data.absolute())
    manifest = read_current(layout) if build is None else Manifest.read(layout.builds / build)
    folder = layout.builds / manifest.build
    indexes = tuple(OpenIndex(entry, _open(folder, manifest, entry)) for entry in manifest.indexes)
    if catalog is None or not catalog.is_current():
        catalog = Catalog(layout.catalog)
    return OpenBuild(layout, manifest, indexes, catalog)


def _open(folder: Path, manifest: Manifest, entry: IndexEntry) -> VectorIndex:
    """Open the index of an encoder, and that of parts with it."""
    whole, parts = open_index(folder, entry), manifest.find(parts_of(entry.encoder))
    return whole if parts is None else PartedIndex(whole, open_index(folder, parts))


def check_same(expected: EncoderSpec, loaded: EncoderSpec) -> None:
    """Raise IndexMismatch if the weights on disk have been replaced since `expected` was read."""
    if expected.fingerprint != loaded.fingerprint:
        raise IndexMismatch(f"{expected.name} ({expected.fingerprint})", f"{loaded.name} ({loaded.fingerprint})")
