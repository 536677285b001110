"""Encoder name -> spec -> loader."""

from collections.abc import Callable
from dataclasses import dataclass

from models import chinese_clip, dinov2, hash_encoder, siglip2, starter
from models.encoder import ImageEncoder, Preprocess, TextEncoder
from models.errors import UnknownEncoder
from models.published import Published
from models.runtime import Runtime
from models.spec import EncoderSpec

DEFAULT_ENCODER = starter.SPEC.name
_HERE = Runtime()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    spec: EncoderSpec
    preprocess: Preprocess
    load_image: Callable[[Runtime], ImageEncoder]
    load_text: Callable[[Runtime], TextEncoder]
    published: Published | None = None
    for_tests: bool = False


def _entry_of(published: Published) -> _Entry:
    return _Entry(
        spec=published.spec,
        preprocess=published.family.make_preprocess(published.spec),
        load_image=published.load_image,
        load_text=published.load_text,
        published=published,
    )


_ENTRIES = {
    entry.spec.name: entry
    for entry in (
        _Entry(
            spec=starter.SPEC,
            preprocess=starter.PREPROCESS,
            load_image=lambda runtime: starter.load_image_encoder(threads=runtime.threads),
            load_text=lambda _: starter.load_text_encoder(),
        ),
        *(
            _entry_of(Published(family, spec))
            for family in (chinese_clip.FAMILY, siglip2.FAMILY, dinov2.FAMILY)
            for spec in family.specs
        ),
        _Entry(
            spec=hash_encoder.SPEC,
            preprocess=hash_encoder.PREPROCESS,
            load_image=lambda _: hash_encoder.HashEncoder(),
            load_text=lambda _: hash_encoder.HashEncoder(),
            for_tests=True,
        ),
    )
}


def list_encoders() -> list[str]:
    """Return the names a person may choose from."""
    return [name for name, entry in _ENTRIES.items() if not entry.for_tests]


def get_spec(name: str) -> EncoderSpec:
    """Return the description of an encoder, without looking for its weights. Raises UnknownEncoder."""
    return _entry(name).spec


def get_installed_spec(name: str, runtime: Runtime = _HERE) -> EncoderSpec:
    """Return the description of an encoder with the checksums of its weights on this machine.

    Raises UnknownEncoder, WeightsMissing or WeightsCorrupt.
    """
    entry = _entry(name)
    return entry.published.folder(runtime).installed_spec() if entry.published else entry.spec


def get_published(name: str) -> Published | None:
    """Return what is known of an encoder that has to be fetched, None for a built-in one. Raises UnknownEncoder."""
    return _entry(name).published


def get_preprocess(name: str) -> Preprocess:
    """Return the picklable first step of an encoder, without loading it. Raises UnknownEncoder."""
    return _entry(name).preprocess


def load_image_encoder(name: str, runtime: Runtime = _HERE) -> ImageEncoder:
    """Load the image tower.

    Raises UnknownEncoder, WeightsMissing, WeightsCorrupt, WeightsUnsuitable, NotExported, DeviceUnavailable or
    BackendNotInstalled.
    """
    return _entry(name).load_image(runtime)


def load_text_encoder(name: str, runtime: Runtime = _HERE) -> TextEncoder:
    """Load the text tower. Raises what `load_image_encoder` raises, and NoTextTower."""
    return _entry(name).load_text(runtime)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise UnknownEncoder(name, list_encoders())
    return _ENTRIES[name]
