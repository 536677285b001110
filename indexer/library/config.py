"""Settings of a library, which those who write it and those who search it share."""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from indexer.library.index.records import IndexOptions
from models.config import EncoderSettings

if TYPE_CHECKING:
    from models.pictures.limits import DecodeLimits


class IndexSettings(BaseModel):
    """How the vector index is made. Environment: XUNTU_INDEX__RECIPE, XUNTU_INDEX__RECALL, ..."""

    backend: str = Field("faiss", description="What makes and searches the index; others come with other packages")
    recipe: Literal["auto", "flat", "ivf"] = Field("auto", description="flat: exact; ivf: for millions; auto: by size")
    recall: float = Field(0.98, gt=0, le=1, description="Share of the exact answers that ivf is tuned to find")
    training_rows: int = Field(131_072, ge=1_000, description="Most vectors that ivf is trained on")
    memory_bytes: int = Field(2**30, ge=2**24, description="Most memory that training takes")
    threads: int = Field(0, ge=0, le=1024, description="Threads that make the index; 0: every processor")
    fold_share: float = Field(0.5, gt=0, le=1, description="Share of additions at which the whole is made anew")
    hub_correction: bool = Field(True, description="Measure how well each picture scores with any text at all")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$",
        description="cpu, cuda or cuda:N makes and searches the index; auto: what XUNTU_DEVICE says",
    )
    gpu_share: float = Field(0.5, gt=0, le=1, description="Most of a GPU's free memory that vectors take")


class LibrarySettings(EncoderSettings):
    """What a picture file may hold, and how the index is made and searched. Environment: XUNTU_MAX_PIXELS, ..."""

    max_pixels: int = Field(200_000_000, ge=1, description="Larger pictures are skipped and reported")
    max_file_bytes: int = Field(512 * 2**20, ge=1, description="Larger files are skipped and reported")
    index: IndexSettings = IndexSettings()
    routing: str = Field("", description="Encoders that answer, before the library's routes: zh=A en=A+B picture=C")
    hub_correction: bool = Field(
        True, description="Rank texts by the score less what a picture scores with any text, where the index has that"
    )

    @property
    def decode_limits(self) -> "DecodeLimits":
        """The largest picture file of a library that is read."""
        from models.pictures.limits import DecodeLimits

        return DecodeLimits(max_pixels=self.max_pixels, max_bytes=self.max_file_bytes)

    @property
    def index_options(self) -> IndexOptions:
        """How the index is made and searched."""
        device = self.device if self.index.device == "auto" else self.index.device
        return IndexOptions(**{**self.index.model_dump(), "device": device})
