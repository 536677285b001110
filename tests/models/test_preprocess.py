"""RGB image -> the pixels of an image tower: grids of squares that keep the aspect ratio."""

import pickle

import numpy as np
import pytest
from PIL import Image

from models.pictures.preprocess import Patches

PATCHES = Patches(side=16, most=576, resample=Image.Resampling.BILINEAR)


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((384, 384), (24, 24)),
        ((4000, 4000), (24, 24)),
        ((640, 480), (21, 27)),
        ((480, 640), (27, 21)),
        ((1, 1), (7, 7)),  # it is scaled a hundredfold at most
        ((16_000, 16), (1, 576)),
        ((3, 30_000), (576, 1)),
    ],
)
def test_a_grid_keeps_the_aspect_ratio_and_as_many_squares_as_there_may_be(size, grid):
    assert PATCHES.grid(size) == grid


def test_squares_lie_row_by_row_behind_what_tells_the_grid():
    picture = Image.new("RGB", (640, 320))
    picture.paste((200, 100, 50), (320, 0, 640, 320))
    packed = PATCHES(picture)
    rows, columns = PATCHES.grid(picture.size)
    assert (packed.shape, packed.dtype) == ((577, 256, 3), np.uint8)
    assert packed[0, :3].tolist() == [[0, rows, 0], [0, columns, 0], [0, 0, 0]]
    squares = packed[1 : 1 + rows * columns].reshape(rows, columns, 16, 16, 3)
    resized = np.asarray(picture.resize((16 * columns, 16 * rows), Image.Resampling.BILINEAR))
    assert np.array_equal(np.concatenate(np.concatenate(squares, axis=1), axis=1), resized)
    assert not packed[1 + rows * columns :].any()


def test_a_grid_of_more_than_a_byte_is_told_too():
    packed = PATCHES(Image.new("RGB", (16_000, 16)))
    assert packed[0, :2].tolist() == [[0, 1, 0], [2, 64, 0]]


def test_the_step_goes_to_other_processes_and_says_what_it_does():
    assert pickle.loads(pickle.dumps(PATCHES)) == PATCHES  # noqa: S301
    assert "most=576" in repr(PATCHES)
