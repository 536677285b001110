"""The words of captions, tags, names, and of what annotators found, in SQLite's full-text index (FTS5).

How texts become words, and questions expressions: indexer/library/catalog/words/. English words are found in other
forms as well: beside the words the index has the stems of those that have another one.
"""

import numpy as np

from indexer.library.catalog.annotation_tables import AnnotationDatabase
from indexer.library.catalog.problems import ProblemDatabase
from indexer.library.catalog.sql import join_tables
from indexer.library.catalog.words.pinyin import is_installed, sounds_of
from indexer.library.catalog.words.queries import stems_in
from indexer.library.catalog.words.tokens import name_words, split_words
from indexer.library.sources.kinds import what_names_say
from models.foundation.vectors import Ids

# Of what is said in each of them, in a ranking.
CAPTION_WEIGHT, TAGS_WEIGHT, NAME_WEIGHT, FOUND_WEIGHT, STEMS_WEIGHT, PINYIN_WEIGHT = 4.0, 3.0, 1.0, 2.0, 1.0, 1.0

_CHUNK_ROWS = 20_000
_QUERIED_ROWS = 500
_FEW = 5_000  # are ranked in a few milliseconds
_MOST_RANKED = 200_000  # by BM25; a word that so many pictures have tells them apart as little as it takes long


class TextDatabase(ProblemDatabase, AnnotationDatabase):
    """The full-text index of a catalog. Triggers note in `texts_stale` which pictures' words are not up to date."""

    def sync_texts(self, *, pinyin: bool | None = None) -> int:
        """Bring the words of changed pictures up to date; return how many were changed. Raises LibraryUnwritable.

        `pinyin`: from now on with how Chinese sounds, or without; None as it was. Raises BackendNotInstalled.
        """
        done = 0
        if pinyin is not None and pinyin != self.has_pinyin:
            with self.writing():
                self.put_meta("pinyin", "1" if pinyin else "")
                self._connection.execute(
                    "INSERT OR IGNORE INTO texts_stale SELECT id FROM images WHERE status = 'indexed'"
                )
        sounds = sounds_of if self.has_pinyin else lambda _: ""
        found, joins = self._found_words()
        says = {root.id: what_names_say(root) for root in self.list_roots()}
        while rows := self._query(
            f"SELECT image_id, root_id, path, caption, tags, {found} FROM texts_stale "
            "LEFT JOIN images ON images.id = image_id AND status = 'indexed' "
            f"LEFT JOIN contents ON contents.id = images.content_id {joins} ORDER BY image_id LIMIT ?",
            (_CHUNK_ROWS,),
        ):
            with self.writing():
                last = rows[-1][0]
                self._connection.executemany("DELETE FROM texts WHERE rowid = ?", ((row[0],) for row in rows))
                self._connection.executemany(
                    "INSERT INTO texts (rowid, caption, tags, name, found, stems, pinyin) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        (
                            image_id,
                            *(columns := _columns(caption, tags, name := says[root_id](path), words)),
                            stems_in(columns),
                            sounds(f"{caption}\n{tags}\n{name}\n{words}"),
                        )
                        for image_id, root_id, path, caption, tags, words in rows
                        if root_id is not None
                    ),
                )
                self._connection.execute("DELETE FROM texts_stale WHERE image_id <= ?", (last,))
            done += len(rows)
        return done

    @property
    def has_pinyin(self) -> bool:
        """Whether how Chinese sounds is among the words."""
        return self.get_meta("pinyin") == "1"

    @property
    def finds_pinyin(self) -> bool:
        """Whether Latin letters can find how Chinese sounds."""
        return self.has_pinyin and is_installed()

    def _found_words(self) -> tuple[str, str]:
        """Return the SQL expression of the words that annotators found, a line each, and the joins it needs."""
        found = [one for one in self.fields() if one.field.searchable]
        words = " || char(10) || ".join(f"coalesce({one.expression}, '')" for one in found) or "''"
        return words, join_tables({one.table: None for one in found})

    def find_texts(self, expression: str) -> Ids:
        """Return the ids of the pictures whose words match an expression of `ask_for`, best first (BM25).

        Of more than _MOST_RANKED, those first that have them in the caption, then those that have them in the tags.
        """
        return self._ranked(expression) if self._are_few(expression, _MOST_RANKED) else self._find_by_column(expression)

    def find_any_texts(self, expression: str) -> Ids:
        """Return the same in the order of ids where there are many of them."""
        return self._ranked(expression) if self._are_few(expression, _FEW) else self._matching(expression)

    def find_few_texts(self, expression: str, most: int) -> Ids | None:
        """Return the same where no more than `most` pictures match, else None: that is found out at once."""
        return self._ranked(expression) if self._are_few(expression, most) else None

    def _are_few(self, expression: str, most: int) -> bool:
        rows = self._query(
            "SELECT count(*) FROM (SELECT 1 FROM texts WHERE texts MATCH ? LIMIT ?)", (expression, most + 1)
        )
        return bool(rows[0][0] <= most)

    def _ranked(self, expression: str) -> Ids:
        rows = self._query(
            "SELECT rowid, bm25(texts, ?, ?, ?, ?, ?, ?) FROM texts WHERE texts MATCH ?",
            (CAPTION_WEIGHT, TAGS_WEIGHT, NAME_WEIGHT, FOUND_WEIGHT, STEMS_WEIGHT, PINYIN_WEIGHT, expression),
        )
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        ranks = np.fromiter((row[1] for row in rows), np.float64, len(rows))
        return ids[np.lexsort((ids, ranks))]

    def words_of(self, image_ids: Ids) -> dict[int, str]:
        """Return id -> all words of a picture, as the index has them."""
        found: dict[int, str] = {}
        for start in range(0, len(image_ids), _QUERIED_ROWS):
            chunk = image_ids[start : start + _QUERIED_ROWS].tolist()
            rows = self._query(
                "SELECT rowid, caption || ' ' || tags || ' ' || name || ' ' || found || ' ' || stems || ' ' || pinyin "
                f"FROM texts WHERE rowid IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
            found.update(rows)
        return found

    def _find_by_column(self, expression: str) -> Ids:
        ids = self._matching(expression)
        missing = [
            ~np.isin(ids, self._matching(f"{column} : ({expression})"), assume_unique=True)
            for column in ("tags", "caption")
        ]
        return ids[np.lexsort((ids, *missing))]

    def _matching(self, expression: str) -> Ids:
        rows = self._query("SELECT rowid FROM texts WHERE texts MATCH ?", (expression,))
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def version(self) -> int:
        """Return a number that is another after every change that another connection has made."""
        return int(self._query("PRAGMA data_version")[0][0])


def _columns(caption: str, tags: str, path: str, found: str) -> tuple[str, str, str, str]:
    """Return the words of a picture as the columns of the index take them."""
    return split_words(caption), split_words(tags), name_words(path), split_words(found)
