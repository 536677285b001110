"""Qwen3-VL-Embedding: pictures and text in Chinese, English and more through one language model (arXiv 2601.04720).

A text or a picture is what a user says in a chat; what the model makes of the last token is the vector, and so are its
first 1024 or 512 numbers (Matryoshka, arXiv 2205.13147): an encoder each, of the same file. Without torch here; see
towers.py.
"""

from dataclasses import dataclass

from PIL import Image

from models.encoders.encoder import Preprocess
from models.encoders.spec import EncoderSpec, Publication
from models.pictures.blocks import PackBlocks, packed_side

INSTRUCTION = "Represent the user's input."  # the authors' own, where nobody names a task
_BEFORE = f"<|im_start|>system\n{INSTRUCTION}<|im_end|>\n<|im_start|>"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n"
TEXT_PROMPT = (_BEFORE, "user\n", _AFTER)
PICTURE_TOKEN = "<|image_pad|>"  # noqa: S105
PICTURE_PROMPT = f"{_BEFORE}user\n<|vision_start|>{PICTURE_TOKEN}<|vision_end|>{_AFTER}"
SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", PICTURE_TOKEN, "<|vision_end|>")
MEAN = STD = (0.5, 0.5, 0.5)
DIMS = (2048, 1024, 512)
CONTEXT_LENGTH = 512
# The authors allow 4 to 1800 tokens a picture; a photograph of 640 x 400 pixels has 240.
LEAST_TOKENS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class QwenShape:
    """The sizes of the language model and of the part that sees."""

    vocabulary: int = 151_936
    width: int = 2048
    layers: int = 28
    heads: int = 16
    key_heads: int = 8
    head_width: int = 128
    inner: int = 6144
    sections: tuple[int, int, int] = (24, 20, 20)  # of a head's rotations: for time, height and width
    seen_width: int = 1024
    seen_layers: int = 24
    seen_heads: int = 16
    seen_inner: int = 4096
    seen_deep: tuple[int, ...] = (5, 11, 17)  # layers whose outputs the language model is given as well
    positions: int = 2304
    patch: int = 16
    patches: int = 2  # a side of what becomes one token
    tokens: int = 256  # of a picture, at most
    parameters: int = 2_127_000_000


_SHAPES = {"qwen3-vl-embedding-2b": QwenShape()}


def make_spec(family: str, dim: int) -> EncoderSpec:
    """Return the description of one length of vectors."""
    name, shape = f"{family}-{dim}", _SHAPES[family]
    return EncoderSpec(
        name=name,
        space=name,
        dim=dim,
        image_size=packed_side(shape.patch * shape.patches, shape.tokens),
        context_length=CONTEXT_LENGTH,
        languages=("zh", "en"),
        preprocess=repr(make_preprocess(shape)),
        license="Apache-2.0",
        parameters=shape.parameters,
        prompts=("".join(TEXT_PROMPT), PICTURE_PROMPT),
        pooling="last token",
        publication=Publication(
            huggingface="Qwen/Qwen3-VL-Embedding-2B",
            modelscope="Qwen/Qwen3-VL-Embedding-2B",
            checkpoints=(("model.safetensors", "tokenizer.json"),),
            size=4_254_000_000,  # bfloat16
        ),
    )


def make_preprocess(shape: QwenShape) -> Preprocess:
    """Return the authors' resize: to whole blocks of 2 x 2 patches, smaller only where there would be too many."""
    return PackBlocks(
        block=shape.patch * shape.patches,
        budget=shape.tokens,
        least=LEAST_TOKENS,
        fill=False,
        resample=Image.Resampling.BICUBIC,
    )


def architecture(spec: EncoderSpec) -> QwenShape:
    """Return the sizes of an encoder's model."""
    return _SHAPES[spec.name.rpartition("-")[0]]


SPECS = tuple(make_spec(family, dim) for family in _SHAPES for dim in DIMS)
