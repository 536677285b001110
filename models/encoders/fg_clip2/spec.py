"""FG-CLIP 2: pictures and text in Chinese and English, trained for detail (arXiv 2510.10921).

Pictures keep their aspect ratio and are cut into patches, as in SigLIP 2's NaFlex form. The authors give a picture
128, 256, 576, 784 or 1024 patches by its size, so that nearly every photograph costs 1024. Here every picture is scaled
to at most 576, the middle of what it was trained with: arrays of one shape go through batches, for about half of the
work. The number stands in `preprocess`, so it is part of the fingerprint.

Each size is here twice, over the same checkpoint: read by the head for short texts, always at 64 tokens, and by the one
for long texts, always at 196, padding included, as in training. The vectors of the two heads differ, so they are two
encoders, and the head stands in the space. Without torch here; see towers.py.
"""

from dataclasses import dataclass

from PIL import Image

from models.encoders.spec import EncoderSpec, Publication, PublishedFigure
from models.pictures.preprocess import Patches

MEAN = STD = (0.5, 0.5, 0.5)
PATCH_SIDE, MAX_PATCHES = 16, 576
PREPROCESS = Patches(side=PATCH_SIDE, most=MAX_PATCHES, resample=Image.Resampling.BILINEAR)
CONTEXT_LENGTHS = {"short": 64, "long": 196}
VOCABULARY_SIZE = 256_000
KEPT_POSITIONS = 20  # of a long text, from its beginning, that have position embeddings of their own

_LONG = "-long"
_SOURCE = "arXiv 2510.10921, best size, 1024 patches (wizwand.com)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FgClip2Size:
    """The shape of both towers, which are alike, the parameters of the checkpoint, and its commit on Hugging Face."""

    width: int
    layers: int
    heads: int
    inner: int
    parameters: int
    revision: str
    recall: tuple[tuple[str, float], ...] = ()  # R@1 of short captions by data set, as published


_SIZES = {
    "fg-clip2-base": FgClip2Size(
        width=768,
        layers=12,
        heads=12,
        inner=3072,
        parameters=384_000_000,
        revision="430fbc8a912c86fd4de601381b6245a0edab22f0",
    ),
    "fg-clip2-large": FgClip2Size(
        width=1024,
        layers=24,
        heads=16,
        inner=4096,
        parameters=897_000_000,
        revision="4d1d5dc35c716902f07c172dbfc23b82a7bc6bf3",
    ),
    "fg-clip2-so400m": FgClip2Size(
        width=1152,
        layers=27,
        heads=16,
        inner=4304,
        parameters=1_154_000_000,
        revision="d57d30fe94a107dd6a2610eb4e9a135004d823a4",
        recall=(("Flickr30K-CN", 77.2), ("Flickr30K", 85.0), ("COCO", 56.7)),
    ),
}


def make_spec(name: str) -> EncoderSpec:
    """Return the description of one size with one of its heads: "fg-clip2-base", "fg-clip2-base-long", ..."""
    checkpoint, size, head = name.removesuffix(_LONG), size_of(name), head_of(name)
    return EncoderSpec(
        name=name,
        space=f"{checkpoint}-{head}",
        dim=size.width,
        image_size=384,  # the square of as many pixels
        context_length=CONTEXT_LENGTHS[head],
        languages=("zh", "en"),
        preprocess=repr(PREPROCESS),
        license="Apache-2.0",
        parameters=size.parameters,
        templates=True,  # as its authors encode names of things to classify pictures
        publication=Publication(
            huggingface=f"qihoo360/{checkpoint}",
            modelscope=f"360zhinao/{checkpoint}",
            checkpoints=(("model.safetensors", "tokenizer.json"),),
            revision=size.revision,
        ),
        figures=tuple(
            PublishedFigure(dataset=dataset, measure="text -> image, R@1", value=value, source=_SOURCE)
            for dataset, value in (size.recall if head == "short" else ())
        ),
    )


def size_of(name: str) -> FgClip2Size:
    """Return the shape of an encoder's towers."""
    return _SIZES[name.removesuffix(_LONG)]


def head_of(name: str) -> str:
    """Return which head reads texts: "short" or "long"."""
    return "long" if name.endswith(_LONG) else "short"


def guess_name(width: int) -> str:
    """Return the encoder whose checkpoint is that wide, or nothing."""
    return next((name for name, size in _SIZES.items() if size.width == width), "")


SPECS = tuple(make_spec(f"{name}{head}") for name in _SIZES for head in ("", _LONG))
