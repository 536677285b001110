"""The tower of DINOv3, made of the modules of transformers."""

from pathlib import Path

from models.encoders.dinov3.spec import MEAN, PATCH_SIDE, REGISTERS, STD, size_of
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower
from models.encoders.transformers_towers import Pooled, import_transformers, load_model


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, None]:
    """Return the image tower in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    transformers = import_transformers()
    size = size_of(spec.name)
    config = transformers.DINOv3ViTConfig(
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.inner,
        image_size=spec.image_size,
        patch_size=PATCH_SIDE,
        num_register_tokens=REGISTERS,
    )
    model = load_model(transformers.DINOv3ViTModel, config, spec, checkpoint[0])
    return ImageTower(Pooled(model, "pixel_values"), MEAN, STD).eval(), None
