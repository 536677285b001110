"""Chinese-CLIP gives the vectors of cn_clip, and of transformers for the checkpoints in its form."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from models.encoders.registry import get_spec, load_image_encoder, load_text_encoder
from models.encoders.spec import EncoderSpec
from models.foundation.vectors import check_vectors, l2_normalize

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")

TEXTS = (
    "雪地里奔跑的两只狗",
    "a RED dress, naïve café",
    "iPhone 15 手机壳，¥99 包邮！",
    "🐈‍⬛ 和 🐕",
    "ＡＢＣ　１２３",
    "[MASK] [SEP] 猫",
    "",
    " \u3000\n",
    "。",
    "红色的花" * 50,
    "the quick brown fox jumps over the lazy dog " * 20,
)
CONFIGURATIONS = {
    "rn50": ("RN50", "RBT3-chinese"),
    "vit-b-16": ("ViT-B-16", "RoBERTa-wwm-ext-base-chinese"),
}


def difference(left: np.ndarray, right: np.ndarray) -> float:
    assert left.shape == right.shape
    return float(np.abs(left - right).max())


def most_alike(vectors: np.ndarray) -> float:
    return float((vectors @ vectors.T - 2 * np.eye(len(vectors))).max())


def pixels_of(encoder, pictures) -> np.ndarray:
    return np.stack([encoder.preprocess(picture) for picture in pictures])


@pytest.fixture(scope="module")
def in_the_form_of_transformers(transformers, draw, tmp_path_factory, depth) -> Path:
    """The folder of weights of a ViT-B/16 as a ChineseCLIPModel, with its config.json.

    Half-precision as the authors' own weights are, so that rounding takes nothing away.
    """
    from safetensors.torch import save_file

    config = transformers.ChineseCLIPConfig(
        text_config={
            "vocab_size": 21128,
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "hidden_act": "gelu",
            "max_position_embeddings": 512,
            "type_vocab_size": 2,
            "layer_norm_eps": 1e-12,
        },
        vision_config={
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "image_size": 224,
            "patch_size": 16,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5,
        },
        projection_dim=512,
    )
    with torch.device("meta"):
        like = transformers.ChineseCLIPModel(config).half().state_dict()
    state = draw(like, seed=5)
    state["text_model.embeddings.position_ids"] = torch.arange(512)[None]  # as the published file has
    weights = tmp_path_factory.mktemp("weights")
    folder = weights / "chinese-clip-vit-b-16"
    folder.mkdir()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(
        json.dumps({**config.to_dict(), "architectures": ["ChineseCLIPModel"]}), encoding="utf-8"
    )
    return weights


def test_a_checkpoint_in_the_form_of_transformers_gives_its_vectors(
    in_the_form_of_transformers, transformers, cn_clip, at, free_memory, pictures
):
    weights, texts = in_the_form_of_transformers, [TEXTS[0], TEXTS[1], "", "红色的花" * 20]
    name = "chinese-clip-vit-b-16"
    runtime = at(weights)
    encoder = load_image_encoder(name, runtime)
    pixels = pixels_of(encoder, pictures[1:3])
    images = check_vectors(encoder.encode_image(pixels), 512)
    del encoder
    read = check_vectors(load_text_encoder(name, runtime).encode_text(texts), 512)
    free_memory()
    model = transformers.ChineseCLIPModel.from_pretrained(weights / name, dtype=torch.float32).eval()
    transform = cn_clip.image_transform(224)
    ids = cn_clip.tokenize(texts)
    with torch.inference_mode():
        seen = torch.stack([transform(picture) for picture in pictures[1:3]])
        theirs = model.get_image_features(pixel_values=seen).pooler_output
        their_text = model.get_text_features(input_ids=ids, attention_mask=ids.ne(0)).pooler_output
    assert difference(images, l2_normalize(theirs.numpy())) < 1e-4
    assert difference(read, l2_normalize(their_text.numpy())) < 1e-4
    assert most_alike(images) < 0.999


@dataclass(frozen=True)
class Vectors:
    """What the reference and the product make of the same inputs. No model stays in memory."""

    reference: np.ndarray
    together: np.ndarray
    alone: np.ndarray
    none: np.ndarray


@dataclass(frozen=True)
class Sized:
    """The vectors of one size, and the descriptions its two encoders give of themselves."""

    images: Vectors
    texts: Vectors
    specs: tuple[EncoderSpec, EncoderSpec]


@pytest.fixture(scope="module", params=["rn50", pytest.param("vit-b-16", marks=pytest.mark.depth)])
def sized(request, at, free_memory, cn_clip, pictures) -> Sized:
    size = request.param
    name = f"chinese-clip-{size}"
    weights = request.getfixturevalue(size.replace("-", "_"))
    seen, read = reference_vectors(cn_clip, weights / name / f"clip_cn_{size}.pt", size, pictures)
    free_memory()
    encoder = load_image_encoder(name, at(weights))
    pixels, image_spec = pixels_of(encoder, pictures), encoder.spec
    images = Vectors(
        seen,
        encoder.encode_image(pixels),
        np.concatenate([encoder.encode_image(one[None]) for one in pixels[-3:]]),
        encoder.encode_image(pixels[:0]),
    )
    del encoder
    free_memory()
    encoder = load_text_encoder(name, at(weights))
    texts = Vectors(
        read,
        encoder.encode_text(TEXTS),
        np.concatenate([encoder.encode_text([text]) for text in TEXTS]),
        encoder.encode_text([]),
    )
    return Sized(images, texts, (image_spec, encoder.spec))


def reference_vectors(cn_clip, file: Path, size: str, pictures) -> tuple[np.ndarray, np.ndarray]:
    vision, text = CONFIGURATIONS[size]
    model, transform = cn_clip.load_from_name(
        str(file), device="cpu", vision_model_name=vision, text_model_name=text, input_resolution=224
    )
    model.eval()  # it comes in train mode
    with torch.inference_mode():
        images = model.encode_image(torch.stack([transform(picture) for picture in pictures]))
        texts = model.encode_text(cn_clip.tokenize(list(TEXTS)))
    return l2_normalize(images.numpy()), l2_normalize(texts.numpy())


def test_picture_vectors_are_those_of_cn_clip(sized):
    check_vectors(sized.images.together, sized.specs[0].dim)
    assert difference(sized.images.together, sized.images.reference) < 1e-4
    assert most_alike(sized.images.reference) < 0.999  # or the comparison would say nothing


def test_text_vectors_are_those_of_cn_clip(sized):
    check_vectors(sized.texts.together, sized.specs[1].dim)
    assert difference(sized.texts.together, sized.texts.reference) < 1e-4
    distinct = [number for number, text in enumerate(TEXTS) if text.strip()]
    assert most_alike(sized.texts.reference[distinct]) < 0.999


def test_texts_of_mixed_lengths_are_as_if_each_were_alone(sized):
    assert difference(sized.texts.together, sized.texts.alone) < 1e-5


def test_pictures_in_a_batch_are_as_if_each_were_alone(sized):
    assert difference(sized.images.together[-3:], sized.images.alone) < 1e-5


def test_no_input_gives_no_vectors(sized):
    assert sized.images.none.shape == sized.texts.none.shape == (0, sized.specs[0].dim)


def test_both_towers_are_one_space_and_say_so(sized):
    image, text = sized.specs
    assert image == text
    assert image.fingerprint == text.fingerprint != get_spec(image.name).fingerprint


def test_nothing_is_random_and_nothing_is_printed(rn50, at, pictures, capfd):
    name, seen, read = "chinese-clip-rn50", [], []
    for _ in range(2):
        image, text = load_image_encoder(name, at(rn50)), load_text_encoder(name, at(rn50))
        seen += [image.encode_image(pixels_of(image, pictures[:1])) for _ in range(2)]
        read += [text.encode_text(TEXTS[:2]) for _ in range(2)]
    assert all(np.array_equal(vectors, seen[0]) for vectors in seen)
    assert all(np.array_equal(vectors, read[0]) for vectors in read)
    assert capfd.readouterr().out == ""


def test_as_many_threads_run_as_are_asked_for_with_the_same_vectors(rn50, at, pictures):
    name, vectors = "chinese-clip-rn50", []
    for threads in (1, 2):
        encoder = load_image_encoder(name, replace(at(rn50), threads=threads))
        vectors.append(encoder.encode_image(pixels_of(encoder, pictures[:2])))
        assert torch.get_num_threads() == threads
    assert difference(*vectors) < 1e-5
