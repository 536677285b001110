"""Fixtures of the page's tests: the small service beside this file, in every state the page has to show."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_fake():
    spec = importlib.util.spec_from_file_location("ui_fake_api", Path(__file__).with_name("fake_api.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fake_api():
    return load_fake()


@pytest.fixture(scope="session")
def drawn_pictures(fake_api):
    return fake_api.make_pictures(70)


@pytest.fixture
def fake(fake_api, drawn_pictures):
    """The service's contents, to be changed by a test."""
    return fake_api.Fake(list(drawn_pictures))


@pytest.fixture
def api_url(fake_api, fake):
    with fake_api.serve(fake) as url:
        yield url
