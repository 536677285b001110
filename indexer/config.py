"""Settings of the write side."""

from pydantic import Field

from models.config import EncoderSettings


class IndexerSettings(EncoderSettings):
    """Where the library lies and how pictures are read. Environment: XUNTU_DATA, XUNTU_WORKERS, ..."""

    workers: int | None = Field(None, ge=0, le=256, description="Processes that decode; default: one a processor")
    batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Pictures encoded at once; default: 32, for a large one on a processor 8, on a GPU 256",
    )
    max_pixels: int = Field(200_000_000, ge=1, description="Larger pictures are skipped and reported")
    max_file_bytes: int = Field(512 * 2**20, ge=1, description="Larger files are skipped and reported")
