"""An index on disk, how it grows, and what it does about files that are not what was written."""

import errno
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from indexer.library.catalog.records import IndexChanges, Locations
from indexer.library.errors import IndexDamaged
from indexer.library.index.faiss.construction.incremental import apply, build_main, next_index
from indexer.library.index.faiss.flat import FlatSegment
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.records import IndexFile, IndexOptions
from indexer.library.index.selection import IdSelection
from indexer.library.vectors.query_bank import QueryBank
from indexer.library.vectors.shard_files import ShardFiles, pack_places
from models.foundation.vectors import l2_normalize

DIM, COUNT, SHARD = 16, 6_000, 2_500
OPTIONS = IndexOptions(recipe="ivf", threads=1, tuning_queries=64)
PLAIN = replace(OPTIONS, hub_correction=False)
EVERYTHING = np.arange(COUNT)


def clustered(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((60, DIM))
    return l2_normalize(centres[rng.integers(0, 60, count)] + 0.5 * rng.standard_normal((count, DIM)))


def bank(count: int, seed: int) -> QueryBank:
    return QueryBank(id="test", vectors=clustered(count, seed), sharpness=10.0)


class Store:
    """A vector store that has `COUNT` vectors in shards, ids 10, 12, 14 ..."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.locations = Locations.of([])
        self.vectors = np.empty((0, DIM), np.float32)
        self.shards = 0
        vectors = clustered(COUNT)
        for start in range(0, COUNT, SHARD):
            chunk = vectors[start : start + SHARD]
            self.add(10 + 2 * np.arange(start, start + len(chunk)), chunk)

    def add(self, ids, vectors) -> Locations:
        np.save(self.folder / f"{self.shards:05d}.npy", vectors)
        new = Locations(ids, np.full(len(ids), self.shards), np.arange(len(ids)))
        kept = ~np.isin(self.locations.ids, ids)
        columns = [
            np.concatenate([getattr(self.locations, name)[kept], getattr(new, name)])
            for name in ("ids", "shards", "rows")
        ]
        order = np.argsort(columns[0])
        self.locations = Locations(*(column[order] for column in columns))
        self.vectors = np.concatenate([self.vectors[kept], vectors])[order]
        self.shards += 1
        return new

    def files(self) -> ShardFiles:
        return ShardFiles(self.folder, DIM)

    def reference(self) -> NumpyIndex:
        index = NumpyIndex(DIM)
        index.upsert(self.locations.ids, self.vectors)
        return index


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved index of an inverted file, a flat segment and dead rows: its folder and files. Not to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    store = Store(folder / "store")
    index = build_main(store.locations, store.files(), OPTIONS, bank(100, seed=5))
    added = clustered(150, seed=6)
    index.upsert(np.arange(1, 301, 2), added, bank(100, seed=5).measure(added))
    index.remove(np.arange(100, 200))
    (folder / "build").mkdir()
    files = index.save(folder / "build", prefix="starter.")
    shutil.rmtree(store.folder)
    return folder / "build", files


def recall(index, reference, queries, k, where=None, kind="text") -> float:
    found = index.search(queries, k, where=where, kind=kind).ids
    expected = reference.search(queries, k, where=where).ids
    return float(np.mean([np.isin(right, row).mean() for right, row in zip(expected, found, strict=True)]))


def test_an_inverted_file_finds_what_it_was_tuned_to_find(store, heavy):
    index = build_main(store.locations, store.files(), PLAIN, bank(80, seed=3))
    tuned = index.parts[0].segment.tuned
    assert isinstance(index.parts[0].segment, IvfSegment)
    assert set(tuned["recalls"]) == {"picture@10", "picture@100", "text@10", "text@100"}
    assert min(tuned["recalls"].values()) >= 0.98
    assert not tuned["target_missed"]
    assert not tuned["text_guessed"]
    assert json.loads(json.dumps(tuned)) == tuned
    assert recall(index, store.reference(), clustered(50, seed=4), 10) >= 0.97
    assert recall(index, store.reference(), store.vectors[:50], 100, kind="picture") >= 0.97


def test_without_texts_their_effort_is_a_guess_well_above_that_of_pictures(store, heavy):
    tuned = build_main(store.locations, store.files(), OPTIONS).parts[0].segment
    assert tuned.tuned["text_guessed"]
    assert set(tuned.tuned["recalls"]) == {"picture@10", "picture@100"}
    assert tuned.search_params.text_few.rerank > 2 * tuned.search_params.picture_few.rerank


@pytest.mark.parametrize("share", [0.9, 0.75, 0.02])
def test_a_filter_is_honoured_inside_the_lists(store, share, heavy):
    index = build_main(store.locations, store.files(), OPTIONS)
    where = np.sort(np.random.default_rng(2).choice(store.locations.ids, int(share * COUNT), replace=False))
    queries = clustered(30, seed=9)
    selection = IdSelection(where)
    for chosen in (selection, selection, IdSelection(where)):
        found = index.search(queries, 10, where=chosen)
        assert np.isin(found.ids, where).all()
        assert recall(index, store.reference(), queries, 10, chosen) >= 0.97
        assert index.count(chosen) == len(where)


def test_a_filter_that_keeps_what_lies_far_from_the_query_still_fills_the_page(store, heavy):
    index = build_main(store.locations, store.files(), OPTIONS)
    query = clustered(1, seed=9)
    far = np.sort(store.locations.ids[np.argsort(store.vectors @ query[0])[:5_000]])
    found = index.search(query, 50, where=IdSelection(far), kind="picture")
    assert (found.ids >= 0).all()
    assert np.isin(found.ids, far).all()


def test_dead_rows_do_not_crowd_out_the_living(store, heavy):
    index, queries = build_main(store.locations, store.files(), OPTIONS), clustered(8, seed=9)
    reference = store.reference()
    best = np.unique(reference.search(queries, 250).ids)
    assert index.remove(best) == reference.remove(best) == len(best)
    assert not np.isin(index.search(queries, 100).ids, best).any()
    assert recall(index, reference, queries, 100) >= 0.93


def test_a_page_far_down_is_exact(store, heavy):
    index, reference = build_main(store.locations, store.files(), OPTIONS), store.reference()
    query = clustered(1, seed=9)
    assert recall(index, reference, query, COUNT - 10) == 1
    assert index.count_above(query, -0.5) == reference.count_above(query, -0.5)


def test_the_same_vectors_give_the_same_files(store, tmp_path, heavy):
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        index = build_main(store.locations, store.files(), OPTIONS, bank(80, seed=3))
        written.append(index.save(tmp_path / name))
    assert written[0] == written[1]


def test_what_comes_back_from_disk_answers_the_same(saved):
    folder, files = saved
    described = json.loads(json.dumps([file.to_dict() for file in files]))
    index = SegmentedIndex.open(folder, [IndexFile.from_dict(values) for values in described])
    assert {file.name for file in folder.iterdir()} == {file.file for file in files}
    ids = np.setdiff1d(np.concatenate([10 + 2 * EVERYTHING, np.arange(1, 301, 2)]), np.arange(100, 200))
    assert index.list_ids().tolist() == ids.tolist()
    assert index.search(index.fetch(ids[:20]), 1, kind="picture").ids[:, 0].tolist() == ids[:20].tolist()


def test_an_open_index_outlives_the_names_of_its_files(saved, tmp_path):
    folder, files = saved
    shutil.copytree(folder, tmp_path / "copy")
    index = SegmentedIndex.open(tmp_path / "copy", files)
    shutil.rmtree(tmp_path / "copy")
    assert np.isfinite(index.search(clustered(5, seed=2), 3_000).scores).all()
    assert index.fetch(index.list_ids()).shape == (len(index), DIM)


def test_a_later_build_links_what_has_not_changed(saved, tmp_path):
    folder, files = saved
    index = SegmentedIndex.open(folder, files)
    index.upsert(np.array([1, 9_999_999]), clustered(2, seed=7))
    later = index.save(tmp_path, prefix="starter.")
    before = {file.file: file for file in files}
    kept = [file for file in later if file.file in before and file.role != "dead"]
    assert {file.role for file in kept} == {"ids", "codes", "places", "offsets", "vectors", "shard"}
    for file in kept:
        assert file == before[file.file]
        assert (folder / file.file).samefile(tmp_path / file.file)
    again = SegmentedIndex.open(tmp_path, later)
    assert again.list_ids().tolist() == index.list_ids().tolist()


def refuse_links(_source, _target):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_where_there_are_no_links_files_are_copied(saved, tmp_path):
    folder, files = saved
    index = SegmentedIndex.open(folder, files)
    copied = index.save(tmp_path, prefix="starter.", link=refuse_links)
    assert copied == files
    assert not any((folder / file.file).samefile(tmp_path / file.file) for file in files)
    assert len(SegmentedIndex.open(tmp_path, copied)) == len(index)


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def empty(path):
    path.write_bytes(b"")


def flip_the_beginning(path):
    data = bytearray(path.read_bytes())
    data[:96] = bytes(byte ^ 0x5A for byte in data[:96])
    path.write_bytes(data)


def replace_by_something_else(path):
    path.write_bytes(b"not an index at all".ljust(path.stat().st_size, b"!"))


@pytest.mark.parametrize("damage", [cut, empty, flip_the_beginning, replace_by_something_else, os.unlink])
@pytest.mark.parametrize("role", ["ids", "vectors", "codes", "places", "offsets", "dead", "shard"])
def test_a_file_that_is_not_what_was_written_is_refused(saved, tmp_path, role, damage):
    folder, files = saved
    shutil.copytree(folder, tmp_path / "copy")
    damage(tmp_path / "copy" / next(file.file for file in files if file.role == role))
    with pytest.raises(IndexDamaged):
        SegmentedIndex.open(tmp_path / "copy", files)


@pytest.mark.parametrize("role", ["ids", "vectors", "codes", "places", "offsets", "shard"])
def test_a_file_that_is_not_listed_is_missed(saved, role):
    folder, files = saved
    with pytest.raises(IndexDamaged):
        SegmentedIndex.open(folder, [file for file in files if file.role != role])


def test_files_of_two_indexes_do_not_mix(saved):
    folder, files = saved
    with pytest.raises(IndexDamaged):
        SegmentedIndex.open(folder, [replace(file, dim=8) if file.role == "shard" else file for file in files])


@pytest.mark.parametrize(
    "change",
    [{"role": None}, {"file": "../secret"}, {"bytes": -1}, {"count": "5"}, {"parameters": []}, {"sha256": None}],
    ids=str,
)
def test_a_description_that_means_nothing_is_refused(saved, change):
    values = saved[1][0].to_dict() | change
    with pytest.raises((ValueError, TypeError)):
        IndexFile.from_dict(values)


def test_a_file_of_no_known_role_is_refused(saved):
    folder, files = saved
    with pytest.raises(IndexDamaged, match="no part of an index of segments"):
        SegmentedIndex.open(folder, [replace(file, role="soup") if file.role == "dead" else file for file in files])


def test_a_shard_that_lost_its_end_is_found_out_when_it_is_read(store):
    files = store.files()
    places = pack_places(store.locations)
    files.check(places)
    os.truncate(store.folder / "00000.npy", 5_000)
    with pytest.raises(IndexDamaged):
        files.gather(places[SHARD - 2 : SHARD + 1])
    with pytest.raises(IndexDamaged):
        list(files.blocks(0))
    with pytest.raises(IndexDamaged):
        store.files().gather(places[:1])


def test_rows_come_in_the_order_asked_for(store):
    order = np.random.default_rng(3).integers(0, COUNT, 500)
    order[100:150] = np.arange(2_480, 2_530)  # neighbours, across the end of a shard
    np.testing.assert_array_equal(store.files().gather(pack_places(store.locations)[order]), store.vectors[order])


def grow(index, store, touched, added, options=OPTIONS):
    return next_index(index, IndexChanges(np.asarray(touched), added), lambda: store.locations, store.files(), options)


def assert_same(index, store):
    reference = store.reference()
    assert index.list_ids().tolist() == reference.list_ids().tolist()
    np.testing.assert_array_equal(index.fetch(index.list_ids()), reference.fetch(index.list_ids()))
    assert recall(index, reference, clustered(20, seed=8), 10) >= 0.95


def test_changes_are_followed_and_the_index_before_them_stays(store, heavy):
    first = build_main(store.locations, store.files(), OPTIONS)
    before = first.list_ids().tolist()
    ids = np.array([10, 12, 100_001])
    added = store.add(ids, clustered(3, seed=11))
    second = grow(first, store, [10, 12, 14, 100_001], added)
    store.locations = Locations(*(np.delete(getattr(store.locations, n), 2) for n in ("ids", "shards", "rows")))
    store.vectors = np.delete(store.vectors, 2, axis=0)
    assert_same(second, store)
    assert second.parts[0].segment is first.parts[0].segment
    assert first.list_ids().tolist() == before


def test_a_vector_that_has_not_changed_is_not_added_again(store, heavy):
    first = build_main(store.locations, store.files(), OPTIONS)
    same = store.add(store.locations.ids[:50], store.vectors[:50])
    assert apply(first, same.ids, same, store.files()).parts == first.parts


def test_many_additions_leave_few_segments(store, heavy):
    index = build_main(store.locations, store.files(), OPTIONS)
    for number in range(40):
        ids = 100_000 + 10 * number + np.arange(10)
        index = grow(index, store, ids, store.add(ids, clustered(10, seed=number)))
    assert_same(index, store)
    assert 2 <= len(index.parts) <= 7


def test_the_main_part_is_made_anew_when_much_was_added_or_has_died(store, heavy):
    first = build_main(store.locations, store.files(), OPTIONS)
    ids = 100_000 + np.arange(COUNT)
    assert len(grow(first, store, ids, store.add(ids, clustered(COUNT, seed=12))).parts) == 1
    gone = store.locations.ids[: 2 * COUNT // 3]
    second = build_main(store.locations, store.files(), OPTIONS)
    store.locations, store.vectors = store.locations[2 * COUNT // 3 :], store.vectors[2 * COUNT // 3 :]
    third = grow(second, store, gone, Locations.of([]))
    assert (len(third.parts), third.parts[0].live) == (1, None)
    assert_same(third, store)


def test_what_was_added_is_coded_like_the_main_part_when_it_is_too_much_to_scan(store, tmp_path, heavy):
    options = replace(OPTIONS, flat_values=1_000 * DIM)
    index = build_main(store.locations, store.files(), options)
    for number in range(6):
        ids = 100_000 + 200 * number + np.arange(200)
        index = grow(index, store, ids, store.add(ids, clustered(200, seed=number)), options)
    assert [type(part.segment) for part in index.parts[:2]] == [IvfSegment, IvfSegment]
    assert index.parts[1].segment.tuned is index.parts[0].segment.tuned
    assert_same(index, store)
    files = index.save(tmp_path)
    assert_same(SegmentedIndex.open(tmp_path, files), store)


def test_a_small_library_is_flat_and_becomes_an_inverted_file(store, heavy):
    options = IndexOptions(threads=1, tuning_queries=64, flat_values=(COUNT + 50) * DIM)
    index = build_main(store.locations, store.files(), options)
    assert isinstance(index.parts[0].segment, FlatSegment)
    for number, expected in enumerate([FlatSegment, IvfSegment]):
        ids = 100_000 + 40 * number + np.arange(40)
        index = grow(index, store, ids, store.add(ids, clustered(40, seed=number)), options)
        assert isinstance(index.parts[0].segment, expected)
        assert_same(index, store)


def test_a_shard_number_that_is_used_again_does_not_take_the_place_of_the_old_one(store, tmp_path, heavy):
    options = replace(OPTIONS, flat_values=100 * DIM)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = build_main(store.locations, store.files(), options)
    first = SegmentedIndex.open(tmp_path / "a", first.save(tmp_path / "a"))
    (store.folder / "00002.npy").unlink()
    store.shards = 2
    lost = store.locations.ids[2 * SHARD :]
    store.locations, store.vectors = store.locations[: 2 * SHARD], store.vectors[: 2 * SHARD]
    added = store.add(lost[:900], clustered(900, seed=13))
    second = grow(first, store, lost, added, options)
    assert len(second.parts) == 2
    files = second.save(tmp_path / "b")
    assert sum(file.role == "shard" for file in files) == 4
    assert_same(SegmentedIndex.open(tmp_path / "b", files), store)


def test_an_index_of_nothing(tmp_path):
    (tmp_path / "store").mkdir()
    files = ShardFiles(tmp_path / "store", DIM)
    empty_index = build_main(Locations.of([]), files, OPTIONS)
    assert (len(empty_index), empty_index.save(tmp_path)) == (0, ())
    assert len(SegmentedIndex.open(tmp_path, ())) == 0
