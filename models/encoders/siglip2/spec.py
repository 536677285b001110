"""SigLIP 2: pictures and text in many languages, strongest in English (arXiv 2502.14786).

Text is always read at 64 tokens, padding included, as in training, and in lower case: xuntu's own tokenizer does that
(models/language/subword_tokenizers.py), whatever version of transformers is there, over the tokenizer.json that lies
beside the weights, whose checksum is part of the fingerprint. Without torch here; see towers.py.
"""

from dataclasses import dataclass

from PIL import Image

from models.encoders.encoder import Preprocess
from models.encoders.spec import EncoderSpec, Publication, PublishedFigure
from models.pictures.preprocess import Squash

MEAN = STD = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class TowerSize:
    """The shape of a transformer."""

    width: int
    layers: int
    heads: int
    inner: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Siglip2Size:
    """Both towers, the side of a patch and of a picture, and the checkpoint: its parameters, commit and files."""

    image: TowerSize
    text: TowerSize
    patch: int
    side: int
    parameters: int
    revision: str
    weights: tuple[str, ...] = ("model.safetensors",)
    imagenet: float = 0.0  # its accuracy without training, as published; 0 where none was found


_BASE = TowerSize(768, 12, 12, 3072)
_SO400M = TowerSize(1152, 27, 16, 4304)

_SOURCE = "arXiv 2502.14786, as listed by open_clip"

_SIZES = {
    "siglip2-base-patch16-224": Siglip2Size(
        image=_BASE,
        text=_BASE,
        patch=16,
        side=224,
        parameters=375_000_000,
        revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
    ),
    "siglip2-base-patch16-256": Siglip2Size(
        image=_BASE,
        text=_BASE,
        patch=16,
        side=256,
        parameters=375_000_000,
        revision="3f9f96cb90da5dbc758b01813f2f6f1aee24c1ab",
    ),
    "siglip2-so400m-patch14-384": Siglip2Size(
        image=_SO400M,
        text=_SO400M,
        patch=14,
        side=384,
        parameters=1_136_000_000,
        revision="e8e487298228002f3d8a82e0cd5c8ea9c567f57f",
    ),
    "siglip2-so400m-patch16-384": Siglip2Size(
        image=_SO400M,
        text=_SO400M,
        patch=16,
        side=384,
        parameters=1_136_000_000,
        revision="dd658faac399427308559e2c3ac1e99cbe43845d",
        imagenet=84.1,
    ),
    "siglip2-giant-opt-patch16-384": Siglip2Size(
        image=TowerSize(1536, 40, 16, 6144),
        text=_SO400M,
        patch=16,
        side=384,
        parameters=1_872_000_000,
        revision="a713301b217d38485fb2204c808367d10bc3cc40",
        imagenet=85.0,
        weights=("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
    ),
}


def make_spec(name: str) -> EncoderSpec:
    """Return the description of one size."""
    size = size_of(name)
    return EncoderSpec(
        name=name,
        space=name,
        dim=size.image.width,
        image_size=size.side,
        context_length=64,
        languages=("en", "zh"),
        preprocess=repr(make_preprocess(size.side)),
        license="Apache-2.0",
        parameters=size.parameters,
        templates=True,  # as its authors encode names of things to classify pictures
        publication=Publication(
            huggingface=f"google/{name}",
            modelscope=f"google/{name}",
            checkpoints=((*size.weights, "tokenizer.json"),),
            revision=size.revision,
        ),
        figures=(PublishedFigure(dataset="ImageNet", measure="zero-shot, top-1", value=size.imagenet, source=_SOURCE),)
        if size.imagenet
        else (),
    )


def make_preprocess(side: int) -> Preprocess:
    """Return the resize of the published checkpoints: to a square, bilinear, nothing cropped."""
    return Squash(sides=(side,), resample=Image.Resampling.BILINEAR)


def size_of(name: str) -> Siglip2Size:
    """Return the shape of an encoder's towers."""
    return _SIZES[name]


SPECS = tuple(make_spec(name) for name in _SIZES)
