"""Reference pictures: what a query scores with any of them, the file they lie in, and whose they are."""

import io
import math

import numpy as np
import pytest

from models.encoders import starter, starter_v3
from models.encoders.hash import SPEC as OTHER
from models.foundation.vectors import check_vectors, l2_normalize
from models.relevance.errors import ReferenceUnreadable
from models.relevance.reference_pictures import Reference, read_reference, write_reference

DIM = 32


def draw(count: int, dim: int = DIM, seed: int = 0) -> np.ndarray:
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)))


def test_levels_by_hand():
    across = np.eye(3, dtype=np.float32)[:2]
    queries = np.array([[1, 0, 0], [0, 0, 1], [0.6, 0.8, 0]], np.float32)
    expected = [
        math.log((math.exp(20) + 1) / 2) / 20,
        0,
        math.log((math.exp(12) + math.exp(16)) / 2) / 20,
    ]
    levels = Reference("", across).level(queries)
    assert levels.dtype == np.float32
    assert levels == pytest.approx(expected, abs=1e-6)


def test_many_queries_have_the_levels_of_each_alone():
    reference, queries = Reference("", draw(50)), draw(2_500, seed=1)
    levels = reference.level(queries)
    assert levels.shape == (2_500,)
    for place in (0, 1_023, 1_024, 2_499):
        assert levels[place] == pytest.approx(reference.level(queries[place : place + 1])[0], abs=1e-6)


def test_a_file_gives_back_directions_and_nearly_the_same_levels(tmp_path):
    path, vectors, queries = tmp_path / "reference.npy", draw(500, 256), draw(20, 256, seed=1)
    write_reference(path, vectors)
    assert path.stat().st_size < 500 * 256 + 200
    read = Reference.read(path, 256)
    check_vectors(read.vectors, 256)
    assert (read.vectors * vectors).sum(axis=1).min() > 0.9999
    assert read.level(queries) == pytest.approx(Reference("", vectors).level(queries), abs=1e-4)


def test_the_digest_is_that_of_the_pictures(tmp_path):
    digests = []
    for number, vectors in enumerate((draw(9), draw(9), draw(9, seed=1))):
        write_reference(tmp_path / f"{number}.npy", vectors)
        digests.append(Reference.read(tmp_path / f"{number}.npy", DIM).digest)
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 16


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        saved(np.ones((4, DIM), np.int8)).replace(b")", b" ", 1),
        saved(np.ones((4, DIM), np.int8))[:-1],
        saved(np.ones((4, DIM), np.float32)),
        saved(np.ones((4, DIM + 1), np.int8)),
        saved(np.ones(DIM, np.int8)),
        saved(np.ones((0, DIM), np.int8)),
        saved(np.eye(4, DIM, -1, dtype=np.int8)),
        saved(np.array([{}], object)),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "reference.npy"
    path.write_bytes(content)
    with pytest.raises(ReferenceUnreadable) as caught:
        Reference.read(path, DIM)
    assert str(path) in caught.value.en
    assert str(path) in caught.value.zh


@pytest.mark.parametrize("spec", [starter_v3.SPEC, starter.SPEC])
def test_reference_pictures_are_one_encoders(spec):
    assert read_reference(spec.fingerprint, spec.dim).vectors.shape[1] == spec.dim
    assert read_reference(OTHER.fingerprint, OTHER.dim) is None
    with pytest.raises(ReferenceUnreadable):
        read_reference(spec.fingerprint, spec.dim + 1)
