"""Addresses of engines and of object storage, as people write them: read, checked, and never with a secret in them."""

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from indexer.library.storage.errors import AddressUnreachable, InvalidAddress
from models.foundation.messages import Message, message, os_message

INDEX_EXAMPLE = "backend://host:19530/db"
STORAGE_EXAMPLE = "s3://bucket/prefix"
STORAGE_SCHEMES = ("s3", "gs", "az", "file")
_SHOWN = 200  # characters of an address that are repeated
_BACKEND = re.compile(r"[a-z][a-z0-9_]*")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REACH_S = 5.0


@dataclass(frozen=True, slots=True)
class IndexAddress:
    """An address of an index: the back end that it names, and the host and port, where there are any."""

    text: str
    backend: str
    host: str
    port: int | None

    def check_reachable(self, timeout_s: float = _REACH_S) -> None:
        """Raise AddressUnreachable if nothing listens there. An address without a host and a port is not looked at."""
        if not self.host or self.port is None:
            return
        try:
            socket.create_connection((self.host, self.port), timeout=timeout_s).close()
        except OSError as error:
            why = message("it does not answer in {seconds:g} s", seconds=timeout_s)
            raise AddressUnreachable(
                self.text, why if isinstance(error, TimeoutError) else os_message(error)
            ) from error


@dataclass(frozen=True, slots=True)
class StorageAddress:
    """An address of object storage: "s3", "gs", "az" with a bucket, or "file"; `prefix` has no outer slashes."""

    scheme: str
    bucket: str
    prefix: str

    @property
    def text(self) -> str:
        """The address as it is kept and shown."""
        if self.scheme == "file":
            return f"file:///{self.prefix}"
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def below(self, path: str) -> "StorageAddress":
        """Return the address of a folder below this one."""
        return StorageAddress(self.scheme, self.bucket, "/".join(filter(None, (self.prefix, path.strip("/")))))


def read_index_address(text: str) -> IndexAddress:
    """Return what an address of an index says. The scheme, up to a plus, names its back end. Raises InvalidAddress."""
    scheme, rest = _split(text, INDEX_EXAMPLE)
    backend = scheme.partition("+")[0]
    if not _BACKEND.fullmatch(backend):
        raise _invalid(text, message("it does not begin with the name of a back end"), INDEX_EXAMPLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _invalid(text, message("host and port cannot be told apart"), INDEX_EXAMPLE) from error
    if not rest.strip("/"):
        raise _invalid(text, message("it names no host"), INDEX_EXAMPLE)
    return IndexAddress(text, backend, host, port)


def read_storage_address(text: str) -> StorageAddress:
    """Return what an address of object storage says. Raises InvalidAddress."""
    scheme, rest = _split(text, STORAGE_EXAMPLE)
    if scheme not in STORAGE_SCHEMES:
        why = message("it has to begin with {schemes}", schemes=[f"{one}://" for one in STORAGE_SCHEMES])
        raise _invalid(text, why, STORAGE_EXAMPLE)
    if scheme == "file":
        if not rest.startswith("/") or not rest.strip("/"):
            raise _invalid(text, message("a folder is named from the root on"), "file:///srv/xuntu")
        bucket, prefix = "", rest
    else:
        bucket, _, prefix = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise _invalid(text, message("it names no bucket"), STORAGE_EXAMPLE)
    names = [name for name in prefix.split("/") if name]
    if any(name in (".", "..") for name in names) or not "".join(names).isprintable():
        raise _invalid(text, message("a name in it cannot be one of a folder"), STORAGE_EXAMPLE)
    return StorageAddress(scheme, bucket, "/".join(names))


def _split(text: str, example: str) -> tuple[str, str]:
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme:
        raise _invalid(text, message("it has no scheme"), example)
    if "@" in rest.partition("/")[0]:
        raise _invalid(text, message("names and passwords belong into the environment, not into an address"), example)
    if "?" in rest or "#" in rest:
        raise _invalid(text, message("settings and credentials belong into the environment"), example)
    return scheme, rest


def _invalid(text: str, why: Message, example: str) -> InvalidAddress:
    """Return the error; of what stands before an @ and after a question mark nothing is repeated."""
    shown = re.sub(r"//[^/]*@", "//…@", text)
    shown = re.sub(r"[?#].*", "?…", shown, flags=re.DOTALL)
    return InvalidAddress(shown[:_SHOWN], why, example)


_IN_PATH = re.compile(r"(s3|gs|az):/+(.+)")


def address_in(path: Path) -> str | None:
    """Return the address of object storage that a path stands for, None for one of this machine.

    A path has one slash where an address has two.
    """
    match = _IN_PATH.fullmatch(str(path))
    return f"{match[1]}://{match[2]}" if match else None


def named_path(path: Path) -> Path:
    """Return a path that a person gave as the catalog has it: an address as it is, else from the root on."""
    address = address_in(path)
    return Path(read_storage_address(address).text) if address else path.expanduser().resolve()


def shown_path(path: Path) -> str:
    """Return where a source lies, for people."""
    return address_in(path) or str(path)
