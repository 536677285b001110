"""DINOv3: pictures alone, for "the same object, the same scene" (arXiv 2508.10104).

A picture's vector is the class token after the last normalisation. The weights come under a licence of their own, the
DINOv3 License, which a person accepts before they are fetched. Without torch here; see towers.py.
"""

from dataclasses import dataclass

from PIL import Image

from models.encoders.spec import EncoderSpec, Publication
from models.pictures.preprocess import Squash

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
PATCH_SIDE, SIDE, REGISTERS = 16, 224, 4
PREPROCESS = Squash(sides=(SIDE,), resample=Image.Resampling.BILINEAR)
LICENCE = "DINOv3 License"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dinov3Size:
    """The shape of the tower, the parameters of the checkpoint, and its commit on Hugging Face."""

    width: int
    layers: int
    heads: int
    inner: int
    parameters: int
    revision: str


_SIZES = {
    "dinov3-vits16": Dinov3Size(
        width=384,
        layers=12,
        heads=6,
        inner=1536,
        parameters=22_000_000,
        revision="114c1379950215c8b35dfcd4e90a5c251dde0d32",
    ),
    "dinov3-vitb16": Dinov3Size(
        width=768,
        layers=12,
        heads=12,
        inner=3072,
        parameters=86_000_000,
        revision="5931719e67bbdb9737e363e781fb0c67687896bc",
    ),
    "dinov3-vitl16": Dinov3Size(
        width=1024,
        layers=24,
        heads=16,
        inner=4096,
        parameters=303_000_000,
        revision="ea8dc2863c51be0a264bab82070e3e8836b02d51",
    ),
}


def make_spec(name: str) -> EncoderSpec:
    """Return the description of one size."""
    size, repository = size_of(name), f"facebook/{name}-pretrain-lvd1689m"
    return EncoderSpec(
        name=name,
        space=name,
        dim=size.width,
        image_size=SIDE,
        context_length=0,
        languages=(),
        preprocess=repr(PREPROCESS),
        license=LICENCE,
        parameters=size.parameters,
        publication=Publication(
            huggingface=repository,
            modelscope=repository,
            checkpoints=(("model.safetensors",),),
            revision=size.revision,
            terms="https://ai.meta.com/resources/models-and-libraries/dinov3-license",
        ),
    )


def size_of(name: str) -> Dinov3Size:
    """Return the shape of an encoder's tower."""
    return _SIZES[name]


SPECS = tuple(make_spec(name) for name in _SIZES)
