"""The second built-in encoder: small, trained from random numbers for this project, needs no download.

Libraries that were made with it go on with it; new ones are made with `starter_v3`. MODEL_CARD.md beside this file says
what it is good for and what not.
"""

from pathlib import Path

from PIL import Image

from models.encoders.built_in import IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, WORDS_FILE, BuiltInEncoder
from models.encoders.spec import EncoderSpec, WeightFile
from models.language.known_words import KnownWordsTokenizer, load_placed_words
from models.language.tokenizer import NgramTokenizer
from models.pictures.preprocess import Squash

FOLDER = Path(__file__).parent
_IMAGE = WeightFile(
    name=IMAGE_FILE,
    sha256="3394488aa23574a7b97139073e988e96d32e56bc2887e0ed7c6f66e51c6d0a5d",
)
_TEXT = WeightFile(
    name=TEXT_FILE,
    sha256="c25eacabdc9d6e2cc9399dcbcd1229e01d07cf41b1af92596735e42971f02339",
)
_TOKENIZER = WeightFile(
    name=TOKENIZER_FILE,
    sha256="497baa0d4962be6f922e0c02367c899866af87a6aa8485b923246cc91c40fd28",
)
# Not among the files of the spec: it changes which texts have a vector, and no vector.
_WORDS = WeightFile(
    name=WORDS_FILE,
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


def _read_tokenizer(path: Path) -> KnownWordsTokenizer:
    return KnownWordsTokenizer(NgramTokenizer(path), load_placed_words(_WORDS.verified(FOLDER)))


ENCODER = BuiltInEncoder(spec=SPEC, folder=FOLDER, preprocess=PREPROCESS, read_tokenizer=_read_tokenizer)
