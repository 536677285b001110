"""A library for the page: the photographs of the bench with a date and a place in time each, upright and lying ones.

Dates and the turn stand in an Exif segment of each file, so that the page has months, years and rows of several shapes.
"""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from photographs import list_photographs
from PIL import ExifTags, Image
from processes import INDEXER, Bench, say

_FIRST = datetime(2015, 1, 3, 9, 30)
_YEARS = 10
_TURNED = 3  # every third stands upright


def environment_of(tree: Path) -> dict[str, str]:
    """Return what makes Python take the rooms of a checkout."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))}


def ensure_page_library(bench: Bench, tree: Path, name: str) -> Path:
    """Return a library of all photographs that the indexer of a checkout has made; `name` tells it from others."""
    photographs, library = _ensure_photographs(bench), bench.folder / f"page-{bench.pictures}-{name}"
    if not library.exists():
        say(f"page: indexing {bench.pictures} photographs for {name}")
        made = library.with_name(f"{library.name}.new")
        shutil.rmtree(made, ignore_errors=True)
        bench.run([*INDEXER, "--data", str(made), "build", str(photographs), "--json"], environment_of(tree))
        made.rename(library)
    return library


def _ensure_photographs(bench: Bench) -> Path:
    folder = bench.folder / "page-photographs"
    for number, path in enumerate(list_photographs(bench.photographs, bench.pictures)):
        dated = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        if not dated.exists():
            dated.parent.mkdir(parents=True, exist_ok=True)
            dated.write_bytes(_dated(path.read_bytes(), number, bench.pictures))
    return folder


def _dated(jpeg: bytes, number: int, count: int) -> bytes:
    """Return a JPEG file that says when it was taken, and how it was held."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = ("Fujifilm", "X100V") if number % 2 else ("Canon", "EOS R5")
    if number % _TURNED == 0:
        exif[ExifTags.Base.Orientation] = 6
    moment = _FIRST + timedelta(days=365 * _YEARS * number / count)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = moment.strftime("%Y:%m:%d %H:%M:%S")
    segment = exif.tobytes()
    return jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]
