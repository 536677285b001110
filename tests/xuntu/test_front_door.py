"""The package as a whole: its names, what importing it loads, and that its documentation does what it says."""

import ast
import doctest
import importlib
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import get_type_hints

import pytest

import xuntu
import xuntu.errors
from api.search.options import SearchKeywords
from indexer.config import IndexerSettings, SettingKeywords

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTED = (
    "xuntu",
    "xuntu.doors",
    "xuntu.library",
    "api.client.synchronous",
    "api.client.asynchronous",
)
EXAMPLES = [
    (importlib.import_module(module), example)
    for module in DOCUMENTED
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    if example.examples
]
SERVED = "http://127.0.0.1:8000"


def test_every_name_is_there_and_has_a_description():
    assert sorted(xuntu.__all__) == dir(xuntu)
    for name in xuntu.__all__:
        found = getattr(xuntu, name)
        assert name == "__version__" or found.__doc__, name
    assert xuntu.__version__ == version("xuntu")
    with pytest.raises(AttributeError, match="serach"):
        xuntu.serach  # noqa: B018


def test_every_error_to_catch_is_one_of_the_product_s():
    for name in xuntu.errors.__all__:
        error = getattr(xuntu.errors, name)
        assert issubclass(error, xuntu.ImageSearchError)
        assert name in xuntu.errors.__doc__


def test_the_settings_as_keywords_are_those_of_the_commands():
    hints = get_type_hints(SettingKeywords)
    fields = {name: field for name, field in IndexerSettings.model_fields.items() if name != "data"}
    assert hints == {name: field.annotation for name, field in fields.items()}


def test_importing_it_loads_nothing_but_itself(processes):
    code = "import sys, json, xuntu; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {
        "numpy",
        "pydantic",
        "PIL",
        "httpx",
        "onnxruntime",
        "faiss",
        "torch",
        "api",
        "indexer",
        "models",
    }


@pytest.mark.parametrize(("module", "example"), EXAMPLES, ids=[example.name for _, example in EXAMPLES])
def test_the_documentation_does_what_it_says(module, example, readers_folder, demo_url, heavy):
    for line in example.examples:
        line.source = line.source.replace(SERVED, demo_url)
    runner = doctest.DocTestRunner(verbose=False)
    output: list[str] = []
    assert runner.run(example, out=output.append).failed == 0, "".join(output)


def test_what_is_documented_has_examples():
    named = {example.name for _, example in EXAMPLES}
    assert named >= {
        "xuntu",
        "xuntu.doors.open",
        "xuntu.doors.connect",
        "xuntu.library.Library.search",
        "xuntu.library.Library.add",
        "xuntu.library.Library.pictures",
        "xuntu.library.Library.vectors",
        "xuntu.library.Library.encode_text",
        "api.client.synchronous.Client.search",
        "api.client.asynchronous.AsyncClient.search",
    }


def test_the_page_about_python_names_what_there_is():
    page = (CHECKOUT / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    owners = {"xuntu": xuntu, "library": xuntu.Library, "client": xuntu.Client, "errors": xuntu.errors}
    assert blocks
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            assert owner not in owners or hasattr(owners[owner], node.attr), node.attr
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "library.search":
            named = {keyword.arg for keyword in node.keywords}
            assert named <= {"q", "image", "like", "where", *get_type_hints(SearchKeywords)}
