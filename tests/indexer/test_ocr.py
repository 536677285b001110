"""Text in pictures: whether there may be some, what it says, and a library that finds it; with the real networks."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import api.sheet
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.annotators import registry
from indexer.annotators.ocr.annotator import TextAnnotator, has_text
from indexer.annotators.ocr.gate import look
from indexer.annotators.ocr.reader import read_lines
from indexer.library.annotations.port import AnnotatedPicture
from indexer.pipeline.commands import annotate

LINES = ("粤B 12345", "增值税电子普通发票", "Quarterly churn rate 3.2%", "繁體中文也要讀得出來", "会议室 Room 302")
INK, PAPER = (20, 20, 20), (250, 250, 250)


def write(
    lines: Sequence[str], *, size: int = 28, canvas: tuple[int, int] = (640, 420), ink=INK, paper=PAPER, at=(30, 30)
) -> Image.Image:
    """Return a picture with lines of text, one below the other."""
    image = Image.new("RGB", canvas, paper)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(str(api.sheet.FONT), size)
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + number * int(size * 1.8)), line, ink, font)
    return image


def plain(text: str) -> str:
    """Return letters and digits alone: blanks may be lost, and signs be read otherwise."""
    return "".join(one for one in text if one.isalnum()).lower().replace("粵", "粤")


def share_read(image: Image.Image, lines: Sequence[str] = LINES) -> float:
    """Return the share of the letters of lines that were read, in their order."""
    found, wanted = plain("".join(line.text for line in read_lines(image))), plain("".join(lines))
    blocks = SequenceMatcher(None, found, wanted, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(wanted)


@pytest.fixture(scope="module", autouse=True)
def with_time(heavy):
    """The networks take longer than other tests may."""


@pytest.mark.parametrize("size", [14, 28, 60])
def test_lines_of_both_scripts_are_read(size):
    image = write(LINES, size=size, canvas=(size * 18, size * 12))
    assert has_text(image)
    assert share_read(image) >= 0.97


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_page_that_lies_on_its_side_is_read(degrees):
    image = write(LINES).rotate(degrees, expand=True)
    assert has_text(image)
    assert {plain(line) for line in LINES} & {plain(line.text) for line in read_lines(image)} > set()
    assert len(read_lines(image)) == len(LINES)


def test_text_from_top_to_bottom_is_read():
    image = write(["\n".join("竖排的文字在这里")], size=36, canvas=(220, 720))
    assert has_text(image)
    assert [line.text for line in read_lines(image)] == ["竖排的文字在这里"]


def test_worn_text_is_read():
    image = write(LINES, ink=(90, 70, 60), paper=(190, 200, 180)).filter(ImageFilter.GaussianBlur(0.8))
    noise = np.random.default_rng(0).normal(0, 10, (*image.size[::-1], 3))
    file = BytesIO()
    Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=40)
    worn = Image.open(file).convert("RGB")
    assert has_text(worn)
    assert share_read(worn) >= 0.9


def test_small_print_on_a_large_scan_is_read_line_by_line_and_once():
    image = write(LINES * 7, size=16, canvas=(2000, 2600))
    assert has_text(image)
    lines = read_lines(image)
    assert len(lines) == 35
    tops = [line.bounds[1] for line in lines]
    assert tops == sorted(tops)
    assert share_read(image, LINES * 7) >= 0.97


def test_a_headline_above_small_print_stays_in_one_piece():
    image = write(["大标题 HEADLINE"], size=190, canvas=(2000, 2600), at=(60, 40))
    image.paste(write(LINES * 5, size=16, canvas=(1900, 2000)), (50, 500))
    lines = [plain(line.text) for line in read_lines(image)]
    assert "大标题headline" in lines
    assert len(lines) == 26


def test_a_long_screenshot_is_read_from_its_beginning_to_its_end():
    said = [f"第{number}条消息 明天见 {number * 37}" for number in range(30)]
    image = write(said, size=26, canvas=(480, 30 * 46 + 700))
    assert has_text(image)
    assert [plain(line.text) for line in read_lines(image)] == [plain(line) for line in said]


def patterns():
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 256, (300, 400, 3), np.uint8))
    blocks = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((400, 300))
    yield from (noise.filter(ImageFilter.GaussianBlur(2)), blocks, Image.new("RGB", (300, 300), "white"))
    stripes = Image.new("RGB", (400, 300), "white")
    for x in range(0, 400, 12):
        ImageDraw.Draw(stripes).line((x, 0, x, 300), "black", 4)
    yield stripes


def test_what_holds_no_text_is_passed_over(photographs):
    for image in patterns():
        assert TextAnnotator().annotate([picture(image)]) == [{}]
    passed = [path.name for path in sorted(photographs.glob("*.*")) if path.stem != "broken" and passes(path)]
    assert len(passed) <= 3, passed


def passes(path: Path) -> bool:
    image = Image.open(path).convert("RGB")
    image.thumbnail((560, 560))
    return has_text(image)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (8, 8), (9, 20_000), (20_000, 9)])
def test_pictures_of_any_size_can_be_looked_at(size):
    assert 0 <= look(Image.new("RGB", size, "white")).score < 0.5
    assert read_lines(Image.new("RGB", size, "white")) == []


def picture(image: Image.Image) -> AnnotatedPicture:
    file = BytesIO()
    image.save(file, "PNG")
    return AnnotatedPicture(image=image, data=file.getvalue())


def test_lines_are_kept_with_their_places_in_the_upright_picture():
    (found,) = TextAnnotator().annotate([picture(write(["发票代码"], canvas=(1000, 500), at=(500, 250)))])
    assert found["ocr"] == "发票代码"
    (line,) = found["ocr_lines"]
    assert line["confidence"] > 0.9
    across, down = line["corners"][::2], line["corners"][1::2]
    assert (min(across), max(across)) == (pytest.approx(5_000, abs=150), pytest.approx(6_120, abs=250))
    assert (min(down), max(down)) == (pytest.approx(5_100, abs=250), pytest.approx(5_700, abs=250))


# A library


@pytest.fixture
def shop(album):
    """An album of two signs, one of which is long, and a picture without text; indexed before text was read."""
    write(["营业时间 OPEN 9-18"], size=40, canvas=(600, 300)).save(album.pictures / "sign.jpg", quality=90)
    write(["第一页", *[""] * 16, "咖啡 COFFEE 25元"], size=30, canvas=(320, 1100)).save(album.pictures / "menu.png")
    album.draw("plain.png")
    album.build()
    return album


def ask(album, text: str, **options) -> dict[str, list]:
    query = Query(clauses=[Clause(text=text)], match="text", **options)
    return {hit.path: hit.reasons for hit in SearchEngine.open(album.data).search(query).hits}


def test_pictures_are_found_by_the_text_in_them_which_is_shown_where_it_stands(shop):
    assert list(ask(shop, "营业时间")) == ["sign.jpg"]
    assert list(ask(shop, "營業時間")) == ["sign.jpg"]  # in the other script
    assert list(ask(shop, "coffee")) == ["menu.png"]
    (reason,) = ask(shop, "coffee")["menu.png"]
    assert (reason.field, "COFFEE" in reason.text) == ("ocr", True)
    assert 900 < reason.box.y < 960
    (hit,) = SearchEngine.open(shop.data).search(Query(clauses=[Clause(text="coffee")], match="text")).hits
    assert hit.part.box.share_of(reason.box) == 1  # of the long picture, what the line stands in
    assert reason.box.x < 60
    assert list(ask(shop, "open", where="ocr=营业")) == ["sign.jpg"]
    assert shop.annotations("plain.png")["ocr"] is None


def test_a_library_from_before_is_brought_up_to_date_and_goes_on_where_it_stopped(shop, monkeypatch):
    other = shop.folder / "other"
    settings = shop.settings(data=other, leave_out="ocr, weather")
    shop.build(settings=settings)
    shop.data, shop.layout = other, shop.layout.__class__(other)
    assert ask(shop, "coffee") == {}
    monkeypatch.setattr("indexer.pipeline.backfill._AT_ONCE", (1, 1))  # so that what was found is kept each time

    def interrupt(_name: str, done: int, _all: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate(settings, ("ocr",), on_annotate=interrupt)
    seen: list[int] = []
    counts = {
        one.name: (one.annotated, one.left)
        for one in annotate(settings, ("ocr",), on_annotate=lambda *to: seen.append(to[2]))
    }
    assert (counts["ocr"], max(seen)) == ((3, 0), 1)  # one was left
    assert list(ask(shop, "coffee")) == ["menu.png"]


def test_without_the_package_libraries_are_indexed_without_text(monkeypatch):
    registry.list_annotators.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(registry, "find_spec", lambda _: None)
        assert "ocr" not in {one.name for one in registry.list_annotators()}
    registry.list_annotators.cache_clear()
    assert "ocr" in {one.name for one in registry.list_annotators()}


def test_the_text_in_a_video_is_read_where_it_is_seen_first(album, photographs, write_video):
    canvas = (640, 360)
    slides = [write(LINES[place : place + 2], canvas=canvas) for place in (0, 2)]
    photograph = Image.open(photographs / "coffee.png").convert("RGB").resize(canvas)
    scenes = [(6, np.asarray(one)) for one in (photograph, *slides, photograph, slides[0])]
    write_video(album.pictures / "talk.mp4", scenes, rate=5, gop=10, options={"crf": "18"})
    album.draw("a.png")
    album.build(encoders=["starter"])
    lines = album.annotations("talk.mp4")["ocr_lines"]
    assert [(plain(line["text"]), line["at"]) for line in lines] == [
        *((plain(line), 6_000) for line in LINES[:2]),
        *((plain(line), 12_000) for line in LINES[2:4]),
    ]
    engine = SearchEngine.open(album.data)
    for match in ("text", "both"):
        (hit, *_) = engine.search(Query(clauses=[Clause(text="churn rate")], match=match)).hits
        assert (hit.path, hit.part.at, hit.reasons[0].at) == ("talk.mp4", 12.0, 12.0)
        assert "churn" in hit.reasons[0].text
    engine.opened.close()
    engine.opened.catalog.close()
