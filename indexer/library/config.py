"""Settings of a library, which those who write it and those who search it share."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from indexer.library.addresses.networks import check_allowed
from indexer.library.index.records import IndexOptions
from models.config import EncoderSettings

if TYPE_CHECKING:
    from indexer.library.addresses.fetching import Fetching
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
    fetch_timeout_seconds: float = Field(20.0, gt=0, description="How long an address of a list may take to answer")
    allow_private: Annotated[str, AfterValidator(check_allowed)] = Field(
        "",
        description="Hosts inside this machine or network that addresses of lists may lead to: names, IP addresses or "
        "networks (10.1.0.0/16), commas between them. Default: none",
    )
    fetch_through_proxy: bool = Field(
        False,
        description="Fetch addresses of lists through the proxies of the environment (HTTPS_PROXY, ...), which look up "
        "names themselves: no address is then kept from leading inside, unless the proxy sees to it",
    )
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
    def fetching(self) -> "Fetching":
        """How what lies at an address is fetched."""
        from indexer.library.addresses.fetching import Fetching

        return Fetching(
            offline=self.offline,
            timeout_s=self.fetch_timeout_seconds,
            allow_private=self.allow_private,
            through_proxy=self.fetch_through_proxy,
        )

    @property
    def index_options(self) -> IndexOptions:
        """How the index is made and searched."""
        device = self.device if self.index.device == "auto" else self.index.device
        return IndexOptions(**{**self.index.model_dump(), "device": device})
