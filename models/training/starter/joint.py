"""The last stage: the text tower and the end of the image tower learn together, on what the image tower itself sees.

Its body stays as it is, so its features of a few views of every picture are computed once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.loop import Losses
from models.training.starter.image_distillation import standardised
from models.training.starter.pack import SIDE, Pixels, Tell
from models.training.starter.space import Floats, JointSpace, SpaceTask, Texts
from models.training.starter.towers import DIM, StarterImageTower
from models.training.starter.views import PictureView, render, view

_BLOCK = 128  # views at once
_LOYALTY = 3.0  # how much the vectors that the pictures had before still count

Features = NDArray[np.float16]  # (n, width) of one view of every picture


@torch.no_grad()
def see_features(tower: StarterImageTower, pixels: Pixels, number: int, side: int, tell: Tell) -> Features:
    """Return what the tower's body makes of view `number` of every picture, at side x side pixels."""
    tower.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    features = np.empty((len(pixels), tower.width), np.float16)
    for start in range(0, len(pixels), _BLOCK):
        rows = range(start, min(start + _BLOCK, len(pixels)))
        crops = (
            PictureView(view(len(pixels), row, number, SIDE).first) for row in rows
        )  # what is said is of one picture
        drawn = [np.asarray(render(pixels, crop, side)) for crop in crops]
        batch = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16):
            seen = tower.features(standardised(batch))
        features[start : rows.stop] = seen.float().numpy()
        tell(f"features of view {number}", rows.stop, len(pixels))
    return features


class Joint(nn.Module):
    """What learns in the last stage."""

    def __init__(self, space: JointSpace, tower: StarterImageTower) -> None:
        super().__init__()
        self.text = space.text
        self.project = nn.Linear(tower.width, DIM)
        self.project.load_state_dict(tower.project.state_dict())
        self.log_scale = nn.Parameter(space.log_scale.detach().clone())

    def vectors(self, features: Tensor) -> Tensor:
        """Return unit vectors (n, DIM) of features (n, width)."""
        return functional.normalize(self.project(functional.dropout(features, 0.3, self.training)), dim=-1)


class JointTask:
    """A SpaceTask over the tower's own features that keeps the pictures near their targets."""

    def __init__(
        self,
        joint: Joint,
        views: Sequence[Features],
        targets: NDArray[np.float16],
        texts: Texts,
        classes: Floats,
        trained_rows: NDArray[np.int64],
        *,
        seed: int,
    ) -> None:
        """`targets` (n, DIM) are the vectors of the whole pictures in the joint space; the rest as in SpaceTask."""
        self.module = joint
        self._views, self._targets = views, targets
        self._task = SpaceTask(joint, joint.text, joint.log_scale, self._see, texts, classes, trained_rows, seed=seed)
        self._kept: list[Tensor] = []

    def losses(self, step: int) -> Losses:
        """See `Task`."""
        self._kept.clear()
        losses = dict(self._task.losses(step))
        losses["loyalty"] = _LOYALTY * torch.stack(self._kept).mean()
        return losses

    def _see(self, rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        views = random.integers(len(self._views), size=len(rows))
        features = np.stack([self._views[number][row] for row, number in zip(rows, views, strict=True)])
        vectors = self.module.vectors(torch.from_numpy(features.astype(np.float32)))
        self._kept.append(1 - (vectors * torch.from_numpy(self._targets[rows].astype(np.float32))).sum(1).mean())
        return vectors
