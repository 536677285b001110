"""EmbeddingGemma 2 gives the vectors of transformers; what is cut of them, refused and exported."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from models.encoders import onnx, registry
from models.encoders.embedding_gemma2 import spec as gemma
from models.encoders.embedding_gemma2.family import FAMILY
from models.encoders.published import Published, PublishedEncoders
from models.encoders.registry import get_preprocess, get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import BackendNotInstalled, NotExportable, NotExported, WeightsMissing, WeightsUnsuitable
from models.foundation.vectors import check_vectors, l2_normalize
from models.weights.export import export

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = pytest.mark.usefixtures("torch")

FAMILY_NAME = "embeddinggemma2-tiny"
DIMS = (24, 16)
NAMES = [f"{FAMILY_NAME}-{dim}" for dim in DIMS]
TINY = gemma.GemmaShape(
    vocabulary=96,
    width=32,
    layers=6,
    heads=2,
    key_heads=(2, 1),
    head_widths=(8, 16),
    inner=48,
    dim=24,
    seen_width=32,
    seen_layers=2,
    seen_heads=2,
    seen_inner=48,
    positions=256,
    patch=4,
    patches=3,
    tokens=70,
)
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<|image>", "<|image|>", "<image|>", "<|audio|>"]
TEXTS = ["a cat", "A CAT", "一只猫", "zebra", "cat", "a cat and a dog " * 20, "<|image|> <bos>!"]


def make_tokenizer() -> object:
    """Make a tokenizer of letters, with the parts of Google's."""
    letters = [*"abcdefghijklmnopqrstuvwxyzABCT:|!<>猫一只", "▁"]
    merges = [("c", "a"), ("ca", "t"), ("▁", "cat")]
    pieces = [*SPECIAL, *letters, *("".join(merge) for merge in merges)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges, unk_token="<unk>"))
    tokenizer.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        "<bos> $A <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


@pytest.fixture(scope="module")
def weights(transformers, draw, tmp_path_factory) -> Path:
    """The folder of weights with a small model of one file, audio tower and all, under the name of each length."""
    from models.encoders.embedding_gemma2.towers import _make_config

    config = _make_config(transformers, TINY)
    audio = {"model_type": "gemma4_audio", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    values = config.to_dict() | {"audio_config": {**audio, "output_proj_dims": 16, "subsampling_conv_channels": [4, 4]}}
    values |= {"image_token_id": SPECIAL.index("<|image|>"), "audio_token_id": 7, "video_token_id": 95}
    model = transformers.EmbeddingGemma2Model(transformers.EmbeddingGemma2Config(**values))
    model.load_state_dict(draw(model.state_dict(), seed=12))
    folder = tmp_path_factory.mktemp("weights")
    model.save_pretrained(folder / NAMES[0])
    make_tokenizer().save(str(folder / NAMES[0] / "tokenizer.json"))
    shutil.copytree(folder / NAMES[0], folder / NAMES[1])
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch) -> None:
    """Make the small model known to the registry."""
    monkeypatch.setitem(gemma._SHAPES, FAMILY_NAME, TINY)
    for name, dim in zip(NAMES, DIMS, strict=True):
        spec = gemma.make_spec(FAMILY_NAME, dim)
        monkeypatch.setitem(registry._BUILT_IN, name, registry._Entry(spec, PublishedEncoders(FAMILY)))


@pytest.fixture
def copied(weights, tmp_path) -> Path:
    """A folder of weights that may be changed."""
    shutil.copytree(weights / NAMES[0], tmp_path / NAMES[0], ignore=shutil.ignore_patterns("encoder.json"))
    return tmp_path


def published() -> Published:
    return Published(FAMILY, get_spec(NAMES[0]))


def pooled(output: object, counts: object) -> np.ndarray:
    """Average the tokens that count, as the authors' configuration of sentence-transformers says."""
    hidden, counts = output.last_hidden_state, counts[..., None].float()
    return l2_normalize(((hidden * counts).sum(1) / counts.sum(1)).numpy())


def test_picture_vectors_are_those_of_transformers(weights, at, transformers, pictures):
    encoder = load_image_encoder(NAMES[0], at(weights))
    vectors = check_vectors(encoder.encode_image(np.stack([encoder.preprocess(picture) for picture in pictures])), 24)
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

    processor = Gemma4ImageProcessorPil(
        patch_size=TINY.patch, max_soft_tokens=TINY.tokens, pooling_kernel_size=TINY.patches
    )
    model = transformers.EmbeddingGemma2Model.from_pretrained(weights / NAMES[0]).eval()
    tokenizer = tokenizers.Tokenizer.from_file(str(weights / NAMES[0] / "tokenizer.json"))
    theirs = []
    for picture in pictures:
        seen = processor(picture, return_tensors="pt")
        tokens = int(seen.pop("num_soft_tokens_per_image")[0])
        ids = torch.tensor([tokenizer.encode(f"<|image>{'<|image|>' * tokens}<image|>").ids])
        with torch.inference_mode():
            theirs.append(pooled(model(input_ids=ids, **seen), torch.ones_like(ids)))
    assert np.abs(vectors - np.concatenate(theirs)).max() < 1e-4
    assert (vectors @ vectors.T - 2 * np.eye(len(vectors))).max() < 0.999
    alone = [encoder.encode_image(np.stack([encoder.preprocess(picture)])) for picture in pictures[:3]]
    assert np.abs(np.concatenate(alone) - vectors[:3]).max() < 1e-5


def test_text_vectors_are_those_of_transformers(weights, at, transformers):
    encoder = load_text_encoder(NAMES[0], at(weights))
    vectors = check_vectors(encoder.encode_text(TEXTS), 24)
    model = transformers.EmbeddingGemma2Model.from_pretrained(weights / NAMES[0]).eval()
    tokenizer = make_tokenizer()
    tokenizer.encode_special_tokens = True
    theirs = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(f"task: search result | query: {text}").ids])
        with torch.inference_mode():
            theirs.append(pooled(model(input_ids=ids), torch.ones_like(ids)))
    assert np.abs(vectors - np.concatenate(theirs)).max() < 1e-4
    assert (vectors @ vectors.T - 2 * np.eye(len(vectors))).max() < 0.9999
    assert np.abs(vectors - np.concatenate([encoder.encode_text([text]) for text in TEXTS])).max() < 1e-5


def test_a_shorter_vector_is_the_beginning_of_the_longer_one(weights, at, pictures):
    pixels = np.stack([get_preprocess(NAMES[0])(picture) for picture in pictures[:2]])
    for load, ask in (
        (load_text_encoder, lambda encoder: encoder.encode_text(TEXTS)),
        (load_image_encoder, lambda encoder: encoder.encode_image(pixels)),
    ):
        longer, shorter = (ask(load(name, at(weights))) for name in NAMES)
        assert np.abs(l2_normalize(longer[:, :16]) - check_vectors(shorter, 16)).max() < 1e-6


def test_exports_give_the_vectors_of_the_checkpoint_without_it(copied, at, pictures):
    runtime = at(copied)

    def encode() -> list[np.ndarray]:
        image, text = load_image_encoder(NAMES[0], runtime), load_text_encoder(NAMES[0], runtime)
        pixels = np.stack([image.preprocess(picture) for picture in pictures])
        return [image.encode_image(pixels), text.encode_text(TEXTS)]

    on_torch = encode()
    done = export(published(), published().folder(runtime), ["fp32"])
    assert [(one.tower, one.precision) for one in done] == [("image", "fp32"), ("text", "fp32")]
    (copied / NAMES[0] / "model.safetensors").unlink()
    for ours, theirs in zip(encode(), on_torch, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4


def test_half_precision_is_refused_and_says_what_to_use_instead(weights, at):
    folder = published().folder(at(weights))
    for ask in (
        lambda: export(published(), folder, ["fp32", "fp16"]),
        lambda: load_text_encoder(NAMES[0], replace(at(weights), precision="fp16")),
        lambda: load_image_encoder(NAMES[0], Runtime(weights=weights, device="tensorrt", precision="fp16")),
    ):
        with pytest.raises(NotExportable) as caught:
            ask()
        assert f"{NAMES[0]} cannot be exported in fp16" in caught.value.en
        assert f"{NAMES[0]} 不能导出为 fp16" in caught.value.zh
        for text in (caught.value.en, caught.value.zh):
            assert "fp32" in text
            assert "bfloat16" in text
    assert not folder.record().exports


def test_tensorrt_asks_for_single_precision_and_keeps_to_it(weights, at):
    with pytest.raises(NotExported, match="--precision fp32") as caught:
        load_image_encoder(NAMES[0], Runtime(weights=weights, device="tensorrt"))
    assert not isinstance(caught.value, NotExportable)
    for in_fp16 in (True, False):
        (_, options), *_ = onnx._providers("tensorrt:0", Path("image.onnx"), in_fp16=in_fp16)
        assert options["trt_fp16_enable"] == in_fp16


def test_with_an_older_transformers_the_version_is_named(weights, at, transformers, monkeypatch):
    older = ModuleType("transformers")
    older.logging = transformers.logging
    monkeypatch.setitem(sys.modules, "transformers", older)
    with pytest.raises(BackendNotInstalled, match=r"transformers>=5\.23"):
        load_text_encoder(NAMES[0], at(weights))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("language_model.layers.3.layer_scalar"), "lacks language_model.layers.3.layer_scalar"),
        (lambda state: state.pop("embed_vision.embedding_projection.weight"), "lacks embed_vision"),
        (lambda state: state.pop("language_model.embed_tokens.weight"), "something else"),
        (lambda state: state.update({"language_model.embed_tokens.weight": torch.ones(96, 8)}), "8 wide, not 32"),
        (lambda state: state.update({"language_model.norm.weight": torch.ones(8)}), "other shapes"),
        (lambda state: state.update({"language_model.layers.9.x": torch.ones(8)}), "belongs to another model"),
    ],
)
def test_weights_of_something_else_are_refused(copied, at, change, said):
    from safetensors.torch import load_file, save_file

    path = copied / NAMES[0] / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    for load in (load_text_encoder, load_image_encoder):
        with pytest.raises(WeightsUnsuitable, match=said):
            load(NAMES[0], at(copied))


def test_weights_without_the_audio_tower_are_the_same_encoder(copied, weights, at):
    from safetensors.torch import load_file, save_file

    path = copied / NAMES[0] / "model.safetensors"
    state = load_file(path)
    audio = [name for name in state if name.startswith(("audio_tower.", "embed_audio."))]
    assert audio
    save_file({name: tensor for name, tensor in state.items() if name not in audio}, path)
    one, other = (load_text_encoder(NAMES[0], at(folder)).encode_text(TEXTS) for folder in (weights, copied))
    assert np.array_equal(one, other)


def test_a_tokenizer_of_another_model_is_refused(copied, at):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0}, []))
    tokenizer.save(str(copied / NAMES[0] / "tokenizer.json"))
    with pytest.raises(WeightsUnsuitable, match=r"no token <image\|>") as caught:
        load_text_encoder(NAMES[0], at(copied))
    assert "没有" in caught.value.zh


def test_the_fingerprint_depends_on_all_that_decides_a_vector():
    spec = get_spec("embeddinggemma2-768")
    assert (spec.pooling, spec.image_size, spec.context_length) == ("mean", 816, 512)
    assert spec.prompts == ("task: search result | query: ", "<|image><image|>")
    others = [
        replace(spec, prompts=("title: none | text: ", spec.prompts[1])),
        replace(spec, prompts=(spec.prompts[0], "a photo: <|image><image|>")),
        replace(spec, pooling="last token"),
        replace(spec, dim=512),
        replace(spec, image_size=768),
        replace(spec, preprocess=repr(gemma.make_preprocess(replace(gemma.GemmaShape(), tokens=140)))),
        replace(spec, context_length=256),
        *(get_spec(f"embeddinggemma2-{dim}") for dim in gemma.DIMS[1:]),
    ]
    assert len({spec.fingerprint, *(other.fingerprint for other in others)}) == len(others) + 1


def test_the_fingerprint_of_an_encoder_without_prompts_is_what_it_was():
    assert get_spec("siglip2-base-patch16-224").fingerprint == "b868c06a2a8f81c2"


def test_missing_weights_are_named(tmp_path, at):
    with pytest.raises(WeightsMissing, match=r"model\.safetensors \+ tokenizer\.json"):
        load_text_encoder("embeddinggemma2-768", at(tmp_path))


def test_the_model_has_the_tensors_that_are_published(transformers):
    # From the header of google/embeddinggemma-2/model.safetensors: 413 tensors of text, 211 of pictures.
    from models.encoders.embedding_gemma2.towers import _make_config

    with torch.device("meta"):
        state = transformers.EmbeddingGemma2Model(_make_config(transformers, gemma.GemmaShape())).state_dict()
    assert sum(name.startswith("language_model.") for name in state) == 413
    assert sum(name.startswith(("vision_tower.", "embed_vision.")) for name in state) == 211 == len(state) - 413
    shapes = {
        "language_model.embed_tokens.weight": (262144, 512),
        "language_model.embedding_projection.weight": (768, 512),
        "language_model.ple.per_layer_model_projection.weight": (12288, 512),
        "language_model.layers.4.self_attn.q_proj.weight": (1024, 512),
        "language_model.layers.5.self_attn.q_proj.weight": (2048, 512),
        "vision_tower.patch_embedder.position_embedding_table": (2, 10240, 768),
        "vision_tower.encoder.layers.15.mlp.down_proj.linear.weight": (768, 3072),
        "embed_vision.embedding_projection.weight": (512, 768),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes
    assert round(sum(tensor.numel() for tensor in state.values()), -6) == gemma.GemmaShape().parameters
