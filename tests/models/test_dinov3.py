"""DINOv3 gives the vectors of transformers, and is fetched only by those who have accepted its licence."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.encoders.published import Published
from models.encoders.registry import DEFAULT_ENCODER, get_published, get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import NoTextTower, WeightsUnsuitable
from models.foundation.vectors import check_vectors, l2_normalize
from models.weights.export import export

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")

NAME = "dinov3-vits16"
MEAN, STD = np.array((0.485, 0.456, 0.406), np.float32), np.array((0.229, 0.224, 0.225), np.float32)


def make_model(transformers) -> object:
    config = transformers.DINOv3ViTConfig(  # the published config.json, value by value
        hidden_size=384,
        intermediate_size=1536,
        num_hidden_layers=12,
        num_attention_heads=6,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
        rope_theta=100.0,
        image_size=224,
        patch_size=16,
        num_channels=3,
        query_bias=True,
        key_bias=False,
        value_bias=True,
        proj_bias=True,
        mlp_bias=True,
        layerscale_value=1.0,
        num_register_tokens=4,
        use_gated_mlp=False,
    )
    return transformers.DINOv3ViTModel(config).eval()


@pytest.fixture(scope="module")
def state(transformers, draw) -> dict[str, object]:
    """The tensors of the smallest, in the names of transformers here."""
    return draw(make_model(transformers).state_dict(), seed=3)


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory) -> Path:
    """The folder of all weights with dinov3-vits16, its tensors in the names of the hub. Not to be changed."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("weights")
    (folder / NAME).mkdir()
    published = {name.replace("model.layer.", "layer."): tensor.contiguous() for name, tensor in state.items()}
    assert {name.partition(".")[0] for name in published} == {"embeddings", "layer", "norm"}
    save_file(published, folder / NAME / "model.safetensors")
    return folder


def seen(pictures: list) -> object:
    """Return what the processor of the hub makes of pictures: made numbers, resized to a square, standardised."""
    from torchvision.transforms.v2 import functional

    def see(picture: object) -> object:
        values = functional.pil_to_tensor(picture).float() / 255
        return functional.resize(values, [224, 224], functional.InterpolationMode.BILINEAR, antialias=True)

    values = torch.stack([see(picture) for picture in pictures])
    return (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def test_vectors_are_those_of_transformers(weights, state, at, transformers, pictures):
    encoder = load_image_encoder(NAME, at(weights))
    vectors = check_vectors(encoder.encode_image(np.stack([encoder.preprocess(picture) for picture in pictures])), 384)
    model = make_model(transformers)
    model.load_state_dict(state)
    with torch.inference_mode():
        theirs = l2_normalize(model(seen(pictures)).pooler_output.numpy())
    assert (vectors * theirs).sum(axis=1).min() > 0.9999  # the hub resizes before it rounds
    pixels = np.stack([encoder.preprocess(picture) for picture in pictures])
    values = (pixels.astype(np.float32) / 255 - MEAN) / STD
    with torch.inference_mode():
        same = model(torch.from_numpy(values.transpose(0, 3, 1, 2).copy())).pooler_output
    assert np.abs(vectors - l2_normalize(same.numpy())).max() < 1e-5


def test_an_export_gives_the_vectors_of_the_checkpoint_without_it(weights, at, pictures, tmp_path, depth):
    copied = shutil.copytree(weights / NAME, tmp_path / NAME)
    published, runtime = get_published(NAME), at(tmp_path)
    on_torch = load_image_encoder(NAME, runtime)
    pixels = np.stack([on_torch.preprocess(picture) for picture in pictures])
    (exported,) = export(published, published.folder(runtime), ["fp32"])
    assert (exported.tower, exported.precision) == ("image", "fp32")
    (copied / "model.safetensors").unlink()
    assert np.abs(load_image_encoder(NAME, runtime).encode_image(pixels) - on_torch.encode_image(pixels)).max() < 1e-5


def test_a_checkpoint_of_dinov2_is_refused(dinov2_small, at, tmp_path):
    (tmp_path / NAME).mkdir()
    shutil.copyfile(dinov2_small / "dinov2-small/model.safetensors", tmp_path / NAME / "model.safetensors")
    with pytest.raises(WeightsUnsuitable):
        load_image_encoder(NAME, at(tmp_path))


def test_it_reads_no_text_and_nobody_gets_it_unasked(tmp_path):
    with pytest.raises(NoTextTower):
        load_text_encoder(NAME, Runtime(weights=tmp_path))
    for name in (NAME, "dinov3-vitb16", "dinov3-vitl16"):
        spec = get_spec(name)
        assert spec.license == "DINOv3 License"
        assert spec.publication.terms.startswith("https://")
        assert name != DEFAULT_ENCODER
    assert isinstance(get_published(NAME), Published)
