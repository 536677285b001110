"""How many pictures have each value of a field: of the library, of those that satisfy some conditions, or of hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from api.search.engine import SearchEngine
from api.search.listing import LATEST_FIRST
from api.search.plan import Encoded, Plan
from indexer.library.annotations.fields import CatalogField, FieldSet, FieldType
from indexer.library.catalog.counts import Counting, Counts
from indexer.library.errors import InvalidFilter
from indexer.library.filters import Filter
from models.foundation.messages import message

_NAMED_SHARE = 0.2  # of the pictures, beyond which naming each is slower than looking at all of them once more


@dataclass(frozen=True, slots=True)
class CountedFields:
    """The counts of fields. `counted` pictures were looked at, of `total` that there are."""

    total: int
    counted: int
    fields: Sequence[tuple[CatalogField, Counts]]


def can_be_counted(one: CatalogField) -> bool:
    """Say whether the values of a field are counted where it is asked for by name."""
    return one.field.faceted or one.field.type is FieldType.PATH


def read_counted(names: Sequence[str] | None, known: FieldSet) -> list[CatalogField]:
    """Return the fields that are named, without names those that are always counted. Raises InvalidFilter."""
    if names is None:
        return [one for one in known if one.field.faceted]
    chosen: dict[str, CatalogField] = {}
    for name in (part.strip() for one in names for part in one.split(",")):
        found = known.find(name)
        if found is None or not can_be_counted(found):
            counted = tuple(one.field.name for one in known if can_be_counted(one))
            why = message("{missing} is no field that is counted; those are {counted}", missing=name, counted=counted)
            raise InvalidFilter(name, 0, why)
        chosen[found.field.name] = found
    return list(chosen.values())


def count_library(
    engine: SearchEngine, names: Sequence[str] | None, where: Filter | None, how: Counting
) -> CountedFields:
    """Count in the pictures of a build that satisfy `where`, anew when it has changed. Raises InvalidFilter."""
    chosen, where = read_counted(names, engine.fields()), where or Filter()
    catalog = engine.opened.catalog
    version = catalog.version()
    how = replace(how, but=tuple(engine.find_unpublished()))

    def count(one: CatalogField | None, where: Filter) -> Counts:
        key = (version, one, where, how)
        counts = engine.counts.get(key)
        if counts is None:
            asked = name_pictures(where) if where.conditions else (where, how)
            counts = catalog.count_values(one, *asked) if one else Counts([], catalog.count_pictures(*asked))
            engine.counts.put(key, counts)
        return counts

    @cache
    def name_pictures(where: Filter) -> tuple[Filter, Counting]:
        """Return what counts few pictures by their ids: conditions are looked at once, not for each field again."""
        ids = engine.sort_ids(where, LATEST_FIRST)  # as they are listed, and kept
        if len(ids) > _NAMED_SHARE * count(None, Filter()).missing:
            return where, how
        return Filter(), replace(how, ids=np.sort(ids).tolist(), but=())

    total = count(None, where).missing
    return CountedFields(total, total, [(one, count(one, where)) for one in chosen])


def count_hits(
    engine: SearchEngine,
    names: Sequence[str] | None,
    plan: Plan,
    encoded: Mapping[str, Encoded],
    how: Counting,
    most: int,
) -> CountedFields:
    """Count in the first `most` hits of a plan, or in all there are of them. Raises InvalidQuery or InvalidFilter."""
    chosen = read_counted(names, engine.fields())
    ids, total = engine.find_ids(plan, encoded, most)
    how, catalog = replace(how, ids=ids.tolist()), engine.opened.catalog
    counts = [(one, catalog.count_values(one, Filter(), how)) for one in chosen]
    return CountedFields(total, catalog.count_pictures(Filter(), how), counts)
