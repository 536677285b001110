"""Where everything of one library lies on disk."""

import shutil
from collections.abc import Collection
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
    def library_file(self) -> Path:
        """The file that says where the index and the storage of the library lie; a local library has none."""
        return self.data / "library.json"

    @property
    def received(self) -> Path:
        """The file of what was fetched of a library that is written on another machine; others have none."""
        return self.data / "replica.json"

    @property
    def lock(self) -> Path:
        """The file whose lock the writer holds."""
        return self.data / "write.lock"

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails."""
        return self.data / "thumbnails"

    @property
    def cached_thumbnails(self) -> Path:
        """The folder of thumbnails that lie in object storage, and here as long as there is room."""
        return self.data / "cache" / "thumbnails"

    @property
    def uploads(self) -> Path:
        """The folder of pictures that a service was sent and keeps for a while."""
        return self.data / "uploads"

    @property
    def routing(self) -> Path:
        """The file that says which encoder answers which kind of query."""
        return self.data / "routing.json"

    @property
    def jobs(self) -> Path:
        """The folder of the jobs that the service was asked for."""
        return self.data / "jobs"

    @property
    def boards(self) -> Path:
        """The database of the boards on which people collect pictures."""
        return self.data / "boards.sqlite3"

    @property
    def tickets(self) -> Path:
        """The folder of what was asked to be downloaded, for some minutes."""
        return self.data / "tickets"

    @property
    def progress(self) -> Path:
        """The file that says how far the run that writes has come."""
        return self.data / "progress.json"

    @property
    def encoding(self) -> Path:
        """The folder of what workers have encoded, until it is in the catalog."""
        return self.data / ".encoding"

    @property
    def keys(self) -> Path:
        """The file of the keys of the REST API."""
        return self.data / "keys.json"

    def vectors(self, encoder: str) -> Path:
        """Return the folder of an encoder's vector shards."""
        return self.data / "vectors" / encoder

    def queries(self, encoder: str, fingerprint: str, texts: str) -> Path:
        """Return the file of the vectors of ordinary queries; `texts` stands for what they say."""
        return self.data / "queries" / f"{encoder}-{fingerprint}-{texts}.npy"

    def relevance(self, encoder: str, fingerprint: str) -> Path:
        """Return the file that says how likely a hit of a score is right."""
        return self.data / "relevance" / f"{encoder}-{fingerprint}.json"

    def thumbnail(self, sha256: str, part: int = 0) -> Path:
        """Return the thumbnail of the picture file whose content has this checksum (hex), or of a part of it."""
        return self.thumbnails / sha256[:2] / (f"{sha256}-{part}.webp" if part else f"{sha256}.webp")

    def delete_vectors_but(self, encoders: Collection[str]) -> None:
        """Delete the vectors of every other encoder."""
        for folder in (self.data / "vectors").glob("*"):
            if folder.name not in encoders:
                shutil.rmtree(folder, ignore_errors=True)
