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
    WeightFile(name=IMAGE_FILE, sha256="0c6dcb97c9000e0d5e2def8c565b3feb5d5ba5c8c88af89f9218c809c3d9bd61"),
    WeightFile(name=TEXT_FILE, sha256="f3c6725c916d1c8292db36bf8625e1f8ae49d9b3d6f5aa9a10fd1a4d1f290a4e"),
    WeightFile(name=TOKENIZER_FILE, sha256="2b89bf3b76dd670e7a2006c2b4f16fdd7073ecc56967380518fc59ee5ab1f336"),
)

# Not among the files of the spec: it changes which texts have a vector, and no vector.
_WORDS = WeightFile(name=WORDS_FILE, sha256="a828a6aa903d540776dc6894697e446dbbf9fd7d619a48d81a0219873ada0564")

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
    turned_cosine=0.8,
)


def _read_tokenizer(path: Path) -> KnownWordsTokenizer:
    return KnownWordsTokenizer(PieceTokenizer(path), load_placed_words(_WORDS.verified(FOLDER)), is_open=True)


ENCODER = BuiltInEncoder(spec=SPEC, folder=FOLDER, preprocess=PREPROCESS, read_tokenizer=_read_tokenizer)
