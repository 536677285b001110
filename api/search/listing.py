"""Pictures that satisfy some conditions, in the order of a field: nothing is searched for."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.search.cursors import read_placed, sort_of, write_cursor, write_next
from api.search.duplicate_collapse import DuplicateCollapser, HitPage, Scores
from api.search.errors import InvalidCursor
from api.search.orders import RANDOM, Order, Orders, field_of, read_order
from api.search.plan import Plan
from api.search.results import SearchHit, SearchResult
from indexer.library.annotations.fields import Field
from indexer.library.annotations.values import read_value
from indexer.library.catalog.lists import read_facts
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.sorting import Sort
from indexer.library.filters import Filter
from indexer.library.opened import OpenBuild
from models.foundation.vectors import Ids

LATEST_FIRST = "-taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of a list: its pictures and, for each, what it is sorted by, None where it has no such value.

    `total` counts all of the list; the page begins at place `offset` of it. The next page begins at `next_offset`, None
    after the last; `next` and `previous` are cursors, which stay right while pictures come and go. `facts` has what
    else was asked for, by id and name.
    """

    field: Field
    pictures: Sequence[tuple[ImageRow, Any]]
    total: int
    offset: int
    next_offset: int | None
    next: str | None
    previous: str | None
    facts: Mapping[int, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOfList:
    """Which page of a list is asked for: from place `offset`, or `after` a cursor, or the one `before` it.

    `fields` names what else is told of each picture.
    """

    k: int
    offset: int = 0
    after: str = ""
    before: str = ""
    fields: Sequence[str] = ()


class Lister:
    """Lists the pictures of one build. Safe to use from several threads."""

    def __init__(self, opened: OpenBuild, orders: Orders, duplicates: DuplicateCollapser) -> None:
        self._catalog = opened.catalog
        self._build = opened.manifest.build
        self._orders = orders
        self._duplicates = duplicates

    def list_page(self, where: Filter, sort: str, page: PageOfList) -> Listing:
        """Return a page of the pictures that satisfy `where`.

        Raises InvalidSort, InvalidFilter, InvalidCursor or UnknownFields.
        """
        known = self._catalog.fields()
        asked = read_facts(page.fields, known)
        cursor = page.after or page.before
        if page.after and page.before:
            raise InvalidCursor(of_another=True)
        order = read_order(_going_on(sort, cursor), known)
        place = self._orders.known(read_placed(cursor, order.written), order) if cursor else None
        ids = self._orders.list_ids(where, order, going_on=place is not None)
        start, end = page.offset, page.offset + page.k
        if place is not None:
            found = self._orders.find(ids, place, order, after=bool(page.after))
            start, end = (found, found + page.k) if page.after else (max(0, found - page.k), found)
        end = min(end, len(ids))
        shown = ids[start:end].tolist()
        rows = self._catalog.get_images(shown)
        values = self._values(shown, order)
        return Listing(
            field=field_of(order),
            pictures=[(rows[image_id], values.get(image_id)) for image_id in shown if image_id in rows],
            total=len(ids),
            offset=start,
            next_offset=end if shown and end < len(ids) else None,
            next=self._cursor(shown[-1], order) if shown and end < len(ids) else None,
            previous=self._cursor(shown[0], order) if shown and start > 0 else None,
            facts=self._catalog.get_facts(shown, asked),
        )

    def sort_ids(self, where: Filter, sort: str) -> Ids:
        """Return the ids of all pictures that satisfy `where`, in order. Raises InvalidSort or InvalidFilter."""
        return self._orders.list_ids(where, read_order(sort, self._catalog.fields()))

    def _cursor(self, image_id: int, order: Order) -> str:
        return write_cursor(self._orders.place_of(image_id, order).withheld())

    def _values(self, ids: Sequence[int], order: Order) -> dict[int, Any]:
        if not isinstance(order, Sort):
            return {}
        values = self._catalog.sort_values(ids, order)
        return {image_id: read_value(order.field.field, kept) for image_id, kept in values.items()}

    def answer(self, plan: Plan) -> SearchResult:
        """Return a page of all pictures as the hits of a search without clauses: score 0, and nothing judged.

        Where duplicates are hidden, cursors are places among what is left.
        """
        started = time.perf_counter()
        query = plan.query
        where = query.where if isinstance(query.where, Filter) else Filter()
        page = PageOfList(k=query.k, offset=query.offset, after=query.after, fields=query.fields)
        if query.hide_duplicates:
            listing, duplicates = self._without_duplicates(plan, where, page)
        else:
            listing, duplicates = self.list_page(where, query.sort or LATEST_FIRST, page), {}
        done = time.perf_counter()
        return SearchResult(
            hits=[
                SearchHit(
                    id=row.id,
                    path=row.shown_path,
                    root=row.root,
                    place=row.place,
                    score=0.0,
                    width=row.width,
                    height=row.height,
                    duplicates=duplicates.get(row.id, 0),
                    fields=listing.facts.get(row.id, {}),
                )
                for row, _ in listing.pictures
            ],
            total=listing.total,
            offset=listing.offset,
            more=listing.next_offset is not None,
            next=listing.next,
            timings_ms={
                "encode": round(1000 * (started - plan.started), 3),
                "search": round(1000 * (done - started), 3),
                "total": round(1000 * (done - plan.started), 3),
            },
            build=self._build,
            encoder="",
            encoders=(),
            notes=list(plan.notes),
        )

    def _without_duplicates(self, plan: Plan, where: Filter, page: PageOfList) -> tuple[Listing, dict[int, int]]:
        query = plan.query
        sort = query.sort or LATEST_FIRST
        if sort.strip() == RANDOM:  # the same on each page of this question
            sort = f"{RANDOM}:{int(plan.question.fingerprint()[:8], 16)}"
        order = read_order(sort, self._catalog.fields())
        ids = self._orders.list_ids(where, order)

        def find(start: int, end: int) -> tuple[Ids, Scores, int]:
            return ids[start:end], np.zeros(len(ids[start:end]), np.float32), len(ids)

        found: HitPage = self._duplicates.find(find, page.offset, page.offset + page.k)
        shown = found.ids.tolist()
        rows = self._catalog.get_images(shown)
        end = page.offset + len(shown)
        listing = Listing(
            field=field_of(order),
            pictures=[(rows[image_id], None) for image_id in shown if image_id in rows],
            total=found.total,
            offset=page.offset,
            next_offset=end if found.more else None,
            next=write_next(plan.question, self._build, end) if found.more else None,
            previous=None,
            facts=self._catalog.get_facts(shown, read_facts(page.fields, self._catalog.fields())),
        )
        return listing, dict(zip(shown, found.duplicates, strict=True))


def _going_on(sort: str, cursor: str) -> str:
    """Return the order that is asked for; of a random one without a seed that of the cursor."""
    named = sort_of(cursor) if cursor and sort.strip() == RANDOM else None
    return named if named is not None and named.startswith(RANDOM) else sort
