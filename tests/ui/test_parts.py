"""What the browser runs: markup comes from constants alone, and every part can be read."""

import re

import pytest

from ui.components import PARTS

SCRIPTS = sorted(PARTS.glob("*.js"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_data_becomes_markup(script):
    source = script.read_text(encoding="utf-8")
    assert not re.search(r"outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)
    set_from = re.findall(r"innerHTML\s*=\s*([^;]+);", source)
    inserted = {name for value in set_from for name in re.findall(r"\$\{([^}]*)\}", value)}
    assert inserted <= {"PATHS[name]"}
    assert all(value.lstrip().startswith("'<") for value in set_from)


def test_the_page_loads_nothing_from_elsewhere():
    for part in PARTS.iterdir():
        addresses = re.findall(r"https?://[^\s\"')]+", part.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, part.name


def test_dark_is_the_same_whether_the_system_or_the_person_asks():
    style = (PARTS / "page.css").read_text(encoding="utf-8")
    system, person = (
        dict(re.findall(r"(--x-[\w-]+):\s*([^;]+);", re.search(selector + r"\s*\{([^}]*)\}", style).group(1)))
        for selector in (r':root:not\(\[data-xuntu-theme="light"\]\)', r':root\[data-xuntu-theme="dark"\]')
    )
    assert system == person
    assert len(system) > 8
