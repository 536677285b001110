"""The files of `ui/web`, as the browser gets them: held in memory, compressed once, kept by the browser for good.

Their address names a version, a checksum over all of them. Relative imports between modules so stay within a version,
and a new one is fetched as soon as the page names it.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

WEB: Final = Path(__file__).parents[1] / "web"

_KEPT: Final = "public, max-age=31536000, immutable"
_COMPRESSED_FROM: Final = 1000  # bytes
_TEXTS: Final = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_PACKED: Final = {
    ".ico": "image/vnd.microsoft.icon",
    ".jpg": "image/jpeg",
    ".pbf": "application/x-protobuf",
    ".png": "image/png",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_UNKNOWN: Final = "application/octet-stream"


class Asset:
    """One file: its bytes, and its media type by its suffix."""

    def __init__(self, path: Path) -> None:
        suffix = path.suffix.lower()
        self.content = path.read_bytes()
        self.checksum = hashlib.sha256(self.content).hexdigest()
        self.media_type = _TEXTS.get(suffix) or _PACKED.get(suffix, _UNKNOWN)
        self.is_compressed = suffix in _TEXTS and len(self.content) >= _COMPRESSED_FROM
        self._packed = b""

    async def compress(self) -> bytes:
        """Return it compressed by gzip, the same bytes each time."""
        if not self._packed:
            self._packed = await to_thread.run_sync(lambda: gzip.compress(self.content, 9, mtime=0))
        return self._packed


class Assets:
    """The files of a folder, by their paths below it."""

    def __init__(self, folder: Path) -> None:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        names = {path.relative_to(folder).as_posix(): path for path in found}
        self._files = {name: Asset(path) for name, path in names.items() if not _is_hidden(name)}
        told = "".join(f"{one.checksum} {name}\n" for name, one in self._files.items())
        self.version = hashlib.sha256(told.encode()).hexdigest()[:12]

    def read(self, name: str) -> bytes:
        """Return what a file holds, by its path below the folder. Raises KeyError."""
        return self._files[name].content

    async def answer(self, request: Request, path: str) -> Response | None:
        """Return the file at `VERSION/PATH`; None where there is none, or another method is used than to read it.

        One that is asked for in another version is answered as it is now, and not kept.
        """
        version, _, name = path.partition("/")
        asset = self._files.get(name)
        if asset is None or request.method not in ("GET", "HEAD"):
            return None
        packs = asset.is_compressed and "gzip" in request.headers.get("accept-encoding", "")
        tag = f'"{asset.checksum[:16]}{"-gzip" if packs else ""}"'
        headers = {"ETag": tag, "Cache-Control": _KEPT if version == self.version else "no-cache"}
        if asset.is_compressed:
            headers["Vary"] = "Accept-Encoding"
        if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if packs:
            headers["Content-Encoding"] = "gzip"
        content = await asset.compress() if packs else asset.content
        return Response(content, headers={**headers, "Content-Type": asset.media_type})


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


@cache
def load_assets() -> Assets:
    """Return the files of the page, read once in a process."""
    return Assets(WEB)


def assets_url() -> str:
    """Return where the files of the page are, relative to where the page is."""
    return f"assets/{load_assets().version}/"
