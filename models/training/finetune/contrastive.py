"""Both towers of an encoder trained on pairs: each picture is to be nearest its own caption, and the other way round.

The loss and its temperature are CLIP's (arXiv 2103.00020); batches larger than memory go by gradient caching
(GradCache, arXiv 2101.06983).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from models.encoders.onnx import pad_ids
from models.encoders.torch_towers import TrainableModel
from models.language.tokenizer import Tokenizer
from models.training import process_group
from models.training.finetune.feed import Feed, Order, Views
from models.training.finetune.pairs import Pair
from models.training.loop import Losses

TOWERS = ("image", "text")
_MOST_LOG_SCALE = math.log(100)  # as CLIP holds it


class ContrastiveLearner(nn.Module):
    """Two towers and their temperature, of which some are trained: the temperature always is.

    Normalisation over batches keeps its statistics, so that a vector does not depend on the rest of its micro-batch.
    """

    def __init__(self, model: TrainableModel, trained: Sequence[str]) -> None:
        super().__init__()
        self.image, self.text, self.log_scale = model.image, model.text, model.log_scale
        self._frozen = [name for name in TOWERS if name not in trained]
        self.requires_grad_()
        for name in self._frozen:
            self.get_submodule(name).requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> "ContrastiveLearner":
        """Put what is trained into training mode, or all of it out of it."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        for name in self._frozen:
            self.get_submodule(name).eval()
        return self


@dataclass(frozen=True, slots=True)
class Batching:
    """How a batch is made and computed. `micro_batch`: how many pairs go through a tower at once."""

    order: Order
    steps: int
    micro_batch: int
    workers: int


class PairsTask:
    """See `Task`: draws pairs, and compares every picture with every caption of the batch."""

    def __init__(
        self,
        learner: ContrastiveLearner,
        views: Views,
        checksums: Mapping[Path, str],
        tokenizer: Tokenizer,
        batching: Batching,
        device: torch.device,
    ) -> None:
        """`checksums`: pictures with the same one are the same, wherever they lie."""
        self.module = learner.to(device)
        self._views = views
        self._tokenizer = tokenizer
        self._batching = batching
        self._device = device
        self._pictures = _numbered([checksums[pair.picture] for pair in views.pairs])
        self._captions = _numbered([pair.caption for pair in views.pairs])
        self._feed: Feed | None = None

    def losses(self, step: int) -> Losses:
        """Return the contrastive loss of a step, the same on every rank."""
        if self._feed is None:
            batching, steps = self._batching, range(step, self._batching.steps)
            self._feed = Feed(self._views, self._own, steps, at_once=batching.micro_batch, workers=batching.workers)
        with torch.no_grad():
            self.module.log_scale.clamp_(0, _MOST_LOG_SCALE)
        pixels = self._feed.take().to(self._device)
        ids = torch.from_numpy(self._ids([self._views.pairs[row] for row in self._own(step)])).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=_has_bfloat16(self._device)):
            images = embed(self.module.image, pixels, self._batching.micro_batch)
            texts = embed(self.module.text, ids, self._batching.micro_batch)
        scale = process_group.share_out(self.module.log_scale.exp())
        same = self._same(self._batching.order.rows(step))
        return {"contrast": contrastive_loss(process_group.gather(images), process_group.gather(texts), scale, same)}

    def _own(self, step: int) -> NDArray[np.int64]:
        """Return the rows of a step that this rank embeds."""
        size = self._batching.order.batch // process_group.count_ranks()
        return self._batching.order.rows(step)[process_group.rank() * size :][:size]

    def _ids(self, pairs: Sequence[Pair]) -> NDArray[np.int64]:
        return pad_ids(self._tokenizer, [pair.caption for pair in pairs], "")

    def _same(self, rows: NDArray[np.int64]) -> Tensor:
        """Return which pairs of a step have the same picture or the same caption, bool (batch, batch)."""
        same = np.zeros((len(rows), len(rows)), bool)
        for numbers in (self._pictures[rows], self._captions[rows]):
            same |= numbers[:, None] == numbers
        return torch.from_numpy(same).to(self._device)


def embed(tower: nn.Module, inputs: Tensor, micro_batch: int) -> Tensor:
    """Return unit vectors (n, dim), no more than `micro_batch` inputs in the tower at once.

    Of a larger batch nothing but the vectors is kept. Going back, each micro-batch is computed again with the same
    dropout, and gets the gradients of the whole batch's loss with respect to its own vectors: those of the whole batch
    at once, for the memory of one micro-batch.
    """
    parts = torch.split(inputs, micro_batch)
    if not any(parameter.requires_grad for parameter in tower.parameters()):
        with torch.no_grad():
            vectors = [tower(part) for part in parts]
    elif len(parts) == 1:
        vectors = [tower(inputs)]
    else:
        vectors = [checkpoint(tower, part, use_reentrant=False) for part in parts]
    return functional.normalize(torch.cat(vectors).float(), dim=-1)


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Return the mean cross-entropy of picture -> caption and caption -> picture, over unit vectors (n, dim).

    Row i of each belongs together. Of other rows, those that are the `same` (n, n) in one of the two are neither right
    nor wrong, and left out.
    """
    scores = images @ texts.T * scale
    right = torch.arange(len(scores), device=scores.device)
    others = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(others, -math.inf)
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


def _numbered(values: Sequence[str]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _has_bfloat16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
