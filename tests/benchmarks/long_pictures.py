"""How well what is in a part of a long picture is found: by the long picture as a whole, and by its parts.

Five photographs one above the other, or side by side, stand for a long screenshot, a comic strip, a page of results. As
many photographs stand alone beside them, so that a long picture which crowds in where it does not belong shows.

XUNTU_BENCH_PICTURES             a training pack: a folder of shards with index.jsonl (see training/starter/pack.py)
"""

import os
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from processes import Bench, say
from quality_sets import CAPTIONS, Shelf, index, place_of
from quality_ways import cells, difference
from tables import Table

from api.evaluation.measures.ranking import Floats
from api.evaluation.measures.samples import KS, Ranks
from api.search.engine import SearchEngine
from indexer.library.index.backends import open_index
from indexer.library.index.port import VectorIndex
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.foundation.errors import ImageSearchError
from models.foundation.vectors import Vectors
from models.training.starter.pack import TrainingPack

_IN_ONE = 5  # photographs of a long picture
_SIDE = 360  # pixels, of a long picture across
_ALONE = 100_000  # added to the places of photographs that stand alone, in names of files
_WAYS = ("as a whole", "with its parts")


def measure(bench: Bench) -> list[Table]:
    """Have captions of photographs find the long picture that they are in, where there is a training pack."""
    source = Path(os.environ.get("XUNTU_BENCH_PICTURES", ""))
    if not (source / "index.jsonl").exists():
        say("long-pictures: set XUNTU_BENCH_PICTURES to a training pack, a folder of shards with index.jsonl")
        return []
    folder = bench.folder / f"long-{get_spec(DEFAULT_ENCODER).fingerprint}"
    pictures = [one for one in TrainingPack(source).pictures if not one.training and one.captions_en]
    captioned = Shelf(folder / "captioned", pictures)
    captioned.fill(bench, source)
    return [_measure(bench, captioned, folder / "long")]


def _measure(bench: Bench, captioned: Shelf, folder: Path) -> Table:
    strips = len(captioned.pictures) // (2 * _IN_ONE)
    if not (folder / "library").exists():
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        _write(captioned, strips, folder / "pictures")
    index(bench, folder / "library", folder / "pictures")
    engine = SearchEngine.open(folder / "library")
    build = engine.opened.layout.builds / engine.opened.manifest.build
    indexes = (open_index(build, engine.opened.entry), engine.opened.index)
    rows = engine.opened.catalog.get_images(engine.opened.index.list_ids().tolist())
    places = {image_id: place_of(row.path) for image_id, row in rows.items()}
    table = []
    for language in ("en", "zh"):
        asked, vectors = encode_captions(engine, captioned, language)
        found = [find_places(one, vectors, places) for one in indexes]
        for title, alone in (("in a long picture", False), ("alone", True)):
            chosen = [number for number, place in enumerate(asked) if (place >= strips * _IN_ONE) == alone]
            samples = [_rank(hits, asked, chosen, strips) for hits in found]
            for way, sample in zip(_WAYS, samples, strict=True):
                change = difference(sample, samples[0], "recall@10")
                table.append([CAPTIONS[language], title, way, *cells(sample, "recall@1", "recall@10"), change])
    alone = len(captioned.pictures) - strips * _IN_ONE
    photographs = f"{strips} long pictures of {_IN_ONE} photographs, {alone} photographs alone"
    notes = (
        f"Encoder of the space {get_spec(DEFAULT_ENCODER).space}; {photographs}.",
        "What is in a long picture is found where that is. Seen with its parts, it competes with those alone.",
        "Per cent, with 95 % intervals of a bootstrap that draws photographs; changes are paired, query by query.",
    )
    head = ("captions", "of photographs", "long ones are seen", "R@1", "R@10", "change of R@10")
    return Table(title="Long pictures", head=head, rows=table, notes=notes, facts={"long": strips, "alone": alone})


def _write(captioned: Shelf, strips: int, folder: Path) -> None:
    """Write the long pictures, each named by its number, tall and wide in turn, and the photographs alone."""
    pictures = [picture.read() for picture in captioned.files]
    for number in range(strips):
        _join(pictures[number * _IN_ONE :][:_IN_ONE], tall=number % 2 == 0).save(
            folder / f"{number:06d}.jpg", quality=90
        )
    for place in range(strips * _IN_ONE, len(pictures)):
        (folder / f"{_ALONE + place:06d}.jpg").write_bytes(pictures[place])


def _join(pictures: Sequence[bytes], *, tall: bool) -> Image.Image:
    """Return pictures one above the other or side by side, in one size across."""
    shown = list(_scaled(pictures, tall=tall))
    length = sum(one.height if tall else one.width for one in shown)
    joined, at = Image.new("RGB", (_SIDE, length) if tall else (length, _SIDE)), 0
    for one in shown:
        joined.paste(one, (0, at) if tall else (at, 0))
        at += one.height if tall else one.width
    return joined


def _scaled(pictures: Sequence[bytes], *, tall: bool) -> Iterator[Image.Image]:
    for data in pictures:
        with Image.open(BytesIO(data)) as image:
            scale = _SIDE / (image.width if tall else image.height)
            yield image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))


def encode_captions(engine: SearchEngine, captioned: Shelf, language: str) -> tuple[list[int], Vectors]:
    """Return the places of the photographs of captions, and the vectors of these; no vector is of words not known."""
    places, vectors = [], []
    for place, picture in enumerate(captioned.pictures):
        for text in picture.captions_en if language == "en" else picture.captions_zh:
            try:
                vectors += engine.encoders.encode_texts([text])
            except ImageSearchError:
                vectors.append(np.zeros(engine.opened.index.dim, np.float32))
            places.append(place)
    return places, np.ascontiguousarray(np.stack(vectors), np.float32)


def find_places(found_by: VectorIndex, vectors: Vectors, places: dict[int, int]) -> list[list[int]]:
    """Return the places of the first pictures of each query."""
    found = found_by.search(vectors, max(KS))
    return [[places[one] for one in row] for row in found.ids.tolist()]


def _rank(hits: list[list[int]], asked: Sequence[int], chosen: Sequence[int], strips: int) -> Ranks:
    ranks: Floats = np.full(len(chosen), np.inf)
    for at, number in enumerate(chosen):
        place = asked[number]
        right = place // _IN_ONE if place < strips * _IN_ONE else _ALONE + place
        if right in hits[number]:
            ranks[at] = 1 + hits[number].index(right)
    _, groups = np.unique([asked[number] for number in chosen], return_inverse=True)
    return Ranks(groups=groups, ranks=ranks)
