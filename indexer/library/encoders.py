"""The encoders of a library: what they are, and where their vectors lie."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indexer.library.catalog.records import Shard, StoredEncoder
from indexer.library.catalog.writer import Catalog
from indexer.library.damage import Damage
from indexer.library.errors import EncoderNotInLibrary, IndexDamaged, LastEncoder
from indexer.library.layout import Layout
from indexer.library.part_keys import owners_of
from indexer.library.vectors.store import VectorStore
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec

_SHARD_ROWS = 65_536
_SMALL_SHARDS = 16  # more small shards than this are merged at the end of a run


@dataclass(frozen=True, slots=True)
class LibraryEncoder:
    """An encoder of a library: its id in the catalog, and the shards of its vectors."""

    id: int
    spec: EncoderSpec
    store: VectorStore


def open_encoders(layout: Layout, stored: Sequence[StoredEncoder], runtime: Runtime) -> dict[str, LibraryEncoder]:
    """Return encoders that a library was built with, by name; weights need not be here. Raises UnknownEncoder."""
    return {one.name: _open_encoder(layout, one, runtime) for one in stored}


def _open_encoder(layout: Layout, stored: StoredEncoder, runtime: Runtime) -> LibraryEncoder:
    spec = get_spec(stored.name, runtime)
    return LibraryEncoder(stored.id, spec, VectorStore(layout.vectors(spec.name), spec.dim))


def choose_encoders(named: Sequence[str], dropped: Sequence[str], stored: Sequence[StoredEncoder]) -> list[str]:
    """Return the names of the encoders of a run: those `named`, or else the library's, without those `dropped`.

    Raises EncoderNotInLibrary or LastEncoder.
    """
    known = [one.name for one in stored]
    for name in dropped:
        if name not in known:
            raise EncoderNotInLibrary(name, known)
    chosen = [name for name in dict.fromkeys(named or known or [DEFAULT_ENCODER]) if name not in dropped]
    if not chosen:
        raise LastEncoder(dropped)
    return chosen


def find_damage(catalog: Catalog, encoder: LibraryEncoder) -> list[Damage]:
    """Return what is wrong with each shard of an encoder that is not what was written."""
    shards = catalog.list_shards(encoder.id)
    return [damage for shard in shards if (damage := encoder.store.find_damage(shard))]


def check_vectors_whole(catalog: Catalog, encoders: Iterable[LibraryEncoder]) -> None:
    """Raise IndexDamaged if a shard of these encoders is not what was written."""
    for encoder in encoders:
        for damage in find_damage(catalog, encoder)[:1]:
            raise IndexDamaged(damage, command="xuntu index update")


def merge_small_shards(catalog: Catalog, encoder: LibraryEncoder) -> None:
    """Replace many small shards by few big ones, leaving out rows nobody needs any more."""
    small = [shard for shard in catalog.list_shards(encoder.id) if shard.rows < _SHARD_ROWS]
    # What is damaged is not copied: the next run finds it.
    if len(small) > _SMALL_SHARDS and not any(encoder.store.find_damage(shard) for shard in small):
        rewrite_shards(catalog, encoder, small)


def rewrite_shards(catalog: Catalog, encoder: LibraryEncoder, shards: Sequence[Shard]) -> None:
    """Write the vectors of some shards that are still needed to new, full ones, and forget the old."""
    numbers = [shard.number for shard in shards]
    wanted = catalog.content_locations(encoder.id).among(numbers)
    with catalog.writing():
        for start in range(0, len(wanted), _SHARD_ROWS):
            part = wanted[start : start + _SHARD_ROWS]
            shard = encoder.store.write(catalog.next_shard(), owners_of(part.ids), encoder.store.gather(part))
            catalog.put_shard(encoder.id, shard, part.ids)
        catalog.drop_empty_shards(encoder.id, numbers)
    encoder.store.delete_all_but(catalog.list_shards(encoder.id))
