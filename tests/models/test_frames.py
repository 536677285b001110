"""models/pictures/frames.py through decode_image: which frame of an animation is shown."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.pictures.decode import decode_image
from models.pictures.errors import ImageTooLarge
from models.pictures.limits import DecodeLimits

KINDS = ("GIF", "WEBP", "PNG", "AVIF")
BLACK, WHITE = Image.new("RGB", (96, 64)), Image.new("RGB", (96, 64), "white")


def disc(background: Image.Image = WHITE, left: int = 20) -> Image.Image:
    image = background.copy()
    ImageDraw.Draw(image).ellipse((left, 8, left + 52, 56), fill=(20, 90, 160))
    return image


def animation(kind: str, first: Image.Image, *others: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    fine = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}}.get(kind, {})
    first.save(file, kind, save_all=True, append_images=list(others), duration=100, **fine, **options)
    return file.getvalue()


def assert_shown(data: bytes, expected: Image.Image, tolerance: int = 3) -> None:
    found = decode_image(data, short_side=10_000)
    assert (found.width, found.height) == expected.size
    assert np.abs(np.asarray(found.image, np.int16) - np.asarray(expected, np.int16)).mean() <= tolerance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blank", [BLACK, WHITE], ids=["black", "white"])
def test_a_blank_frame_gives_way_to_one_that_says_more(kind: str, blank: Image.Image) -> None:
    assert_shown(animation(kind, blank, blank.point(lambda value: value ^ 8), disc(), blank), disc())


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_frame_that_says_enough_is_shown(kind: str) -> None:
    assert_shown(animation(kind, disc(left=4), disc(), disc(left=40)), disc(left=4))


@pytest.mark.parametrize("kind", KINDS)
def test_an_animation_that_is_blank_throughout_shows_its_first_frame(kind: str) -> None:
    assert_shown(animation(kind, WHITE, WHITE.point(lambda value: value ^ 4), WHITE), WHITE)


def test_what_browsers_never_show_of_an_animated_png_is_not_shown() -> None:
    hidden = disc(BLACK, 40)
    assert_shown(animation("PNG", hidden, disc(), disc(left=30), default_image=True), disc())
    assert_shown(animation("PNG", hidden, WHITE, disc(), default_image=True), disc())


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_frames_of_a_gif_are_cleared_as_they_say(disposal: int) -> None:
    first, second = (Image.new("RGBA", (96, 64)) for _ in range(2))
    ImageDraw.Draw(first).point((3, 3), fill=(250, 250, 250, 255))
    ImageDraw.Draw(second).rectangle((0, 0, 60, 63), fill=(20, 90, 160, 255))
    expected = WHITE.copy()
    expected.paste(second, mask=second)
    assert_shown(animation("GIF", first, second, disposal=disposal), expected, 4)


def test_a_broken_frame_ends_the_search() -> None:
    whole = animation("GIF", BLACK, disc(BLACK), disc(BLACK, 40))
    assert_shown(whole[:-40], disc(BLACK))
    at = whole.rindex(b"\x2c", 0, len(whole) - 200)
    assert decode_image(whole[:at] + b"\x2c" + bytes(30), short_side=64).image.size == (96, 64)


def test_a_gif_whose_frames_leave_its_canvas_takes_no_memory_for_them() -> None:
    whole = bytearray(animation("GIF", BLACK, disc(BLACK)))
    at = whole.rindex(b"\x2c", 0, len(whole) - 100)
    while struct.unpack_from("<4H", whole, at + 1)[2] > 96 or whole[at] != 0x2C:
        at = whole.rindex(b"\x2c", 0, at)
    whole[at + 5 : at + 9] = struct.pack("<2H", 65_535, 65_535)
    assert_shown(bytes(whole), BLACK)


def test_the_limit_of_pixels_holds_for_animations() -> None:
    for kind in KINDS:
        with pytest.raises(ImageTooLarge):
            decode_image(animation(kind, BLACK, disc()), short_side=8, limits=DecodeLimits(max_pixels=6_000))


def test_no_more_frames_are_read_than_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [BLACK.point(lambda _, n=number: n % 8) for number in range(1, 200)]
    data, read = animation("PNG", BLACK, *frames), []
    seek = Image.OPEN["PNG"][0].seek
    monkeypatch.setattr(Image.OPEN["PNG"][0], "seek", lambda self, number: (read.append(number), seek(self, number))[1])
    decode_image(data, short_side=64)
    assert 0 < len(read) <= 64
