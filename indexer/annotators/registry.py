"""The annotators of this installation: those that come with xuntu, and those of plug-ins."""

import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TypeAlias

from indexer.annotators.caption.annotator import open_captions
from indexer.annotators.colours import ColourAnnotator
from indexer.annotators.exif import ExifAnnotator
from indexer.annotators.labels.annotator import open_labels
from indexer.annotators.ocr.annotator import TextAnnotator
from indexer.annotators.phash import PerceptualHashAnnotator
from indexer.annotators.places import PlaceAnnotator
from indexer.annotators.words import WordsAnnotator
from indexer.config import IndexerSettings
from indexer.library.annotated import AnnotatedLibrary
from indexer.library.annotations.fields import BASE_FIELDS
from indexer.library.annotations.port import Annotator, LibraryAnnotator

logger = logging.getLogger(__name__)

GROUP = "xuntu.annotators"  # entry points: a class, or whatever makes an Annotator when it is called
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COLUMNS = {"content_id", "version", "problem"}  # that every annotator's table has

# What makes one for a library. Raises AnnotatorNotSetUp where a person has not asked for it.
OpenLibraryAnnotator: TypeAlias = Callable[[IndexerSettings, AnnotatedLibrary], LibraryAnnotator]
_OF_LIBRARIES: Mapping[str, tuple[OpenLibraryAnnotator, tuple[str, ...]]] = {
    "label": (open_labels, ("label", "labels", "label_names", "label_scores")),
    "caption": (open_captions, ("caption_zh", "caption_en", "caption_by", "caption_agreement", "caption_doubtful")),
}


@cache
def library_annotators() -> Mapping[str, OpenLibraryAnnotator]:
    """Return what makes library annotators, by their names; one whose fields are a plug-in's is logged and left out."""
    others = list_annotators()
    taken = {name for other in others for field in other.fields for name in (field.name, *field.aliases)}
    taken |= {other.name for other in others}
    found = {}
    for name, (opener, fields) in _OF_LIBRARIES.items():
        clash = taken.intersection((name, *fields))
        if clash:
            logger.error("the annotator %s is not used: a plug-in has a field %s", name, sorted(clash)[0])
        else:
            found[name] = opener
    return found


@cache
def list_annotators() -> tuple[Annotator, ...]:
    """Return every annotator, in the order in which they are asked. A plug-in that cannot be used is logged."""
    found: list[Annotator] = [
        ExifAnnotator(),
        ColourAnnotator(),
        PerceptualHashAnnotator(),
        WordsAnnotator(),
        PlaceAnnotator(),
    ]
    if find_spec("rapidocr"):  # the extra `ocr`
        found.append(TextAnnotator())
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        try:
            annotator: Annotator = entry.load()()
            _check(annotator, found)
        except Exception as error:  # whatever a plug-in does wrong, libraries are indexed without it
            reason = f"{type(error).__name__}: {error}"
            logger.error("the annotator %s (%s) is not used: %s", entry.name, entry.value, reason)
            logger.debug("the annotator %s is not used", entry.name, exc_info=True)
        else:
            found.append(annotator)
    return tuple(found)


def _check(annotator: Annotator, others: list[Annotator]) -> None:
    """Raise ValueError where names are not what they have to be, or belong to another annotator."""
    names = [name for field in annotator.fields for name in (field.name, *field.aliases)]
    fields = [*BASE_FIELDS, *(field for other in others for field in other.fields)]
    taken = _COLUMNS | {name for field in fields for name in (field.name, *field.aliases)}
    for name in (annotator.name, *(field.name for field in annotator.fields)):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name: small letters, digits and _ only, a letter first")
    clash = next((name for name in names if name in taken), None)
    if clash is not None or annotator.name in {other.name for other in others}:
        raise ValueError(f"{clash or annotator.name!r} is the name of another annotator, or of a field of one")
