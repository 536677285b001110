"""Checkpoint on torch -> ONNX: any batch, any text length, smaller numbers where asked for; and proof of the vectors.

Every export is compared with the original over real pictures, where there are any, and synthetic ones; one that is not
the original's equal is refused, and nothing of it is kept.
"""

import contextlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.encoders.encoder import Preprocess
from models.encoders.family import Towers
from models.encoders.onnx import open_session, pad_ids
from models.encoders.published import Published
from models.encoders.spec import WeightFile
from models.encoders.weights_folder import GOLDEN_FILE, EncoderFolder, Export
from models.foundation.devices import CPU
from models.foundation.errors import BackendNotInstalled, ExportRefused
from models.foundation.files import replace_file, sha256_of, sync_folder
from models.foundation.messages import Readable, mark, message
from models.foundation.vectors import Vectors, l2_normalize
from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError
from models.pictures.files import read_image_file
from models.weights.golden import make_pictures, make_texts
from models.weights.verify import LEAST_COSINE, run_golden, write_golden

PARITY_INPUTS = 256
_OPSET = 17
_BATCH = 8
_SCRATCH = ".export-"
_NEIGHBOURS = 10
_CALIBRATION_PICTURES = 96

OnStep = Callable[[Readable | str, int, int], None]  # what is being done, steps done, steps in all


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tower:
    """A tower, the inputs it is tried on, and what it makes of them."""

    name: str  # "image" | "text"
    module: Any
    inputs: Sequence[npt.NDArray[Any]]  # batches
    original: Vectors


def export(
    published: Published,
    folder: EncoderFolder,
    precisions: Sequence[str],
    *,
    pictures: Sequence[Path] = (),
    on_step: OnStep = lambda *_: None,
) -> list[Export]:
    """Export both towers in each of `precisions`, and record them.

    `pictures` are files of the library the encoder is for: parity is measured on them, and static quantisation
    calibrated. Raises NotExportable, BackendNotInstalled, ExportRefused, WeightsMissing, WeightsCorrupt,
    WeightsUnsuitable, WeightsBusy or WeightsUnwritable.
    """
    for precision in precisions:
        published.check_exportable(precision)
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise BackendNotInstalled("onnx", "torch") from error
    with folder.explaining(), folder.locked():
        return _export(published, folder, precisions, pictures, on_step)


def _export(
    published: Published,
    folder: EncoderFolder,
    precisions: Sequence[str],
    pictures: Sequence[Path],
    on_step: OnStep,
) -> list[Export]:
    on_step(mark("load"), 0, 1)
    towers = published.load_towers(folder)
    read = _read_pictures(pictures, published.spec.image_size)
    for leftover in folder.path.glob(f"{_SCRATCH}*"):  # of an export that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    exports = []
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder.path) as scratch:
        for name, module in zip(("image", "text"), towers, strict=True):
            if module is None:
                continue
            inputs = _image_inputs(published, read) if name == "image" else _text_inputs(published, folder)
            tower = _Tower(name=name, module=module, inputs=inputs, original=_originals(module, name, inputs, on_step))
            graph = _trace(tower, Path(scratch) / f"{name}.onnx")
            for precision in precisions:
                on_step(f"{name} {precision}", 0, 1)
                # A new name each time: a service may have the files of the last export open.
                path = _convert(tower, graph, precision, Path(scratch) / f"{name}-{precision}-{token_hex(3)}.onnx")
                exports.append(_check(tower, path, precision, published, on_step, real=len(read)))
        exports = _keep(published, folder, exports, Path(scratch))
    write_golden(folder.path / GOLDEN_FILE, _golden(published, folder, towers))
    return exports


def _keep(published: Published, folder: EncoderFolder, exports: list[Export], scratch: Path) -> list[Export]:
    """Move the files of accepted exports into the encoder's folder, record them, and delete those they replace."""
    record, kept = folder.record(), []
    for export in exports:
        files = list(export.files)
        for file in files:
            with (scratch / file.name).open("rb") as written:
                os.fsync(written.fileno())
            (scratch / file.name).replace(folder.path / file.name)
        if export.tower == "text":
            tokenizer = folder.path / published.family.tokenizer_file
            replace_file(tokenizer, published.family.find_tokenizer(folder).read_bytes())
            files.append(WeightFile(name=tokenizer.name, sha256=sha256_of(tokenizer)))
        kept.append(replace(export, files=tuple(files)))
        record = record.with_export(kept[-1])
    sync_folder(folder.path)
    folder.write(record)
    folder.sweep(record)
    return kept


def _golden(published: Published, folder: EncoderFolder, towers: Towers) -> dict[str, Vectors]:
    from models.encoders.torch import TorchImageEncoder, TorchTextEncoder

    spec, (image, text) = published.spec, towers
    preprocess = published.family.make_preprocess(spec)
    return run_golden(
        TorchImageEncoder(spec, preprocess, image, device=CPU, batch_size=_BATCH),
        TorchTextEncoder(spec, published.load_tokenizer(folder), text, device=CPU) if text is not None else None,
    )


def _trace(tower: _Tower, path: Path) -> Path:
    """Write the tower in float32 as it is traced, its batch and its text length left open."""
    import torch

    example = torch.from_numpy(tower.inputs[0][:2])
    name = "pixels" if tower.name == "image" else "ids"
    axes = {name: {0: "n"} if tower.name == "image" else {0: "n", 1: "length"}, "embedding": {0: "n"}}
    with silence():
        torch.onnx.export(
            tower.module,
            (example,),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=[name],
            output_names=["embedding"],
            dynamic_axes=axes,
        )
    return path


def _convert(tower: _Tower, graph: Path, precision: str, target: Path) -> Path:
    """Write the traced graph in a precision, its weights in one file beside it."""
    import onnx

    with silence():
        if precision == "int8":
            _quantise(tower, graph, target)
            model = onnx.load(target)
            for stale in target.parent.glob(f"{target.name}*"):
                stale.unlink()
        else:
            model = onnx.load(graph)
            if precision == "fp16":
                from onnxruntime.transformers.float16 import convert_float_to_float16

                model = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
        onnx.save_model(
            model,
            target,
            save_as_external_data=True,
            all_tensors_to_one_file=True,
            location=f"{target.name}.data",
            size_threshold=1024,
        )
    for data in target.parent.glob(f"{target.name}.data"):  # none where no tensor is large
        data.chmod(target.stat().st_mode)
    return target


def _quantise(tower: _Tower, graph: Path, target: Path) -> None:
    """Write an int8 graph. Weights keep 7 bits, so that no processor overflows where it adds up products of pairs.

    Matrix products find the range of their inputs as they run. A tower of convolutions, which cannot, is calibrated on
    the pictures it is tried on. The first convolution of a transformer costs little and stays as it is.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    shared: dict[str, Any] = {
        "per_channel": True,
        "reduce_range": True,
        "weight_type": QuantType.QInt8,
        "use_external_data_format": True,
    }
    if tower.name == "image" and _convolutions(graph) > 1:
        quantize_static(
            graph,
            target,
            _PictureCalibration(tower.inputs),
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            **shared,
        )
    else:
        quantize_dynamic(graph, target, op_types_to_quantize=["MatMul", "Gemm"], **shared)


class _PictureCalibration:
    """Feeds pictures, real ones first, to the calibration of static quantisation."""

    def __init__(self, batches: Sequence[npt.NDArray[Any]]) -> None:
        self._batches = iter(batches[: _CALIBRATION_PICTURES // _BATCH])

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the next batch as the graph takes it."""
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


def _convolutions(graph: Path) -> int:
    import onnx

    return sum(node.op_type == "Conv" for node in onnx.load(graph, load_external_data=False).graph.node)


def _originals(module: Any, name: str, inputs: Sequence[npt.NDArray[Any]], on_step: OnStep) -> Vectors:
    """Return the unit vectors that torch makes of the inputs, in float32."""
    from models.encoders.torch import prepare, run

    device = prepare("cpu")
    parts = []
    for number, batch in enumerate(inputs):
        on_step(message("{tower} original", tower=name), number, len(inputs))
        parts.append(run(module, batch, device))
    return l2_normalize(np.concatenate(parts))


def _check(tower: _Tower, path: Path, precision: str, published: Published, on_step: OnStep, *, real: int) -> Export:
    """Compare an export with the original. Raises ExportRefused."""
    session = open_session(path)
    name = session.get_inputs()[0].name
    parts = []
    for number, batch in enumerate(tower.inputs):
        on_step(f"{tower.name} {precision}", number, len(tower.inputs))
        parts.append(session.run(None, {name: batch})[0])
    vectors = l2_normalize(np.concatenate(parts))
    cosines = (vectors * tower.original).sum(axis=1)
    least = LEAST_COSINE.get(precision, -1.0)  # int8 is reported, and left to the person
    lowest = float(np.nan_to_num(cosines, nan=-1).min())
    if lowest < least:
        raise ExportRefused(published.spec.name, tower.name, precision, cosine=lowest, least=least)
    return Export(
        tower=tower.name,
        precision=precision,
        files=tuple(
            WeightFile(name=file.name, sha256=sha256_of(file)) for file in sorted(path.parent.glob(f"{path.name}*"))
        ),
        inputs=len(vectors),
        pictures=real if tower.name == "image" else 0,
        min_cosine=round(lowest, 6),
        mean_cosine=round(float(cosines.mean()), 6),
        neighbours_kept=round(_neighbours_kept(tower.original, vectors), 4),
    )


def _neighbours_kept(original: Vectors, vectors: Vectors) -> float:
    """Return the mean share of each input's ten nearest, among all of them, that are among its ten nearest still."""
    nearest = []
    for rows in (original, vectors):
        scores = rows @ rows.T
        np.fill_diagonal(scores, -np.inf)
        nearest.append(np.argsort(-scores, axis=1, kind="stable")[:, :_NEIGHBOURS])
    shared = [len(np.intersect1d(*pair)) for pair in zip(*nearest, strict=True)]
    return float(np.mean(shared)) / _NEIGHBOURS


def _image_inputs(published: Published, read: list[Image.Image]) -> list[npt.NDArray[Any]]:
    preprocess: Preprocess = published.family.make_preprocess(published.spec)
    pictures = [*read, *make_pictures(PARITY_INPUTS - len(read))]
    pixels = np.stack([preprocess(picture) for picture in pictures])
    return [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]


def _text_inputs(published: Published, folder: EncoderFolder) -> list[npt.NDArray[Any]]:
    """Return batches of different lengths; within a batch the shorter texts are padded."""
    tokenizer = published.load_tokenizer(folder)
    texts = make_texts(PARITY_INPUTS)
    batches = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
    return [pad_ids(tokenizer, batch, published.spec.name) for batch in batches]


def _read_pictures(paths: Sequence[Path], side: int) -> list[Image.Image]:
    """Return the pictures that can be read, at most three quarters of the parity inputs."""
    found: list[Image.Image] = []
    for path in paths:
        if len(found) == PARITY_INPUTS * 3 // 4:
            break
        with contextlib.suppress(DecodeError):
            found.append(decode_image(read_image_file(path), short_side=2 * side).image)
    return found


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep exporters from speaking of what a check of their graphs answers."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
