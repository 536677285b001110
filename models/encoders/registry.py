"""Encoder name -> spec -> loader. Beside the encoders that xuntu knows there are those that were fine-tuned."""

from collections.abc import Callable
from dataclasses import dataclass

from models.encoders import hash as hash_encoder
from models.encoders import starter
from models.encoders.chinese_clip import family as chinese_clip
from models.encoders.dinov2 import family as dinov2
from models.encoders.encoder import ImageEncoder, Preprocess, TextEncoder
from models.encoders.finetuned import CARD_FILE, finetuned_spec, is_finetuned, list_finetuned, read_card
from models.encoders.published import Published
from models.encoders.runtime import Runtime
from models.encoders.siglip2 import family as siglip2
from models.encoders.spec import EncoderSpec
from models.foundation.errors import UnknownEncoder, WeightsCorrupt

DEFAULT_ENCODER = starter.SPEC.name
_HERE = Runtime()
_OTHER_ARCHITECTURE = ("it names an architecture that this version does not know", "其中的结构不为本版本所知")


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


def list_encoders(runtime: Runtime | None = None) -> list[str]:
    """Return the names a person may choose from; with a `runtime`, those of fine-tuned encoders there as well."""
    own = [name for name, entry in _ENTRIES.items() if not entry.for_tests]
    return own + ([name for name in list_finetuned(runtime.weights) if name not in _ENTRIES] if runtime else [])


def is_known(name: str) -> bool:
    """Say whether an encoder of that name comes with xuntu."""
    return name in _ENTRIES


def get_spec(name: str, runtime: Runtime = _HERE) -> EncoderSpec:
    """Return the description of an encoder, without looking for its weights.

    Raises UnknownEncoder, or WeightsCorrupt for a fine-tuned encoder whose card cannot be read; as do all below.
    """
    return _entry(name, runtime).spec


def get_installed_spec(name: str, runtime: Runtime = _HERE) -> EncoderSpec:
    """Return the description of an encoder with the checksums of its weights on this machine.

    Raises UnknownEncoder, WeightsMissing or WeightsCorrupt.
    """
    entry = _entry(name, runtime)
    return entry.published.folder(runtime).installed_spec() if entry.published else entry.spec


def get_published(name: str, runtime: Runtime = _HERE) -> Published | None:
    """Return what is known of an encoder whose weights lie apart, None for a built-in one. Raises UnknownEncoder."""
    return _entry(name, runtime).published


def get_preprocess(name: str, runtime: Runtime = _HERE) -> Preprocess:
    """Return the picklable first step of an encoder, without loading it. Raises UnknownEncoder."""
    return _entry(name, runtime).preprocess


def load_image_encoder(name: str, runtime: Runtime = _HERE) -> ImageEncoder:
    """Load the image tower.

    Raises UnknownEncoder, WeightsMissing, WeightsCorrupt, WeightsUnsuitable, NotExported, DeviceUnavailable or
    BackendNotInstalled.
    """
    return _entry(name, runtime).load_image(runtime)


def load_text_encoder(name: str, runtime: Runtime = _HERE) -> TextEncoder:
    """Load the text tower. Raises what `load_image_encoder` raises, and NoTextTower."""
    return _entry(name, runtime).load_text(runtime)


def _entry(name: str, runtime: Runtime) -> _Entry:
    if name in _ENTRIES:
        return _ENTRIES[name]
    if not is_finetuned(runtime.weights, name):
        raise UnknownEncoder(name, list_encoders(runtime))
    folder = runtime.weights / name
    like = _ENTRIES.get(read_card(folder).architecture)
    if like is None or like.published is None:  # made by a version that knows more
        raise WeightsCorrupt(folder / CARD_FILE, encoder=name, why=_OTHER_ARCHITECTURE, is_finetuned=True)
    return _entry_of(Published(like.published.family, finetuned_spec(name, like.spec)))
