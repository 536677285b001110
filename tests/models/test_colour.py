"""models/pictures/colour.py through decode_image: colours as each kind of file means them, in sRGB."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from models.pictures.decode import decode_image

pillow_heif.register_heif_opener()

RED, GREY = (200, 30, 30), (120, 120, 120)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")
FINE = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}, "HEIF": {"quality": -1}, "AVIF": {"quality": 100}}


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def icc(colours: Sequence[Sequence[float]], gamma: float, space: bytes = b"RGB ") -> bytes:
    """Return a profile: XYZ (D50) of red, green and blue, or of grey none, and one gamma."""
    xyz = [b"XYZ " + bytes(4) + b"".join(map(fixed, colour)) for colour in colours]
    curve = b"curv" + struct.pack(">4xIH2x", 1, round(gamma * 256))
    words = b"desc" + struct.pack(">4xI", 4) + b"own\0" + bytes(78)
    tags = {b"desc": words, b"cprt": b"text" + bytes(4) + b"own\0"}
    tags[b"wtpt"] = b"XYZ " + bytes(4) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True)) | dict.fromkeys(
            (b"rTRC", b"gTRC", b"bTRC"), curve
        )
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4xI", 132 + len(table) - 4 + len(body), 0x02200000) + b"mntr" + space + b"XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head.ljust(128, b"\0") + table + body


SRGB_COLOURS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71688, 0.09708), (0.14307, 0.06061, 0.7141))
SWAPPED = icc(SRGB_COLOURS[::-1], 2.2)
WIDE = icc(((0.7976749, 0.2880402, 0), (0.1351917, 0.7118741, 0), (0.0313534, 0.0000857, 0.82521)), 1.8)
BRIGHT_GREY = icc((), 1.0, b"GRAY")


def field(colour: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (64, 48), colour if len(colour) > 1 else colour[0])


def stored(colour: tuple[int, int, int], profile: bytes) -> Image.Image:
    """Return a field of a colour of sRGB as a file with that profile holds it."""
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(field(colour), ImageCms.createProfile("sRGB"), opened, outputMode="RGB")


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **FINE.get(kind, {}), **options)
    return file.getvalue()


def shown(data: bytes, **options: int) -> tuple[int, ...]:
    image = decode_image(data, short_side=options.pop("short_side", 10_000), **options).image
    assert image.info == {}
    return image.getpixel((image.width // 2, image.height // 2))


def assert_near(found: Sequence[int], expected: Sequence[int], tolerance: int = 4) -> None:
    assert np.abs(np.subtract(found, expected)).max() <= tolerance, (found, expected)


@pytest.mark.parametrize("profile", [SWAPPED, WIDE], ids=["swapped", "wide"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_profile_of_rgb_is_followed(kind: str, profile: bytes) -> None:
    data = encoded(stored(RED, profile), kind, icc_profile=profile)
    assert_near(shown(data), RED)
    assert_near(shown(data, short_side=12), RED)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_profile_of_srgb_changes_nothing(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 255, (48, 64, 3), np.uint8))
    with_it, without = (
        decode_image(encoded(picture, kind, **options), short_side=48).image.tobytes()
        for options in ({"icc_profile": profile}, {})
    )
    assert with_it == without


@pytest.mark.parametrize("mode", ["RGBA", "P", "PA"])
def test_colours_are_converted_before_they_are_laid_on_white(mode: str) -> None:
    picture = stored(RED, SWAPPED)
    if mode != "P":
        picture.putalpha(128)
    picture = picture.quantize(8) if mode.startswith("P") else picture
    data = encoded(picture, "PNG", icc_profile=SWAPPED)
    expected = RED if mode == "P" else tuple((value + 255) // 2 for value in RED)
    assert_near(shown(data), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_profile_of_grey_is_followed(kind: str) -> None:
    data = encoded(field((128,), "L"), kind, icc_profile=BRIGHT_GREY)
    assert_near(shown(data), (188, 188, 188))


def test_grey_with_alpha_follows_a_profile_of_grey() -> None:
    data = encoded(Image.merge("LA", [field((128,), "L"), field((255,), "L")]), "PNG", icc_profile=BRIGHT_GREY)
    assert_near(shown(data), (188, 188, 188))


def test_16_bit_grey_follows_a_profile_of_grey() -> None:
    values = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))
    data = encoded(Image.fromarray(values), "PNG", icc_profile=BRIGHT_GREY)
    assert_near(shown(data), (188, 188, 188), 6)


def test_grey_with_a_profile_of_rgb_is_grey_of_it() -> None:
    data = encoded(field((128,), "L"), "JPEG", icc_profile=icc(SRGB_COLOURS, 1.0))
    assert_near(shown(data), (188, 188, 188))


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        bytes(4_000),
        SWAPPED[:200],
        SWAPPED[:128] + b"\xff" * 200,
        BRIGHT_GREY,  # says nothing of RGB
        SWAPPED[:16] + b"CMYK" + SWAPPED[20:],
        SWAPPED[:16] + b"Lab " + SWAPPED[20:],
    ],
)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_profile_that_cannot_be_used_is_ignored(kind: str, profile: bytes) -> None:
    assert_near(shown(encoded(field(RED), kind, icc_profile=profile)), RED)


def test_threads_may_share_a_profile() -> None:
    from concurrent.futures import ThreadPoolExecutor

    data = encoded(stored(RED, WIDE), "PNG", icc_profile=WIDE)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: shown(data), range(200)))) == 1


def test_colours_that_are_converted_are_reduced_to_what_is_needed() -> None:
    picture = Image.new("RGB", (400, 300), RED)
    plain, converted = (
        decode_image(encoded(picture, "PNG", **options), short_side=160, long_side=100, spare=2).image.size
        for options in ({}, {"icc_profile": SWAPPED})
    )
    assert (plain, converted) == ((400, 300), (134, 100))


# What a file says without a profile


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(colour: tuple[int, ...], *chunks: bytes, **options: object) -> bytes:
    data = encoded(field(colour), "PNG", **options)
    return data[:33] + b"".join(chunks) + data[33:]


P3_RED = (218, 0, 6)  # what (200, 30, 30) of Display P3 is in sRGB


@pytest.mark.parametrize(
    ("primaries", "transfer", "expected"),
    [
        (1, 13, RED),
        (1, 1, RED),
        (2, 2, RED),
        (12, 13, P3_RED),
        (12, 1, P3_RED),
        (1, 8, (229, 96, 96)),
        (200, 200, RED),
    ],
)
def test_code_points_of_a_png_are_followed(primaries: int, transfer: int, expected: tuple[int, ...]) -> None:
    code_points = chunk(b"cICP", bytes([primaries, transfer, 0, 1]))
    assert_near(shown(png_with(RED, code_points)), expected)
    assert_near(shown(png_with(RED, code_points, icc_profile=SWAPPED)), expected)  # which they go before


@pytest.mark.parametrize("transfer", [16, 18])
def test_light_beyond_white_is_compressed(transfer: int) -> None:
    code_points = chunk(b"cICP", bytes([9, transfer, 0, 1]))
    greys = [shown(png_with((value,) * 3, code_points)) for value in (0, 64, 128, 192, 255)]
    values = [max(grey) for grey in greys]
    assert all(max(grey) - min(grey) <= 2 for grey in greys)
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0, 255)
    assert 120 <= values[2] <= 190


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_code_points_of_a_container_are_followed(kind: str) -> None:
    data = encoded(field(RED), kind)
    at = data.index(b"colrnclx") + 8
    p3 = data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :]
    assert_near(shown(data), RED)
    assert_near(shown(p3), P3_RED, 6)


def test_the_gamma_of_a_png_is_followed() -> None:
    linear, usual, odd = (chunk(b"gAMA", struct.pack(">I", round(value * 100_000))) for value in (1, 0.45455, 0))
    assert_near(shown(png_with(GREY, linear)), (182, 182, 182))
    assert_near(shown(png_with(GREY, usual)), GREY, 0)
    assert_near(shown(png_with(GREY, odd)), GREY, 0)
    assert_near(shown(png_with(GREY, linear, chunk(b"sRGB", b"\0"))), GREY, 0)
    assert_near(shown(png_with(GREY, linear, icc_profile=SWAPPED)), GREY)


def test_the_primaries_of_a_png_are_followed() -> None:
    p3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    chromaticities = chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in p3)))
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    assert_near(shown(png_with(RED, gamma, chromaticities)), P3_RED)
    assert_near(shown(png_with(RED, gamma, chunk(b"cHRM", bytes(32)))), RED, 0)
