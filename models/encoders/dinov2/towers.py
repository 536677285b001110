"""The tower of DINOv2, made of the modules of transformers."""

from pathlib import Path
from typing import Any

import torch

from models.encoders.dinov2.spec import MEAN, STD, architecture
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower
from models.encoders.transformers_towers import Pooled, import_transformers, load_model


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, None]:
    """Return the image tower in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    transformers = import_transformers()
    width, layers, heads, registers = architecture(spec)
    values: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": 518,  # of the position embeddings, which are interpolated to the size in use
        "patch_size": 14,
        "use_swiglu_ffn": width == 1536,
    }
    if registers:
        config = transformers.Dinov2WithRegistersConfig(**values, num_register_tokens=registers)
        model = load_model(transformers.Dinov2WithRegistersModel, config, spec, checkpoint[0])
    else:
        model = load_model(transformers.Dinov2Model, transformers.Dinov2Config(**values), spec, checkpoint[0])
    embeddings = model.embeddings
    patches = torch.empty(1, (spec.image_size // embeddings.patch_size) ** 2 + 1, width)
    fixed = embeddings.interpolate_pos_encoding(patches, spec.image_size, spec.image_size).detach()
    # Pictures have one size, so this is done once; and one kind of the interpolation has no form in ONNX.
    embeddings.register_buffer("fixed_positions", fixed)
    embeddings.interpolate_pos_encoding = lambda *_: embeddings.fixed_positions
    return ImageTower(Pooled(model, "pixel_values"), MEAN, STD).eval(), None
