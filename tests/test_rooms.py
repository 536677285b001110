"""The guards of the architecture: who owns what, and what is imported when."""

import importlib.util
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "indexer", "api", "ui", "xuntu")

BLOCKER = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
"""


def run_python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def owners():
    """Which distributions own which import packages, looked up once."""
    return packages_distributions()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_from_this_checkout_and_owned_by_nobody_else(room, owners):
    assert Path(importlib.util.find_spec(room).origin).parent == CHECKOUT / room
    assert set(owners.get(room, ["xuntu"])) <= {"xuntu"}


@pytest.mark.parametrize("room", ROOMS)
def test_type_checkers_read_a_room(room):
    assert (CHECKOUT / room / "py.typed").is_file()


def test_tests_are_no_packages():
    assert not list((CHECKOUT / "tests").rglob("__init__.py"))


def test_nothing_in_ui_is_named_like_a_room_or_a_dependency(owners):
    modules = (path for path in (CHECKOUT / "ui").iterdir() if path.is_dir() or path.suffix == ".py")
    names = {path.stem for path in modules} - {"__init__", "__pycache__"}
    taken = set(owners) | set(sys.stdlib_module_names) | set(ROOMS)
    assert not names & taken


def test_no_class_name_stands_for_two_things():
    named: dict[str, str] = {}
    for path in (path for room in ROOMS for path in (CHECKOUT / room).rglob("*.py")):
        for name in re.findall(r"^\s*class _?(\w+)[(:]", path.read_text("utf-8"), re.MULTILINE):
            here = str(path.relative_to(CHECKOUT))
            assert named.setdefault(name, here) == here, f"{name} is in {named[name]} and in {here}"


def test_the_fetch_by_name_of_torch_is_used_nowhere():
    assert not [path for room in ROOMS for path in (CHECKOUT / room).rglob("*.py") if "torch.hub" in path.read_text()]


def test_the_read_side_starts_without_torch_or_streamlit(processes):
    code = BLOCKER.format(blocked={"torch", "streamlit", "transformers", "cn_clip"})
    code += (
        "import api.http.app, api.config; api.http.app.create_app(api.config.Settings()); print(sorted(sys.modules))"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert "torch" not in done.stdout


def test_a_text_search_needs_neither_torch_nor_the_web_stack_nor_the_image_tower(library, processes):
    code = BLOCKER.format(blocked={"torch", "streamlit", "fastapi", "starlette", "uvicorn", "prometheus_client"})
    code += (
        "from api.search.engine import SearchEngine\n"
        "from api.search.query import Clause, Query\n"
        "from pathlib import Path\n"
        "engine = SearchEngine.open(Path(sys.argv[1]))\n"
        "result = engine.search(Query(clauses=[Clause(text='一只猫')], k=1))\n"
        "assert engine.encoders._image is None\n"
        "assert 'indexer.library.index.faiss.segments' in sys.modules\n"
        "assert 'indexer.library.index.faiss.construction' not in sys.modules\n"
        "print(result.hits[0].path)"
    )
    done = run_python(code, str(library))
    assert (done.returncode, done.stdout.strip()) == (0, "cat.png"), done.stderr


def test_importing_a_room_loads_no_library_behind_it(processes):
    done = run_python("import sys, json, api, indexer, models, ui, xuntu; print(json.dumps(sorted(sys.modules)))")
    heavy = {"numpy", "onnxruntime", "faiss", "fastapi", "torch", "streamlit", "PIL"}
    assert not heavy & set(json.loads(done.stdout))
