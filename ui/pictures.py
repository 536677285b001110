"""Pictures on their way to the browser: fetched in parallel, kept within bounds, sent as data: URIs.

The browser may not reach the service, so every picture travels through the page's own connection.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

from api.client import Client
from api.client.errors import ApiError

log = logging.getLogger(__name__)

TILE_SIZE = 400
LARGE_SIZE = 1600
STRIP_SIZE = 400
MAX_CACHE_BYTES = 96_000_000
MAX_DOWNLOAD_BYTES = 120_000_000
WORKERS = 8
NO_PARTS: Mapping[int, int] = MappingProxyType({})

Key = tuple[str, str, int, int, int | None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture the person gave: its name, its bytes in base64, and a small preview as a data: URI.

    Of one that the service keeps (PUT /v1/uploads) there are no bytes here.
    """

    name: str
    data: str
    preview: str


class PictureCache:
    """Thumbnails as data: URIs, the oldest dropped first once they exceed `max_bytes`. Safe between threads."""

    def __init__(self, *, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Key, str] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="thumbnail")

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True)

    def fetch(
        self, client: Client, ids: Iterable[int], *, size: int, build: str, parts: Mapping[int, int] = NO_PARTS
    ) -> dict[int, str]:
        """Thumbnails by image id, of long pictures those of `parts`.

        One that cannot be had is left out, so that the others still show.
        """
        wanted = list(dict.fromkeys(ids))
        jobs = [self._pool.submit(self._one, client, one, parts.get(one), size, build) for one in wanted]
        found = zip(wanted, (job.result() for job in jobs), strict=True)
        return {image_id: uri for image_id, uri in found if uri is not None}

    def fetch_parts(
        self, client: Client, image_id: int, numbers: Iterable[int], *, size: int, build: str
    ) -> dict[int, str]:
        """Thumbnails of parts of one picture by their numbers; one that cannot be had is left out."""
        jobs = {number: self._pool.submit(self._one, client, image_id, number, size, build) for number in numbers}
        return {number: uri for number, job in jobs.items() if (uri := job.result()) is not None}

    def _one(self, client: Client, image_id: int, part: int | None, size: int, build: str) -> str | None:
        key = (client.url, build, image_id, size, part)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            content = client.thumbnail(image_id, size=size, part=part)
        except ApiError as error:
            log.info("no thumbnail of picture %d: %s", image_id, error)
            return None
        uri = data_uri(content, "image/webp")
        with self._lock:
            self._bytes += len(uri) - len(self._kept.pop(key, ""))
            self._kept[key] = uri
            while self._bytes > self._max_bytes and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return uri


def data_uri(content: bytes, media_type: str) -> str:
    """Return the content as a data: URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def upload_name(data: str) -> str:
    """Return the name of an upload within its session: the same picture has the same name."""
    return hashlib.sha256(data.encode("ascii", "replace")).hexdigest()[:10]
