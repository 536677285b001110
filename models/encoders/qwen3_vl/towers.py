"""The towers of Qwen3-VL-Embedding: one model of transformers, asked for a text or for a picture."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.encoders.block_towers import BlockImageTower
from models.encoders.qwen3_vl.spec import (
    MEAN,
    PICTURE_PROMPT,
    PICTURE_TOKEN,
    SPECIAL_TOKENS,
    STD,
    QwenShape,
    architecture,
)
from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import ImageTower, TextTower
from models.encoders.transformers_towers import import_transformers, load_model
from models.language.subword_tokenizers import read_prompt

_FRAMES = 2  # a picture is a film of two frames that are the same


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> tuple[ImageTower, TextTower]:
    """Return both towers in float32, which share the language model.

    Raises BackendNotInstalled, WeightsCorrupt or WeightsUnsuitable.
    """
    transformers = import_transformers("Qwen3VLModel", "5.0")
    weights, tokenizer = checkpoint
    shape = architecture(spec)
    prompt, special = read_prompt(tokenizer, PICTURE_PROMPT, SPECIAL_TOKENS)
    stand_in = special[PICTURE_TOKEN]
    model = load_model(
        transformers.Qwen3VLModel,
        _make_config(transformers, shape, stand_in),
        spec,
        weights,
        width=shape.width,
        prefix="model.",
        aside=("lm_head.",),
    )
    picture = _QwenPicture(model, prompt, stand_in, shape, spec.dim)
    tower = BlockImageTower(picture, MEAN, STD, block=shape.patch * shape.patches, budget=shape.tokens)
    return tower.eval(), TextTower(_QwenText(model.language_model, spec.dim)).eval()


class _QwenText(nn.Module):
    """Ids (n, length), filled up with 0 at the end -> what becomes of the last before that: (n, dim).

    0 is the id of a word as well. A token only sees those before it, so what comes after the last one, which is never
    that word, is not seen and needs no mask.
    """

    def __init__(self, model: Any, dim: int) -> None:
        super().__init__()
        self.model = model
        self.dim = dim

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        last = torch.where(ids != 0, places, 0).amax(1)
        output = self.model(input_ids=ids, use_cache=False).last_hidden_state
        embedding: Tensor = output[torch.arange(len(ids), device=ids.device), last, : self.dim]
        return embedding


class _QwenPicture(nn.Module):
    """Blocks of pixels and their rows and columns -> (n, dim)."""

    def __init__(self, model: Any, prompt: tuple[int, ...], stand_in: int, shape: QwenShape, dim: int) -> None:
        super().__init__()
        self.model = model
        self.shape, self.dim, self.stand_in = shape, dim, stand_in
        at = prompt.index(stand_in)
        self.before, self.after = list(prompt[:at]), list(prompt[at + 1 :])

    def forward(self, blocks: Tensor, grid: Tensor) -> Tensor:
        device = blocks.device
        counts = [rows * columns for rows, columns in grid.tolist()]
        rows = [self.before + [self.stand_in] * count + self.after for count in counts]
        longest = max(map(len, rows))
        ids = torch.tensor([row + row[-1:] * (longest - len(row)) for row in rows], device=device)
        last = torch.tensor([len(row) - 1 for row in rows], device=device)
        places = torch.arange(longest, device=device)
        is_picture = ids == self.stand_in
        output = self.model(
            input_ids=ids,
            attention_mask=(places <= last[:, None]).to(torch.int64),
            pixel_values=torch.cat([self._patches(one[:count]) for one, count in zip(blocks, counts, strict=True)]),
            image_grid_thw=torch.cat([torch.ones_like(grid[:, :1]), grid * self.shape.patches], 1),
            mm_token_type_ids=is_picture.to(torch.int32),
            use_cache=False,
        ).last_hidden_state
        embedding: Tensor = output[torch.arange(len(rows), device=device), last, : self.dim]
        return embedding

    def _patches(self, blocks: Tensor) -> Tensor:
        """Return the patches of one picture, block by block: (patches, channels x frames x height x width)."""
        across, patch = self.shape.patches, self.shape.patch
        patches = blocks.reshape(-1, across, patch, across, patch, 3).permute(0, 1, 3, 5, 2, 4)
        frames = patches[:, :, :, :, None].expand(-1, -1, -1, -1, _FRAMES, -1, -1)
        return frames.reshape(len(blocks) * across**2, 3 * _FRAMES * patch**2)


def _make_config(transformers: Any, shape: QwenShape, stand_in: int) -> Any:
    return transformers.Qwen3VLConfig(
        image_token_id=stand_in,
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.key_heads,
            "head_dim": shape.head_width,
            "max_position_embeddings": 262_144,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": list(shape.sections),
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": shape.seen_layers,
            "hidden_size": shape.seen_width,
            "intermediate_size": shape.seen_inner,
            "num_heads": shape.seen_heads,
            "out_hidden_size": shape.width,
            "num_position_embeddings": shape.positions,
            "deepstack_visual_indexes": list(shape.seen_deep),
            "patch_size": shape.patch,
            "spatial_merge_size": shape.patches,
            "temporal_patch_size": _FRAMES,
        },
    )
