"""Contact sheets of pictures, by their thumbnails: one picture (JPEG), or pages to be printed (PDF)."""

import io
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from PIL import Image

from api.http.mapping import displayable
from api.sheet import PAPER, SheetHit, SheetRow, draw_sheet
from indexer.library.catalog.records import ImageRow
from indexer.library.layout import Layout
from indexer.library.storage.thumbnail_cache import find_thumbnail

SheetFormat: TypeAlias = Literal["sheet", "pdf"]

MAX_ON_SHEET: Final = 200
_COLUMNS: Final = 6
_COLUMNS_OF_MANY: Final = 10
_MANY: Final = 36
_ON_PAGE: Final = 24
_PAPER_RATIO: Final = 2**0.5  # of a page of ISO 216, as A4, on its side
_PAGE_WIDTH: Final = 1_800  # pixels: 154 to the inch on A4
_MISSING = "#ececec"


def draw_pictures(rows: Sequence[ImageRow], layout: Layout, title: str, form: SheetFormat) -> bytes:
    """Return a sheet of pictures in their order, `title` beside them."""
    if form == "pdf":
        starts = range(0, len(rows), _ON_PAGE)
        pages = [_draw_page(rows[start : start + _ON_PAGE], layout, title, start + 1) for start in starts]
        return _save(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=_PAGE_WIDTH / 11.69)
    columns = _COLUMNS if len(rows) <= _MANY else _COLUMNS_OF_MANY
    sheet = draw_sheet([SheetRow(title=title, hits=_load(rows, layout))], columns=columns)
    return _save(sheet, "JPEG", quality=88)


def _draw_page(rows: Sequence[ImageRow], layout: Layout, title: str, first: int) -> Image.Image:
    sheet = draw_sheet([SheetRow(title=title, hits=_load(rows, layout), first=first)], columns=_COLUMNS)
    height = round(_PAGE_WIDTH / _PAPER_RATIO)
    scale = min(_PAGE_WIDTH / sheet.width, height / sheet.height)
    size = max(1, int(sheet.width * scale)), max(1, int(sheet.height * scale))
    page = Image.new("RGB", (_PAGE_WIDTH, height), PAPER)
    page.paste(sheet.resize(size, Image.Resampling.LANCZOS))
    return page


def _load(rows: Sequence[ImageRow], layout: Layout) -> list[SheetHit]:
    """Return pictures as they are drawn; a grey one stands for one that has no thumbnail."""
    return [
        SheetHit(
            thumbnail=_load_thumbnail(row, layout), caption=displayable(row.shown_path.rpartition("/")[2]), score=None
        )
        for row in rows
    ]


def _load_thumbnail(row: ImageRow, layout: Layout) -> Image.Image:
    try:
        with Image.open(find_thumbnail(layout, row.sha256), formats=("WEBP",)) as image:
            return image.convert("RGB")
    except OSError:
        return Image.new("RGB", (160, 120), _MISSING)


def _save(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
