"""Labels: how often they are right, and how fast. Captions: how often a doubt about one is right.

XUNTU_BENCH_PICTURES     a training pack whose pictures that were held out are labelled [none: the speed alone]
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from processes import Bench, say
from quality_sets import CAPTIONS, HeldOut, Shelf, ensure_held_out, place_of
from tables import Table

from indexer.annotators.caption.agreement import DOUBTFUL, Agreement
from indexer.annotators.caption.captions import Captions, MachineCaption
from indexer.annotators.labels.annotator import LabelAnnotator
from indexer.annotators.labels.fit import Background, choose_labels, fit_threshold
from indexer.annotators.labels.label_list import Label
from indexer.config import IndexerSettings
from indexer.library.annotated import AnnotatedLibrary
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.pipeline.library_annotators import open_annotated_library
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.foundation.vectors import Vectors, l2_normalize

Said: TypeAlias = npt.NDArray[np.bool_]  # (n pictures, m labels)

# Labels, and what else a caption may say for them.
_THINGS: Mapping[tuple[str, str], str] = {
    ("狗", "dog"): "puppy|puppies",
    ("孩子", "child"): "children|kids?|toddlers?|boys?|girls?|baby|babies",
    ("海滩", "beach"): "beaches",
    ("雪", "snow"): "snowy",
    ("马", "horse"): "",
    ("自行车", "bicycle"): "bikes?|cyclists?|bicyclists?",
    ("足球", "soccer"): "football",
    ("汽车", "car"): "trucks?|vans?",
    ("草地", "grass"): "grassy|lawn",
    ("水", "water"): "pool|river|lake|ocean|sea|waves?|stream",
    ("山", "mountain"): "cliffs?",
    ("人群", "crowd"): "",
    ("摩托车", "motorcycle"): "motorbikes?|bikers?|dirt",
    ("滑板", "skateboard"): "skateboarders?|skateboarding",
    ("篮球", "basketball"): "",
    ("网球", "tennis"): "",
    ("女人", "woman"): "women|lady",
    ("游泳池", "swimming pool"): "pool",
    ("攀岩", "rock climbing"): "climbers?|climbing",
    ("船", "boat"): "canoe|kayak|raft",
    ("街道", "street"): "road|sidewalk",
    ("帽子", "hat"): "cap",
}
_SPEED = 100_000, 100, 384, 2_300  # pictures, labels, dimensions, ordinary queries


def measure(bench: Bench) -> list[Table]:
    """Label and doubt the pictures that were held out, where there is a training pack."""
    source = Path(os.environ.get("XUNTU_BENCH_PICTURES", ""))
    if not (source / "index.jsonl").exists():
        say("labels: set XUNTU_BENCH_PICTURES to a training pack, a folder of shards with index.jsonl")
        return [_measure_speed()]
    held_out = ensure_held_out(bench, source, bench.folder / f"quality-{get_spec(DEFAULT_ENCODER).fingerprint}")
    return [_measure_labels(held_out), _measure_doubts(held_out.captioned), _measure_speed()]


# Labels


def _measure_labels(held_out: HeldOut) -> Table:
    say("labels of pictures that were held out")
    captioned, named = held_out.captioned, held_out.named
    things = [Label(names, 0) for names in _THINGS]
    fits = _fits(captioned, things)
    some, most = _things_said(captioned, 1), _things_said(captioned, 2)
    none = np.full(len(things), np.nan, np.float32)
    even = np.arange(len(fits)) % 2 == 0
    fitted = [
        np.array([_threshold(fits[half, place], most[half, place]) for place in range(len(things))], np.float32)
        for half in (even, ~even)
    ]
    by_examples = np.where(even[:, None], choose_labels(fits, fitted[1]), choose_labels(fits, fitted[0]))
    names = dict.fromkeys((one.names_en[0], one.names_zh[0]) for one in named.pictures)
    kinds = np.array([[(one.names_en[0], one.names_zh[0]) == name for name in names] for one in named.pictures])
    of_names = choose_labels(
        _fits(named, [Label(tuple(filter(None, name)), 0) for name in names]), np.full(len(names), np.nan, np.float32)
    )
    counted = ~np.isnan(fitted[0]) & ~np.isnan(fitted[1])
    rows = [
        _row(f"{len(things)} things of captions", choose_labels(fits, none), some, most),
        _row(
            f"{counted.sum()} of them that have examples, by default",
            choose_labels(fits, none)[:, counted],
            some[:, counted],
            most[:, counted],
        ),
        _row(
            f"{counted.sum()} of them, fitted on the other half",
            by_examples[:, counted],
            some[:, counted],
            most[:, counted],
        ),
        _row(f"{len(names)} names, of which each picture has one", of_names, kinds, kinds),
    ]
    return Table(
        title="Labels by the built-in encoder",
        head=("labels", "pictures", "given", "right", "found of those that are meant"),
        rows=rows,
        notes=(
            "A thing is there where one of five captions says it, and meant where two do: captions leave much unsaid.",
            "A name is right where the picture has that very one, and not where it has one of a like thing.",
        ),
    )


def _threshold(fits: npt.NDArray[np.float32], has_it: Said) -> float:
    found = fit_threshold(fits[has_it], fits[~has_it])
    return float("nan") if found is None else found


def _row(title: str, given: Said, right: Said, meant: Said) -> Sequence[str]:
    precision, recall = (given & right).sum() / max(given.sum(), 1), (given & meant).sum() / max(meant.sum(), 1)
    return (title, str(len(given)), str(given.sum()), f"{100 * precision:.1f} %", f"{100 * recall:.1f} %")


def _things_said(shelf: Shelf, least: int) -> Said:
    """Return of which things at least so many captions of each picture speak."""
    patterns = [
        re.compile(rf"\b({'|'.join(filter(None, (f'{name}s?', more)))})\b", re.IGNORECASE)
        for (_, name), more in _THINGS.items()
    ]
    return np.array(
        [
            [sum(bool(pattern.search(text)) for text in one.captions_en) >= least for pattern in patterns]
            for one in shelf.pictures
        ]
    )


def _fits(shelf: Shelf, labels: Sequence[Label]) -> npt.NDArray[np.float32]:
    """Return how well labels fit the pictures of a shelf; those of which nothing is known fit none."""
    library, vectors = _open(shelf)
    known, of_labels, _ = LabelAnnotator(labels, library)._known
    bank = library.read_bank()
    assert bank is not None
    found = Background.of(bank.vectors).fits(vectors, of_labels)
    fits = np.full((len(vectors), len(labels)), -np.inf, np.float32)
    fits[:, [labels.index(one) for one in known]] = found
    return fits


def _open(shelf: Shelf) -> tuple[AnnotatedLibrary, Vectors]:
    """Return the library of a shelf, and the vectors of its pictures in their order."""
    layout = Layout(shelf.library)
    library = open_annotated_library(Catalog(layout.catalog), layout, IndexerSettings(data=shelf.library))
    assert library is not None
    locations = library.catalog.locations(library.encoder.id)
    rows = library.catalog.get_images(locations.ids.tolist())
    places = [place_of(rows[image_id].path) for image_id in locations.ids.tolist()]
    vectors = np.empty((len(shelf.pictures), library.encoder.spec.dim), np.float32)
    vectors[places] = library.encoder.store.gather(locations)
    return library, vectors


# Captions


def _measure_doubts(shelf: Shelf) -> Table:
    say("doubts about captions")
    library, vectors = _open(shelf)
    agreement = Agreement(library)
    count = len(vectors)
    kinds: dict[str, list[Captions]] = {
        CAPTIONS["en"]: [{"en": MachineCaption(one.captions_en[0])} for one in shelf.pictures],
        CAPTIONS["zh"]: [{"zh": MachineCaption(one.captions_zh[0])} for one in shelf.pictures],
        CAPTIONS["zh-mt"]: [{"zh": MachineCaption(one.translations_zh[0])} for one in shelf.pictures],
        "English and Chinese, by people": [
            {"en": MachineCaption(one.captions_en[0]), "zh": MachineCaption(one.captions_zh[0])}
            for one in shelf.pictures
        ],
    }
    others = np.random.default_rng(0).permutation(count)
    others = np.where(others == np.arange(count), (others + 1) % count, others)
    rows = []
    for title, captions in kinds.items():
        own = [agreement.measure(captions[place], vectors[place]) for place in range(count)]
        strange = [agreement.measure(captions[other], vectors[place]) for place, other in enumerate(others)]
        shares = [float(np.mean([one < DOUBTFUL for one in found if one is not None])) for found in (own, strange)]
        unknown = sum(one is None for one in own)
        rows.append((title, str(count - unknown), *(f"{100 * share:.1f} %" for share in shares)))
    return Table(
        title="Doubts about captions, by the built-in encoder",
        head=("captions", "pictures", "its own caption is doubted", "that of another picture is"),
        rows=rows,
        notes=(
            f"One is doubted where fewer than {DOUBTFUL:.0%} of ordinary queries fit the picture less than it does.",
        ),
    )


# How fast


def _measure_speed() -> Table:
    pictures, labels, dim, queries = _SPEED
    rng = np.random.default_rng(0)

    def unit(count: int) -> Vectors:
        return l2_normalize(rng.standard_normal((count, dim), np.float32))

    background, vectors, names = Background.of(unit(queries)), unit(pictures), unit(labels)
    started = time.process_time()
    for start in range(0, pictures, 4096):
        choose_labels(background.fits(vectors[start : start + 4096], names), np.full(labels, np.nan, np.float32))
    seconds = time.process_time() - started
    return Table(
        title="Time that labels take",
        head=("pictures", "labels", "dimensions", "CPU s"),
        rows=[(f"{pictures:,}", str(labels), str(dim), f"{seconds:.2f}")],
        notes=("Vectors alone: what writing them down takes is not counted.",),
    )
