"""models/pictures/decode.py, with real files of every format, sound and broken, written by the encoders or by hand."""

import io
import os
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from models.pictures.decode import DecodedImage, decode_image
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.files import read_image_file
from models.pictures.limits import DecodeLimits

pillow_heif.register_heif_opener()

ROOT = Path(__file__).parents[2]
FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff", "heif", "avif")
LOSSLESS = {"webp": {"lossless": True}, "heif": {"quality": -1, "chroma": 444}, "avif": {"quality": 100}}
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 160, 0), (0, 0, 255), (120, 120, 120)
WHITE = (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind.upper(), **options)
    return file.getvalue()


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(GREY, (width // 2, height // 2, width, height))
    return image


def noise(width: int = 96, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8))


def decoded(data: bytes, short_side: int = 10_000, **options: object) -> DecodedImage:
    result = decode_image(data, short_side=short_side, **options)
    assert type(result.image) is Image.Image
    assert result.image.mode == "RGB"
    assert result.image.info == {}
    return result


def refusal(data: bytes, **options: object) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode_image(data, short_side=32, **options)
    return caught.value


def assert_colour(image: Image.Image, at: tuple[int, int], expected: tuple[int, ...], tolerance: int = 2) -> None:
    found = image.getpixel(at)
    assert np.abs(np.subtract(found, expected)).max() <= tolerance, (found, expected)


def assert_quadrants(image: Image.Image, tolerance: int = 12) -> None:
    width, height = image.size
    for colour, x, y in ((RED, 1, 1), (GREEN, 3, 1), (BLUE, 1, 3), (GREY, 3, 3)):
        assert_colour(image, (width * x // 4, height * y // 4), colour, tolerance)


def png(width: int, height: int, depth: int, kind: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG; `rows` are unfiltered and lack their filter bytes."""
    stride = len(rows) // height if rows else 0
    lines = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height)) if rows else b""
    parts = [(b"IHDR", struct.pack(">2I5B", width, height, depth, kind, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    chunked = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunked)


def tiff(order: str, width: int, height: int, pixels: bytes, **tags: int | tuple[int, ...]) -> bytes:
    """Return an uncompressed TIFF, grey unless `tags` (t262=2 and so on) say otherwise; order is < or >."""
    entries: dict[int, int | tuple[int, ...]] = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1}
    entries |= {278: height, 279: len(pixels)} | {int(name[1:]): value for name, value in tags.items()}
    entries[273] = at = 8 + 2 + 12 * (len(entries) + 1) + 4 + 64
    extra, table = b"", b""
    for tag, value in sorted(entries.items()):
        if isinstance(value, tuple) and len(value) > 2:
            table += struct.pack(order + "HHII", tag, 3, len(value), at - 64 + len(extra))
            extra += struct.pack(f"{order}{len(value)}H", *value)
        elif isinstance(value, tuple):
            table += struct.pack(order + "HHI", tag, 3, len(value))
            table += struct.pack(f"{order}{len(value)}H", *value).ljust(4, b"\0")
        else:
            table += struct.pack(order + "HHII", tag, 4, 1, value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return head + table + bytes(4) + extra.ljust(64, b"\0") + pixels


# Formats


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_told_by_its_content(kind: str) -> None:
    result = decoded(encoded(quadrants(), kind))
    assert (result.format, result.width, result.height) == (kind, 96, 64)
    assert result.image.size == (96, 64)
    assert_quadrants(result.image)
    assert len(result.exif) == 0 or kind == "tiff"


@pytest.mark.parametrize(
    ("kind", "name"), [("dib", "bmp"), ("mpo", "jpeg"), ("jpeg2000", "jp2"), ("ico", "ico"), ("tga", "tga")]
)
def test_a_relative_of_a_format_has_its_name(kind: str, name: str) -> None:
    options = {"save_all": True, "append_images": [noise()]} if kind == "mpo" else {}
    result = decoded(encoded(quadrants(), kind, **options))
    assert result.format == name
    assert_quadrants(result.image)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff", "mpo", "avif", "heif"])
def test_the_first_frame_is_shown(kind: str) -> None:
    frames = [Image.new("RGB", (64, 48), BLUE), Image.new("RGB", (64, 48), GREEN)]
    data = encoded(Image.new("RGB", (64, 48), RED), kind, save_all=True, append_images=frames)
    assert_colour(decoded(data).image, (32, 24), RED, 6)


@pytest.mark.parametrize("kind", ["ppm", "eps", "pcx", "pdf", "icns"])
def test_other_formats_are_refused(kind: str) -> None:
    assert refusal(encoded(quadrants(64, 64), kind)).reason == "not_an_image"


@pytest.mark.parametrize("data", [b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(4096), b"\xff"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert refusal(data).reason == "not_an_image"


def test_a_heif_of_the_generic_brand_is_read() -> None:
    data = encoded(quadrants(), "heif")
    assert data[8:12] == b"heic"
    assert decoded(data[:8] + b"mif1" + data[12:]).format == "heif"


# Size


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("size", "short_side", "long_side", "expected"),
    [
        ((640, 480), 60, 0, (80, 60)),
        ((480, 640), 60, 0, (60, 80)),
        ((640, 480), 60, 321, (640, 480)),
        ((640, 480), 60, 320, (320, 240)),
        ((640, 480), 500, 900, (640, 480)),
        ((333, 250), 125, 0, (167, 125)),
    ],
)
def test_a_picture_is_reduced_as_far_as_both_sides_allow(
    kind: str, size: tuple[int, int], short_side: int, long_side: int, expected: tuple[int, int]
) -> None:
    result = decoded(encoded(quadrants(*size), kind), short_side, long_side=long_side)
    assert (result.width, result.height) == size
    assert result.image.size == expected
    assert_quadrants(result.image)


def test_a_jpeg_is_reduced_beyond_an_eighth() -> None:
    assert decoded(encoded(quadrants(1600, 1600), "jpeg"), 64).image.size == (67, 67)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_is_reduced(mode: str) -> None:
    image = Image.new("P", (400, 300)).convert("PA") if mode == "PA" else Image.new(mode, (400, 300))
    assert decoded(encoded(image, "tiff"), 100).image.size == (134, 100)


def test_transparent_pixels_give_no_colour_to_their_neighbours() -> None:
    stripes = np.zeros((64, 64, 4), np.uint8)
    stripes[:, ::2] = (255, 0, 0, 255)
    for kind in ("png", "webp", "tiff"):
        options = {"lossless": True, "exact": True} if kind == "webp" else {}
        result = decoded(encoded(Image.fromarray(stripes), kind, **options), 32)
        assert_colour(result.image, (16, 16), (255, 127, 127))


# Transparency


@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "heif", "avif"])
def test_an_alpha_channel_is_laid_on_white(kind: str) -> None:
    image = Image.new("RGBA", (64, 48), (255, 0, 0, 128))
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    result = decoded(encoded(image, kind, **LOSSLESS.get(kind, {})))
    assert_colour(result.image, (10, 24), WHITE, 4)
    assert_colour(result.image, (50, 24), (255, 127, 127), 4)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_grey_with_alpha_is_laid_on_white(kind: str) -> None:
    assert_colour(decoded(encoded(Image.new("LA", (8, 8), (0, 64)), kind)).image, (4, 4), (191,) * 3)


@pytest.mark.parametrize(
    ("mode", "pixel", "expected"), [("RGBA", (64, 0, 0, 128), (191, 127, 127)), ("LA", (64, 128), (191,) * 3)]
)
@pytest.mark.parametrize("short_side", [4, 64])
def test_premultiplied_alpha_is_laid_on_white(
    mode: str, pixel: tuple[int, ...], expected: tuple[int, ...], short_side: int
) -> None:
    data = encoded(Image.new(mode, (16, 16), pixel), "tiff")
    extra_samples = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    assert data.count(extra_samples) == 1
    data = data.replace(extra_samples, struct.pack("<HHIHH", 338, 3, 1, 1, 0))
    assert_colour(decoded(data, short_side).image, (1, 1), expected)


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
@pytest.mark.parametrize("kind", ["png", "gif"])
def test_a_transparent_palette_entry_is_white(kind: str, transparency: int | bytes) -> None:
    if kind == "gif" and isinstance(transparency, bytes):
        pytest.skip("a GIF names one entry")
    image = Image.new("P", (30, 10))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.paste(1, (10, 0, 20, 10))
    image.paste(2, (20, 0, 30, 10))
    shown = decoded(encoded(image, kind, transparency=transparency)).image
    assert_colour(shown, (5, 5), RED)
    assert_colour(shown, (15, 5), WHITE)
    assert_colour(shown, (25, 5), BLUE if transparency == 1 else (127, 127, 255))


def test_a_palette_with_alpha_is_laid_on_white() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([*RED, *GREEN, *BLUE])
    image = image.convert("PA")
    image.putalpha(Image.new("L", (8, 8), 0))
    assert_colour(decoded(encoded(image, "tiff")).image, (4, 4), WHITE)


@pytest.mark.parametrize(
    ("depth", "kind", "row", "transparent", "expected"),
    [
        (1, 0, b"\x80", (1,), [WHITE, (0, 0, 0)]),
        (1, 0, b"\x80", (0,), [WHITE, WHITE]),
        (2, 0, b"\x60", (1,), [WHITE, (170,) * 3]),
        (4, 0, b"\x5a", (5,), [WHITE, (170,) * 3]),
        (8, 0, b"\x28\x50", (40,), [WHITE, (80,) * 3]),
        (8, 0, b"\x28\x50", (0xFF28,), [WHITE, (80,) * 3]),
        (16, 0, b"\x28\x11\x28\x12", (0x2811,), [WHITE, (40,) * 3]),
        (8, 2, b"\x01\x02\x03\x01\x02\x04", (1, 2, 3), [WHITE, (1, 2, 4)]),
        (
            16,
            2,
            b"\x64\x11\x32\x22\x0a\x33\x64\x11\x32\x22\x0b\x33",
            (0x6411, 0x3222, 0x0A33),
            [WHITE, (100, 50, 11)],
        ),
    ],
)
def test_a_transparent_colour_is_white(
    depth: int, kind: int, row: bytes, transparent: tuple[int, ...], expected: list[tuple[int, ...]]
) -> None:
    chunk = struct.pack(f">{len(transparent)}H", *transparent)
    shown = decoded(png(2, 1, depth, kind, row, (b"tRNS", chunk))).image
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == expected


# Colour


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_cmyk(kind: str) -> None:
    data = encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), kind)
    assert_colour(decoded(data).image, (16, 16), RED, 4)


def test_ycck_jpeg() -> None:
    data = encoded(Image.new("CMYK", (32, 32), (76, 84, 255, 0)), "jpeg", quality=100)
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    assert_colour(decoded(data[:at] + b"\2" + data[at + 1 :]).image, (16, 16), RED, 4)


def ink_profile() -> bytes:
    """Return an ICC profile in which every mixture of inks without black is the same middle grey."""
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    ramp = bytes(range(256))
    table = (
        b"mft1"
        + bytes(4)
        + bytes((4, 3, 2, 0))
        + identity
        + ramp * 4
        + bytes((128, 128, 128, 0, 128, 128)) * 8
        + ramp * 3
    )
    size = 128 + 4 + 12 + len(table)
    head = struct.pack(">I4xI4s4s4s", size, 0x02100000, b"prtr", b"CMYK", b"Lab ").ljust(36, b"\0") + b"acsp"
    white = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    head = head.ljust(68, b"\0") + white
    return head.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_cmyk_goes_through_its_profile(kind: str) -> None:
    data = encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), kind, icc_profile=ink_profile())
    assert_colour(decoded(data).image, (16, 16), (119,) * 3, 3)


@pytest.mark.parametrize(
    "profile",
    [b"no profile", ink_profile()[:300], ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()],
)
def test_cmyk_with_an_unusable_profile_is_converted_plainly(profile: bytes) -> None:
    data = encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "tiff", icc_profile=profile)
    assert_colour(decoded(data).image, (16, 16), RED, 4)


@pytest.mark.parametrize("compression", ["raw", "jpeg"])
def test_ycbcr_tiff(compression: str) -> None:
    data = encoded(quadrants().convert("YCbCr"), "tiff", compression=compression)
    assert_quadrants(decoded(data).image)


@pytest.mark.parametrize("short_side", [16, 64])
def test_lab_tiff(short_side: int) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(quadrants(), srgb, lab, outputMode="LAB")
    assert image is not None
    assert_quadrants(decoded(encoded(image, "tiff"), short_side).image, 24)  # 8 bits of LAB are coarse


@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate", "tiff_lzw", "packbits", "zstd", "lzma"])
def test_tiff_compressions(compression: str) -> None:
    assert_quadrants(decoded(encoded(quadrants(), "tiff", compression=compression)).image, 0)


GREYS_16 = np.array([[0, 255, 256, 32768, 65535]], np.uint16)


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(GREYS_16), "png"),
        encoded(Image.fromarray(GREYS_16), "tiff"),
        encoded(Image.fromarray(GREYS_16), "tiff", compression="tiff_lzw"),
        tiff(">", 5, 1, GREYS_16.astype(">u2").tobytes(), t258=16),
        tiff("<", 5, 1, GREYS_16.tobytes(), t258=16),
    ],
    ids=["png", "tiff", "tiff-lzw", "tiff-big-endian", "tiff-little-endian"],
)
def test_16_bit_grey_is_scaled(data: bytes) -> None:
    assert np.asarray(decoded(data).image)[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_12_bit_grey_is_scaled() -> None:
    data = tiff("<", 2, 1, b"\xff\xf8\x00", t258=(12,))
    assert np.asarray(decoded(data).image)[0, :, 0].tolist() == [255, 128]


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colour_tiff(order: str) -> None:
    pixels = np.array([[0xFF00, 0x8000, 0x0100]], order + "u2").tobytes()
    data = tiff(order, 1, 1, pixels, t258=(16, 16, 16), t262=2, t277=3)
    assert decoded(data).image.getpixel((0, 0)) == (255, 128, 1)


def test_16_bit_colour_png() -> None:
    assert decoded(png(1, 1, 16, 2, b"\xff\x00\x80\x00\x01\x00")).image.getpixel((0, 0)) == (255, 128, 1)
    shown = decoded(png(1, 1, 16, 6, b"\xff\x00\x80\x00\x01\x00\x00\x00")).image
    assert shown.getpixel((0, 0)) == WHITE


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.25, 0.25, 0.5], [64, 64, 128]),
        ([-100.0, 0.0, 100.0], [0, 128, 255]),
        ([0.0, 50_000.0, 100_000.0], [0, 128, 255]),
        ([0.0, NAN, 1.0], [0, 0, 255]),
        ([5.0, NAN, 10.0], [0, 0, 255]),
        ([INF, -INF, 0.5], [255, 0, 128]),
        ([NAN, NAN, NAN], [0, 0, 0]),
        ([7.0, 7.0, 7.0], [0, 0, 0]),
        ([-3.4e38, 0.0, 3.4e38], [0, 128, 255]),
    ],
)
def test_float_grey_is_scaled(values: list[float], expected: list[int]) -> None:
    data = encoded(Image.fromarray(np.array([values], np.float32)), "tiff")
    assert np.asarray(decoded(data).image)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 100, 255], [0, 100, 255]),
        ([0, 32768, 65535], [0, 128, 255]),
        ([-(2**31), 0, 2**31 - 1], [0, 128, 255]),
        ([1000, 1000, 1000], [0, 0, 0]),
    ],
)
def test_integer_grey_is_scaled(values: list[int], expected: list[int]) -> None:
    data = encoded(Image.fromarray(np.array([values], np.int32)), "tiff")
    assert np.asarray(decoded(data).image)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp", "gif"])
def test_two_level_pictures(kind: str) -> None:
    image = Image.new("1", (16, 8), 1)
    image.paste(0, (8, 0, 16, 8))
    shown = decoded(encoded(image, kind, **({"compression": "group4"} if kind == "tiff" else {}))).image
    assert [shown.getpixel((x, 4)) for x in (2, 13)] == [WHITE, (0, 0, 0)]


def test_a_fine_two_level_pattern_becomes_grey_when_reduced() -> None:
    image = Image.fromarray(np.indices((64, 64)).sum(0) % 2 == 0)
    assert_colour(decoded(encoded(image, "png"), 16).image, (8, 8), (128,) * 3)


# EXIF and orientation

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


MAKER = "Xuntu"


def exif_block(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = MAKER
    exif[0x0128] = 2
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x9003] = "2026:11:20 09:03:00"
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "heif", "avif"])
@pytest.mark.parametrize("short_side", [16, 1000])
def test_a_picture_is_turned_upright_once(kind: str, orientation: int, short_side: int) -> None:
    turn = TURNS[orientation]
    stored = quadrants() if turn is None else quadrants().transpose(turn)
    # As bytes, for only then pillow_heif writes the rotation where it belongs, outside the EXIF block.
    result = decoded(encoded(stored, kind, exif=exif_block(orientation).tobytes()), short_side)
    assert (result.width, result.height) == (96, 64)
    assert result.image.size == ((24, 16) if short_side == 16 else (96, 64))
    assert_quadrants(result.image)
    assert result.exif[0x010F] == MAKER
    # Pillow leaves the inner directories of a TIFF out when it writes one.
    assert kind == "tiff" or result.exif.get_ifd(0x8769)[0x9003] == "2026:11:20 09:03:00"


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg"])
def test_a_compressed_tiff_is_turned_upright_once(compression: str) -> None:
    stored = quadrants().transpose(TURNS[6])
    result = decoded(encoded(stored, "tiff", exif=exif_block(6), compression=compression))
    assert (result.width, result.height) == (96, 64)
    assert_quadrants(result.image)


@pytest.mark.parametrize("kind", ["heif", "avif"])
def test_where_the_container_knows_the_rotation_exif_has_no_say(kind: str) -> None:
    data = encoded(quadrants(), kind, exif=exif_block(1).tobytes())
    unit, orientation = struct.pack(">HHIH", 0x0128, 3, 1, 2), struct.pack(">HHIH", 0x0112, 3, 1, 6)
    assert data.count(unit) == 1
    result = decoded(data.replace(unit, orientation))
    assert (result.width, result.height) == (96, 64)
    assert_quadrants(result.image)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    assert_quadrants(decoded(encoded(quadrants(), "jpeg", exif=exif_block(orientation))).image)


def test_exif_behind_the_pixels_of_a_png_counts() -> None:
    data = encoded(quadrants().transpose(TURNS[6]), "png")
    block = exif_block(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
    result = decoded(data[:-12] + chunk + data[-12:])
    assert (result.width, result.height) == (96, 64)
    assert_quadrants(result.image)


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0",
        b"\0",
    ],
)
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "heif"])
def test_a_broken_exif_block_does_not_matter(kind: str, block: bytes) -> None:
    result = decoded(encoded(quadrants(), kind, exif=block))
    assert_quadrants(result.image)
    assert len(result.exif) == 0


@pytest.mark.parametrize("kind", ["jpeg", "webp", "heif", "avif"])
@pytest.mark.parametrize("position", range(0, 40, 3))
def test_an_exif_block_that_breaks_off_does_not_matter(kind: str, position: int) -> None:
    data = encoded(quadrants(), kind, exif=exif_block())
    start = data.index(exif_block().tobytes().removeprefix(b"Exif\0\0")[:8])
    at = start + position
    assert_quadrants(decoded(data[:at] + b"\xfe" * 4 + data[at + 4 :]).image)


@pytest.mark.parametrize("pointer", [0xFFFFFFF0, 3, 0])
def test_a_broken_exif_directory_of_a_tiff_does_not_matter(pointer: int) -> None:
    pixels = np.asarray(quadrants().convert("L")).tobytes()
    result = decoded(tiff("<", 96, 64, pixels, t34665=pointer, t34853=pointer, t40965=pointer))
    assert result.image.size == (96, 64)


def test_a_broken_index_of_further_pictures_does_not_matter() -> None:
    data = encoded(quadrants(), "mpo", save_all=True, append_images=[noise()])
    at = data.index(b"MPF\0") + 4
    for position in range(0, 80, 2):
        broken = data[: at + position] + b"\xfe\xfe" + data[at + position + 2 :]
        assert_quadrants(decoded(broken).image)


# Broken files


@pytest.mark.parametrize("kind", [*FORMATS, "dib", "mpo"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_file_that_is_cut_short_is_truncated(kind: str, share: float) -> None:
    if kind in {"jpeg", "mpo", "png"} and share > 0.4:
        pytest.skip("what there is of it is shown: test_repair.py")
    data = encoded(noise(256, 192), kind)
    assert refusal(data[: int(len(data) * share)]).reason == "truncated"


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw", "jpeg", "zstd", "packbits"])
def test_a_compressed_tiff_that_is_cut_short_is_truncated(compression: str) -> None:
    data = encoded(noise(256, 192), "tiff", compression=compression)
    for share in (0.3, 0.6, 0.9):
        assert refusal(data[: int(len(data) * share)]).reason == "truncated"


@pytest.mark.parametrize(
    ("kind", "start", "fill"),
    [
        ("jpeg", 2, b"\xff"),
        ("png", 60, b"\0"),
        ("webp", 23, b"\xff"),
        ("gif", 1000, b"\xff"),
        ("bmp", 14, b"\xff"),
        ("tiff", 8, b"\0"),
        ("heif", 60, b"\xff"),
        ("avif", 60, b"\xff"),
    ],
)
def test_a_damaged_file_is_corrupt(kind: str, start: int, fill: bytes) -> None:
    data = encoded(noise(), kind)
    span = {"bmp": 24, "webp": 3}.get(kind, 200)
    error = refusal(data[:start] + fill * span + data[start + span :])
    assert error.reason == "corrupt"
    assert not isinstance(error, ImageTooLarge)
    assert error.__cause__ is not None


def test_no_bytes() -> None:
    assert refusal(b"").reason == "empty_file"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        *[(kind, "corrupt") for kind in (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError)],
        *[(kind, "corrupt") for kind in (KeyError, TypeError, OverflowError, RuntimeError, RecursionError)],
        *[(kind, "corrupt") for kind in (zlib.error, Image.DecompressionBombError, AssertionError)],
        (MemoryError, "out_of_memory"),
    ],
)
def test_whatever_a_decoder_raises_is_a_decode_error(
    kind: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: Image.Image) -> None:
        raise kind("a decoder failed")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    error = refusal(encoded(quadrants(), "png"))
    assert error.reason == reason
    assert isinstance(error.__cause__, kind)


def test_an_interrupt_is_not_a_decode_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Image.Image) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    with pytest.raises(KeyboardInterrupt):
        decode_image(encoded(quadrants(), "png"), short_side=32)


# Limits


def webp_canvas(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I4B", 10, 16, 0, 0, 0) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def claim(data: bytes, at: int, layout: str, *numbers: int) -> bytes:
    packed = struct.pack(layout, *numbers)
    return data[:at] + packed + data[at + len(packed) :]


def oversized_gif() -> bytes:
    """Return a GIF of one pixel whose first frame claims 65535 x 65535, to be cleared after it."""
    clear = b"!\xf9\x04\x08\0\0\0\0"
    return (
        b"GIF89a"
        + struct.pack("<HH3B", 1, 1, 0, 0, 0)
        + clear
        + b","
        + struct.pack("<4HB", 0, 0, 65535, 65535, 0)
        + b"\2\0;"
    )


@pytest.mark.parametrize(
    ("data", "width", "height"),
    [
        (png(60_000, 60_000, 8, 2, b""), 60_000, 60_000),
        (png(20_000, 20_000, 1, 0, bytes(2500 * 20_000)), 20_000, 20_000),
        (
            claim(
                encoded(noise(), "jpeg"),
                encoded(noise(), "jpeg").index(b"\xff\xc0") + 5,
                ">HH",
                65_000,
                65_001,
            ),
            65_001,
            65_000,
        ),
        (webp_canvas(2**24, 255), 2**24, 255),
        (oversized_gif(), 65_535, 65_535),
        (claim(encoded(noise(), "bmp"), 18, "<ii", 30_000, 20_000), 30_000, 20_000),
        (tiff("<", 30_000, 20_000, b"\0"), 30_000, 20_000),
        (tiff("<", 64, 64, b"\0", t259=8, t322=60_000, t323=60_000), 60_000, 60_000),
    ],
    ids=["png-header", "png-bomb", "jpeg", "webp", "gif", "bmp", "tiff", "tiff-tile"],
)
def test_too_many_pixels_are_refused_on_the_header(data: bytes, width: int, height: int) -> None:
    error = refusal(data)
    assert isinstance(error, ImageTooLarge)
    assert error.reason == "too_many_pixels"
    assert error.detail == f"{width} x {height} = {width * height / 1e6:.0f} megapixels, limit 200"


@pytest.mark.parametrize("kind", FORMATS)
def test_the_limit_of_pixels_is_exact(kind: str) -> None:
    data = encoded(noise(200, 100), kind)
    assert decoded(data, limits=DecodeLimits(max_pixels=20_000)).width == 200
    error = refusal(data, limits=DecodeLimits(max_pixels=19_999))
    assert error.detail == "200 x 100 = 0.02 megapixels, limit 0.019999"


def test_the_limit_is_ours_and_not_that_of_pillow(heavy) -> None:
    data = png(14_000, 14_000, 1, 0, b"\xff" * (1750 * 14_000))
    result = decoded(data, 1400)
    assert (result.width, result.image.size) == (14_000, (1400, 1400))


def test_too_many_bytes() -> None:
    data = encoded(noise(), "png")
    assert decoded(data, limits=DecodeLimits(max_bytes=len(data))).format == "png"
    error = refusal(data, limits=DecodeLimits(max_bytes=len(data) - 1))
    assert (error.reason, type(error)) == ("too_many_bytes", ImageTooLarge)


# Silence


def odd_files() -> list[bytes]:
    """Return files that make Pillow warn, but can be read, and one of 100 megapixels, which is much to it."""
    pixels = np.asarray(quadrants().convert("L")).tobytes()
    broken = claim(encoded(quadrants(), "jpeg", exif=exif_block()), 38, ">H", 500)
    animation = (b"acTL", struct.pack(">II", 0, 0))
    return [
        tiff("<", 96, 64, pixels, t34665=0xFFFFFF0),
        broken,
        png(2, 1, 8, 0, b"ab", animation),
        png(10_000, 10_000, 1, 0, bytes(1250 * 10_000)),
    ]


def test_no_warning_escapes_whatever_the_filters(capfd: pytest.CaptureFixture[str], heavy) -> None:
    files = odd_files()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        for data in files:
            decoded(data, 100)
        warnings.simplefilter("always")
        for data in files:
            decoded(data, 100)
    assert caught == []
    assert capfd.readouterr() == ("", "")


def test_pictures_are_decoded_in_threads() -> None:
    files = [encoded(quadrants(), kind) for kind in FORMATS] + odd_files()[:3]
    alone = [decoded(data, 16).image.tobytes() for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decoded(data, 16).image.tobytes(), files * 20))
    assert together == alone * 20


FUZZ = """
import random, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from models.pictures.decode import decode_image
from models.pictures.limits import DecodeLimits
from models.pictures.errors import DecodeError
dice, limits, count = random.Random(20), DecodeLimits(max_pixels=4_000_000), 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    for turn in range(240):
        data = bytearray(path.read_bytes())
        if turn % 3 == 0:
            del data[dice.randrange(1, len(data)):]
        for _ in range(dice.choice((0, 1, 4, 30)) if turn % 3 == 0 else dice.choice((1, 2, 8, 40))):
            at = dice.randrange(len(data) if turn % 2 else min(len(data), 400))
            data[at] = dice.choice((0, 255, dice.randrange(256)))
        try:
            decode_image(bytes(data), short_side=16)
        except DecodeError:
            pass
        count += 1
print(count)
"""


def test_damaged_bytes_end_in_a_picture_or_a_decode_error(tmp_path: Path, processes) -> None:
    options = {"exif": exif_block(6)}
    for kind in FORMATS:
        (tmp_path / kind).write_bytes(encoded(noise(), kind, **({} if kind in {"gif", "bmp"} else options)))
    (tmp_path / "mpo").write_bytes(encoded(noise(), "mpo", save_all=True, append_images=[noise()]))
    (tmp_path / "lzw").write_bytes(encoded(noise(), "tiff", compression="tiff_lzw"))
    (tmp_path / "rgba").write_bytes(encoded(noise().convert("RGBA"), "png"))
    (tmp_path / "frames").write_bytes(encoded(noise(), "gif", save_all=True, append_images=[quadrants()], disposal=2))
    command = [sys.executable, "-W", "error", "-c", FUZZ, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{12 * 240}\n"
    assert "Warning" not in done.stderr


# Files


def file_refusal(path: Path, limits: DecodeLimits | None = None) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        read_image_file(path, limits or DecodeLimits())
    return caught.value


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "图片.bin").write_bytes(data)
    (tmp_path / "link").symlink_to("图片.bin")
    assert read_image_file(tmp_path / "图片.bin", DecodeLimits()) == data
    assert read_image_file(tmp_path / "link", DecodeLimits(max_bytes=3_000_000)) == data


def test_a_file_that_is_too_big_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    error = file_refusal(path)
    assert isinstance(error, ImageTooLarge)
    assert (error.reason, error.detail) == ("too_many_bytes", "1048576.0 MiB, limit 512")


def test_what_is_no_regular_file_never_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name, detail in (("fifo", "FIFO"), ("link", "FIFO"), (".", "directory"), ("/dev/zero", "device")):
        error = file_refusal(tmp_path / name)
        assert (error.reason, error.detail) == ("not_a_regular_file", detail)
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert file_refusal(Path("socket")).detail == "socket"


def test_a_fifo_that_takes_the_place_of_a_file_never_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"data")
    opened = os.open

    def swap(name: Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return opened(name, flags)

    monkeypatch.setattr(os, "open", swap)
    assert file_refusal(path).detail == "FIFO"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"data")
    for name in ("missing", "dangling", "loop", "file/below", "nul\0"):
        assert file_refusal(tmp_path / name).reason == "not_found"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert file_refusal(tmp_path / "empty").reason == "empty_file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"data")
    path.chmod(0)
    assert file_refusal(path).reason == "permission_denied"


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (PermissionError(13, "Permission denied"), "permission_denied", "Permission denied"),
        (OSError(5, "Input/output error"), "io_error", "Input/output error"),
    ],
)
def test_a_file_that_cannot_be_opened(
    error: OSError, reason: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"data")

    def fail(name: Path, flags: int) -> int:
        raise error

    monkeypatch.setattr(os, "open", fail)
    assert (file_refusal(path).reason, file_refusal(path).detail) == (reason, detail)


def test_a_name_that_is_too_long_is_an_io_error(tmp_path: Path) -> None:
    assert file_refusal(tmp_path / ("x" * 300)).reason == "io_error"
