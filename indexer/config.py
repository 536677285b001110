"""Settings of the write side."""

from pathlib import Path
from typing import Literal, TypedDict

from pydantic import BaseModel, Field, SecretStr

from indexer.library.config import IndexSettings, LibrarySettings
from models.videos.options import MomentOptions


class VideoSettings(BaseModel):
    """How videos are looked at. Environment: XUNTU_VIDEO__SECONDS, XUNTU_VIDEO__MOMENTS, ..."""

    seconds: float = Field(
        10.0, ge=1, le=3600, description="At least every so many seconds of a video a frame is looked at"
    )
    moments: int = Field(
        1_000, ge=1, le=2_000, description="Most moments of one video; in a long one they are further apart"
    )
    limit_seconds: float = Field(600.0, gt=0, description="Time that one video may take; what was found in it is kept")

    @property
    def moment_options(self) -> MomentOptions:
        """How moments are looked for."""
        return MomentOptions(seconds=self.seconds, most=self.moments, limit_s=self.limit_seconds)


class CaptionSettings(BaseModel):
    """Who writes captions of pictures, and of how many. Environment: XUNTU_CAPTION__URL, XUNTU_CAPTION__MODEL, ..."""

    url: str = Field(
        "",
        pattern=r"^$|^https?://\S+$",
        description="Server that speaks OpenAI's protocol, such as http://localhost:11434/v1; pictures are sent there",
    )
    model: str = Field(
        "", description="Model that writes captions, as the server calls it; without one: florence-2 or qwen3-vl-2b"
    )
    key: SecretStr | None = Field(None, description="Key of the server, where it wants one")
    languages: Literal["both", "zh", "en"] = Field("both", description="Languages of captions")
    concurrency: int = Field(4, ge=1, le=64, description="Pictures that the server is asked about at once")
    timeout_seconds: float = Field(120.0, gt=0, description="How long the server may take to answer")
    budget: int | None = Field(
        None, ge=1, description="Most pictures that one `index annotate` has captioned; default: all"
    )
    with_updates: int = Field(
        0, ge=0, description="Most pictures that a build or update has captioned, once they can be searched"
    )

    @property
    def in_languages(self) -> tuple[Literal["zh", "en"], ...]:
        """The languages that captions are asked for in."""
        return ("zh", "en") if self.languages == "both" else (self.languages,)


class ClusterSettings(BaseModel):
    """How a cluster encodes. Environment: XUNTU_CLUSTER__SHARED, XUNTU_CLUSTER__SHARD, ..."""

    shared: Path | None = Field(
        None,
        description="Folder that every machine of the cluster sees under this path, for results on their way; "
        "without one they come through Ray",
    )
    shard: int = Field(
        256, ge=1, le=10_000, description="Pictures that a worker gets at once; on a GPU 8 times as many"
    )
    cpus: int = Field(1, ge=1, le=256, description="Processors of a worker that has no GPU")


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
    storage: str
    routing: str
    hub_correction: bool
    fetch_timeout_seconds: float
    allow_private: str
    fetch_through_proxy: bool
    encoder: str
    workers: int | None
    batch_size: int | None
    engine: str
    cluster: ClusterSettings
    leave_out: str
    video: VideoSettings
    labels: Path | None
    caption: CaptionSettings
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
    engine: str = Field(
        "local",
        pattern=r"^(local|ray|ray://[^\s/]+:[0-9]+|ray:[^\s/]+:[0-9]+)$",
        description="What encodes: local, ray (a cluster on this machine for the run), ray://HOST:10001 (a running "
        "cluster), or ray:HOST:6379 (one that this machine has joined)",
    )
    cluster: ClusterSettings = ClusterSettings()
    video: VideoSettings = VideoSettings()
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

    labels: Path | None = Field(
        None, description="List of labels that pictures get, one a line; default: labels.txt in the library"
    )
    caption: CaptionSettings = CaptionSettings()

    @property
    def left_out(self) -> frozenset[str]:
        """The names of the annotators that runs do without."""
        return frozenset(name for part in self.leave_out.split(",") if (name := part.strip()))

    @property
    def encoders(self) -> list[str]:
        """The encoders that were named, the main one first; none: the library's own."""
        return [name for part in self.encoder.split(",") if (name := part.strip())]
