"""Ordinary queries, in both languages: what an index is tuned for besides pictures.

Vectors of texts lie off the distribution of pictures' vectors, and an index that finds neighbours of pictures well may
find those of texts badly. So the tuner asks it both.
"""

import io
import logging
from collections.abc import Sequence

import numpy as np

from indexer.store.layout import Layout
from indexer.store.records import StoredEncoder
from models.errors import ImageSearchError
from models.files import replace_file
from models.registry import get_spec, load_text_encoder
from models.runtime import Runtime
from models.text import normalize_text
from models.vectors import Vectors, check_vectors

logger = logging.getLogger(__name__)

_BATCH = 32
_THINGS = (
    ("一个人", "a person"),
    ("一个女人", "a woman"),
    ("一个小男孩", "a little boy"),
    ("一群孩子", "a group of children"),
    ("一对夫妇", "a couple"),
    ("一只狗", "a dog"),
    ("一只猫", "a cat"),
    ("一匹马", "a horse"),
    ("一只鸟", "a bird"),
    ("几头牛", "cows"),
    ("鱼", "fish"),
    ("一辆汽车", "a car"),
    ("一辆自行车", "a bicycle"),
    ("一列火车", "a train"),
    ("一艘船", "a boat"),
    ("一架飞机", "an airplane"),
    ("花", "flowers"),
    ("一棵树", "a tree"),
    ("一座房子", "a house"),
    ("一座桥", "a bridge"),
    ("一盘菜", "a plate of food"),
    ("一个蛋糕", "a cake"),
    ("水果", "fruit"),
    ("一杯咖啡", "a cup of coffee"),
    ("一本书", "a book"),
    ("一台电脑", "a computer"),
    ("一把椅子", "a chair"),
    ("一把雨伞", "an umbrella"),
    ("一个球", "a ball"),
    ("一把吉他", "a guitar"),
    ("气球", "balloons"),
    ("一个标志", "a sign"),
)
_PLACES = (
    ("", ""),
    ("在草地上", "on the grass"),
    ("在雪地里", "in the snow"),
    ("在海边", "by the sea"),
    ("在街上", "in the street"),
    ("在房间里", "in a room"),
    ("在水里", "in the water"),
    ("在夜晚", "at night"),
)


def list_queries(languages: Sequence[str]) -> list[str]:
    """Return a few hundred ordinary queries in those of `languages` that are Chinese or English."""
    return [
        f"{thing[n]}{' ' if n and place[n] else ''}{place[n]}"
        for n, language in enumerate(("zh", "en"))
        if language in languages
        for thing in _THINGS
        for place in _PLACES
    ]


def read_query_vectors(layout: Layout, encoder: StoredEncoder, runtime: Runtime) -> Vectors | None:
    """Return the vectors of ordinary queries, float32 (n, dim), made the first time and kept in the library.

    None where there is no text tower, or its weights are not here or are others than the library was built with.
    """
    spec = get_spec(encoder.name, runtime)
    path = layout.queries(encoder.name, encoder.fingerprint)
    try:
        vectors: Vectors = np.load(path, allow_pickle=False)
        return check_vectors(vectors, spec.dim)
    except (OSError, ValueError, ImageSearchError):
        pass  # not made yet, or not what was written
    queries = [normalize_text(query) for query in list_queries(spec.languages)]
    if not queries:
        return None
    try:
        tower = load_text_encoder(encoder.name, runtime)
        if tower.spec.fingerprint != encoder.fingerprint:
            return None
        known = [query for query in queries if tower.read_text(query).known]
        batches = [tower.encode_text(known[start : start + _BATCH]) for start in range(0, len(known), _BATCH)]
    except ImageSearchError as error:
        logger.warning("The index is tuned for pictures only: %s", error)
        return None
    vectors = np.concatenate(batches)
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())
    return vectors
