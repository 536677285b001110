"""EmbeddingGemma 2: pictures and text in many languages through one text model (google/embeddinggemma-2).

A picture becomes up to 280 tokens, in its own aspect ratio; a vector is the mean over all tokens, prompt included. Its
first 512, 256 or 128 numbers are a vector as well (Matryoshka, arXiv 2205.13147): an encoder each, of the same file.
Without torch here; see towers.py.
"""

from dataclasses import dataclass

from PIL import Image

from models.encoders.encoder import Preprocess
from models.encoders.spec import EncoderSpec, Publication
from models.pictures.blocks import PackBlocks, packed_side

TEXT_PROMPT = "task: search result | query: "
# What is there without its tokens for the picture, which stand in the middle.
PICTURE_PROMPT = "<|image><image|>"
PICTURE_TOKENS = ("<|image>", "<image|>")
DIMS = (768, 512, 256, 128)
# At most as many as the sliding window of the text model reaches, so that every token sees every other.
CONTEXT_LENGTH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmaShape:
    """The sizes of both towers; of heads with two sizes, the second is that of every sixth layer."""

    vocabulary: int = 262_144
    width: int = 512
    layers: int = 24
    heads: int = 4
    key_heads: tuple[int, int] = (2, 1)
    head_widths: tuple[int, int] = (256, 512)
    inner: int = 2048
    dim: int = 768
    seen_width: int = 768
    seen_layers: int = 16
    seen_heads: int = 12
    seen_inner: int = 3072
    positions: int = 10_240
    patch: int = 16
    patches: int = 3  # a side of what becomes one token
    tokens: int = 280  # of a picture, at most
    parameters: int = 439_000_000


_SHAPES = {"embeddinggemma2": GemmaShape()}


def make_spec(family: str, dim: int) -> EncoderSpec:
    """Return the description of one length of vectors."""
    name, shape = f"{family}-{dim}", _SHAPES[family]
    return EncoderSpec(
        name=name,
        space=name,
        dim=dim,
        image_size=packed_side(shape.patch * shape.patches, shape.tokens),
        context_length=CONTEXT_LENGTH,
        languages=("en", "zh"),
        preprocess=repr(make_preprocess(shape)),
        license="Apache-2.0",
        parameters=shape.parameters,
        prompts=(TEXT_PROMPT, PICTURE_PROMPT),
        pooling="mean",
        publication=Publication(
            huggingface="google/embeddinggemma-2",
            modelscope="google/embeddinggemma-2",
            checkpoints=(("model.safetensors", "tokenizer.json"),),
            size=1_480_000_000,  # 740 M in bfloat16, with the audio tower
        ),
    )


def make_preprocess(shape: GemmaShape) -> Preprocess:
    """Return the resize of the published processor: to as many blocks of 3 x 3 patches as there may be tokens."""
    return PackBlocks(
        block=shape.patch * shape.patches,
        budget=shape.tokens,
        least=1,
        fill=True,
        resample=Image.Resampling.BICUBIC,
    )


def architecture(spec: EncoderSpec) -> GemmaShape:
    """Return the sizes of an encoder's towers."""
    return _SHAPES[spec.name.rpartition("-")[0]]


SPECS = tuple(make_spec(family, dim) for family in _SHAPES for dim in DIMS)
