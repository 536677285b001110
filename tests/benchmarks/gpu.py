"""How fast a GPU encodes a library, how much of the card that uses, and what bounds it.

XUNTU_BENCH_GPU_PICTURES    photographs to index [1024 a processor, 4096 to 16384; on a processor 16]
XUNTU_BENCH_GPU_ENCODERS    which of Chinese-CLIP's vision transformers, by their names, with commas between
XUNTU_BENCH_GPU_DEVICE      cuda:N [cuda:0]; cpu runs the same on the processor, to try this file where there is no GPU

Run as a program it prints what one step found, as JSON: gpu.py describe DEVICE, gpu.py decode DEVICE ENCODER FOLDER,
gpu.py tower DEVICE ENCODER CHECKPOINTS EXPORTS FORM...
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from encoders import RANDOM_NOTE, VIT, _export, ensure_checkpoint, skip
from photographs import DISTINCT, SIZE, list_photographs, with_comment
from processes import Bench, Finished, say
from tables import Table, describe_machine

from models.devices import CPU, count_cpus, list_devices
from models.published import CHECKPOINT

ENCODERS = (VIT, "chinese-clip-vit-l-14")
_FP16 = "fp16"
_PRODUCTS = 4  # at a time, so that launching one costs nothing
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured on a kind of device. Each figure of a tower is the median of `repetitions` or more.

    `least_s`: seconds that all repetitions of a figure take at least, so that the card's clocks settle.
    """

    pictures: int
    rounds: int
    repetitions: int
    least_s: float
    batches: tuple[int, ...]
    matrix_side: int
    copied_bytes: int


def effort_for(device: str) -> Effort:
    """Return what makes sound figures on a GPU, and quick ones on a processor."""
    if device == CPU:
        return Effort(
            pictures=16, rounds=1, repetitions=3, least_s=0, batches=(1, 4), matrix_side=1024, copied_bytes=2**25
        )
    return Effort(
        pictures=min(max(1024 * count_cpus(), 4096), 16_384),  # four batches of 256 for each worker
        rounds=3,
        repetitions=10,
        least_s=2,
        batches=(32, 64, 128, 256, 512),
        matrix_side=8192,
        copied_bytes=2**28,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What decides the work of a vision transformer. Sides in pixels; `mlp_ratio` is hidden width by width."""

    side: int
    patch: int
    width: int
    layers: int
    mlp_ratio: int
    dim: int

    @property
    def flops(self) -> int:
        """FLOPs of one image, two for each multiply-add; norms, activations and softmax are not counted."""
        patches = (self.side // self.patch) ** 2
        tokens, width, mlp = patches + 1, self.width, 2 * self.mlp_ratio
        embedding = 3 * self.patch**2 * patches * width
        layer = (4 + mlp) * tokens * width**2 + 2 * tokens**2 * width
        last_layer = (2 * tokens + 2 + mlp) * width**2 + 2 * tokens * width  # keys and values of all, the rest of one
        return 2 * (embedding + (self.layers - 1) * layer + last_layer + width * self.dim)


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
    return json.loads(bench.run([sys.executable, __file__, *arguments]).stdout)


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


def _describe(device: str) -> dict[str, Any]:
    """Return what there is to measure on, or `why` there is nothing."""
    import onnxruntime
    import torch

    from models.errors import DeviceUnavailable
    from models.torch_encoder import prepare

    try:
        prepare(device)
    except DeviceUnavailable:
        seen = f"torch.cuda.is_available() is {torch.cuda.is_available()}, {torch.cuda.device_count()} GPUs"
        return {"why": f"torch {torch.__version__} cannot use {device} ({seen})."}
    found = {"is_gpu": device != CPU, "processors": count_cpus(), "torch": torch.__version__}
    if device == CPU:
        return found | {"name": describe_machine()["processor"], "onnx_gpu": False}
    properties = torch.cuda.get_device_properties(device)
    onnx_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return found | {"name": properties.name, "memory_bytes": properties.total_memory, "onnx_gpu": onnx_gpu}


def _decode(device: str, name: str, folder: str) -> dict[str, Any]:
    """Return how fast the workers of an index build hand over records when nothing is encoded."""
    import torch.utils.data  # noqa: F401  # so that its import is not timed

    from indexer.dataset import FILES_A_WORKER, ImageDataset, ImageRecord, load_records
    from indexer.devices import DeviceEncoders
    from indexer.scan import scan
    from indexer.store.catalog import Root
    from indexer.store.layout import Layout
    from models.decode import DecodeLimits
    from models.registry import get_preprocess, get_spec
    from models.runtime import Runtime

    spec, effort = get_spec(name), effort_for(device)
    files = list(scan(Root(id=1, path=Path(folder))))
    workers = min(count_cpus(), 1 + len(files) // FILES_A_WORKER)
    with DeviceEncoders(spec, Runtime(device=device)) as encoders:
        batch_size = encoders.batch_size
    seconds = []
    for _ in range(effort.rounds):
        with tempfile.TemporaryDirectory(dir=Path(folder).parent, prefix="gpu-thumbnails-") as scratch:
            dataset = ImageDataset(files, get_preprocess(name), spec.image_size, Layout(Path(scratch)), DecodeLimits())
            started = time.perf_counter()
            batches = load_records(dataset, workers=workers, batch_size=batch_size)
            read = sum(isinstance(record, ImageRecord) for batch in batches for record in batch)
            seconds.append(time.perf_counter() - started)
            assert read == len(files), read
    return {"images_s": len(files) / median(seconds), "seconds": seconds, "workers": workers, "batch": batch_size}


def _tower(device: str, name: str, checkpoints: str, exports: str, *forms: str) -> dict[str, Any]:
    """Return the rates of the card, and those of one image tower in each form and batch size."""
    import torch

    found = _measure_card(device)
    measured = {}
    for form in forms:
        weights = checkpoints if form == CHECKPOINT else exports
        label = f"torch, {found['matrix_type']}" if form == CHECKPOINT else f"{form} export"
        measured[form] = {"label": label, **_measure_form(name, device, Path(weights), form)}
        torch.cuda.empty_cache()  # the next form needs the memory; nothing happens on a processor
    again = _measure_card(device)  # what disturbs one time hardly disturbs both
    found |= {key: max(found[key], again[key]) for key in ("matrix_flops_s", "copy_bytes_s")}
    architecture = measured[CHECKPOINT].pop("architecture")
    image_bytes = architecture.side**2 * 3
    sizes = {"architecture": asdict(architecture), "flops": architecture.flops, "image_bytes": image_bytes}
    return {**found, **sizes, "forms": measured}


def _measure_form(name: str, device: str, weights: Path, form: str) -> dict[str, Any]:
    """Return the rates of a tower in one form, or `why` it does not run; of the checkpoint its architecture as well."""
    from models.errors import DeviceUnavailable
    from models.registry import get_published
    from models.runtime import Runtime

    published = get_published(name)
    assert published is not None
    try:
        encoder = published.open_image(Runtime(weights=weights, device=device), form, device)
    except DeviceUnavailable as error:
        return {"why": error.en}
    found: dict[str, Any] = {"architecture": _read_architecture(encoder)} if form == CHECKPOINT else {}
    batches = _measure_batches(encoder, form, device)
    return found | ({"batches": batches} if batches else {"why": "There is no memory for the smallest batch."})


def _measure_card(device: str) -> dict[str, Any]:
    """Return FLOPs a second of a large matrix product, and bytes a second from pinned memory to the card."""
    import torch

    effort, on_gpu = effort_for(device), device != CPU
    dtype = torch.bfloat16 if on_gpu else torch.float32  # what the tower's products are computed in
    side = effort.matrix_side
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    product = torch.empty_like(left)

    def multiply() -> None:
        for _ in range(_PRODUCTS):
            torch.mm(left, right, out=product)

    product_s = _time(multiply, device) / _PRODUCTS
    source = torch.randint(0, 256, (effort.copied_bytes,), dtype=torch.uint8)
    if on_gpu:
        source = source.pin_memory()
    target = torch.empty_like(source, device=device)
    copy_s = _time(lambda: target.copy_(source, non_blocking=True), device)
    return {
        "matrix_flops_s": 2 * side**3 / product_s,
        "matrix_side": side,
        "matrix_type": "bf16" if on_gpu else "fp32",
        "copy_bytes_s": effort.copied_bytes / copy_s,
    }


def _read_architecture(encoder: Any) -> Architecture:
    """Return the sizes of a vision transformer of Chinese-CLIP, as its weights have them."""
    visual = encoder._tower.tower.visual
    width, _, patch, _ = visual.conv1.weight.shape
    blocks = visual.transformer.resblocks
    return Architecture(
        side=encoder.spec.image_size,
        patch=patch,
        width=width,
        layers=len(blocks),
        mlp_ratio=blocks[0].mlp.c_fc.out_features // width,
        dim=visual.proj.shape[1],
    )


def _measure_batches(encoder: Any, form: str, device: str) -> list[dict[str, float]]:
    """Return images a second for each batch size, smallest first, up to the largest there is memory for."""
    import numpy as np

    from models.batches import is_out_of_memory

    side, random, found = encoder.spec.image_size, np.random.default_rng(0), []
    keep = _keep_torch if form == CHECKPOINT else _keep_onnx
    for size in effort_for(device).batches:
        pixels = random.integers(0, 256, (size, side, side, 3), np.uint8)
        encoder._batches.size = size  # in place of the product's own, which would split a larger one
        try:
            included_s = _time(partial(encoder.encode_image, pixels), device)
            excluded_s = _time(keep(encoder, pixels, device), device)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            break
        if encoder._batches.size < size:  # it was halved
            break
        found.append({"batch": size, "included": size / included_s, "excluded": size / excluded_s})
    return found


def _keep_torch(encoder: Any, pixels: Any, device: str) -> Callable[[], object]:
    """Return what encodes pixels that are on the device already; as models.torch_encoder.run does it, less copies."""
    import torch

    batch = torch.from_numpy(pixels).to(device)

    def work() -> None:
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=device != CPU):
            encoder._tower(batch)

    return work


def _keep_onnx(encoder: Any, pixels: Any, device: str) -> Callable[[], object]:
    """Return what runs a session on pixels that are on the device already, its output left there."""
    import onnxruntime

    session, (kind, _, number) = encoder._session, device.partition(":")
    place = (kind, int(number or 0))
    binding = session.io_binding()
    binding.bind_ortvalue_input(encoder._input, onnxruntime.OrtValue.ortvalue_from_numpy(pixels, *place))
    binding.bind_output(session.get_outputs()[0].name, *place)

    def work() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return work


def _time(work: Callable[[], object], device: str) -> float:
    """Return the median seconds of `work`, the device's own included, after two times that are not counted."""
    import torch

    def once() -> float:
        started = time.perf_counter()
        work()
        if device != CPU:
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    effort = effort_for(device)
    once(), once()
    seconds: list[float] = []
    while len(seconds) < effort.repetitions or sum(seconds) < effort.least_s:
        seconds.append(once())
    return median(seconds)


_PROGRAMS: dict[str, Callable[..., dict[str, Any]]] = {"describe": _describe, "decode": _decode, "tower": _tower}

if __name__ == "__main__":
    print(json.dumps(_PROGRAMS[sys.argv[1]](*sys.argv[2:])))
