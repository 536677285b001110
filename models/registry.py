"""Encoder name -> spec -> loader."""

from collections.abc import Callable
from dataclasses import dataclass

from models import hash_encoder, starter
from models.encoder import ImageEncoder, Preprocess, TextEncoder
from models.errors import UnknownEncoder
from models.spec import EncoderSpec

DEFAULT_ENCODER = starter.SPEC.name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    spec: EncoderSpec
    preprocess: Preprocess
    load_image: Callable[[], ImageEncoder]
    load_text: Callable[[], TextEncoder]
    for_tests: bool = False


_ENTRIES = {
    entry.spec.name: entry
    for entry in (
        _Entry(
            spec=starter.SPEC,
            preprocess=starter.PREPROCESS,
            load_image=starter.load_image_encoder,
            load_text=starter.load_text_encoder,
        ),
        _Entry(
            spec=hash_encoder.SPEC,
            preprocess=hash_encoder.PREPROCESS,
            load_image=hash_encoder.HashEncoder,
            load_text=hash_encoder.HashEncoder,
            for_tests=True,
        ),
    )
}


def list_encoders() -> list[str]:
    """Return the names a person may choose from."""
    return [name for name, entry in _ENTRIES.items() if not entry.for_tests]


def get_spec(name: str) -> EncoderSpec:
    """Return the description of an encoder, without loading it. Raises UnknownEncoder."""
    return _entry(name).spec


def get_preprocess(name: str) -> Preprocess:
    """Return the picklable first step of an encoder, without loading it. Raises UnknownEncoder."""
    return _entry(name).preprocess


def load_image_encoder(name: str) -> ImageEncoder:
    """Load the image tower. Raises UnknownEncoder, WeightsMissing, WeightsCorrupt or BackendNotInstalled."""
    return _entry(name).load_image()


def load_text_encoder(name: str) -> TextEncoder:
    """Load the text tower. Raises UnknownEncoder, WeightsMissing, WeightsCorrupt or BackendNotInstalled."""
    return _entry(name).load_text()


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise UnknownEncoder(name, list_encoders())
    return _ENTRIES[name]
