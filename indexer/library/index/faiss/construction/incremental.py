"""The next index of a library from the one before it: most of it stays, and what changed is added or marked dead."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from indexer.library.catalog.records import IndexChanges, Locations
from indexer.library.index.base import positions_of
from indexer.library.index.faiss.construction.recipes import IndexRecipe, choose_recipe, is_scanned_fast
from indexer.library.index.faiss.construction.training import Progress, add_rows, empty_codes, train_codes
from indexer.library.index.faiss.construction.tuning import tune
from indexer.library.index.faiss.flat import FlatSegment
from indexer.library.index.faiss.gpu import open_gpu
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.faiss.part import IndexPart
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.hub_offsets import coded_dim, coded_offsets, offsets_at, with_column
from indexer.library.index.records import IndexOptions
from indexer.library.vectors.query_bank import Offsets, QueryBank
from indexer.library.vectors.shard_files import Places, ShardFiles, pack_places
from models.foundation.vectors import Ids, Vectors, check_vectors

_log = logging.getLogger(__name__)
_SEED = 20_262
_CHUNK_ROWS = 16_384
_ANEW_SHARE = 0.5  # more than this is not added to an index: another is made, a chunk at a time
_ASIDE = 0.16  # of what a flat scan may cost where it stands alone: more that has been added is coded


def build_main(
    locations: Locations,
    store: ShardFiles,
    options: IndexOptions,
    bank: QueryBank | None = None,
    on_progress: Progress | None = None,
) -> SegmentedIndex:
    """Make an index of everything in `locations`, tuned where its recipe needs it.

    `bank` are texts such as will be asked: it is tuned for them, and rows get offsets by them if `options` say so.
    Raises IndexDamaged or InvalidVectors.
    """
    if not len(locations.ids):
        return SegmentedIndex(store.dim)
    recipe = choose_recipe(len(locations.ids), store.dim, options)
    if recipe.name == "flat":
        segment: FlatSegment | IvfSegment = _flat(locations, store, options, bank, on_progress)
    else:
        segment = _inverted(locations, store, recipe, options, bank, on_progress)
    return SegmentedIndex(store.dim, [IndexPart(1, segment)])


def next_index(
    previous: SegmentedIndex | None,
    changes: IndexChanges,
    locate: Callable[[], Locations],
    store: ShardFiles,
    options: IndexOptions,
    *,
    bank: QueryBank | None = None,
    on_progress: Progress | None = None,
) -> SegmentedIndex:
    """Return `previous` with `changes`, or a new index of all that `locate` returns where that pays.

    If `previous` has offsets, they are by the same `bank`. `locate` is asked only where it is needed; `previous` stays
    as it is. Raises as `build_main`.
    """
    if previous is None or not previous.parts:
        return build_main(locate(), store, options, bank, on_progress)
    if len(changes.added) > _ANEW_SHARE * len(previous):
        return build_main(locate(), store, options, bank, on_progress)
    grown = apply(previous, changes.touched, changes.added, store, bank if options.hub_correction else None)
    if _is_folded(grown, options):
        return build_main(locate(), store, options, bank, on_progress)
    return _code_flats(grown, locate, store, options)


def apply(
    previous: SegmentedIndex, removed: Ids, added: Locations, store: ShardFiles, bank: QueryBank | None = None
) -> SegmentedIndex:
    """Return `previous` without `removed`, and with the vectors at `added`, whose ids may be among `removed`.

    With a `bank` they get offsets. `previous` stays as it is. Raises IndexDamaged or InvalidVectors.
    """
    index = SegmentedIndex(store.dim, previous.parts)
    index.remove(np.setdiff1d(removed, added.ids))
    if len(added.ids):
        vectors = check_vectors(store.gather(pack_places(added)), store.dim)
        new = ~_holds(index, added.ids, vectors)
        index.upsert(added.ids[new], vectors[new], bank.measure(vectors[new]) if bank else None)
    return SegmentedIndex(store.dim, _merge_flats(index.parts))


def _holds(index: SegmentedIndex, ids: Ids, vectors: Vectors) -> npt.NDArray[np.bool_]:
    """Say for which ids the index has this very vector already."""
    held = index.holds(ids)
    held[held] = (index.fetch(ids[held]) == vectors[held]).all(axis=1)
    return held


def _is_folded(index: SegmentedIndex, options: IndexOptions) -> bool:
    """Say whether a new main part pays."""
    if not index.parts:
        return False
    main = index.parts[0]
    recipe = choose_recipe(len(index), index.dim, options)
    if recipe.name == "ivf" and main.segment.recipe == "flat":
        return True
    if recipe.name == "flat" and main.segment.recipe == "ivf" and options.recipe == "auto":
        return is_scanned_fast(len(index), index.dim, options, share=0.5)  # not to and fro at the edge
    dead = sum(len(part.segment) - len(part) for part in index.parts)
    beside = sum(map(len, index.parts[1:])) if recipe.name == "ivf" else 0
    return dead > options.dead_share * len(main.segment) or beside > options.fold_share * len(main.segment)


def _merge_flats(parts: Sequence[IndexPart]) -> list[IndexPart]:
    """Merge flat parts at the end until each is more than twice as long as the one after it: so there are few."""
    merged = list(parts)
    while len(merged) > 1:
        one, other = merged[-2:]
        if not isinstance(one.segment, FlatSegment) or not isinstance(other.segment, FlatSegment):
            break
        if len(one) > 2 * len(other):
            break
        merged[-2:] = [_merged(one, other)]
    return merged


def _merged(one: IndexPart, other: IndexPart) -> IndexPart:
    ids = np.concatenate([one.live_ids, other.live_ids])
    vectors = np.concatenate(
        [part.segment.fetch(positions_of(part.segment.ids, part.live_ids)) for part in (one, other)]
    )
    offsets = _live_offsets([one, other])
    order = np.argsort(ids)
    return IndexPart(other.number, FlatSegment(ids[order], vectors[order], offsets_at(offsets, order)))


def _live_offsets(parts: Sequence[IndexPart]) -> Offsets | None:
    """Return the offsets of the living rows of all parts, None where there are none."""
    found = [part.live_offsets for part in parts]
    return None if any(one is None for one in found) else np.concatenate([one for one in found if one is not None])


def _code_flats(
    index: SegmentedIndex, locate: Callable[[], Locations], store: ShardFiles, options: IndexOptions
) -> SegmentedIndex:
    """Code what has been added since the main part, as the main part is coded, where it is too much to scan."""
    if not index.parts:
        return index
    main = index.parts[0]
    flats = [part for part in index.parts[1:] if isinstance(part.segment, FlatSegment)]
    count = sum(map(len, flats))
    if not isinstance(main.segment, IvfSegment) or is_scanned_fast(count, store.dim, options, share=_ASIDE):
        return index
    kept = [part for part in index.parts if part not in flats]
    coded = flats
    while len(kept) > 1 and len(kept[-1]) <= 2 * count:  # earlier ones of its size are coded with it
        coded = [kept.pop(), *coded]
        count += len(coded[0])
    locations = locate()
    ids = np.concatenate([part.live_ids for part in coded])
    offsets = offsets_at(_live_offsets(coded), np.argsort(ids))
    at = positions_of(locations.ids, ids)
    part_of = Locations(locations.ids[at], locations.shards[at], locations.rows[at])
    places = pack_places(part_of)
    codes = empty_codes(main.segment.codes)
    add_rows(codes, places, store, options, coded=None if offsets is None else coded_offsets(offsets))
    segment = IvfSegment(part_of.ids, places, codes, store, main.segment.tuned, offsets)
    number = 1 + max(part.number for part in index.parts)
    return SegmentedIndex(store.dim, [*kept, replace(coded[-1], number=number, segment=segment, live=None, files={})])


def _inverted(
    locations: Locations,
    store: ShardFiles,
    recipe: IndexRecipe,
    options: IndexOptions,
    bank: QueryBank | None,
    on_progress: Progress | None,
) -> IvfSegment:
    places = pack_places(locations)
    chosen = np.random.default_rng(_SEED).choice(len(places), recipe.training_rows, replace=False)
    chosen.sort()
    sample = check_vectors(store.gather(places[chosen]), store.dim)
    offsets = _measure(places, store, bank) if bank and options.hub_correction else None
    coded = None
    if offsets is not None:
        coded, width = coded_offsets(offsets), coded_dim(store.dim)
        sample, recipe = with_column(sample, coded[chosen], width), replace(recipe, parts=width // 2)
    gpu = open_gpu(options.device)
    codes = train_codes(sample, recipe, options, gpu)
    del sample
    add_rows(codes, places, store, options, on_progress, gpu, coded=coded)
    segment = IvfSegment.untuned(locations.ids, places, codes, store, offsets)
    tuned = tune(segment, bank.vectors if bank else None, options)
    if tuned.missed:
        _log.warning("The index reaches recalls of %s where %s was asked for", tuned.recalls, tuned.target)
    return IvfSegment(locations.ids, places, codes, store, tuned.to_dict(), offsets)


def _measure(places: Places, store: ShardFiles, bank: QueryBank) -> Offsets:
    """Return the offsets of the rows at `places`, which are read a chunk at a time."""
    offsets = np.empty(len(places), np.float32)
    for start in range(0, len(places), _CHUNK_ROWS):
        offsets[start : start + _CHUNK_ROWS] = bank.measure(store.gather(places[start : start + _CHUNK_ROWS]))
    return offsets


def _flat(
    locations: Locations, store: ShardFiles, options: IndexOptions, bank: QueryBank | None, on_progress: Progress | None
) -> FlatSegment:
    places = pack_places(locations)
    vectors = np.empty((len(places), store.dim), np.float32)
    for start in range(0, len(places), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        vectors[chunk] = check_vectors(store.gather(places[chunk]), store.dim)
        if on_progress:
            on_progress(min(chunk.stop, len(places)), len(places))
    return FlatSegment(locations.ids, vectors, bank.measure(vectors) if bank and options.hub_correction else None)
