"""The trained towers -> the ONNX files of the built-in encoder, 8 bits a weight."""

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.training.starter.image_distillation import standardised
from models.training.starter.towers import DIM, StarterImageTower, StarterTextTower
from models.weights.export import silence

_OPSET = 17
_BATCH = 32


def write_graphs(
    folder: Path, image: StarterImageTower, text: StarterTextTower, calibration: NDArray[np.uint8]
) -> None:
    """Write image_int8.onnx and text.onnx into `folder`.

    `calibration` (n, side, side, 3) are pictures as the tower will see them; they give the range of every stage.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_image(folder / "image_int8.onnx", image.eval(), calibration)
    example = torch.ones(2, 12, dtype=torch.int32)
    axes = {"tokens": {0: "n", 1: "length"}, "embedding": {0: "n"}}
    _trace(_SmallText(text.eval()), example, folder / "text.onnx", "tokens", axes)
    _halve(folder / "text.onnx")


class _SmallText(nn.Module):
    """The text tower with 8 bits a number in its table, each row with its own scale."""

    def __init__(self, tower: StarterTextTower) -> None:
        super().__init__()
        table = tower.table.weight.detach()
        scale = table.abs().amax(1, keepdim=True).clamp_min(1e-6) / 127
        self.table: Tensor
        self.scale: Tensor
        self.importance: Tensor
        self.register_buffer("table", (table / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("importance", tower.importance.weight.detach().clone())
        self.tower = tower

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens int32 (n, length) -> unit vectors (n, DIM)."""
        ids = tokens.long()
        absent = (ids == 0).float()
        weight = torch.softmax(self.importance[ids][..., 0] - 1e4 * absent, -1) * (1 - absent)
        mean = (weight[:, None] @ (self.table[ids].float() * self.scale[ids]))[:, 0]
        return self.tower.finish(mean)


class _ByteWeights(nn.Module):
    """The image tower over bytes (n, side, side, 3) and their mirror image, its normalisation folded into convolutions.

    The mean of both says more than either: a picture and its mirror image show the same.
    """

    def __init__(self, tower: StarterImageTower) -> None:
        super().__init__()
        self.tower = tower
        for module in tower.modules():
            if isinstance(module, nn.Sequential):
                for place, (first, second) in enumerate(pairwise(list(module))):
                    if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                        module[place], module[place + 1] = fuse_conv_bn_eval(first, second), nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """Pixels uint8 (n, side, side, 3) -> unit vectors (n, DIM)."""
        pixels = standardised(image.permute(0, 3, 1, 2))
        vectors: Tensor = self.tower(torch.cat([pixels, pixels.flip(3)]))
        return functional.normalize(vectors.reshape(2, -1, DIM).sum(0), dim=-1)


def _write_image(path: Path, tower: StarterImageTower, calibration: NDArray[np.uint8]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    axes = {"image": {0: "n"}, "embedding": {0: "n"}}
    with tempfile.TemporaryDirectory() as scratch, silence():
        exact, prepared = Path(scratch) / "exact.onnx", Path(scratch) / "prepared.onnx"
        _trace(_ByteWeights(tower), torch.from_numpy(calibration[:2]), exact, "image", axes)
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
            op_types_to_quantize=["Conv", "Add", "Relu"],
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


def _halve(path: Path) -> None:
    """Store the larger weights of a graph with 16 bits a number; they are read as 32."""
    import onnx

    model = onnx.load(path)
    for weight in [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]:
        values = onnx.numpy_helper.to_array(weight)
        if values.ndim == 2 and values.shape[1] > 1:
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_16"))
            cast = onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT)
            model.graph.node.insert(0, cast)
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
