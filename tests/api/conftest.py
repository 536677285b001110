"""The `xuntu` command as a process, as a person meets it; a copy of a library; an encoder whose vectors are known."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.config import IndexerSettings
from indexer.pipeline.roots import move_root
from models.encoders import registry

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


@pytest.fixture
def copy_of(tmp_path):
    """Copy a folder that has a library in `data` and its pictures in `pictures`, so that the copy may be changed."""

    def copy(made: Path) -> Path:
        own = shutil.copytree(made, tmp_path / "own")
        move_root(IndexerSettings(data=own / "data", workers=0), made / "pictures", own / "pictures")
        return own

    return copy


@pytest.fixture(scope="module")
def angles(tmp_path_factory) -> Iterator[str]:
    """Install another package with the encoder "angles" (see plugin/angles.py), and return its name."""
    installed = tmp_path_factory.mktemp("installed")
    metadata = installed / "angles-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: angles\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\nangles = angles:AnglesFamily\n")
    shutil.copy(Path(__file__).with_name("plugin") / "angles.py", installed)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        registry._plugged_in.cache_clear()  # plug-ins are looked for once in a process
        yield "angles"
    registry._plugged_in.cache_clear()
