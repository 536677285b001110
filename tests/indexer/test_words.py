"""What was written into a picture's file: found by words and filters, in every form and encoding."""

import io
import struct

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.words.queries import ask_for
from indexer.library.catalog.writer import Catalog
from models.pictures.metadata import decode_text

NAMESPACES = " ".join(
    f'xmlns:{name}="{address}"'
    for name, address in {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
        "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
        "MP": "http://ns.microsoft.com/photo/1.2/",
    }.items()
)


def xmp(attributes: str, inside: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {NAMESPACES}><rdf:Description rdf:about="" {attributes}>{inside}</rdf:Description></rdf:RDF>'
        '</x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def bag(name: str, *items: str, kind: str = "Bag") -> str:
    return f"<{name}><rdf:{kind}>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:{kind}></{name}>"


PACKET = xmp(
    'xmp:Rating="4" exif:DateTimeOriginal="2021-05-06T07:08:09"',
    bag("dc:title", "Harbour", kind="Alt")
    + bag("dc:description", "旧港口的早晨", kind="Alt")
    + bag("dc:subject", "sea", "渔船")
    + bag("lr:hierarchicalSubject", "Places|China|Qingdao")
    + bag("dc:creator", "Li Na", kind="Seq")
    + bag("Iptc4xmpExt:PersonInImage", "王芳")
    + '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>'
    '<rdf:li><rdf:Description mwg-rs:Name="Anna" mwg-rs:Type="Face"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Ben</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>'
    '<rdf:li><rdf:Description mwg-rs:Name="no one" mwg-rs:Type="BarCode"/></rdf:li>'
    "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li MPReg:PersonDisplayName="Carl"/></rdf:Bag>'
    "</MPRI:Regions></MP:RegionInfo>",
)


def iptc(*values: tuple[int, int, bytes]) -> bytes:
    """Return an APP13 segment of a JPEG with an IPTC block."""
    block = b"".join(struct.pack(">BBBH", 0x1C, record, number, len(value)) + value for record, number, value in values)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + bytes(len(block) & 1)
    body = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def exif(**tags: object) -> Image.Exif:
    block = Image.Exif()
    for name, value in tags.items():
        number = ExifTags.Base[name]
        where = block.get_ifd(ExifTags.IFD.Exif) if name in {"UserComment", "LensModel"} else block
        where[number] = value
    return block


def windows(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def draw(album, name: str, kind: str = "JPEG", segment: bytes = b"", **options: object) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (len(name), 90, 40)).save(file, kind, **options)
    data = file.getvalue()
    (album.pictures / name).write_bytes(data[:2] + segment + data[2:] if segment else data)


def words(album, name: str) -> dict[str, object]:
    album.build()
    wanted = ("title", "description", "keyword", "person", "rating", "creator", "prompt")
    return {key: value for key, value in album.annotations(name).items() if key in wanted and value}


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.avif", "AVIF"), ("a.tif", "TIFF")]
)
def test_xmp_is_read_in_every_format(album, name, kind):
    options = {"tiffinfo": {700: PACKET}} if kind == "TIFF" else {"xmp": PACKET}
    draw(album, name, kind, **options)
    assert words(album, name) == {
        "title": "Harbour",
        "description": "旧港口的早晨",
        "keyword": ["sea", "渔船", "Places", "China", "Qingdao"],
        "person": ["王芳", "Anna", "Ben", "Carl"],
        "rating": 4,
        "creator": "Li Na",
    }
    assert album.annotations(name)["taken"] == "2021-05-06T07:08:09"


def test_xmp_of_a_png_is_read(album):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    draw(album, "a.png", "PNG", pnginfo=info)
    assert words(album, "a.png")["title"] == "Harbour"


@pytest.mark.parametrize(
    ("charset", "mark"), [("utf-8", b"\x1b%G"), ("utf-8", b""), ("gb18030", b""), ("gbk", b""), ("latin-1", b"")]
)
def test_iptc_is_read_in_every_encoding(album, charset, mark):
    title, keyword = ("Café", "été") if charset == "latin-1" else ("西湖日落", "杭州")
    values = [(2, 5, title.encode(charset)), (2, 25, keyword.encode(charset)), (2, 25, b"lake"), (2, 80, b"Wang")]
    draw(album, "a.jpg", segment=iptc(*([(1, 90, mark)] if mark else []), *values))
    assert words(album, "a.jpg") == {"title": title, "keyword": [keyword, "lake"], "creator": "Wang"}


def test_what_windows_writes_is_read(album):
    block = exif(
        XPTitle=windows("标题"), XPKeywords=windows("海滩;beach"), XPComment=windows("说明"), XPAuthor=windows("作者")
    )
    block[ExifTags.Base.RatingPercent] = 75
    draw(album, "a.jpg", exif=block)
    expected = {"title": "标题", "keyword": ["海滩", "beach"], "description": "说明", "creator": "作者", "rating": 4}
    assert words(album, "a.jpg") == expected


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_exif_texts_are_read_as_what_their_bytes_are(album, charset):
    plain = exif(ImageDescription="x" * len("雪山".encode(charset))).tobytes()
    draw(album, "a.jpg", exif=plain.replace(b"x" * len("雪山".encode(charset)), "雪山".encode(charset)))
    assert words(album, "a.jpg") == {"description": "雪山"}


@pytest.mark.parametrize("usual", ["OLYMPUS DIGITAL CAMERA", "SONY DSC", "   ", "charset=Ascii"])
def test_what_cameras_write_where_nothing_was_written_is_no_description(album, usual):
    draw(album, "a.jpg", exif=exif(ImageDescription=usual))
    assert words(album, "a.jpg") == {}


PROMPT = "a lighthouse at night, 灯塔, oil painting"
PARAMETERS = f"{PROMPT}\nNegative prompt: blurry, text\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 512x512"
GRAPH = (
    '{"3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0], "negative": ["7", 0], "seed": 1}},'
    f'"6": {{"class_type": "CLIPTextEncode", "inputs": {{"text": "{PROMPT}"}}}},'
    '"7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry, text"}}}'
)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("parameters", PARAMETERS),
        ("prompt", GRAPH),
        ("invokeai_metadata", f'{{"positive_prompt": "{PROMPT}", "negative_prompt": "blurry"}}'),
        ("parameters", f'{{"prompt": "{PROMPT}", "negative_prompt": "blurry"}}'),
        ("Comment", f'{{"prompt": "{PROMPT}", "uc": "blurry"}}'),
    ],
)
def test_prompts_of_generators_are_read_without_their_workflow(album, keyword, text):
    info = PngImagePlugin.PngInfo()
    info.add_itxt(keyword, text)
    info.add_text("workflow", '{"nodes": [' + "1," * 200_000 + "1]}", zip=True)
    draw(album, "a.png", "PNG", pnginfo=info)
    assert words(album, "a.png") == {"prompt": PROMPT}


@pytest.mark.parametrize("order", ["be", "le"])
def test_a_prompt_in_the_comment_of_a_jpeg_is_read(album, order):
    draw(album, "a.jpg", exif=exif(UserComment=b"UNICODE\0" + PARAMETERS.encode(f"utf-16-{order}")))
    assert words(album, "a.jpg") == {"prompt": PROMPT}


@pytest.mark.parametrize("text", ["Привет мир", "さくらの花", "雪山上的小屋", "안녕하세요", "a plain text"])
@pytest.mark.parametrize("order", ["be", "le"])
@pytest.mark.parametrize("mark", [True, False])
def test_a_comment_is_read_in_either_order_of_its_bytes(album, text, order, mark):
    first = "\ufeff" if mark else ""
    draw(album, "a.jpg", exif=exif(UserComment=b"UNICODE\0" + (first + text).encode(f"utf-16-{order}")))
    assert words(album, "a.jpg") == {"description": text}


def test_keywords_with_strokes_are_whole(album):
    packet = xmp("", bag("dc:subject", "AC/DC", "24/7", "cat") + bag("lr:hierarchicalSubject", "Music|AC/DC"))
    draw(album, "a.jpg", xmp=packet)
    assert words(album, "a.jpg")["keyword"] == ["AC/DC", "24/7", "cat", "Music"]


def test_texts_of_a_png_are_read(album):
    info = PngImagePlugin.PngInfo()
    for keyword, text in {"Title": "A title", "Author": "Li", "Creation Time": "13 Aug 2023 12:34:56 +0800"}.items():
        info.add_text(keyword, text)
    info.add_itxt("Description", "一只猫")
    draw(album, "a.png", "PNG", pnginfo=info)
    assert words(album, "a.png") == {"title": "A title", "description": "一只猫", "creator": "Li"}
    assert album.annotations("a.png")["taken"] == "2023-08-13T12:34:56"


def test_words_in_files_are_searched_and_filtered(album):
    draw(album, "a.jpg", xmp=PACKET)
    draw(album, "bb.jpg", exif=exif(LensModel="EF 50mm f/1.8", Model="EOS R5", Make="Canon"))
    album.build()
    catalog = Catalog(album.layout.catalog)
    try:
        for word in ("harbour", "渔船", "港口", "Qingdao", "anna", "王芳", "Li Na"):
            assert len(catalog.find_texts(ask_for([word])[0])) == 1, word
        for where in (
            "tag=渔船",
            "keyword=SEA",
            "person=王芳",
            "rating>=4",
            "rating>-1",
            "title=harb",
            "camera=r5",
            "lens=50mm",
        ):
            assert len(catalog.ids_where(parse_filter(where, catalog.fields()))) == 1, where
        tags = catalog.fields().find("tag")
        assert dict(catalog.count_values(tags, parse_filter("width>=1", catalog.fields())).values)["渔船"] == 1
    finally:
        catalog.close()


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<x:xmpmeta",
        b"\xff\xfe\0",
        PACKET[:-90],
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">&undefined;</x:xmpmeta>',
        b"<" * 5_000,
        b"<rdf:RDF>" * 3_000,
    ],
)
def test_a_packet_that_cannot_be_read_costs_nothing(album, packet):
    draw(album, "a.jpg", xmp=packet or b" ")
    assert words(album, "a.jpg") == {}


def test_words_of_a_library_of_the_format_before_are_read_by_an_update(album):
    import sqlite3

    draw(album, "a.jpg", xmp=PACKET)
    album.build()
    connection = sqlite3.connect(album.layout.catalog)
    connection.executescript(
        "DROP TABLE annotation_words; DELETE FROM annotators WHERE name = 'words';"
        "UPDATE annotation_exif SET version = 1; UPDATE meta SET value = '' WHERE key = 'seal'"
    )
    connection.close()
    catalog = Catalog(album.layout.catalog)
    assert len(catalog.ids_where(parse_filter("tag=sea", catalog.fields()))) == 0
    catalog.close()
    assert album.update().encoded == 0
    assert album.annotations("a.jpg")["title"] == "Harbour"


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("雪山", "gb18030"),
        ("杭州西湖", "gb18030"),
        ("雪山 2023", "utf-8"),
        ("Привет", "utf-8"),
        ("Café à la crème", "utf-8"),
        ("Ελλάδα", "utf-8"),
        ("café", "latin-1"),
        ("Müller", "latin-1"),
        ("São Paulo", "latin-1"),
        ("Über uns", "latin-1"),
        ("臺北夜市", "utf-8"),
    ],
)
def test_bytes_are_read_as_what_they_most_likely_are(text, charset):
    assert decode_text(text.encode(charset)) == text


def test_a_picture_is_read_once_for_all_who_look_into_its_file(album, monkeypatch):
    import sqlite3

    from indexer.pipeline import backfill

    draw(album, "a.jpg", xmp=PACKET)
    album.build()
    connection = sqlite3.connect(album.layout.catalog)
    connection.executescript(
        "DELETE FROM annotation_words; UPDATE annotation_exif SET version = 1; DELETE FROM annotation_place;"
        "UPDATE meta SET value = '' WHERE key = 'seal'"
    )
    connection.close()
    read, whole = [], backfill.read_original
    monkeypatch.setattr(backfill, "read_original", lambda *row: (read.append(row), whole(*row))[1])
    album.update()
    assert len(read) == 1
    assert album.annotations("a.jpg")["title"] == "Harbour"
