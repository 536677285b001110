"""SigLIP 2: pictures and text in many languages, strongest in English (arXiv 2502.14786).

Text is always read at 64 tokens, padding included, as in training. Without torch here; see towers.py.
"""

from PIL import Image

from models.encoders.encoder import Preprocess
from models.encoders.spec import EncoderSpec, Publication
from models.pictures.preprocess import Squash

MEAN = STD = (0.5, 0.5, 0.5)

# name -> (width, layers, heads, inner width, patch, side, parameters); both towers are alike
_SIZES = {
    "siglip2-base-patch16-224": (768, 12, 12, 3072, 16, 224, 375_000_000),
    "siglip2-so400m-patch14-384": (1152, 27, 16, 4304, 14, 384, 1_136_000_000),
}


def make_spec(name: str) -> EncoderSpec:
    """Return the description of one size."""
    width, *_, side, parameters = _SIZES[name]
    return EncoderSpec(
        name=name,
        space=name,
        dim=width,
        image_size=side,
        context_length=64,
        languages=("en", "zh"),
        preprocess=repr(make_preprocess(side)),
        license="Apache-2.0",
        parameters=parameters,
        templates=True,  # as its authors encode names of things to classify pictures
        publication=Publication(
            huggingface=f"google/{name}",
            modelscope=f"google/{name}",
            checkpoints=(("model.safetensors", "tokenizer.json"),),
        ),
    )


def make_preprocess(side: int) -> Preprocess:
    """Return the resize of the published checkpoints: to a square, bilinear, nothing cropped."""
    return Squash(sides=(side,), resample=Image.Resampling.BILINEAR)


def architecture(spec: EncoderSpec) -> tuple[int, int, int, int, int]:
    """Return width, layers, heads, inner width and patch side."""
    width, layers, heads, inner, patch, _, _ = _SIZES[spec.name]
    return width, layers, heads, inner, patch


SPECS = tuple(make_spec(name) for name in _SIZES)
