"""The file of the exact FAISS index: it opens mapped, outlives its name, and is refused when it is something else."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import IndexDamaged
from indexer.index.faiss_index import FaissIndex
from indexer.index.numpy_index import NumpyIndex
from models.vectors import l2_normalize

TOLERANCE = 2e-6
DIM = 8


def random_vectors(count: int, seed: int = 0) -> np.ndarray:
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, DIM)))


def pair(vectors: np.ndarray, image_ids: np.ndarray | None = None) -> tuple[NumpyIndex, FaissIndex]:
    image_ids = np.arange(1, len(vectors) + 1) if image_ids is None else image_ids
    both = NumpyIndex(DIM), FaissIndex(DIM)
    for index in both:
        index.upsert(image_ids, vectors)
    return both


def assert_alike(reference, other, queries, k, where=None) -> None:
    expected, found = reference.search(queries, k, where=where), other.search(queries, k, where=where)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_saved_index_opens_mapped_and_answers_the_same(tmp_path, count):
    reference, faiss = pair(random_vectors(count), np.arange(count) * 3 + 10)
    faiss.save(tmp_path / "index.faiss")
    mapped = FaissIndex.open(tmp_path / "index.faiss")
    assert (len(mapped), mapped.dim, mapped.list_ids().tolist()) == (count, DIM, reference.list_ids().tolist())
    queries = random_vectors(3, seed=1)
    for where in (None, np.arange(10, 100, 6)):
        assert_alike(reference, mapped, queries, 10, where)
    np.testing.assert_array_equal(mapped.fetch(reference.list_ids()[:1]), reference.fetch(reference.list_ids()[:1]))
    mapped.save(tmp_path / "again.faiss")
    assert (tmp_path / "again.faiss").read_bytes() == (tmp_path / "index.faiss").read_bytes()
    mapped.close()


def test_a_mapped_index_outlives_its_file_name(tmp_path):
    reference, faiss = pair(random_vectors(500))
    faiss.save(tmp_path / "index.faiss")
    mapped = FaissIndex.open(tmp_path / "index.faiss")
    (tmp_path / "index.faiss").unlink()
    assert_alike(reference, mapped, random_vectors(3, seed=1), 20)


@pytest.mark.parametrize("change", ["upsert(ids, vectors)", "upsert(ids[:1] + 900, vectors[:1])", "remove(ids[:2])"])
def test_a_mapped_index_can_be_changed(tmp_path, change):
    _, faiss = pair(random_vectors(10))
    faiss.save(tmp_path / "index.faiss")
    script = f"""if True:
        import sys
        from pathlib import Path
        from indexer.index.faiss_index import FaissIndex
        index = FaissIndex.open(Path(sys.argv[1]))
        ids = index.list_ids()
        vectors = index.fetch(ids)
        index.{change}
        assert index.search(vectors[5:6], 1).ids[0, 0] == ids[5]
    """
    command = [sys.executable, "-c", script, str(tmp_path / "index.faiss")]
    checkout = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)  # a failure would end us
    assert done.returncode == 0, done.stderr[-300:]


@pytest.mark.parametrize("content", [b"", b"IxMp", bytes(1000), b"not an index at all" * 100], ids=len)
def test_a_file_that_is_no_index_is_refused(tmp_path, content):
    (tmp_path / "index.faiss").write_bytes(content)
    with pytest.raises(IndexDamaged):
        FaissIndex.open(tmp_path / "index.faiss")
    with pytest.raises(IndexDamaged):
        FaissIndex.open(tmp_path / "missing.faiss")
