"""FG-CLIP 2 gives the vectors of the blocks of SigLIP 2 in transformers, with the weights in the authors' names."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.encoders.fg_clip2 import spec as fg_clip2
from models.encoders.fg_clip2.family import FAMILY
from models.encoders.fg_clip2.spec import PREPROCESS, SPECS, FgClip2Size, make_spec
from models.encoders.published import Published
from models.encoders.registry import get_preprocess, get_spec, list_encoders
from models.encoders.weights_folder import EncoderFolder
from models.encoders.wordings import list_wordings
from models.foundation.errors import WeightsUnsuitable
from models.foundation.vectors import check_vectors, l2_normalize
from models.weights.export import export

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")

NAME, LONG = "fg-clip2-tiny", "fg-clip2-tiny-long"
WIDTH = 48
SIZE = FgClip2Size(width=WIDTH, layers=2, heads=4, inner=80, parameters=1_000_000, revision="")
SHARED = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 80}
LETTERS = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz一只猫狗"]
TEXTS = ["a cat", "一只猫", "zebra", "a cat and a dog " * 3, "a cat and a dog " * 20, "x"]


def _tokenizer_of_letters() -> object:
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {letter: number for number, letter in enumerate(LETTERS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    tokenizer.add_special_tokens(LETTERS[:4])
    return tokenizer


def siglip2(transformers, positions: int = 64) -> object:
    """The blocks of SigLIP 2 in its NaFlex form, with that many positions of text."""
    text = {**SHARED, "vocab_size": 256_000, "max_position_embeddings": positions, "projection_size": WIDTH}
    config = transformers.Siglip2Config(text_config=text, vision_config={**SHARED, "num_patches": 64})
    return transformers.Siglip2Model(config).eval()


@pytest.fixture(scope="module")
def state(transformers, draw) -> dict[str, object]:
    """The tensors of a checkpoint, in the authors' names and shapes."""
    like = siglip2(transformers).state_dict()
    head = {name: tensor for name, tensor in like.items() if name.startswith("vision_model.head.")}
    like |= {name.replace("vision_model.head.", "dense_feature_head."): tensor for name, tensor in head.items()}
    like |= {
        f"text_model.embeddings.position_embedding_{kind}.weight": torch.empty(196, WIDTH) for kind in ("res", "ori")
    }
    for head in ("longtext_head", "boxtext_head"):
        like |= {f"{head}.weight": torch.empty(WIDTH, WIDTH), f"{head}.bias": torch.empty(WIDTH)}
    return draw(like, seed=5)


def save(state: dict[str, object], weights: Path, name: str) -> None:
    from safetensors.torch import save_file

    (weights / name).mkdir(parents=True)
    save_file(state, weights / name / "model.safetensors")
    _tokenizer_of_letters().save(str(weights / name / "tokenizer.json"))


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory) -> Path:
    """The folder of all weights, with both encoders. Not to be changed."""
    folder = tmp_path_factory.mktemp("weights")
    save(state, folder, NAME)
    shutil.copytree(folder / NAME, folder / LONG)
    return folder


@pytest.fixture
def tiny(monkeypatch) -> dict[str, Published]:
    """A size that no one publishes, with either head, through the loaders of the product."""
    monkeypatch.setitem(fg_clip2._SIZES, NAME, SIZE)
    return {name: Published(FAMILY, make_spec(name)) for name in (NAME, LONG)}


@pytest.fixture(scope="module")
def reference(transformers, state) -> object:
    """SigLIP 2 in transformers with the same weights."""
    model = siglip2(transformers)
    model.load_state_dict({name: state[name] for name in model.state_dict()})
    return model


def difference(left: np.ndarray, right: np.ndarray) -> float:
    assert left.shape == right.shape
    return float(np.abs(left - right).max())


def ids_of(texts: list[str], length: int) -> object:
    raw = _tokenizer_of_letters()
    rows = [[*raw.encode(text.lower()).ids[: length - 1], 1] for text in texts]
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def as_transformers_sees(transformers, pictures: list[Image.Image]) -> dict[str, object]:
    processor = transformers.Siglip2ImageProcessorPil(max_num_patches=576)
    return processor(pictures, return_tensors="pt")


def test_picture_vectors_are_those_of_transformers(tiny, weights, reference, transformers, at, pictures):
    shapes = [(640, 480), (480, 640), (900, 100), (384, 384), (30, 40)]
    noise = [Image.fromarray(np.random.default_rng(2).integers(0, 256, (h, w, 3), np.uint8)) for w, h in shapes]
    pictures = [*pictures, *noise]
    encoder = tiny[NAME].load_image(at(weights))
    pixels = np.stack([encoder.preprocess(picture) for picture in pictures])
    vectors = check_vectors(encoder.encode_image(pixels), WIDTH)
    with torch.inference_mode():
        theirs = reference.vision_model(**as_transformers_sees(transformers, pictures)).pooler_output
    assert difference(vectors, l2_normalize(theirs.numpy())) < 1e-5
    assert float((vectors @ vectors.T - 2 * np.eye(len(vectors))).max()) < 0.9999
    alone = np.concatenate([encoder.encode_image(pixels[n : n + 1]) for n in range(4)])
    assert difference(alone, vectors[:4]) < 1e-5


def test_grids_are_those_of_transformers_for_pictures_of_any_size(transformers):
    from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

    sides = [1, 2, 16, 17, 100, 333, 480, 640, 768, 1000, 4032]
    for width in sides:
        for height in sides:
            wanted = get_image_size_for_max_num_patches(height, width, patch_size=16, max_num_patches=576)
            assert PREPROCESS.grid((width, height)) == (wanted[0] // 16, wanted[1] // 16), (width, height)


def test_short_texts_are_read_as_transformers_reads_them_at_64_tokens(tiny, weights, reference, at):
    encoder = tiny[NAME].load_text(at(weights))
    vectors = check_vectors(encoder.encode_text(TEXTS), WIDTH)
    with torch.inference_mode():
        theirs = reference.text_model(input_ids=ids_of(TEXTS, 64)).pooler_output
    assert difference(vectors, l2_normalize(theirs.numpy())) < 1e-5
    assert np.array_equal(*encoder.encode_text(["A Cat", "a cat"]))
    assert difference(np.concatenate([encoder.encode_text([text]) for text in TEXTS]), vectors) < 1e-5


def test_long_texts_are_read_by_their_own_head_and_positions_at_196_tokens(tiny, weights, state, transformers, at):
    encoder = tiny[LONG].load_text(at(weights))
    vectors = check_vectors(encoder.encode_text(TEXTS), WIDTH)
    model = siglip2(transformers, positions=196).text_model
    wanted = {f"text_model.{name}": tensor for name, tensor in model.state_dict().items()}
    theirs = {name: state[name] for name in wanted if "position" not in name}
    embeddings = "text_model.embeddings.position_embedding"
    positions = torch.cat([state[f"{embeddings}_ori.weight"][:20], state[f"{embeddings}_res.weight"][20:]])
    theirs |= {
        f"{embeddings}.weight": positions,
        "text_model.head.weight": state["longtext_head.weight"],
        "text_model.head.bias": state["longtext_head.bias"],
    }
    model.load_state_dict({name.removeprefix("text_model."): tensor for name, tensor in theirs.items()})
    with torch.inference_mode():
        expected = model(input_ids=ids_of(TEXTS, 196)).pooler_output
    assert difference(vectors, l2_normalize(expected.numpy())) < 1e-5
    short = tiny[NAME].load_text(at(weights)).encode_text(TEXTS)
    assert float((short * vectors).sum(axis=1).max()) < 0.9


def test_what_one_head_must_cut_the_other_reads(tiny, weights, at):
    text = "a cat and a dog " * 8
    short, long = (tiny[name].load_text(at(weights)) for name in (NAME, LONG))
    assert (short.read_text(text).truncated, long.read_text(text).truncated) == (True, False)
    assert len(list_wordings(text, short)) > 1
    assert list_wordings(text, long) == (text,)


def check_exports(published: Published, weights: Path, folder: Path, at, pictures, precisions: list[str]) -> None:
    """Export a copy, take its checkpoint away, and compare the vectors."""
    copied = shutil.copytree(weights / published.spec.name, folder / published.spec.name)
    runtime = at(folder)

    def encode() -> list[np.ndarray]:
        image, text = published.load_image(runtime), published.load_text(runtime)
        pixels = np.stack([image.preprocess(picture) for picture in pictures])
        return [image.encode_image(pixels), text.encode_text(TEXTS)]

    on_torch = encode()
    exported = export(published, published.folder(runtime), precisions)
    wanted = [(tower, precision) for tower in ("image", "text") for precision in precisions]
    assert [(one.tower, one.precision) for one in exported] == wanted
    (copied / "model.safetensors").unlink()
    assert max(map(difference, encode(), on_torch)) < 1e-4


def test_exports_give_the_vectors_of_the_checkpoint_without_it(tiny, weights, at, pictures, tmp_path):
    check_exports(tiny[NAME], weights, tmp_path, at, pictures, ["fp32"])


def test_exports_of_the_long_head_and_in_half_precision_are_accepted(tiny, weights, at, pictures, tmp_path, depth):
    check_exports(tiny[LONG], weights, tmp_path, at, pictures, ["fp32", "fp16"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("longtext_head.weight"), "longtext_head.weight"),
        (lambda state: state.pop("vision_model.head.probe"), "vision_model.head.probe"),
        (lambda state: state.update({"vision_model.registers": torch.ones(2)}), "vision_model.registers"),
        (
            lambda state: state.update({"vision_model.embeddings.position_embedding.weight": torch.ones(63, WIDTH)}),
            "no square",
        ),
        (lambda state: state.update({"vision_model.post_layernorm.weight": torch.ones(7)}), "post_layernorm"),
    ],
    ids=["SigLIP 2", "lacks a tensor", "holds another", "no square", "other shape"],
)
def test_a_checkpoint_of_something_else_is_refused_with_the_tensor(tiny, state, at, tmp_path, change, said):
    other = dict(state)
    change(other)
    save(other, tmp_path, NAME)
    with pytest.raises(WeightsUnsuitable) as caught:
        tiny[NAME].load_image(at(tmp_path))
    for language in ("en", "zh"):
        assert NAME in caught.value.text(language)
    assert said in caught.value.en


def test_a_checkpoint_of_another_size_says_whose_it_is(tiny, state, at, tmp_path):
    save(state, tmp_path, "fg-clip2-base")
    with pytest.raises(WeightsUnsuitable) as caught:
        Published(FAMILY, get_spec("fg-clip2-base")).load_image(at(tmp_path))
    assert caught.value.belongs_to == NAME


def test_the_head_that_reads_texts_belongs_to_the_fingerprint():
    assert {spec.name for spec in SPECS} <= set(list_encoders())
    for spec in SPECS:
        head, length = ("long", 196) if spec.name.endswith("-long") else ("short", 64)
        assert (spec.context_length, spec.space) == (length, f"{spec.name.removesuffix('-long')}-{head}")
        assert "most=576" in spec.preprocess
        assert get_preprocess(spec.name) is PREPROCESS
    assert len({spec.fingerprint for spec in SPECS}) == len(SPECS) == 6


def test_both_heads_are_of_one_published_checkpoint_at_a_known_commit(tmp_path):
    for size in ("base", "large", "so400m"):
        short, long = (get_spec(f"fg-clip2-{size}{suffix}") for suffix in ("", "-long"))
        assert short.publication == long.publication
        assert len(short.publication.revision) == 40
        assert f"https://huggingface.co/qihoo360/fg-clip2-{size}" in EncoderFolder(tmp_path, short).missing().places


def test_the_base_has_as_many_numbers_as_the_authors_publish():
    # Its model.safetensors has 1464 MiB of float32.
    from models.encoders.fg_clip2.towers import _Model

    with torch.device("meta"):
        model = _Model(fg_clip2.size_of("fg-clip2-base"), "short", 16)
    counted = {name: tensor.numel() for name, tensor in model.state_dict().items()}
    width, pooling = 768, sum(count for name, count in counted.items() if name.startswith("vision_model.head."))
    beside = 2 * 196 * width + 2 * (width + 1) * width + pooling + 2
    assert (sum(counted.values()) + beside) * 4 >> 20 == 1464
    assert round((sum(counted.values()) + beside) / 1e6) * 1_000_000 == get_spec("fg-clip2-base").parameters
