"""Programs run and timed as a whole, and the bench they are run on."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from photographs import list_photographs, write_photographs

XUNTU = str(Path(sys.executable).with_name("xuntu"))
INDEXER = (sys.executable, "-m", "indexer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that ended well: `wall_s` from start to end, `cpu_s` of it and of every process it waited for."""

    wall_s: float
    cpu_s: float
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run keeps its files, how many photographs its library has, and where a checkout of the page before is."""

    folder: Path
    pictures: int
    page_before: Path | None = None

    @property
    def photographs(self) -> Path:
        """The folder of all photographs."""
        return self.folder / "photographs"

    @property
    def first_photographs(self) -> Path:
        """The folder of those that are indexed over and over."""
        return self.photographs / "first"

    @property
    def library(self) -> Path:
        """The library of all photographs."""
        return self.folder / "library"

    def prepare(self) -> int:
        """Write the photographs that are missing, and read all of them once; return their mean size in bytes."""
        size = write_photographs(self.photographs, self.pictures)
        for path in list_photographs(self.photographs, self.pictures):
            path.read_bytes()
        return size

    def ensure_library(self) -> None:
        """Index all photographs, where that has not been done."""
        if not (self.library / "builds" / "CURRENT").exists():
            say("indexing all photographs")
        self.build(self.library, self.photographs)

    def build(
        self, library: Path, photographs: Path, *options: str, settings: Mapping[str, str] | None = None
    ) -> tuple[dict[str, float], Finished]:
        """Run the command that indexes a folder; return its report and how long it took."""
        finished = self.run([*INDEXER, "--data", str(library), "build", str(photographs), "--json", *options], settings)
        return json.loads(finished.stdout), finished

    def run(self, command: Sequence[str], settings: Mapping[str, str] | None = None) -> Finished:
        """Run a program to its end, with no settings in the environment but these.

        Raises CalledProcessError if it fails.
        """
        environment = clean_environment() | dict(settings or {})
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=output, stderr=errors, cwd=self.folder, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            errors.seek(0)
            stdout, stderr = output.read(), errors.read()
        if process.returncode:
            say(stderr)
            raise subprocess.CalledProcessError(process.returncode, list(command))
        return Finished(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, stdout=stdout, stderr=stderr)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without the product's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("XUNTU_")}


def say(message: str) -> None:
    """Print progress."""
    print(message, file=sys.stderr, flush=True)
