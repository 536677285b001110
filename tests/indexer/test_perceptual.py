"""The perceptual hash of a picture, and how much there is in it to compare."""

import math

import numpy as np
import pytest
from PIL import Image

from indexer.annotators.phash import perceptual_hash
from indexer.library.looks import NO_HASH, Detail, Looks, detail_of, hamming, to_signed


def noise(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture of soft blots, unlike any of another seed."""
    blots = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize(("seed", "expected"), [(1, 0xF9F991AC8B9C7C00), (2, 0xA19EEDCF6C5C8821)])
def test_the_hash_is_the_one_of_imagehash(seed, expected):
    assert perceptual_hash(noise(seed)) == expected  # what imagehash.phash 4.3.2 says


def test_the_hash_is_what_its_definition_says():
    image = noise(3)
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), float)
    low = [
        sum(
            grey[y, x] * math.cos(math.pi * v * (2 * y + 1) / 64) * math.cos(math.pi * u * (2 * x + 1) / 64)
            for y in range(32)
            for x in range(32)
        )
        for v in range(8)
        for u in range(8)
    ]
    middle = np.median(low)
    assert perceptual_hash(image) == int("".join(str(int(one > middle)) for one in low), 2)


def test_pictures_without_detail_have_no_hash():
    gradient = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    grain = np.random.default_rng(0).integers(0, 4, (240, 320, 3), np.uint8)
    for image in (Image.new("RGB", (1, 1)), Image.new("RGB", (200, 100), "red"), gradient, Image.fromarray(grain)):
        assert perceptual_hash(image) == NO_HASH


def test_signed_hashes_come_back_as_they_were():
    hashes = [0, 1, 2**63 - 1, 2**63, 2**64 - 1, 0xF9F991AC8B9C7C00]
    looks = Looks.of([(n, n, to_signed(value), "[]") for n, value in enumerate(hashes)])
    assert looks.hashes.tolist() == hashes
    assert hamming(looks.hashes[:1], looks.hashes).tolist() == [value.bit_count() for value in hashes]


@pytest.mark.parametrize(
    ("colours", "detail"),
    [
        ([], Detail.FULL),
        ([("blue", "#0000ff", 0.5), ("white", "#ffffff", 0.4)], Detail.FULL),
        ([("white", "#ffffff", 0.7), ("brown", "#805030", 0.2)], Detail.PLAIN),
        ([("white", "#ffffff", 0.5), ("grey", "#808080", 0.4)], Detail.PLAIN),
        ([("white", "#ffffff", 0.9)], Detail.BLANK),
        ([("black", "#050505", 0.9)], Detail.BLANK),
        ([("grey", "#808080", 0.9)], Detail.PLAIN),
        ([("blue", "#3060c0", 0.9)], Detail.PLAIN),
    ],
)
def test_detail_is_told_by_the_dominant_colours(colours, detail):
    assert detail_of(colours) == detail
