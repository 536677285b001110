"""Qwen3-VL-Embedding gives the vectors of transformers for what the authors' own code asks it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.encoders import registry
from models.encoders.published import Published, PublishedEncoders
from models.encoders.qwen3_vl import spec as qwen
from models.encoders.qwen3_vl.family import FAMILY
from models.encoders.registry import get_preprocess, get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import NotExportable, WeightsMissing, WeightsUnsuitable
from models.foundation.vectors import check_vectors, l2_normalize
from models.weights.export import export

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = pytest.mark.usefixtures("torch")

FAMILY_NAME = "qwen3-vl-embedding-tiny"
DIMS = (32, 16)
NAMES = [f"{FAMILY_NAME}-{dim}" for dim in DIMS]
TINY = qwen.QwenShape(
    vocabulary=384,
    width=32,
    layers=4,
    heads=2,
    key_heads=1,
    head_width=16,
    inner=48,
    sections=(4, 2, 2),
    seen_width=32,
    seen_layers=3,
    seen_heads=2,
    seen_inner=48,
    seen_deep=(0, 1),
    positions=64,
    patch=4,
    tokens=40,
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
TEXTS = ["a cat", "A CAT", "一只猫", "!!", "cat!", "a cat and a dog " * 9, "<|im_end|> x", "🐈", "e\u0301"]
# As the authors' code writes a chat of one picture or one text, with the instruction for whoever names none.
CHAT = (
    "<|im_start|>system\nRepresent the user's input.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)


def make_tokenizer(*, ends: bool = False) -> object:
    """Make a tokenizer of bytes with the parts of Qwen's; with `ends` one that ends a text itself."""
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())  # "!" is the first
    merges = [("c", "a"), ("ca", "t"), ("Ġ", "cat"), ("u", "s")]
    vocabulary = {piece: number for number, piece in enumerate([*letters, *("".join(merge) for merge in merges)])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    tokenizer.normalizer = tokenizers.normalizers.NFC()
    words = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(words), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(SPECIAL)
    if ends:
        end = tokenizer.token_to_id("<|endoftext|>")
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            "$A <|endoftext|>", special_tokens=[("<|endoftext|>", end)]
        )
    return tokenizer


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "ends"])
def weights(request, transformers, draw, tmp_path_factory) -> Path:
    """The folder of weights with a small model of one file, in the authors' names, under the name of each length."""
    from safetensors.torch import save_file

    from models.encoders.qwen3_vl.towers import _make_config

    tokenizer = make_tokenizer(ends=request.param)
    config = _make_config(transformers, TINY, tokenizer.token_to_id("<|image_pad|>"))
    state = draw(transformers.Qwen3VLModel(config).state_dict(), seed=13)
    folder = tmp_path_factory.mktemp("weights")
    for name in NAMES:
        (folder / name).mkdir()
        save_file({f"model.{key}": tensor for key, tensor in state.items()}, folder / name / "model.safetensors")
        tokenizer.save(str(folder / name / "tokenizer.json"))
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch) -> None:
    """Make the small model known to the registry."""
    monkeypatch.setitem(qwen._SHAPES, FAMILY_NAME, TINY)
    for name, dim in zip(NAMES, DIMS, strict=True):
        spec = qwen.make_spec(FAMILY_NAME, dim)
        monkeypatch.setitem(registry._BUILT_IN, name, registry._Entry(spec, PublishedEncoders(FAMILY)))


@pytest.fixture
def theirs(weights, transformers) -> object:
    """The model of transformers with the same weights."""
    from safetensors.torch import load_file

    from models.encoders.qwen3_vl.towers import _make_config

    tokenizer = tokenizers.Tokenizer.from_file(str(weights / NAMES[0] / "tokenizer.json"))
    model = transformers.Qwen3VLModel(_make_config(transformers, TINY, tokenizer.token_to_id("<|image_pad|>")))
    state = load_file(weights / NAMES[0] / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
    return model.eval(), tokenizer


def test_picture_vectors_are_those_of_transformers(weights, at, theirs, pictures):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    encoder = load_image_encoder(NAMES[0], at(weights))
    pictures = [picture for picture in pictures if max(picture.size) <= 40 * min(picture.size)]
    pictures += [picture.crop((0, 0, 40, 31)) for picture in pictures[:1]]
    vectors = check_vectors(encoder.encode_image(np.stack([encoder.preprocess(picture) for picture in pictures])), 32)
    pixels = {"shortest_edge": 4 * 8 * 8, "longest_edge": TINY.tokens * 8 * 8}
    processor = Qwen2VLImageProcessorPil(
        size=pixels, patch_size=TINY.patch, image_mean=[0.5] * 3, image_std=[0.5] * 3, temporal_patch_size=2
    )
    model, tokenizer = theirs
    rows = []
    for picture in pictures:
        seen = processor(picture, return_tensors="pt")
        tokens = int(seen["image_grid_thw"].prod()) // 4
        text = CHAT.format(f"<|vision_start|>{'<|image_pad|>' * tokens}<|vision_end|>")
        ids = torch.tensor([tokenizer.encode(text).ids])
        types = (ids == tokenizer.token_to_id("<|image_pad|>")).int()
        with torch.inference_mode():
            output = model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=types, **seen)
        rows.append(output.last_hidden_state[:, -1].numpy())
    assert np.abs(vectors - l2_normalize(np.concatenate(rows))).max() < 1e-4
    assert (vectors @ vectors.T - 2 * np.eye(len(vectors))).max() < 0.9999
    alone = [encoder.encode_image(np.stack([encoder.preprocess(picture)])) for picture in pictures]
    assert np.abs(np.concatenate(alone) - vectors).max() < 1e-5


def test_text_vectors_are_those_of_transformers(weights, at, theirs):
    encoder = load_text_encoder(NAMES[0], at(weights))
    vectors = check_vectors(encoder.encode_text(TEXTS), 32)
    model, tokenizer = theirs
    rows = []
    for text in TEXTS:
        ids = list(tokenizer.encode(CHAT.format("|")).ids)
        at_text = len(tokenizer.encode(CHAT.split("{}", maxsplit=1)[0], add_special_tokens=False).ids)
        tokenizer.encode_special_tokens = True  # a person's text has none
        ids[at_text : at_text + 1] = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        with torch.inference_mode():
            rows.append(model(input_ids=torch.tensor([ids])).last_hidden_state[:, -1].numpy())
    assert np.abs(vectors - l2_normalize(np.concatenate(rows))).max() < 1e-4
    assert (vectors @ vectors.T - 2 * np.eye(len(vectors))).max() < 0.99999
    assert np.abs(vectors - np.concatenate([encoder.encode_text([text]) for text in TEXTS])).max() < 1e-5


def test_a_shorter_vector_is_the_beginning_of_the_longer_one(weights, at, pictures):
    pixels = np.stack([get_preprocess(NAMES[0])(picture) for picture in pictures[:2]])
    for load, ask in (
        (load_text_encoder, lambda encoder: encoder.encode_text(TEXTS)),
        (load_image_encoder, lambda encoder: encoder.encode_image(pixels)),
    ):
        longer, shorter = (ask(load(name, at(weights))) for name in NAMES)
        assert np.abs(l2_normalize(longer[:, :16]) - check_vectors(shorter, 16)).max() < 1e-6


def test_a_library_is_built_and_searched(weights, at, photographs, tmp_path):
    settings = IndexerSettings(data=tmp_path, weights=weights, device="cpu", workers=0)
    build(settings, [photographs], BuildOptions(encoders=[NAMES[0]]))
    engine = SearchEngine.open(tmp_path, runtime=at(weights))
    for name in ("cat.png", "rocket.jpg"):
        found = engine.search(Query(clauses=[Clause(image=(photographs / name).read_bytes())], k=9))
        assert found.hits[0].path.endswith(name)
        assert found.hits[0].score > 0.999
    assert len(engine.search(Query(clauses=[Clause(text="一只猫")], k=9)).hits) == 9


def test_an_export_is_refused_and_says_what_runs_it(weights, at):
    published = Published(FAMILY, get_spec(NAMES[0]))
    for ask in (
        lambda: export(published, published.folder(at(weights)), ["fp32"]),
        lambda: load_text_encoder(NAMES[0], replace(at(weights), precision="int8")),
        lambda: load_image_encoder(NAMES[0], Runtime(weights=weights, device="tensorrt")),
    ):
        with pytest.raises(NotExportable) as caught:
            ask()
        assert f"{NAMES[0]} cannot be exported" in caught.value.en
        assert f"{NAMES[0]} 不能导出" in caught.value.zh
        assert "torch" in caught.value.en
        assert "torch" in caught.value.zh
        assert caught.value.users_mistake
    assert load_text_encoder(NAMES[0], replace(at(weights), precision="fp32")).spec.dim == 32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("model.visual.deepstack_merger_list.1.norm.weight"), "lacks visual.deepstack"),
        (lambda state: state.pop("model.language_model.embed_tokens.weight"), "something else"),
        (lambda state: state.update({"model.language_model.embed_tokens.weight": torch.ones(9, 8)}), "8 wide, not 32"),
        (lambda state: state.update({"model.language_model.norm.weight": torch.ones(8)}), "other shapes"),
        (lambda state: state.update({"score.weight": torch.ones(8)}), "belongs to another model"),
    ],
)
def test_weights_of_something_else_are_refused(weights, at, tmp_path, change, said):
    from safetensors.torch import load_file, save_file

    shutil.copytree(weights / NAMES[0], tmp_path / NAMES[0], ignore=shutil.ignore_patterns("encoder.json"))
    path = tmp_path / NAMES[0] / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    with pytest.raises(WeightsUnsuitable, match=said):
        load_image_encoder(NAMES[0], at(tmp_path))


def test_a_tied_head_is_left_aside(weights, at, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(weights / NAMES[0], tmp_path / NAMES[0], ignore=shutil.ignore_patterns("encoder.json"))
    path = tmp_path / NAMES[0] / "model.safetensors"
    save_file(load_file(path) | {"lm_head.weight": torch.ones(384, 32)}, path)
    one, other = (load_text_encoder(NAMES[0], at(folder)).encode_text(TEXTS) for folder in (weights, tmp_path))
    assert np.array_equal(one, other)


def test_a_tokenizer_of_another_model_is_refused(weights, at, tmp_path):
    shutil.copytree(weights / NAMES[0], tmp_path / NAMES[0], ignore=shutil.ignore_patterns("encoder.json"))
    tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0}, [])).save(str(tmp_path / NAMES[0] / "tokenizer.json"))
    with pytest.raises(WeightsUnsuitable, match="no token"):
        load_text_encoder(NAMES[0], at(tmp_path))


def test_missing_weights_are_named(tmp_path, at):
    with pytest.raises(WeightsMissing, match=r"model\.safetensors \+ tokenizer\.json"):
        load_text_encoder("qwen3-vl-embedding-2b-2048", at(tmp_path))


def test_the_model_has_the_size_that_is_published(transformers):
    # Qwen/Qwen3-VL-Embedding-2B/config.json: 28 layers of 2048, 24 of 1024 that see, three of them deep.
    from models.encoders.qwen3_vl.towers import _make_config

    with torch.device("meta"):
        state = transformers.Qwen3VLModel(_make_config(transformers, qwen.QwenShape(), 151_655)).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 2_127_532_032
    assert tuple(state["language_model.layers.27.self_attn.k_proj.weight"].shape) == (1024, 2048)
    assert tuple(state["visual.deepstack_merger_list.2.linear_fc2.weight"].shape) == (2048, 4096)
