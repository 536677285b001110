"""Where everything of one library lies on disk."""

import shutil
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

    def queries(self, encoder: str, fingerprint: str) -> Path:
        """Return the file of the vectors of ordinary queries."""
        return self.data / "queries" / f"{encoder}-{fingerprint}.npy"

    def thumbnail(self, sha256: str) -> Path:
        """Return the thumbnail of the picture file whose content has this checksum (hex)."""
        return self.thumbnails / sha256[:2] / f"{sha256}.webp"

    def delete_vectors_but(self, encoder: str) -> None:
        """Delete the vectors of every other encoder."""
        for folder in self.vectors(encoder).parent.iterdir():
            if folder.name != encoder:
                shutil.rmtree(folder, ignore_errors=True)
