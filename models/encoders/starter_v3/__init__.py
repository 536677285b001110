"""The built-in bilingual encoder, third generation: small, begun from published bases, needs no download.

MODEL_CARD.md beside this file says what it is good for and what not; NOTICE names what it was made from.
"""

from pathlib import Path

from PIL import Image

from models.encoders.built_in import IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, WORDS_FILE, BuiltInEncoder
from models.encoders.spec import EncoderSpec, WeightFile
from models.language.known_words import KnownWordsTokenizer, load_placed_words
from models.language.piece_tokenizer import PieceTokenizer
from models.pictures.preprocess import Squash

FOLDER = Path(__file__).parent
_FILES = (
    WeightFile(name=IMAGE_FILE, sha256="1f20e9412e6229f50e33ed3ae903c74662bb96a51c2fae30882483f74aff07c3"),
    WeightFile(name=TEXT_FILE, sha256="64b6b980b42d7ba6145eaa6e4bf8ea1b16608a1c4934dbf2c52c8264a6a098b1"),
    WeightFile(name=TOKENIZER_FILE, sha256="2b89bf3b76dd670e7a2006c2b4f16fdd7073ecc56967380518fc59ee5ab1f336"),
)

# Not among the files of the spec: it changes which texts have a vector, and no vector.
_WORDS = WeightFile(name=WORDS_FILE, sha256="c0df7580ae0c9f5885fe28eb6d98a2716aceac82eb1b5d3d3a5401bed8e0cf18")

PREPROCESS = Squash(sides=(224,), resample=Image.Resampling.BILINEAR)

SPEC = EncoderSpec(
    name="starter-v3",
    space="starter-v3",
    dim=384,
    image_size=224,
    context_length=128,
    languages=("zh", "en"),
    preprocess=repr(PREPROCESS),
    license="weights: evaluation and non-commercial use (MODEL_CARD.md)",
    parameters=29_000_000,
    files=_FILES,
    hub_share=0.0,  # on captions it gained nothing that held, and names lost by it
    unrelated_cosine=0.0,
    turned_cosine=0.97,
)


def _read_tokenizer(path: Path) -> KnownWordsTokenizer:
    return KnownWordsTokenizer(PieceTokenizer(path), load_placed_words(_WORDS.verified(FOLDER)), is_open=True)


ENCODER = BuiltInEncoder(spec=SPEC, folder=FOLDER, preprocess=PREPROCESS, read_tokenizer=_read_tokenizer)
