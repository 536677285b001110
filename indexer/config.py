"""Settings of the write side. This module and `api/config.py` are the only ones that read the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class IndexerSettings(BaseSettings):
    """Where the library lies and how pictures are read. Environment: XUNTU_DATA, XUNTU_WORKERS, ..."""

    model_config = SettingsConfigDict(env_prefix="XUNTU_", env_nested_delimiter="__", env_file=".env", extra="ignore")

    data: Path = Field(Path("data"), description="Folder of the library")
    workers: int | None = Field(None, ge=0, le=256, description="Processes that decode; default: one a processor")
    batch_size: int = Field(32, ge=1, le=4096, description="Pictures encoded at once")
    max_pixels: int = Field(200_000_000, ge=1, description="Larger pictures are skipped and reported")
    max_file_bytes: int = Field(512 * 2**20, ge=1, description="Larger files are skipped and reported")
