"""The two towers of the built-in encoder, as modules that are trained and exported.

A vector has two parts, normalised together: what the heads learned to say (JOINT), and which of the classifier's
classes a picture shows or a text names (CLASSES_IN), the same directions on both sides.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.starter.efficientnet import CHANNELS, CLASSES, EfficientNetLite
from models.training.starter.sentence_encoder import WIDTH, SentenceEncoder

JOINT, CLASSES_IN = 256, 128
DIM = JOINT + CLASSES_IN
PICTURE_FEATURES = 2 * CHANNELS  # mean and maximum over the last feature map
TEXT_FEATURES = 2 * WIDTH  # the sentence encoder's inner features and its output

_SHARPNESS = 20.0  # of the comparison of a text with the names of classes
_NONE = 0.6  # the cosine at which a text is as much a name as not
_TEXT_MEAN_SHARE = 0.5  # chosen on the validation pictures; of pictures the whole mean is taken off


class Perceptron(nn.Module):
    """Standardised numbers (n, width) -> (n, JOINT): a straight projection beside one through a hidden layer."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int, hidden: int, dropped: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, JOINT, bias=False)
        self.straight = nn.Linear(width, JOINT)
        self.dropped = dropped

    def standardise(self, sample: Tensor) -> None:
        """Take mean and deviation of features (n, width)."""
        self.mean.copy_(sample.mean(0))
        self.deviation.copy_(sample.std(0).clamp(min=1e-3))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        x = functional.dropout((features - self.mean) / self.deviation, self.dropped, self.training)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):
            hidden = functional.dropout(functional.gelu(self.inner(x)), self.dropped, self.training)
            return (self.straight(x) + self.outer(hidden)).float()  # type: ignore[no-any-return]


class ImageHead(nn.Module):
    """Features (n, width) and probabilities of the classes (n, CLASSES) -> unit vectors (n, DIM)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.joint = Perceptron(width, 1_024, 0.5)
        self.class_share = nn.Parameter(torch.tensor(0.7))

    def forward(self, features: Tensor, classes: Tensor, directions: Tensor) -> Tensor:
        """`directions` (CLASSES, CLASSES_IN)."""
        joint = functional.normalize(self.joint(features), dim=-1)
        return functional.normalize(torch.cat([joint, self.class_share * (classes @ directions)], dim=1), dim=-1)


class TextHead(nn.Module):
    """Features (n, TEXT_FEATURES), a bag of grams (n, any) int, 0 is padding, and what classes are named (n, CLASSES).

    -> unit vectors (n, DIM).
    """

    def __init__(self, grams: int) -> None:
        super().__init__()
        self.joint = Perceptron(TEXT_FEATURES, 768, 0.3)
        self.table = nn.Embedding(grams + 1, JOINT, padding_idx=0)
        self.importance = nn.Embedding(grams + 1, 1)
        self.dropped_grams = 0.15
        self.class_share = nn.Parameter(torch.tensor(0.7))
        nn.init.normal_(self.table.weight, std=0.02)
        nn.init.zeros_(self.importance.weight)

    def forward(self, features: Tensor, grams: Tensor, classes: Tensor, directions: Tensor) -> Tensor:
        """`directions` (CLASSES, CLASSES_IN)."""
        present = grams > 0
        if self.training:
            present = present & (torch.rand(grams.shape, device=grams.device) > self.dropped_grams)
        weight = self.importance(grams)[..., 0].masked_fill(~present, -1e4).softmax(-1) * present
        bag = (weight[:, None] @ self.table(grams))[:, 0]
        return self.fuse(features, bag, classes @ directions)

    def fuse(self, features: Tensor, bag: Tensor, named: Tensor) -> Tensor:
        """Return unit vectors of features, bags (n, JOINT) and the directions of what is named (n, CLASSES_IN)."""
        joint = functional.normalize(self.joint(features) + bag, dim=-1)
        return functional.normalize(torch.cat([joint, self.class_share * named], dim=1), dim=-1)


def named_shares(outputs: Tensor, anchors: Tensor) -> Tensor:
    """Return how much texts name each of some names (m, WIDTH): (n, m), of outputs (n, WIDTH) of the sentence encoder.

    Rows add up to 1 at most: a text that is near to no name names nothing.
    """
    near = _SHARPNESS * (outputs @ anchors.T - _NONE)
    return torch.softmax(functional.pad(near, (0, 1)), dim=-1)[:, :-1]


class Heads(nn.Module):
    """Both heads, the directions of the classes, and the temperature."""

    def __init__(self, image: ImageHead, text: TextHead, kinds: Sequence[Sequence[int]], *, seed: int) -> None:
        """`kinds`: the classes of every kind, which begin with something in common."""
        super().__init__()
        self.image, self.text = image, text
        self.directions = nn.Parameter(_begin(kinds, seed))
        self.log_scale = nn.Parameter(torch.tensor(3.0))

    def see(self, features: Tensor, logits: Tensor) -> Tensor:
        """Return the vectors (n, DIM) of pictures."""
        vectors: Tensor = self.image(features, logits.softmax(-1), self.directions)
        return vectors

    def read(self, features: Tensor, grams: Tensor, classes: Tensor) -> Tensor:
        """Return the vectors (n, DIM) of texts."""
        vectors: Tensor = self.text(features, grams, classes, self.directions)
        return vectors


class Towers(nn.Module):
    """Everything that the encoder is: the picture's net, and the heads."""

    def __init__(self, net: EfficientNetLite, heads: Heads) -> None:
        super().__init__()
        self.net, self.heads = net, heads


def pooled(net: EfficientNetLite, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Standardised pixels (n, 3, side, side) -> features (n, PICTURE_FEATURES) and logits (n, CLASSES)."""
    seen = net(pixels).float()
    mean = seen.mean((2, 3))
    return torch.cat([mean, seen.amax((2, 3))], dim=1), net.classify(mean)


class JointImageTower(nn.Module):
    """Standardised pixels (n, 3, side, side) -> unit vectors (n, DIM), as it is exported.

    What all pictures have in common is taken off: `mean` (DIM,), the mean of their vectors.
    """

    mean: Tensor

    def __init__(self, towers: Towers, mean: Tensor) -> None:
        super().__init__()
        self.towers = towers
        self.register_buffer("mean", mean)

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        return functional.normalize(self.towers.heads.see(*pooled(self.towers.net, pixels)) - self.mean, dim=-1)


class JointTextTower(nn.Module):
    """Tokens (n, length) int as PieceTokenizer gives them -> unit vectors (n, DIM), 8 bits a number in its tables.

    A part of what all texts have in common is taken off: of `mean` (DIM,), the mean of their vectors.
    """

    def __init__(self, encoder: SentenceEncoder, heads: Heads, anchors: Tensor, members: Tensor, mean: Tensor) -> None:
        """`anchors` (m, WIDTH): outputs for names; `members` (m, CLASSES): of which classes, rows adding up to 1."""
        super().__init__()
        self.encoder, self.head = encoder, heads.text
        self.pieces = len(encoder.table)
        table = heads.text.table.weight.detach()
        scale = table.abs().amax(1, keepdim=True).clamp_min(1e-6) / 127
        self.table: Tensor
        self.scale: Tensor
        self.importance: Tensor
        self.anchors: Tensor
        self.named: Tensor
        self.mean: Tensor
        self.register_buffer("table", (table / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("importance", heads.text.importance.weight.detach().clone())
        self.register_buffer("anchors", anchors)
        self.register_buffer("mean", _TEXT_MEAN_SHARE * mean)
        self.register_buffer("named", (members @ heads.directions).detach())

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        tokens = tokens.long()
        is_piece = (tokens > 0) & (tokens <= self.pieces)
        inner, output = self.encoder(torch.where(is_piece, tokens - 1, -torch.ones_like(tokens)))
        grams = (tokens - self.pieces).clamp(min=0)
        absent = (grams == 0).float()
        weight = torch.softmax(self.importance[grams][..., 0] - 1e4 * absent, -1) * (1 - absent)
        bag = (weight[:, None] @ (self.table[grams].float() * self.scale[grams]))[:, 0]
        named = named_shares(output, self.anchors) @ self.named
        vectors = self.head.fuse(torch.cat([inner, output], dim=1), bag, named)
        return functional.normalize(vectors - self.mean, dim=-1)


def _begin(kinds: Sequence[Sequence[int]], seed: int) -> Tensor:
    """Return unit directions (CLASSES, CLASSES_IN): each class its own, and a little of those of its kinds."""
    random = torch.Generator().manual_seed(seed)
    directions = functional.normalize(torch.randn(CLASSES, CLASSES_IN, generator=random), dim=-1)
    own = directions.clone()
    for classes in kinds:
        common = functional.normalize(torch.randn(CLASSES_IN, generator=random), dim=0)
        directions[list(classes)] += 0.8 * common / max(1.0, len(classes) ** 0.25)
    return functional.normalize(directions + 0.5 * own, dim=-1)
