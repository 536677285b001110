"""What every tower on torch shares: its form, how its checkpoint is read, and what a broken torchvision needs."""

import contextlib
import io
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.foundation.errors import BackendNotInstalled, WeightsCorrupt, WeightsUnsuitable
from models.foundation.messages import Message, message, verbatim

# Keeps declared operators alive for the life of the process.
_declared: list[Any] = []


class ImageTower(nn.Module):
    """Bytes (n, side, side, 3) -> float32 (n, dim). Standardises, then runs `tower` on float (n, 3, side, side)."""

    mean: Tensor
    std: Tensor

    def __init__(self, tower: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("mean", 255 * torch.tensor(mean))
        self.register_buffer("std", 255 * torch.tensor(std))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the embedding, not yet of unit length."""
        standardised = (pixels.float() - self.mean) / self.std
        embedding: Tensor = self.tower(standardised.permute(0, 3, 1, 2))
        return embedding.float()


class TextTower(nn.Module):
    """Token ids int64 (n, length) -> float32 (n, dim)."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embedding, not yet of unit length."""
        embedding: Tensor = self.tower(ids)
        return embedding.float()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainableModel:
    """Both towers of an encoder, float32, and the temperature that they were trained with.

    `log_scale` is the logarithm of what cosines are multiplied by. `state` returns the weights as they are by now, in
    the names and types of the authors' checkpoint.
    """

    image: ImageTower
    text: TextTower
    log_scale: nn.Parameter
    state: Callable[[], dict[str, Tensor]]


def mend_torchvision() -> None:
    """Let torchvision be imported where its compiled operators do not fit torch, as when one is built for CUDA.

    Its transforms need none of them, but its import registers shapes for two, and fails when those are unknown;
    transformers then fails with it. Nothing is done where torchvision works, or is not installed.
    """
    if _declared:
        return
    try:
        import torchvision  # noqa: F401
    except ImportError:
        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)


def read_state(path: Path, encoder: str) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name; of a pickle, tensors are all that is read.

    Raises WeightsCorrupt, or WeightsUnsuitable for a file that holds something else.
    """
    try:
        state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except BackendNotInstalled:
        raise
    except Exception as error:  # bytes that are no checkpoint make the unpickler raise whatever they like
        why = verbatim(_first_line(error))
        if isinstance(error, pickle.UnpicklingError):  # torch's own words advise to run the file's code
            why = message("it is no file of tensors, or holds more than tensors")
        raise WeightsCorrupt(path, encoder=encoder, why=why) from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsUnsuitable(path, encoder, message("it holds no table of tensors"))
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _read_safetensors(path: Path) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise BackendNotInstalled("safetensors", "torch") from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(error) from error


def _read_pickle(path: Path) -> object:
    # The memory map keeps a checkpoint of gigabytes from being held twice.
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None)


def fill(
    module: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    encoder: str,
    guess: Callable[[Mapping[str, Tensor]], str],
) -> None:
    """Give `module`, made without memory, its weights as float32. Raises WeightsUnsuitable.

    Each tensor is first rounded to the precision that the module has for it. `guess` returns the name of the encoder
    that tensors seem to belong to, or nothing.
    """
    expected = module.state_dict()
    missing = [name for name in expected if name not in state]
    wrong = [name for name in expected if name in state and state[name].shape != expected[name].shape]
    if missing or wrong:
        name = (missing or wrong)[0]
        why = lacks(missing) if missing else _shapes(name, expected, state)
        raise WeightsUnsuitable(path, encoder, why, guess(state))
    rounded = {name: _as_float(state[name].to(tensor.dtype)) for name, tensor in expected.items()}
    module.load_state_dict(rounded, assign=True)
    module.requires_grad_(requires_grad=False).eval()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries that print from writing among the results of a command."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _as_float(tensor: Tensor) -> Tensor:
    return tensor.float().clone() if tensor.is_floating_point() else tensor.clone()


def lacks(missing: Sequence[str]) -> Message:
    """Say that tensors are missing."""
    return message("it lacks {first}, and {more} more", first=missing[0], more=len(missing) - 1)


def _shapes(name: str, expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Message:
    found, wanted = (str(tuple(tensors[name].shape)) for tensors in (state, expected))
    return message("its {name} is {found}, not {wanted}", name=name, found=found, wanted=wanted)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
