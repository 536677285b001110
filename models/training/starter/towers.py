"""The two towers of the built-in encoder, as modules that are trained and exported."""

import torch
from torch import Tensor, nn
from torch.nn import functional

DIM = 256


class StarterTextTower(nn.Module):
    """A bag of n-grams: weighted mean of their embeddings, then a small perceptron beside a straight projection.

    Tokens (n, length) int, 0 is padding -> unit vectors (n, DIM).
    """

    def __init__(self, vocabulary: int, *, width: int = 256, hidden: int = 768) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary + 1, width, padding_idx=0)
        self.importance = nn.Embedding(vocabulary + 1, 1)
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, DIM, bias=False)
        self.straight = nn.Linear(width, DIM, bias=False)
        self.dropout = nn.Dropout(0.2)
        self.dropped_tokens = 0.15
        nn.init.normal_(self.table.weight, std=0.1)
        nn.init.zeros_(self.importance.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        present = tokens > 0
        if self.training:
            present = present & (torch.rand(tokens.shape, device=tokens.device) > self.dropped_tokens)
        weight = self.importance(tokens)[..., 0].masked_fill(~present, -1e4).softmax(-1) * present
        mean = (weight[:, None] @ self.table(tokens))[:, 0]
        return self.finish(mean)

    def finish(self, mean: Tensor) -> Tensor:
        """Return the unit vectors (n, DIM) of weighted means (n, width)."""
        even = self.dropout(mean * torch.rsqrt(mean.square().mean(-1, keepdim=True) + 1e-4))
        bent = self.dropout(functional.gelu(self.inner(even)))
        return functional.normalize(self.straight(even) + self.outer(bent), dim=-1)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the channels are weighed by what the whole picture holds."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        last = nn.BatchNorm2d(channels)
        nn.init.zeros_(last.weight)  # a block begins as its shortcut
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), last)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 4, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 4, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, channels, height, width)."""
        y = self.second(self.first(x))
        return functional.relu(x + y * self.weigh(y))


class StarterImageTower(nn.Module):
    """A plain residual network of 3x3 convolutions, halving the picture's side at every stage.

    Pixels (n, 3, side, side), standardised -> `features` (n, 2 * last width); forward: unit vectors (n, DIM).
    """

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        stages: list[nn.Module] = [_halve(3, widths[0])]
        for before, after, count in zip(widths, widths[1:], blocks, strict=False):
            stages += [_halve(before, after), *(Residual(after) for _ in range(count))]
        self.body = nn.Sequential(*stages)
        self.width = 2 * widths[-1]
        self.norm = nn.BatchNorm1d(self.width)
        self.project = nn.Linear(self.width, DIM)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, pixels: Tensor) -> Tensor:
        """Return mean and maximum of the last stage over the picture, float32."""
        x = self.body(pixels).float()
        normed: Tensor = self.norm(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
        return normed

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        return functional.normalize(self.project(self.features(pixels)), dim=-1)


def _halve(channels: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
