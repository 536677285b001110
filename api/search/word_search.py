"""Words of a query -> the pictures whose captions, tags or names say them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from api.search.errors import InvalidQuery
from api.search.query import MAX_TEXT_CHARS, Clause, Query
from api.search.results import SearchNote
from indexer.library.catalog.texts import ask_for
from indexer.library.catalog.writer import Catalog
from models.foundation.vectors import Ids

_CACHED = 32


@dataclass(frozen=True, slots=True)
class WordMatches:
    """Ids, best first. `loose`: no picture says all of the words, these say some."""

    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    loose: bool = False


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
                en="There is no word to look for in captions and names. Give one, or search with match=vector.",
                zh="没有可在说明和文件名中查找的词。请给出一个词，或使用 match=vector。",
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


def match_notes(query: Query, matches: WordMatches) -> list[SearchNote]:
    """Say where the words were not found as they were asked for."""
    if matches.loose:
        return [
            SearchNote(
                code="words_in_part",
                en="No caption, tag or name has all of these words; some have a part of them.",
                zh="没有说明、标签或文件名包含全部这些词；以下只包含其中一部分。",
            )
        ]
    if query.match == "both" and not len(matches.ids):
        return [
            SearchNote(
                code="words_not_found",
                en="No caption, tag or name has these words; ranked by what the pictures show.",
                zh="没有说明、标签或文件名包含这些词；仅按画面排序。",
            )
        ]
    return []
