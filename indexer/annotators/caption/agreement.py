"""Whether a caption fits its picture, as the library's main encoder sees both.

How high a caption scores depends on the encoder, so its rank is taken: the share of ordinary queries
(indexer/library/vectors/query_bank.py) that fit the picture less than the caption does. It tells a caption of something
else, not one that is wrong in a detail.
"""

import logging
from functools import cached_property

import numpy as np

from indexer.annotators.caption.captions import Captions
from indexer.library.annotated import AnnotatedLibrary, encode_known, load_library_text
from models.encoders.encoder import TextEncoder
from models.foundation.errors import EncoderError
from models.foundation.vectors import Vectors, l2_normalize

logger = logging.getLogger(__name__)

DOUBTFUL = 0.9  # below it a caption may not fit; tests/benchmarks/captions.py says how often that is wrong


class Agreement:
    """Ranks captions among the ordinary queries of a library."""

    def __init__(self, library: AnnotatedLibrary) -> None:
        self._library = library

    def measure(self, captions: Captions, vector: Vectors) -> float | None:
        """Return the share of ordinary queries that fit a picture, float32 (dim,), less than its short captions do.

        None where the encoder cannot tell: it reads no text, or none of this.
        """
        if self._tools is None:
            return None
        tower, queries = self._tools
        languages = tower.spec.languages
        texts = [caption.short for language, caption in captions.items() if not languages or language in languages]
        vectors = encode_known(tower, texts)
        if not len(vectors):
            return None
        return float(np.mean(queries @ vector < l2_normalize(vectors.mean(axis=0)) @ vector))

    @cached_property
    def _tools(self) -> tuple[TextEncoder, Vectors] | None:
        bank = self._library.read_bank()
        if bank is None:
            return None
        try:
            return load_library_text(self._library.stored, self._library.runtime), bank.vectors
        except EncoderError as error:
            logger.info("captions are not compared with their pictures: %s", error)
            return None
