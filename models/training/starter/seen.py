"""What a classifier sees of pictures: of views while it learns, and of whole pictures once for all."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.starter.efficientnet import CHANNELS, CLASSES, EfficientNetLite, standardised
from models.training.starter.pack import Pixels, Tell
from models.training.starter.towers import PICTURE_FEATURES, pooled
from models.training.starter.views import draw_whole

_BLOCK = 96  # pictures at once


def look(net: EfficientNetLite, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a net makes of bytes (n, side, side, 3), in bfloat16: features and logits."""
    ready = standardised(pixels.permute(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        features, _ = pooled(net, ready)
    return features, net.classify(features[:, :CHANNELS])


def see_whole(net: EfficientNetLite, pixels: Pixels, side: int, path: Path, tell: Tell) -> NDArray[np.float16]:
    """Return features of every picture, and how likely each class is: (n, PICTURE_FEATURES + CLASSES); kept in `path`.

    Pictures are looked at once, whole, at side x side pixels.
    """
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        shape = (len(pixels), PICTURE_FEATURES + CLASSES)
        seen = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=shape)
        net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for rows in blocks(np.arange(len(pixels))):
            with torch.inference_mode():
                features, logits = look(net, torch.from_numpy(draw_whole(pixels, rows, side)))
            seen[rows] = torch.cat([features, logits.softmax(-1)], dim=1).numpy()
            tell("pictures", int(rows[-1]) + 1, len(pixels))
        seen.flush()
        unfinished.replace(path)
    stored: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return stored


def blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows in blocks that are looked at together."""
    return np.array_split(rows, max(1, -(-len(rows) // _BLOCK)))
