"""Image towers that take the blocks of pixels which models/pictures/blocks.py packs."""

import torch
from torch import Tensor, nn

from models.encoders.torch_towers import ImageTower
from models.pictures.blocks import packed_side


class BlockImageTower(ImageTower):
    """Packed blocks, bytes (n, side, side, 3) -> float32 (n, dim).

    Runs `tower` on standardised blocks, float (n, budget, block, block, 3), of which the first rows x columns are the
    picture's in reading order; and on its rows and columns, int64 (n, 2).
    """

    def __init__(
        self, tower: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], *, block: int, budget: int
    ) -> None:
        super().__init__(tower, mean, std)
        self.block, self.budget = block, budget
        self.across = packed_side(block, budget) // block

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the embedding, not yet of unit length."""
        n, across, block = pixels.shape[0], self.across, self.block
        blocks = pixels.reshape(n, across, block, across, block, 3).transpose(2, 3)
        blocks = blocks.reshape(n, across * across, block, block, 3)
        head = blocks[:, -1, 0, :2].to(torch.int64)
        grid = head[:, :, 0] * 256 + head[:, :, 1]
        standardised = (blocks[:, : self.budget].float() - self.mean) / self.std
        embedding: Tensor = self.tower(standardised, grid)
        return embedding.float()
