"""The words of captions, tags and names in SQLite's full-text index (FTS5), and questions to it.

SQLite's own tokenisers find no Chinese word of two characters, so words are split here: what is written without spaces
(Chinese, Japanese, Korean, Thai) into single characters, everything else into words and numbers, without case and
accents. They reach the index with spaces between them, and whatever is asked is split alike and asked for as a phrase;
so any part of a Chinese text is found. English words are found in other forms as well: beside the words the index has
the stems of those that have another one. Nothing a person types is ever an operator of the index.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import snowballstemmer

from indexer.library.catalog.annotation_tables import AnnotationDatabase
from indexer.library.catalog.roots import RootDatabase
from indexer.library.catalog.sql import join_tables
from indexer.library.sources.kinds import what_names_say
from models.foundation.text_encoding import read_name
from models.foundation.vectors import Ids
from models.language.text import normalize_text
from models.pictures.formats import SUFFIXES

CAPTION_WEIGHT, TAGS_WEIGHT, NAME_WEIGHT, FOUND_WEIGHT, STEMS_WEIGHT = 4.0, 3.0, 1.0, 2.0, 1.0

_CHUNK_ROWS = 20_000
_QUERIED_ROWS = 500
_MOST_RANKED = 200_000  # by BM25; a word that so many pictures have tells them apart as little as it takes long
# Scripts without spaces: Thai to Burmese, Khmer, kana, ideographs, Hangul.
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_SINGLE += "\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_SINGLE}]|\d+|[^\W\d_{_SINGLE}]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SINGLE_CHAR = re.compile(f"[{_SINGLE}]")
_ACCENTED_BELOW = 0x530  # Latin, Greek and Cyrillic
# Words that say nothing of a picture: left out of what is asked, where anything else is left.
_STOP = re.compile("(a|an|the|of|in|on|at|by|to|for|from|with|and|or|is|are)")
_PARTICLES = re.compile("[的了着在是和与及或之一两个只张有]")
_MIN_PREFIX = 2  # letters of the last word, from which on it may be the beginning of a longer one
_MAX_PARTS = 64
_LEAST_STEMMED = 4  # letters; shorter words have no other form, or one that begins with them


class TextDatabase(RootDatabase, AnnotationDatabase):
    """The full-text index of a catalog. Triggers note in `texts_stale` which pictures' words are not up to date."""

    def sync_texts(self) -> int:
        """Bring the words of changed pictures up to date; return how many were changed. Raises LibraryUnwritable."""
        done = 0
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
                    "INSERT INTO texts (rowid, caption, tags, name, found, stems) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        (image_id, *(columns := _columns(caption, tags, says[root_id](path), words)), _stems(columns))
                        for image_id, root_id, path, caption, tags, words in rows
                        if root_id is not None
                    ),
                )
                self._connection.execute("DELETE FROM texts_stale WHERE image_id <= ?", (last,))
            done += len(rows)
        return done

    def _found_words(self) -> tuple[str, str]:
        """Return the SQL expression of the words that annotators found, a line each, and the joins it needs."""
        found = [one for one in self.fields() if one.field.searchable]
        words = " || char(10) || ".join(f"coalesce({one.expression}, '')" for one in found) or "''"
        return words, join_tables({one.table: None for one in found})

    def find_texts(self, expression: str) -> Ids:
        """Return the ids of the pictures whose words match an expression of `ask_for`, best first (BM25).

        Of more than _MOST_RANKED, those first that have them in the caption, then those that have them in the tags.
        """
        ((count,),) = self._query("SELECT count(*) FROM texts WHERE texts MATCH ?", (expression,))
        if count > _MOST_RANKED:
            return self._find_by_column(expression)
        rows = self._query(
            "SELECT rowid, bm25(texts, ?, ?, ?, ?, ?) FROM texts WHERE texts MATCH ?",
            (CAPTION_WEIGHT, TAGS_WEIGHT, NAME_WEIGHT, FOUND_WEIGHT, STEMS_WEIGHT, expression),
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
                "SELECT rowid, caption || ' ' || tags || ' ' || name || ' ' || found || ' ' || stems FROM texts "
                f"WHERE rowid IN ({', '.join('?' * len(chunk))})",
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


def _stems(columns: Sequence[str]) -> str:
    """Return the stems of the words in columns, of those that are not their own stem; each once."""
    words = {word for column in columns for word in column.split()}
    return " ".join(sorted({stem for word in words if (stem := _stem_of(word)) != word}))


def split_words(text: str) -> str:
    """Return the words of a text as the index takes them, spaces between them."""
    return " ".join(_words(text))


def name_words(path: str) -> str:
    """Return the words of a picture's folders and name, "BeijingTrip" also as two, without the kind of file."""
    folder, _, name = path.rpartition("/")
    folder, stem = "/".join(map(read_name, folder.split("/"))), read_name(_stem(name))
    return " ".join(filter(None, (_folder_words(folder), " ".join(_words(stem, humps=True)))))


def ask_for(wanted: Sequence[str], unwanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return expressions to try one after the other: first for all of the words, then for some of them.

    A word is what stands between spaces, so a Chinese sentence is one; in parts it is asked for second. The last word,
    if it is one of letters, may be the beginning of a longer one. Pictures that say all of a text of `unwanted` are
    left out. Empty where there is nothing to ask for.
    """
    words = [phrase for text in wanted for phrase in _phrases(text)]
    if not words:
        return ()
    last = words[-1][-1]
    asked = [_in_any_form(phrase) for phrase in words[:_MAX_PARTS]]
    parts = list(dict.fromkeys(_in_any_form(part) for phrase in words for part in _parts_of(phrase)))[:_MAX_PARTS]
    if len(words) <= _MAX_PARTS and len(last) >= _MIN_PREFIX and last.isalpha() and not _is_single(last):
        asked[-1] = f"({asked[-1]} OR {_quoted(words[-1])} *)"
    without = [" AND ".join(map(_quoted, phrases)) for text in unwanted if (phrases := _phrases(text))]
    less = f" NOT ({' OR '.join(f'({one})' for one in without)})" if without else ""
    strict, loose = " AND ".join(asked), " OR ".join(parts)
    return tuple(dict.fromkeys([f"({strict}){less}", f"({loose}){less}"]))


def ask_for_phrase(text: str, *, begins: bool = False, names: bool = False) -> str:
    """Return the expression for what says all of a text, word behind word; "" where there is none.

    `begins`: a word may follow on its end, as digits on those of a plate. `names`: only names are looked at.
    """
    words = list(_words(_stem(normalize_text(text))))
    return f"{'name : ' if names else ''}{_quoted(words)}{' *' if begins else ''}" if words else ""


class WordMatcher:
    """Tells which lines say the words of a question, as the index takes both."""

    def __init__(self, wanted: Sequence[str]) -> None:
        words = [phrase for text in wanted for phrase in _phrases(text)]
        self._phrases = [_forms(phrase) for phrase in words]
        self._parts = [_forms(part) for phrase in words for part in _parts_of(phrase)]

    def count(self, text: str) -> int:
        """Return how much of the question a text says: whole words count before parts of them; 0 for none."""
        words = split_words(text)
        tokens = f" {words} {_stems([words])} "
        # The last word, and any other of letters, may be the beginning of a longer one.
        whole = sum(any(f" {form}" in tokens for form in forms) for forms in self._phrases)
        parts = sum(any(f" {form} " in tokens for form in forms) for forms in self._parts)
        return whole * (1 + len(self._parts)) + parts

    def share(self, words: str) -> float:
        """Return which share of the parts of the question is said by the words of a picture, as the index has them."""
        tokens = f" {words} "
        said = [any(f" {form} " in tokens for form in forms) for forms in self._parts]
        return sum(said) / max(len(said), 1)

    def cut(self, text: str, most: int) -> str:
        """Return at most so many characters of a text, around what the question asks for."""
        if len(text) <= most:
            return text
        starts = range(0, len(text), most // 4)
        best = max(starts, key=lambda start: (self.count(text[start : start + most]), -start))
        piece = text[best : best + most].strip()
        return f"{'…' if best else ''}{piece}{'…' if best + most < len(text) else ''}"


def _phrases(text: str) -> list[list[str]]:
    """Return the words of a question, each in tokens; those that say nothing only where there are no others."""
    words = [phrase for word in normalize_text(text).split() if (phrase := list(_words(_stem(word))))]
    return [phrase for phrase in words if len(phrase) > 1 or not _STOP.fullmatch(phrase[0])] or words


def _parts_of(phrase: Sequence[str]) -> Iterator[list[str]]:
    """Yield what is still something of a word: its tokens; of Chinese and the like pairs, without particles."""
    text = "".join(token if _is_single(token) else f" {token} " for token in phrase)
    for run in _PARTICLES.sub(" ", text).split() or text.split():
        tokens = list(run) if _is_single(run[0]) else [run]
        if len(tokens) == 1:
            yield tokens
        for pair in pairwise(tokens):
            yield list(pair)


def _words(text: str, *, humps: bool = False) -> Iterator[str]:
    """Yield the tokens of a text. With `humps` a word such as BeijingTrip is followed by itself in one."""
    if not text.isascii():
        text = normalize_text(text)
    for token in _TOKEN.findall(text):
        plain = _without_accents(token)
        pieces = _HUMP.findall(plain) if humps and plain.isascii() else ()
        if len(pieces) > 1:
            yield from (piece.casefold() for piece in pieces)
        yield plain.casefold()


def _without_accents(token: str) -> str:
    """Return a token without the accents of Latin, Greek and Cyrillic; those of other scripts make other letters."""
    if token.isascii() or ord(token[0]) >= _ACCENTED_BELOW:
        return token
    return "".join(char for char in unicodedata.normalize("NFD", token) if not unicodedata.combining(char))


def _stem(name: str) -> str:
    """Return a name without the ending of a picture file."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix.lower() in SUFFIXES else name


def _forms(phrase: Sequence[str]) -> tuple[str, ...]:
    """Return a phrase as it is asked for: a single word also as its stem."""
    words = " ".join(phrase)
    return tuple(dict.fromkeys((words, _stem_of(words)))) if len(phrase) == 1 else (words,)


def _in_any_form(phrase: Sequence[str]) -> str:
    quoted = [_quoted([form]) for form in _forms(phrase)]
    return quoted[0] if len(quoted) == 1 else f"({' OR '.join(quoted)})"


_lock = threading.Lock()
_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=65_536)
def _stem_of(word: str) -> str:
    """Return the stem of an English word; of what is none, the same."""
    if len(word) < _LEAST_STEMMED or not (word.isascii() and word.isalpha()):
        return word
    with _lock:
        stem: str = _stemmer.stemWord(word)
        return stem


def _quoted(tokens: Sequence[str]) -> str:
    return f'"{" ".join(tokens)}"'  # no token holds a quotation mark


def _is_single(token: str) -> bool:
    return _SINGLE_CHAR.match(token) is not None


@lru_cache(maxsize=4096)
def _folder_words(folder: str) -> str:
    return " ".join(_words(folder, humps=True))
