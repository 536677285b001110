"""The towers of FG-CLIP 2: transformers as SigLIP 2 has them in its NaFlex form, under the names of the checkpoint.

A port of its own, since transformers has none. Nothing of the checkpoint is run; what it holds beside these towers (the
heads for texts of regions and for dense features) is left out.
"""

from collections.abc import Mapping
from math import isqrt
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.encoders.fg_clip2.spec import (
    CONTEXT_LENGTHS,
    KEPT_POSITIONS,
    MEAN,
    PATCH_SIDE,
    STD,
    VOCABULARY_SIZE,
    FgClip2Size,
    guess_name,
    head_of,
    size_of,
)
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower, TextTower, fill, lacks, read_state
from models.foundation.errors import WeightsUnsuitable
from models.foundation.messages import message

_EPSILON = 1e-6
_POSITIONS = "vision_model.embeddings.position_embedding.weight"
_TOKENS = "text_model.embeddings.token_embedding.weight"
_OWN = ("longtext_head.weight", "boxtext_head.weight", "dense_feature_head.probe")  # which SigLIP 2 does not have
_UNUSED = ("boxtext_head.", "dense_feature_head.", "longtext_head.", "text_model.", "logit_scale", "logit_bias")


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32. Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable."""
    path, size, head = checkpoint[0], size_of(spec.name), head_of(spec.name)
    state = read_state(path, spec.name)
    if missing := [name for name in (_TOKENS, _POSITIONS, *_OWN) if name not in state]:
        raise WeightsUnsuitable(path, spec.name, lacks(missing))
    side = isqrt(len(state[_POSITIONS]))
    if side * side != len(state[_POSITIONS]):
        why = message("its {name} is of no square: {count} rows", name=_POSITIONS, count=len(state[_POSITIONS]))
        raise WeightsUnsuitable(path, spec.name, why)
    with torch.device("meta"):
        model = _Model(size, head, side)
    fill(model, state, path, spec.name, _guess)
    known = model.state_dict()
    for name in state:
        if name not in known and not name.startswith(_UNUSED):
            raise WeightsUnsuitable(
                path, spec.name, message("it holds {name}, which belongs to another model", name=name)
            )
    text = _LongText(model) if head == "long" else _ShortText(model)
    return PatchedImageTower(model.vision_model).eval(), TextTower(text).eval()


def _guess(state: Mapping[str, Tensor]) -> str:
    return guess_name(state[_TOKENS].shape[-1]) if _TOKENS in state else ""


class PatchedImageTower(ImageTower):
    """Bytes (n, 1 + patches, side * side, 3), as `Patches` in models/pictures makes them -> float32 (n, dim)."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__(tower, MEAN, STD)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the embedding, not yet of unit length."""
        header = pixels[:, 0].long()
        rows, columns = ((256 * header[:, at, 0] + header[:, at, 1]).clamp(min=1) for at in (0, 1))
        patches = (pixels[:, 1:].float() - self.mean) / self.std
        embedding: Tensor = self.tower(patches.flatten(2), rows, columns)
        return embedding.float()


class _Model(nn.Module):
    """What is used of the checkpoint, in its names. `side`: of the square grid that positions were learned on."""

    def __init__(self, size: FgClip2Size, head: str, side: int) -> None:
        super().__init__()
        self.vision_model = _Vision(size, side)
        self.text_model = _Text(size, head)
        if head == "long":
            self.longtext_head = nn.Linear(size.width, size.width)


class _Mlp(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(tokens), approximate="tanh"))
        return out


def _attend(asking: Tensor, keys: Tensor, values: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """Return what tokens (n, asked, width) see of others (n, length, width); `mask`, bool (n, length), where it is."""

    def split(tokens: Tensor) -> Tensor:
        return tokens.reshape(tokens.shape[0], tokens.shape[1], heads, -1).transpose(1, 2)

    seen = None if mask is None else mask[:, None, None, :]
    found = functional.scaled_dot_product_attention(split(asking), split(keys), split(values), attn_mask=seen)
    return found.transpose(1, 2).flatten(2)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        found = _attend(self.q_proj(tokens), self.k_proj(tokens), self.v_proj(tokens), self.heads, mask)
        out: Tensor = self.out_proj(found)
        return out


class _Block(nn.Module):
    def __init__(self, size: FgClip2Size) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(size.width, eps=_EPSILON)
        self.self_attn = _Attention(size.width, size.heads)
        self.layer_norm2 = nn.LayerNorm(size.width, eps=_EPSILON)
        self.mlp = _Mlp(size.width, size.inner)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        tokens = tokens + self.self_attn(self.layer_norm1(tokens), mask)
        out: Tensor = tokens + self.mlp(self.layer_norm2(tokens))
        return out


class _Encoder(nn.Module):
    def __init__(self, size: FgClip2Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Block(size) for _ in range(size.layers))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens, mask)
        return tokens


class _ProbeAttention(nn.Module):
    def __init__(self, size: FgClip2Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size.width, size.width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * size.width))
        self.out_proj = nn.Linear(size.width, size.width)

    def forward(self, probe: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        ask, *shown = zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        keys, values = (functional.linear(tokens, *one) for one in shown)
        out: Tensor = self.out_proj(_attend(functional.linear(probe, *ask), keys, values, self.heads, mask))
        return out


class _PoolingHead(nn.Module):
    """One learned token asks all patches (multi-head attention pooling)."""

    def __init__(self, size: FgClip2Size) -> None:
        super().__init__()
        self.probe = nn.Parameter(torch.empty(1, 1, size.width))
        self.attention = _ProbeAttention(size)
        self.layernorm = nn.LayerNorm(size.width, eps=_EPSILON)
        self.mlp = _Mlp(size.width, size.inner)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        pooled = self.attention(self.probe.expand(tokens.shape[0], -1, -1), tokens, mask)
        pooled = pooled + self.mlp(self.layernorm(pooled))
        out: Tensor = pooled[:, 0]
        return out


class _PatchEmbeddings(nn.Module):
    """Patches with the position embeddings of a square grid, resized to each picture's own grid.

    The resize is bilinear with antialiasing, as `torch.nn.functional.interpolate` does it, written as the product of
    weights along both sides: so pictures of different grids go through one batch, and it has a form in ONNX.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.patch_embedding = nn.Linear(3 * PATCH_SIDE**2, width)
        self.position_embedding = nn.Embedding(side * side, width)

    def forward(self, patches: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        places = torch.arange(patches.shape[1], device=patches.device)[None]
        down = self._weights(torch.div(places, columns[:, None], rounding_mode="floor"), rows)
        across = self._weights(places % columns[:, None], columns)
        both = (down[..., :, None] * across[..., None, :]).flatten(2)
        tokens: Tensor = self.patch_embedding(patches) + both @ self.position_embedding.weight
        return tokens

    def _weights(self, places: Tensor, sizes: Tensor) -> Tensor:
        """Return (n, patches, side): how much of each learned position there is at `places` of a side of `sizes`."""
        sizes = sizes[:, None]
        scale = self.side / sizes.float()
        middles = (torch.minimum(places, sizes - 1).float() + 0.5) * scale
        learned = torch.arange(self.side, device=places.device).float() + 0.5
        weights = functional.relu(1 - (learned - middles[..., None]).abs() / scale.clamp(min=1)[..., None])
        return weights / weights.sum(-1, keepdim=True)


class _Vision(nn.Module):
    def __init__(self, size: FgClip2Size, side: int) -> None:
        super().__init__()
        self.embeddings = _PatchEmbeddings(size.width, side)
        self.encoder = _Encoder(size)
        self.post_layernorm = nn.LayerNorm(size.width, eps=_EPSILON)
        self.head = _PoolingHead(size)

    def forward(self, patches: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        mask = torch.arange(patches.shape[1], device=patches.device)[None] < (rows * columns)[:, None]
        tokens = self.encoder(self.embeddings(patches, rows, columns), mask)
        embedding: Tensor = self.head(self.post_layernorm(tokens), mask)
        return embedding


class _TextEmbeddings(nn.Module):
    def __init__(self, width: int, head: str) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY_SIZE, width)
        if head == "short":
            self.position_embedding = nn.Embedding(CONTEXT_LENGTHS[head], width)
        else:
            self.position_embedding_ori = nn.Embedding(CONTEXT_LENGTHS[head], width)
            self.position_embedding_res = nn.Embedding(CONTEXT_LENGTHS[head], width)


class _Text(nn.Module):
    def __init__(self, size: FgClip2Size, head: str) -> None:
        super().__init__()
        self.embeddings = _TextEmbeddings(size.width, head)
        self.encoder = _Encoder(size)
        self.final_layer_norm = nn.LayerNorm(size.width, eps=_EPSILON)
        if head == "short":
            self.head = nn.Linear(size.width, size.width)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return what becomes of the last position, which mostly is padding: padding is seen, as in training."""
        tokens = self.encoder(self.embeddings.token_embedding(ids) + positions[: ids.shape[1]])
        last: Tensor = self.final_layer_norm(tokens[:, -1])
        return last


class _ShortText(nn.Module):
    def __init__(self, model: _Model) -> None:
        super().__init__()
        self.text = model.text_model

    def forward(self, ids: Tensor) -> Tensor:
        embedding: Tensor = self.text.head(self.text(ids, self.text.embeddings.position_embedding.weight))
        return embedding


class _LongText(nn.Module):
    """The first positions are those that were learned with short texts; the rest was trained on."""

    positions: Tensor

    def __init__(self, model: _Model) -> None:
        super().__init__()
        self.text = model.text_model
        self.head = model.longtext_head
        kept, trained = (
            one.weight.detach()
            for one in (self.text.embeddings.position_embedding_ori, self.text.embeddings.position_embedding_res)
        )
        self.register_buffer("positions", torch.cat([kept[:KEPT_POSITIONS], trained[KEPT_POSITIONS:]]))

    def forward(self, ids: Tensor) -> Tensor:
        embedding: Tensor = self.head(self.text(ids, self.positions))
        return embedding
