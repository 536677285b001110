"""The towers of Chinese-CLIP, made of cn_clip's own modules.

The last layer of both towers is run for the first token only, which is all that becomes the vector: the same numbers,
and nearly one layer's work less.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from models.encoders.chinese_clip.spec import MEAN, SPECS, STD, configurations
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import (
    ImageTower,
    TextTower,
    TrainableModel,
    fill,
    lacks,
    mend_torchvision,
    quiet,
    read_state,
)
from models.foundation.errors import BackendNotInstalled, WeightsUnsuitable
from models.foundation.vectors import Vectors, l2_normalize


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32, exactly as cn_clip has them on a CPU: its rounding to float16 included.

    Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable.
    """
    model = load_trainable(spec, checkpoint)
    return model.image, model.text


def load_trainable(spec: EncoderSpec, checkpoint: list[Path]) -> TrainableModel:
    """Return both towers as `load_towers` does, and their temperature."""
    path = checkpoint[0]
    state = read_state(path, spec.name)
    if "vision_model.embeddings.class_embedding" in state:
        try:
            state = _from_transformers(state)
        except KeyError as error:
            raise WeightsUnsuitable(path, spec.name, lacks([error.args[0]])) from error
    model = _make_model(spec)
    published = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    fill(model, state, path, spec.name, _guess)
    return wrap(model, published)


def wrap(model: Any, published: Mapping[str, torch.dtype]) -> TrainableModel:
    """Return the towers of cn_clip's `model`; `published` has the type of each tensor in a checkpoint."""
    image = model.visual if hasattr(model.visual, "attnpool") else _VisionTransformer(model.visual)
    return TrainableModel(
        image=ImageTower(image, MEAN, STD).eval(),
        text=TextTower(_Bert(model)).eval(),
        log_scale=model.logit_scale,
        state=lambda: {name: tensor.to(published[name]) for name, tensor in model.state_dict().items()},
    )


def find_vocabulary() -> Path:
    """Return cn_clip's vocabulary file. Raises BackendNotInstalled."""
    return _package() / "vocab.txt"


def run_reference(
    spec: EncoderSpec, checkpoint: Path, pictures: list[Image.Image], texts: list[str]
) -> tuple[Vectors, Vectors]:
    """Return the vectors that cn_clip's own code makes of pictures and texts, normalised."""
    mend_torchvision()
    vision, text = configurations(spec)
    with quiet(), torch.inference_mode():
        from cn_clip.clip import load_from_name, tokenize

        model, transform = load_from_name(
            str(checkpoint),
            device="cpu",
            vision_model_name=vision,
            text_model_name=text,
            input_resolution=spec.image_size,
        )
        model.eval()  # it comes back in training mode, where dropout makes text vectors random
        images = model.encode_image(torch.stack([transform(picture) for picture in pictures]))
        return l2_normalize(images.numpy()), l2_normalize(model.encode_text(tokenize(texts)).numpy())


class _VisionTransformer(nn.Module):
    visual: Any

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor) -> Tensor:
        visual = self.visual
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
        first = visual.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        tokens = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        tokens = visual.ln_pre(tokens).transpose(0, 1)  # (token, n, width), as nn.MultiheadAttention takes them
        *body, last = visual.transformer.resblocks
        for block in body:
            tokens = block(tokens)
        seen = last.ln_1(tokens)
        first = tokens[:1] + last.attn(seen[:1], seen, seen, need_weights=False)[0]
        first = first + last.mlp(last.ln_2(first))
        embedding: Tensor = visual.ln_post(first[0]) @ visual.proj
        return embedding


class _Bert(nn.Module):
    bert: Any
    projection: nn.Parameter

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.bert = model.bert
        self.projection = model.text_projection
        self.heads = int(model.bert.config.num_attention_heads)
        self.head_width = int(model.bert.config.hidden_size) // self.heads

    def forward(self, ids: Tensor) -> Tensor:
        n, length = ids.shape
        tokens = self.bert.embeddings(ids, token_type_ids=torch.zeros_like(ids))
        hidden = (-10000.0 * (ids == 0).to(tokens.dtype))[:, None, None, :]  # padding, as BERT hides it
        *body, last = self.bert.encoder.layer
        for layer in body:
            tokens = self._run(layer, tokens, tokens, hidden, (n, length, length))
        first = self._run(last, tokens[:, :1], tokens, hidden, (n, 1, length))
        embedding: Tensor = first[:, 0] @ self.projection
        return embedding

    def _run(
        self,
        layer: Any,
        asking: Tensor,
        seen: Tensor,
        hidden: Tensor,
        sizes: tuple[int, int, int],
    ) -> Tensor:
        """Return what `layer` makes of the tokens `asking`, which look at the tokens `seen`."""
        n, asked, length = sizes
        attention = layer.attention.self
        queries = attention.query(asking).view(n, asked, self.heads, self.head_width).transpose(1, 2)
        keys = attention.key(seen).view(n, length, self.heads, self.head_width).permute(0, 2, 3, 1)
        values = attention.value(seen).view(n, length, self.heads, self.head_width).transpose(1, 2)
        shares = torch.softmax(queries @ keys / self.head_width**0.5 + hidden, dim=-1)
        context = (shares @ values).transpose(1, 2).reshape(n, asked, self.heads * self.head_width)
        attended = layer.attention.output(context, asking)
        out: Tensor = layer.output(layer.intermediate(attended), attended)
        return out


def _make_model(spec: EncoderSpec) -> Any:
    """Return cn_clip's model without memory behind it, its tensors typed as cn_clip types them."""
    folder = _package() / "model_configs"
    values: dict[str, Any] = {}
    for name in configurations(spec):
        values |= json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    if isinstance(values["vision_layers"], str):  # "[3,4,6,3]"
        values["vision_layers"] = json.loads(values["vision_layers"])
    with quiet():
        from cn_clip.clip.model import CLIP, convert_weights
    with torch.device("meta"):
        model = CLIP(**values)
        convert_weights(model)
    return model


def _package() -> Path:
    mend_torchvision()
    try:
        with quiet():
            return Path(str(files("cn_clip.clip")))
    except ImportError as error:
        raise BackendNotInstalled(error.name or "cn_clip", "torch") from error


def _guess(state: Mapping[str, Tensor]) -> str:
    """Return the name of the size whose tensors `state` holds, if there is one."""
    for spec in SPECS:
        expected = _make_model(spec).state_dict()
        if all(name in state and state[name].shape == value.shape for name, value in expected.items()):
            return spec.name
    return ""


def _from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a ChineseCLIPModel under cn_clip's names."""
    vision, text = "vision_model.", "text_model."
    out = {
        "visual.class_embedding": state[f"{vision}embeddings.class_embedding"],
        "visual.conv1.weight": state[f"{vision}embeddings.patch_embedding.weight"],
        "visual.positional_embedding": state[f"{vision}embeddings.position_embedding.weight"],
        "visual.proj": state["visual_projection.weight"].T.contiguous(),
        "text_projection": state["text_projection.weight"].T.contiguous(),
        "logit_scale": state["logit_scale"],
    }
    for name, tensor in state.items():
        if name.startswith(text) and not name.startswith((f"{text}pooler", f"{text}embeddings.position_ids")):
            out["bert." + name.removeprefix(text)] = tensor
    for side in ("weight", "bias"):
        out[f"visual.ln_pre.{side}"] = state[f"{vision}pre_layrnorm.{side}"]
        out[f"visual.ln_post.{side}"] = state[f"{vision}post_layernorm.{side}"]
        for number in range(sum(name.endswith("layer_norm1.weight") for name in state)):
            theirs, ours = f"{vision}encoder.layers.{number}.", f"visual.transformer.resblocks.{number}."
            parts = [state[f"{theirs}self_attn.{part}_proj.{side}"] for part in "qkv"]
            out[f"{ours}attn.in_proj_{side}"] = torch.cat(parts)
            for their, our in _BLOCK.items():
                out[f"{ours}{our}.{side}"] = state[f"{theirs}{their}.{side}"]
    return out


_BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
