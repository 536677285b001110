"""What each route of the REST API asks for at the door: a scope, a kind of work, and how large its body may be."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from re import Pattern
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from api.config import DEFAULT_LIBRARY
from api.keys.scopes import Scope

__all__ = ["SMALL_BODY", "Gate", "Gates", "Scope", "Way", "Work", "gated"]

F = TypeVar("F", bound=Callable[..., Any])

SMALL_BODY = 2**20  # bytes: what a body without pictures may have


class Work(StrEnum):
    """What a request costs. Requests of each kind are counted apart, so that none waits for those of another."""

    LIGHT = "light"
    TEXT = "text"
    PICTURE = "picture"
    FILE = "file"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Gate:
    """What a route asks for. `scope`: None lets everybody in. `pictures`: its body may hold pictures.

    `of_library`: it tells of one library, which a caller has to be let in to.
    """

    scope: Scope | None
    work: Work
    pictures: bool = False
    of_library: bool = True


@dataclass(frozen=True, slots=True)
class Way:
    """A route as the door knows it: `path` is its whole template, such as /v1/images/{image_id}."""

    path: str
    methods: frozenset[str]
    gate: Gate
    pattern: Pattern[str]

    def find_library(self, path: str) -> str | None:
        """Return the library that an address names, or else means; None where it is of none."""
        if not self.gate.of_library:
            return None
        found = self.pattern.match(path)
        return (found and found.groupdict().get("library")) or DEFAULT_LIBRARY


def gated(scope: Scope | None, work: Work, *, pictures: bool = False, of_library: bool = True) -> Callable[[F], F]:
    """Return what declares the gate of a route; it stands below the decorator that names the path."""

    def declare(endpoint: F) -> F:
        vars(endpoint)["gate"] = Gate(scope, work, pictures, of_library)
        return endpoint

    return declare


class Gates:
    """The gates of all routes, by address."""

    def __init__(self, routers: Iterable[tuple[str, APIRouter]]) -> None:
        """Take routers and where they are mounted. Raises TypeError for a route that declares no gate."""
        self._ways = [way for prefix, router in routers for way in _ways(prefix, router)]

    def find(self, method: str, path: str) -> Way | None:
        """Return the route that answers, or one of that address where none takes the method; None for no route."""
        there = [way for way in self._ways if way.pattern.match(path)]
        asked = "GET" if method == "HEAD" else method
        return next((way for way in there if asked in way.methods), there[0] if there else None)


def _ways(prefix: str, router: APIRouter) -> Iterator[Way]:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route} has no gate")
        gate = getattr(route.endpoint, "gate", None)
        if not isinstance(gate, Gate):
            raise TypeError(f"{route.path} declares no gate")
        path = prefix + route.path
        yield Way(path, frozenset(route.methods or ()), gate, compile_path(path)[0])
