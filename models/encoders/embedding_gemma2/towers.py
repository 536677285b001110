"""The towers of EmbeddingGemma 2, made of the modules of transformers; the audio tower is left aside.

What transformers finds out as it runs, such as how many tokens a picture has, is computed with tensors here, so that
both towers have a form in ONNX.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.encoders.block_towers import BlockImageTower
from models.encoders.embedding_gemma2.spec import PICTURE_PROMPT, PICTURE_TOKENS, GemmaShape, architecture
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower, TextTower
from models.encoders.transformers_towers import import_transformers, load_model
from models.language.subword_tokenizers import read_prompt

_AUDIO = ("audio_tower.", "embed_audio.")
_MEAN, _STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # the first layer standardises


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32, which share the text model.

    Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable.
    """
    transformers = import_transformers("EmbeddingGemma2Model", "5.23")
    weights, tokenizer = checkpoint
    shape = architecture(spec)
    around, special = read_prompt(tokenizer, PICTURE_PROMPT, PICTURE_TOKENS)
    config = _make_config(transformers, shape)
    model = load_model(transformers.EmbeddingGemma2Model, config, spec, weights, width=shape.width, aside=_AUDIO)
    model.language_model.set_attn_implementation("eager")  # its shared heads have no other form in ONNX
    text = _GemmaPooled(model.language_model, spec.dim)
    before = around.index(special[PICTURE_TOKENS[0]]) + 1
    picture = _GemmaPicture(model, text, (around[:before], around[before:]), shape)
    block = shape.patch * shape.patches
    tower = BlockImageTower(picture, _MEAN, _STD, block=block, budget=shape.tokens)
    return tower.eval(), TextTower(_GemmaText(text)).eval()


class _GemmaPooled(nn.Module):
    """Embedded tokens -> the mean of what becomes of those that count, cut to `dim`."""

    def __init__(self, model: Any, dim: int) -> None:
        super().__init__()
        self.model = model
        self.dim = dim

    def forward(self, tokens: Tensor, places: Tensor, counts: Tensor) -> Tensor:
        """Return (n, dim) for tokens (n, length, width), their places (n, length), and which count, bool."""
        hidden = torch.zeros(counts.shape, device=tokens.device).masked_fill(~counts, torch.finfo(torch.float32).min)
        mask = hidden[:, None, None, :].expand(-1, 1, counts.shape[1], -1)
        masks = {"full_attention": mask, "sliding_attention": mask}
        found = self.model(inputs_embeds=tokens, position_ids=places, attention_mask=masks)
        output: Tensor = found.last_hidden_state.float()
        weights = counts[:, :, None].float()
        return (output * weights).sum(1)[:, : self.dim] / weights.sum(1)


class _GemmaText(nn.Module):
    """Ids (n, length), 0 being padding -> (n, dim)."""

    def __init__(self, text: _GemmaPooled) -> None:
        super().__init__()
        self.text = text

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)[None].expand(ids.shape[0], -1)
        embedding: Tensor = self.text(self.text.model.embed_tokens(ids), places, ids != 0)
        return embedding


class _GemmaPicture(nn.Module):
    """Blocks of pixels and their rows and columns -> (n, dim).

    Attention goes both ways, so tokens may stand in any order as long as their places are told. The prompt comes first
    and the picture's tokens after it, those that a smaller picture has not last.
    """

    prompt: Tensor

    def __init__(self, model: Any, text: _GemmaPooled, around: tuple[tuple[int, ...], ...], shape: GemmaShape) -> None:
        super().__init__()
        self.vision, self.embed, self.text = model.vision_tower, model.embed_vision, text
        self.shape = shape
        self.before, self.after = map(len, around)
        prompt = torch.tensor([[number for part in around for number in part]])
        self.register_buffer("prompt", model.language_model.embed_tokens(prompt).detach())

    def forward(self, blocks: Tensor, grid: Tensor) -> Tensor:
        n, budget = blocks.shape[0], self.shape.tokens
        number = torch.arange(budget, device=blocks.device)[None]
        total = grid[:, :1] * grid[:, 1:]
        there = number < total
        seen = self.embed(self._see(blocks, number, grid[:, 1:], there))
        first = torch.arange(self.before, device=blocks.device)[None].expand(n, -1)
        last = torch.arange(self.after, device=blocks.device)[None] + self.before + total
        places = torch.cat([first, last, (number + self.before).expand(n, -1)], 1)
        counts = torch.cat(
            [torch.ones_like(first, dtype=torch.bool), torch.ones_like(last, dtype=torch.bool), there], 1
        )
        tokens = torch.cat([self.prompt.expand(n, -1, -1).to(seen.dtype), seen], 1)
        embedding: Tensor = self.text(tokens, places, counts)
        return embedding

    def _see(self, blocks: Tensor, number: Tensor, columns: Tensor, there: Tensor) -> Tensor:
        """Return the vision tower's token of each block: (n, budget, width), of any value where no block is."""
        shape, vision = self.shape, self.vision
        n, budget, patch, across = blocks.shape[0], shape.tokens, shape.patch, shape.patches
        patches = blocks.reshape(n, budget, across, patch, across, patch, 3).transpose(3, 4)
        patches = patches.reshape(n, budget * across**2, 3 * patch**2)
        inner = torch.arange(across, device=blocks.device)
        top = torch.div(number, columns, rounding_mode="floor") * across
        left = torch.remainder(number, columns) * across
        sides = (n, budget, across, across)
        x = (left[:, :, None, None] + inner[None, None, None, :]).expand(sides).reshape(n, -1)
        y = (top[:, :, None, None] + inner[None, None, :, None]).expand(sides).reshape(n, -1)
        places = torch.stack([x, y], -1)
        absent = ~there[:, :, None].expand(n, budget, across**2).reshape(n, -1)
        hidden = vision.patch_embedder(patches, places, absent)
        rotations = vision.encoder.rotary_emb(hidden, places)
        mask = ~absent[:, None, None, :].expand(n, 1, absent.shape[1], absent.shape[1])
        for layer in vision.encoder.layers:
            hidden = layer(hidden, attention_mask=mask, position_embeddings=rotations, position_ids=places)
        pooled: Tensor = hidden.float().reshape(n, budget, across**2, -1).mean(2)
        return pooled * math.sqrt(shape.seen_width)


def _make_config(transformers: Any, shape: GemmaShape) -> Any:
    key_heads, head_widths = shape.key_heads, shape.head_widths
    return transformers.EmbeddingGemma2Config(
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": key_heads[0],
            "head_dim": head_widths[0],
            "num_global_key_value_heads": key_heads[1],
            "global_head_dim": head_widths[1],
            "hidden_size_per_layer_input": shape.width,
            "embedding_dim": shape.dim,
            "pad_token_id": 0,
        },
        vision_config={
            "model_type": "gemma4_vision",
            "hidden_size": shape.seen_width,
            "intermediate_size": shape.seen_inner,
            "num_hidden_layers": shape.seen_layers,
            "num_attention_heads": shape.seen_heads,
            "num_key_value_heads": shape.seen_heads,
            "head_dim": shape.seen_width // shape.seen_heads,
            "position_embedding_size": shape.positions,
            "patch_size": shape.patch,
            "pooling_kernel_size": shape.patches,
            "use_clipped_linears": False,
            "standardize": False,
        },
        audio_config=None,
    )
