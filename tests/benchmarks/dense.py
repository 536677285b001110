"""A library of a million vectors that lie as those of photographs do.

XUNTU_BENCH_PICTURES names a folder of pictures, loose or in .tar files, with captions ("en", "zh": lists of strings)
in its .jsonl files. They are encoded by the built-in encoder. Without it the pictures are made up: clusters on a
curved surface of few dimensions, whose texts lie apart from them.

Then as many vectors as asked for are made of those there are. To one of them, chosen at random, is added a step in a
random direction among its 50 nearest neighbours, 0.66 times as long as the distance of the tenth of them. A random
rotation takes the result isometrically into more dimensions, where noise is added in all of them, 0.46 times as long
as that distance. So the nearest neighbour of a picture scores about what it scored among the pictures themselves.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from models.encoders.registry import DEFAULT_ENCODER, load_image_encoder, load_text_encoder
from models.foundation.vectors import Vectors, l2_normalize

STEP, NOISE, NEIGHBOURS = 0.66, 0.46, 50
SHARD_ROWS = 65_536
_CHUNK, _BATCH, _TEXTS = 8_192, 64, 12_000
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def write_dense(folder: Path, count: int, dim: int) -> str:
    """Write shards NNNNN.npy of `count` x `dim` and texts.npy into `folder`; return how they were made."""
    source = os.environ.get("XUNTU_BENCH_PICTURES")
    pictures, texts = _encode(Path(source)) if source else _make_up()
    dim = max(dim, pictures.shape[1])
    nearest, tenth = _neighbours(pictures)
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.standard_normal((dim, pictures.shape[1])))[0].T.astype(np.float32)
    for number, start in enumerate(range(0, count, SHARD_ROWS)):
        rows = min(SHARD_ROWS, count - start)
        parts = [
            _densify(rng, pictures, nearest, tenth, rotation, min(_CHUNK, rows - first))
            for first in range(0, rows, _CHUNK)
        ]
        np.save(folder / f"{number:05d}.npy", np.concatenate(parts))
    noise = rng.standard_normal((len(texts), dim), dtype=np.float32) * (NOISE * np.median(tenth) / np.sqrt(dim))
    np.save(folder / "texts.npy", l2_normalize(texts @ rotation + noise))
    kind = f"of {len(pictures)} pictures by the built-in encoder" if source else "made up, in clusters"
    return f"{len(pictures)} vectors {kind}, made denser (see dense.py); {len(texts)} texts."


def _densify(rng, pictures, nearest, tenth, rotation, rows) -> Vectors:
    chosen = rng.integers(0, len(pictures), rows)
    weights = rng.standard_normal((rows, 10)).astype(np.float32)
    others = nearest[chosen[:, None], rng.integers(0, nearest.shape[1], weights.shape)]
    step = np.einsum("mk,mkd->md", weights, pictures[others]) - weights.sum(1)[:, None] * pictures[chosen]
    step *= (STEP * tenth[chosen] / np.linalg.norm(step, axis=1))[:, None]
    made = (pictures[chosen] + step) @ rotation
    noise = rng.standard_normal(made.shape, dtype=np.float32)
    return l2_normalize(made + noise * (NOISE * tenth[chosen] / np.sqrt(made.shape[1]))[:, None])


def _neighbours(pictures: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest neighbours of each picture, and the distance of the tenth."""
    nearest, tenth = [], []
    for start in range(0, len(pictures), 2_048):
        scores = pictures[start : start + 2_048] @ pictures.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -2
        best = np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS].copy()  # a view would keep all of it
        nearest.append(best)
        ordered = -np.sort(-np.take_along_axis(scores, best, 1), axis=1)
        tenth.append(np.sqrt(np.maximum(2 - 2 * ordered[:, 9], 0)))
    return np.concatenate(nearest), np.concatenate(tenth).astype(np.float32)


def _encode(folder: Path) -> tuple[Vectors, Vectors]:
    encoder, texts = load_image_encoder(DEFAULT_ENCODER), load_text_encoder(DEFAULT_ENCODER)
    vectors, batch = [], []
    for data in read_pictures(folder):
        batch.append(encoder.preprocess(Image.open(io.BytesIO(data)).convert("RGB")))
        if len(batch) == _BATCH:
            vectors.append(encoder.encode_image(np.stack(batch)))
            batch = []
    if batch:
        vectors.append(encoder.encode_image(np.stack(batch)))
    captions = sorted({caption for caption in _read_captions(folder) if texts.read_text(caption).known})
    np.random.default_rng(0).shuffle(captions)
    captions = captions[:_TEXTS]
    encoded = [texts.encode_text(captions[start : start + _BATCH]) for start in range(0, len(captions), _BATCH)]
    return np.unique(np.concatenate(vectors), axis=0), np.concatenate(encoded)


def read_pictures(folder: Path) -> Iterator[bytes]:
    """Yield the files of all pictures below a folder, those in .tar files included, always in the same order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in archive:
                    file = archive.extractfile(member) if Path(member.name).suffix.lower() in _SUFFIXES else None
                    if file:
                        yield file.read()
        elif path.suffix.lower() in _SUFFIXES:
            yield path.read_bytes()


def _read_captions(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            for name in ("en", "zh"):
                yield from values.get(name, ())[:2]


def _make_up(count: int = 30_000, dim: int = 256, inner: int = 40) -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((400, inner))
    inside = centres[rng.integers(0, len(centres), count)] + 0.8 * rng.standard_normal((count, inner))
    inside *= 0.95 ** np.arange(inner)
    out = rng.standard_normal((inner, dim)), rng.standard_normal((inner, dim))
    pictures = np.tanh(inside @ out[0] / inner**0.5) + 0.5 * np.sin(inside @ out[1] / inner**0.5)
    about = pictures[rng.integers(0, count, 6_000)]
    texts = about + 1.0 * rng.standard_normal(about.shape) + 0.5 * rng.standard_normal(dim)
    return l2_normalize(pictures), l2_normalize(texts)
