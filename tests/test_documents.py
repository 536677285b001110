"""What the documents say is so."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import typer
from click import Group
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import api.cli
from api.config import Settings
from indexer.config import IndexerSettings
from models.encoders.registry import get_spec, list_encoders

CHECKOUT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh.md")


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def code_blocks(name: str) -> list[str]:
    return re.findall(r"^```\n(.*?)^```", read(name), re.DOTALL | re.MULTILINE)


def first_cells(name: str) -> list[str]:
    """Return what stands in backticks in the first cell of each row of a table."""
    rows = re.findall(r"^\| (`.*?) \|", read(name), re.MULTILINE)
    return [token for row in rows for token in re.findall(r"`([^`]+)`", row)]


def test_both_languages_say_the_same():
    english, chinese = (re.findall(r"^(#+) ", read(name), re.MULTILINE) for name in READMES)
    assert english == chinese
    assert code_blocks("README.md") == code_blocks("README.zh.md")
    assert first_cells("README.md") == first_cells("README.zh.md")
    assert re.findall(r"\]\((.*?)\)", read("README.md").replace("README.zh.md", "")) == [
        link.replace(".zh.jpg", ".jpg")
        for link in re.findall(r"\]\((.*?)\)", read("README.zh.md").replace("README.md", ""))
    ]


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name):
    for link in re.findall(r"\]\(([^)#]+)\)", read(name)):
        assert (CHECKOUT / link).exists(), link


@pytest.mark.parametrize("name", READMES)
def test_every_command_and_option_exists(name):
    root = typer.main.get_command(api.cli.app)
    for line in re.findall(r"xuntu ((?:index |models )?[a-z]+(?: --?[a-z]+)?)", " ".join(code_blocks(name))):
        words, command = line.split(), root
        for word in words:
            if isinstance(command, Group) and not word.startswith("-"):
                assert word in command.commands, line
                command = command.commands[word]


@pytest.mark.parametrize("name", READMES)
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", " ".join(code_blocks(name)))) <= targets


def test_the_table_of_encoders_is_that_of_the_registry():
    cells = r"^\| `([\w-]+)`(?: \(built in\))? \| (\S+) \| (\d+) \| (.+?) \| (\d+) M \|"
    rows = re.findall(cells, read("README.md"), re.MULTILINE)
    specs = [get_spec(name) for name in list_encoders()]
    expected = [
        (s.name, s.space, str(s.dim), ", ".join(s.languages) or "–", f"{s.parameters / 1e6:.0f}") for s in specs
    ]
    assert rows == expected


def test_the_example_environment_names_real_settings():
    for variable in re.findall(r"^#? ?XUNTU_([A-Z_]+)=", read(".env.example"), re.MULTILINE):
        first, *parts = variable.lower().split("__")
        field = Settings.model_fields.get(first) or IndexerSettings.model_fields.get(first)
        for part in parts:
            assert field, variable
            field = field.annotation.model_fields.get(part)
        assert field, variable


def test_every_package_is_pinned():
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", read("constraints.txt"), re.MULTILINE))
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = {Requirement(line) for line in [*project["dependencies"], *(line for extra in extras for line in extra)]}
    checked: set[str] = set()
    while wanted:
        name = canonicalize_name(wanted.pop().name)
        if name in checked or name == "xuntu":
            continue
        checked.add(name)
        assert name in pins, name
        try:
            needs = [Requirement(line) for line in requires(name) or []]
        except ImportError:  # of an extra that is not installed here
            continue
        wanted |= {need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})}
    assert pins["torch"] == "2.13.0"
