"""Encoder name -> spec -> loader.

Beside the encoders that come with xuntu there are those of plug-ins, and those that were fine-tuned on this machine.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from models.encoders import hash as hash_encoder
from models.encoders import starter, starter_v3
from models.encoders.built_in import BuiltInFamily
from models.encoders.chinese_clip import family as chinese_clip
from models.encoders.dinov2 import family as dinov2
from models.encoders.dinov3 import family as dinov3
from models.encoders.embedding_gemma2 import family as embedding_gemma2
from models.encoders.encoder import ImageEncoder, Preprocess, TextEncoder
from models.encoders.family import EncoderFamily
from models.encoders.fg_clip2 import family as fg_clip2
from models.encoders.finetuned import CARD_FILE, finetuned_spec, is_finetuned, list_finetuned, read_card
from models.encoders.published import Published, PublishedEncoders
from models.encoders.qwen3_vl import family as qwen3_vl
from models.encoders.runtime import Runtime
from models.encoders.siglip2 import family as siglip2
from models.encoders.spec import EncoderSpec
from models.foundation.errors import UnknownEncoder, WeightsCorrupt
from models.foundation.messages import message

logger = logging.getLogger(__name__)

GROUP = "xuntu.encoders"  # entry points: an EncoderFamily, or whatever makes one when it is called
DEFAULT_ENCODER = starter_v3.SPEC.name
SUPERSEDED = (starter.SPEC.name,)  # built in by earlier versions; libraries that were made with them go on
_HERE = Runtime()
_OTHER_ARCHITECTURE = message("it names an architecture that this version does not know")
_FOR_TESTS = (hash_encoder.SPEC.name,)


@dataclass(frozen=True, slots=True)
class _Entry:
    spec: EncoderSpec
    family: EncoderFamily

    @property
    def published(self) -> Published | None:
        return Published(self.family.family, self.spec) if isinstance(self.family, PublishedEncoders) else None


def _entries_of(*families: EncoderFamily) -> dict[str, _Entry]:
    return {spec.name: _Entry(spec, family) for family in families for spec in family.specs}


_WITH_FILES = (starter_v3.ENCODER, starter.ENCODER)
_BUILT_IN: Mapping[str, _Entry] = _entries_of(
    BuiltInFamily(*_WITH_FILES),
    *map(
        PublishedEncoders,
        (
            chinese_clip.FAMILY,
            fg_clip2.FAMILY,
            siglip2.FAMILY,
            embedding_gemma2.FAMILY,
            qwen3_vl.FAMILY,
            dinov2.FAMILY,
            dinov3.FAMILY,
        ),
    ),
    hash_encoder.HashFamily(),
)


@cache
def _plugged_in() -> Mapping[str, _Entry]:
    """Return the encoders of plug-ins, looked for when first asked for; those that cannot be used are logged."""
    found: dict[str, _Entry] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        try:
            named = point.load()
            family: EncoderFamily = named if hasattr(named, "specs") and not isinstance(named, type) else named()
            for name, entry in _entries_of(family).items():
                spaces = {one.spec.space for one in (*_BUILT_IN.values(), *found.values())}
                if name in _BUILT_IN or name in found or entry.spec.space in spaces:
                    raise ValueError(f"{name!r} or its space {entry.spec.space!r} is another encoder's")
                found[name] = entry
        except Exception as error:  # whatever a plug-in does wrong, other encoders are not in its way
            reason = f"{type(error).__name__}: {error}"
            logger.error("the encoders of %s (%s) are not used: %s", point.name, point.value, reason)
            logger.debug("the encoders of %s are not used", point.name, exc_info=True)
    return found


def _list_known() -> Iterator[str]:
    yield from (name for name in _BUILT_IN if name not in _FOR_TESTS)
    yield from _plugged_in()


def list_encoders(runtime: Runtime | None = None) -> list[str]:
    """Return the names a person may choose from; with a `runtime`, those of fine-tuned encoders there as well."""
    own = list(_list_known())
    return own + ([name for name in list_finetuned(runtime.weights) if not is_known(name)] if runtime else [])


def is_known(name: str) -> bool:
    """Say whether an encoder of that name comes with xuntu or a plug-in."""
    return name in _BUILT_IN or name in _plugged_in()


def is_plugged_in(name: str) -> bool:
    """Say whether an encoder of that name comes with a plug-in."""
    return name in _plugged_in()


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


def get_built_in_folder(name: str) -> Path | None:
    """Return the folder of an encoder's files in this package, None where they lie elsewhere, or there are none."""
    return next((own.folder for own in _WITH_FILES if own.spec.name == name), None)


def get_preprocess(name: str, runtime: Runtime = _HERE) -> Preprocess:
    """Return the picklable first step of an encoder, without loading it. Raises UnknownEncoder."""
    entry = _entry(name, runtime)
    return entry.family.preprocess(entry.spec)


def load_image_encoder(name: str, runtime: Runtime = _HERE) -> ImageEncoder:
    """Load the image tower.

    Raises UnknownEncoder, WeightsMissing, WeightsCorrupt, WeightsUnsuitable, NotExported, DeviceUnavailable or
    BackendNotInstalled.
    """
    entry = _entry(name, runtime)
    return entry.family.open_image(entry.spec, runtime)


def load_text_encoder(name: str, runtime: Runtime = _HERE) -> TextEncoder:
    """Load the text tower. Raises what `load_image_encoder` raises, and NoTextTower."""
    entry = _entry(name, runtime)
    return entry.family.open_text(entry.spec, runtime)


def _entry(name: str, runtime: Runtime) -> _Entry:
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if is_finetuned(runtime.weights, name):
        folder = runtime.weights / name
        like = _BUILT_IN.get(read_card(folder).architecture)
        if like is None or like.published is None:  # made by a version that knows more
            raise WeightsCorrupt(folder / CARD_FILE, encoder=name, why=_OTHER_ARCHITECTURE, is_finetuned=True)
        return _Entry(finetuned_spec(name, like.spec), like.family)
    if name in _plugged_in():
        return _plugged_in()[name]
    raise UnknownEncoder(name, list_encoders(runtime))
