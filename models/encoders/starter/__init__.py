"""The built-in bilingual encoder: small, trained from random numbers for this project, needs no download.

MODEL_CARD.md beside this file says what it is good for and what not.
"""

from pathlib import Path

from PIL import Image

from models.encoders.encoder import ImageEncoder, Preprocess, TextEncoder
from models.encoders.onnx import OnnxImageEncoder, OnnxTextEncoder, open_session
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec, WeightFile
from models.language.known_words import KnownWordsTokenizer, load_placed_words
from models.language.tokenizer import NgramTokenizer
from models.pictures.preprocess import Squash

FOLDER = Path(__file__).parent
_IMAGE = WeightFile(
    name="image_int8.onnx",
    sha256="3394488aa23574a7b97139073e988e96d32e56bc2887e0ed7c6f66e51c6d0a5d",
)
_TEXT = WeightFile(
    name="text.onnx",
    sha256="c25eacabdc9d6e2cc9399dcbcd1229e01d07cf41b1af92596735e42971f02339",
)
_TOKENIZER = WeightFile(
    name="tokenizer.json",
    sha256="497baa0d4962be6f922e0c02367c899866af87a6aa8485b923246cc91c40fd28",
)
# Not among the files of the spec: it changes which texts have a vector, and no vector.
_WORDS = WeightFile(
    name="words.txt.gz",
    sha256="232cd3a43fa5717b57ea2633b8c52bd1e90b0a54ce29f5a7a987cb5bfc9d78b7",
)

# Two steps, as in training, whose pictures were stored with 144 pixels a side.
PREPROCESS = Squash(sides=(144, 128), resample=Image.Resampling.BILINEAR)

SPEC = EncoderSpec(
    name="starter",
    space="starter-v2",
    dim=256,
    image_size=128,
    context_length=48,
    languages=("zh", "en"),
    preprocess=repr(PREPROCESS),
    license="weights: evaluation and non-commercial use (MODEL_CARD.md)",
    parameters=17_000_000,
    files=(_IMAGE, _TEXT, _TOKENIZER),
    query_sharpness=20.0,  # this and the share: measured on the validation pictures
    hub_share=0.4,
    unrelated_cosine=0.15,
)


class StarterFamily:
    """The built-in encoder as the registry takes it."""

    specs = (SPEC,)

    def preprocess(self, _spec: EncoderSpec) -> Preprocess:
        """Return the resize."""
        return PREPROCESS

    def open_image(self, _spec: EncoderSpec, runtime: Runtime) -> ImageEncoder:
        """Load the image tower."""
        return load_image_encoder(threads=runtime.threads)

    def open_text(self, _spec: EncoderSpec, _runtime: Runtime) -> TextEncoder:
        """Load the text tower; one thread is the fastest for it."""
        return load_text_encoder()


def load_image_encoder(*, threads: int = 0) -> ImageEncoder:
    """Load the image tower; 0 threads means every processor."""
    return OnnxImageEncoder(SPEC, PREPROCESS, open_session(_IMAGE.verified(FOLDER), threads=threads))


def load_text_encoder() -> TextEncoder:
    """Load the text tower, its tokenizer, and the words that it places."""
    words = load_placed_words(_WORDS.verified(FOLDER))
    tokenizer = KnownWordsTokenizer(NgramTokenizer(_TOKENIZER.verified(FOLDER)), words)
    return OnnxTextEncoder(SPEC, tokenizer, open_session(_TEXT.verified(FOLDER), threads=1))
