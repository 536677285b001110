"""What regions of pictures find that whole pictures do not, what they cost, and what they do to other searches.

Photographs with captions stand alone, and in other libraries one lies small on another, a quarter or a ninth of it:
what is small is asked for by its caption, and so is what is large. Each library is searched by its whole pictures
alone, and with regions.

XUNTU_BENCH_PICTURES             a training pack: a folder of shards with index.jsonl (see training/starter/pack.py)
"""

import os
import random
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from long_pictures import encode_captions, find_places
from PIL import Image
from processes import INDEXER, Bench, say
from quality_sets import CAPTIONS, Shelf, place_of
from quality_ways import cells, difference
from tables import Table

from api.evaluation.measures.ranking import Floats
from api.evaluation.measures.samples import Ranks
from api.search.engine import SearchEngine
from indexer.library.index.parted import whole_of
from indexer.library.index.port import VectorIndex
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.foundation.vectors import Vectors
from models.training.starter.pack import TrainingPack

_SIDE = 432  # pixels of a photograph that another lies on
_SHARES = {"a quarter": 1 / 2, "a ninth": 1 / 3}  # of the area, and of each side
_WAYS = ("as a whole", "with regions")
_SEARCHES = 200
_COST = "A search is for ten hits with the vector of a picture, in the median: by whole pictures, and with regions."


def measure(bench: Bench) -> list[Table]:
    """Ask for photographs by their captions, where there is a training pack."""
    source = Path(os.environ.get("XUNTU_BENCH_PICTURES", ""))
    if not (source / "index.jsonl").exists():
        say("regions: set XUNTU_BENCH_PICTURES to a training pack, a folder of shards with index.jsonl")
        return []
    folder = bench.folder / f"regions-{get_spec(DEFAULT_ENCODER).fingerprint}"
    pictures = [one for one in TrainingPack(source).pictures if not one.training and one.captions_en]
    captioned = Shelf(folder / "captioned", pictures)
    captioned.fill(bench, source)
    library = folder / "alone"
    costs = [["alone", *_index(bench, library, captioned.folder / "pictures")]]
    engine = SearchEngine.open(library)
    asked = {language: encode_captions(engine, captioned, language) for language in ("en", "zh")}
    rows = _rows(engine, asked, {"alone": {place: place for place in range(len(pictures))}})
    for title, share in _SHARES.items():
        small = folder / title.replace(" ", "-")
        if not (small / "pictures").exists():
            _write(captioned, share, small / "pictures")
        costs.append([f"{title} of another", *_index(bench, small / "library", small / "pictures")])
        rows += _rows(SearchEngine.open(small / "library"), asked, _placed(len(pictures), title))
    photographs = f"{len(pictures)} photographs of 144 pixels"
    placed = f"a third of them lies small on another third, enlarged to {_SIDE} pixels, beside the last third"
    notes = (
        f"Encoder of the space {get_spec(DEFAULT_ENCODER).space}; {photographs}; {placed}.",
        "Per cent, with 95 % intervals of a bootstrap that draws photographs; changes are paired, query by query.",
    )
    head = ("captions", "of photographs", "pictures are seen", "R@1", "R@10", "change of R@10")
    cost_head = ("photographs", "pictures", "regions", "indexing, then regions", "library", "a search")
    found = Table(title="Regions", head=head, rows=rows, notes=notes)
    return [found, Table(title="What regions cost", head=cost_head, rows=costs, notes=(_COST,))]


def _placed(count: int, title: str) -> dict[str, dict[int, int]]:
    """Return which picture is right for the captions of which, where one lies on another."""
    third = count // 3
    return {
        f"{title} of another": {third + place: place for place in range(third)},
        "that have another on them": {place: place for place in range(third)},
        "beside these": {place: place for place in range(2 * third, count)},
    }


def _rows(
    engine: SearchEngine, asked: Mapping[str, tuple[list[int], Vectors]], kinds: Mapping[str, Mapping[int, int]]
) -> list[list[str]]:
    """Return a row for each language, kind and way. A kind says which picture is right for the captions of another."""
    indexes = (whole_of(engine.opened.index), engine.opened.index)
    rows = engine.opened.catalog.get_images(engine.opened.index.list_ids().tolist())
    places = {image_id: place_of(row.path) for image_id, row in rows.items()}
    table = []
    for language, (of, vectors) in asked.items():
        found = [find_places(one, vectors, places) for one in indexes]
        for title, right in kinds.items():
            samples = [_rank(hits, of, right) for hits in found]
            for way, sample in zip(_WAYS, samples, strict=True):
                change = difference(sample, samples[0], "recall@10")
                table.append([CAPTIONS[language], title, way, *cells(sample, "recall@1", "recall@10"), change])
    return table


def _rank(hits: list[list[int]], asked: Sequence[int], right: Mapping[int, int]) -> Ranks:
    chosen = [number for number, place in enumerate(asked) if place in right]
    ranks: Floats = np.full(len(chosen), np.inf)
    for at, number in enumerate(chosen):
        wanted = right[asked[number]]
        if wanted in hits[number]:
            ranks[at] = 1 + hits[number].index(wanted)
    _, groups = np.unique([asked[number] for number in chosen], return_inverse=True)
    return Ranks(groups=groups, ranks=ranks)


def _write(captioned: Shelf, share: float, folder: Path) -> None:
    """Write photographs of which each has another somewhere on it, and those that stand alone."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)  # noqa: S311 - what is drawn is no secret
    files, third = captioned.files, len(captioned.pictures) // 3
    for place in range(third):
        large, small = (Image.open(BytesIO(files[one].read())).convert("RGB") for one in (place, third + place))
        large = large.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        small = small.resize((round(share * _SIDE),) * 2, Image.Resampling.LANCZOS)
        large.paste(small, (rng.randint(0, _SIDE - small.width), rng.randint(0, _SIDE - small.height)))
        large.save(folder / f"{place:05d}.jpg", quality=92)
    for place in range(2 * third, len(files)):
        (folder / f"{place:05d}.jpg").write_bytes(files[place].read())


# What they cost


def _index(bench: Bench, library: Path, pictures: Path) -> list[str]:
    """Index pictures anew, then their regions, and return what either takes and comes to."""
    shutil.rmtree(library, ignore_errors=True)
    _, whole = bench.build(library, pictures)
    before = _bytes_below(library)
    regions = bench.run([*INDEXER, "--data", str(library), "update", "--regions", "--json"])
    engine = SearchEngine.open(library)
    index = engine.opened.index
    count, parts = len(index), sum(one.count for one in engine.opened.manifest.parts)
    took = [f"{_milliseconds(one, engine):.2f}" for one in (whole_of(index), index)]
    return [
        f"{count:,}",
        f"{parts:,}",
        f"{whole.wall_s:.1f} + {regions.wall_s:.1f} s",
        f"{before / 1e6:.1f} -> {_bytes_below(library) / 1e6:.1f} MB",
        f"{took[0]} -> {took[1]} ms",
    ]


def _milliseconds(index: VectorIndex, engine: SearchEngine) -> float:
    """Return the median time of a search for the first ten pictures."""
    queries = index.fetch(engine.opened.index.list_ids()[:_SEARCHES])
    times = []
    for query in queries:
        started = time.perf_counter()
        index.search(query[None], 10)
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))


def _bytes_below(folder: Path) -> int:
    infos = [path.lstat() for path in folder.rglob("*")]
    return sum({(one.st_dev, one.st_ino): one.st_size for one in infos if stat.S_ISREG(one.st_mode)}.values())
