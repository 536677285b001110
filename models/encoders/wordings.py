"""A text -> the texts whose vectors, averaged, stand for it.

The bare name of a thing is nothing like the captions that encoders are trained on, so it is encoded in several
sentences (the prompt ensemble of CLIP, arXiv 2103.00020), where the encoder gains by it. A text that is longer than the
encoder reads is encoded in pieces.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from models.encoders.encoder import TextEncoder
from models.foundation.vectors import Vectors, l2_normalize
from models.language.templates import list_sentences

# Where a text may be parted, the best first: after sentences, after clauses, between words.
_BORDERS = tuple(map(re.compile, (r"(?<=[。！？!?;；\n])|(?<=\.)(?=\s)", r"(?<=[，、,:：])", r"(?<=\s)")))


def list_wordings(text: str, encoder: TextEncoder, *, templates: bool = False) -> tuple[str, ...]:
    """Return the texts that stand for a normalised one, itself first where it is a name; mostly it alone.

    With `templates` a name of one to three words (six characters in Chinese) is put into sentences of its language. A
    text beyond the context length comes in pieces that fit; pieces without a word that the encoder knows are left out.
    """
    if encoder.read_text(text).truncated:
        pieces = [piece for piece in split_text(text, encoder) if encoder.read_text(piece).known]
        return tuple(dict.fromkeys(pieces)) or (text,)
    return tuple(dict.fromkeys(list_sentences(text))) if templates else (text,)


def split_text(text: str, encoder: TextEncoder) -> list[str]:
    """Return a text in pieces that the encoder reads whole, parted between sentences where that is enough."""
    return list(_split(text, encoder, _BORDERS))


def pool_vectors(vectors: Vectors, counts: Sequence[int]) -> Vectors:
    """Return `float32 (n, dim)`: the direction of the mean of each `counts[i]` consecutive rows of unit vectors."""
    if len(vectors) == len(counts):
        return vectors
    starts = np.cumsum([0, *counts[:-1]])
    return l2_normalize(np.add.reduceat(vectors, starts, axis=0, dtype=np.float32))


def encode_wordings(encoder: TextEncoder, wordings: Sequence[Sequence[str]]) -> Vectors:
    """Return `float32 (n, dim)` for n texts in their wordings, encoded in one batch. Raises UnknownWords."""
    if not wordings:
        return np.empty((0, encoder.spec.dim), np.float32)
    vectors = encoder.encode_text([wording for one in wordings for wording in one])
    return pool_vectors(vectors, [len(one) for one in wordings])


def _split(text: str, encoder: TextEncoder, borders: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yield pieces that fit, each as long as can be; what does not fit by itself is parted at the next best border."""
    parts = borders[0].split(text) if borders else _halves(text)
    piece = ""
    for part in parts:
        if _fits(piece + part, encoder):
            piece += part
            continue
        if piece.strip():
            yield piece.strip()
        piece = ""
        if _fits(part, encoder) or len(part) < 2:
            piece = part
        else:
            yield from _split(part, encoder, borders[1:])
    if piece.strip():
        yield piece.strip()


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]


def _fits(text: str, encoder: TextEncoder) -> bool:
    return not encoder.read_text(text).truncated
