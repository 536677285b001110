"""DINOv2 and SigLIP 2 give the vectors of transformers."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.encoders.dinov2.spec import PREPROCESS
from models.encoders.published import Published
from models.encoders.registry import get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.encoders.siglip2 import spec as siglip2
from models.encoders.siglip2.family import FAMILY
from models.encoders.siglip2.towers import make_config
from models.foundation.errors import NoTextTower, WeightsMissing
from models.foundation.vectors import check_vectors, l2_normalize
from models.pictures.preprocess import ResizeAndCrop
from models.weights.export import export

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")

DINOV2 = ("dinov2-small", "dinov2-with-registers-small")


def difference(left: np.ndarray, right: np.ndarray) -> float:
    assert left.shape == right.shape
    return float(np.abs(left - right).max())


def most_alike(vectors: np.ndarray) -> float:
    return float((vectors @ vectors.T - 2 * np.eye(len(vectors))).max())


def as_transformers_sees(picture: Image.Image) -> np.ndarray:
    """Resize the shorter side to 256 and crop the middle 224, as BitImageProcessor and torchvision do."""
    width, height = picture.size
    short, long = sorted(picture.size)
    other = int(256 * long / short)
    size = (256, other) if width <= height else (other, 256)
    left, top = (int(round((side - 224) / 2.0)) for side in size)  # noqa: RUF046
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))[top : top + 224, left : left + 224]


def standardised(pixels: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> object:
    values = (pixels.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
    return torch.from_numpy(values.transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize("name", DINOV2)
def test_dinov2_vectors_are_those_of_transformers(name, request, at, transformers, pictures):
    weights = request.getfixturevalue(name.replace("-", "_"))
    encoder = load_image_encoder(name, at(weights))
    vectors = check_vectors(encoder.encode_image(np.stack([encoder.preprocess(picture) for picture in pictures])), 384)
    model = transformers.AutoModel.from_pretrained(weights / name).eval()
    seen = np.stack([as_transformers_sees(picture) for picture in pictures])
    with torch.inference_mode():
        theirs = model(standardised(seen, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))).pooler_output
    assert difference(vectors, l2_normalize(theirs.numpy())) < 1e-4
    assert most_alike(vectors) < 0.999
    alone = np.concatenate([encoder.encode_image(np.stack([encoder.preprocess(one)])) for one in pictures[:3]])
    assert difference(alone, vectors[:3]) < 1e-5


def test_a_checkpoint_in_the_older_form_gives_the_same_vectors(dinov2_small, at, tmp_path, pictures):
    from safetensors.torch import load_file

    (tmp_path / "dinov2-small").mkdir()
    torch.save(load_file(dinov2_small / "dinov2-small/model.safetensors"), tmp_path / "dinov2-small/pytorch_model.bin")
    pixels = np.stack([PREPROCESS(pictures[0])])
    one, other = (
        load_image_encoder("dinov2-small", at(weights)).encode_image(pixels) for weights in (dinov2_small, tmp_path)
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize("name", DINOV2)
def test_dinov2_reads_no_text_and_says_so_in_both_languages(name, tmp_path):
    with pytest.raises(NoTextTower) as caught:
        load_text_encoder(name, Runtime(weights=tmp_path))
    assert f"{name} compares pictures and reads no text" in caught.value.text("en")
    assert f"{name} 只比较图片，不读取文字" in caught.value.text("zh-CN")
    assert caught.value.users_mistake
    assert get_spec(name).languages == ()


SHAPES = ((300, 500), (500, 300), (256, 256), (224, 224), (1, 1), (2, 7), (257, 255), (333, 1001))


@pytest.mark.parametrize("size", [*SHAPES, (4000, 3), (3, 4000)])
def test_resize_and_crop_of_any_shape_gives_a_square(size):
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8))
    pixels = PREPROCESS(noise)
    assert (pixels.shape, pixels.dtype) == ((224, 224, 3), np.uint8)
    if size in SHAPES:
        assert np.array_equal(pixels, as_transformers_sees(noise))


def test_the_middle_is_what_is_kept():
    picture = Image.new("RGB", (1000, 100), (255, 0, 0))
    picture.paste((0, 0, 255), (440, 0, 560, 100))
    crop = ResizeAndCrop(shorter=100, side=100, resample=Image.Resampling.BICUBIC)
    assert (crop(picture) == (0, 0, 255)).all()


def test_a_long_strip_takes_no_more_memory_than_a_square():
    # 90 kB of pixels; resized as a whole before they are cut, they would take 7.9 GB.
    code = (
        "import resource; from PIL import Image; from models.encoders.dinov2.spec import PREPROCESS\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "print(PREPROCESS(Image.new('RGB', (30_000, 1), (10, 20, 30))).mean(axis=(0, 1)).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[10.0, 20.0, 30.0]", done.stderr


def test_one_picture_straight_from_the_first_step_gives_no_warning(dinov2_small, at, pictures):
    encoder = load_image_encoder("dinov2-small", at(dinov2_small))
    torch.set_warn_always(True)  # some are said once a process only
    try:
        check_vectors(encoder.encode_image(encoder.preprocess(pictures[0])[None]), 384)
    finally:
        torch.set_warn_always(False)


@pytest.fixture(scope="module")
def tiny_siglip2(transformers, draw, tmp_path_factory) -> tuple[Path, dict[str, object]]:
    """The folder of weights with a SigLIP 2 of two layers, its config.json and a tokenizer of letters."""
    shared = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 80,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "attention_dropout": 0.0,
    }
    config = transformers.SiglipConfig(
        text_config={
            **shared,
            "vocab_size": 256_000,
            "max_position_embeddings": 64,
            "projection_size": 48,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 1,
        },
        vision_config={**shared, "image_size": 64, "patch_size": 16, "num_channels": 3},
    )
    model = transformers.SiglipModel(config)
    model.load_state_dict(draw(model.state_dict(), seed=11))
    weights = tmp_path_factory.mktemp("weights")
    model.save_pretrained(weights / "siglip2-tiny")
    _tokenizer_of_letters().save(str(weights / "siglip2-tiny/tokenizer.json"))
    return weights


def _tokenizer_of_letters() -> object:
    tokenizers = pytest.importorskip("tokenizers")
    letters = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz一只猫狗"]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE({letter: number for number, letter in enumerate(letters)}, [], unk_token="<unk>")
    )
    tokenizer.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    tokenizer.add_special_tokens(letters[:4])
    return tokenizer


@pytest.fixture
def siglip2_tiny(monkeypatch) -> Published:
    """A size of SigLIP 2 that no one publishes, through the loaders of the product."""
    tower = siglip2.TowerSize(48, 2, 4, 80)
    size = siglip2.Siglip2Size(image=tower, text=tower, patch=16, side=64, parameters=1_000_000, revision="")
    monkeypatch.setitem(siglip2._SIZES, "siglip2-tiny", size)
    return Published(FAMILY, siglip2.make_spec("siglip2-tiny"))


def test_siglip2_picture_vectors_are_those_of_transformers(siglip2_tiny, tiny_siglip2, at, transformers, pictures):
    encoder = siglip2_tiny.load_image(at(tiny_siglip2))
    vectors = check_vectors(encoder.encode_image(np.stack([encoder.preprocess(picture) for picture in pictures])), 48)
    model = transformers.SiglipModel.from_pretrained(tiny_siglip2 / "siglip2-tiny").eval()
    seen = np.stack([np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR)) for picture in pictures])
    with torch.inference_mode():
        theirs = model.get_image_features(standardised(seen, (0.5,) * 3, (0.5,) * 3)).pooler_output
    assert difference(vectors, l2_normalize(theirs.numpy())) < 1e-4
    assert most_alike(vectors) < 0.999


def test_siglip2_text_vectors_are_those_of_transformers(siglip2_tiny, tiny_siglip2, at, transformers):
    texts = ["a cat", "A CAT", "一只猫", "zebra", "a cat and a dog " * 10, "x"]
    encoder = siglip2_tiny.load_text(at(tiny_siglip2))
    vectors = check_vectors(encoder.encode_text(texts), 48)
    raw = _tokenizer_of_letters()
    ids = [[*raw.encode(text.lower()).ids[:63], 1] for text in texts]
    padded = torch.tensor([row + [0] * (64 - len(row)) for row in ids])
    model = transformers.SiglipModel.from_pretrained(tiny_siglip2 / "siglip2-tiny").eval()
    with torch.inference_mode():
        theirs = model.get_text_features(input_ids=padded).pooler_output
    assert difference(vectors, l2_normalize(theirs.numpy())) < 1e-4
    assert np.array_equal(vectors[0], vectors[1])
    assert most_alike(vectors[1:]) < 0.999
    alone = np.concatenate([encoder.encode_text([text]) for text in texts])
    assert difference(alone, vectors) < 1e-5


def test_exports_give_the_vectors_of_the_checkpoint_without_it(siglip2_tiny, tiny_siglip2, at, pictures, tmp_path):
    copied = shutil.copytree(tiny_siglip2 / "siglip2-tiny", tmp_path / "siglip2-tiny")
    runtime, texts = at(tmp_path), ["a cat", "一只猫", "a cat and a dog " * 10]

    def encode() -> list[np.ndarray]:
        image, text = siglip2_tiny.load_image(runtime), siglip2_tiny.load_text(runtime)
        pixels = np.stack([image.preprocess(picture) for picture in pictures])
        return [image.encode_image(pixels), text.encode_text(texts)]

    on_torch = encode()
    exported = export(siglip2_tiny, siglip2_tiny.folder(runtime), ["fp32"])
    assert [(one.tower, one.precision) for one in exported] == [("image", "fp32"), ("text", "fp32")]
    (copied / "model.safetensors").unlink()
    assert max(map(difference, encode(), on_torch)) < 1e-4


def test_the_sizes_of_siglip2_have_the_parameters_published(transformers):
    # From the listing of google/siglip2-* in the results of MTEB.
    published = {
        "siglip2-base-patch16-224": 375_187_970,
        "siglip2-base-patch16-256": 375_234_050,
        "siglip2-so400m-patch14-384": 1_136_008_498,
        "siglip2-so400m-patch16-384": 1_136_039_602,
        "siglip2-giant-opt-patch16-384": 1_871_885_426,
    }
    counted = {}
    for spec in siglip2.SPECS:
        with torch.device("meta"):
            model = transformers.SiglipModel(make_config(transformers, spec))
        counted[spec.name] = sum(tensor.numel() for tensor in model.parameters())
        assert spec.parameters == round(counted[spec.name] / 1e6) * 1_000_000
        assert spec.context_length == 64
        assert len(spec.publication.revision) == 40
    assert counted == published


@pytest.fixture
def lopsided(monkeypatch, transformers, draw, tmp_path) -> tuple[Published, Path]:
    """A size like the giant: its towers differ, and its checkpoint comes in two files."""
    name, files = "siglip2-lopsided", ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    image, text = siglip2.TowerSize(64, 3, 4, 96), siglip2.TowerSize(48, 2, 4, 80)
    size = siglip2.Siglip2Size(
        image=image, text=text, patch=16, side=64, parameters=1_000_000, revision="", weights=files
    )
    monkeypatch.setitem(siglip2._SIZES, name, size)
    published = Published(FAMILY, siglip2.make_spec(name))
    model = transformers.SiglipModel(make_config(transformers, published.spec))
    model.load_state_dict(draw(model.state_dict(), seed=12))
    model.save_pretrained(tmp_path / name, max_shard_size="49MB")  # the table of tokens fills one
    _tokenizer_of_letters().save(str(tmp_path / name / "tokenizer.json"))
    assert sorted(path.name for path in (tmp_path / name).glob("*.safetensors")) == list(files)
    return published, tmp_path


def test_towers_of_two_widths_and_a_checkpoint_in_two_files_give_the_vectors_of_transformers(
    lopsided, at, transformers, pictures
):
    published, weights = lopsided
    image, text = published.load_image(at(weights)), published.load_text(at(weights))
    vectors = check_vectors(image.encode_image(np.stack([image.preprocess(picture) for picture in pictures])), 64)
    words = check_vectors(text.encode_text(["a cat", "一只猫"]), 64)
    model = transformers.SiglipModel.from_pretrained(weights / published.spec.name).eval()
    seen = np.stack([np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR)) for picture in pictures])
    ids = torch.tensor([[*row, 1, *[0] * (63 - len(row))] for row in map(letters_of, ("a cat", "一只猫"))])
    with torch.inference_mode():
        theirs = model.get_image_features(standardised(seen, (0.5,) * 3, (0.5,) * 3)).pooler_output
        their_words = model.get_text_features(input_ids=ids).pooler_output
    assert difference(vectors, l2_normalize(theirs.numpy())) < 1e-4
    assert difference(words, l2_normalize(their_words.numpy())) < 1e-4
    record = published.folder(at(weights)).record()
    assert [file.name for file in record.checkpoint] == [
        *siglip2.size_of(published.spec.name).weights,
        "tokenizer.json",
    ]


def test_one_file_of_two_is_not_enough(lopsided, at):
    published, weights = lopsided
    (weights / published.spec.name / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsMissing, match="00002-of-00002"):
        published.load_image(at(weights))


def letters_of(text: str) -> list[int]:
    return list(_tokenizer_of_letters().encode(text).ids)


def test_small_letters_are_read_whether_the_tokenizer_asks_for_them_or_not(siglip2_tiny, tiny_siglip2, at, tmp_path):
    # transformers has asked for them since version 5; the file on the hub is older.
    tokenizers = pytest.importorskip("tokenizers")
    copied = shutil.copytree(tiny_siglip2 / "siglip2-tiny", tmp_path / "siglip2-tiny")
    (copied / "encoder.json").unlink(missing_ok=True)
    asking = tokenizers.Tokenizer.from_file(str(copied / "tokenizer.json"))
    asking.normalizer = tokenizers.normalizers.Sequence([tokenizers.normalizers.Lowercase(), asking.normalizer])
    asking.save(str(copied / "tokenizer.json"))
    texts = ["A CAT and a Dog", "a cat and a dog"]
    vectors = [siglip2_tiny.load_text(at(weights)).encode_text(texts) for weights in (tiny_siglip2, tmp_path)]
    assert np.array_equal(*vectors)
    assert np.array_equal(vectors[0][0], vectors[0][1])
    before, after = (siglip2_tiny.folder(at(weights)).installed_spec() for weights in (tiny_siglip2, tmp_path))
    assert before.fingerprint != after.fingerprint  # the file decides, even where the vectors are the same


def test_siglip2_is_its_weights_and_its_tokenizer(siglip2_tiny, tiny_siglip2):
    record = siglip2_tiny.folder(Runtime(weights=tiny_siglip2)).record()
    assert [file.name for file in record.checkpoint] == ["model.safetensors", "tokenizer.json"]
