"""What is made from the code is made from this code."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generate(heavy):
    spec = importlib.util.spec_from_file_location("generate_documents", CHECKOUT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


@pytest.fixture
def copy(generate, tmp_path):
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs")
    for path, text in generate.find_stale(tmp_path).items():
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_nothing_generated_is_stale(generate):
    assert [str(path.relative_to(CHECKOUT)) for path in generate.find_stale(CHECKOUT)] == [], "run: make docs"


@pytest.mark.parametrize(
    ("page", "old"),
    [
        ("reference/cli.md", "`--min-relevance FLOAT`"),
        ("reference/settings.md", "`XUNTU_INDEX__RECALL`"),
        ("reference/openapi.json", "/v1/search/image"),
        ("encoders.zh.md", "| 512 |"),
        ("figures.md", "121 pictures a second"),
    ],
)
def test_what_was_changed_by_hand_is_found_and_written_anew(generate, copy, page, old):
    path = copy / "docs" / page
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, "something else"), encoding="utf-8")
    assert generate.find_stale(copy) == {path: text}


def test_a_block_that_nothing_fills_is_an_error(generate, copy):
    (copy / "docs" / "new.md").write_text("<!-- generated: weather -->\n<!-- end -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="weather"):
        generate.find_stale(copy)


def test_an_exit_status_says_whether_something_is_stale(generate, copy, monkeypatch, capsys):
    monkeypatch.setattr(generate, "ROOT", copy)
    shutil.copy(CHECKOUT / "pyproject.toml", copy)
    assert generate.main(["--check"]) == 0
    (copy / "docs" / "reference" / "cli.md").unlink()
    assert generate.main(["--check"]) == 1
    assert "docs/reference/cli.md" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
