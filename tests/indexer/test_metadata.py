"""What the catalog keeps of a picture's EXIF block."""

import io
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from indexer.annotators.exif import ExifAnnotator
from indexer.annotators.places import name_place
from indexer.library.annotations.port import AnnotatedPicture
from indexer.library.annotations.values import Values
from models.pictures.decode import decode_image

KINDS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif", "heif": ".heic"}


def exif_block(**tags: object) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = tags.get("make", "Canon")
    exif[ExifTags.Base.Model] = tags.get("model", "Canon EOS R5")
    exif[ExifTags.Base.DateTime] = "2025:01:01 00:00:00"
    directory = exif.get_ifd(ExifTags.IFD.Exif)
    directory[ExifTags.Base.DateTimeOriginal] = tags.get("taken", "2024:05:03 14:30:05")
    if tags.get("gps", True):
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef] = "N"
        gps[ExifTags.GPS.GPSLatitude] = (Fraction(39), Fraction(54), Fraction(26))
        gps[ExifTags.GPS.GPSLongitudeRef] = "E"
        gps[ExifTags.GPS.GPSLongitude] = (Fraction(116), Fraction(23), Fraction(29))
    return exif


def read_exif(exif: Image.Exif) -> Values:
    (found,) = ExifAnnotator().annotate([AnnotatedPicture(image=Image.new("RGB", (1, 1)), exif=exif)])
    return found


@pytest.fixture(scope="module")
def names_of_places() -> None:
    """Have the names read, which takes a while the first time."""
    name_place(0.0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_moment_camera_and_place_are_read(album, kind, names_of_places):
    name = f"a{KINDS[kind]}"
    album.draw(name, exif=exif_block().tobytes())
    album.build()
    row, found = album.rows()[name], album.annotations(name)
    assert (row.format, found["taken"], found["camera"]) == (kind, "2024-05-03T14:30:05", "Canon EOS R5")
    assert found["has_gps"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_says_nothing_has_nothing(album, kind):
    name = f"a{KINDS[kind]}"
    album.draw(name)
    album.build()
    row, found = album.rows()[name], album.annotations(name)
    assert (row.width, row.height, found["taken"], found["camera"], found["has_gps"]) == (48, 36, None, None, False)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_width_and_height_are_those_of_the_upright_picture(album, kind):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    name = f"a{KINDS[kind]}"
    album.draw(name, exif=exif)
    album.build()
    row = album.rows()[name]
    assert (row.width, row.height) == (36, 48)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("NIKON CORPORATION", "NIKON D850", "NIKON D850"),
        ("SONY", "ILCE-7M4", "SONY ILCE-7M4"),
        ("HUAWEI", "", "HUAWEI"),
        ("", "X100V", "X100V"),
        ("", "", None),
        ("Apple\0\0\0", "iPhone 15 Pro\0rest", "Apple iPhone 15 Pro"),
        ("  two   spaces ", "a\nb", "two spaces a b"),
        ("小米", "小米14", "小米14"),
    ],
)
def test_the_camera_is_named_once(make, model, camera):
    assert read_exif(exif_block(make=make, model=model))["camera"] == camera


def test_a_camera_name_is_never_long():
    assert len(read_exif(exif_block(make="A" * 1000, model="B" * 5000))["camera"]) <= 201


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ("2024:05:03 14:30:05", "2024-05-03T14:30:05"),
        ("2024-05-03 14:30:05", "2024-05-03T14:30:05"),
        ("2024:05:03 14:30:05.123", "2024-05-03T14:30:05"),
        ("0000:00:00 00:00:00", "2025-01-01T00:00:00"),  # the next best tag
        ("    :  :     :  :  ", "2025-01-01T00:00:00"),
        ("2024:13:45 99:99:99", "2025-01-01T00:00:00"),
        ("0001:01:01 00:00:00", "2025-01-01T00:00:00"),
        ("yesterday", "2025-01-01T00:00:00"),
        ("", "2025-01-01T00:00:00"),
        (b"\xff\xfe\0", "2025-01-01T00:00:00"),
        (20240503, "2025-01-01T00:00:00"),
    ],
)
def test_a_moment_that_is_none_is_passed_over(taken, expected):
    exif = exif_block()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    assert read_exif(exif)["taken"] == expected


def test_half_a_place_is_no_place():
    exif = exif_block(gps=False)
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (Fraction(39), Fraction(54), Fraction(26))
    assert not read_exif(exif)["has_gps"]


def check_facts(facts: Values) -> None:
    assert facts.get("taken") is None or datetime.fromisoformat(facts["taken"]).year > 1800
    assert facts.get("camera") is None or facts["camera"].isprintable()


def read_back(block: bytes) -> Values:
    """Return what is read of a JPEG file with this block."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=block)
    return read_exif(decode_image(file.getvalue(), short_side=8).exif)


@given(st.binary(max_size=300), st.sampled_from([b"Exif\0\0II*\0\x08\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08", b"Exif\0\0"]))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_any_bytes_in_place_of_a_block_are_read_or_passed_over(data, head):
    check_facts(read_back(head + data))


@given(
    st.lists(st.tuples(st.integers(6, len(exif_block().tobytes()) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_a_damaged_block_never_fails(heavy, changes):
    block = bytearray(exif_block().tobytes())
    for at, value in changes:
        block[at] = value
    check_facts(read_back(bytes(block)))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "heif"])
def test_a_picture_with_a_damaged_block_is_indexed(album, kind):
    rng = np.random.default_rng(0)
    for n in range(12):
        block = bytearray(exif_block().tobytes())
        for at in rng.integers(14, len(block), 8):
            block[at] = rng.integers(0, 256)
        album.draw(f"{n}{KINDS[kind]}", exif=bytes(block))
    report = album.build()
    assert (report.encoded, report.failed) == (12, 0)


def test_a_tiff_with_damaged_directories_is_indexed_or_reported(album):
    rng = np.random.default_rng(0)
    for n in range(12):
        path = album.draw(f"{n}.tif", exif=exif_block().tobytes())
        data = bytearray(path.read_bytes())
        for at in rng.integers(8, len(data), 8):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data)
    assert album.build().seen == 12
