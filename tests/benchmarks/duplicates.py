"""How many known copies the search for duplicates finds, and how many different photographs it takes for the same.

XUNTU_BENCH_PICTURES             a folder of different photographs, loose or in .tar files [synthetic ones]
XUNTU_BENCH_DUPLICATES           how many of them, each with one copy [4500; 600 synthetic ones]
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
from copies import EXACT, KINDS, make_copy
from dense import read_pictures
from photographs import make_photograph
from PIL import Image
from processes import INDEXER, Bench, say
from tables import Table

from indexer.library.duplicates.grouping import MAX_BITS, Rule, calibrate_build
from indexer.library.looks import NO_HASH, Detail, Looks, hamming
from indexer.library.opened import open_build
from models.foundation.vectors import Vectors

REPETITIONS = 3
ALL_KINDS = (EXACT, *KINDS)
LEAST_SIDE = 100  # pixels; what is smaller is a thumbnail
SYNTHETIC_SIZE = (640, 480)
LOOSE_BITS = 10  # what imagededup takes for the same where nothing else is said
LOOSE_COSINES = (0.94, 0.97)  # clip-retrieval's threshold; Immich's first one

Mask = npt.NDArray[np.bool_]
Leaders = npt.NDArray[np.int64]
Agreeing = Iterator[Mask]  # of each picture in turn, which pictures it agrees with


@dataclass(frozen=True, slots=True)
class Shelf:
    """The pictures of the library, those most worth keeping first.

    `numbers` are those of the photographs that they show; `kinds` the positions in ALL_KINDS of copies, -1 of the
    photographs themselves.
    """

    numbers: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]
    looks: Looks
    vectors: Vectors
    rule: Rule


def measure(bench: Bench) -> list[Table]:
    """Index photographs with a copy of each, have the product find the duplicates, and count what is right."""
    source = os.environ.get("XUNTU_BENCH_PICTURES")
    count = int(os.environ.get("XUNTU_BENCH_DUPLICATES", "4500" if source else "600"))
    folder = bench.folder / f"duplicates-{count}{'' if source else '-synthetic'}"
    pictures, library = folder / "pictures", folder / "library"
    made = _write(pictures, Path(source) if source else None, count)
    bench.build(library, pictures)
    groups, took = _find(bench, library)
    shelf = _open(library)
    leaders = {"xuntu": _leaders_of(groups, shelf)} | {name: _star(agree) for name, agree in _alone(shelf).items()}
    counted = {name: _count(found, shelf) for name, found in leaders.items()}
    return [_table(counted, took, shelf, made)]


# Photographs and copies


def _write(folder: Path, source: Path | None, count: int) -> str:
    """Write photographs, and of each a copy, the kinds in turn; say what they are."""
    note = folder / "made.txt"
    if not note.exists():
        say(f"writing {count} photographs and a copy of each")
        photographs = _photographs(source, count)
        for number, data in enumerate(photographs):
            kind = ALL_KINDS[number % len(ALL_KINDS)]
            suffix, copy = make_copy(kind, data)
            for path, content in (
                (folder / "photographs" / f"{number:05d}.jpg", data),
                (folder / "copies" / kind / f"{number:05d}{suffix}", copy),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        sizes = np.array([Image.open(BytesIO(data)).size for data in photographs])
        kind = "photographs" if source else "synthetic photographs, plainer than real ones and much alike"
        width, height = np.median(sizes, axis=0).astype(int)
        note.write_text(f"{len(photographs)} different {kind}, {width} x {height} pixels in the middle")
    return note.read_text()


def _photographs(source: Path | None, count: int) -> Sequence[bytes]:
    """Return `count` JPEG files: of those in `source` that are no thumbnails, or synthetic ones."""
    if source is None:
        return [make_photograph(seed, SYNTHETIC_SIZE) for seed in range(count)]
    large = [data for data in read_pictures(source) if _is_large_jpeg(data)]
    chosen = np.random.default_rng(3).choice(len(large), min(count, len(large)), replace=False)
    return [large[place] for place in sorted(chosen)]


def _is_large_jpeg(data: bytes) -> bool:
    with Image.open(BytesIO(data)) as image:
        return image.format == "JPEG" and min(image.size) >= LEAST_SIDE


# What the product finds


def _find(bench: Bench, library: Path) -> tuple[list[list[int]], dict[str, float]]:
    """Run the command; return the ids of each group, and how long it took."""
    runs = []
    for number in range(REPETITIONS):
        runs.append(bench.run([*INDEXER, "--data", str(library), "duplicates", "--json"]))
        say(f"duplicates, {number + 1} of {REPETITIONS}: {runs[-1].wall_s:.2f} s")
    found = json.loads(runs[0].stdout)
    took = {
        "pictures": found["pictures"],
        "wall_s": median(run.wall_s for run in runs),
        "cpu_s": median(run.cpu_s for run in runs),
    }
    return [[one["id"] for one in group] for group in found["groups"]], took


def _open(library: Path) -> Shelf:
    opened = open_build(library)
    looks = opened.catalog.list_looks()
    rows = opened.catalog.get_images(looks.ids.tolist())
    paths = [Path(rows[number].place) for number in looks.ids.tolist()]
    return Shelf(
        np.array([int(path.stem) for path in paths]),
        np.array([ALL_KINDS.index(path.parent.name) if path.parent.name in ALL_KINDS else -1 for path in paths]),
        looks,
        opened.index.fetch(looks.ids),
        calibrate_build(opened),
    )


def _leaders_of(groups: list[list[int]], shelf: Shelf) -> Leaders:
    at = {number: place for place, number in enumerate(shelf.looks.ids.tolist())}
    leaders = np.arange(len(at))
    for group in groups:
        places = [at[number] for number in group]
        leaders[places] = places[0]
    return leaders


# What one witness alone finds


def _alone(shelf: Shelf) -> dict[str, Agreeing]:
    """Return for each rule, by its name, which pictures agree with each; files with the same bytes always do."""
    usable = shelf.looks.hashes != NO_HASH

    def by_hash(bits: int) -> Agreeing:
        for place, value in enumerate(shelf.looks.hashes):
            near = usable & usable[place] & (hamming(value, shelf.looks.hashes) <= bits)
            yield near | (shelf.looks.contents == shelf.looks.contents[place])

    def by_vector(cosine: float) -> Agreeing:
        for vector in shelf.vectors:
            yield shelf.vectors @ vector >= cosine

    strictest = float(shelf.rule.least_cosine(np.array(MAX_BITS)))
    names = {f"hash, {bits} bits": by_hash(bits) for bits in (MAX_BITS, LOOSE_BITS)}
    return names | {f"vector, {cosine:.2f}": by_vector(cosine) for cosine in (strictest, *LOOSE_COSINES)}


def _star(agreeing: Agreeing) -> Leaders:
    """Have each picture join the first before it that stands for a group and agrees, as the product does."""
    leaders = np.empty(0, np.int64)
    for place, agree in enumerate(agreeing):
        everyone = np.arange(len(agree))
        if not place:
            leaders = everyone.copy()
        if leaders[place] == place:
            leaders[agree & (leaders == everyone) & (everyone > place)] = place
    return leaders


# Right and wrong


def _count(leaders: Leaders, shelf: Shelf) -> dict[str, float]:
    """Return the share of copies found by kind, and in how many groups how many photographs are wrong."""
    group_of = dict(zip(shelf.numbers[shelf.kinds < 0].tolist(), leaders[shelf.kinds < 0].tolist(), strict=True))
    found = {}
    for position, kind in enumerate(ALL_KINDS):
        copies = np.flatnonzero(shelf.kinds == position)
        found[kind] = float(np.mean([group_of[int(shelf.numbers[one])] == leaders[one] for one in copies]))
    _, first = np.unique(np.stack([leaders, shelf.numbers]), axis=1, return_index=True)
    different = np.bincount(leaders[first], minlength=len(leaders))  # photographs in each group
    return found | {"groups": int((different > 1).sum()), "wrong": int(different[different > 1].sum())}


def _table(counted: Mapping[str, Mapping[str, float]], took: Mapping[str, float], shelf: Shelf, made: str) -> Table:
    rows = [(kind, *(f"{found[kind]:.1%}" for found in counted.values())) for kind in ALL_KINDS]
    rows.append(("groups of different photographs", *(f"{found['groups']:.0f}" for found in counted.values())))
    rows.append(("photographs in those", *(f"{found['wrong']:.0f}" for found in counted.values())))
    return Table(
        title="Duplicates",
        head=("copies found", *counted),
        rows=rows,
        notes=(f"{made}; each with one copy, the kinds in turn.", *_notes(took, shelf)),
        facts={"found": dict(counted), "took": dict(took), "unrelated": shelf.rule.unrelated},
    )


def _notes(took: Mapping[str, float], shelf: Shelf) -> tuple[str, ...]:
    strictest = shelf.rule.least_cosine(np.array(MAX_BITS))
    alone = (
        f"Hash or vector alone: pHash with at most so many bits that differ, or a cosine of at least so much. "
        f"{MAX_BITS} bits and {strictest:.2f} are the furthest that xuntu goes, where both have to agree."
    )
    bare = (shelf.looks.hashes == NO_HASH) | (shelf.looks.details == Detail.BLANK)
    plain = f"{bare[shelf.kinds < 0].mean():.1%} of the photographs are so plain that only exact copies are looked for."
    speed = (
        f"`python -m indexer duplicates`, whole process: {took['wall_s']:.2f} s, {took['cpu_s']:.2f} s of CPU time, "
        f"median of {REPETITIONS}; {took['pictures'] / took['wall_s']:,.0f} pictures a second."
    )
    return alone, plain, speed
