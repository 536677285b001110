"""Tensors of a training on disk: a crash or a full disk leaves what was there before, and what is damaged is said."""

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from models.foundation.files import sync_folder
from models.training.errors import TrainingDamaged


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` in place of what is at `path`, all of it or nothing. Raises OSError."""
    unfinished = path.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as file:
            _write(state, file, path)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return what was saved, on the processor. Raises TrainingDamaged or OSError."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise TrainingDamaged(path)
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingDamaged(path) from error
    return state


def _write(state: Mapping[str, Any], file: Any, path: Path) -> None:
    try:
        torch.save(dict(state), file)
    except RuntimeError as error:  # torch goes on after a write that failed, and then misses what it wrote
        cause = error.__context__
        if not isinstance(cause, OSError):
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error
