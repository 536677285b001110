"""A library for the page: parts of the photographs of the bench, each in colours of its own, with a day and a camera.

No two are alike, so that every search lists others, and they have the shapes and dates of a life of photographs.
"""

import os
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from photographs import list_photographs
from PIL import ExifTags, Image
from processes import INDEXER, Bench, say

_FIRST = datetime(2015, 1, 3, 9, 30)
_YEARS = 10
_TURNED = 4  # every fourth was held upright
_SHAPES = (3 / 2, 2 / 3, 4 / 3, 3 / 4, 1.0, 16 / 9)
_CAMERAS = (("Canon", "EOS R5"), ("Fujifilm", "X100V"))
_QUALITY = 80


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
    sources = list(list_photographs(bench.photographs, bench.pictures))
    wanted = [(source, folder / f"{number // 1000:03d}" / f"{number:06d}.jpg") for number, source in enumerate(sources)]
    missing = [(number, *paths, len(sources)) for number, paths in enumerate(wanted) if not paths[1].exists()]
    for path in {path.parent for _, _, path, _ in missing}:
        path.mkdir(parents=True, exist_ok=True)
    if missing:
        say(f"page: {len(missing)} photographs with dates")
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            list(pool.map(_write_photograph, missing, chunksize=20))
    return folder


def _write_photograph(task: tuple[int, Path, Path, int]) -> None:
    """Write a part of a photograph in other colours, with the day it would have been taken on."""
    number, source, path, count = task
    chance = random.Random(number)  # noqa: S311 - what is drawn is no secret
    with Image.open(source) as whole:
        ratio, height = chance.choice(_SHAPES), chance.uniform(0.5, 0.95) * whole.height
        width = min(ratio * height, whole.width)
        left, top = chance.uniform(0, whole.width - width), chance.uniform(0, whole.height - height)
        part = whole.crop((int(left), int(top), int(left + width), int(top + height)))
    tint = [chance.uniform(0.6, 1.3) for _ in range(3)]
    part = part.point([min(255, int(value * strength)) for strength in tint for value in range(256)])
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = chance.choice(_CAMERAS)
    exif[ExifTags.Base.Orientation] = 6 if number % _TURNED == 0 else 1
    moment = _FIRST + timedelta(days=365 * _YEARS * number / count)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = moment.strftime("%Y:%m:%d %H:%M:%S")
    part.save(path, quality=_QUALITY, exif=exif)
