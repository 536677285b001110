"""How well an encoder finds pictures by their captions, and captions by their pictures, among pairs it has not seen."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.encoders.encoder import Preprocess
from models.encoders.finetuned import Recalls
from models.encoders.published import CHECKPOINT, Published
from models.encoders.runtime import Runtime
from models.foundation.messages import mark
from models.foundation.vectors import Vectors
from models.pictures.errors import DecodeError
from models.training.finetune.feed import in_workers, open_picture
from models.training.finetune.pairs import Pair
from models.weights.verify import OnStep

_AT = (1, 5, 10)
_TIE = np.float32(1e-6)  # float32 sums of a thousand products differ by less
_BATCH = 32
_QUERIES = 512  # compared with everything at once


def measure(
    published: Published,
    runtime: Runtime,
    pairs: Sequence[Pair],
    checksums: Mapping[Path, str],
    *,
    device: str,
    workers: int,
    on_step: OnStep,
) -> Recalls:
    """Return the recalls of a checkpoint over pairs.

    Raises what opening it raises, and the DecodeError of a picture.
    """
    pictures = {checksums[pair.picture]: pair.picture for pair in pairs}
    captions = list(dict.fromkeys(pair.caption for pair in pairs))
    image = published.open_image(runtime, CHECKPOINT, device)
    paths, parts = list(pictures.values()), []
    chunks = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    load = partial(_load, preprocess=image.preprocess, side=published.spec.image_size)
    for number, views in enumerate(in_workers(load, chunks, workers)):
        on_step(mark("measure pictures"), number * _BATCH, len(paths))
        parts.append(image.encode_image(np.stack(_whole(views))))
    images = np.concatenate(parts)
    text = published.open_text(runtime, CHECKPOINT, device)
    parts = []
    for start in range(0, len(captions), _BATCH):
        on_step(mark("measure captions"), start, len(captions))
        parts.append(text.encode_text(captions[start : start + _BATCH]))
    picture_rows = {checksum: row for row, checksum in enumerate(pictures)}
    caption_rows = {caption: row for row, caption in enumerate(captions)}
    belong = [(picture_rows[checksums[pair.picture]], caption_rows[pair.caption]) for pair in pairs]
    return recalls(images, np.concatenate(parts), np.array(belong, np.int64))


def recalls(images: Vectors, texts: Vectors, belong: NDArray[np.int64]) -> Recalls:
    """Return recall@1, 5 and 10 in both directions, exact; `belong` (n, 2) pairs a row of images with one of texts.

    A query has found what it should when one that belongs to it is among its k best, ties counted against it.
    """
    by_text, by_picture = _ranks(texts, images, belong[:, ::-1]), _ranks(images, texts, belong)
    return {
        f"{way} @{k}": round(float(np.mean(found <= k)), 4)
        for way, found in (("caption to picture", by_text), ("picture to caption", by_picture))
        for k in _AT
    }


def _ranks(queries: Vectors, candidates: Vectors, belong: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank, from 1, of each query's best candidate that belongs to it."""
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _QUERIES):
        scores = queries[start : start + _QUERIES] @ candidates.T
        right = np.zeros(scores.shape, bool)
        here = belong[(belong[:, 0] >= start) & (belong[:, 0] < start + len(scores))]
        right[here[:, 0] - start, here[:, 1]] = True
        best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True) - _TIE
        ranks[start : start + len(scores)] = 1 + ((scores >= best) & ~right).sum(axis=1)
    return ranks


def _load(path: Path, *, preprocess: Preprocess, side: int) -> NDArray[np.uint8] | DecodeError:
    try:
        return preprocess(open_picture(path, side))
    except DecodeError as error:
        return error


def _whole(views: Sequence[NDArray[np.uint8] | DecodeError]) -> list[NDArray[np.uint8]]:
    for view in views:
        if isinstance(view, DecodeError):
            raise view
    return [view for view in views if not isinstance(view, DecodeError)]
