"""Query -> ranked hits."""

import time
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from api.boards.boards import LibraryBoards, with_board
from api.boards.store import BoardStore
from api.kept import Kept
from api.search.copies import PictureCopy, find_copies
from api.search.encoders import EncoderSpace, EncoderTowers, get_space, load_encoders
from api.search.errors import ImageNotFound
from api.search.listing import Lister, Listing, PageOfList
from api.search.orders import Orders
from api.search.pictures import PictureToDecode, QueryPictures, decode_here
from api.search.plan import Encoded, Plan
from api.search.planner import Planner
from api.search.query import Query
from api.search.ranker import Ranker
from api.search.relevance_scoring import list_kinds
from api.search.results import HitPart, SearchResult
from api.search.routing import Router
from api.search.stages import run_now, run_search
from indexer.library.annotations.fields import FieldSet
from indexer.library.catalog.cells import CountedPoints
from indexer.library.catalog.counts import Counts
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.records import ImageRow
from indexer.library.filters import Filter
from indexer.library.index.port import Mask
from indexer.library.opened import OpenBuild, open_build
from indexer.library.routing import Routes, Routing
from models.encoders.runtime import Runtime
from models.foundation.vectors import Ids, Vectors
from models.pictures.limits import DecodeLimits
from models.relevance.curves import Fit

_KEPT_COUNTS = 512  # a dozen for each set of conditions that somebody looks through


class SearchEngine:
    """Answers queries from one build. Safe to use from several threads.

    `spaces` has the encoders of the build and their indexes by name, the main one first.
    """

    def __init__(
        self,
        opened: OpenBuild,
        encoders: Mapping[str, EncoderTowers],
        limits: DecodeLimits | None = None,
        *,
        hub_correction: bool = True,
        routing: str = "",
    ) -> None:
        """Take a build and its encoders by name. Raises IndexMismatch if they do not belong together.

        `hub_correction`: what a picture scores with any text is taken off its score, if the index has it. `routing`
        goes before the library's own routes; it is read as `parse_routes` does, and raises InvalidRouting.
        """
        self.opened = opened
        self.spaces = {
            name: EncoderSpace(opened, name, encoders[name], hub_correction=hub_correction)
            for name in opened.by_encoder
        }
        self._router = Router(self.spaces, opened.layout.routing, routing)
        self._planner = Planner(opened, self.spaces, self._router, limits or DecodeLimits())
        self._ranker = Ranker(opened, self.spaces)
        self.counts: Kept[Hashable, Counts] = Kept(_KEPT_COUNTS)  # of values, as facets.py has them
        self.points: Kept[Hashable, CountedPoints] = Kept(_KEPT_COUNTS)  # of maps, as places.py has them
        self._boards = LibraryBoards(BoardStore(opened.layout.boards))
        self._lister = Lister(opened, Orders(opened.catalog, self._ranker.holds), self._ranker.duplicates)

    @classmethod
    def open(
        cls,
        data: Path,
        limits: DecodeLimits | None = None,
        *,
        runtime: Runtime | None = None,
        hub_correction: bool = True,
        routing: str = "",
    ) -> "SearchEngine":
        """Open the build in use.

        Raises NoIndex, IndexMismatch, IndexDamaged, InvalidRouting, what the catalog raises, and WeightsMissing or
        WeightsCorrupt if no encoder can be used; one of several that cannot raises them when it is asked.
        """
        opened = open_build(data)
        encoders = load_encoders(opened, runtime or Runtime(weights=data / "weights"))
        return cls(opened, encoders, limits, hub_correction=hub_correction, routing=routing)

    def search(self, query: Query) -> SearchResult:
        """Answer `query`.

        Raises InvalidQuery, InvalidFilter, BoardError, UnknownWords, ImageNotFound, DecodeError, and what loading
        raises.
        """
        return run_now(run_search(_StagesHere(self), query))

    def list_pictures(self, query: Query) -> dict[int, PictureToDecode]:
        """Return the pictures that a query asks with as they are to be decoded, by the places of their clauses.

        Raises InvalidQuery and ImageNotFound.
        """
        return self._planner.list_pictures(query)

    def decode(self, query: Query) -> QueryPictures:
        """Return the pictures that a query asks with. Raises InvalidQuery, ImageNotFound, DecodeError and FileGone."""
        started = time.perf_counter()
        asked = self.list_pictures(query)
        return QueryPictures(started, {place: decode_here(one) for place, one in asked.items()})

    def plan(self, query: Query, decoded: QueryPictures | None = None) -> Plan:
        """Read texts and look up ids, so that only encoding is left; without `decoded`, decode pictures before.

        Raises as `search`.
        """
        if isinstance(query.where, str):
            query = replace(query, where=self.read_filter(query.where))
        return self._planner.plan(query, self.decode(query) if decoded is None else decoded)

    def encode(self, plan: Plan) -> dict[str, Encoded]:
        """Return the vectors of what a plan asks each of its encoders, by their names. Raises what loading raises."""
        encoded: dict[str, Encoded] = {}
        for asked in plan.encoders:
            towers = self.spaces[asked.encoder].encoders
            encoded[asked.encoder] = (towers.encode_texts(asked.wordings), towers.encode_images(asked.pictures))
        return encoded

    def rank(self, plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        """Search with the vectors of what `plan` asks each of its encoders, by their names. Raises InvalidQuery."""
        return self._ranker.rank(plan, encoded) if plan.query.clauses else self._lister.answer(plan)

    def find_ids(self, plan: Plan, encoded: Mapping[str, Encoded], most: int) -> tuple[Ids, int]:
        """Return the ids of the first `most` hits of a plan with clauses, and how many hits there are, as `rank`."""
        return self._ranker.find_ids(plan, encoded, most)

    def list_page(self, where: Filter, sort: str, page: PageOfList) -> Listing:
        """Return a page of the pictures that satisfy `where`, in the order of a field.

        Raises InvalidSort, InvalidFilter, InvalidCursor or UnknownFields.
        """
        return self._lister.list_page(where, sort, page)

    def sort_ids(self, where: Filter, sort: str) -> Ids:
        """Return the ids of all pictures that satisfy `where`, in the order of a field. Raises as `list_page`."""
        return self._lister.sort_ids(where, sort)

    def find_unpublished(self) -> list[int]:
        """Return the ids of the pictures that a run has added since this build was made, ascending."""
        found = np.array(self.opened.catalog.list_unpublished(self.opened.manifest.generation), np.int64)
        unpublished: list[int] = found[~self.holds(found)].tolist()
        return unpublished

    def get_space(self, name: str | None = None) -> EncoderSpace:
        """Return a space by its encoder's name, without one the main one. Raises InvalidQuery."""
        return get_space(self.spaces, next(iter(self.spaces)) if name is None else name)

    def get_image(self, image_id: int) -> ImageRow:
        """Return what is known of a picture of this build. Raises ImageNotFound."""
        return self._planner.get_image(image_id)

    def get_vector(self, image_id: int, name: str | None = None) -> tuple[EncoderSpace, Vectors]:
        """Return a picture's vector, float32 (dim,), of the main encoder or of a named one, and its space.

        Raises InvalidQuery for another encoder, and ImageNotFound for a picture that the space does not have.
        """
        space = self.get_space(name)
        if not space.holds(image_id):
            raise ImageNotFound(image_id)
        return space, space.index.fetch(np.array([image_id]))[0]

    @property
    def encoders(self) -> EncoderTowers:
        """The towers of the main encoder."""
        return self.get_space().encoders

    @property
    def hub_correction(self) -> bool:
        """Whether the main encoder's scores of texts are corrected for pictures that are near to everything."""
        return self.get_space().hub_correction

    @property
    def routes(self) -> Routes:
        """Which encoders answer which kind of query: as given, else as measured, else by what they are made for."""
        return self._router.routes

    def get_measured_routes(self) -> Routing | None:
        """Return what was measured for the library's routes, None where nothing was."""
        return self._router.file.get()

    def fields(self) -> FieldSet:
        """Return the fields that pictures of the library have."""
        return self.opened.catalog.fields()

    def read_filter(self, where: str) -> Filter:
        """Read conditions on the fields of pictures and on boards. Raises InvalidFilter and BoardError."""
        read = parse_filter(where.strip(), with_board(self.fields())) if where.strip() else Filter()
        return self._boards.narrow(read, self.opened, self.holds) or Filter()

    def get_annotations(self, row: ImageRow) -> dict[str, Any]:
        """Return what annotators found in a picture, by the names of their fields."""
        return self.opened.catalog.get_annotations([row.content_id])[row.content_id]

    def find_copies(self, row: ImageRow) -> list[PictureCopy]:
        """Return the exact copies of a picture of this build, then its near-duplicates, the nearest first."""
        return find_copies(self.opened, self._ranker.duplicates, row)

    def holds(self, ids: Ids) -> Mask:
        """Say for each of `ids` whether this build has the picture."""
        return self._ranker.holds(ids)

    def list_parts(self, row: ImageRow) -> dict[int, HitPart]:
        """Return the parts of a long picture, the regions of another, or the moments of a video, by their numbers."""
        found = self.opened.catalog.get_parts([row.id])
        return {number: HitPart.of(number, part) for (_, number), part in found.items()}

    def list_kinds(self) -> dict[str, Fit]:
        """Return how well relevance tells what is there, for each kind of query that has one: zh, en, picture."""
        found: dict[str, Fit] = {}
        for kind, names in self.routes.items():
            space = self.get_space(names[0])
            fits = list_kinds(space.calibration.get(), hub_correction=space.hub_correction)
            if len(names) == 1 and kind in fits:
                found[kind] = fits[kind]
        return found


class _StagesHere:
    """The stages of an engine, run where they are called."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def decode(self, query: Query) -> AsyncIterator[QueryPictures]:
        yield self._engine.decode(query)

    async def plan(self, query: Query, decoded: QueryPictures) -> Plan:
        return self._engine.plan(query, decoded)

    async def encode(self, plan: Plan) -> Mapping[str, Encoded]:
        return self._engine.encode(plan)

    async def rank(self, plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        return self._engine.rank(plan, encoded)
