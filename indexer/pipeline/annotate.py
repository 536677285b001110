"""One annotator and one picture -> what the catalog keeps of it."""

import logging

from indexer.library.annotations.fields import AnnotatorRecord
from indexer.library.annotations.port import AnnotatedPicture, Annotator, LibraryAnnotator
from indexer.library.annotations.values import Annotation, Failure, to_annotation

logger = logging.getLogger(__name__)


def record_of(annotator: Annotator | LibraryAnnotator) -> AnnotatorRecord:
    """Return an annotator as a catalog knows it."""
    return AnnotatorRecord(annotator.name, annotator.version, annotator.fields)


def annotate(annotator: Annotator, picture: AnnotatedPicture) -> Annotation:
    """Return what an annotator finds in a picture. Whatever goes wrong in it, the picture is indexed."""
    try:
        (found,) = annotator.annotate([picture])
    except Exception as error:
        logger.debug("the annotator %s failed", annotator.name, exc_info=True)
        found = Failure(f"{type(error).__name__}: {error}")
    return to_annotation(record_of(annotator), found)
