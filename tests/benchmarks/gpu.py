"""How fast a GPU encodes a library, how much of the card that uses, and what bounds it.

XUNTU_BENCH_GPU_PICTURES    photographs to index [1024 a processor, 4096 to 16384; on a processor 16]
XUNTU_BENCH_GPU_ENCODERS    which of Chinese-CLIP's vision transformers, by their names, with commas between
XUNTU_BENCH_GPU_DEVICE      cuda:N [cuda:0]; cpu runs the same on the processor, to try this file where there is no GPU
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import gpu_steps
from encoders import RANDOM_NOTE, VIT, _export, ensure_checkpoint, skip
from gpu_steps import effort_for
from photographs import DISTINCT, SIZE, list_photographs, with_comment
from processes import Bench, Finished, say
from tables import Table

from models.encoders.published import CHECKPOINT
from models.foundation.devices import list_devices

ENCODERS = (VIT, "chinese-clip-vit-l-14")
_FP16 = "fp16"
_END_HEAD = (
    "encoder",
    "form",
    "images/s",
    "images/s without start-up",
    "start-up s",
    "CPU ms/image",
    "share of the matrix rate",
)
_TOWER_HEAD = (
    "encoder",
    "form",
    "batch",
    "images/s, copies included",
    "images/s, copies excluded",
    "share of the matrix rate, copies excluded",
)
_BOUND_HEAD = (
    "encoder",
    "form",
    "decode, images/s",
    "copy, images/s",
    "compute, images/s",
    "bound by",
    "end to end, images/s",
    "share of the bound",
)
_PROCESSOR_NOTE = (
    "**The figures are of a processor, not of a GPU**: they show that the measure runs, and no more. Where other "
    "programs take turns on it, shares can exceed 100%."
)
_FORMULA = (
    "FLOPs of an image, 2 a multiply-add, with n = (side / patch)² patches, t = n + 1 tokens, width w, L layers, MLP "
    "ratio r, dimension d: 2 · [3 patch² n w  +  (L - 1) · ((4 + 2r) t w² + 2 t² w)  +  (2t + 2 + 2r) w² + 2 t w  +  "
    "w d]. The last layer, which xuntu runs for one token only, is counted as it is run."
)
_END_NOTE = (
    "`xuntu index build`, whole processes, files in the page cache; with thumbnails, checksums, colours, a catalog and "
    "an index. Start-up: the same program on one photograph; the others are divided by the difference."
)
_TOWER_NOTE = (
    "The encoder, loaded and warm, fed with random bytes. Included: from pageable memory through pinned memory to the "
    "card, the vectors back, and their normalisation. Excluded: input and output stay on the card."
)
_BOUND_NOTE = (
    "Decode: ImageDataset and load_records with the workers and batches of an index build, records handed over, "
    "nothing encoded. Copy: pinned memory to the card. Compute: the fastest batch above, copies excluded. The smallest "
    "of the three is named; an end-to-end rate far below it is bounded by something else, such as the process that "
    "collects records and writes the catalog, or too few batches a worker."
)


def measure(bench: Bench) -> list[Table]:
    """Measure each encoder in each form that runs on the device; a table without rows where there is no GPU."""
    if missing := skip("GPU", _END_HEAD):
        return missing
    device = list_devices(os.environ.get("XUNTU_BENCH_GPU_DEVICE", "cuda:0"))[0]
    card = _step(bench, "describe", device)
    if "why" in card:
        say(f"gpu: skipped; {card['why']}")
        note = f"Nothing was measured: {card['why']}"
        return [Table(title="GPU", head=_END_HEAD, rows=(), notes=(note,), facts={"card": card})]
    names = os.environ.get("XUNTU_BENCH_GPU_ENCODERS", ",".join(ENCODERS)).split(",")
    pictures = int(os.environ.get("XUNTU_BENCH_GPU_PICTURES", effort_for(device).pictures))
    if pictures < 2 or not all(name.startswith("chinese-clip-vit-") for name in names):
        message = "XUNTU_BENCH_GPU_PICTURES: at least 2; XUNTU_BENCH_GPU_ENCODERS: chinese-clip-vit-..."
        raise ValueError(message)
    folder = _write_photographs(bench, pictures)
    found = {name: _measure_encoder(bench, name, device, card, folder) for name in names}
    of = "GPU" if card["is_gpu"] else "Processor in place of a GPU"
    head = () if card["is_gpu"] else (_PROCESSOR_NOTE,)
    notes = _card_notes(card, found)
    caption = f"{pictures} photographs of {SIZE[0]} x {SIZE[1]}; median of {effort_for(device).rounds} rounds."
    facts = {"card": card, "pictures": pictures, "encoders": found}
    return [
        Table(
            title=f"{of}, end to end",
            head=_END_HEAD,
            rows=_end_to_end(found, pictures),
            notes=(*head, caption, _END_NOTE, *notes),
            facts=facts,
        ),
        _towers(found, f"{of}, image tower alone", (*head, _TOWER_NOTE, _FORMULA)),
        _bounds(found, f"{of}, what bounds it", (*head, _BOUND_NOTE)),
    ]


def _step(bench: Bench, *arguments: str) -> Any:
    return json.loads(bench.run([sys.executable, gpu_steps.__file__, *arguments]).stdout)


def _write_photographs(bench: Bench, count: int) -> Path:
    """Write the suite's photographs, each with a comment of its own, and read all. The first lies in a folder alone."""
    sources = [path.read_bytes() for path in islice(list_photographs(bench.photographs, bench.pictures), DISTINCT)]
    folder = bench.folder / f"gpu-photographs-{count}"
    for number in range(count):
        path = folder / ("first" if number == 0 else "rest") / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(with_comment(sources[number % len(sources)], f"photograph for a GPU {number}"))
        path.read_bytes()
    return folder


def _measure_encoder(
    bench: Bench, name: str, device: str, card: Mapping[str, Any], photographs: Path
) -> dict[str, Any]:
    """Return everything that is measured of one encoder."""
    checkpoints, exports = _place_checkpoint(bench, name), bench.folder / "weights"
    forms = [CHECKPOINT]
    if card["onnx_gpu"] and not _has_fp16(exports, name):
        say(f"gpu, {name}: exporting in fp16")
        _export(bench, name, (_FP16,))
    if _has_fp16(exports, name) and (card["onnx_gpu"] or not card["is_gpu"]):
        forms.append(_FP16)
    say(f"gpu, {name}: the tower alone, {', '.join(forms)}")
    found = _step(bench, "tower", device, name, str(checkpoints), str(exports), *forms)
    say(f"gpu, {name}: decoding alone")
    found["decode"] = _step(bench, "decode", device, name, str(photographs))
    for number in range(effort_for(device).rounds):
        for form, figures in found["forms"].items():
            if "why" in figures:
                continue
            settings = {"XUNTU_DEVICE": device, "XUNTU_WEIGHTS": str(checkpoints)}
            if form != CHECKPOINT:
                settings |= {"XUNTU_PRECISION": form, "XUNTU_WEIGHTS": str(exports)}
            one, whole = (_build(bench, name, part, settings) for part in (photographs / "first", photographs))
            for key, value in (("one_s", one.wall_s), ("whole_s", whole.wall_s), ("cpu_s", whole.cpu_s)):
                figures.setdefault(key, []).append(value)
            say(f"gpu, {name}, {figures['label']}, round {number + 1}: {whole.wall_s:.1f} s")
    return found


def _place_checkpoint(bench: Bench, name: str) -> Path:
    """Return a folder of weights in which the checkpoint lies without exports, so that torch is what runs it."""
    weights, folder = ensure_checkpoint(bench, name), bench.folder / "gpu-weights"
    (folder / name).mkdir(parents=True, exist_ok=True)
    for path in (weights / name).glob("*.pt"):
        link = folder / name / path.name
        if not link.exists():
            link.symlink_to(path)
    return folder


def _has_fp16(weights: Path, name: str) -> bool:
    path = weights / name / "encoder.json"
    exports = json.loads(path.read_bytes())["exports"] if path.exists() else []
    return any((one["tower"], one["precision"]) == ("image", _FP16) for one in exports)


def _build(bench: Bench, name: str, photographs: Path, settings: Mapping[str, str]) -> Finished:
    library = bench.folder / "gpu-library"
    shutil.rmtree(library, ignore_errors=True)
    report, finished = bench.build(library, photographs, "--encoder", name, settings=settings)
    assert report["failed"] == 0, report
    assert report["encoded"] == report["seen"], report
    return finished


def _card_notes(card: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    memory = f", {card['memory_bytes'] / 2**30:.0f} GiB" if card["is_gpu"] else ""
    rates = ", ".join(f"{one['matrix_flops_s'] / 1e12:.3g}" for one in found.values())
    one = next(iter(found.values()))
    matrices = (
        f"Matrix rate: the product of two random {one['matrix_type']} matrices of side {one['matrix_side']} by torch, "
        f"in the same process as each tower, before and after it, the higher of the two: {rates} TFLOP/s."
    )
    notes = [f"{card['name']}{memory}; {card['processors']} processors; torch {card['torch']}.", matrices]
    for name, encoder in found.items():
        if _FP16 not in encoder["forms"]:
            why = "ONNX Runtime has no CUDA here." if card["is_gpu"] else "not exported."
            notes.append(f"{name}, fp16 export: not measured; {why}")
        forms = encoder["forms"].values()
        notes += [f"{name}, {form['label']}: not measured. {form['why']}" for form in forms if "why" in form]
    return [*notes, RANDOM_NOTE]


def _measured(found: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return name, encoder and form of all that was measured."""
    return [
        (name, encoder, form)
        for name, encoder in found.items()
        for form in encoder["forms"].values()
        if "why" not in form
    ]


def _steady_rate(form: Mapping[str, Any], pictures: int) -> float:
    """Return images a second without start-up."""
    seconds = median(whole - one for whole, one in zip(form["whole_s"], form["one_s"], strict=True))
    assert seconds > 0, "too few photographs to tell from one: set XUNTU_BENCH_GPU_PICTURES"
    return (pictures - 1) / seconds


def _end_to_end(found: Mapping[str, Any], pictures: int) -> list[list[str]]:
    rows = []
    for name, encoder, form in _measured(found):
        steady = form["steady_images_s"] = _steady_rate(form, pictures)
        rows.append(
            [
                name,
                form["label"],
                f"{pictures / median(form['whole_s']):.4g}",
                f"{steady:.4g}",
                f"{median(form['one_s']):.1f}",
                f"{1000 * median(form['cpu_s']) / pictures:.1f}",
                f"{steady * encoder['flops'] / encoder['matrix_flops_s']:.1%}",
            ]
        )
    return rows


def _towers(found: Mapping[str, Any], title: str, notes: Sequence[str]) -> Table:
    rows = []
    for name, encoder, form in _measured(found):
        for one in form["batches"]:
            share = one["excluded"] * encoder["flops"] / encoder["matrix_flops_s"]
            rates = (f"{one['included']:.4g}", f"{one['excluded']:.4g}")
            rows.append([name, form["label"], str(one["batch"]), *rates, f"{share:.1%}"])
    sizes = []
    for name, encoder in found.items():
        shape = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in encoder["architecture"].items())
        sizes.append(f"{name}: {shape}: {encoder['flops'] / 1e9:.4g} GFLOP an image.")
    return Table(title=title, head=_TOWER_HEAD, rows=rows, notes=(*notes, *sizes))


def _bounds(found: Mapping[str, Any], title: str, notes: Sequence[str]) -> Table:
    rows = []
    for name, encoder, form in _measured(found):
        limits = {
            "decode": encoder["decode"]["images_s"],
            "copy": encoder["copy_bytes_s"] / encoder["image_bytes"],
            "compute": max(one["excluded"] for one in form["batches"]),
        }
        bound, steady = min(limits, key=lambda limit: limits[limit]), form["steady_images_s"]
        form["bound"] = bound
        rates = [f"{rate:.4g}" for rate in limits.values()]
        rows.append([name, form["label"], *rates, bound, f"{steady:.4g}", f"{steady / limits[bound]:.0%}"])
    details = [
        f"{name}: {one['decode']['workers']} workers, batches of {one['decode']['batch']}; copies at "
        f"{one['copy_bytes_s'] / 1e9:.3g} GB/s, an image is {one['image_bytes'] / 1e3:.0f} kB."
        for name, one in found.items()
    ]
    return Table(title=title, head=_BOUND_HEAD, rows=rows, notes=(*notes, *details))
