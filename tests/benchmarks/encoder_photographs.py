"""How fast photographs as cameras take them become vectors of the ViT-B/16, against plain_clip.py in the same run.

Run as a program it prints what each step costs on one thread, as JSON: encoder_photographs.py WEIGHTS PHOTOGRAPH.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from encoders import BUSY_NOTE, RANDOM_NOTE, VIT, describe_int8, ensure_exports, skip
from photographs import make_photograph, with_comment
from processes import Bench, Finished, say
from tables import NO_REACH, Table, met

SIZE = (4000, 3000)
QUALITY = 85
DISTINCT = 12
COUNT = 96
REPETITIONS = 3
REACH = 3.5  # times the plain recipe
_PLAIN = Path(__file__).with_name("plain_clip.py")
_FORMS = ("int8", "fp32")
_TITLE = "Image tower"
_HEAD = (
    "ViT-B/16",
    "images/s",
    "CPU ms/image",
    "times plain",
    "images/s without start-up",
    "times plain without start-up",
    "reach",
    "met",
)
_PLAIN_NOTE = (
    "Plain: cn_clip on torch in float32, full decode with Pillow, cn_clip's transform, a DataLoader with a worker a "
    "processor, batches of 32, vectors normalised and saved. xuntu: `xuntu index build --encoder "
    f"{VIT}`, which also makes thumbnails, checksums, colours, a catalog and an index."
)
_START_NOTE = (
    "Whole processes, files in the page cache, all recipes in turn; ratios are medians of those of each round. Without "
    f"start-up: the same program is also run on one photograph, and {COUNT - 1} photographs are divided by the "
    "difference; the time in which workers read the first batch and the tower waits stays in it."
)


def measure(bench: Bench) -> list[Table]:
    """Encode the same photographs by each recipe in turn, over and over."""
    if missing := skip(_TITLE, _HEAD):
        return missing
    weights = ensure_exports(bench)
    folder = bench.folder / "camera"
    mean_bytes = _write_photographs(folder)
    rounds = []
    for number in range(REPETITIONS):
        rounds.append({recipe: _run(bench, weights, folder, recipe) for recipe in ("plain", *_FORMS)})
        walls = ", ".join(f"{recipe} {whole.wall_s:.1f} s" for recipe, (_, whole) in rounds[-1].items())
        say(f"image tower, {number + 1} of {REPETITIONS}: {walls}")
    caption = (
        f"{COUNT} synthetic photographs of {SIZE[0]} x {SIZE[1]}, JPEG quality {QUALITY}, {mean_bytes / 1e6:.1f} MB on "
        f"average: {DISTINCT} distinct ones, each repeated with a comment of its own. Median of {REPETITIONS} rounds."
    )
    steps = json.loads(bench.run([sys.executable, __file__, str(weights), str(_first(folder))]).stdout)
    return [_compared(rounds, caption), _by_step(steps)]


def _write_photographs(folder: Path) -> float:
    """Write those that are missing, and read all; return their mean size in bytes. The first lies in a folder alone."""
    paths = [folder / ("first" if number == 0 else "rest") / f"{number:03d}.jpg" for number in range(COUNT)]
    if not all(path.exists() for path in paths):
        say("photographs of 12 megapixels")
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            originals = list(pool.map(partial(make_photograph, size=SIZE, quality=QUALITY), range(DISTINCT)))
        for number, path in enumerate(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(with_comment(originals[number % DISTINCT], f"photograph {number}"))
    return sum(len(path.read_bytes()) for path in paths) / COUNT


def _first(folder: Path) -> Path:
    return folder / "first" / "000.jpg"


def _run(bench: Bench, weights: Path, folder: Path, recipe: str) -> tuple[Finished, Finished]:
    """Return how long one photograph and all of them took."""
    one, all_of_them = (_once(bench, weights, part, recipe) for part in (folder / "first", folder))
    return one, all_of_them


def _once(bench: Bench, weights: Path, folder: Path, recipe: str) -> Finished:
    if recipe == "plain":
        checkpoint, output = weights / VIT / "clip_cn_vit-b-16.pt", bench.folder / "plain.npy"
        return bench.run([sys.executable, str(_PLAIN), str(checkpoint), str(folder), str(output)])
    library = bench.folder / "scratch-library"
    shutil.rmtree(library, ignore_errors=True)
    settings = {"XUNTU_WEIGHTS": str(weights), "XUNTU_PRECISION": recipe}
    report, finished = bench.build(library, folder, "--encoder", VIT, settings=settings)
    assert report["failed"] == 0, report
    assert report["encoded"] == report["seen"], report
    return finished


def _compared(rounds: list[dict[str, tuple[Finished, Finished]]], caption: str) -> Table:
    whole = {name: [one[name][1].wall_s for one in rounds] for name in rounds[0]}
    steady = {name: [one[name][1].wall_s - one[name][0].wall_s for one in rounds] for name in rounds[0]}
    cpu = {name: [one[name][1].cpu_s for one in rounds] for name in rounds[0]}
    rows, ratios = [], {}
    for name in rounds[0]:
        ratios[name] = [
            [plain / ours for plain, ours in zip(seconds["plain"], seconds[name], strict=True)]
            for seconds in (whole, steady)
        ]
        least, middle = min(ratios[name][0]), median(ratios[name][0])
        aim = name == "int8"
        rows.append(
            [
                "plain, torch fp32" if name == "plain" else f"xuntu, {name} export",
                f"{COUNT / median(whole[name]):.2f}",
                f"{1000 * median(cpu[name]) / COUNT:.0f}",
                f"{middle:.2f} ({least:.2f} to {max(ratios[name][0]):.2f})",
                f"{(COUNT - 1) / median(steady[name]):.2f}",
                f"{median(ratios[name][1]):.2f}",
                f">= {REACH:g}" if aim else NO_REACH,
                met(middle, REACH, at_least=True) if aim else NO_REACH,
            ]
        )
    facts = {"pictures": COUNT, "whole_s": whole, "without_start_s": steady, "cpu_s": cpu, "ratios": ratios}
    notes = (caption, _PLAIN_NOTE, _START_NOTE, BUSY_NOTE, describe_int8(), RANDOM_NOTE)
    return Table(title=_TITLE, head=_HEAD, rows=rows, notes=notes, facts=facts)


def _by_step(steps: dict[str, list[float | None]]) -> Table:
    rows = [[name, *(NO_REACH if cost is None else f"{cost:.1f}" for cost in costs)] for name, costs in steps.items()]
    return Table(
        title="Image tower by step",
        head=("step", "plain, CPU ms/image", "xuntu, CPU ms/image"),
        rows=rows,
        notes=("One photograph of those above, or a batch of 8 through a tower, on one thread; medians.",),
        facts={"steps_ms": steps},
    )


def _cost(work: Callable[[], object], times: int, *, pictures: int = 1) -> float:
    """Return the median CPU milliseconds a picture, after one time that is not counted."""
    work()
    costs = []
    for _ in range(times):
        started = time.process_time()
        work()
        costs.append(1000 * (time.process_time() - started) / pictures)
    return median(costs)


def _measure_steps(weights: Path, path: Path) -> dict[str, list[float | None]]:
    """Return for each step its cost in the plain recipe and in xuntu."""
    import numpy as np
    import torch
    from PIL import Image
    from plain_clip import SIDE, load

    from indexer.annotators.colours import dominant_colours
    from indexer.library.thumbnails import DECODED_SIDE, write_thumbnail
    from models.encoders.registry import get_preprocess, load_image_encoder
    from models.encoders.runtime import Runtime
    from models.pictures.decode import decode_image

    torch.set_num_threads(1)
    model, transform = load(weights / VIT / "clip_cn_vit-b-16.pt")
    data, preprocess = path.read_bytes(), get_preprocess(VIT)
    full = Image.open(BytesIO(data)).convert("RGB")
    small = decode_image(data, short_side=2 * SIDE, long_side=DECODED_SIDE).image
    pixels = np.stack([preprocess(small)] * 8)
    batch = torch.stack([transform(full)] * 8)
    towers = [load_image_encoder(VIT, Runtime(weights=weights, precision=form, threads=1)) for form in _FORMS]
    with torch.no_grad():
        plain_tower = _cost(lambda: model.encode_image(batch), 5, pictures=8)
    int8, fp32 = (_cost(partial(tower.encode_image, pixels), 5, pictures=8) for tower in towers)
    return {
        "decode": [
            _cost(lambda: Image.open(BytesIO(data)).load(), 9),
            _cost(lambda: decode_image(data, short_side=2 * SIDE, long_side=DECODED_SIDE), 9),
        ],
        "what the tower sees": [_cost(lambda: transform(full), 9), _cost(lambda: preprocess(small), 9)],
        "checksum": [None, _cost(lambda: hashlib.sha256(data).hexdigest(), 9)],
        "thumbnail": [None, _cost(lambda: write_thumbnail(small, weights.parent / "thumbnail.webp"), 9)],
        "colours": [None, _cost(lambda: dominant_colours(small), 9)],
        "tower, int8 export": [plain_tower, int8],
        "tower, fp32 export": [plain_tower, fp32],
    }


if __name__ == "__main__":
    print(json.dumps(_measure_steps(*map(Path, sys.argv[1:]))))
