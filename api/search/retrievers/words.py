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
from indexer.library.catalog.texts import WordMatcher, ask_for
from indexer.library.catalog.writer import Catalog
from indexer.library.index.port import Mask, Selection
from models.foundation.messages import message
from models.foundation.vectors import Ids

_CACHED = 32
_MOST_IN_PART = 300  # pictures of which it is looked how much they say


class WordSearch:
    """Finds words in a catalog, and keeps what it found for the next page. Safe to use from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Look into a catalog, by a connection of its own: a question that takes long keeps no other search waiting."""
        self._catalog = Catalog(catalog.path)
        self._found: OrderedDict[tuple[object, ...], WordMatches] = OrderedDict()
        self._lock = threading.Lock()

    def match(self, clauses: Sequence[Clause], *, least: float = 0.0) -> WordMatches:
        """Return the pictures that say the texts to look for, and not those to stay away from. Raises InvalidQuery.

        Where none says all, `least` is the share that one has to say, of the first that say anything of it.
        """
        texts = [(clause.text[:MAX_TEXT_CHARS], clause.weight) for clause in clauses if clause.text is not None]
        wanted = [text for text, weight in texts if weight > 0]
        unwanted = [text for text, weight in texts if weight < 0]
        if not wanted:
            raise InvalidQuery(
                message("There is no word to look for in captions and names. Give one, or search with match=vector.")
            )
        asked = ask_for(wanted, unwanted)
        found = self._kept(asked)
        if not found.loose or not least:
            return found
        matcher, first = WordMatcher(wanted), found.ids[:_MOST_IN_PART]
        words = self._catalog.words_of(first)
        said = np.array([matcher.share(words.get(image_id, "")) >= least for image_id in first.tolist()], np.bool_)
        return WordMatches(first[said], loose=True)

    def find(self, expression: str) -> Ids:
        """Return the ids of the pictures whose words match an expression of `ask_for_phrase`, best first."""
        return self._kept((expression,)).ids if expression else np.empty(0, np.int64)

    def _kept(self, asked: tuple[str, ...]) -> WordMatches:
        """Return what was found by these expressions, the first that finds anything; kept for the next page."""
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
