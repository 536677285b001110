"""Small files that would take long or much memory, and what must not be mistaken for something else."""

import contextlib
import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from indexer.annotators.prompts import read_prompt
from indexer.annotators.registry import list_annotators
from indexer.library.annotations.port import AnnotatedPicture
from models.pictures.decode import DecodedImage, decode_image
from models.pictures.errors import DecodeError, ImageTooLarge
from models.pictures.limits import DecodeLimits
from models.pictures.xmp import Xmp, read_xmp


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, kind: int, rows: bytes, extra: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_of(values: np.ndarray, kind: int, extra: bytes = b"") -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, kind, rows, extra)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shown(data: bytes, **options: object) -> DecodedImage:
    return decode_image(data, **{"short_side": 10_000, **options})


NESTED = b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + b"<r:Description>" * 20_000
TYPED = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "boom">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&a;</x:xmpmeta>'


@pytest.mark.parametrize("packet", [b"<!--" * 200_000, b"<RDF " * 200_000, NESTED, TYPED.encode("utf-16-le")])
def test_a_packet_of_nothing_but_beginnings_takes_no_time(packet: bytes) -> None:
    assert read_xmp(packet) == Xmp()
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet[:900_000]))
    found = shown(png(8, 8, 8, 0, bytes(72), text))
    picture = AnnotatedPicture(image=found.image, exif=found.exif, metadata=found.metadata)
    for annotator in list_annotators():
        assert len(annotator.annotate([picture])) == 1


def test_a_graph_of_nodes_that_lead_to_all_others_takes_no_time() -> None:
    nodes = {
        str(number): {
            "class_type": "x",
            "inputs": {"positive": [str(number), 0], **{str(n): [str((number + n) % 300)] for n in range(80)}},
        }
        for number in range(300)
    }
    assert read_prompt({"prompt": json.dumps(nodes)}) == ""


def test_dark_pictures_of_16_bits_are_not_held_twice_beyond_measure(heavy) -> None:
    data = png(5_000, 4_000, 16, 2, bytes((5_000 * 6 + 1) * 4_000))
    assert shown(data, short_side=400).image.getextrema() == ((0, 0),) * 3


@pytest.mark.parametrize("box", [(b"Exif", bytes(5_000)), (b"xml ", b"jxlc\xff\x0a" + bytes(60))])
def test_no_box_hides_the_size_of_a_jpeg_xl(box: tuple[bytes, bytes]) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    whole = imagecodecs.jpegxl_encode(np.zeros((800, 800), np.uint8), usecontainer=True, effort=1)
    at = whole.index(b"jxlc") - 4
    data = whole[:at] + struct.pack(">I", len(box[1]) + 8) + box[0] + box[1] + whole[at:]
    with pytest.raises(ImageTooLarge):
        shown(data, limits=DecodeLimits(max_pixels=10_000))
    assert shown(data).width == 800


@pytest.mark.parametrize("tag", [273, 279])
def test_places_of_pixels_that_are_no_numbers_end_in_a_picture_or_a_decode_error(tag: int) -> None:
    tags = {256: 16, 257: 16, 258: 8, 259: 1, 262: 2, 273: 8, 277: 3, 278: 16, 279: 768}
    entries = b"".join(struct.pack("<HHII", name, 2 if name == tag else 4, 1, value) for name, value in tags.items())
    data = b"II*\0" + struct.pack("<I", 776) + bytes(768) + struct.pack("<H", len(tags)) + entries + bytes(4)
    with contextlib.suppress(DecodeError):
        shown(data)


def test_a_dark_drawing_on_nothing_stays_dark() -> None:
    values = np.zeros((64, 64, 4), np.uint16)
    values[20:40, 10:50] = (0x3333, 0x3333, 0x3333, 0xFFFF)
    assert shown(png_of(values, 6)).image.getextrema() == ((0x33, 255),) * 3


def test_eight_bits_written_as_16_are_not_stretched() -> None:
    values = np.tile((np.arange(40) * 257)[None, :, None], (8, 1, 3))
    assert shown(png_of(values, 2)).image.getextrema() == ((0, 39),) * 3
    assert shown(encoded(Image.fromarray(values[..., 0].astype(np.uint16)), "PNG")).image.getextrema()[0] == (0, 39)


def test_a_transparent_colour_of_a_dark_picture_stays_transparent() -> None:
    values = np.full((8, 8, 3), 0x0400, np.uint16)
    values[:4] = 0x0300
    data = png_of(values, 2, chunk(b"tRNS", struct.pack(">3H", 0x0300, 0x0300, 0x0300)))
    assert shown(data).image.getpixel((0, 0)) == (255, 255, 255)


def test_a_transparent_colour_of_a_picture_that_breaks_off_is_white() -> None:
    noise = np.random.default_rng(1).integers(0, 2, (400, 64)).astype(np.uint8)
    rows = b"".join(b"\0" + (row[0::4] << 6 | row[1::4] << 4 | row[2::4] << 2 | row[3::4]).tobytes() for row in noise)
    data = png(64, 400, 2, 0, rows, chunk(b"tRNS", b"\0\1"))
    found = shown(data[: len(data) * 3 // 4])
    assert found.partial
    assert {colour for _, colour in found.image.getcolors()} == {(0, 0, 0), (255, 255, 255)}


def test_a_png_that_breaks_off_is_turned_and_coloured_as_it_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8))
    whole = encoded(noise, "PNG", exif=exif)
    found = shown(whole[: len(whole) * 9 // 10])
    assert (found.width, found.height, found.image.height) == (64, 96, 96)


def test_bytes_that_say_that_they_are_no_alpha_are_none() -> None:
    pixels = bytes([10, 20, 200, 0]) * 256
    tga = bytes([0, 0, 2, *bytes(9), 16, 0, 16, 0, 32, 0x20]) + pixels
    bitmap = struct.pack("<IiiHHIIiiII", 40, 16, 32, 1, 32, 0, 0, 0, 0, 0, 0) + pixels + bytes(64)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bitmap), 22) + bitmap
    for data in (tga, icon):
        assert shown(data).image.getpixel((3, 3)) == (200, 20, 10)


def test_what_xmp_says_of_an_orientation_does_not_turn_a_picture() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"/>'
    found = shown(encoded(Image.new("RGB", (64, 32)), "JPEG", xmp=packet + b"</x:xmpmeta>"))
    assert found.image.size == (64, 32)
    assert found.metadata.xmp
