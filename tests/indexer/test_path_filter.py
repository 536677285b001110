"""Paths in filters: compared in one form of Unicode, in any case where asked for, and quoted."""

import os
import unicodedata

import pytest

from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.words.queries import ask_for
from indexer.library.catalog.writer import Catalog

COMPOSED, PARTED = unicodedata.normalize("NFC", "Café"), unicodedata.normalize("NFD", "Café")


def found(album, where: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    rows = catalog.get_images(catalog.ids_where(parse_filter(where, catalog.fields())).tolist())
    catalog.close()
    return sorted(row.path for row in rows.values())


@pytest.mark.parametrize("stored", [COMPOSED, PARTED])
@pytest.mark.parametrize("typed", [COMPOSED, PARTED])
def test_a_path_is_found_in_whichever_way_its_characters_are_written(album, stored, typed):
    album.draw(f"{stored}/a.png", "Cafe/b.png")
    album.build()
    assert found(album, f"path={typed}/") == [f"{stored}/a.png"]
    assert found(album, f"path={typed}/a") == [f"{stored}/a.png"]
    assert found(album, f"path~={typed.upper()}/A") == [f"{stored}/a.png"]


def test_case_counts_unless_asked_otherwise(album):
    album.draw("Trip/A.png", "trip/b.png", "Straße/c.png")
    album.build()
    assert found(album, "path=trip") == ["trip/b.png"]
    assert found(album, "path~=TRIP") == ["Trip/A.png", "trip/b.png"]
    assert found(album, "path~=STRASSE/") == ["Straße/c.png"]


def test_two_quotation_marks_in_quotes_mean_one(album):
    album.draw('say "cheese"/a.png', "say/b.png")
    album.build()
    assert found(album, 'path="say ""cheese""/"') == ['say "cheese"/a.png']
    assert found(album, 'path="say" and path="say/"') == ["say/b.png"]


def test_bytes_that_are_no_text_are_compared_as_they_are(album):
    name = os.fsdecode("北京".encode("gbk"))
    album.draw(f"{name}/a.png", "b.png")
    album.build()
    assert found(album, f"path={name}/") == [f"{name}/a.png"]


def test_names_in_gbk_are_words(album):
    name = os.fsdecode("北京旅行".encode("gbk"))
    album.draw(f"{name}/天坛.png", f"{os.fsdecode('故宫'.encode('gbk'))}.png", "b.png")
    album.build()
    catalog = Catalog(album.layout.catalog)
    try:
        for word, count in (("北京", 1), ("天坛", 1), ("故宫", 1), ("上海", 0)):
            assert len(catalog.find_texts(ask_for([word])[0])) == count
    finally:
        catalog.close()
