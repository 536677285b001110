"""The towers of SigLIP 2, made of the modules of transformers."""

from pathlib import Path

from models.encoders.siglip2.spec import MEAN, STD, architecture
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower, TextTower
from models.encoders.transformers_towers import Pooled, import_transformers, load_model


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    transformers = import_transformers()
    width, layers, heads, inner, patch = architecture(spec)
    shared = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
    }
    config = transformers.SiglipConfig(
        vision_config={**shared, "image_size": spec.image_size, "patch_size": patch},
        text_config={
            **shared,
            "vocab_size": 256_000,
            "max_position_embeddings": spec.context_length,
            "projection_size": width,
        },
    )
    model = load_model(transformers.SiglipModel, config, spec, checkpoint[0])
    image = ImageTower(Pooled(model.vision_model, "pixel_values"), MEAN, STD)
    return image.eval(), TextTower(Pooled(model.text_model, "input_ids")).eval()
