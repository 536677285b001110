"""Every command of the tutorial, and every program of the how-to pages, is run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SERVICE = "http://127.0.0.1:8000"
XUNTU = f"""#!/bin/sh
PYTHONPATH={shlex.quote(str(CHECKOUT))} exec {shlex.quote(sys.executable)} -c 'from api.cli import main; main()' "$@"
"""


def blocks(page: str, language: str) -> list[str]:
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for its_language, block in found if its_language == language]


@pytest.fixture(scope="module")
def run(tmp_path_factory, processes):
    """Run a line in a shell, in a folder of the tutorial's own; return what it printed. `xuntu` is this checkout."""
    folder = tmp_path_factory.mktemp("tutorial")
    script = folder / "bin" / "xuntu"
    script.parent.mkdir()
    script.write_text(XUNTU)
    script.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XUNTU_")}
    environment |= {"PATH": f"{script.parent}:{environment['PATH']}", "LC_ALL": "C.UTF-8", "HOME": str(folder)}

    def run_line(line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    run_line.folder = folder
    return run_line


@pytest.fixture(scope="module")
def printed(run) -> dict[str, str]:
    """What each command of the tutorial printed, run in order; those that install or serve are not among them."""
    lines = [line for block in blocks("tutorial.md", "") for line in block.splitlines()]
    return {line: run(line) for line in lines if re.match(r"xuntu (?!serve)|rm ", line)}


def test_every_command_is_run_or_known():
    lines = [line for block in blocks("tutorial.md", "") for line in block.splitlines()]
    others = [line for line in lines if not re.match(r"xuntu (?!serve)|rm ", line)]
    assert others == [
        "make install",
        "source .venv/bin/activate",
        "xuntu serve --with-ui --data first",
        f"curl '{SERVICE}/v1/search?q=a+cat&k=3'",
    ]


def test_what_is_shown_as_printed_is_printed(printed):
    summary, hits = blocks("tutorial.md", "text")
    assert summary.strip() in printed["xuntu index build try/pictures --data first"]
    head, first = hits.strip().splitlines()
    answer = printed["xuntu search --data first 一只猫 --k 3"].splitlines()
    assert answer[0].split() == head.split()
    assert first.split()[-1] in answer[1].split()[-1]


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ('xuntu search --data first "a cat" --k 3', "chelsea.png"),
        ("xuntu search --data first --image try/pictures/chelsea.png --k 3", "chelsea.png"),
        ('xuntu search --data first "a rocket" --where "format=jpeg and width>=300" --k 3', "rocket.jpg"),
        ("xuntu search --data first 摄影师 --k 3 --sheet photographer.png", "camera.png"),
    ],
)
def test_the_first_hit_is_what_was_asked_for(printed, command, first):
    assert printed[command].splitlines()[1].endswith(first)


def test_files_that_are_named_are_there(printed, run):
    assert (run.folder / "try" / "contact-sheet.png").is_file()
    assert (run.folder / "photographer.png").is_file()
    assert "1 removed" in printed["xuntu index update --data first"]


def test_the_service_answers_as_the_tutorial_asks(printed, run, serve):
    url = serve(run.folder / "first")
    (line,) = [line for block in blocks("tutorial.md", "") for line in block.splitlines() if line.startswith("curl")]
    with urllib.request.urlopen(shlex.split(line)[1].replace(SERVICE, url)) as response:
        assert b"chelsea.png" in response.read()


@pytest.mark.parametrize("page", ["how-to/rest-api.md"])
def test_the_programs_of_a_page_run(page, server, processes):
    for program in blocks(page, "python"):
        assert SERVICE in program
        done = subprocess.run(
            [sys.executable, "-c", program.replace(SERVICE, server)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "cat.png" in done.stdout.splitlines()[0]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_knows_how_to_install(processes):
    subprocess.run(["make", "--dry-run", "install", "docs"], cwd=CHECKOUT, check=True, capture_output=True)
