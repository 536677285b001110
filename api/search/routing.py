"""Which encoders answer which clauses of a query.

A text goes to an encoder whose description lists its language. A picture goes to an encoder that reads no text, where
there is one: such encoders (DINOv2) are trained to tell one object or place from another, joint ones to tell what can
be said of a picture. Where a library's own questions have been measured (`xuntu evaluate --route`), what they say goes
before that; where several encoders share a route, their rankings are fused.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from api.search.encoders import Spaces, get_space
from api.search.errors import InvalidRouting
from api.search.given_vectors import owner_of
from api.search.query import Clause
from api.search.reloading_file import ReloadingFile
from indexer.library.errors import RoutingUnreadable
from indexer.library.routing import Routes, Routing
from models.encoders.spec import EncoderSpec
from models.relevance.curves import KINDS, Kind, kind_of

logger = logging.getLogger(__name__)


class RoutingFile:
    """A library's measured routes, read again when the file has changed. Safe to use from threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = ReloadingFile(path, self._read)

    def get(self) -> Routing | None:
        """Return the routes; None if there are none, or, which is logged, they cannot be read."""
        return self._file.get()

    def _read(self) -> Routing | None:
        try:
            return Routing.read(self._path)
        except FileNotFoundError:
            return None
        except RoutingUnreadable as error:
            logger.warning("routes by what encoders are made for: %s", error)
            return None


class Router:
    """Which encoders of a build answer which clause: as given, else as measured, else by what they are made for."""

    def __init__(self, spaces: Spaces, path: Path, given: str = "") -> None:
        """Take the build's spaces, the file of its measured routes, and routes in words. Raises InvalidRouting."""
        self.file = RoutingFile(path)
        self._spaces = spaces
        self._specs = [space.encoders.spec for space in spaces.values()]
        self._given = parse_routes(given, self._specs)

    @property
    def routes(self) -> Routes:
        """The encoders that answer each kind of query."""
        measured = self.file.get()
        fingerprints = {name: space.entry.fingerprint for name, space in self._spaces.items()}
        own = measured.routes_for(fingerprints) if measured else {}
        able = {kind: names for kind, names in own.items() if can_answer(kind, names, self._specs)}
        return {**default_routes(self._specs), **able, **self._given}

    def assign(self, clauses: Sequence[Clause], named: Sequence[str]) -> dict[str, list[int]]:
        """Return encoder -> the positions of its clauses, as `assign` does; `named` go before routes.

        Raises InvalidQuery for a name that the build does not have.
        """
        return assign(clauses, self._route(named), self._takes)

    def _route(self, named: Sequence[str]) -> Callable[[Clause], Sequence[str]]:
        """Return what says which encoders a clause goes to: those `named`, or else its route. Raises InvalidQuery."""
        for name in named:
            get_space(self._spaces, name)
        known = list(self._spaces)
        routes = self.routes
        for_text = [name for name, space in self._spaces.items() if space.reads_text] or known

        def route(clause: Clause) -> Sequence[str]:
            if clause.vector is not None:
                return (owner_of(clause, self._spaces, named),)
            kind = kind_of_clause(clause)
            wanted = tuple(dict.fromkeys(named)) or (routes[kind] if kind else for_text[:1])
            able = [name for name in wanted if self._takes(name, clause)]
            if clause.image_id is not None and not able:  # added when the encoder could not see the picture
                able = [name for name in known if self._takes(name, clause)][:1]
            return able or wanted[:1]

        return route

    def _takes(self, name: str, clause: Clause) -> bool:
        """Say whether an encoder can answer a clause."""
        space = self._spaces[name]
        if clause.text is not None:
            return space.reads_text
        if clause.vector is not None:
            return name == owner_of(clause, self._spaces)
        return clause.image_id is None or space.holds(clause.image_id)


def default_routes(specs: Sequence[EncoderSpec]) -> Routes:
    """Return the routes by what encoders are made for; of several that suit, the first."""
    for_text = [spec for spec in specs if spec.languages]
    for_pictures = [spec for spec in specs if not spec.languages]

    def first(suiting: Sequence[EncoderSpec], others: Sequence[EncoderSpec]) -> tuple[str, ...]:
        return ((*suiting, *others, *specs)[0].name,)

    return {
        "zh": first([spec for spec in for_text if "zh" in spec.languages], for_text),
        "en": first([spec for spec in for_text if "en" in spec.languages], for_text),
        "picture": first(for_pictures, ()),
    }


def parse_routes(text: str, specs: Sequence[EncoderSpec]) -> Routes:
    """Read routes such as `zh=A en=A+B picture=C`. Raises InvalidRouting."""
    known = {spec.name: spec for spec in specs}
    routes: dict[Kind, tuple[str, ...]] = {}
    for part in text.split():
        name, _, encoders = part.partition("=")
        kind = next((kind for kind in KINDS if kind == name), None)
        names = tuple(dict.fromkeys(encoders.split("+")))
        if kind is None or kind in routes or not set(names) <= known.keys():
            raise InvalidRouting(part, tuple(known))
        if not can_answer(kind, names, specs):
            raise InvalidRouting(part, tuple(one.name for one in specs if one.languages))
        routes[kind] = names
    return routes


def can_answer(kind: Kind, names: Sequence[str], specs: Sequence[EncoderSpec]) -> bool:
    """Say whether all of some encoders of a library answer a kind of query: texts only those that read any."""
    able = {spec.name for spec in specs if spec.languages or kind == "picture"}
    return able.issuperset(names)


def assign(
    clauses: Sequence[Clause],
    route: Callable[[Clause], Sequence[str]],
    takes: Callable[[str, Clause], bool],
) -> dict[str, list[int]]:
    """Return encoder -> the positions of the clauses that it is asked, ascending; the first encoder answers first.

    What is looked for goes where its `route` leads. What is to be avoided is avoided by all of those who can take it.
    If none of them can, it goes its own route, together with what it shall be avoided in, as far as that can go there.
    """
    every = range(len(clauses))
    towards = [place for place in every if clauses[place].weight > 0] or list(every)
    found: dict[str, list[int]] = {}
    for place in towards:
        for name in route(clauses[place]):
            found.setdefault(name, []).append(place)
    for place in (place for place in every if place not in towards):
        takers = [name for name in found if takes(name, clauses[place])]
        if not takers:
            takers = list(route(clauses[place]))
            for name in takers:
                found[name] = [other for other in towards if takes(name, clauses[other])]
        for name in takers:
            found[name].append(place)
    return {name: sorted(places) for name, places in found.items()}


def kind_of_clause(clause: Clause) -> Kind | None:
    """Return what kind of query a clause is, None for words that are neither Chinese nor English."""
    return "picture" if clause.text is None else kind_of(clause.text)
