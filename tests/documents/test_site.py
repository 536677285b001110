"""The documents as a site, as `make docs` builds it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the extra docs")
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory, processes) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_both_languages_are_built_without_a_warning(site):
    assert "First library in ten minutes" in (site / "tutorial" / "index.html").read_text(encoding="utf-8")
    assert "十分钟建立第一个图片库" in (site / "zh" / "tutorial" / "index.html").read_text(encoding="utf-8")


def test_wrapped_chinese_lines_are_shown_without_a_space_between_them(site):
    shown = (site / "zh" / "tutorial" / "index.html").read_text(encoding="utf-8")
    assert not re.findall(
        r"[\u4e00-\u9fff，。]\s+[\u4e00-\u9fff]", re.sub(r"<[^>]+>", "|", shown.partition("<article")[2])
    )


def test_a_page_without_a_translation_is_shown_in_english(site):
    assert "xuntu search" in (site / "zh" / "reference" / "cli" / "index.html").read_text(encoding="utf-8")


def test_a_page_leads_to_its_other_language(site):
    assert 'href="../zh/tutorial/" hreflang="zh"' in (site / "tutorial" / "index.html").read_text(encoding="utf-8")


def test_records_of_figures_and_the_openapi_document_can_be_fetched(site):
    assert (site / "figures" / "0.1.json").is_file()
    assert (site / "reference" / "openapi.json").is_file()
    assert not list(site.rglob("*.py"))


def test_nothing_is_fetched_from_elsewhere(site):
    page = (site / "index.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert 'rel="stylesheet" href="http' not in page
