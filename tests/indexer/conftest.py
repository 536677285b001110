"""An album: a folder of small pictures and the library built of it, through the front door."""

import ctypes
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from indexer.config import IndexerSettings
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.library.opened import OpenBuild, open_build
from indexer.pipeline.commands import BuildOptions, BuildReport, build, rebuild, verify

pillow_heif.register_heif_opener()

CHECKOUT = Path(__file__).resolve().parents[2]
INDEXER = [sys.executable, "-m", "indexer"]
PROGRESS = re.compile(r"^\d+ of \d+, [\d.]+ a second, .*\n", re.MULTILINE)  # lines of a run that takes long


class Album:
    """Pictures in `pictures`, their library in `data`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = folder / "pictures"
        self.data = folder / "data"
        self.layout = Layout(self.data)
        self.pictures.mkdir(parents=True)

    # Pictures

    def draw(self, *names: str | Path, seed: int = 0, **options: object) -> Path:
        """Draw a picture of its own for each name (below `pictures`); return the last file."""
        path = self.pictures
        for name in names:
            path = self.pictures / name
            path.parent.mkdir(parents=True, exist_ok=True)
            blocks = np.random.default_rng([seed, zlib.crc32(os.fsencode(path))]).integers(0, 256, (6, 8, 3), np.uint8)
            Image.fromarray(blocks).resize((48, 36), Image.Resampling.NEAREST).save(path, **options)
        return path

    def redraw(self, name: str) -> Path:
        """Put another picture in a file's place, later than the one before."""
        before = (self.pictures / name).stat().st_mtime_ns
        path = self.draw(name, seed=1)
        os.utime(path, ns=(before + 10**9, before + 10**9))
        return path

    def write_list(self, text: str, name: str = "list.csv", encoding: str = "utf-8") -> Path:
        """Write a list beside `pictures`; return the file."""
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return path

    # Commands, in this process

    def settings(self, **values: object) -> IndexerSettings:
        return IndexerSettings(**{"data": self.data, "workers": 0, **values})

    def build(self, *folders: Path, settings: IndexerSettings | None = None, **options: object) -> BuildReport:
        return build(
            settings or self.settings(), folders or (self.pictures,), BuildOptions(**{"encoders": ["hash"], **options})
        )

    def update(self, **options: object) -> BuildReport:
        return build(self.settings(), (), BuildOptions(**options))

    def rebuild(self) -> BuildReport:
        return rebuild(self.settings())

    def problems(self) -> list[str]:
        """Return in English what is found damaged."""
        return [damage.text("en") for damage in verify(self.settings())]

    # Commands, as processes

    def command(
        self, *arguments: object, prepare: Callable[[], None] | None = None, cwd: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `python -m indexer`, which never shows a traceback whatever happens."""
        if prepare:
            environment["COVERAGE_PROCESS_CONFIG"] = ""  # it could not write what was covered
        done = subprocess.run(
            [*INDEXER, *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=cwd or self.folder,
            env=self.environment(**environment),
            preexec_fn=prepare,
            check=False,
            timeout=300,
        )
        assert "Traceback" not in done.stderr, done.stderr
        done.stderr = PROGRESS.sub("", done.stderr)
        return done

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG"))}
        return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT), **more}

    def ask(self, command: str, *arguments: object) -> dict[str, object]:
        """Run a command that succeeds, and return its JSON."""
        done = self.command(command, "--data", self.data, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # What the library holds

    def open(self) -> OpenBuild:
        return open_build(self.data)

    def indexed(self) -> list[ImageRow]:
        """Return the pictures of the index in use."""
        opened = self.open()
        rows = opened.catalog.get_images(opened.index.list_ids().tolist())
        opened.catalog.close()
        assert len(rows) == len(opened.index)
        return list(rows.values())

    def rows(self) -> dict[str, ImageRow]:
        """Return path relative to `pictures` -> picture, of the index in use."""
        return {os.path.relpath(row.place, self.pictures): row for row in self.indexed()}

    def annotations(self, name: str) -> dict[str, object]:
        """Return what annotators found in a picture (below `pictures`), by the names of their fields."""
        row, catalog = self.rows()[name], Catalog(self.layout.catalog)
        found = catalog.get_annotations([row.content_id])[row.content_id]
        catalog.close()
        return found

    def by_path(self) -> dict[str, ImageRow]:
        """Return path as the catalog has it -> picture, of the index in use."""
        return {row.path: row for row in self.indexed()}

    def failed(self) -> dict[str, str]:
        """Return place -> why what is there is not indexed."""
        catalog = Catalog(self.layout.catalog)
        found = {place: reason for place, reason, _ in catalog.list_failures()}
        catalog.close()
        return found

    def names(self) -> list[str]:
        """Return the indexed files, sorted, as paths relative to `pictures`."""
        return sorted(self.rows())

    def ids(self) -> dict[str, int]:
        return {name: row.id for name, row in self.rows().items()}

    def failures(self) -> dict[str, str]:
        """Return path -> why it is not indexed."""
        catalog = Catalog(self.layout.catalog)
        found = {os.path.relpath(path, self.pictures): reason for path, reason, _ in catalog.list_failures()}
        catalog.close()
        return found

    def counts(self) -> dict[str, int]:
        catalog = Catalog(self.layout.catalog)
        counts = catalog.counts()
        catalog.close()
        return counts

    def build_names(self) -> set[str]:
        return {path.name for path in self.layout.builds.iterdir() if path.is_dir()}

    def neighbours(self, k: int = 5) -> list[tuple[list[int], list[float]]]:
        """Return what each picture finds with its own vector."""
        index = self.open().index
        found = index.search(index.fetch(index.list_ids()), k)
        return list(zip(found.ids.tolist(), found.scores.tolist(), strict=True))


@pytest.fixture
def album(tmp_path) -> Album:
    return Album(tmp_path)


@pytest.fixture
def full_album(album) -> Album:
    """An album of five pictures, built."""
    album.draw("a.png", "b.jpg", "c.webp", "trip/d.png", "trip/e.bmp")
    album.build()
    return album


@pytest.fixture(scope="session")
def without_privileges(processes) -> Callable[[], None]:
    """Give what makes a child process obey file permissions, even one of root."""

    def drop() -> None:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

    if sys.platform != "linux":
        pytest.skip("takes Linux capabilities")
    probe = "import os, tempfile; f = tempfile.mkdtemp(); os.chmod(f, 0)\ntry: os.listdir(f)\nfinally: os.rmdir(f)"
    if subprocess.run([sys.executable, "-c", probe], preexec_fn=drop, capture_output=True, check=False).returncode == 0:
        pytest.skip("this user cannot be kept from reading a file")
    return drop
