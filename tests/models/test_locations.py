"""Where a picture was taken is covered in its file: everything else stays, to the byte."""

import io
import random
import struct
import zlib
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from models.pictures.formats import VIDEO_FORMATS
from models.pictures.locations.finding import find_locations
from models.pictures.locations.patches import UnremovableLocation

GPS = {1: "N", 2: (39.0, 54.0, 26.5), 3: "E", 4: (116.0, 23.0, 29.25), 18: "WGS-84", 29: "2024:05:01"}
XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"
 exif:GPSLatitude="39,54.4419N" drone-dji:GpsLongitude='+116.3914' exif:GPSVersionID="2.3.0.0">
 <exif:GPSLongitude>116,23.4875E</exif:GPSLongitude><exif:GPSAreaInformation/>
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Beijing 北京</rdf:li></rdf:Alt></dc:title>
 </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()
RDF, EXIF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}", "{http://ns.adobe.com/exif/1.0/}"
SECRETS = (b"54.4419", b"116.3914", b"23.4875", b"WGS-84", b"2024:05:01", b"+39.90", b"39.9")


def exif(with_gps=True):
    found = Image.Exif()
    found[0x010F], found[0x0132] = "A camera", "2024:05:01 10:11:12"
    found.get_ifd(0x8769)[0x9003] = "2024:05:02 10:11:12"
    if with_gps:
        found.get_ifd(0x8825).update(GPS)
    return found


def drawn():
    return Image.effect_noise((96, 64), 60).convert("RGB")


def saved(form, **options):
    file = io.BytesIO()
    drawn().save(file, form, **options)
    return file.getvalue()


def png_with(*chunks):
    whole = saved("PNG")
    made = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return whole[:33] + b"".join(made) + whole[33:]


def raw_profile(block):
    text = b"\nexif\n%8d\n" % len(block) + b"\n".join(
        block.hex().encode()[at : at + 72] for at in range(0, 2 * len(block), 72)
    )
    return b"Raw profile type exif\0\0" + zlib.compress(text + b"\n")


def covered(data, form):
    reads = lambda offset, count: data[offset : offset + count]  # noqa: E731
    result = bytearray(data)
    for start, patch in find_locations(reads, len(data), form):
        assert start + len(patch) <= len(data)
        result[start : start + len(patch)] = patch
    return bytes(result)


def heif(form):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(drawn()).save(file, exif=exif().tobytes(), xmp=XMP, quality=60, format=form)
    return file.getvalue()


def png():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_text("exif:GPSLatitude", "39/1, 54/1, 4419/1000 and 54.4419")
    info.add_text("Author", "somebody")
    return saved("PNG", exif=exif(), pnginfo=info)


def tiff():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010F], tags[0x0132], tags[700] = "A camera", "2024:05:01 10:11:12", XMP
    tags[0x8769], tags[0x8825] = {0x9003: "2024:05:02 10:11:12"}, GPS
    return saved("TIFF", tiffinfo=tags)


FILES = {
    "jpeg": lambda: saved("JPEG", exif=exif(), xmp=XMP),
    "png": png,
    "webp": lambda: saved("WEBP", exif=exif(), xmp=XMP),
    "tiff": tiff,
    "heif": lambda: heif("HEIF"),
    "avif": lambda: saved("AVIF", exif=exif(), xmp=XMP),
    "big-endian": lambda: saved("JPEG", exif=exif().tobytes()),
    "mpo": lambda: saved("JPEG", exif=exif()) + saved("JPEG", exif=exif()),
}
_FORMS = {"big-endian": "jpeg", "mpo": "jpeg"}


@pytest.mark.parametrize("name", FILES)
def test_every_format_keeps_all_but_the_place(name):
    data = FILES[name]()
    form = _FORMS.get(name, name)
    with Image.open(io.BytesIO(data)) as before:
        before.load()
        assert before.getexif().get_ifd(0x8825)
    result = covered(data, form)
    assert len(result) == len(data)
    assert result != data
    with Image.open(io.BytesIO(result)) as after:
        after.load()
        found = after.getexif()
        assert not found.get_ifd(0x8825)
        assert (found[0x010F], found[0x0132]) == ("A camera", "2024:05:01 10:11:12")
        assert found.get_ifd(0x8769)[0x9003] == "2024:05:02 10:11:12"
        assert after.tobytes() == before.tobytes()
        for secret in SECRETS[:4]:
            assert secret not in result
        xmp = after.info.get("xmp") or after.info.get("XML:com.adobe.xmp") or ""
        if xmp:
            text = xmp if isinstance(xmp, str) else xmp.decode()
            packet = ET.fromstring(text[text.index("<x:xmpmeta") : text.rindex(">") + 1])  # noqa: S314 - our own
            (said,) = packet.iter(f"{RDF}Description")
            assert {said.get(f"{EXIF}GPSLatitude").strip(), said.findtext(f"{EXIF}GPSLongitude").strip()} == {""}
            assert "北京" in text
    assert covered(result, form) == result  # nothing is left to be covered


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "tiff", "gif", "bmp", "tga", "ico"])
def test_a_file_that_says_no_place_stays_as_it_is(form):
    options = {"exif": exif(with_gps=False)} if form in ("jpeg", "png", "webp") else {}
    data = saved(form.upper(), **options)
    assert covered(data, form) == data


def test_packed_texts_of_png_are_left_out_whole():
    block = b"Exif\0\0" + exif().tobytes().removeprefix(b"Exif\0\0")
    packed_xmp = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)
    harmless = b"Comment\0\0" + zlib.compress(b"a sea")
    data = png_with((b"zTXt", raw_profile(block)), (b"iTXt", packed_xmp), (b"zTXt", harmless))
    result = covered(data, "png")
    with Image.open(io.BytesIO(result)) as image:
        image.load()
        assert image.text == {"Comment": "a sea"}
        assert not image.getexif()
    plain = b"Exif\0\0" + exif(with_gps=False).tobytes().removeprefix(b"Exif\0\0")
    data = png_with((b"zTXt", raw_profile(plain)))
    assert covered(data, "png") == data


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"II*\0" + bytes(100), "raw"),
        (b"II+\0\x08\0\0\0" + bytes(100), "tiff"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x10brobExif" + bytes(8), "jxl"),
        (b"\xff\xd8\xff" + '<x exif:GPSLatitude="39"/>'.encode("utf-16"), "jpeg"),
        (b"\xff\xd8\xff" + b'{"exif:GPSLatitude": "39,54.44N"}', "jpeg"),
        (b"\xff\xd8\xff" + b"<exif:GPSLatitude>39,5\xff\xe1\0\0 4.4N</exif:GPSLatitude>", "jpeg"),
        *((bytes(100), form) for form in VIDEO_FORMATS if form not in ("mp4", "mov", "3gp")),
    ],
)
def test_what_cannot_be_covered_is_refused(data, form):
    with pytest.raises(UnremovableLocation):
        covered(data, form)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "3gp"])
@pytest.mark.parametrize("container", [{}, {"movflags": "use_metadata_tags"}])
def test_films_keep_all_but_the_place(tmp_path, write_video, draw_scene, suffix, container):
    said = {
        "location": "+39.9075+116.3914/",
        "title": "Beijing",
        "com.apple.quicktime.location.ISO6709": "+39.9075+116.3914/",
    }
    codec = {"codec": "h263", "width": 0} if suffix == "no" else {}
    path = write_video(tmp_path / f"a.{suffix}", [(0.4, draw_scene(1))], metadata=said, container=container, **codec)
    data = path.read_bytes()
    result = covered(data, suffix)
    assert len(result) == len(data)
    import av

    for secret in (b"39.9075", b"116.3914"):
        assert secret not in result
    (tmp_path / "b").write_bytes(result)
    with av.open(str(path)) as before, av.open(str(tmp_path / "b")) as after:
        assert any("39.9" in value or "location" in name for name, value in before.metadata.items())
        assert not any("39.9" in value or "+0" in value for value in after.metadata.values())
        assert after.metadata.get("title") == before.metadata.get("title")
        assert [bytes(one) for one in after.demux(video=0)] == [bytes(one) for one in before.demux(video=0)]
    assert covered(result, suffix) == result


def test_films_that_say_a_place_for_each_moment_are_refused(tmp_path, write_video, draw_scene):
    data = write_video(tmp_path / "a.mp4", [(0.4, draw_scene(1))]).read_bytes()
    assert covered(data, "mp4") == data
    with pytest.raises(UnremovableLocation):
        covered(data.replace(b"avc1", b"gpmd"), "mp4")


def test_the_film_of_a_motion_photo_is_looked_through(tmp_path, write_video, draw_scene):
    film = write_video(tmp_path / "a.mov", [(0.4, draw_scene(1))], metadata={"location": "+39.9075+116.3914/"})
    data = saved("JPEG", exif=exif()) + film.read_bytes()
    assert b"39.9075" in data
    assert b"39.9075" not in covered(data, "jpeg")


def test_damaged_files_harm_nothing():
    chosen = random.Random(7)  # noqa: S311 - no secret
    for name in ("jpeg", "png", "tiff", "webp"):
        data = FILES[name]()
        for _ in range(60):
            broken = bytearray(data[: chosen.randrange(20, len(data))])
            for _ in range(8):
                broken[chosen.randrange(len(broken))] = chosen.randrange(256)
            try:
                assert len(covered(bytes(broken), name)) == len(broken)
            except UnremovableLocation:
                continue
