"""The towers of SigLIP 2, made of the modules of transformers."""

from pathlib import Path
from typing import Any

from models.encoders.siglip2.spec import MEAN, STD, TowerSize, size_of
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower, TextTower
from models.encoders.transformers_towers import Pooled, import_transformers, load_model


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    transformers = import_transformers()
    weights = [path for path in checkpoint if path.suffix == ".safetensors"]
    config, width = make_config(transformers, spec), size_of(spec.name).text.width
    model = load_model(transformers.SiglipModel, config, spec, *weights, width=width)
    image = ImageTower(Pooled(model.vision_model, "pixel_values"), MEAN, STD)
    return image.eval(), TextTower(Pooled(model.text_model, "input_ids")).eval()


def make_config(transformers: Any, spec: EncoderSpec) -> Any:
    """Return the shape of both towers as transformers takes it."""
    size = size_of(spec.name)
    return transformers.SiglipConfig(
        vision_config={**_shape(size.image), "image_size": size.side, "patch_size": size.patch},
        text_config={
            **_shape(size.text),
            "vocab_size": 256_000,
            "max_position_embeddings": spec.context_length,
            "projection_size": spec.dim,
        },
    )


def _shape(tower: TowerSize) -> dict[str, int]:
    return {
        "hidden_size": tower.width,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
        "intermediate_size": tower.inner,
    }
