"""Chinese-CLIP in its five sizes: pictures and Chinese text in one space (arXiv 2211.01335).

Without torch: what they are, and how they see pictures. The towers are in towers.py.
"""

from PIL import Image

from models.encoders.encoder import Preprocess
from models.encoders.spec import EncoderSpec, Publication, PublishedFigure
from models.pictures.preprocess import Squash

# cn_clip resizes before it converts to RGB; decoding has converted already, so palettes and transparency come out as
# a person sees them. For RGB pictures the two are the same.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

# name -> (cn_clip's configurations of the two towers, repository, checkpoint, dim, side, parameters)
_SIZES = {
    "rn50": ("RN50", "RBT3-chinese", "rn50", 1024, 224, 77_000_000),
    "vit-b-16": ("ViT-B-16", "RoBERTa-wwm-ext-base-chinese", "vit-base-patch16", 512, 224, 188_000_000),
    "vit-l-14": ("ViT-L-14", "RoBERTa-wwm-ext-base-chinese", "vit-large-patch14", 768, 224, 406_000_000),
    "vit-l-14-336": ("ViT-L-14-336", "RoBERTa-wwm-ext-base-chinese", "vit-large-patch14-336px", 768, 336, 407_000_000),
    "vit-h-14": ("ViT-H-14", "RoBERTa-wwm-ext-large-chinese", "vit-huge-patch14", 1024, 224, 958_000_000),
}

# size -> R@1 of captions without fine-tuning, as the authors published it: Flickr30K-CN, MUGE
_RECALL = {
    "rn50": (48.8, 42.6),
    "vit-b-16": (62.7, 52.1),
    "vit-l-14": (68.0, 56.3),
    "vit-l-14-336": (69.0, 59.0),
    "vit-h-14": (71.2, 63.0),
}
_SOURCE = "arXiv 2211.01335; github.com/OFA-Sys/Chinese-CLIP, Results.md"


def make_spec(size: str) -> EncoderSpec:
    """Return the description of one size."""
    _, _, repository, dim, side, parameters = _SIZES[size]
    return EncoderSpec(
        name=f"chinese-clip-{size}",
        space=f"chinese-clip-{size}",
        dim=dim,
        image_size=side,
        context_length=52,
        languages=("zh", "en"),
        preprocess=repr(make_preprocess(side)),
        license="Apache-2.0",
        parameters=parameters,
        templates=True,  # as its authors encode names of things to classify pictures
        publication=Publication(
            huggingface=f"OFA-Sys/chinese-clip-{repository}",
            modelscope=f"AI-ModelScope/chinese-clip-{repository}",
            # The first two are the form of transformers, which has no RN50.
            checkpoints=(*((("model.safetensors",),) if size != "rn50" else ()), (f"clip_cn_{size}.pt",)),
        ),
        figures=tuple(
            PublishedFigure(dataset=dataset, measure="text -> image, R@1", value=value, source=_SOURCE)
            for dataset, value in zip(("Flickr30K-CN", "MUGE"), _RECALL[size], strict=True)
        ),
    )


def make_preprocess(side: int) -> Preprocess:
    """Return cn_clip's resize: to a square, bicubic, nothing cropped."""
    return Squash(sides=(side,), resample=Image.Resampling.BICUBIC)


def configurations(spec: EncoderSpec) -> tuple[str, str]:
    """Return the names of cn_clip's configurations of the image and the text tower."""
    vision, text, *_ = _SIZES[(spec.architecture or spec.name).removeprefix("chinese-clip-")]
    return vision, text


SPECS = tuple(make_spec(size) for size in _SIZES)
