"""Low-rank adapters (LoRA, arXiv 2106.09685) beside the weights of towers, with peft; merged into them in the end."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from models.encoders.torch_towers import mend_torchvision
from models.foundation.errors import BackendNotInstalled

_POOLING = "attnpool"  # of a ResNet: its products take the weights of layers that are never called themselves


def add_adapters(learner: nn.Module, rank: int, seed: int) -> Callable[[], None]:
    """Freeze the weights that are trained, and train adapters beside those of products; return what merges them.

    Adapted are linear layers and convolutions, and the queries, keys and values of nn.MultiheadAttention. Raises
    BackendNotInstalled.
    """
    mend_torchvision()
    try:
        from peft import LoraConfig, LoraModel
    except ImportError as error:
        raise BackendNotInstalled(error.name or "peft", "train") from error
    temperature = [name for name, _ in learner.named_parameters(recurse=False)]
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=list(_modules(learner)),
        target_parameters=list(_parameters(learner)),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted: Any = LoraModel(learner, {"default": config}, "default")
    for name in temperature:
        learner.get_parameter(name).requires_grad_()
    return lambda: _merge(adapted)


def _merge(adapted: Any) -> None:
    adapted.merge_and_unload(safe_merge=True)


def _modules(learner: nn.Module) -> Iterator[str]:
    for name, module in learner.named_modules():
        if type(module) in (nn.Linear, nn.Conv2d) and _POOLING not in name and _is_trained(module):
            yield name


def _parameters(learner: nn.Module) -> Iterator[str]:
    for name, module in learner.named_modules():
        if isinstance(module, nn.MultiheadAttention) and _is_trained(module):
            yield f"{name}.in_proj_weight"


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))
