import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from api import sheet
from api.sheet import SheetError, SheetHit, SheetRow, draw_sheet, write_sheet
from models.foundation.messages import translate

ACCENT = (0xC2, 0x41, 0x2D)


def picture(width: int = 120, height: int = 90, colour: str = "#2060a0") -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def hit(score: float = 0.3, *, caption: str = "cat.jpg", thumbnail: Image.Image | None = None) -> SheetHit:
    return SheetHit(thumbnail=thumbnail or picture(), caption=caption, score=score)


def row(title: str = "一只猫", hits: Sequence[SheetHit] = (), query: Image.Image | None = None) -> SheetRow:
    return SheetRow(title=title, query_image=query, hits=hits)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def ink(image: Image.Image) -> np.ndarray:
    """Where the sheet is not paper."""
    return (pixels(image) < 250).any(axis=2)


def accent(image: Image.Image) -> np.ndarray:
    return (pixels(image) == ACCENT).all(axis=2)


def extent(mask: np.ndarray) -> tuple[int, int]:
    """Width and height of the box around what is true."""
    ys, xs = np.nonzero(mask)
    return int(xs.max() - xs.min() + 1), int(ys.max() - ys.min() + 1)


def titles(text: str) -> str:
    """The sheet's title column, as the text of its lines."""
    return "\n".join(f"{sign}{line}" for sign, line, _ in sheet._break_title(text))


# Layout


def test_a_sheet_grows_by_the_same_height_with_every_row() -> None:
    heights = [draw_sheet([row(hits=[hit()])] * count).height for count in (1, 2, 3, 50)]
    step = heights[1] - heights[0]
    assert step > 0
    assert heights[2] - heights[1] == step
    assert heights[3] == heights[0] + 49 * step


def test_hits_beyond_the_columns_take_another_line() -> None:
    one, two, five = (draw_sheet([row(hits=[hit()] * count)], columns=4) for count in (1, 2, 5))
    assert one.width < two.width < five.width
    assert one.height == two.height < five.height
    assert five.width == draw_sheet([row(hits=[hit()] * 4)], columns=4).width


def test_every_hit_is_drawn_and_ranks_go_on_over_the_lines() -> None:
    colours = ["#204060", "#206040", "#602040", "#406020", "#402060"]
    hits = [hit(thumbnail=picture(colour=colour)) for colour in colours]
    drawn = pixels(draw_sheet([row(hits=hits)], columns=2))
    tops = [np.argwhere((drawn == Image.new("RGB", (1, 1), c).getpixel((0, 0))).all(axis=2))[0] for c in colours]
    assert tops[0][0] == tops[1][0] < tops[2][0] == tops[3][0] < tops[4][0]
    assert tops[0][1] == tops[2][1] == tops[4][1] < tops[1][1] == tops[3][1]


def test_a_long_chinese_title_wraps_and_makes_its_row_taller() -> None:
    long = "日落时分，站在海边礁石上的一位穿红色连衣裙的女孩，远处有一艘白色的帆船"
    assert draw_sheet([row(long)]).height > draw_sheet([row("日落")]).height
    lines = titles(long).split("\n")
    assert len(lines) >= 3
    assert "".join(lines) == long
    font = sheet._load_font(sheet.TITLE_SIZE)
    assert all(font.getlength(line) <= sheet.QUERY_WIDTH for line in lines)


@pytest.mark.parametrize("lead", range(1, 12))
def test_no_line_starts_with_closing_punctuation(lead: int) -> None:
    lines = titles("海" * lead + "，" + "山》。" * 6).split("\n")
    assert len(lines) > 1
    assert not any(line[0] in sheet.CLOSING for line in lines)


def test_latin_breaks_at_spaces_and_a_word_too_long_for_a_line_anywhere() -> None:
    assert titles("a photograph of a red bicycle") == "a photograph of a red\nbicycle"
    word = "x" * 60
    assert titles(word).replace("\n", "") == word
    assert "\n" in titles(word)


def test_a_title_without_end_stops_with_an_ellipsis() -> None:
    lines = titles("海" * 500).split("\n")
    assert len(lines) == sheet.MAX_TITLE_LINES
    assert lines[-1].endswith("…")


def test_signed_clauses_take_a_line_each_and_their_signs_the_accent_colour() -> None:
    assert titles("+ 海滩 − 人") == "+海滩\n−人"
    assert titles("C++ − 人") == "C++\n−人"
    assert titles("1+1") == "1+1"
    assert accent(draw_sheet([row("+ 海滩 − 人")])).any()
    assert not accent(draw_sheet([row("海滩")])).any()


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (40, 4000), (4000, 40), (1, 3000), (3000, 1)])
def test_pictures_keep_their_proportions_inside_their_cell(size: tuple[int, int]) -> None:
    image = picture(*size, colour="#00ff00")
    drawn = pixels(draw_sheet([row(hits=[hit(thumbnail=image)])]))
    width, height = extent((drawn[..., 1] > 150) & (drawn[..., 0] < 120) & (drawn[..., 2] < 120))
    assert width <= sheet.CELL_WIDTH
    assert height <= sheet.CELL_HEIGHT
    scale = min(sheet.CELL_WIDTH / size[0], sheet.CELL_HEIGHT / size[1])
    assert (width, height) == pytest.approx(tuple(max(1, side * scale) for side in size), abs=1)
    assert width == sheet.CELL_WIDTH or height == sheet.CELL_HEIGHT


def test_a_tiny_picture_is_not_blown_up() -> None:
    assert sheet._fit(picture(16, 12), 400, 300) == (16 * sheet.DENSITY, 12 * sheet.DENSITY)


def test_a_query_picture_is_drawn_beneath_the_title_and_alone() -> None:
    both, alone = (draw_sheet([row(title, query=picture(60, 120, "#00ff00"))]) for title in ("猫", ""))
    assert both.height > alone.height > draw_sheet([row("")]).height
    for drawn in (both, alone):
        green = (pixels(drawn) == (0, 255, 0)).all(axis=2)
        assert green.any()
        assert not green[:, sheet.MARGIN + sheet.QUERY_WIDTH :].any()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_drawn(mode: str) -> None:
    drawn = draw_sheet([row(hits=[hit(thumbnail=Image.new(mode, (64, 48)))])])
    assert drawn.mode == "RGB"


def test_where_a_picture_is_transparent_the_paper_shows() -> None:
    clear = Image.new("RGBA", (200, 150), (255, 0, 0, 0))
    assert not (pixels(draw_sheet([row("", hits=[hit(0.0, thumbnail=clear)])]))[..., 1] < 20).all(axis=1).any()
    x, y = sheet.MARGIN + sheet.QUERY_WIDTH + sheet.QUERY_GAP + 100, sheet.MARGIN + 100
    assert draw_sheet([row(hits=[hit(thumbnail=clear)])]).getpixel((x, y)) == (255, 255, 255)


# Scores


def test_score_bars_are_relative_to_the_best_of_the_row() -> None:
    drawn = accent(draw_sheet([row(hits=[hit(0.4), hit(0.1)])]))
    left = sheet.MARGIN + sheet.QUERY_WIDTH + sheet.QUERY_GAP
    second = left + sheet.CELL_WIDTH + sheet.CELL_GAP
    assert extent(drawn[:, :second]) == (sheet.CELL_WIDTH, sheet.BAR_HEIGHT)
    assert extent(drawn[:, second:]) == (sheet.CELL_WIDTH // 4, sheet.BAR_HEIGHT)


@pytest.mark.parametrize("score", [0.0, -0.25, float("nan")])
def test_a_score_that_is_not_positive_has_an_empty_bar(score: float) -> None:
    assert not accent(draw_sheet([row(hits=[hit(score)])])).any()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_hits_is_said_quietly(language: str) -> None:
    right = ink(draw_sheet([row()], language=language))[:, sheet.MARGIN + sheet.QUERY_WIDTH + sheet.QUERY_GAP :]
    width, height = extent(right)
    said = translate(sheet.NO_HITS, language)
    assert width == pytest.approx(sheet._load_font(sheet.RANK_SIZE).getlength(said), abs=4)
    assert height < 2 * sheet.RANK_SIZE


@pytest.mark.parametrize(("rows", "columns"), [([], 6), ([row()], 0)])
def test_a_sheet_of_nothing_is_refused(rows: list[SheetRow], columns: int) -> None:
    with pytest.raises(ValueError, match="at least one search and one column"):
        draw_sheet(rows, columns=columns)


# Text


def glyph(char: str) -> bytes:
    return bytes(sheet._load_font(sheet.TITLE_SIZE).getmask(char))


def test_chinese_characters_have_their_own_glyphs() -> None:
    glyphs = {char: glyph(char) for char in "猫貓狗隻只火箭发射發射滩灘，。“”−"}
    missing = glyph("\uffff")
    assert any(missing)
    assert all(any(mask) and mask != missing for mask in glyphs.values())
    assert len(set(glyphs.values())) == len(glyphs)


def test_the_font_has_every_character_of_gb2312_and_of_level_1_of_big5() -> None:
    simplified = [bytes((lead, trail)) for lead in range(0xB0, 0xF8) for trail in range(0xA1, 0xFF)]
    traditional = [bytes((lead, trail)) for lead in range(0xA4, 0xC7) for trail in range(0x40, 0xFF)]
    wanted = "".join(pair.decode("gb2312", "ignore") for pair in simplified)
    wanted += "".join(pair.decode("big5", "ignore") for pair in traditional if pair <= b"\xc6\x7e")
    characters = {char for char in wanted if char >= "\u4e00"}
    assert len(characters) == 8_836
    font = ImageFont.truetype(sheet.FONT, 16, layout_engine=ImageFont.Layout.BASIC)
    missing = bytes(font.getmask("\uffff"))
    assert not [char for char in sorted(characters) if bytes(font.getmask(char)) == missing]


def test_sheets_of_different_titles_differ() -> None:
    drawn = [ink(draw_sheet([row(title)])) for title in ("猫", "貓", "狗")]
    assert all(mask[:, : sheet.MARGIN + sheet.QUERY_WIDTH].any() for mask in drawn)
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    "text",
    ["🐈", "\U00020000", "\uffff", "a\nb\tc", "\x00\x1b", "photo\udce9.jpg", "\u200d", "e\u0301", "ก", "א"],
)
def test_characters_that_the_font_lacks_do_no_harm(text: str) -> None:
    assert draw_sheet([row(text, [hit(caption=text)])]).size == draw_sheet([row("x", [hit()])]).size


def test_letters_that_the_font_lacks_lose_their_marks() -> None:
    assert sheet._clean("Č①e\u0301ā  猫\n狗") == "C1éā 猫 狗"


def test_long_names_lose_their_middle_and_keep_their_ends() -> None:
    name = "IMG_20240713_183502_panorama_stitched_昆明湖.jpg"
    short = sheet._elide(name, sheet.NAME_SIZE, sheet.CELL_WIDTH)
    head, tail = short.split("…")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert tail.endswith(".jpg")
    assert len(head) >= 5
    assert sheet._load_font(sheet.NAME_SIZE).getlength(short) <= sheet.CELL_WIDTH
    assert sheet._elide("cat.jpg", sheet.NAME_SIZE, sheet.CELL_WIDTH) == "cat.jpg"
    assert sheet._elide("cat.jpg", sheet.NAME_SIZE, 1) == "…"


def test_no_name_leaves_its_cell() -> None:
    narrow, wide = (
        draw_sheet([row("", [hit(0.0, caption=name)])]) for name in ("x.jpg", "二〇二四年夏天" * 20 + ".jpg")
    )
    right = narrow.width - sheet.MARGIN
    assert wide.size == narrow.size
    assert not ink(wide)[:, right:].any()


def test_importing_the_module_opens_no_font(processes) -> None:
    code = "import api.sheet as s; raise SystemExit(s._load_font.cache_info().currsize)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(sheet.__file__).parents[1], check=True)


# Files


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP"), ("寻图.PNG", "PNG")],
)
def test_the_suffix_names_the_format(tmp_path: Path, name: str, form: str) -> None:
    rows = [row(hits=[hit()])]
    write_sheet(rows, tmp_path / "new" / "folder" / name)
    with Image.open(tmp_path / "new" / "folder" / name) as written:
        assert written.format == form
        drawn = draw_sheet(rows)
        assert written.size == drawn.size
        assert np.abs(pixels(written) - pixels(drawn)).mean() < (0.001 if form == "PNG" else 2)


@pytest.mark.parametrize("name", ["sheet.gif", "sheet", "sheet.png.txt"])
def test_an_unknown_suffix_is_refused_by_a_sentence_that_names_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(SheetError, match=r"'sheet.*\.png, \.jpg, \.webp"):
        write_sheet([row()], tmp_path / "new" / name)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_too_long_for_its_format_is_refused(tmp_path: Path) -> None:
    rows = [row(query=picture(60, 400))] * 50
    with pytest.raises(SheetError, match=r"WEBP holds 16383: write a \.png"):
        write_sheet(rows, tmp_path / "sheet.webp")
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    path.write_bytes(b"old")
    write_sheet([row()], path)
    with Image.open(path) as written:
        assert written.format == "PNG"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    taken = tmp_path / "sheet.png"
    taken.mkdir()
    with pytest.raises(SheetError, match=r"sheet\.png"):
        write_sheet([row()], taken)
    assert list(tmp_path.iterdir()) == [taken]
    assert list(taken.iterdir()) == []


def test_a_picture_that_cannot_be_drawn_leaves_the_old_sheet(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    write_sheet([row()], path)
    before = path.read_bytes()
    (tmp_path / "broken.png").write_bytes(before[: len(before) // 2])
    with Image.open(tmp_path / "broken.png") as broken, pytest.raises(OSError, match="truncated"):
        write_sheet([row(hits=[hit(thumbnail=broken)])], path)
    assert path.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"sheet.png", "broken.png"}
