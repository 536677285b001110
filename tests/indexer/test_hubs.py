"""Hub correction, from the bank of queries to what a library publishes and a search ranks by."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from indexer.library.builds import manifest
from indexer.library.builds.current import read_current, roll_back
from indexer.library.catalog.records import IndexChanges, Locations, StoredEncoder
from indexer.library.errors import BuildUnreadable
from indexer.library.index.faiss.construction.incremental import build_main, next_index
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.numpy_index import NumpyIndex
from indexer.library.index.records import IndexOptions
from indexer.library.vectors.query_bank import QueryBank
from indexer.library.vectors.shard_files import ShardFiles
from indexer.pipeline.commands import BuildOptions, build, compact, rebuild, verify
from indexer.pipeline.query_bank import encode_query_bank, list_queries, read_query_bank
from models.encoders.hash import HashEncoder
from models.encoders.runtime import Runtime
from models.foundation.vectors import l2_normalize

DIM, COUNT = 16, 4_000
INVERTED = IndexOptions(recipe="ivf", threads=1, tuning_queries=64)
FLAT = replace(INVERTED, recipe="flat")


def clustered(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((60, DIM))
    return l2_normalize(centres[rng.integers(0, 60, count)] + 0.5 * rng.standard_normal((count, DIM)))


BANK = QueryBank(id="test", vectors=clustered(300, seed=5), sharpness=12.0, share=0.7)
FIELDS = ("ids", "shards", "rows")
TEXTS = clustered(60, seed=9)


def exact_offsets(vectors: np.ndarray, bank: QueryBank = BANK) -> np.ndarray:
    scores = vectors.astype(np.float64) @ bank.vectors.T.astype(np.float64)
    return -bank.share * np.log(np.exp(bank.sharpness * scores).mean(axis=1)) / bank.sharpness


def recall(index, reference, k=10, offset_weight=1.0) -> float:
    found, expected = (one.search(TEXTS, k, offset_weight=offset_weight).ids for one in (index, reference))
    return float(np.mean([np.isin(right, row).mean() for right, row in zip(expected, found, strict=True)]))


# The bank


def test_the_bank_is_long_varied_and_says_the_same_in_both_languages():
    zh, en = list_queries(["zh"]), list_queries(["en"])
    assert len(zh) == len(en) > 1_000
    assert list_queries(["en", "zh"]) == zh + en
    assert list_queries(["fr"]) == []
    for texts in (zh, en):
        assert len(set(texts)) == len(texts)
        assert all(texts)
    assert {len(text.split()) for text in en} >= set(range(1, 11)), "words, phrases and sentences"
    assert not any(text.isascii() for text in zh)
    assert all(text.replace("é", "e").isascii() for text in en)


def test_the_id_of_a_bank_stands_for_what_decides_offsets():
    encoder = HashEncoder()
    bank = encode_query_bank(encoder)
    assert bank.vectors.shape == (len(list_queries(["zh", "en"])), encoder.spec.dim)
    ids = {bank.id}
    for change in ({"query_sharpness": 7.0}, {"hub_share": 0.1}, {"languages": ("en",)}):
        encoder.spec = replace(HashEncoder().spec, **change)
        ids.add(encode_query_bank(encoder).id)
    assert len(ids) == 4


def test_vectors_of_another_bank_are_not_taken_for_this_one(full_album):
    stored = StoredEncoder(1, "hash", HashEncoder().spec.fingerprint)
    (kept,) = (full_album.data / "queries").iterdir()
    before = np.load(kept)
    assert kept.stem.startswith(f"hash-{stored.fingerprint}-")
    for name in (f"hash-{stored.fingerprint}.npy", f"hash-{stored.fingerprint}-{'0' * 16}.npy"):
        kept.unlink(missing_ok=True)
        np.save(kept.with_name(name), before[:512])
        bank = read_query_bank(full_album.layout, stored, Runtime())
        np.testing.assert_array_equal(bank.vectors, before)
        assert list((full_album.data / "queries").iterdir()) == [kept]
    whole = kept.read_bytes()
    for damaged in (b"no array", b"", whole[:50], whole.replace(b")", b" ", 1)):
        kept.write_bytes(damaged)
        assert len(read_query_bank(full_album.layout, stored, Runtime()).vectors) == len(before)
        assert kept.read_bytes() == whole


def test_a_bank_is_encoded_once_in_a_process_for_every_library_of_it(album, monkeypatch):
    encoded = []
    encode = HashEncoder.encode_text
    monkeypatch.setattr(HashEncoder, "encode_text", lambda self, texts: encoded.extend(texts) or encode(self, texts))
    monkeypatch.setattr("indexer.pipeline.query_bank._encoded", {})
    album.draw("a.png")
    album.build()
    (kept,) = (album.data / "queries").iterdir()
    other = type(album)(album.folder / "other")
    other.draw("b.png")
    other.build()
    assert sorted(encoded) == sorted(list_queries(["zh", "en"]))
    assert (other.data / "queries" / kept.name).read_bytes() == kept.read_bytes()


# Offsets


def test_an_offset_is_the_soft_maximum_of_the_scores_with_the_bank():
    vectors = clustered(1_100, seed=2)
    np.testing.assert_allclose(BANK.measure(vectors), exact_offsets(vectors), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(BANK.measure(vectors[700:]), BANK.measure(vectors)[700:])
    sharp = replace(BANK, sharpness=60.0, share=1.0)
    best = (vectors @ BANK.vectors.T).max(axis=1)
    assert (np.abs(-sharp.measure(vectors) - best) <= np.log(300) / 60 + 1e-4).all()
    assert BANK.measure(vectors[:0]).shape == (0,)


class Store:
    """Vectors in shards, ids 10, 12, 14 ..., then whatever is added."""

    def __init__(self, folder):
        self.folder = folder
        self.locations = Locations.of([])
        self.reference = NumpyIndex(DIM)
        self.shards = 0
        self.add(10 + 2 * np.arange(COUNT), clustered(COUNT))

    def add(self, ids, vectors) -> Locations:
        np.save(self.folder / f"{self.shards:05d}.npy", vectors)
        new = Locations(ids, np.full(len(ids), self.shards), np.arange(len(ids)))
        columns = [np.concatenate([getattr(one, name) for one in (self.locations, new)]) for name in FIELDS]
        self.locations = Locations(*columns)
        self.reference.upsert(ids, vectors, exact_offsets(vectors).astype(np.float32))
        self.shards += 1
        return new

    def files(self) -> ShardFiles:
        return ShardFiles(self.folder, DIM)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


def test_a_flat_index_ranks_as_the_formula_says(store):
    index = build_main(store.locations, store.files(), FLAT, BANK)
    expected = store.reference.search(TEXTS, 50, offset_weight=1.0)
    found = index.search(TEXTS, 50, offset_weight=1.0)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=2e-5)
    assert recall(index, store.reference, 50) > 0.995, "but for offsets that are rounded"
    assert (found.ids != index.search(TEXTS, 50).ids).any()


def test_an_inverted_file_is_tuned_for_texts_with_their_offsets(store, tmp_path, heavy):
    index = build_main(store.locations, store.files(), INVERTED, BANK)
    assert min(index.parts[0].segment.tuned["recalls"].values()) >= 0.98
    assert recall(index, store.reference) >= 0.97
    assert recall(index, store.reference, offset_weight=0.0) >= 0.97
    (tmp_path / "build").mkdir()
    files = index.save(tmp_path / "build")
    opened = SegmentedIndex.open(tmp_path / "build", files)
    for weight in (1.0, 0.0):
        found, expected = (one.search(TEXTS, 20, offset_weight=weight) for one in (opened, index))
        np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(opened.fetch(opened.list_ids()), store.reference.fetch(opened.list_ids()))


@pytest.mark.parametrize("options", [FLAT, INVERTED], ids=["flat", "ivf"])
def test_what_is_added_has_offsets_wherever_it_comes_to_lie(store, options, heavy):
    options = replace(options, flat_values=1_000 * DIM)
    index = build_main(store.locations, store.files(), options, BANK)
    for number in range(6):
        added = store.add(100_001 + 200 * number + np.arange(200), clustered(200, seed=20 + number))
        changes = IndexChanges(added.ids, added)
        index = next_index(index, changes, lambda: store.locations, store.files(), options, bank=BANK)
    assert len(index.parts) > 1
    held = index.list_ids()
    expected = store.reference.score(TEXTS[:1], held, offset_weight=1.0)
    np.testing.assert_allclose(index.score(TEXTS[:1], held, offset_weight=1.0), expected, rtol=0, atol=2e-5)
    assert recall(index, store.reference) >= 0.95


def test_without_a_bank_or_the_option_there_are_no_offsets(store, heavy):
    for options, bank in ((FLAT, None), (replace(FLAT, hub_correction=False), BANK), (INVERTED, None)):
        index = build_main(store.locations, store.files(), options, bank)
        assert index.parts[0].segment.offsets is None
        plain, weighed = index.search(TEXTS, 10), index.search(TEXTS, 10, offset_weight=1.0)
        np.testing.assert_array_equal(weighed.ids, plain.ids)


# A library


def roles(album) -> set[str]:
    return {file.role for file in read_current(album.layout).indexes[0].files}


def test_a_library_has_offsets_and_says_by_which_bank(full_album):
    (entry,) = read_current(full_album.layout).indexes
    bank = encode_query_bank(HashEncoder())
    assert entry.bank == bank.id
    index = full_album.open().index
    held = index.list_ids()
    expected = index.fetch(held) @ bank.vectors[0] + bank.measure(index.fetch(held))
    np.testing.assert_allclose(index.score(bank.vectors[:1], held, offset_weight=1.0), expected, rtol=0, atol=2e-5)
    assert verify(full_album.settings()) == []
    full_album.draw("later.png")
    full_album.update()
    index = full_album.open().index
    assert len(index.parts) == 2
    assert all(part.segment.offsets is not None for part in index.parts)
    for act in (lambda: compact(full_album.settings()), lambda: rebuild(full_album.settings())):
        act()
        assert read_current(full_album.layout).indexes[0].bank == bank.id
        assert "offsets" in roles(full_album)


def test_an_index_with_other_offsets_is_not_taken_over(full_album):
    bank = read_current(full_album.layout).indexes[0].bank
    without = full_album.settings(index={"hub_correction": False})
    full_album.draw("1.png")
    build(without, (), BuildOptions())
    assert (read_current(full_album.layout).indexes[0].bank, "offsets" in roles(full_album)) == ("", False)
    assert len(full_album.open().index.parts) == 1, "made anew"
    full_album.draw("2.png")
    build(full_album.settings(), (), BuildOptions())
    assert (read_current(full_album.layout).indexes[0].bank, "offsets" in roles(full_album)) == (bank, True)
    assert len(full_album.open().index.parts) == 1
    assert roll_back(full_album.layout).indexes[0].bank == ""
    assert len(full_album.open().index) == 6


def test_a_library_from_before_offsets_is_opened_and_brought_up_to_date(full_album):
    build(full_album.settings(index={"hub_correction": False}), (), BuildOptions())
    full_album.draw("1.png")
    build(full_album.settings(index={"hub_correction": False}), (), BuildOptions())
    rewrite_as(full_album, 2)
    index = full_album.open().index
    vectors = index.fetch(index.list_ids())
    np.testing.assert_array_equal(index.search(vectors, 3, offset_weight=1.0).ids, index.search(vectors, 3).ids)
    full_album.draw("2.png")
    full_album.update()
    assert read_current(full_album.layout).indexes[0].bank == encode_query_bank(HashEncoder()).id
    assert len(full_album.open().index) == 7


def test_a_build_that_names_no_back_end_is_read_as_it_is_and_carried_on(full_album):
    rewrite_as(full_album, 3)
    path = full_album.layout.builds / full_album.open().manifest.build / "manifest.json"
    before = path.read_bytes()
    assert b"backend" not in before
    assert read_current(full_album.layout).indexes[0].backend == "faiss"
    assert full_album.problems() == []
    assert len(full_album.open().index) == 5
    full_album.draw("1.png")
    full_album.update()
    assert path.read_bytes() == before
    assert len(full_album.open().index.parts) == 2, "what was there has been taken over"


def test_a_build_of_a_later_version_is_named_as_such(full_album):
    rewrite_as(full_album, manifest.FORMAT + 1)
    with pytest.raises(BuildUnreadable):
        full_album.open()


def rewrite_as(album, form: int) -> None:
    """Write the manifest of the build in use as another version would."""
    current = read_current(album.layout)
    content = {"format": form, **asdict(current)}
    for index in content["indexes"]:
        for field in ["backend"] * (form < 4) + ["bank"] * (form < 3):
            del index[field]
    content = json.loads(json.dumps(content))
    path = album.layout.builds / current.build / "manifest.json"
    path.write_text(json.dumps({**content, "sha256": manifest._checksum(content)}))
