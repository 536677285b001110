"""Settings of a library, which those who write it and those who search it share."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from indexer.library.addresses.networks import check_allowed
from indexer.library.index.records import IndexOptions
from indexer.library.storage.addresses import read_index_address, read_storage_address
from indexer.library.storage.errors import StorageDiffers
from indexer.library.storage.library_file import LibraryFile
from models.config import EncoderSettings

if TYPE_CHECKING:
    from indexer.library.addresses.fetching import Fetching
    from models.pictures.limits import DecodeLimits


class IndexSettings(BaseModel):
    """How the vector index is made. Environment: XUNTU_INDEX__RECIPE, XUNTU_INDEX__RECALL, ..."""

    backend: str = Field("faiss", description="What makes and searches the index; others come with other packages")
    address: str = Field(
        "",
        description="Where the index lies, for a back end of another package: NAME://HOST:PORT/DB; default: what the "
        "library's own file says",
    )
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
    storage: str = Field(
        "",
        description="Object storage of thumbnails, vectors and builds, such as s3://bucket/prefix; default: "
        "what the library's own file says",
    )
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
    def library_file(self) -> LibraryFile:
        """What the library's own file says of where it lies. Raises LibraryFileUnreadable."""
        return LibraryFile.read(self.data)

    @property
    def index_options(self) -> IndexOptions:
        """How the index is made and searched, and where: as set, else as the library's own file says.

        Raises InvalidAddress or LibraryFileUnreadable.
        """
        device = self.device if self.index.device == "auto" else self.index.device
        values, file = self.index.model_dump(), self.library_file
        named = values["backend"] if "backend" in self.index.model_fields_set else ""
        address = self.index.address or file.index or ""
        backend = read_index_address(address).backend if address else ""
        if named and named != backend:  # the address is another back end's
            backend, address = named, ""
        values |= {"backend": backend or values["backend"], "address": address, "library": file.id, "device": device}
        return IndexOptions(**values)

    @property
    def storage_address(self) -> str | None:
        """The object storage of the library, as its own file says, else as set; None where it is all in its folder.

        Raises InvalidAddress, StorageDiffers or LibraryFileUnreadable.
        """
        named, own = read_storage_address(self.storage).text if self.storage else None, self.library_file.storage
        if own and named and own != named:
            raise StorageDiffers(own, named)
        return own or named
