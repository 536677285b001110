"""Words of a query -> the pictures whose captions, tags or names say them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from api.search.errors import InvalidQuery
from api.search.plan import Plan, WordMatches
from api.search.query import MAX_TEXT_CHARS, Clause
from api.search.retrievers.retriever import Ranking
from indexer.library.catalog.words.queries import WordMatcher, ask_for
from indexer.library.catalog.writer import Catalog
from indexer.library.index.port import Mask, Selection
from models.foundation.messages import message
from models.foundation.vectors import Ids

_CACHED = 32
_MOST_LISTED = 5_000  # pictures that are ranked by words where they are not all there is
_MOST_IN_PART = 300  # of which it is looked how much they say


class WordSearch:
    """Finds words in a catalog, and keeps what it found for the next page. Safe to use from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Look into a catalog, by a connection of its own: a question that takes long keeps no other search waiting."""
        self._catalog = Catalog(catalog.path)
        self._found: OrderedDict[tuple[object, ...], WordMatches] = OrderedDict()
        self._lock = threading.Lock()

    def version(self) -> int:
        """Return a number that is another after every change of the catalog."""
        return self._catalog.version()

    @property
    def _pinyin(self) -> bool:
        return self._catalog.finds_pinyin

    def match(self, clauses: Sequence[Clause]) -> WordMatches:
        """Return the pictures that say the texts to look for, and not those to stay away from. Raises InvalidQuery."""
        asked = ask_for(*_texts_of(clauses), pinyin=self._pinyin)
        return self._kept(asked, lambda: self._find(asked))

    def skim(self, clauses: Sequence[Clause], *, least: float) -> WordMatches:
        """Return the same where pictures are looked at as well, in a few milliseconds. Raises InvalidQuery.

        Where none says all, `least` is the share that one has to say. Where more than _MOST_LISTED do, they are not
        listed: it is told of each picture that vectors find whether it says them.
        """
        wanted, unwanted = _texts_of(clauses)
        asked = ask_for(wanted, unwanted, pinyin=self._pinyin)
        return self._kept((str(least), *asked), lambda: self._find_few(asked, wanted, least))

    def find(self, expression: str) -> Ids:
        """Return the pictures whose words match an expression of `ask_for_phrase`, the best first if they are few."""
        if not expression:
            return np.empty(0, np.int64)
        return self._kept((expression,), lambda: WordMatches(self._catalog.find_any_texts(expression))).ids

    def _kept(self, asked: tuple[str, ...], find: Callable[[], WordMatches]) -> WordMatches:
        """Return what is found by what is asked, as it was found before while the catalog is the same."""
        key = (self.version(), *asked)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        found = find()
        with self._lock:
            self._found[key] = found
            if len(self._found) > _CACHED:
                self._found.popitem(last=False)
        return found

    def _find(self, asked: Sequence[str]) -> WordMatches:
        """Return what is found by the first of some expressions that finds anything."""
        for number, expression in enumerate(asked):
            ids = self._catalog.find_texts(expression)
            if len(ids):
                return WordMatches(ids, loose=number > 0)
        return WordMatches()

    def _find_few(self, asked: Sequence[str], wanted: Sequence[str], least: float) -> WordMatches:
        matcher = WordMatcher(wanted, pinyin=self._pinyin)
        for number, expression in enumerate(asked):
            tell = partial(self._say, matcher, least if number else 1.0)
            ids = self._catalog.find_few_texts(expression, _MOST_LISTED)
            if ids is None:
                return WordMatches(loose=number > 0, tell=tell)
            if len(ids):
                first = ids[:_MOST_IN_PART]
                return WordMatches(first[tell(first)], loose=True) if number else WordMatches(ids)
        return WordMatches()

    def _say(self, matcher: WordMatcher, least: float, ids: Ids) -> Mask:
        """Say which pictures say that share of what is looked for."""
        words = self._catalog.words_of(ids)
        return np.array([matcher.share(words.get(image_id, "")) >= least for image_id in ids.tolist()], np.bool_)


def _texts_of(clauses: Sequence[Clause]) -> tuple[list[str], list[str]]:
    """Return the texts to look for, and those to stay away from. Raises InvalidQuery where there is nothing to find."""
    texts = [(clause.text[:MAX_TEXT_CHARS], clause.weight) for clause in clauses if clause.text is not None]
    wanted = [text for text, weight in texts if weight > 0]
    if not wanted:
        raise InvalidQuery(
            message("There is no word to look for in captions and names. Give one, or search with match=vector.")
        )
    return wanted, [text for text, weight in texts if weight < 0]


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
