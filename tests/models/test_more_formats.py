"""Icons, Targa, JPEG 2000 and Photoshop files through decode_image."""

import contextlib
import io
import struct

import numpy as np
import pytest
from PIL import Image

from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits


def photograph(width: int = 96, height: int = 64) -> Image.Image:
    rng = np.random.default_rng(5)
    return Image.fromarray(rng.integers(0, 255, (6, 9, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def psd(image: Image.Image, mode: int = 3, depth: int = 8) -> bytes:
    """Return a Photoshop file of one flattened picture, without compression."""
    pixels = np.asarray(image)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, image.height, image.width, depth, mode)
    planes = np.moveaxis(pixels.reshape(image.height, image.width, channels), 2, 0).tobytes()
    return header + bytes(4) + bytes(4) + bytes(4) + struct.pack(">H", 0) + planes


FILES = {
    "ico": encoded(photograph(64, 64), "ICO", sizes=[(16, 16), (64, 64)]),
    "ico of bitmaps": encoded(photograph(64, 64), "ICO", sizes=[(64, 64)], bitmap_format="bmp"),
    "tga": encoded(photograph(), "TGA"),
    "tga packed": encoded(photograph(), "TGA", compression="tga_rle"),
    "tga of grey": encoded(photograph().convert("L"), "TGA"),
    "tga of a palette": encoded(photograph().quantize(64), "TGA"),
    "jp2": encoded(photograph(), "JPEG2000"),
    "jp2 stream": encoded(photograph(), "JPEG2000", no_jp2=True),
    "psd": psd(photograph()),
    "psd of grey": psd(photograph().convert("L"), mode=1),
}


@pytest.mark.parametrize("name", FILES)
def test_each_is_shown(name: str) -> None:
    found = decode_image(FILES[name], short_side=1_000)
    expected = photograph(*found.image.size)
    if "grey" in name:
        expected = expected.convert("L").convert("RGB")
    assert found.format == name.split(maxsplit=1)[0]
    difference = np.abs(np.asarray(found.image, np.int16) - np.asarray(expected, np.int16))
    assert difference.mean() <= (20 if "palette" in name else 3)


def test_transparent_pixels_of_an_icon_are_white() -> None:
    picture = photograph(32, 32)
    picture.putalpha(0)
    found = decode_image(encoded(picture, "ICO", sizes=[(32, 32)]), short_side=100).image
    assert found.getcolors() == [(32 * 32, (255, 255, 255))]


@pytest.mark.parametrize(
    "data",
    [
        FILES["tga"][:12] + struct.pack("<HH", 60_000, 60_000) + FILES["tga"][16:],
        FILES["psd"][:14] + struct.pack(">II", 60_000, 60_000) + FILES["psd"][22:],
        FILES["jp2 stream"].replace(struct.pack(">II", 96, 64), struct.pack(">II", 60_000, 60_000)),
        FILES["ico"].replace(struct.pack(">II", 64, 64), struct.pack(">II", 60_000, 60_000)),
        FILES["ico of bitmaps"].replace(struct.pack("<II", 64, 128), struct.pack("<II", 60_000, 60_000)),
    ],
    ids=["tga", "psd", "jp2", "ico", "ico of bitmaps"],
)
def test_too_many_pixels_are_refused_on_the_header(data: bytes) -> None:
    with pytest.raises(ImageTooLarge) as caught:
        decode_image(data, short_side=32)
    assert caught.value.reason == "too_many_pixels"


def test_a_psd_of_another_depth_is_not_called_damaged() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_image(psd(photograph(), depth=16), short_side=32)
    assert (caught.value.reason, caught.value.detail) == ("unsupported", "PSD, 16 bits, mode 3")


@pytest.mark.parametrize("name", FILES)
def test_damaged_bytes_end_in_a_picture_or_a_decode_error(name: str) -> None:
    rng = np.random.default_rng(9)
    for turn in range(60):
        data = bytearray(FILES[name])
        for at in rng.integers(0, 60 if turn % 2 else len(data), 4):
            data[at] = rng.integers(256)
        if turn % 3 == 0:
            del data[int(rng.integers(1, len(data))) :]
        with contextlib.suppress(DecodeError):
            decode_image(bytes(data), short_side=16, limits=DecodeLimits(max_pixels=1_000_000))
