"""DINOv2: pictures alone, for "the same object, the same scene" (arXiv 2304.07193; with registers: 2309.16588).

A picture's vector is the class token after the last normalisation. Without torch here; see towers.py.
"""

from PIL import Image

from models.encoders.spec import EncoderSpec, Publication, PublishedFigure
from models.pictures.preprocess import ResizeAndCrop

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
# size -> accuracy of the nearest neighbours as published, without and with registers
_NEIGHBOURS = {"small": (79.0, 79.1), "base": (82.1, 82.0), "large": (83.5, 83.8), "giant": (83.5, 83.7)}
_SOURCE = "arXiv 2304.07193, 2309.16588; github.com/facebookresearch/dinov2"


def make_spec(name: str) -> EncoderSpec:
    """Return the description of one size, with or without registers."""
    size = name.rpartition("-")[2]
    width, _, _, parameters = _SIZES[size]
    nearest = _NEIGHBOURS[size][name.startswith(_REGISTERS)]
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
        figures=(PublishedFigure(dataset="ImageNet", measure="k-NN, top-1", value=nearest, source=_SOURCE),),
    )


def architecture(spec: EncoderSpec) -> tuple[int, int, int, int]:
    """Return width, layers, heads and registers."""
    width, layers, heads, _ = _SIZES[spec.name.rpartition("-")[2]]
    return width, layers, heads, 4 if spec.name.startswith(_REGISTERS) else 0


SPECS = tuple(make_spec(f"{family}{size}") for family in ("dinov2-", _REGISTERS) for size in _SIZES)
