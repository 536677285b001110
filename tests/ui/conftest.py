"""Fixtures of the page's tests: the small service beside this file, in every state the page has to show."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from ui.components import PARTS

ROOT = Path(__file__).parents[2]


APP = PARTS.parent / "app.py"


class Seen:
    """The views that a run handed to the browser."""

    def __init__(self, app):
        assert not app.exception
        parts = {one.key: json.loads(one.proto.json) for one in app if one.type == "bidi_component"}
        self.bar, self.stage, self.detail = parts["bar"], parts["stage"], parts["detail"]


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


@pytest.fixture
def run(monkeypatch):
    """Runs the page for the parameters of a URL against a service."""

    def run_page(url, *, uploads=None, **params):
        monkeypatch.setenv("XUNTU_UI__API_URL", url)
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = value
        if uploads:
            app.session_state["uploads"] = uploads
        return Seen(app.run())

    yield run_page
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
