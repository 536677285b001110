"""The words of captions, tags and names: what is found, in which order, and after which changes."""

import sqlite3
from pathlib import Path

import pytest

from indexer.library.catalog.words.pinyin import list_sounds
from indexer.library.catalog.words.queries import ask_for
from indexer.library.catalog.words.tokens import name_words, split_words
from indexer.library.catalog.writer import Catalog
from indexer.library.sources.items import Root
from indexer.library.sources.kinds import open_source
from models.foundation.errors import BackendNotInstalled

FOUND = (
    "草地|草|地上|猫在|草地上|Ｉｍｇ|img|beijing|Beijing|BEIJING|2024|北京|beij|cafe|café|img_2024beijing|img_2024Beijing.png"
    "|貓|貓在草|한국|국어|ひら|カタ|草地 beijing|Cafe 猫"
)
TYPED = (
    '"|""|cat"|" OR "|cat*|cat AND|AND|OR OR|NOT cat|NEAR(cat dog)|caption:cat|-cat|^cat|(cat|cat)|cat + dog'
    "|{caption tags}:cat|'; DROP TABLE texts; --"
)
LONG = ("cat " * 400, "猫" * 500, "(" * 500, '"' * 500, "a b c d e f g " * 70)


class Finder:
    """Asks the catalog of an album, the words of each picture being its caption, tags and path."""

    def __init__(self, album) -> None:
        self.album = album

    def index(self, *described: tuple[str, str, str], pinyin: bool | None = None) -> None:
        """Make a list of (path, caption, tags) the library."""
        self.album.draw(*(path for path, _, _ in described))
        lines = [f'"pictures/{path}","{caption}","{tags}"' for path, caption, tags in described]
        table = self.album.folder / "list.csv"
        table.write_text("\n".join(["path,caption,tags", *lines]), encoding="utf-8")
        self.album.build(table, settings=self.album.settings(pinyin=pinyin))

    def __call__(self, *wanted: str, without: tuple[str, ...] = (), pinyin: bool = False) -> list[str]:
        catalog = Catalog(self.album.layout.catalog)
        try:
            for expression in ask_for(wanted, without, pinyin=pinyin):
                ids = catalog.find_texts(expression).tolist()
                if ids:
                    found = catalog.get_images(ids)
                    return [found[image_id].path.removeprefix("pictures/") for image_id in ids]
            return []
        finally:
            catalog.close()


@pytest.fixture
def find(album) -> Finder:
    return Finder(album)


@pytest.mark.parametrize("query", FOUND.split("|"))
def test_words_of_any_script_are_found(find, query):
    find.index(("北京/IMG_2024Beijing.png", "猫在草地上 Café", "한국어;ひらがなカタカナ"), ("z.png", "", ""))
    assert find(query) == ["北京/IMG_2024Beijing.png"]


@pytest.mark.parametrize("query", ["草上", "地草", "eijing", "mg", "狗", "20", "한어", "🙂", "", "   ", "%", "_"])
def test_what_is_not_said_is_not_found(find, query):
    find.index(("北京/IMG_2024Beijing.png", "猫在草地上 Café", "한국어"))
    assert find(query) == []


def test_captions_outweigh_tags_and_tags_outweigh_names(find):
    find.index(("1 cat.png", "", ""), ("2.png", "", "cat"), ("3.png", "cat", ""), ("4.png", "dog", "bird"))
    find.album.draw("unrelated.png")
    assert find("cat") == ["3.png", "2.png", "1 cat.png"]


def test_a_word_that_most_have_is_ranked_by_where_it_stands(find, monkeypatch):
    monkeypatch.setattr("indexer.library.catalog.texts._MOST_RANKED", 3)
    find.index(
        ("1 cat.png", "", ""),
        ("2 cat.png", "", "cat"),
        ("3.png", "a cat, a cat and a cat", ""),
        ("4.png", "a cat", "cat; dog"),
        ("5.png", "nothing", "of it"),
        ("6.png", "a cat, a dog", ""),
    )
    assert find("cat") == ["4.png", "3.png", "6.png", "2 cat.png", "1 cat.png"]
    assert find("cat", without=("dog",)) == ["3.png", "2 cat.png", "1 cat.png"]
    assert find("cat dog mouse") == ["4.png", "3.png", "6.png", "2 cat.png", "1 cat.png"]


def test_all_of_the_words_first_else_some(find):
    find.index(
        ("a.png", "雪山 and a lake", ""), ("b.png", "a lake", ""), ("c.png", "湖边的雪山", ""), ("d.png", "x", "")
    )
    assert find("lake 雪山") == ["a.png"]
    assert set(find("雪山下的湖")) == {"a.png", "c.png"}
    assert find("雪山下的湖")[0] == "c.png"
    assert set(find("lake forest")) == {"a.png", "b.png"}
    assert find("the lake in a forest of x")[0] in {"a.png", "b.png", "d.png"}


def test_the_last_word_may_be_a_beginning_and_whole_words_come_first(find):
    find.index(("a.png", "category", ""), ("b.png", "cat", ""), ("c.png", "concatenate", ""))
    assert find("cat") == ["b.png", "a.png"]
    assert find("cat z") == ["b.png"]  # says some of it


def test_english_words_are_found_in_other_forms_and_as_they_are_first(find):
    find.index(
        ("a.png", "a dog runs", ""),
        ("b.png", "dogs running in mountains", ""),
        ("c.png", "x", "invoice"),
        ("d.png", "a mountain", ""),
    )
    assert find("dogs here") == find("dogs") == ["b.png", "a.png"]
    assert find("dog") == ["a.png", "b.png"]
    assert set(find("run dog")) == {"a.png", "b.png"}
    assert find("invoices") == find("invoicing") == ["c.png"]
    assert set(find("mountains")) == {"b.png", "d.png"}
    assert find("running dog", without=("mountains",)) == ["a.png"]
    assert find("doggy") == []


def test_unwanted_words_leave_pictures_out(find):
    find.index(("a.png", "cat dog", ""), ("b.png", "cat", ""))
    assert find("cat", without=("dog",)) == ["b.png"]
    assert find("cat", without=("dog mouse",)) == ["b.png", "a.png"]


@pytest.mark.parametrize("query", [*TYPED.split("|"), "\\", "cat\0dog", "\ud800 cat", *LONG])
def test_nothing_that_is_typed_is_an_operator(find, query):
    find.index(("a.png", "cat dog", ""), ("b.png", "bird", ""))
    assert set(find(query)) <= {"a.png", "b.png"}
    assert find("bird", without=(query,)) == ["b.png"]


@pytest.mark.parametrize("word", ["NOT", "AND", "OR", "NEAR", "caption", "rowid", "rank", "texts"])
def test_operators_are_words_too(find, word):
    find.index(("a.png", f"one {word} two", ""), ("b.png", "bird", ""))
    assert find(word) == (["a.png"])


def test_changes_and_removals_are_followed(find):
    find.index(("a.png", "one", "x"), ("b.png", "two", "y"))
    find.index(("a.png", "three", "x"), ("b.png", "two", "z"))
    assert (find("one"), find("three"), find("y"), find("z")) == ([], ["a.png"], [], ["b.png"])
    find.index(("a.png", "three", "x"))
    assert find("two") == []
    find.index(("a.png", "three", "x"), ("b.png", "four", "z"))
    assert (find("two"), find("four")) == ([], ["b.png"])


def test_names_in_folders_are_followed_when_they_move(album):
    find = Finder(album)
    album.draw("旅行/old.png", "other.png")
    album.build()
    assert find("旅行") == ["旅行/old.png"]
    (album.pictures / "旅行/old.png").rename(album.pictures / "new name.png")
    assert album.update().encoded == 0
    assert (find("旅行"), find("old"), find("name new")) == ([], [], ["new name.png"])
    (album.pictures / "new name.png").write_bytes(b"broken")
    album.update()
    assert find("name") == []


def test_a_library_of_the_version_before_gets_its_words(full_album):
    """The triggers and the table came with version 2; what was there before is indexed by the next run."""
    connection = sqlite3.connect(full_album.layout.catalog)
    connection.executescript(
        "DELETE FROM texts; INSERT INTO texts_stale SELECT id FROM images; "
        "UPDATE meta SET value = '' WHERE key = 'seal'"
    )
    connection.close()
    find = Finder(full_album)
    assert find("trip") == []
    full_album.update()
    assert find("trip") == ["trip/d.png", "trip/e.bmp"]
    connection = sqlite3.connect(full_album.layout.catalog)
    assert connection.execute("SELECT count(*) FROM texts_stale").fetchone() == (0,)
    assert connection.execute("INSERT INTO texts (texts) VALUES ('integrity-check')").fetchall() == []
    connection.close()


def test_what_was_only_touched_needs_no_words_anew(full_album):
    (full_album.pictures / "a.png").touch()
    full_album.update()
    catalog = Catalog(full_album.layout.catalog, create=True)
    assert catalog.sync_texts() == 0
    catalog.close()


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("folder", "IMG_2024Beijing.jpg", "img 2024 beijing"),
        ("folder", "iPhone15Pro.HEIC", "i phone iphone 15 pro"),
        ("folder", "ÉcoleNormale/straße.webp", "ecole normale ecolenormale strasse"),
        ("folder", "繁體字/貓-01.png", "繁体 体字 字 猫 01"),
        ("folder", ".jpg", "jpg"),
        ("list", "https://host.example/Über/a-b.png?size=large", "uber a b"),
        ("list", "https://host.example/%E7%9B%B8%E5%86%8C/%E7%8C%AB%2001.png?a=%E7%8B%97#b", "相册 册 猫 01"),
        ("list", "https://host.example", ""),
        ("tar", "http://x/y.png", "http x y"),
        ("folder", "が/한국.png", "が 한국 국"),
    ],
)
def test_the_words_of_names(kind, path, words):
    says = open_source(Root(id=1, path=Path("/pictures"), kind=kind)).words
    assert name_words(says(path)) == words


def test_a_file_name_that_is_no_unicode_does_no_harm():
    assert split_words(b"a\xff\nb".decode("utf-8", "surrogateescape")).split() in (["a", "b"], ["ab"])
    assert name_words(b"\xff\xfe.png".decode("utf-8", "surrogateescape")) == ""


def test_a_library_with_sounds_is_not_changed_where_it_cannot_be_told_how_chinese_sounds(find, monkeypatch):
    find.index(("a.png", "北京", ""), pinyin=True)
    monkeypatch.setattr("indexer.pipeline.run.is_installed", lambda: False)
    with pytest.raises(BackendNotInstalled, match=r"pypinyin.*\[pinyin\]"):
        find.index(("a.png", "上海", ""))
    assert find("北京") == ["a.png"]
    find.index(("a.png", "上海", ""), pinyin=False)
    assert find("上海") == ["a.png"]


def test_chinese_is_found_by_its_sound_where_that_is_asked_for(find):
    described = (
        ("重庆/a.png", "北京大学的西门", ""),
        ("b.png", "先生在海边 seaside", "绿色"),
        ("c.png", "nothing of it", "beige"),
    )
    find.index(*described)
    assert find("beijing", pinyin=True) == []
    find.index(*described, pinyin=True)
    for query in (
        "beijing",
        "BeiJing",
        "beijingdaxue",
        "daxue",
        "bjdx",
        "bj",
        "chongqing",
        "ximen",
        "北京",
        "beijing ximen",
    ):
        assert find(query, pinyin=True) == ["重庆/a.png"], query
    for query in ("xiansheng", "haibian", "lvse", "ls", "seaside haibian"):
        assert find(query, pinyin=True) == ["b.png"], query
    assert find("bei", pinyin=True) == ["c.png", "重庆/a.png"]
    assert find("zhongqing", pinyin=True) == []
    assert find("beijing") == []
    find.index(*described)
    assert find("beijing", pinyin=True) == ["重庆/a.png"]
    find.index(*described, pinyin=False)
    assert find("beijing", pinyin=True) == []


def test_a_word_that_can_be_parted_in_very_many_ways_is_parted_at_once():
    assert list_sounds("xian" * 100 + "bb") == []  # each xian is one syllable or two, and none ends it
    assert list_sounds("xian" * 100)[0][:2] == ["1xianxian", "1xianxian"]
    assert list_sounds("xian") == [["1xian"], ["1xian"]]
