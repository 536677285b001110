"""Vectors that a caller has made: whose they are, and whether they can be used."""

from collections.abc import Collection, Mapping

import numpy as np

from api.search.encoders import EncoderSpace, get_space
from api.search.errors import InvalidQuery
from api.search.query import Clause
from models.foundation.messages import message
from models.foundation.vectors import Vectors, l2_normalize


def owner_of(clause: Clause, spaces: Mapping[str, EncoderSpace], asked: Collection[str] = ()) -> str:
    """Return the name of the encoder whose vector a clause gives. Raises InvalidQuery.

    `asked` are those that a search names, if it does.
    """
    if clause.encoder is None and len(spaces) > 1:
        raise InvalidQuery(
            message("This library has several encoders, {names}. Say whose vector it is: encoder.", names=tuple(spaces))
        )
    name = get_space(spaces, next(iter(spaces)) if clause.encoder is None else clause.encoder).name
    if asked and name not in asked:
        raise InvalidQuery(
            message(
                "The vector is one of {name}, and only {asked} are to answer. Name its encoder among them, or none.",
                name=name,
                asked=tuple(asked),
            )
        )
    return name


def read_vector(clause: Clause, space: EncoderSpace) -> Vectors:
    """Return the vector of a clause at length 1, float32 (dim,).

    Raises InvalidQuery for one that is not as long as those of the encoder, is not finite, or has no direction.
    """
    given = np.asarray(clause.vector, dtype=np.float64)
    if given.shape != (space.index.dim,):
        raise InvalidQuery(
            message(
                "The vector has {count} numbers; those of {encoder} have {dim}.",
                count=given.size,
                encoder=space.name,
                dim=space.index.dim,
            )
        )
    most = float(np.abs(given).max(initial=0.0))
    if not np.isfinite(most) or most == 0:
        raise InvalidQuery(message("A vector needs finite numbers that are not all 0."))
    return l2_normalize(given / most)
