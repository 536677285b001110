"""Words of a query -> the pictures whose captions, tags or names say them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from api.search.errors import InvalidQuery
from api.search.plan import Plan, WordMatches
from api.search.query import MAX_TEXT_CHARS, Clause
from api.search.retrievers.retriever import Ranking
from indexer.library.catalog.texts import ask_for
from indexer.library.catalog.writer import Catalog
from indexer.library.index.port import Mask, Selection
from models.foundation.messages import message
from models.foundation.vectors import Ids

_CACHED = 32


class WordSearch:
    """Finds words in a catalog, and keeps what it found for the next page. Safe to use from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Look into a catalog, by a connection of its own: a question that takes long keeps no other search waiting."""
        self._catalog = Catalog(catalog.path)
        self._found: OrderedDict[tuple[object, ...], WordMatches] = OrderedDict()
        self._lock = threading.Lock()

    def match(self, clauses: Sequence[Clause]) -> WordMatches:
        """Return the pictures that say the texts to look for, and not those to stay away from. Raises InvalidQuery."""
        texts = [(clause.text[:MAX_TEXT_CHARS], clause.weight) for clause in clauses if clause.text is not None]
        wanted = [text for text, weight in texts if weight > 0]
        unwanted = [text for text, weight in texts if weight < 0]
        if not wanted:
            raise InvalidQuery(
                message("There is no word to look for in captions and names. Give one, or search with match=vector.")
            )
        asked = ask_for(wanted, unwanted)
        key = (self._catalog.version(), *asked)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        found = self._find(asked)
        with self._lock:
            self._found[key] = found
            if len(self._found) > _CACHED:
                self._found.popitem(last=False)
        return found

    def _find(self, asked: Sequence[str]) -> WordMatches:
        for number, expression in enumerate(asked):
            ids = self._catalog.find_texts(expression)
            if len(ids):
                return WordMatches(ids, loose=number > 0)
        return WordMatches()


def among(ids: Ids, allowed: Ids) -> Ids:
    """Return those of `ids` that are in `allowed`, which ascends, in the order they have."""
    if not len(allowed):
        return ids[:0]
    found = np.minimum(np.searchsorted(allowed, ids), len(allowed) - 1)
    kept: Ids = ids[allowed[found] == ids]
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class WordRetriever:
    """Finds the pictures that say the words of a plan, among those that an index `holds`."""

    holds: Callable[[Ids], Mask]

    def retrieve(self, plan: Plan, where: Selection | None, k: int) -> Ranking:
        """Return at most the first `k` that say the words, without those that were asked about; they have no score."""
        ids = plan.matches.ids[self.holds(plan.matches.ids)]
        if where is not None:
            ids = among(ids, where.ids())
        ids = ids[~np.isin(ids, plan.excluded)][:k]
        return Ranking(ids, np.zeros(len(ids), np.float32))
