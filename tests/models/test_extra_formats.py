"""Camera files and JPEG XL through decode_image, with the packages of the extra `formats`, and without."""

import contextlib
import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from models.pictures import extra_formats, formats
from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits

imagecodecs = pytest.importorskip("imagecodecs")
pytest.importorskip("rawpy")


def photograph(width: int = 96, height: int = 64) -> Image.Image:
    rng = np.random.default_rng(5)
    return Image.fromarray(rng.integers(0, 255, (6, 9, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def dng(width: int = 320, height: int = 240, orientation: int = 1, preview: Image.Image | None = None) -> bytes:
    """Return a camera file (DNG) of a red field on the left and a blue one on the right, perhaps with a preview."""
    sensor = np.full((height, width), 200, np.uint16)
    sensor[0::2, 0 : width // 2 : 2] = 3800  # red pixels of the pattern red, green, green, blue
    sensor[1::2, width // 2 + 1 :: 2] = 3800
    tags = [
        *((271, "s", 0, "Maker", True), (272, "s", 0, "Camera", True), (306, "s", 0, "2023:08:13 12:34:56", True)),
        *((33421, "H", 2, (2, 2), True), (33422, "B", 4, b"\0\1\1\2", True), (50706, "B", 4, b"\1\4\0\0", True)),
        *((50708, "s", 0, "Maker Camera", True), (50714, "H", 1, 0, True), (50717, "I", 1, 4095, True)),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        *((50728, "2I", 3, (1, 1, 1, 1, 1, 1), True), (50778, "H", 1, 21, True), (274, "H", 1, orientation, True)),
    ]
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        if preview is None:
            writer.write(sensor, photometric="cfa", extratags=tags)
        else:
            main = {"subifds": 1, "extratags": tags, "subfiletype": 1, "photometric": "rgb"}
            writer.write(np.asarray(preview), compression="jpeg", **main)
            writer.write(sensor, photometric="cfa", subfiletype=0, extratags=tags[3:5])
    return file.getvalue()


def jxl(pixels: np.ndarray, **options: object) -> bytes:
    return imagecodecs.jpegxl_encode(pixels, **options)


def shown(data: bytes, **options: object):
    return decode_image(data, **{"short_side": 10_000, **options})


def test_a_camera_file_is_developed() -> None:
    found = shown(dng())
    assert (found.format, found.width, found.height) == ("raw", 320, 240)
    left, right = (found.image.getpixel((found.image.width * part // 4, found.image.height // 2)) for part in (1, 3))
    assert left[0] > 2 * left[2]
    assert right[2] > 2 * right[0]
    assert found.exif[306] == "2023:08:13 12:34:56"


def test_a_camera_file_is_upright() -> None:
    found = shown(dng(orientation=6))
    assert (found.width, found.height) == (240, 320)
    assert found.image.height > found.image.width


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_xl_is_read(dtype: str, channels: int) -> None:
    values = np.asarray(photograph())
    values = values[..., 0] if channels == 1 else values
    values = np.dstack([values, np.full(values.shape[:2], 255, np.uint8)]) if channels == 4 else values
    scale = {"uint8": 1, "uint16": 257, "float32": 1 / 255}[dtype]
    found = shown(jxl((values.astype(float) * scale).astype(dtype), lossless=True))
    assert (found.format, found.width, found.height) == ("jxl", 96, 64)
    expected = values[..., None] if channels == 1 else values[..., :3]
    assert np.abs(np.asarray(found.image).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (96, 64), (640, 480), (1920, 1080), (300, 20), (7, 701), (1, 1)])
@pytest.mark.parametrize("container", [False, True])
def test_the_size_of_a_jpeg_xl_is_told_by_its_header(size: tuple[int, int], container: bool) -> None:
    data = jxl(np.zeros((size[1], size[0], 3), np.uint8), usecontainer=container, effort=1)
    assert extra_formats._jxl_size(data) == size
    with pytest.raises(ImageTooLarge):
        shown(data, limits=DecodeLimits(max_pixels=size[0] * size[1] - 1))


def test_too_many_pixels_of_a_sensor_are_refused() -> None:
    with pytest.raises(ImageTooLarge):
        shown(dng(), limits=DecodeLimits(max_pixels=320 * 240 - 1))


@pytest.mark.parametrize("data", [dng(), jxl(np.asarray(photograph()))], ids=["raw", "jxl"])
def test_damaged_bytes_end_in_a_picture_or_a_decode_error(data: bytes) -> None:
    rng = np.random.default_rng(4)
    for turn in range(40):
        broken = bytearray(data)
        for at in rng.integers(0, 400 if turn % 2 else len(data), 4):
            broken[min(at, len(data) - 1)] = rng.integers(256)
        if turn % 3 == 0:
            del broken[int(rng.integers(1, len(data))) :]
        with contextlib.suppress(DecodeError):
            shown(bytes(broken), short_side=16, limits=DecodeLimits(max_pixels=1_000_000))


@pytest.mark.parametrize(("data", "detail"), [(dng(), "RAW"), (jxl(np.asarray(photograph())), "JPEG XL")])
def test_without_the_packages_it_is_said_what_to_install(
    data: bytes, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra_formats, "is_extra_installed", lambda _: False)
    with pytest.raises(DecodeError) as caught:
        shown(data)
    assert (caught.value.reason, caught.value.detail) == ("needs_formats", detail)
    assert "xuntu[formats]" in caught.value.en


@pytest.mark.parametrize(("data", "detail"), [(dng(), "RAW"), (jxl(np.asarray(photograph())), "JPEG XL")])
def test_what_strangers_send_is_not_given_to_the_packages(data: bytes, detail: str) -> None:
    with pytest.raises(DecodeError) as caught:
        shown(data, limits=DecodeLimits(extra_formats=False))
    assert (caught.value.reason, caught.value.detail) == ("unread", detail)


def test_names_say_what_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.is_read(".cr2")
    assert formats.why_unread(".cr2") is None
    monkeypatch.setattr(formats, "is_extra_installed", lambda _: False)
    assert not formats.is_read(".jxl")
    assert formats.why_unread(".jxl") == ("needs_formats", "JXL")
    assert formats.why_unread(".svg") == ("unread", "SVG")
