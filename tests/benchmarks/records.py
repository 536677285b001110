"""Figures that are kept: a file in docs/figures/ for each run, with the commit, the day and the machine."""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

FORMAT = 1


class NoCommit(Exception):
    """The tree is not that of a commit, so figures would belong to none."""


def find_commit(checkout: Path) -> str:
    """Return the commit that is checked out. Raises NoCommit where git is missing or the tree has changes."""
    try:
        changes = _git(checkout, "status", "--porcelain", "--untracked-files=no")
        commit = _git(checkout, "rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"{checkout} is not a git checkout"
        raise NoCommit(message) from error
    if changes:
        message = "there are changes that are not committed: figures would belong to no commit"
        raise NoCommit(message)
    return commit


def write_record(folder: Path, commit: str, result: Mapping[str, object]) -> Path:
    """Write a result of the benchmarks as a new record, and return its file; no record is ever changed."""
    date = datetime.now(UTC).date().isoformat()
    record = {"format": FORMAT, "commit": commit, "date": date, "note": "", **result}
    name, number = f"{date}-{commit[:8]}", 1
    while True:
        path = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        except FileExistsError:
            number += 1
        else:
            return path


def _git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
