"""Texts and pictures -> their vectors, as a search makes them; nothing is searched for."""

from collections.abc import Mapping
from dataclasses import replace

from api.search.plan import Encoded, Plan
from api.search.query import Clause, Query
from models.foundation.vectors import Vectors


def vector_query(clause: Clause, encoder: str) -> Query:
    """Return the query whose plan holds what one encoder makes of a text or a picture, as it is."""
    return Query(clauses=[clause], literal=True, match="vector", encoders=[encoder])


def as_shown(plan: Plan) -> Plan:
    """Return a plan without the turned looks of its picture."""
    return replace(plan, encoders=tuple(replace(asked, turned=()) for asked in plan.encoders))


def read_embedding(plan: Plan, encoded: Mapping[str, Encoded]) -> Vectors:
    """Return the unit vector, float32 (dim,), of what a plan made of `vector_query` asks, once that is encoded."""
    (asked,) = plan.encoders
    (part,) = asked.list_parts(*encoded[asked.encoder])
    return part.vector
