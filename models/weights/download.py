"""One published file, brought from its address: continued after an interruption, whole and verified at the end.

One plain GET with Range, because the hub's own client fetches from other hosts than the mirror names, which is what
fails behind a blocked network.

model.safetensors.part        as far as it has come; the next run goes on from there
model.safetensors.part.json   what that is the beginning of
"""

import contextlib
import errno
import json
import os
import shutil
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from models.foundation.files import replace_file, sha256_of, sync_folder
from models.foundation.messages import NOTHING, Message, Readable, mark, message, os_message, verbatim

_TRIES = 5  # in a row without one new byte
_CHUNK_BYTES = 1 << 20
_REASONS: dict[type[Exception], str] = {
    ConnectionRefusedError: mark("connection refused"),
    ConnectionError: mark("the connection broke off"),
    IncompleteRead: mark("the connection broke off"),
    socket.gaierror: mark("the name of the host cannot be resolved"),
    ssl.SSLError: mark("no secure connection"),
}


class Failed(Exception):
    """An attempt that came to nothing, and why: this place is of no use."""

    def __init__(self, why: Readable = NOTHING) -> None:
        super().__init__(why.text("en"))
        self.why = why


class Absent(Failed):
    """This place answers, but does not give out this file."""


class _Broken(Failed):
    """This place may do better when asked again; `answered` if it has answered at all."""

    def __init__(self, why: Readable, *, answered: bool = True) -> None:
        super().__init__(why)
        self.answered = answered


def download(
    address: str, target: Path, *, on_progress: Callable[[str, int, int], None], timeout_s: float, pause_s: float
) -> "Origin":
    """Bring one file to `target`, tried again while it comes nearer. Raises Absent, Failed.

    `on_progress` gets the file's name, bytes done and bytes in total (0: unknown). `timeout_s` is how long a connection
    may take to come about; the next bytes may take three times as long. `pause_s` lies between two tries.
    """
    part = _PartialFile(target, address)
    furthest, idle, reached = part.size, 0, False
    while not part.is_whole:
        try:
            _transfer(address, part, on_progress, timeout_s)
        except _Broken as broken:
            reached = reached or broken.answered
            # A server that starts anew each time sends bytes, but none that are new.
            idle = 0 if part.size > furthest else idle + 1
            furthest = max(furthest, part.size)
            if idle >= _TRIES or not reached:
                raise Failed(broken.why) from broken
            time.sleep(pause_s)
    return part.finish()


def _transfer(
    address: str, part: "_PartialFile", on_progress: Callable[[str, int, int], None], timeout_s: float
) -> None:
    """Append what one answer holds. Raises _Broken if that is not all of the rest, Absent, Failed."""
    response, origin = _ask(address, part, timeout_s)
    with response:
        if response.status != 206:
            part.start(origin)
        elif not part.goes_on(origin, response.headers.get("Content-Range", "")):
            part.discard()
            raise _Broken(message("the file has changed meanwhile"))
        done = part.size
        need_room(part.path, origin.total - done)
        with part.path.open("ab") as file:
            for data in _receive(response, timeout_s):
                file.write(data)
                done += len(data)
                on_progress(part.target.name, done, origin.total)
    part.origin = origin if origin.total else replace(origin, total=done)
    if done > part.origin.total:
        part.discard()
    if not done or done != part.origin.total:
        raise _Broken(message("the connection broke off"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a file is at its address. `checksum` is SHA-256, hex; `total` bytes; empty or 0 when not announced."""

    address: str
    validator: str
    checksum: str
    total: int
    commit: str


class _PartialFile:
    """The beginning of a file, and the note of its origin; empty if it cannot be continued from `address`."""

    def __init__(self, target: Path, address: str) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")
        self.origin: Origin | None = None
        with contextlib.suppress(OSError, ValueError, TypeError):
            origin = Origin(**json.loads(self.note.read_bytes()))
            if origin.checksum or (origin.validator and origin.address == address):
                self.origin = origin

    @property
    def size(self) -> int:
        """Bytes that need not be asked for again."""
        return self.path.stat().st_size if self.origin and self.path.exists() else 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be asked for."""
        return self.origin is not None and 0 < self.origin.total == self.size

    def headers(self, address: str) -> dict[str, str]:
        """Return the headers that ask for the rest."""
        if self.origin is None or not self.size:
            return {}
        validator = self.origin.validator
        # A weak validator never matches in If-Range; `goes_on` compares it all the same.
        usable = validator and self.origin.address == address and not validator.startswith("W/")
        return {"Range": f"bytes={self.size}-"} | ({"If-Range": validator} if usable else {})

    def goes_on(self, origin: Origin, content_range: str) -> bool:
        """Whether an answer with that Content-Range continues what is here."""
        before = self.origin
        if before is None or not content_range.startswith(f"bytes {self.size}-"):
            return False
        # An answer to If-Range may leave out what it has been asked by.
        unchanged = origin.validator in ("", before.validator)
        same = origin.checksum == before.checksum if before.checksum else unchanged
        return same and origin.total > 0 and before.total in (0, origin.total)

    def start(self, origin: Origin) -> None:
        """Begin anew."""
        self.discard()
        replace_file(self.note, json.dumps(asdict(origin), indent=2).encode())
        self.origin = origin

    def discard(self) -> None:
        """Delete what is here."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.origin = None

    def finish(self) -> Origin:
        """Put the whole file in its place. Raises Failed if it is not what was announced."""
        with self.path.open("ab") as file:
            os.fsync(file.fileno())
        origin = self.origin
        if origin is None or (origin.checksum and origin.checksum != sha256_of(self.path)):
            self.discard()
            raise Failed(message("the checksum does not match"))
        self.path.replace(self.target)
        sync_folder(self.target.parent)
        self.note.unlink(missing_ok=True)
        return origin


class _HttpConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(3 * self.timeout if self.timeout else None)


class _HttpsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(3 * self.timeout if self.timeout else None)


class _Connections(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_HttpConnection, req)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_HttpsConnection, req, context=ssl.create_default_context())


class _HubRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and keeps what each answer on the way says about the file."""

    def __init__(self) -> None:
        self.seen: list[HTTPMessage] = []
        self.host = ""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        self.seen.append(headers)
        self.host = urlsplit(newurl).hostname or ""
        if req.type == "https" and not newurl.startswith("https:"):
            raise HTTPError(newurl, code, "redirected to an address that is not https", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _ask(address: str, part: _PartialFile, timeout_s: float) -> tuple[HTTPResponse, Origin]:
    """Return the answer to a request for what `part` lacks. Raises _Broken, Absent, Failed."""
    redirects = _HubRedirects()
    opener = urllib.request.OpenerDirector()  # build_opener would add file: and ftp:
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Connections(),
        redirects,
    ):
        opener.add_handler(handler)
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "xuntu", **part.headers(address)})  # noqa: S310
        response: HTTPResponse = opener.open(request, timeout=timeout_s)
    except HTTPError as error:
        error.close()
        if error.code == 416:
            part.discard()
        again = error.code in (408, 416, 429) or error.code >= 500
        kind = _Broken if again else Absent if error.code >= 400 else Failed
        raise kind(_status(error.code, error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        why = _explain(error, timeout_s)
        if redirects.host:
            why = message("{why} ({host})", why=why, host=redirects.host)
        raise _Broken(why, answered=False) from error
    origin = _read_origin(address, response, redirects.seen)
    if response.headers.get_content_type() == "text/html":
        response.close()
        raise Absent(message("a web page instead of the file"))
    if response.length is None and not response.chunked and not origin.checksum:
        response.close()
        raise Failed(message("neither length nor checksum is announced"))
    return response, origin


def _read_origin(address: str, response: HTTPResponse, before: Sequence[HTTPMessage]) -> Origin:
    answers = (*before, response.headers)
    checksums = (str(answer.get("X-Linked-Etag", "")).strip('"').lower() for answer in answers)
    length = response.headers.get("Content-Range", "").rpartition("/")[2] if response.status == 206 else response.length
    return Origin(
        address=address,
        validator=response.headers.get("ETag") or response.headers.get("Last-Modified") or "",
        checksum=next((each for each in checksums if len(each) == 64 and not each.strip("0123456789abcdef")), ""),
        total=int(length) if length and str(length).isdecimal() else 0,
        commit=next((str(answer["X-Repo-Commit"]) for answer in answers if "X-Repo-Commit" in answer), ""),
    )


def _receive(response: HTTPResponse, timeout_s: float) -> Iterator[bytes]:
    try:
        while data := response.read1(_CHUNK_BYTES):
            yield data
    except (OSError, HTTPException, ValueError) as error:
        raise _Broken(_explain(error, timeout_s)) from error


_STATUSES = {
    401: mark("401 Unauthorized"),
    403: mark("403 Forbidden"),
    404: mark("404 Not Found"),
    429: mark("429 Too Many Requests"),
}


def _status(code: int, reason: str) -> Message:
    known = _STATUSES.get(code)
    return Message(known) if known else verbatim(f"{code} {reason}".strip())


def _explain(error: Exception, timeout_s: float) -> Readable:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):  # urllib wraps what happens before the request is sent
        seconds = timeout_s if isinstance(error, URLError) else 3 * timeout_s
        return message("no answer within {seconds:g} s", seconds=seconds)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return message("the certificate is not accepted: {why}", why=cause.verify_message)
    known = next((why for kind, why in _REASONS.items() if isinstance(cause, kind)), None)
    if known:
        return Message(known)
    return os_message(cause) if isinstance(cause, OSError) else verbatim(str(cause) or type(cause).__name__)


def need_room(path: Path, wanted_bytes: int) -> None:
    """Raise OSError (ENOSPC) if the disk that `path` is to lie on has less room."""
    if shutil.disk_usage(path.parent).free < wanted_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
