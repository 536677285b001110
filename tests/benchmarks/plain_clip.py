"""The plain recipe for Chinese-CLIP, run as a program: plain_clip.py CHECKPOINT FOLDER OUTPUT.

What a user writes today: cn_clip on torch in float32, each JPEG decoded whole with Pillow, cn_clip's own transform, a
DataLoader with a worker a processor, batches of 32, vectors normalised and saved. No thumbnails, no checksums, no
catalog. Prints as JSON the number of pictures, and the seconds from asking for the first batch to the last vector.
"""

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from models.encoders.torch_towers import mend_torchvision
from models.foundation.devices import count_cpus

BATCH = 32
SIDE = 224


class Pictures(Dataset[torch.Tensor]):
    """What the image tower sees of each file."""

    def __init__(self, files: list[Path], transform: Callable[[Image.Image], torch.Tensor]) -> None:
        self.files = files
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> torch.Tensor:
        with Image.open(self.files[number]) as image:
            return self.transform(image)


def main(checkpoint: Path, folder: Path, output: Path) -> None:
    """Write the vectors of the photographs below `folder` to `output`."""
    files = sorted(folder.rglob("*.jpg"))
    model, transform = load(checkpoint)
    loader = DataLoader(Pictures(files, transform), batch_size=BATCH, num_workers=count_cpus())
    started = time.perf_counter()
    with torch.no_grad():
        parts = [normalised(model.encode_image(pixels)) for pixels in loader]
    seconds = time.perf_counter() - started
    np.save(output, np.concatenate(parts))
    print(json.dumps({"pictures": len(files), "seconds": seconds}))


def load(checkpoint: Path) -> tuple[Any, Callable[[Image.Image], torch.Tensor]]:
    """Return cn_clip's ViT-B/16 and its transform."""
    mend_torchvision()
    from cn_clip.clip import load_from_name

    with contextlib.redirect_stdout(io.StringIO()):
        model, transform = load_from_name(
            str(checkpoint),
            device="cpu",
            vision_model_name="ViT-B-16",
            text_model_name="RoBERTa-wwm-ext-base-chinese",
            input_resolution=SIDE,
        )
    return model.eval(), transform  # it comes back in training mode


def encode_text(model: Any, texts: list[str]) -> npt.NDArray[np.float32]:
    """Return the vectors of texts, each filled up to 52 tokens."""
    from cn_clip.clip import tokenize

    with torch.no_grad():
        return normalised(model.encode_text(tokenize(texts)))


def normalised(vectors: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return vectors of unit length."""
    return (vectors / vectors.norm(dim=-1, keepdim=True)).numpy()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
