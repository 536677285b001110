"""Settings of the read side. Only the `config.py` of each room reads the environment."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, field_validator

from api.keys.rates import RATE_PATTERN
from indexer.library.config import LibrarySettings
from indexer.library.layout import Layout

DEFAULT_LIBRARY = "default"  # what the library is called that is reached without a name
_LIBRARY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
LEAST_DECODE_MEMORY = 2**26  # bytes


class ApiSettings(BaseModel):
    """How the service listens and what it lets in. Environment: XUNTU_API__HOST, XUNTU_API__TOKEN, ..."""

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0: any that is free")
    workers: int = Field(1, ge=1, le=64, description="Processes that answer; they share out the limits below")
    token: SecretStr | None = Field(None, description="Clients must send it as a bearer token")
    allow_anonymous: bool = Field(False, description="Listen beyond this machine without a token")
    keys: Path | None = Field(None, description="File of keys (xuntu key); default: keys.json in the library")
    anonymous_scopes: str | None = Field(
        None,
        pattern=r"^(search|files|boards|index|admin)?(,(search|files|boards|index|admin))*$",
        description="What callers without a token may do, whatever keys there are: search,files",
    )
    page_scopes: str | None = Field(
        None,
        pattern=r"^(search|files|boards|index|admin)?(,(search|files|boards|index|admin))*$",
        description="What the page beside it may do; default: search,files,boards and what callers without a token may",
    )
    rate: str = Field(
        "", pattern=rf"^(?i:{RATE_PATTERN})?$", description="How often an address may ask: 600/min; empty: any number"
    )
    redis: SecretStr | None = Field(
        None, description="Where several processes count rates together: redis://127.0.0.1:6379/0"
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1", description="Proxies whose X-Forwarded-For is believed: addresses and networks; empty: none"
    )
    max_upload_bytes: int = Field(32 * 2**20, ge=1, description="Larger pictures are refused; a request: twice that")
    max_batch: int = Field(64, ge=1, description="Texts encoded at once")
    max_picture_batch: int = Field(8, ge=1, description="Pictures encoded at once; each takes memory")
    max_upload_pixels: int = Field(50_000_000, ge=1, description="Uploaded pictures of more pixels are refused")
    max_request_pixels: int = Field(100_000_000, ge=1, description="Pixels of all pictures of a request together")
    decode_workers: int = Field(0, ge=0, le=64, description="Processes that decode; 0: two, of one processor one")
    decode_memory_bytes: int = Field(
        512 * 2**20, ge=LEAST_DECODE_MEMORY, description="Most memory that decoding takes at once"
    )
    decode_seconds: float = Field(20.0, gt=0, description="A picture that takes longer to decode is given up")
    max_texts: int = Field(64, ge=1, description="Requests without pictures inside at once; more are turned away")
    max_pictures: int = Field(16, ge=1, description="Requests with pictures inside at once; more are turned away")
    max_files: int = Field(64, ge=1, description="Requests for files and thumbnails inside at once")
    max_archives: int = Field(8, ge=1, description="Downloads of many pictures sent at once; more are turned away")
    max_body_bytes: int = Field(2**27, ge=1, description="Bytes of all requests with pictures that are held at once")
    max_connections: int = Field(1000, ge=1, description="Connections at once, as far as the system's limit lets")
    header_seconds: float = Field(10.0, gt=0, description="How long a client may take to send the headers of a request")
    body_seconds: float = Field(
        10.0, gt=0, description="How long its body may take before it must have come at 32 KiB a second"
    )
    stall_seconds: float = Field(30.0, gt=0, description="How long a client may take nothing of its answer")
    access_log: bool = Field(False, description="Log each request")
    otel: bool | None = Field(
        None,
        description="Send traces by OpenTelemetry, as its own variables (OTEL_*) say; default: where "
        "OTEL_EXPORTER_OTLP_ENDPOINT is set",
    )
    log_format: Literal["text", "json"] = Field("text", description="Lines of the log as text, or as JSON")
    preload_image: bool = Field(True, description="Load the image tower at the start, not at the first upload")
    uploads_bytes: int = Field(2**30, ge=0, description="Bytes of uploads that are kept; 0: none are")
    uploads_hours: float = Field(24.0, gt=0, description="How long an upload is kept")
    follow_links: bool = Field(False, description="Give out files that links out of their folder lead to")
    strip_gps: bool = Field(False, description="Leave out of files that are given out where they were taken")
    addresses: Literal["stream", "redirect", "off"] = Field(
        "stream",
        description="Fetch the file of a picture at an address for clients; redirect: send them there, unless it is "
        "signed; off: give out none",
    )
    signed_seconds: int = Field(
        0,
        ge=0,
        le=3_600,
        description="Have clients get originals in object storage there, at signed addresses that hold for so long; 0: "
        "they are sent by the service",
    )
    embedding: Literal["same-origin", "same-site", "cross-origin"] = Field(
        "same-origin", description="Whose web pages may show pictures of the service"
    )
    allow_origins: str = Field(
        "", description="Origins whose web pages may ask, separated by commas: https://app.example; *: any"
    )
    mcp: bool = Field(False, description="Give assistants tools at /mcp, by the Model Context Protocol")
    public_url: str = Field(
        "", description="Where others reach the service, for addresses in answers; empty: as a request names it"
    )
    follow_seconds: float = Field(1.0, gt=0, description="How often to look for a new build")
    job_roots: str = Field(
        "", description="Folders that jobs may take into the library besides its own, colons between them"
    )
    upload_root: Path | None = Field(None, description="Folder that uploaded pictures are kept in; default: none are")
    trash_days: int = Field(30, ge=0, description="How long deleted pictures stay in its folder .trash")
    webhook: str = Field(
        "", pattern=r"^$|^https?://\S+$", description="Address that is told of new builds and of jobs that ended"
    )
    webhook_secret: SecretStr | None = Field(None, description="What is sent to it is signed with this")

    @property
    def job_root_paths(self) -> list[Path]:
        """The folders that jobs may take into the library besides its own."""
        return [Path(one) for one in self.job_roots.split(os.pathsep) if one.strip()]

    @property
    def origins(self) -> list[str]:
        """The origins of `allow_origins`."""
        return [one for one in map(str.strip, self.allow_origins.split(",")) if one]

    @property
    def decoders(self) -> int:
        """How many processes decode."""
        return self.decode_workers or min(2, os.cpu_count() or 1)

    @field_validator("allow_origins")
    @classmethod
    def _check_origins(cls, given: str) -> str:
        for one in filter(None, map(str.strip, given.split(","))):
            if one != "*" and not re.fullmatch(r"https?://[^/\s?#@*]+", one):
                raise ValueError(f"{one} is no origin, such as https://app.example:8080")
        return given

    @field_validator("public_url")
    @classmethod
    def _check_address(cls, given: str) -> str:
        if given and not re.fullmatch(r"https?://[^\s?#@]+", given):
            raise ValueError(f"{given} is no address, such as https://pictures.example/xuntu")
        return given

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, given: str) -> str:
        for one in filter(None, map(str.strip, given.split(","))):
            ipaddress.ip_network(one)
        return given


def _check_library_name(name: str) -> str:
    if not _LIBRARY_NAME.fullmatch(name) or name == DEFAULT_LIBRARY:
        raise ValueError("1 to 64 of a-z, 0-9, - and _, and not " + DEFAULT_LIBRARY)
    return name


class Settings(LibrarySettings):
    """Everything the service needs."""

    api: ApiSettings = ApiSettings()
    libraries: dict[Annotated[str, AfterValidator(_check_library_name)], Path] = Field(
        {},
        description="Folders of further libraries by name, each a variable: XUNTU_LIBRARIES__PETS=/srv/pets is reached "
        "below /v1/libraries/pets",
    )

    @property
    def keys_file(self) -> Path:
        """Where the keys are kept."""
        return (self.api.keys or Layout(self.data).keys).absolute()


def is_loopback(host: str) -> bool:
    """Say whether `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
