"""The read side of a library: the build in use, opened."""

from dataclasses import dataclass
from pathlib import Path

from indexer.errors import IndexDamaged, IndexMismatch
from indexer.index.base import VectorIndex
from indexer.index.factory import open_index
from indexer.publish import read_current
from indexer.store.catalog import Catalog
from indexer.store.layout import Layout
from indexer.store.manifest import IndexFile, Manifest
from models.spec import EncoderSpec


@dataclass(frozen=True, slots=True)
class OpenBuild:
    """A published build and the catalog beside it. Immutable: a later build is another object."""

    layout: Layout
    manifest: Manifest
    index_file: IndexFile
    index: VectorIndex
    catalog: Catalog


def open_build(data: Path, *, catalog: Catalog | None = None) -> OpenBuild:
    """Open the build in use, with the `catalog` that is open already if it is still the library's.

    Whether its encoder is the one on this machine is for those to ask who encode. Raises NoIndex, IndexDamaged,
    CatalogTooNew or CatalogCorrupt.
    """
    layout = Layout(data.absolute())
    manifest = read_current(layout)
    index_file = manifest.indexes[0]
    path = layout.builds / manifest.build / index_file.file
    try:
        size = path.stat().st_size
    except OSError as error:
        raise IndexDamaged(path, error.strerror or "it cannot be reached") from error
    if size != index_file.bytes:
        raise IndexDamaged(path, f"it has {size} bytes, not the {index_file.bytes} that were written")
    index = open_index(path)
    if len(index) != index_file.count:
        raise IndexDamaged(path, f"it holds {len(index)} vectors, expected {index_file.count}")
    if catalog is None or not catalog.is_current():
        catalog = Catalog(layout.catalog)
    return OpenBuild(layout, manifest, index_file, index, catalog)


def check_same(expected: EncoderSpec, loaded: EncoderSpec) -> None:
    """Raise IndexMismatch if the weights on disk have been replaced since `expected` was read."""
    if expected.fingerprint != loaded.fingerprint:
        raise IndexMismatch(f"{expected.name} ({expected.fingerprint})", f"{loaded.name} ({loaded.fingerprint})")
