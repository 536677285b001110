"""The built-in encoder gives the vectors that its training code gave.

`starter.json` was made with the code that trained and evaluated the weights: ids and vectors of texts, and vectors of
photographs that scikit-image and scikit-learn carry.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from models.encoders.registry import load_image_encoder, load_text_encoder
from models.encoders.spec import WeightFile
from models.encoders.starter import FOLDER, SPEC
from models.foundation.errors import UnknownWords, WeightsCorrupt, WeightsMissing
from models.foundation.vectors import check_vectors
from models.language.tokenizer import NgramTokenizer
from models.pictures.decode import decode_image

GOLDEN = json.loads(Path(__file__).with_name("starter.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def text_encoder():
    return load_text_encoder("starter")


@pytest.fixture(scope="module")
def image_encoder():
    return load_image_encoder("starter")


def photograph(name: str) -> bytes:
    folder = {"china.jpg": ("sklearn", "datasets/images"), "flower.jpg": ("sklearn", "datasets/images")}
    package, below = folder.get(name, ("skimage", "data"))
    return (Path(importlib.util.find_spec(package).origin).parent / below / name).read_bytes()


@pytest.mark.parametrize("text", GOLDEN["texts"])
def test_token_ids_are_those_of_the_reference(text):
    tokens = NgramTokenizer(FOLDER / "tokenizer.json").tokenize(text)
    assert list(tokens.ids) == GOLDEN["texts"][text]["ids"]


def test_text_vectors_are_those_of_the_reference_whatever_the_batch(text_encoder):
    texts = list(GOLDEN["texts"])
    expected = np.array([GOLDEN["texts"][text]["vector"] for text in texts], np.float32)
    together = check_vectors(text_encoder.encode_text(texts), SPEC.dim)
    alone = np.concatenate([text_encoder.encode_text([text]) for text in texts])
    assert np.abs(together - expected).max() < 1e-4
    assert np.abs(alone - together).max() < 1e-5


@pytest.mark.parametrize("name", GOLDEN["pictures"])
def test_picture_vectors_are_those_of_the_reference(image_encoder, name):
    decoded = decode_image(photograph(name), short_side=2 * SPEC.image_size, long_side=320)
    vector = check_vectors(image_encoder.encode_image(image_encoder.preprocess(decoded.image)[None]), SPEC.dim)[0]
    assert float(vector @ np.array(GOLDEN["pictures"][name], np.float32)) > 0.99


def test_one_picture_is_a_batch_of_one(image_encoder):
    decoded = decode_image(photograph("chelsea.png"), short_side=192)
    pixels = image_encoder.preprocess(decoded.image)
    batch = image_encoder.encode_image(np.stack([pixels] * 5))
    assert np.abs(batch - image_encoder.encode_image(pixels[None])).max() < 1e-3
    assert image_encoder.encode_image(np.stack([pixels])[:0]).shape == (0, SPEC.dim)


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("'", False, ()),
        ("'s", False, ()),
        ("a café in zörp", True, ("zorp",)),
    ],
)
def test_unknown_words_are_named(text_encoder, text, known, unknown):
    reading = text_encoder.read_text(text)
    assert (reading.known, set(reading.unknown_words)) == (known, set(unknown))


def test_a_text_of_unknown_words_has_no_vector(text_encoder):
    with pytest.raises(UnknownWords, match="zorp"):
        text_encoder.encode_text(["a cat", "zorp"])


def test_an_english_word_beyond_the_vocabulary_is_read_as_its_chinese(text_encoder):
    astronaut, chinese = text_encoder.encode_text(["astronaut", "宇航"])
    assert float(astronaut @ chinese) > 0.9


def test_a_long_text_says_that_its_end_does_not_count(text_encoder):
    assert text_encoder.read_text("红色的花" * 20).truncated
    assert not text_encoder.read_text("红色的花").truncated


def test_weights_are_checked_before_they_are_used(tmp_path):
    file = WeightFile(name="text.onnx", sha256=SPEC.files[1].sha256)
    with pytest.raises(WeightsMissing, match=r"text\.onnx"):
        file.verified(tmp_path)
    weights = bytearray((FOLDER / "text.onnx").read_bytes())
    weights[1000] ^= 1
    (tmp_path / "text.onnx").write_bytes(weights)
    with pytest.raises(WeightsCorrupt, match=r"text\.onnx"):
        file.verified(tmp_path)
