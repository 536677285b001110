"""What the pages say is so: README, docs/ and the rest, in both languages."""

import json
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

import api.cli
from api.http.metrics import Metrics

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for path in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / ".github").rglob("*.md")]
)
PAIRS = [(page.replace(".zh.md", ".md"), page) for page in PAGES if page.endswith(".zh.md")]
DEVELOPMENT = [page for page in PAGES if page.startswith("docs/development/") and "/decisions/" not in page]
ENGLISH_ONLY = {"docs/reference/rest.md", "docs/reference/settings.md"}


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def code_blocks(name: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", read(name), re.DOTALL | re.MULTILINE)


def inline_code(name: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", read(name), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`]+)`", prose)


def links(name: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", read(name))


def table_rows(name: str) -> list[list[str]]:
    rows = re.findall(r"^\|(.*)\|$", read(name), re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]


def first_cells(name: str) -> list[str]:
    """Return what stands in backticks in the first cell of each row of a table."""
    return [token for row in table_rows(name) for token in re.findall(r"`([^`]+)`", row[0])]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_both_languages_say_the_same(pair):
    headings, blocks, cells, targets = (
        [of(name) for name in pair]
        for of in (
            lambda name: re.findall(r"^(#+) ", re.sub(r"^```.*?^```", "", read(name), flags=re.S | re.M), re.MULTILINE),
            code_blocks,
            first_cells,
            lambda name: sorted({re.sub(r"\.zh(?=\.\w+$)", "", link.partition("#")[0]) for link in links(name)}),
        )
    )
    assert headings[0] == headings[1]
    assert blocks[0] == blocks[1]
    assert cells[0] == cells[1]
    other = {Path(name).name.replace(".zh", "") for name in pair}  # a README links to its other language
    assert [link for link in targets[0] if link not in other] == [link for link in targets[1] if link not in other]


def test_every_page_for_users_is_in_both_languages():
    for_users = {page for page in PAGES if page.startswith("docs/") and not page.startswith("docs/development/")}
    english = {page for page in for_users if not page.endswith(".zh.md")} - ENGLISH_ONLY
    assert english == {page for page, _ in PAIRS if page != "README.md" and not page.startswith("docs/development/")}


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_a_readme_has_at_most_200_lines(name):
    assert len(read(name).splitlines()) <= 200


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    for link in links(name):
        path = link.partition("#")[0]
        if path and "://" not in path:
            assert ((CHECKOUT / name).parent / path).exists(), link


@pytest.fixture(scope="module")
def xuntu():
    return typer.main.get_command(api.cli.app)


@pytest.mark.parametrize("name", [page for page in PAGES if page != "CHANGELOG.md"])
def test_every_command_and_option_exists(name, xuntu):
    code = [*"\n".join(code_blocks(name)).replace("\\\n", " ").splitlines(), *inline_code(name)]
    for line in code:
        if not (found := re.search(r"(?:^|\s)xuntu ((?:[a-z]|\[OPT).*)", line)):
            continue
        words, command = found[1].split(), xuntu
        while words and (children := getattr(command, "commands", None)):
            if re.fullmatch(r"[A-Z\[\].…]+", words[0]):
                break
            assert words[0] in children, line
            command = children[words.pop(0)]
        known = {option for param in command.params for option in param.opts} | {"--data", "--help"}
        assert {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)} <= known, line


@pytest.mark.parametrize("name", ["docs/reference/index.md", "docs/reference/index.zh.md"])
def test_every_command_is_in_the_table_of_commands(name, xuntu):
    leaves = {
        f"{room} {child}" if child else room
        for room, command in xuntu.commands.items()
        for child in getattr(command, "commands", {"": None})
    }
    found = {
        re.match(r"xuntu ((?:index |library |models |key |boards )?[a-z]+)|", cell)[1] for cell in first_cells(name)
    }
    assert leaves <= found


@pytest.mark.parametrize("name", PAGES)
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", "\n".join(code_blocks(name)), re.MULTILINE)) <= targets


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_every_path_of_the_tree_exists(name):
    rooms = ("api/", "docs/", "indexer/", "models/", "tests/", "ui/", "examples/")
    named = [code for code in inline_code(name) if code.startswith(rooms) and not re.search(r"[A-Z*]", code)]
    missing = [path for path in named if not (CHECKOUT / path).exists()]
    assert not missing


def test_where_is_what_answers_twenty_questions_each_with_a_file():
    rows = table_rows("docs/development/where.md")[2:]
    assert len(rows) >= 20
    for question, answer in rows:
        assert question.endswith("?")
        assert (CHECKOUT / re.findall(r"`([^`]+)`", answer)[0]).is_file(), question


def numbers_of_rows(name: str) -> list[Counter[str]]:
    return [Counter(re.findall(r"\d+(?:[.,]\d+)*", " ".join(row[1:]))) for row in table_rows(name)]


def test_figures_are_the_same_in_both_languages():
    assert numbers_of_rows("docs/figures.md") == numbers_of_rows("docs/figures.zh.md")


@pytest.mark.parametrize("pair", [("README.md", "docs/figures.md"), ("README.zh.md", "docs/figures.zh.md")])
def test_figures_of_a_readme_are_those_of_the_page(pair):
    readme, page = (read(name) for name in pair)
    section = re.search(r"^## (?:Figures that matter|重要数据)$(.*?)^## ", readme, re.DOTALL | re.MULTILINE)[1]
    figures = re.findall(r"\d+(?:[.,]\d+)*", " ".join(re.findall(r"^\| .* \| (.*) \|$", section, re.MULTILINE)))
    assert len(figures) > 10
    assert [number for number in figures if number not in page] == []


@pytest.mark.parametrize("path", sorted((CHECKOUT / "docs" / "figures").glob("*.json")), ids=lambda path: path.name)
def test_a_record_of_figures_has_its_form(path):
    record = json.loads(path.read_text(encoding="utf-8"), object_hook=lambda fields: SimpleNamespace(**fields))
    assert record.format == 1
    assert record.commit is None or re.fullmatch(r"[0-9a-f]{40}", record.commit)
    assert record.date is None or re.fullmatch(r"\d{4}-\d\d-\d\d", record.date)
    assert record.note or (record.commit and record.date), "what is not known is explained"
    assert record.machine.processor
    for tables in vars(record.measures).values():
        for table in tables:
            assert all(len(row) == len(table.head) for row in table.rows), table.title


@pytest.mark.parametrize("name", PAGES)
def test_every_variable_is_a_setting(name):
    settings = set(re.findall(r"`(XUNTU_[A-Z_]+)`", read("docs/reference/settings.md"))) | {"XUNTU_DEBUG"}
    named = re.sub(r"(XUNTU_LIBRARIES)__[A-Z]+", r"\1", read(name))  # one for each library, by any name
    assert set(re.findall(r"XUNTU_[A-Z][A-Z_]*[A-Z]", named)) <= settings


def test_every_metric_is_in_the_table_of_the_operator():
    collected = {
        metric.name + ("_total" if metric.type == "counter" else "") for metric in Metrics().registry.collect()
    }
    assert {cell for cell in first_cells("docs/operator.md") if re.fullmatch(r"xuntu_\w+", cell)} == collected
