"""The towers of DINOv2 and SigLIP 2, made of the modules of transformers."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import dinov2, siglip2
from models.errors import BackendNotInstalled, WeightsUnsuitable
from models.spec import EncoderSpec
from models.towers.base import ImageTower, TextTower, lacks, mend_torchvision, read_state

_WIDTH_OF = ("embeddings.cls_token", "text_model.embeddings.token_embedding.weight")


def load_dinov2(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, None]:
    """Return the image tower in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    transformers = _transformers()
    width, layers, heads, registers = dinov2.architecture(spec)
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
        model = _load(transformers.Dinov2WithRegistersModel, config, spec, checkpoint[0])
    else:
        model = _load(transformers.Dinov2Model, transformers.Dinov2Config(**values), spec, checkpoint[0])
    embeddings = model.embeddings
    patches = torch.empty(1, (spec.image_size // embeddings.patch_size) ** 2 + 1, width)
    fixed = embeddings.interpolate_pos_encoding(patches, spec.image_size, spec.image_size).detach()
    # Pictures have one size, so this is done once; and one kind of the interpolation has no form in ONNX.
    embeddings.register_buffer("fixed_positions", fixed)
    embeddings.interpolate_pos_encoding = lambda *_: embeddings.fixed_positions
    return ImageTower(_Pooled(model, "pixel_values"), dinov2.MEAN, dinov2.STD).eval(), None


def load_siglip2(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    transformers = _transformers()
    width, layers, heads, inner, patch = siglip2.architecture(spec)
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
    model = _load(transformers.SiglipModel, config, spec, checkpoint[0])
    image = ImageTower(_Pooled(model.vision_model, "pixel_values"), siglip2.MEAN, siglip2.STD)
    return image.eval(), TextTower(_Pooled(model.text_model, "input_ids")).eval()


def _load(kind: Any, config: Any, spec: EncoderSpec, path: Path) -> Any:
    """Return a model of transformers with the weights at `path`, which may have the names of an older version of it."""
    state = read_state(path, spec.name)
    narrow = next((tensor for name, tensor in state.items() if name.endswith(_WIDTH_OF)), None)
    if narrow is None or narrow.shape[-1] != spec.dim:  # found before gigabytes are filled
        width = narrow.shape[-1] if narrow is not None else 0
        why = (f"it is {width} wide, not {spec.dim}", f"宽度是 {width}，应为 {spec.dim}")
        if narrow is None:
            why = ("it holds something else", "内容不是这个模型")
        raise WeightsUnsuitable(path, spec.name, why)
    try:
        model, found = kind.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
    except RuntimeError as error:
        raise WeightsUnsuitable(path, spec.name, ("its tensors have other shapes", "张量形状不符")) from error
    missing = sorted(found["missing_keys"])
    unexpected = sorted(name for name in found["unexpected_keys"] if not name.endswith("position_ids"))
    if unexpected:  # such as the registers of a model that has them
        why = (f"it holds {unexpected[0]}, which belongs to another model", f"其中的 {unexpected[0]} 属于另一个模型")
        raise WeightsUnsuitable(path, spec.name, why)
    if missing:
        raise WeightsUnsuitable(path, spec.name, lacks(missing))
    return model.requires_grad_(requires_grad=False).eval()


class _Pooled(nn.Module):
    def __init__(self, model: nn.Module, argument: str) -> None:
        super().__init__()
        self.model = model
        self.argument = argument

    def forward(self, values: Tensor) -> Tensor:
        pooled: Tensor = self.model(**{self.argument: values}).pooler_output
        return pooled


def _transformers() -> Any:
    mend_torchvision()
    try:
        import transformers
    except ImportError as error:
        raise BackendNotInstalled("transformers", "torch") from error
    tools: Any = transformers
    tools.logging.set_verbosity_error()  # what it has to say of a checkpoint, WeightsUnsuitable says
    tools.logging.disable_progress_bar()
    return tools
