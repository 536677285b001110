"""Settings of the write side."""

from pathlib import Path
from typing import Literal, TypedDict

from pydantic import Field

from indexer.library.config import IndexSettings, LibrarySettings


class SettingKeywords(TypedDict, total=False):
    """The settings of `IndexerSettings` but `data`, as keywords for type checkers. A test holds both together."""

    weights: Path | None
    precision: Literal["auto", "fp32", "fp16", "int8"]
    device: str
    templates: Literal["auto", "on", "off"]
    threads: int
    offline: bool
    hub: Literal["auto", "huggingface", "modelscope"]
    mirror: str
    max_pixels: int
    max_file_bytes: int
    index: IndexSettings
    routing: str
    hub_correction: bool
    encoder: str
    workers: int | None
    batch_size: int | None
    fetch_timeout_seconds: float
    leave_out: str
    pinyin: bool | None
    regions: bool | None


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

    pinyin: bool | None = Field(
        None,
        description="Whether Latin letters find Chinese by its sound, as beijing and bj do 北京. Default: as it was",
    )
    regions: bool | None = Field(
        None,
        description="Whether regions of pictures are looked at as well, to find small things. Default: as it was",
    )
    leave_out: str = Field(
        "", description="Annotators that runs do without, commas between them, such as ocr; `index annotate` takes any"
    )

    @property
    def left_out(self) -> frozenset[str]:
        """The names of the annotators that runs do without."""
        return frozenset(name for part in self.leave_out.split(",") if (name := part.strip()))

    @property
    def encoders(self) -> list[str]:
        """The encoders that were named, the main one first; none: the library's own."""
        return [name for part in self.encoder.split(",") if (name := part.strip())]
