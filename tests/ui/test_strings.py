import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

import ui.components
from ui.address import SHAPES, split_text
from ui.bar import SWATCHES
from ui.strings import EN, LANG_NAMES, LANGS, ZH, Strings, choose_lang, labels

BRACES = re.compile(r"\{\w+\}")
CHINESE = re.compile(r"[一-鿿]")
PARTS = Path(ui.components.__file__).parent / "parts"


@pytest.mark.parametrize("name", [field.name for field in fields(Strings)])
def test_every_label_is_there_in_both_languages(name):
    chinese, english = asdict(ZH)[name], asdict(EN)[name]
    assert type(chinese) is type(english)
    assert chinese
    assert english
    if isinstance(chinese, dict):
        assert list(chinese) == list(english)
    elif isinstance(chinese, tuple):
        assert len(chinese) == len(english)
    else:
        assert sorted(BRACES.findall(chinese)) == sorted(BRACES.findall(english))


def test_each_language_is_written_in_itself():
    apart = {"title", "subtitle"}
    english = [str(value) for name, value in asdict(EN).items() if name not in apart]
    assert not [text for text in english if CHINESE.search(text)]
    wordless = {"html_lang", *apart}
    chinese = [str(value) for name, value in asdict(ZH).items() if name not in wordless]
    assert not [text for text in chinese if not CHINESE.search(text)]


def test_every_choice_has_a_name():
    for lang in LANGS:
        assert set(labels(lang).shapes) == set(SHAPES)
        assert set(labels(lang).colours) == set(SWATCHES)
        assert lang in LANG_NAMES
        assert all(split_text(example) for example in labels(lang).examples)


@pytest.mark.parametrize("script", sorted(PARTS.glob("*.js")), ids=lambda path: path.name)
def test_the_browser_asks_for_labels_that_exist(script):
    source = script.read_text(encoding="utf-8")
    assert set(re.findall(r"\blabels\.(\w+)", source)) <= {field.name for field in fields(Strings)}
    assert not CHINESE.search(source)


def test_no_label_is_left_unused():
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in [*PARTS.glob("*.js"), *PARTS.parent.glob("*.py")]
        if path.name != "strings.py"
    )
    assert [field.name for field in fields(Strings) if not re.search(rf"\.{field.name}\b", code)] == []


@pytest.mark.parametrize(
    ("asked", "locale", "lang"),
    [
        ("zh", "en-GB", "zh"),
        ("en", "zh-CN", "en"),
        ("", "zh-CN", "zh"),
        ("", "zh-Hant-TW", "zh"),
        ("", "fr", "en"),
        ("", None, "en"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_link_chooses_the_language_and_else_the_browser(asked, locale, lang):
    assert choose_lang(asked, locale) == lang
