"""The `xuntu` command as a process, as a person or a script meets it."""

import os
import subprocess
import sys

import pytest

XUNTU = [sys.executable, "-c", "from api.cli import main; main()"]


@pytest.fixture
def xuntu(tmp_path, processes):
    """Run `xuntu` in an empty folder with an empty home; return the finished process."""

    def run(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG"))}
        return subprocess.run(
            [*XUNTU, *map(str, args)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**kept, "HOME": str(tmp_path), "LANG": "C.UTF-8", **environment},
            check=False,
            timeout=300,
        )

    return run
