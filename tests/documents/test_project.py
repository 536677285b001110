"""The files that speak of the project: the example environment and the pins."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from api.config import Settings
from indexer.config import IndexerSettings

CHECKOUT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def test_the_example_environment_names_real_settings():
    for variable in re.findall(r"^#? ?XUNTU_([A-Z_]+)=", read(".env.example"), re.MULTILINE):
        first, *parts = variable.lower().split("__")
        field = Settings.model_fields.get(first) or IndexerSettings.model_fields.get(first)
        for part in parts:
            assert field, variable
            field = field.annotation.model_fields.get(part)
        assert field, variable


def test_every_package_is_pinned(heavy):
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
        wanted |= {
            need
            for need in needs
            if (need.marker is None or need.marker.evaluate({"extra": ""})) and not _comes_with_cuda(name, need)
        }
    assert pins["torch"] == "2.13.0"


def _comes_with_cuda(name: str, need: Requirement) -> bool:
    """Say whether a package is what torch needs where its build for CUDA is installed; torch names the versions."""
    return name == "torch" and need.name.startswith(("cuda-", "nvidia-", "triton"))


@pytest.mark.parametrize("path", sorted((CHECKOUT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.name)
def test_a_form_for_issues_can_be_filled_in(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert any(field.get("validations", {}).get("required") for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(" / " in field["attributes"]["label"] for field in fields)  # in both languages
