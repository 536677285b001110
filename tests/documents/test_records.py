"""`tests/benchmarks/run.py --record` keeps what it measured, with the commit."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RESULT = {
    "machine": {"processor": "an abacus", "processors": 1},
    "photographs": 5,
    "photographs_mean_bytes": 7,
    "measures": {"speed": [{"title": "T", "head": ["measure"], "rows": [["fast"]], "notes": [], "facts": {"x": 1}}]},
}


@pytest.fixture(scope="module")
def records():
    spec = importlib.util.spec_from_file_location("records", CHECKOUT / "tests" / "benchmarks" / "records.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path, processes):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    (tmp_path / "file").write_text("one")
    for command in (("init", "-q"), ("add", "file"), (*identity, "commit", "-qm", "One")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_figures_belong_to_the_commit_that_is_checked_out(records, checkout):
    assert re.fullmatch(r"[0-9a-f]{40}", records.find_commit(checkout))
    (checkout / "other").write_text("a file that git does not know")
    assert re.fullmatch(r"[0-9a-f]{40}", records.find_commit(checkout))


def test_a_changed_tree_has_no_commit(records, checkout):
    (checkout / "file").write_text("two")
    with pytest.raises(records.NoCommit, match="not committed"):
        records.find_commit(checkout)


def test_a_folder_without_git_has_no_commit(records, tmp_path, monkeypatch, processes):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(records.NoCommit, match="not a git checkout"):
        records.find_commit(tmp_path)


def test_each_run_is_a_record_of_its_own(records, tmp_path):
    first, second = (records.write_record(tmp_path, "0123456789" * 4, RESULT) for _ in range(2))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-01234567\.json", first.name)
    assert second.name == f"{first.stem}-2.json"
    record = json.loads(first.read_text(encoding="utf-8"))
    assert record.items() >= {"format": 1, "commit": "0123456789" * 4, **RESULT}.items()
    assert first.name.startswith(record["date"])
