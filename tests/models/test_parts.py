"""Parts of long pictures: they cover the picture, overlap, and are few."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from models.pictures.parts import Box, crop, is_long, list_parts, telling_part

SIDES = st.integers(1, 60_000)


@given(SIDES, SIDES)
def test_parts_cover_a_long_picture_and_overlap(width, height):
    parts = list_parts(width, height)
    assert bool(parts) == is_long(width, height) == (max(width, height) > 3 * min(width, height) >= 96)
    assume(parts)
    long, short = max(width, height), min(width, height)
    assert 3 <= len(parts) <= 32
    spans = [(box.x, box.x + box.width) if width > height else (box.y, box.y + box.height) for box in parts]
    assert (spans[0][0], spans[-1][1]) == (0, long)
    assert {(box.y, box.height) if width > height else (box.x, box.width) for box in parts} == {(0, short)}
    for before, after in pairwise(spans):
        assert before[0] < after[0] or long < 100
        assert after[0] <= before[1] - 0.2 * (before[1] - before[0]) + 1
    assert len(parts) == 32 or max(end - start for start, end in spans) <= 1.34 * short + 1
    assert 1 <= telling_part(width, height, len(parts)) <= len(parts)


def test_a_tall_picture_is_told_by_its_beginning_and_a_wide_one_by_its_middle():
    assert list_parts(300, 900) == ()
    assert list_parts(100, 400) == (Box(0, 0, 100, 100), *list_parts(100, 400)[1:])
    assert telling_part(100, 900, 5) == 1
    assert telling_part(900, 100, 5) == 3


@given(st.integers(32, 60), st.integers(181, 2_000), st.floats(0.02, 1.0))
def test_a_crop_of_a_smaller_picture_shows_the_same_part(short, long, scale):
    image = Image.new("RGB", (max(1, round(short * scale)), max(1, round(long * scale))))
    for box in list_parts(short, long):
        part = crop(image, box, (short, long))
        assert part.width == image.width
        assert part.height == pytest.approx(box.height * image.height / long, abs=2)


def test_a_crop_is_of_the_place_that_its_box_says():
    image = Image.linear_gradient("L").resize((64, 640)).convert("RGB")
    values = [crop(image, box, (640, 6400)).resize((1, 1)).getpixel((0, 0))[0] for box in list_parts(640, 6400)]
    assert values == sorted(values)
    assert values[0] < 20
    assert values[-1] > 235
