"""Settings of the write side. This module and `api/config.py` are the only ones that read the environment."""

from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from indexer.errors import InvalidSetting

S = TypeVar("S", bound="IndexerSettings")


class IndexerSettings(BaseSettings):
    """Where the library lies and how pictures are read. Environment: XUNTU_DATA, XUNTU_WORKERS, ..."""

    model_config = SettingsConfigDict(
        env_prefix="XUNTU_", env_nested_delimiter="__", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    data: Path = Field(Path("data"), description="Folder of the library")
    workers: int | None = Field(None, ge=0, le=256, description="Processes that decode; default: one a processor")
    batch_size: int = Field(32, ge=1, le=4096, description="Pictures encoded at once")
    max_pixels: int = Field(200_000_000, ge=1, description="Larger pictures are skipped and reported")
    max_file_bytes: int = Field(512 * 2**20, ge=1, description="Larger files are skipped and reported")


def load_settings(kind: type[S], **given: object) -> S:
    """Return settings; what is `given` and not None beats the environment. Raises InvalidSetting."""
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "XUNTU_" + "__".join(str(part) for part in first["loc"]).upper()
        raise InvalidSetting(name, str(first.get("input")), first["msg"]) from error
