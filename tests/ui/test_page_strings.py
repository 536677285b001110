"""The words of the page: complete in both languages, each written in itself, none missing and none unused."""

import json
import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "ui" / "web"
STRINGS = {lang: json.loads((WEB / "strings" / f"{lang}.json").read_text(encoding="utf-8")) for lang in ("zh", "en")}
SCRIPTS = "\n".join(one.read_text(encoding="utf-8") for one in WEB.rglob("*.js") if "vendor" not in one.parts)
HAN = re.compile(r"[一-鿿]")
BRACES = re.compile(r"\{\w+\}")
IN_BOTH = {"title", "subtitle", "save_json", "html_lang"}  # names are names


def sentences(value):
    if isinstance(value, str):
        return [value]
    return [one for part in (value.values() if isinstance(value, dict) else value) for one in sentences(part)]


def is_plural(value):
    return isinstance(value, dict) and set(value) <= {"one", "other"}


def test_both_languages_say_the_same_things():
    assert STRINGS["zh"].keys() == STRINGS["en"].keys()
    for name, value in STRINGS["en"].items():
        other = STRINGS["zh"][name]
        if isinstance(value, dict) and not is_plural(value):
            assert value.keys() == other.keys(), name
        assert set(BRACES.findall(str(value))) == set(BRACES.findall(str(other))), name


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_language_is_written_in_itself(lang):
    for name, value in STRINGS[lang].items():
        for one in sentences(value):
            assert one.strip() == one, name
            if name not in IN_BOTH and lang == "en":
                assert not HAN.search(one), name
    if lang == "zh":
        spoken = [name for name, value in STRINGS["zh"].items() if name not in IN_BOTH and not HAN.search(str(value))]
        assert spoken == []


def test_what_the_scripts_say_exists_and_nothing_is_left_unused():
    said = set(re.findall(r'\b(?:say|tell|name)\("([a-z_]+)"', SCRIPTS)) | set(re.findall(r'"(tour_\w+)"', SCRIPTS))
    assert said - STRINGS["en"].keys() - {"text"} == set()
    quoted = set(re.findall(r'"([a-z_]+)"', SCRIPTS)) | set(re.findall(r"sentences\.(\w+)", SCRIPTS))
    assert STRINGS["en"].keys() - quoted == set()
