"""Where everything of one library lies on disk, and how a file is replaced safely."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one data folder."""

    data: Path

    @property
    def catalog(self) -> Path:
        """The table of images."""
        return self.data / "catalog.sqlite3"

    @property
    def builds(self) -> Path:
        """The folder of published builds."""
        return self.data / "builds"

    @property
    def current(self) -> Path:
        """The file that names the build in use."""
        return self.builds / "CURRENT"

    @property
    def lock(self) -> Path:
        """The file whose lock the writer holds."""
        return self.data / "write.lock"

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails."""
        return self.data / "thumbnails"

    def vectors(self, encoder: str) -> Path:
        """Return the folder of an encoder's vector shards."""
        return self.data / "vectors" / encoder

    def thumbnail(self, sha256: str) -> Path:
        """Return the thumbnail of the picture file whose content has this checksum (hex)."""
        return self.thumbnails / sha256[:2] / f"{sha256}.webp"


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees either the old content or all of the new."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
