"""The trained towers -> the ONNX files of the built-in encoder, 8 bits a weight."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.training.starter.efficientnet import standardised
from models.training.starter.towers import JointImageTower, JointTextTower
from models.weights.export import silence

_OPSET = 17
_BATCH = 32
_SMALL = 4_096  # numbers, of a weight that is kept as it is


def write_graphs(folder: Path, image: JointImageTower, text: JointTextTower, calibration: NDArray[np.uint8]) -> None:
    """Write image_int8.onnx and text.onnx into `folder`.

    `calibration` (n, side, side, 3) are pictures as the tower will see them; they give the range of every stage.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_image(folder / "image_int8.onnx", image.eval(), calibration)
    _shrink(folder / "image_int8.onnx")
    example = torch.ones(2, 12, dtype=torch.int32)
    axes = {"tokens": {0: "n", 1: "length"}, "embedding": {0: "n"}}
    _trace(text.eval(), example, folder / "text.onnx", "tokens", axes)
    _shrink(folder / "text.onnx")


class _FromBytes(nn.Module):
    """The image tower over bytes (n, side, side, 3)."""

    def __init__(self, tower: JointImageTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, image: Tensor) -> Tensor:
        """Pixels uint8 (n, side, side, 3) -> unit vectors (n, DIM)."""
        vectors: Tensor = self.tower(standardised(image.permute(0, 3, 1, 2)))
        return vectors


def _write_image(path: Path, tower: JointImageTower, calibration: NDArray[np.uint8]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    axes = {"image": {0: "n"}, "embedding": {0: "n"}}
    with tempfile.TemporaryDirectory() as scratch, silence():
        exact, prepared = Path(scratch) / "exact.onnx", Path(scratch) / "prepared.onnx"
        _trace(_FromBytes(tower), torch.from_numpy(calibration[:2]), exact, "image", axes)
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _ViewCalibration(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,  # 7 bits: no processor overflows where it adds up products of pairs
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Add", "Clip"],  # the heads are small, and lose most
        )


class _ViewCalibration:
    """Feeds pictures to the calibration of static quantisation."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (
            pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch as the graph takes it."""
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}


def _shrink(path: Path) -> None:
    """Store the larger weights of a graph with 8 bits a number and a scale for each output; they are read as 32."""
    import onnx

    model = onnx.load(path)
    for weight in [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]:
        values = onnx.numpy_helper.to_array(weight)
        if values.size < _SMALL or 1 in values.shape or values.ndim < 2:
            continue
        outputs = 1 if values.ndim == 2 else 0  # of a matrix product, or a convolution
        others = tuple(axis for axis in range(values.ndim) if axis != outputs)
        scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12) / 127
        name = weight.name
        rounded = onnx.numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}_8")
        weight.CopyFrom(rounded)
        model.graph.initializer.append(onnx.numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        cast = onnx.helper.make_node("Cast", [f"{name}_8"], [f"{name}_whole"], to=onnx.TensorProto.FLOAT)
        scaled = onnx.helper.make_node("Mul", [f"{name}_whole", f"{name}_scale"], [name])
        model.graph.node.insert(0, cast)
        model.graph.node.insert(1, scaled)
    onnx.save(model, path)


def _trace(module: nn.Module, example: Tensor, path: Path, name: str, axes: dict[str, dict[int, str]]) -> None:
    with silence():
        torch.onnx.export(
            module.eval(),
            (example,),
            str(path),
            input_names=[name],
            output_names=["embedding"],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
