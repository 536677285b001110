"""DINOv2: pictures alone, for "the same object, the same scene" (arXiv 2304.07193; with registers: 2309.16588).

A picture's vector is the class token after the last normalisation. Without torch here; see models/towers.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from models.family import Family
from models.preprocess import ResizeAndCrop
from models.spec import EncoderSpec, Publication

if TYPE_CHECKING:
    from models.family import Towers

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
PREPROCESS = ResizeAndCrop(shorter=256, side=224, resample=Image.Resampling.BICUBIC)

# size -> (width, layers, heads, parameters)
_SIZES = {
    "small": (384, 12, 6, 22_000_000),
    "base": (768, 12, 12, 87_000_000),
    "large": (1024, 24, 16, 304_000_000),
    "giant": (1536, 40, 24, 1_136_000_000),
}
_REGISTERS = "dinov2-with-registers-"


def make_spec(name: str) -> EncoderSpec:
    """Return the description of one size, with or without registers."""
    width, _, _, parameters = _SIZES[name.rpartition("-")[2]]
    return EncoderSpec(
        name=name,
        space=name,
        dim=width,
        image_size=PREPROCESS.side,
        context_length=0,
        languages=(),
        preprocess=repr(PREPROCESS),
        license="Apache-2.0",
        parameters=parameters,
        publication=Publication(
            huggingface=f"facebook/{name}",
            modelscope=f"facebook/{name}",
            checkpoints=(("model.safetensors",), ("pytorch_model.bin",)),
        ),
    )


def architecture(spec: EncoderSpec) -> tuple[int, int, int, int]:
    """Return width, layers, heads and registers."""
    width, layers, heads, _ = _SIZES[spec.name.rpartition("-")[2]]
    return width, layers, heads, 4 if spec.name.startswith(_REGISTERS) else 0


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> "Towers":
    """Return the image tower on torch."""
    from models.towers import hugging

    return hugging.load_dinov2(spec, checkpoint)


SPECS = tuple(make_spec(f"{family}{size}") for family in ("dinov2-", _REGISTERS) for size in _SIZES)
FAMILY = Family(specs=SPECS, make_preprocess=lambda _: PREPROCESS, load_towers=load_towers)
