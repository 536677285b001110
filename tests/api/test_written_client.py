"""The client that waits is the one that is awaited, as tools/client.py writes it."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "client.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("client_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_up_to_date(tool):
    written = tool.write(tool.SOURCE.read_text(encoding="utf-8"))
    assert written == tool.TARGET.read_text(encoding="utf-8"), "run: python tools/client.py"


def test_nothing_in_it_is_awaited(tool):
    text = tool.TARGET.read_text(encoding="utf-8")
    assert not [word for word in ("await", "async ", "anyio", "Async") if word in text]


def test_words_that_are_gone_are_said(tool):
    with pytest.raises(ValueError, match=r"asynchronous\.py does not have once: "):
        tool.write("class AsyncClient: ...")
