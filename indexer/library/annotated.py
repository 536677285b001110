"""A library as those annotators see it that find facts with its vectors: of pictures, of ordinary queries, of texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.library.catalog.records import StoredEncoder
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import LibraryEncoder
from indexer.library.layout import Layout
from indexer.library.vectors.query_bank import QueryBank
from models.encoders.encoder import TextEncoder
from models.encoders.registry import load_text_encoder
from models.encoders.runtime import Runtime
from models.encoders.wordings import encode_wordings, list_wordings
from models.foundation.errors import UnknownWords, WeightsUnsuitable
from models.foundation.messages import message
from models.foundation.vectors import Ids, Vectors
from models.language.text import normalize_text


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedLibrary:
    """A library, its main encoder, and what gives the vectors of ordinary queries; None where it reads no text."""

    layout: Layout
    catalog: Catalog
    stored: StoredEncoder
    encoder: LibraryEncoder
    runtime: Runtime
    read_bank: Callable[[], QueryBank | None]

    def gather(self, content_ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Return those of contents that have a vector, ascending, and the vectors. Raises IndexDamaged."""
        locations = self.catalog.locate_contents(self.encoder.id, content_ids)
        return locations.ids, self.encoder.store.gather(locations)

    def list_tags(self) -> dict[int, set[str]]:
        """Return content id -> its tags, those in its file among them, of the pictures that have any."""
        tags = self.catalog.fields().find("tag")
        return self.catalog.list_words(tags) if tags else {}


def load_library_text(stored: StoredEncoder, runtime: Runtime) -> TextEncoder:
    """Load the text tower of a library's encoder. Raises EncoderError, also where its weights are others now."""
    tower = load_text_encoder(stored.name, runtime)
    if tower.spec.fingerprint != stored.fingerprint:
        why = message("the library was built with other weights")
        raise WeightsUnsuitable(runtime.weights / stored.name, stored.name, why)
    return tower


def encode_known(tower: TextEncoder, texts: Sequence[str], *, templates: bool = False) -> Vectors:
    """Return `float32 (n, dim)`, a vector for each of the texts that the encoder knows a word of."""
    known = [text for one in texts if tower.read_text(text := normalize_text(one)).known]
    try:
        return encode_wordings(tower, [list_wordings(text, tower, templates=templates) for text in known])
    except UnknownWords:  # in a sentence of which nothing is known after all
        return np.empty((0, tower.spec.dim), np.float32)
