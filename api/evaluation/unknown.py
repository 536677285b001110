"""Queries of which the encoder knows no word: every task asks them, and finds nothing with them.

They stay among the queries, since a person would have typed them: no right answer is found (recall, mAP and the naming
of pictures count a miss), no picture finds them, and for presence they score lower than anything. Relevance is not
fitted on them, as a search answers them with an error and not with hits. Results say how many they are.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from api.evaluation.measures.ranking import Positions
from api.search.engine import SearchEngine
from api.search.query import Query
from api.search.results import SearchHit
from models.encoders.encoder import TextEncoder
from models.foundation.errors import UnknownWords

LOWEST_SCORE = -2.0  # of a query that has no hit: no score is lower, hubs corrected or not

Number = TypeVar("Number", bound=np.generic)


def knows(encoder: TextEncoder, text: str) -> bool:
    """Say whether an encoder knows anything of a text, so that it may be asked; of an empty one it does not."""
    return bool(text) and encoder.read_text(text).known


def search(engine: SearchEngine, query: Query) -> list[SearchHit] | None:
    """Return the hits of a query, None where no word of it is known. Raises what the engine raises otherwise."""
    try:
        return engine.search(query).hits
    except UnknownWords:
        return None


def spread(found: npt.NDArray[Number], places: Positions, count: int, missed: float) -> npt.NDArray[Number]:
    """Return (count, ...): what was `found` (m, ...) for the queries at `places` (m,), and `missed` for the unknown."""
    every = np.full((count, *found.shape[1:]), missed, found.dtype)
    every[places] = found
    return every


def count_among(places: Positions, chosen: Positions) -> int:
    """Return how many of the `chosen` queries are not among the known ones, at `places`."""
    return int((~np.isin(chosen, places)).sum())
