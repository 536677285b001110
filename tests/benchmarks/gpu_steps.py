"""Single steps of indexing on a GPU, each measured in a process of its own.

Run as a program it prints what one found, as JSON: gpu_steps.py describe DEVICE, decode DEVICE ENCODER FOLDER, or
tower DEVICE ENCODER CHECKPOINTS EXPORTS FORM...
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tables import describe_machine

from models.encoders.published import CHECKPOINT
from models.foundation.devices import CPU, count_cpus

_PRODUCTS = 4  # at a time, so that launching one costs nothing


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


def _describe(device: str) -> dict[str, Any]:
    """Return what there is to measure on, or `why` there is nothing."""
    import onnxruntime
    import torch

    from models.encoders.torch import prepare
    from models.foundation.errors import DeviceUnavailable

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

    from indexer.library.layout import Layout
    from indexer.library.sources.items import Root
    from indexer.library.sources.kinds import open_source
    from indexer.library.sources.port import ScanContext
    from indexer.pipeline.engines.devices import DeviceEncoders
    from indexer.pipeline.read import FILES_A_WORKER, EncoderView, ImageDataset, ImageRecord, load_records
    from models.encoders.registry import get_preprocess, get_spec
    from models.encoders.runtime import Runtime

    spec, effort = get_spec(name), effort_for(device)
    source = open_source(Root(id=1, path=Path(folder)))
    files = list(source.scan(ScanContext()))
    workers = min(count_cpus(), 1 + len(files) // FILES_A_WORKER)
    with DeviceEncoders(spec, Runtime(device=device)) as encoders:
        batch_size = encoders.batch_size
    seconds = []
    for _ in range(effort.rounds):
        with tempfile.TemporaryDirectory(dir=Path(folder).parent, prefix="gpu-thumbnails-") as scratch:
            views = {name: EncoderView(get_preprocess(name), spec.image_size)}
            dataset = ImageDataset(files, {1: source}, views, Layout(Path(scratch)))
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
    from models.encoders.registry import get_published
    from models.encoders.runtime import Runtime
    from models.foundation.errors import DeviceUnavailable

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

    from models.encoders.batches import is_out_of_memory

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
    """Return what encodes pixels that are on the device already; as models.encoders.torch.run does it, less copies."""
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
