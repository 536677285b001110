"""What suggestions are made of: the values of a library's fields, its folders, and the words of its file names."""

import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing

from api.search.engine import SearchEngine
from api.search.suggesting import MAX_VALUES, KnownValue, SuggestionTable
from indexer.library.annotations.fields import CatalogField, FieldSet, FieldType
from indexer.library.catalog.counts import Counting
from indexer.library.catalog.reader import CatalogReader
from indexer.library.catalog.words.tokens import without_suffix
from indexer.library.filters import Filter

_MOST_KEPT = 200_000  # folders, and words, while they are counted
_PATHS_AT_ONCE = 2_000
_LONGEST = 200  # characters of a value
_WITHIN = {"keyword": "tag"}  # of these the values are among those of another field
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}|[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{3,}")
_BY_CAMERAS = re.compile("img|dsc|dscn|dscf|pxl|mvimg|vid|mmexport|gopr|dji|camera")  # words that say nothing
_HAN = re.compile(r"[\u3400-\u9fff]+")


def make_table(engine: SearchEngine, stopped: threading.Event) -> SuggestionTable:
    """Count what there is to suggest of a build; it is not all of it where it is `stopped` meanwhile.

    That reads on a connection of its own, so that nobody who searches waits for it. Raises what the catalog raises.
    """
    unpublished = engine.find_unpublished()
    with closing(CatalogReader(engine.opened.catalog.path)) as catalog:
        fields = catalog.fields()
        found = [*_read_fields(catalog, fields, unpublished, stopped), *_read_paths(catalog, unpublished, stopped)]
    return SuggestionTable(found)


def _read_fields(
    catalog: CatalogReader, fields: FieldSet, unpublished: Collection[int], stopped: threading.Event
) -> Iterator[KnownValue]:
    how = Counting(but=tuple(unpublished))
    for one in fields:
        is_text = one.field.type in (FieldType.TEXT, FieldType.WORDS)
        elsewhere = fields.find(_WITHIN.get(one.field.name, "")) is not None
        if stopped.is_set() or elsewhere or not (is_text and one.field.faceted and one.field.filterable):
            continue
        counts = Counter(dict(catalog.count_values(one, Filter(), how).values))
        if one.field.name == "place":
            counts = _count_each_place(counts)
        for value, count in counts.most_common(MAX_VALUES):
            if "|" not in value and " ".join(value.split()) == value and _is_usable(value):
                yield _value(one, value, count)


def _value(one: CatalogField, value: str, count: int) -> KnownValue:
    field = one.field
    choice = next((choice for choice in field.choices if choice.name == value), None)
    names: tuple[str, ...] = tuple(filter(None, choice.names)) if choice else ()
    if field.name == "place" and (chinese := _HAN.match(value)):
        names = tuple(filter(None, (chinese[0], value[chinese.end() :].strip())))
    return KnownValue(
        field=field, text=value, count=count, where=_condition(field.name, value), names=names, choice=choice
    )


def _count_each_place(counts: Counter[str]) -> Counter[str]:
    """Return how many pictures were taken in each of the places that "西湖 Xihu, 杭州 Hangzhou, 中国 China" names."""
    each: Counter[str] = Counter()
    for value, count in counts.items():
        for place in dict.fromkeys(value.split(", ")):
            each[place] += count
    return each


def _read_paths(catalog: CatalogReader, unpublished: Collection[int], stopped: threading.Event) -> Iterator[KnownValue]:
    left_out = frozenset(unpublished)
    folders: Counter[str] = Counter()
    words: Counter[str] = Counter()
    written: dict[str, str] = {}  # how a word is written, by the word in small letters
    after = 0
    while not stopped.is_set() and (rows := catalog.list_paths(after, _PATHS_AT_ONCE)):
        after = rows[-1][0]
        for path in [path for image_id, path in rows if image_id not in left_out and "://" not in path]:
            folder, _, name = path.rpartition("/")
            if folder and not folder.startswith("/"):  # in a list, which has no folders
                folders[folder] += 1
            found = {word.lower(): word for word in _WORD.findall(without_suffix(name))}
            words.update(found.keys())
            for word, as_written in found.items():
                written.setdefault(word, as_written)
        folders = _cut(folders)
        if len(words) > _MOST_KEPT:
            words = _cut(words)
            written = {word: written[word] for word in words}
    fields = catalog.fields()
    path_field, name_field = fields.find("path"), fields.find("name")
    for folder, count in _with_parents(folders).most_common(MAX_VALUES):
        if path_field and _is_usable(folder):
            last = folder.rpartition("/")[2]
            where = _condition("path", f"{folder}/")
            yield KnownValue(field=path_field.field, text=folder, count=count, where=where, names=(last,))
    for word, count in words.most_common(MAX_VALUES):
        if name_field and not _BY_CAMERAS.fullmatch(word) and _is_usable(word):
            where = _condition("name", written[word])
            yield KnownValue(field=name_field.field, text=written[word], count=count, where=where)


def _with_parents(folders: Counter[str]) -> Counter[str]:
    """Return how many pictures lie in each folder and in its own folders."""
    every: Counter[str] = Counter()
    for folder, count in folders.items():
        parent = folder
        while parent:
            every[parent] += count
            parent = parent.rpartition("/")[0]
    return every


def _cut(counts: Counter[str]) -> Counter[str]:
    """Return counts, of too many the most frequent half."""
    return counts if len(counts) <= _MOST_KEPT else Counter(dict(counts.most_common(_MOST_KEPT // 2)))


def _is_usable(value: str) -> bool:
    """Say whether a value can be read, typed and asked for."""
    return len(value) <= _LONGEST and value.isprintable() and bool(value.strip())


def _condition(name: str, value: str) -> str:
    doubled = value.replace('"', '""')
    return f'{name}="{doubled}"'
