"""The training loop: the same for the built-in encoder and for fine-tuning.

A step draws its batch and its dropout from (seed, step) alone, so a run that is stopped and goes on from its
checkpoint ends in the same weights, bit for bit, as one that was never stopped. Where several processes train together
(see ranks), each runs this loop, and the first of them reports and saves.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from models.training import process_group
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.errors import TrainingDiverged

Losses = Mapping[str, Tensor]  # scalars by name; their sum is minimised

_SEEDS_A_RANK = 1 << 40  # more than there are steps


class Task(Protocol):
    """What is trained: a module whose parameters change, and the losses of one step."""

    @property
    def module(self) -> nn.Module:
        """What learns."""
        ...

    def losses(self, step: int) -> Losses:
        """Return the losses of a step, drawn from its number alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the learning rate goes: it rises, stays, and falls to zero over the last steps.

    `averaged`: how much of the running mean of the weights stays at each step (Polyak averaging; 0 for none).
    `slower`: what the rate is multiplied with for parameters whose names begin so.
    """

    steps: int
    rate: float
    warmup: int = 200
    falling: int = 0
    weight_decay: float = 0.05
    clip: float = 5.0
    averaged: float = 0.0
    seed: int = 1
    slower: Mapping[str, float] = field(default_factory=dict)

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        left = (self.steps - step) / max(1, self.falling)
        return self.rate * rise * (1 - math.sqrt(1 - min(1.0, left)) if left < 1 else 1.0)


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Where a run stands: mean losses since the last report, steps a second."""

    step: int
    steps: int
    losses: dict[str, float]
    steps_per_second: float


def train(
    task: Task,
    schedule: Schedule,
    checkpoint: Path,
    *,
    report: Callable[[TrainingReport], None],
    report_every: int = 50,
    save_every: int = 500,
    save_seconds: float = math.inf,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Train to the end of the schedule, or until `stop` says so; returns the steps done, saved in `checkpoint`.

    It is saved as well after every `save_every` steps, and where so many seconds have passed since. Raises
    TrainingDiverged, with what was saved before as it was, TrainingDamaged, and OSError where it cannot be saved.
    """
    optimizer = _optimizer(task.module, schedule)
    average = _Average(task.module, schedule.averaged)
    step = _restore(checkpoint, task.module, optimizer, average)
    tally, saved = _Tally(step), time.monotonic()
    device = next(task.module.parameters()).device
    task.module.train()
    while step < schedule.steps and not process_group.any_of(stop(), device):
        torch.manual_seed(schedule.seed * 1_000_003 + step + process_group.rank() * _SEEDS_A_RANK)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(step) * group["factor"]
        losses = task.losses(step)
        optimizer.zero_grad(set_to_none=True)
        sum(losses.values()).backward()  # type: ignore[union-attr]
        process_group.sum_gradients(task.module)
        if not nn.utils.clip_grad_norm_(task.module.parameters(), schedule.clip).isfinite():
            raise TrainingDiverged(step + 1)
        optimizer.step()
        average.follow(task.module)
        step += 1
        tally.add(losses)
        if step % report_every == 0 or step == schedule.steps:
            if process_group.rank() == 0:
                report(tally.report(step, schedule.steps))
            tally = _Tally(step)
        if step % save_every == 0 or time.monotonic() - saved > save_seconds:
            _save(checkpoint, step, task.module, optimizer, average, schedule)
            saved = time.monotonic()
    _save(checkpoint, step, task.module, optimizer, average, schedule)
    return step


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Return the running mean of the weights in a checkpoint, or the weights where none was kept.

    Raises TrainingDamaged.
    """
    state = load_checkpoint(checkpoint)
    weights: dict[str, Tensor] = state["average"] or state["module"]
    return weights


class _Tally:
    """What has been lost since a step, and how long that took."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._began = time.monotonic()
        self._sums: dict[str, float] = {}

    def add(self, losses: Losses) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.item()

    def report(self, step: int, steps: int) -> TrainingReport:
        taken, seconds = step - self._step, time.monotonic() - self._began
        return TrainingReport(step, steps, {name: lost / taken for name, lost in self._sums.items()}, taken / seconds)


class _Average:
    """A running mean of a module's floating-point state; its other state is copied."""

    def __init__(self, module: nn.Module, keep: float) -> None:
        self.keep = keep
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()} if keep else {}
        self.followed = 0

    @torch.no_grad()
    def follow(self, module: nn.Module) -> None:
        self.followed += 1
        keep = min(self.keep, self.followed / (self.followed + 10))  # the first weights are soon forgotten
        for name, value in module.state_dict().items() if self.state else ():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - keep)
            else:
                self.state[name].copy_(value)


def _optimizer(module: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decay = schedule.weight_decay if parameter.ndim > 1 else 0.0
            factor = next((slower for prefix, slower in schedule.slower.items() if name.startswith(prefix)), 1.0)
            groups.setdefault((factor, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "factor": factor}
            for (factor, decay), parameters in groups.items()
        ],
        lr=schedule.rate,
        betas=(0.9, 0.98),
    )


def _save(
    path: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, average: _Average, schedule: Schedule
) -> None:
    if process_group.rank() != 0:
        return
    state = {
        "step": step,
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state,
        "followed": average.followed,
        "schedule": asdict(schedule),
    }
    save_checkpoint(path, state)


def _restore(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, average: _Average) -> int:
    if not path.exists():
        return 0
    state = load_checkpoint(path)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    average.state.update(state["average"])
    average.followed = state["followed"]
    return int(state["step"])
