"""The library of `xuntu demo` as a reader of the documentation has it, and the service that answers from it."""

from pathlib import Path

import pytest

from api.config import Settings
from api.demo import run_demo
from api.http.app import create_app


@pytest.fixture(scope="session")
def demo_library(made_once) -> Path:
    """What `xuntu demo` makes in an empty folder: a library of fifteen pictures. Not to be changed."""
    return made_once("demo", lambda data: run_demo(None, data))


@pytest.fixture(scope="session")
def demo_url(serve_app, demo_library) -> str:
    """The address of a service that answers from `demo_library`."""
    return serve_app(create_app(Settings(data=demo_library)))


@pytest.fixture
def readers_folder(tmp_path, monkeypatch, demo_library) -> Path:
    """The working folder, after `xuntu demo`."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(demo_library)
    monkeypatch.chdir(tmp_path)
    return tmp_path
