"""models/pictures/samples.py and tiff_numbers.py through decode_image: values of more than 8 bits."""

import contextlib
import io
import struct

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits

RAMP = np.tile(np.arange(256, dtype=np.uint16), (32, 1))
Values = npt.NDArray[np.generic]


def tiff(values: Values, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def png(values: Values) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def png_of_colours(values: npt.NDArray[np.uint16]) -> bytes:
    """Return a PNG of 16 bits in 3 or 4 channels, which Pillow does not write."""
    import zlib

    height, width, samples = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [
        (b"IHDR", struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[samples], 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def shown(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(decode_image(data, short_side=10_000).image)


def assert_ramp(data: bytes, tolerance: int = 2) -> None:
    found = shown(data).astype(int)
    assert np.abs(found - np.arange(256)[None, :, None]).max() <= tolerance


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("write", [png, tiff])
def test_grey_of_fewer_bits_than_16_is_stretched(bits: int, write) -> None:
    assert_ramp(write(RAMP << (bits - 8)))


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colours_of_fewer_bits_than_16_are_stretched(bits: int, order: str, compression: str | None) -> None:
    values = np.dstack([RAMP, RAMP[:, ::-1], RAMP]) << (bits - 8)
    expected = np.dstack([RAMP, RAMP[:, ::-1], RAMP]).astype(int)
    data = tiff(values.astype(order + "u2"), photometric="rgb", compression=compression, byteorder=order)
    assert np.abs(shown(data).astype(int) - expected).max() <= 2
    assert np.abs(shown(png_of_colours(values)).astype(int) - expected).max() <= 2


def test_colours_with_alpha_are_stretched_without_it() -> None:
    values = np.dstack([RAMP << 4, RAMP << 4, RAMP << 4, np.full_like(RAMP, 65535)])
    assert_ramp(png_of_colours(values))


def test_heat_in_the_middle_of_a_range_is_stretched() -> None:
    assert_ramp(png(29_000 + (RAMP * 5)))


@pytest.mark.parametrize("outlier", [0, 65_535])
def test_a_dead_pixel_does_not_hide_the_rest(outlier: int) -> None:
    values = np.tile(10_000 + RAMP * 5, (20, 1))
    values[7, 7] = outlier
    found = shown(png(values)).astype(int)
    assert np.abs(np.delete(found, 7, axis=0) - np.arange(256)[None, :, None]).max() <= 2


@pytest.mark.parametrize("level", [0, 200, 9_000, 30_000, 65_535])
def test_an_even_field_is_as_bright_as_it_says(level: int) -> None:
    assert set(shown(png(np.full((32, 32), level, np.uint16))).ravel()) == {level >> 8}


def test_a_whole_range_is_not_stretched() -> None:
    assert_ramp(png(RAMP * 257), 0)
    dim = (RAMP * 257 * 0.6).astype(np.uint16)
    assert int(shown(png(dim)).max()) == 153


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1 / 255, 40.0])
def test_floats_of_every_width_are_read(kind: str, channels: int, scale: float) -> None:
    values = (RAMP * scale).astype(kind)
    assert_ramp(tiff(np.dstack([values] * 3), photometric="rgb") if channels == 3 else tiff(values))


@pytest.mark.parametrize("options", [{"planarconfig": "separate"}, {"tile": (16, 16)}, {"compression": "zlib"}])
def test_floats_of_every_layout_are_read(options: dict[str, object]) -> None:
    values = np.dstack([RAMP / 255] * 3).astype(np.float64)
    if "planarconfig" in options:
        values = np.moveaxis(values, -1, 0)
    assert_ramp(tiff(np.ascontiguousarray(values), photometric="rgb", **options))


def test_floats_of_which_small_ones_are_white_are_inverted() -> None:
    assert_ramp(tiff((255 - RAMP).astype(np.float64), photometric="miniswhite"))


@pytest.mark.parametrize("kind", ["u4", "i4", "i2", "i8", "u8"])
def test_integers_of_every_width_are_read(kind: str) -> None:
    assert_ramp(tiff((RAMP * 37).astype(kind)))


def test_colours_of_wide_integers_are_read() -> None:
    assert_ramp(tiff(np.dstack([RAMP.astype(np.uint32) * 1_000] * 3), photometric="rgb"))


def test_values_that_stand_for_no_value_do_not_hide_the_rest() -> None:
    values = np.tile(RAMP, (10, 1)).astype(np.float32) * 3
    values[0, 0] = -3.4e38
    found = shown(tiff(values)).astype(int)
    assert np.abs(found[1:] - np.arange(256)[None, :, None]).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_in_a_bmp_is_shown(kind: str) -> None:
    whole = io.BytesIO()
    Image.fromarray(RAMP.astype(np.uint8)).save(whole, kind)
    data = whole.getvalue()
    compression = {"JPEG": 4, "PNG": 5}[kind]
    header = struct.pack("<IiiHHIIiiII", 40, 256, 32, 1, 0, compression, len(data), 0, 0, 0, 0)
    found = decode_image(b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + header + data, short_side=100)
    assert (found.format, found.width, found.height) == ("bmp", 256, 32)
    assert np.abs(np.asarray(found.image).astype(int) - np.arange(256)[None, :, None]).max() <= 3


# What is not read is told from what is damaged


def refusal(data: bytes) -> tuple[str, str]:
    with pytest.raises(DecodeError) as caught:
        decode_image(data, short_side=32)
    return caught.value.reason, caught.value.detail


def jpeg_with_frame(marker: int, bits: int, channels: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(RAMP.astype(np.uint8)).save(file, "JPEG")
    data = file.getvalue()
    at = data.index(b"\xff\xc0")
    frame = bytes([0xFF, marker]) + struct.pack(">HBHHB", 8 + 3 * channels, bits, 32, 256, channels)
    return data[:at] + frame + b"\1\x11\0" * channels + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (jpeg_with_frame(0xC1, 12, 1), "JPEG, 12 bits"),
        (jpeg_with_frame(0xC0, 8, 2), "JPEG, 2 channels"),
        (jpeg_with_frame(0xC3, 16, 1), "JPEG, 16 bits"),
        (tiff(RAMP.astype(np.complex64)), "TIFF, 1 x 64 bits complex float"),
    ],
)
def test_an_intact_file_of_another_kind_is_not_called_damaged(data: bytes, detail: str) -> None:
    assert refusal(data) == ("unsupported", detail)


def test_of_many_channels_the_first_three_are_shown() -> None:
    found = shown(tiff(np.dstack([RAMP << 8, RAMP, *[RAMP * 0] * 5]), photometric="minisblack", planarconfig="contig"))
    assert np.abs(found[0, :, 0].astype(int) - np.arange(256)).max() <= 2
    assert found[..., 1:].max() <= 2


def test_numbers_beyond_the_limit_are_not_read() -> None:
    data = tiff(np.zeros((100, 100, 3), np.float64), photometric="rgb")
    with pytest.raises(ImageTooLarge):
        decode_image(data, short_side=8, limits=DecodeLimits(max_pixels=9_999))
    with pytest.raises(ImageTooLarge):
        decode_image(data, short_side=8, limits=DecodeLimits(max_pixels=20_000))
    assert decode_image(data, short_side=8, limits=DecodeLimits(max_pixels=60_000)).width == 100


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_numbers_that_break_off_are_cut_short(share: float) -> None:
    data = tiff(np.random.default_rng(0).random((64, 64)))
    assert refusal(data[: int(len(data) * share)])[0] in {"truncated", "unsupported"}


def test_damaged_numbers_end_in_a_picture_or_a_decode_error() -> None:
    whole, rng = tiff(np.dstack([RAMP / 255] * 3), photometric="rgb", compression="zlib"), np.random.default_rng(3)
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 6):
            data[at] = rng.integers(256)
        with contextlib.suppress(DecodeError):
            decode_image(bytes(data), short_side=16, limits=DecodeLimits(max_pixels=1_000_000))
