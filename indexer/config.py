"""Settings of the write side."""

from pydantic import Field

from indexer.library.config import LibrarySettings


class IndexerSettings(LibrarySettings):
    """Where the library lies and how pictures are read. Environment: XUNTU_DATA, XUNTU_WORKERS, ..."""

    encoder: str = Field(
        "", description="Encoders of the library, commas between them; the first is the main one. Default: its own"
    )
    workers: int | None = Field(None, ge=0, le=256, description="Processes that decode; default: one a processor")
    batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Pictures encoded at once; default: 32, for a large one on a processor 8, on a GPU 256",
    )
    fetch_timeout_seconds: float = Field(20.0, gt=0, description="How long an address of a list may take to answer")

    @property
    def encoders(self) -> list[str]:
        """The encoders that were named, the main one first; none: the library's own."""
        return [name for part in self.encoder.split(",") if (name := part.strip())]
