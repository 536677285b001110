"""Object storage by the package obstore: S3 and what speaks like it, Google Cloud Storage, Azure, a folder.

Credentials come by each provider's usual chain (environment, files, instance metadata), and are never in what is said.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from indexer.library.storage.addresses import StorageAddress, read_storage_address
from indexer.library.storage.errors import ObjectChanged, ObjectMissing, StorageUnavailable
from indexer.library.storage.port import StoredObject
from models.foundation.errors import BackendNotInstalled
from models.foundation.messages import Message, mark

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import ObjectStore as Client

T = TypeVar("T")

_RETRIES = 5
_GIVE_UP = timedelta(seconds=60)
_CONNECT = timedelta(seconds=5)
_ANSWER = timedelta(seconds=60)
_CUT_TRIES = 3  # times that an object is read that comes shorter than it is
_ONE_REQUEST_BYTES = 32 * 2**20  # a larger object is sent in parts

# What a provider says in its answer, of which obstore makes no kind of error.
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")
_REFUSED = ("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "TokenRefreshRequired", "InvalidToken")
_NO_CREDENTIALS = ("169.254.169.254", "metadata.google.internal", "credential")


@lru_cache(maxsize=64)
def open_store(address: str) -> "ObstoreStore":
    """Return what lies at an address of object storage; nothing is asked yet.

    Raises InvalidAddress or BackendNotInstalled.
    """
    return ObstoreStore(read_storage_address(address))


class ObstoreStore:
    """The objects below one address."""

    def __init__(self, address: StorageAddress) -> None:
        self._address = address
        self._client = _connect(address)

    @property
    def address(self) -> str:
        """The address, without anything secret."""
        return self._address.text

    def get(self, name: str) -> bytes:
        """Return an object as a whole."""
        import obstore

        def read() -> bytes | None:
            answer = obstore.get(self._client, name)
            data = bytes(answer.bytes())
            return data if len(data) == answer.meta["size"] else None

        return self._whole(name, read)

    def get_range(self, name: str, start: int, count: int, *, etag: str = "") -> bytes:
        """Return bytes of an object."""
        import obstore

        if not count:
            return b""

        def read() -> bytes | None:
            options: Any = {"range": (start, start + count), **({"if_match": etag} if etag else {})}
            data = bytes(obstore.get(self._client, name, options=options).bytes())
            return data if len(data) == count else None

        return self._whole(name, read)

    def put(self, name: str, data: bytes, *, etag: str | None = None) -> str:
        """Write an object."""
        import obstore

        mode: Any = "overwrite" if etag is None else {"e_tag": etag} if etag else "create"
        with self._explaining(name):
            try:
                parts = etag is None and len(data) > _ONE_REQUEST_BYTES
                return obstore.put(self._client, name, data, mode=mode, use_multipart=parts)["e_tag"] or ""
            except NotImplementedError:
                return obstore.put(self._client, name, data, use_multipart=False)["e_tag"] or ""

    def head(self, name: str) -> StoredObject:
        """Return what is known of an object."""
        import obstore

        with self._explaining(name):
            return _describe(obstore.head(self._client, name))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects below a folder."""
        import obstore

        with self._explaining(prefix):
            pages = iter(obstore.list(self._client, prefix=prefix or None))
        while True:
            with self._explaining(prefix):
                page = next(pages, None)
            if page is None:
                return
            yield from map(_describe, page)

    def delete(self, name: str) -> None:
        """Delete an object."""
        import obstore

        try:
            with self._explaining(name):
                obstore.delete(self._client, name)
        except ObjectMissing:
            pass

    def sign(self, name: str, seconds: float) -> str:
        """Return an address at which anybody can read an object for a while. Raises StorageUnavailable."""
        import obstore

        with self._explaining(name):
            client: Any = self._client
            return obstore.sign(client, "GET", name, timedelta(seconds=seconds))

    def check_reachable(self) -> None:
        """Raise StorageUnavailable if it cannot be listed."""
        next(self.list(), None)

    def _whole(self, name: str, read: Callable[[], bytes | None]) -> bytes:
        for _ in range(_CUT_TRIES):
            with self._explaining(name):
                data = read()
            if data is not None:
                return data
        raise StorageUnavailable(self.address, Message(_CUT))

    @contextmanager
    def _explaining(self, name: str) -> Iterator[None]:
        """Turn what obstore raises into errors of the library; its words may hold addresses, and are not passed on."""
        from obstore.exceptions import (
            AlreadyExistsError,
            BaseError,
            NotModifiedError,
            PermissionDeniedError,
            PreconditionError,
            UnauthenticatedError,
        )

        try:
            yield
        except (AlreadyExistsError, PreconditionError, NotModifiedError) as error:
            raise ObjectChanged(self.address, name) from error
        except (PermissionDeniedError, UnauthenticatedError):
            raise StorageUnavailable(self.address, Message(_FORBIDDEN)) from None
        except FileNotFoundError as error:
            if any(sign in str(error) for sign in _NO_BUCKET):
                raise StorageUnavailable(self.address, Message(_BUCKET_MISSING)) from None
            raise ObjectMissing(self.address, name) from None
        except BaseError as error:
            raise StorageUnavailable(self.address, Message(_reason(str(error)))) from None


_FORBIDDEN = mark("it refuses the credentials of the environment, or they have expired")
_BUCKET_MISSING = mark("there is no such bucket")
_UNSUITABLE = mark("no credentials were found in the environment")
_SILENT = mark("it does not answer, or answers with errors")
_CUT = mark("what it sends is cut short")


def _reason(said: str) -> str:
    """Return which sentence stands for what obstore says."""
    if any(sign in said for sign in _NO_BUCKET):
        return _BUCKET_MISSING
    if any(sign in said for sign in _REFUSED):
        return _FORBIDDEN
    return _UNSUITABLE if any(sign in said for sign in _NO_CREDENTIALS) else _SILENT


def _describe(meta: Any) -> StoredObject:
    modified = meta["last_modified"]
    return StoredObject(meta["path"], meta["size"], meta["e_tag"] or "", int(modified.timestamp() * 1e6) * 1000)


def _allows_http(scheme: str) -> bool:
    """Say whether the environment has requests go unencrypted; options given to a client hide that from it."""
    name = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}.get(scheme, "")
    ends = (os.environ.get(f"{name}_{one}", "") for one in ("ENDPOINT_URL", "ENDPOINT", "ENDPOINT_URL_S3"))
    return os.environ.get(f"{name}_ALLOW_HTTP", "").lower() == "true" or any(end.startswith("http://") for end in ends)


def _connect(address: StorageAddress) -> "Client":
    try:
        from obstore.store import AzureStore, GCSStore, LocalStore, S3Store
    except ImportError as error:
        raise BackendNotInstalled("obstore", "storage") from error
    from obstore.exceptions import BaseError

    retry: RetryConfig = {
        "max_retries": _RETRIES,
        "retry_timeout": _GIVE_UP,
        "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=5), "base": 2},
    }
    client: ClientConfig = {"connect_timeout": _CONNECT, "timeout": _ANSWER, "allow_http": _allows_http(address.scheme)}
    prefix = address.prefix or None
    try:
        if address.scheme == "file":
            return LocalStore(f"/{address.prefix}", mkdir=True)
        if address.scheme == "s3":
            return S3Store(address.bucket, prefix=prefix, retry_config=retry, client_options=client)
        if address.scheme == "gs":
            return GCSStore(address.bucket, prefix=prefix, retry_config=retry, client_options=client)
        return AzureStore(address.bucket, prefix=prefix, retry_config=retry, client_options=client)
    except (BaseError, OSError):
        raise StorageUnavailable(address.text, Message(_UNSUITABLE)) from None
