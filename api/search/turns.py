"""A picture that is asked with may lie on its side: it is looked for in every turn, and the one that is there counts.

Where no turn of it is in the library it is asked with as it is.
"""

import numpy as np
import numpy.typing as npt
from PIL.Image import Image, Transpose

from api.search.duplicate_collapse import Scores
from api.search.results import SearchNote
from models.foundation.messages import message
from models.foundation.vectors import Vectors

ANGLES = (90, 180, 270)  # degrees, counterclockwise
_TURNS = {90: Transpose.ROTATE_90, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_270}


def turn(image: Image, degrees: int) -> Image:
    """Return a picture turned counterclockwise by 0, 90, 180 or 270 degrees."""
    return image.transpose(_TURNS[degrees]) if degrees else image


def choose_turns(best: Scores, turned_cosine: float) -> npt.NDArray[np.int64]:
    """Return which turn each picture is asked with, (n,): 0 as it is, then as in ANGLES.

    `best` (n, 4) are the best scores of each in the library, as it is and turned. A turn that scores at least
    `turned_cosine`, and more than the others, is one in which the library has the picture.
    """
    chosen = best.argmax(axis=1)
    known = best[np.arange(len(best)), chosen] >= turned_cosine
    return np.where(known, chosen, 0)


def choose_vector(turned: Vectors, best: Scores, turned_cosine: float) -> tuple[Vectors, list[SearchNote]]:
    """Return the one of four vectors (4, dim) of a picture to ask with, (dim,), and what is to be said of it."""
    chosen = int(choose_turns(best[None], turned_cosine)[0])
    if not chosen:
        return turned[0], []
    said = message(
        "Turned by {degrees}° to the left, the picture looks like one in the library, so it was searched with so.",
        degrees=ANGLES[chosen - 1],
    )
    return turned[chosen], [SearchNote(code="turned", said=said)]
