"""Ordinary queries, in both languages: what an index is tuned for besides pictures, and what hubs are told by.

Vectors of texts lie off the distribution of pictures' vectors, and an index that finds neighbours of pictures well may
find those of texts badly. So the tuner asks it both. And a picture that scores well with all of them says little when
it scores well with one (see indexer/library/vectors/query_bank.py). `queries.tsv` was written for this project.
"""

import csv
import hashlib
import io
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from indexer.library.catalog.records import StoredEncoder
from indexer.library.layout import Layout
from indexer.library.vectors.query_bank import QueryBank
from models.encoders.encoder import TextEncoder
from models.encoders.registry import get_spec, load_text_encoder
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.errors import ImageSearchError
from models.foundation.files import ARRAY_ERRORS, replace_file
from models.foundation.vectors import Vectors, check_vectors
from models.language.text import normalize_text

logger = logging.getLogger(__name__)

_FILE = Path(__file__).with_name("queries.tsv")
_LANGUAGES = ("zh", "en")
_BATCH = 32
_encoded: dict[tuple[EncoderSpec, Runtime], QueryBank] = {}  # for the next library that this process begins


def list_queries(languages: Sequence[str]) -> list[str]:
    """Return about a thousand ordinary queries in each of `languages` that is Chinese or English."""
    return [query for language in _LANGUAGES if language in languages for query in _read_queries(language)]


@cache
def _read_queries(language: str) -> tuple[str, ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(normalize_text(row[language]) for row in rows)


def encode_query_bank(tower: TextEncoder) -> QueryBank:
    """Return ordinary queries as a text tower reads them; those of which it knows no word are left out."""
    queries = list_queries(tower.spec.languages)
    # Texts of like length together, since a batch is as long as its longest.
    known = sorted((query for query in queries if tower.read_text(query).known), key=len)
    batches = [np.empty((0, tower.spec.dim), np.float32)]
    batches += [tower.encode_text(known[start : start + _BATCH]) for start in range(0, len(known), _BATCH)]
    return _make_bank(tower.spec, queries, np.concatenate(batches))


def read_query_bank(layout: Layout, encoder: StoredEncoder, runtime: Runtime) -> QueryBank | None:
    """Return ordinary queries as the encoder of a library reads them, made the first time and kept in the library.

    None where there is no text tower, or its weights are not here or are others than the library was built with.
    """
    spec = get_spec(encoder.name, runtime)
    queries = list_queries(spec.languages)
    if not queries:
        return None
    path = layout.queries(encoder.name, encoder.fingerprint, _digest(queries))
    try:
        return _make_bank(spec, queries, check_vectors(np.load(path, allow_pickle=False), spec.dim))
    except (*ARRAY_ERRORS, ImageSearchError):
        pass  # not made yet, or not what was written
    try:
        tower = load_text_encoder(encoder.name, runtime)
        if tower.spec.fingerprint != encoder.fingerprint:
            return None
        key = (tower.spec, replace(runtime, weights=Path()))  # the fingerprint says which weights
        bank = _encoded.get(key) or _encoded.setdefault(key, encode_query_bank(tower))
    except ImageSearchError as error:
        logger.warning("The index is tuned for pictures only, and hubs are not corrected: %s", error)
        return None
    if not len(bank.vectors):
        return None
    _keep(path, bank.vectors)
    return bank


def _make_bank(spec: EncoderSpec, queries: Sequence[str], vectors: Vectors) -> QueryBank:
    name = f"{_digest(queries)}-{spec.query_sharpness:g}-{spec.hub_share:g}"
    return QueryBank(id=name, vectors=vectors, sharpness=spec.query_sharpness, share=spec.hub_share)


def _digest(queries: Sequence[str]) -> str:
    """Return 16 hex digits over the texts."""
    return hashlib.sha256("\n".join(queries).encode()).hexdigest()[:16]


def _keep(path: Path, vectors: Vectors) -> None:
    """Write vectors to `path`, in the place of those of the same encoder for other queries."""
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())
    stem = path.stem.rpartition("-")[0]
    for other in path.parent.glob("*.npy"):
        if other != path and other.stem.startswith(stem):
            other.unlink(missing_ok=True)
