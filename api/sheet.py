"""Contact sheets: one picture that shows what some searches found, a row a query.

The query stands at the left, its hits beside it with rank, relevance and file name beneath. Where the relevance
cannot be told a word for it or the score stands there, and the bar is relative to the best hit of its row, as scores of
different queries cannot be compared. All lengths are pixels, at twice the size they are meant to be seen at, so that
sheets are crisp on dense screens.
"""

import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from models.foundation.errors import ImageSearchError
from models.foundation.files import replace_file
from models.foundation.messages import mark, message, os_message, translate

FONT = Path(__file__).parent / "fonts" / "NotoSansCJKsc-Subset.otf"
# Suffix -> Pillow's format, and the longest side that it can hold.
FORMATS = {".png": ("PNG", 2**31 - 1), ".jpg": ("JPEG", 65_500), ".webp": ("WEBP", 16_383)}
FORMATS[".jpeg"] = FORMATS[".jpg"]

DENSITY = 2
PAPER, LINE, TRACK, INK, MUTED, ACCENT = "#ffffff", "#e8e8e8", "#e4e4e4", "#1c1c1c", "#737373", "#c2412d"
MARGIN, ROW_PADDING, CELL_GAP, LINE_GAP = (n * DENSITY for n in (56, 34, 24, 30))
QUERY_WIDTH, QUERY_HEIGHT, QUERY_GAP, QUERY_SPACE = (n * DENSITY for n in (208, 156, 48, 14))
CELL_WIDTH, CELL_HEIGHT, BAR_HEIGHT, RADIUS = (n * DENSITY for n in (176, 132, 2, 3))
# Below the foot of a hit's picture: the top of its bar, the baselines of its text, the foot of it all.
BAR_AT, RANK_AT, NAME_AT, FOOT = (n * DENSITY for n in (10, 31, 48, 52))
TITLE_SIZE, TITLE_LEADING, TITLE_ASCENT, SIGN_INDENT = (n * DENSITY for n in (20, 29, 18, 20))
RANK_SIZE, NAME_SIZE, MAX_TITLE_LINES = 13 * DENSITY, 12 * DENSITY, 8
NO_HITS = mark("no hits")
CLAUSE = re.compile(r"(?<!\S)(?=[+\u2212]\s)")
# Lines may break before a space, an ideograph or kana; not before closing or after opening punctuation.
WIDE = "\u2e80-\u2fff\u3005-\u3007\u3040-\u9fff\uf900-\ufaff"
OPENING, CLOSING = "《「『【（“", "、。，．：；？！）》」』】”…"
PIECE = re.compile(rf"\s+|[{OPENING}]*(?:[{WIDE}]|[^\s{WIDE}{OPENING}{CLOSING}]+)?[{CLOSING}]*")
# The sign that begins a clause, on the clause's first line only; the text; how far the text is indented.
TitleLine = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetHit:
    """A picture found: its thumbnail, what to write beneath it (its file name), its score, and its relevance, 0..1.

    `likelihood` is a word for the relevance, as it is to be shown where there is no number. The score is None of one
    that was not searched for; none of the three is shown then.
    """

    thumbnail: Image.Image
    caption: str
    score: float | None
    relevance: float | None = None
    likelihood: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """A search: its words, its picture if it has one, and its hits, best first.

    A `+` or `−` (U+2212) that stands alone in the title starts a signed clause, on a line of its own. `first` is the
    number of the first hit.
    """

    title: str
    query_image: Image.Image | None = None
    hits: Sequence[SheetHit]
    first: int = 1


def draw_sheet(rows: Sequence[SheetRow], *, columns: int = 6, language: str = "en") -> Image.Image:
    """Draw the searches as one RGB picture, at most `columns` hits a line; more hits take more lines.

    That there are no hits is said in `language`. Raises ValueError when there is no row or no column.
    """
    if not rows or columns < 1:
        raise ValueError(f"A sheet needs at least one search and one column, not {len(rows)} and {columns}.")
    columns = min(columns, max(1, *(len(row.hits) for row in rows)))
    titles = [_break_title(row.title) for row in rows]
    heights = [_measure_row(row, title, columns) for row, title in zip(rows, titles, strict=True)]
    width = 2 * MARGIN + QUERY_WIDTH + QUERY_GAP + columns * (CELL_WIDTH + CELL_GAP) - CELL_GAP
    height = 2 * MARGIN + sum(heights) + 2 * ROW_PADDING * (len(rows) - 1)
    sheet = Image.new("RGB", (width, height), PAPER)
    y = MARGIN
    for row, title, row_height in zip(rows, titles, heights, strict=True):
        if y > MARGIN:
            line = (MARGIN, y - ROW_PADDING - 1, width - MARGIN - 1, y - ROW_PADDING)
            ImageDraw.Draw(sheet).rectangle(line, LINE)
        _draw_query(sheet, row.query_image, title, y)
        if row.hits:
            _draw_hits(sheet, row.hits, columns, y, row.first)
        else:
            _draw_no_hits(sheet, translate(NO_HITS, language), y)
        y += row_height + 2 * ROW_PADDING
    return sheet


class SheetError(ImageSearchError):
    """A sheet that cannot be written."""

    code = "sheet_error"
    users_mistake = True


def write_sheet(rows: Sequence[SheetRow], path: Path, *, language: str = "en") -> None:
    """Write the sheet of the searches to `path`, whole or not at all, in the format that its suffix names.

    Raises SheetError when the suffix is unknown, the sheet is longer than the format can hold, or the file cannot
    be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise SheetError(
            message(
                "A sheet cannot be written as {name!r}: its name must end in one of {known}.",
                name=path.name,
                known=tuple(FORMATS),
            )
        )
    form, longest = FORMATS[path.suffix.lower()]
    sheet = draw_sheet(rows, language=language)
    if max(sheet.size) > longest:
        raise SheetError(
            message(
                "The sheet is {length} pixels long, {form} holds {longest}: write a .png.",
                length=max(sheet.size),
                form=form,
                longest=longest,
            )
        )
    encoded = io.BytesIO()
    sheet.save(encoded, form, quality=92, subsampling=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, encoded.getvalue())
    except OSError as error:
        raise SheetError(message("Cannot write {path}: {why}.", path=path, why=os_message(error))) from error


def _measure_row(row: SheetRow, title: Sequence[TitleLine], columns: int) -> int:
    """Measure the height of a row: of its query or of its lines of hits, whichever is taller."""
    query = len(title) * TITLE_LEADING
    if row.query_image is not None:
        query += (QUERY_SPACE if title else 0) + _fit(row.query_image, QUERY_WIDTH, QUERY_HEIGHT)[1]
    hits = sum(height + FOOT + LINE_GAP for _, height in _split_hits(row.hits, columns)) - LINE_GAP
    return max(query, hits, TITLE_LEADING)


def _split_hits(hits: Sequence[SheetHit], columns: int) -> list[tuple[Sequence[SheetHit], int]]:
    """Split the hits into lines, each with the height of its tallest picture as it will be drawn."""
    lines = [hits[start : start + columns] for start in range(0, len(hits), columns)]
    return [(line, max(_fit(hit.thumbnail, CELL_WIDTH, CELL_HEIGHT)[1] for hit in line)) for line in lines]


def _draw_query(sheet: Image.Image, picture: Image.Image | None, title: Sequence[TitleLine], y: int) -> None:
    """Draw the title, its signs in the accent colour, and the query picture beneath it."""
    draw, font = ImageDraw.Draw(sheet), _load_font(TITLE_SIZE)
    for sign, text, indent in title:
        draw.text((MARGIN, y + TITLE_ASCENT), sign, ACCENT, font, anchor="ls")
        draw.text((MARGIN + indent, y + TITLE_ASCENT), text, INK, font, anchor="ls")
        y += TITLE_LEADING
    if picture is not None:
        top = y + (QUERY_SPACE if title else 0)
        _paste(sheet, picture, _fit(picture, QUERY_WIDTH, QUERY_HEIGHT), (MARGIN, top))


def _draw_hits(sheet: Image.Image, hits: Sequence[SheetHit], columns: int, y: int, first: int) -> None:
    """Draw the hits of a row in lines of `columns`."""
    left = MARGIN + QUERY_WIDTH + QUERY_GAP
    best = max((hit.score for hit in hits if hit.score is not None), default=0.0)
    for number, (line, height) in enumerate(_split_hits(hits, columns)):
        for column, hit in enumerate(line):
            rank = number * columns + column + first
            share = min(1.0, max(0.0, (hit.score or 0.0) / best)) if best > 0 else 0.0
            share = share if hit.relevance is None else hit.relevance
            _draw_hit(sheet, hit, rank, share, (left + column * (CELL_WIDTH + CELL_GAP), y + height))
        y += height + FOOT + LINE_GAP


def _draw_no_hits(sheet: Image.Image, said: str, y: int) -> None:
    """Draw the words that there are no hits in a row."""
    place = (MARGIN + QUERY_WIDTH + QUERY_GAP, y + TITLE_ASCENT)
    ImageDraw.Draw(sheet).text(place, said, MUTED, _load_font(RANK_SIZE), anchor="ls")


def _draw_hit(sheet: Image.Image, hit: SheetHit, rank: int, share: float, foot: tuple[int, int]) -> None:
    """Draw one hit: the picture standing on `foot`, the bar filled to `share`, and two lines of text."""
    (x, y), draw = foot, ImageDraw.Draw(sheet)
    size = _fit(hit.thumbnail, CELL_WIDTH, CELL_HEIGHT)
    _paste(sheet, hit.thumbnail, size, (x, y - size[1]))
    if hit.score is not None:
        _draw_score(draw, hit, hit.score, share, (x, y))
    name = _elide(_clean(hit.caption), NAME_SIZE, CELL_WIDTH)
    draw.text((x, y + RANK_AT), str(rank), MUTED, _load_font(RANK_SIZE), anchor="ls")
    draw.text((x, y + NAME_AT), name, MUTED, _load_font(NAME_SIZE), anchor="ls")


def _draw_score(draw: ImageDraw.ImageDraw, hit: SheetHit, score: float, share: float, foot: tuple[int, int]) -> None:
    """Draw how well a hit fits below its `foot`: the bar, and a number or a word."""
    x, y = foot
    for colour, width in ((TRACK, CELL_WIDTH), (ACCENT, round(share * CELL_WIDTH))):
        if width > 0:
            draw.rectangle((x, y + BAR_AT, x + width - 1, y + BAR_AT + BAR_HEIGHT - 1), fill=colour)
    said = hit.likelihood or f"{score:.3f}".replace("-", "\u2212")
    said = said if hit.relevance is None else f"{100 * hit.relevance:.0f} %"
    draw.text((x + CELL_WIDTH, y + RANK_AT), said, INK, _load_font(RANK_SIZE), anchor="rs")


def _fit(image: Image.Image, max_width: int, max_height: int) -> tuple[int, int]:
    """Find the size at which a picture fits the box in its own proportions, enlarged by DENSITY at most."""
    scale = min(max_width / image.width, max_height / image.height, DENSITY)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _paste(sheet: Image.Image, image: Image.Image, size: tuple[int, int], corner: tuple[int, int]) -> None:
    """Paste a picture with rounded corners and a faint edge; where it is transparent, the paper shows."""
    mask = _round_corners(size)
    picture = Image.new("RGBA", image.size, PAPER)
    picture.alpha_composite(image.convert("RGBA"))
    sheet.paste(picture.resize(size, Image.Resampling.LANCZOS).convert("RGB"), corner, mask)
    edge = (*corner, corner[0] + size[0] - 1, corner[1] + size[1] - 1)
    ImageDraw.Draw(sheet, "RGBA").rounded_rectangle(edge, RADIUS, outline=(0, 0, 0, 20), width=DENSITY)


@lru_cache(maxsize=32)
def _round_corners(size: tuple[int, int]) -> Image.Image:
    """Draw a mask of that size with smooth rounded corners."""
    mask = Image.new("L", (size[0] * 4, size[1] * 4))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), RADIUS * 4, fill=255)
    return mask.resize(size, Image.Resampling.BOX)


@lru_cache(maxsize=8)
def _load_font(size: int) -> ImageFont.FreeTypeFont:
    """Load the font of the sheet at a size in pixels."""
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _replace_missing(char: str) -> str:
    """Replace a character that is not in the font by its plain form, as č by c; by itself if it has none."""
    if not char.isprintable():
        return " " if char.isspace() else "?"
    plain = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    font = _load_font(NAME_SIZE)
    missing = plain != char and bytes(font.getmask(char)) == bytes(font.getmask("\uffff"))
    return plain if missing else char


def _clean(text: str) -> str:
    """Put the text on one line, without control characters and the undecodable bytes of file names."""
    return " ".join("".join(map(_replace_missing, unicodedata.normalize("NFC", text))).split())


def _elide(text: str, size: int, width: int) -> str:
    """Replace the middle of a text that is wider than `width` by an ellipsis."""
    font = _load_font(size)
    if font.getlength(text) <= width:
        return text
    for kept in range(min(len(text) - 1, 200), 0, -1):
        short = f"{text[: kept // 2].rstrip()}…{text[kept // 2 - kept :].lstrip()}"
        if font.getlength(short) <= width:
            return short
    return "…"


def _break_title(title: str) -> list[TitleLine]:
    """Break a title into clauses at its signs, and into lines at the width of the query."""
    lines: list[TitleLine] = []
    for clause in filter(None, CLAUSE.split(_clean(title))):
        sign, indent = (clause[0], SIGN_INDENT) if CLAUSE.match(clause) else ("", 0)
        for line in _wrap(clause.removeprefix(sign).strip(), QUERY_WIDTH - indent):
            lines.append((sign, line, indent))
            sign = ""
    if len(lines) > MAX_TITLE_LINES:
        sign, text, indent = lines[MAX_TITLE_LINES - 1]
        lines[MAX_TITLE_LINES - 1 :] = [(sign, f"{text[:-1].rstrip()}…", indent)]
    return lines


def _wrap(text: str, width: int) -> list[str]:
    """Wrap the text into lines no wider than `width`, at spaces and between ideographs, else anywhere."""
    font, lines = _load_font(TITLE_SIZE), [""]
    for piece in filter(None, PIECE.findall(text)):
        if lines[-1] and font.getlength((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        for char in piece if lines[-1] else piece.lstrip():
            if font.getlength((lines[-1] + char).rstrip()) > width:
                lines.append("")
            lines[-1] += char
    return [line.rstrip() for line in lines if line.strip()]
