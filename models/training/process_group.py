"""Several processes that train one module together, each on its own device; of one process nothing here asks much.

Every rank holds the same weights, embeds its own rows of the batch, and sees the vectors of all: gradients summed over
the ranks are those of the whole batch, and the step that each makes is the same.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from models.foundation.devices import CPU

_PATIENCE = timedelta(hours=2)  # how long the others wait while one writes its checkpoint to a slow disk


@contextmanager
def joined(rank: int, ranks: int, device: str, meeting: Path) -> Iterator[None]:
    """Be one of `ranks` processes; `meeting` is a file that does not exist yet, through which they find each other."""
    if device == CPU and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # whatever this machine's name resolves to
    else:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "gloo" if device == CPU else "nccl",
        init_method=f"file://{meeting.absolute()}",
        rank=rank,
        world_size=ranks,
        timeout=_PATIENCE,
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if _is_together() else 0


def count_ranks() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if _is_together() else 1


def gather(own: Tensor) -> Tensor:
    """Return the rows of every rank, in the order of ranks. Each has as many; gradients flow into `own` alone."""
    if not _is_together():
        return own
    parts = [torch.empty_like(own) for _ in range(count_ranks())]
    distributed.all_gather(parts, own.detach().contiguous())
    parts[rank()] = own
    return torch.cat(parts)


def share_out(value: Tensor) -> Tensor:
    """Return `value` with a gradient that is right once summed over ranks, where each computes all of it."""
    ranks = count_ranks()
    return value if ranks == 1 else value / ranks + (value * (1 - 1 / ranks)).detach()


def sum_gradients(module: nn.Module) -> None:
    """Add up the gradients of every rank, on every rank."""
    if not _is_together():
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    works = [distributed.all_reduce(gradient, async_op=True) for gradient in gradients]
    for work in works:
        if work is not None:
            work.wait()


def any_of(flag: bool, device: torch.device) -> bool:
    """Say whether the flag is set on any rank."""
    if not _is_together():
        return flag
    flags = torch.tensor(int(flag), device=device)
    distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    return bool(flags.item())


def _is_together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
