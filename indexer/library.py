"""The read side of a library: the build in use, opened."""

from dataclasses import dataclass
from pathlib import Path

from indexer.errors import IndexDamaged, IndexMismatch
from indexer.index.segments import SegmentedIndex
from indexer.publish import read_current
from indexer.store.catalog import Catalog
from indexer.store.layout import Layout
from indexer.store.manifest import IndexEntry, Manifest
from models.spec import EncoderSpec


@dataclass(frozen=True, slots=True)
class OpenBuild:
    """A published build and the catalog beside it. Immutable: a later build is another object."""

    layout: Layout
    manifest: Manifest
    entry: IndexEntry
    index: SegmentedIndex
    catalog: Catalog


def open_build(data: Path, *, catalog: Catalog | None = None, build: str | None = None) -> OpenBuild:
    """Open the build in use, or the one that `build` names, with the `catalog` if it is open and still the library's.

    Whether its encoder is the one on this machine is for those to ask who encode. Raises NoIndex, IndexDamaged,
    CatalogTooNew or CatalogCorrupt.
    """
    layout = Layout(data.absolute())
    manifest = read_current(layout) if build is None else Manifest.read(layout.builds / build)
    entry = manifest.indexes[0]
    folder = layout.builds / manifest.build
    index = SegmentedIndex.open(folder, entry.files)
    if len(index) != entry.count:
        raise IndexDamaged(folder, f"it holds {len(index)} vectors, expected {entry.count}")
    if catalog is None or not catalog.is_current():
        catalog = Catalog(layout.catalog)
    return OpenBuild(layout, manifest, entry, index, catalog)


def check_same(expected: EncoderSpec, loaded: EncoderSpec) -> None:
    """Raise IndexMismatch if the weights on disk have been replaced since `expected` was read."""
    if expected.fingerprint != loaded.fingerprint:
        raise IndexMismatch(f"{expected.name} ({expected.fingerprint})", f"{loaded.name} ({loaded.fingerprint})")
