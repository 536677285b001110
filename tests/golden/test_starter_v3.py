"""The built-in encoder gives the vectors that its weights, computed by other code, give: see make_starter_v3.py."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from models.encoders.registry import DEFAULT_ENCODER, get_spec, load_image_encoder, load_text_encoder
from models.encoders.starter_v3 import FOLDER, SPEC
from models.foundation.errors import UnknownWords, WeightsCorrupt, WeightsMissing
from models.foundation.vectors import check_vectors
from models.language.piece_tokenizer import PieceTokenizer
from models.pictures.decode import decode_image

GOLDEN = json.loads(Path(__file__).with_name("starter_v3.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def text_encoder():
    return load_text_encoder("starter-v3")


@pytest.fixture(scope="module")
def image_encoder():
    return load_image_encoder("starter-v3")


@pytest.fixture(scope="module")
def tokenizer():
    return PieceTokenizer(FOLDER / "tokenizer.json")


def photograph(name: str) -> bytes:
    folder = {"china.jpg": ("sklearn", "datasets/images"), "flower.jpg": ("sklearn", "datasets/images")}
    package, below = folder.get(name, ("skimage", "data"))
    return (Path(importlib.util.find_spec(package).origin).parent / below / name).read_bytes()


def test_it_is_what_a_library_is_built_with_unless_told_otherwise():
    assert DEFAULT_ENCODER == "starter-v3"
    assert get_spec(DEFAULT_ENCODER) == SPEC


def test_its_space_and_its_fingerprint_are_not_those_of_the_encoder_before():
    before = get_spec("starter")
    assert before.space != SPEC.space
    assert before.fingerprint != SPEC.fingerprint


@pytest.mark.parametrize("text", GOLDEN["texts"])
def test_token_ids_are_those_of_the_reference(tokenizer, text):
    assert list(tokenizer.tokenize(text).ids) == GOLDEN["texts"][text]["ids"]


def test_every_word_of_the_reference_is_known(text_encoder):
    for text in GOLDEN["texts"]:
        reading = text_encoder.read_text(text)
        assert (reading.known, reading.unknown_words, reading.names, reading.truncated) == (True, (), (), False), text


def test_text_vectors_are_those_of_the_reference_whatever_the_batch(text_encoder):
    texts = list(GOLDEN["texts"])
    expected = np.array([GOLDEN["texts"][text]["vector"] for text in texts], np.float32)
    together = check_vectors(text_encoder.encode_text(texts), SPEC.dim)
    alone = np.concatenate([text_encoder.encode_text([text]) for text in texts])
    assert np.abs(together - expected).max() < 1e-4
    assert np.abs(alone - together).max() < 1e-5


@pytest.mark.parametrize("name", GOLDEN["pictures"])
def test_picture_vectors_are_those_of_the_reference(image_encoder, name):
    decoded = decode_image(photograph(name), short_side=2 * SPEC.image_size, long_side=640)
    vector = check_vectors(image_encoder.encode_image(image_encoder.preprocess(decoded.image)[None]), SPEC.dim)[0]
    assert float(vector @ np.array(GOLDEN["pictures"][name], np.float32)) > 0.99


def test_one_picture_is_a_batch_of_one(image_encoder):
    decoded = decode_image(photograph("chelsea.png"), short_side=SPEC.image_size)
    pixels = image_encoder.preprocess(decoded.image)
    batch = image_encoder.encode_image(np.stack([pixels] * 3))
    assert np.abs(batch - image_encoder.encode_image(pixels[None])).max() < 1e-3
    assert image_encoder.encode_image(np.stack([pixels])[:0]).shape == (0, SPEC.dim)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("一只猫", "chelsea.png"),
        ("a cat", "chelsea.png"),
        ("一杯咖啡", "coffee.png"),
        ("a cup of coffee", "coffee.png"),
        ("火箭发射", "rocket.jpg"),
        ("a rocket launch", "rocket.jpg"),
        ("花", "flower.jpg"),
        ("a flower", "flower.jpg"),
    ],
)
def test_a_text_finds_its_photograph(text_encoder, text, name):
    names = list(GOLDEN["pictures"])
    scores = np.array([GOLDEN["pictures"][one] for one in names]) @ text_encoder.encode_text([text])[0]
    assert names[int(scores.argmax())] == name


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("a café in zörp", True, ("zörp",)),
        ("犇骉", False, ("犇骉",)),
    ],
)
def test_unknown_words_are_named(text_encoder, text, known, unknown):
    reading = text_encoder.read_text(text)
    assert (reading.known, set(reading.unknown_words)) == (known, set(unknown))


@pytest.mark.parametrize("text", ["zorp", "the zorp", "❤", "кошка"])
def test_a_text_of_unknown_words_has_no_vector(text_encoder, text):
    with pytest.raises(UnknownWords, match=text.split()[-1]):
        text_encoder.encode_text(["a cat", text])


def test_what_a_person_types_never_stands_for_the_end_of_a_text(text_encoder):
    cat, marked = text_encoder.encode_text(["a cat", "a cat </s>"])
    assert float(cat @ marked) < 0.9999


def test_both_languages_lie_in_one_space(text_encoder):
    pairs = [("a dog", "一只狗"), ("a beach", "海滩"), ("an airplane", "飞机"), ("a red car", "红色的汽车")]
    english, chinese = (text_encoder.encode_text(texts) for texts in zip(*pairs, strict=True))
    assert ((english @ chinese.T).argmax(axis=1) == np.arange(len(pairs))).all()


def test_a_long_text_says_that_its_end_does_not_count(text_encoder):
    assert text_encoder.read_text("红色的花" * 20).truncated
    assert not text_encoder.read_text("红色的花" * 5).truncated


@pytest.mark.parametrize("file", SPEC.files, ids=lambda file: file.name)
def test_weights_are_checked_before_they_are_used(tmp_path, file):
    assert file.verified(FOLDER) == FOLDER / file.name
    with pytest.raises(WeightsMissing, match=file.name):
        file.verified(tmp_path)
    weights = bytearray((FOLDER / file.name).read_bytes())
    weights[1000] ^= 1
    (tmp_path / file.name).write_bytes(weights)
    with pytest.raises(WeightsCorrupt, match=file.name):
        file.verified(tmp_path)
