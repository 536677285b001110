"""models/pictures/blocks.py: pictures in blocks, in their own aspect ratio, and the same blocks in a tower."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.pictures.blocks import PackBlocks, packed_side

FILLED = PackBlocks(block=48, budget=280, least=1, fill=True, resample=Image.Resampling.BICUBIC)
KEPT = PackBlocks(block=32, budget=256, least=4, fill=False, resample=Image.Resampling.BICUBIC)
SIZES = (
    (640, 480),
    (480, 640),
    (1920, 1080),
    (1000, 1000),
    (768, 768),
    (31, 40),
    (1, 1),
    (3, 500),
    (4000, 21),
    (33, 1),
)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize(("block", "budget", "side"), [(48, 280, 816), (32, 256, 544), (10, 8, 30), (10, 9, 40)])
def test_the_square_has_room_for_the_budget_and_one(block, budget, side):
    assert packed_side(block, budget) == side


@pytest.mark.parametrize("pack", [FILLED, KEPT])
@pytest.mark.parametrize("size", SIZES)
def test_every_picture_comes_in_the_same_square(pack, size):
    pixels = pack(noise(*size))
    side = packed_side(pack.block, pack.budget)
    assert (pixels.shape, pixels.dtype) == ((side, side, 3), np.uint8)
    assert pixels.flags.c_contiguous


def test_blocks_are_those_of_the_resized_picture_in_reading_order():
    picture = noise(200, 130)
    pixels = KEPT(picture)
    rows, columns = KEPT.grid(200, 130)
    assert (rows, columns) == (4, 6)
    resized = np.asarray(picture.resize((192, 128), Image.Resampling.BICUBIC))
    blocks = pixels.reshape(17, 32, 17, 32, 3).swapaxes(1, 2).reshape(289, 32, 32, 3)
    for number in range(rows * columns):
        top, left = 32 * (number // columns), 32 * (number % columns)
        assert np.array_equal(blocks[number], resized[top : top + 32, left : left + 32])
    assert not blocks[rows * columns : -1].any()
    assert blocks[-1, 0, :2, :2].tolist() == [[0, 4], [0, 6]]


def test_a_picture_of_whole_blocks_is_not_resized():
    picture = noise(96, 64)
    blocks = KEPT(picture).reshape(17, 32, 17, 32, 3).swapaxes(1, 2).reshape(289, 32, 32, 3)
    assert np.array_equal(blocks[2], np.asarray(picture)[:32, 64:])


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_grid_fits_and_is_as_large_as_it_may_be(width, height):
    rows, columns = FILLED.grid(width, height)
    assert 1 <= rows * columns <= 280
    if max(width, height) < 10 * min(width, height):
        assert (rows + 1) * (columns + 1) > 280
    if max(width, height) <= 200 * min(width, height):
        rows, columns = KEPT.grid(width, height)
        assert 4 <= rows * columns <= 256


def test_the_ends_of_a_strip_are_cut_off_before_it_is_resized():
    strip = Image.new("RGB", (30_000, 1), (255, 0, 0))
    strip.paste((0, 0, 255), (14_800, 0, 15_200, 1))
    blocks = KEPT(strip).reshape(17, 32, 17, 32, 3).swapaxes(1, 2).reshape(289, 32, 32, 3)
    rows, columns = blocks[-1, 0, :2, 1].tolist()
    assert rows == 1
    assert (blocks[:columns, :, :, 2] == 255).all()


def test_it_goes_to_other_processes():
    picture = noise(50, 70)
    assert np.array_equal(pickle.loads(pickle.dumps(FILLED))(picture), FILLED(picture))  # noqa: S301


def test_a_tower_is_given_the_blocks_and_their_grid(torch):
    from models.encoders.block_towers import BlockImageTower

    seen = {}

    class Tower(torch.nn.Module):
        def forward(self, blocks, grid):
            seen.update(blocks=blocks, grid=grid)
            return blocks.flatten(1)[:, :4]

    tower = BlockImageTower(Tower(), (0.5,) * 3, (0.5,) * 3, block=48, budget=280)
    pictures = [noise(700, 480), noise(1, 400)]
    tower(torch.from_numpy(np.stack([FILLED(picture) for picture in pictures])))
    assert seen["grid"].tolist() == [list(FILLED.grid(700, 480)), [280, 1]]
    rows, columns = FILLED.grid(700, 480)
    resized = np.asarray(pictures[0].resize((48 * columns, 48 * rows), Image.Resampling.BICUBIC)) / 127.5 - 1
    assert np.allclose(seen["blocks"][0, columns + 1].numpy(), resized[48:96, 48:96], atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_grids_are_those_of_transformers(transformers, size):
    from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    width, height = size
    theirs = get_aspect_ratio_preserving_size(height, width, patch_size=16, max_patches=2520, pooling_kernel_size=3)
    assert tuple(48 * count for count in FILLED.grid(width, height)) == theirs
    if min(size) >= 16:  # of thinner ones the authors' own code makes at least one block, transformers none at first
        theirs = smart_resize(height, width, factor=32, min_pixels=4 * 32 * 32, max_pixels=256 * 32 * 32)
        assert tuple(32 * count for count in KEPT.grid(width, height)) == theirs
