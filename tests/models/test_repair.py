"""models/pictures/repair.py through decode_image: files that browsers show, with odd things beside their pixels."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.pictures.decode import DecodedImage, decode_image
from models.pictures.errors import DecodeError
from models.pictures.repair import repairs

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def photograph(width: int = 96, height: int = 64) -> Image.Image:
    rng = np.random.default_rng(5)
    return Image.fromarray(rng.integers(0, 255, (6, 9, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes) -> DecodedImage:
    return decode_image(data, short_side=10_000)


PNG = encoded(photograph(), "PNG")
JPEG = encoded(photograph(), "JPEG", quality=90)
PIXELS = {data: np.asarray(decoded(data).image) for data in (PNG, JPEG)}


def assert_same(data: bytes, whole: bytes, *dropped: str) -> None:
    found = decoded(data)
    assert np.array_equal(np.asarray(found.image), PIXELS[whole])
    assert (found.dropped, found.partial) == (dropped, False)


# PNG


def chunk(name: bytes, body: bytes, *, wrong: int = 0) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ wrong)


def with_chunk(piece: bytes, data: bytes = PNG) -> bytes:
    at = data.index(b"IDAT") - 4
    return data[:at] + piece + data[at:]


BIG = zlib.compress(bytes(2 * 2**20))


def segment(marker: int, body: bytes, *, size: int | None = None) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2 if size is None else size) + body


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("zTXt", chunk(b"zTXt", b"workflow\0\0" + BIG)),
        ("zTXt", chunk(b"zTXt", b"workflow\0\7" + zlib.compress(b"text"))),
        ("iTXt", chunk(b"iTXt", b"prompt\0\1\0\0\0" + BIG)),
        ("iCCP", chunk(b"iCCP", b"scanner\0\0" + BIG)),
        ("iCCP", chunk(b"iCCP", b"no end")),
        ("tEXt", chunk(b"tEXt", b"Comment\0hi", wrong=1)),
        ("tEXt", chunk(b"tEXt", b"transparency\0something")),
        ("tEXt", chunk(b"tEXt", b"bbox\0something")),
        ("pHYs", chunk(b"pHYs", b"\0\0")),
        ("gAMA", chunk(b"gAMA", b"\0")),
        ("cHRM", chunk(b"cHRM", bytes(8))),
        ("sRGB", chunk(b"sRGB", b"")),
        ("tRNS", chunk(b"tRNS", b"\0")),
        ("tRNS", chunk(b"tRNS", bytes(6), wrong=1)),
        ("eXIf", chunk(b"eXIf", b"MM", wrong=1)),
        ("acTL", chunk(b"acTL", b"\0")),
        ("fcTL", chunk(b"fcTL", bytes(26)) * 2),
        ("abCd", chunk(b"abCd", b"of a program of its own", wrong=1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_chunk_beside_the_pixels_costs_a_png(name: str, piece: bytes) -> None:
    assert_same(with_chunk(piece), PNG, name)


def test_what_can_be_read_of_a_png_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2020:02:03 04:05:06"
    data = with_chunk(chunk(b"tEXt", b"a\0b", wrong=1) + chunk(b"pHYs", b"\0"), encoded(photograph(), "PNG", exif=exif))
    found = decoded(data)
    assert (found.dropped, found.exif[0x0132]) == (("tEXt", "pHYs"), "2020:02:03 04:05:06")


def test_a_png_of_thousands_of_damaged_chunks_is_shown_without_them() -> None:
    assert_same(with_chunk(chunk(b"teXt", b"x", wrong=1) * 3_000 + chunk(b"pHYs", b"") * 3), PNG, "teXt", "pHYs")


@pytest.mark.parametrize(
    ("opener", "data"),
    [
        ("PNG", PNG[:8] + bytes(12 * 110_000)),
        ("JPEG", JPEG[:2] + segment(0xE5, b"") * 110_000 + JPEG[2:]),
        ("WEBP", b"RIFF\0\0\0\0WEBP" + b"abcd\0\0\0\0" * 110_000 + b"VP8 \0\0\0\0"),
        ("TIFF", struct.pack("<2sHIQQ", b"II", 43, 8, 16, 110_000) + struct.pack("<HHQQ", 256, 3, 1, 64) * 110_000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_repaired_that_was_made_of_more_pieces_than_a_picture_has(heavy, opener: str, data: bytes) -> None:
    assert list(repairs(data, opener)) == []


@given(st.data())
def test_no_surgery_beside_the_pixels_costs_a_png(data: st.DataObject) -> None:
    """Chunks that may be passed over, by any name and of any body, with right and wrong checksums."""
    letters = st.sampled_from(b"abcdefghijklmnopqrstuvwxyz")
    known = st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"pHYs", b"gAMA", b"cHRM", b"eXIf", b"tIME", b"hIST"])
    name = known | st.tuples(letters, letters, st.sampled_from(b"ABCXYZ"), letters).map(bytes)
    body = st.binary(max_size=60) | st.binary(max_size=20).map(lambda text: b"key\0\0" + zlib.compress(text))
    pieces = data.draw(st.lists(st.tuples(name, body, st.sampled_from([0, 0, 1])), max_size=4))
    whole = with_chunk(b"".join(chunk(name, body, wrong=wrong) for name, body, wrong in pieces))
    found = decoded(whole)
    assert found.image.size == (96, 64)
    if not any(name in {b"gAMA", b"cHRM", b"iCCP"} for name, _, _ in pieces):  # which say what colours mean
        assert np.array_equal(np.asarray(found.image), PIXELS[PNG])


def test_damaged_pixels_of_a_png_are_still_damaged() -> None:
    at = PNG.index(b"IDAT") + 20
    with pytest.raises(DecodeError) as caught:
        decoded(PNG[:at] + bytes(200) + PNG[at + 200 :])
    assert caught.value.reason == "corrupt"


# JPEG


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("APP0", segment(0xE0, b"JFIF\0")),
        ("APP14", segment(0xEE, b"Adobe")),
        ("APP2", segment(0xE2, b"ICC_PROFILE\0")),
        ("APP2", segment(0xE2, b"MPF\0MM\0*\0\0\0\10\0\1")),
        ("APP13", segment(0xED, b"Photoshop 3.0\x008BIM\4\4\0")),
    ],
)
def test_no_segment_beside_the_pixels_costs_a_jpeg(name: str, piece: bytes) -> None:
    found = decoded(JPEG[:2] + piece + JPEG[2:])
    assert np.array_equal(np.asarray(found.image), PIXELS[JPEG])
    assert found.dropped in {(), (name,)}


@pytest.mark.parametrize(
    "between", [b"junk", b"\xff\xff\xff", b"\x00\xff\x00", segment(0xE5, b"", size=0), b"\xff\x01", bytes(500)]
)
def test_what_lies_between_segments_is_passed_over(between: bytes) -> None:
    for at in (2, JPEG.index(b"\xff\xdb")):
        found = decoded(JPEG[:at] + between + JPEG[at:])
        assert np.array_equal(np.asarray(found.image), PIXELS[JPEG])


@given(st.data())
def test_no_surgery_beside_the_pixels_costs_a_jpeg(heavy, data: st.DataObject) -> None:
    """Segments of programs and comments, of any body, and what writers leave between them."""
    heads = st.sampled_from([b"", b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"MPF\0", b"Photoshop 3.0\0", b"FPXR\0"])
    markers = st.integers(0xE0, 0xEF).filter(lambda marker: marker != 0xEE) | st.just(0xFE)
    bodies = st.tuples(heads, st.binary(max_size=40)).map(b"".join)
    pieces = st.lists(st.tuples(markers, bodies).map(lambda piece: segment(*piece)), max_size=4).map(b"".join)
    found = decoded(JPEG[:2] + data.draw(pieces) + JPEG[20:])
    assert {found.image.size} <= {(96, 64), (64, 96)}  # a whole EXIF block may turn it
    assert np.abs(np.sort(np.asarray(found.image), axis=None) - np.sort(PIXELS[JPEG], axis=None)).max() <= 1


# Other formats


def webp_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def riff(body: bytes, size: int | None = None) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body) if size is None else size) + b"WEBP" + body


CANVAS = webp_chunk(b"VP8X", bytes([0x2C, 0, 0, 0]) + (95).to_bytes(3, "little") + (63).to_bytes(3, "little"))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: riff(body + webp_chunk(b"EXIF", b"junk") + webp_chunk(b"junk", b"")),
        lambda body: riff(CANVAS + webp_chunk(b"XMP ", b"<x/>") + body),
        lambda body: riff(CANVAS + body + webp_chunk(b"ICCP", b"no profile") + webp_chunk(b"EXIF", b"MM")),
        lambda body: riff(CANVAS + body + b"EXIF\xff\0\0\0"),
        lambda body: riff(CANVAS + body, size=len(body)) + b"trailing",
    ],
)
def test_nothing_beside_the_pixels_costs_a_webp(change: Callable[[bytes], bytes]) -> None:
    whole = encoded(photograph(), "WEBP", lossless=True)
    assert np.array_equal(np.asarray(decoded(change(whole[12:])).image), np.asarray(photograph()))


@pytest.mark.parametrize("tag", [270, 271, 282, 305, 306, 315, 700, 33432, 33723, 34377, 34665, 34675, 34853, 37724])
@pytest.mark.parametrize("kind", [0, 2, 3, 5, 12, 200])
def test_no_tag_beside_the_pixels_costs_a_tiff(tag: int, kind: int) -> None:
    """Tags of wrong types, and with values that lie far behind the end of the file."""
    whole = encoded(photograph(), "TIFF")
    start = struct.unpack_from("<I", whole, 4)[0]
    (count,) = struct.unpack_from("<H", whole, start)
    entries = [whole[start + 2 + 12 * at : start + 14 + 12 * at] for at in range(count)]
    entries = [one for one in entries if struct.unpack_from("<H", one)[0] != tag]
    entries = sorted([*entries, struct.pack("<HHII", tag, kind, 5, 0x7FFFFFF0)], key=lambda one: one[:2][::-1])
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    padded = whole + bytes(len(whole) & 1)
    data = padded[:4] + struct.pack("<I", len(padded)) + padded[8:] + directory
    assert np.array_equal(np.asarray(decoded(data).image), np.asarray(photograph()))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "BMP", "JPEG", "PNG", "HEIF", "AVIF"])
def test_what_follows_a_picture_does_not_matter(kind: str) -> None:
    whole = encoded(photograph(), kind)
    assert np.array_equal(np.asarray(decoded(whole + b"trailing" * 9).image), np.asarray(decoded(whole).image))


# Files that break off


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_there_is_of_a_jpeg_is_shown(options: dict[str, object], mode: str) -> None:
    picture = photograph(320, 240).convert(mode)
    whole = encoded(picture, "JPEG", quality=95, **options)
    found = decoded(whole[: len(whole) * 9 // 10])
    assert found.partial
    assert (found.width, found.height) == (320, 240)
    assert found.image.height >= 190
    kept = picture.convert("RGB").crop((0, 0, 320, found.image.height - 16))
    difference = np.abs(np.asarray(found.image.crop((0, 0, *kept.size)), np.int16) - np.asarray(kept, np.int16))
    assert np.median(difference) <= 12


def test_a_jpeg_that_lacks_its_end_marker_alone_is_whole() -> None:
    assert_same(JPEG[:-2], JPEG)


def test_the_last_pixels_of_a_jpeg_may_be_missing() -> None:
    picture = photograph(320, 240)
    whole = encoded(picture, "JPEG", quality=95)
    found = decoded(whole[:-60])
    assert found.partial
    assert found.image.size == (320, 240)


def test_a_reduced_jpeg_that_breaks_off_is_cut_too() -> None:
    whole = encoded(photograph(1600, 1200), "JPEG", quality=95)
    found = decode_image(whole[: len(whole) * 3 // 4], short_side=100)
    assert found.partial
    assert 0.6 < found.image.height / found.image.width * 4 / 3 < 0.9


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1")])
def test_what_there_is_of_a_png_is_shown(kind: str, mode: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    whole = encoded(picture, kind)
    found = decoded(whole[: len(whole) * 4 // 5])
    assert found.partial
    assert (found.width, found.height) == (320, 240)
    expected = picture.convert("RGB").crop((0, 0, 320, found.image.height))
    assert found.image.height > 150
    assert np.array_equal(np.asarray(found.image), np.asarray(expected))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_of_which_less_than_half_is_there_is_refused(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8))
    whole = encoded(noise, kind)
    with pytest.raises(DecodeError) as caught:
        decoded(whole[: len(whole) * 2 // 5])
    assert caught.value.reason == "truncated"


def test_a_picture_that_begins_where_another_ends_is_not_mistaken_for_it() -> None:
    whole = encoded(photograph(), "MPO", save_all=True, append_images=[photograph().resize((48, 32))])
    at = whole.index(b"\xff\xd9\xff\xd8")
    found = decoded(whole[:at] + whole[at + 2 :])
    assert (found.image.size, found.partial) == ((96, 64), False)
    assert np.array_equal(np.asarray(found.image), np.asarray(decoded(whole).image))
