"""A server that speaks as much of S3 as object storage is asked for, and fails where it is told to."""

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

MODIFIED = "Tue, 01 Dec 2026 12:00:00 GMT"


@dataclass
class Fault:
    """What goes wrong, `times` times, for requests of a method whose key has a text in it.

    `what`: "error" (500), "cut" (half of the body), "expired" (token), "refused" (key), "drop" (no answer at all).
    """

    what: str
    method: str = ""
    key: str = ""
    times: int = 1_000_000


@dataclass
class ObjectStorage:
    """Buckets in memory. `requests` are (method, key, range) of every request; `faults` are tried in order."""

    bucket: str = "pictures"
    page: int = 1_000
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    before: Callable[[str, str], None] = lambda _method, _key: None
    url: str = ""

    def start(self) -> "ObjectStorage":
        """Answer on a free port of loopback."""
        storage = self

        class Handler(_Handler):
            of = storage

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.bucket = f"{self.bucket}-{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    @property
    def environment(self) -> dict[str, str]:
        """What a client finds it by."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
        }

    def fault(self, method: str, key: str) -> str:
        """Return what goes wrong with a request, "" for nothing."""
        for one in self.faults:
            if one.times and one.method in ("", method) and one.key in key:
                one.times -= 1
                return one.what
        return ""

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of all objects below a prefix."""
        return sorted(name for name in self.objects if name.startswith(prefix))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: ObjectStorage

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.of.requests.append((self.command, key, self.headers.get("range", "")))
        self.of.before(self.command, key or query.get("prefix", ""))
        fault = self.of.fault(self.command, key or query.get("prefix", ""))
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
        elif fault == "error":
            self._fail(500, "InternalError")
        elif fault == "expired":
            self._fail(400, "ExpiredToken")
        elif fault == "refused":
            self._fail(403, "InvalidAccessKeyId")
        elif bucket != self.of.bucket:
            self._fail(404, "NoSuchBucket")
        elif "list-type" in query:
            self._list(query)
        else:
            getattr(self, f"_{self.command.lower()}")(key, query, body, cut=fault == "cut")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - http.server

    def _get(self, key: str, _query: dict[str, str], _body: bytes, *, cut: bool) -> None:
        data = self.of.objects.get(key)
        if data is None:
            return self._fail(404, "NoSuchKey")
        if (wanted := self.headers.get("if-match")) and wanted != _etag(data):
            return self._fail(412, "PreconditionFailed")
        if (known := self.headers.get("if-none-match")) and known == _etag(data):
            return self._answer(304)
        headers = {"ETag": _etag(data), "Last-Modified": MODIFIED}
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", "")):
            start, end = int(found[1]), min(int(found[2]) + 1, len(data))
            if start >= len(data):
                return self._fail(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            return self._answer(206, data[start:end], headers, cut=cut)
        return self._answer(200, data, headers, cut=cut)

    _head = _get

    def _put(self, key: str, query: dict[str, str], body: bytes, *, cut: bool) -> None:  # noqa: ARG002
        if "uploadId" in query:
            self.of.parts[query["uploadId"]][int(query["partNumber"])] = body
            return self._answer(200, headers={"ETag": _etag(body)})
        now = self.of.objects.get(key)
        if self.headers.get("if-none-match") == "*" and now is not None:
            return self._fail(412, "PreconditionFailed")
        if (wanted := self.headers.get("if-match")) and (now is None or wanted != _etag(now)):
            return self._fail(412, "PreconditionFailed")
        self.of.objects[key] = body
        return self._answer(200, headers={"ETag": _etag(body)})

    def _post(self, key: str, query: dict[str, str], body: bytes, *, cut: bool) -> None:  # noqa: ARG002
        if "delete" in query:
            gone = [unescape(name) for name in re.findall(r"<Key>(.*?)</Key>", body.decode())]
            rows = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in gone)
            for name in gone:
                self.of.objects.pop(name, None)
            return self._answer(200, f"<DeleteResult>{rows}</DeleteResult>".encode())
        if "uploads" in query:
            upload = f"upload-{len(self.of.parts)}"
            self.of.parts[upload] = {}
            xml = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return self._answer(200, xml.encode())
        data = b"".join(part for _, part in sorted(self.of.parts.pop(query["uploadId"]).items()))
        self.of.objects[key] = data
        xml = f"<CompleteMultipartUploadResult><ETag>{escape(_etag(data))}</ETag></CompleteMultipartUploadResult>"
        return self._answer(200, xml.encode())

    def _delete(self, key: str, _query: dict[str, str], _body: bytes, *, cut: bool) -> None:  # noqa: ARG002
        self.of.objects.pop(key, None)
        self._answer(204)

    def _list(self, query: dict[str, str]) -> None:
        after = query.get("continuation-token") or query.get("start-after", "")
        names = [name for name in self.of.names(query.get("prefix", "")) if name > after]
        page = names[: self.of.page]
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(names) > len(page) else ""
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-12-01T12:00:00.000Z</LastModified>"
            f"<ETag>{escape(_etag(self.of.objects[name]))}</ETag><Size>{len(self.of.objects[name])}</Size></Contents>"
            for name in page
        )
        cut = str(bool(more)).lower()
        xml = f"<ListBucketResult><IsTruncated>{cut}</IsTruncated>{more}{rows}</ListBucketResult>"
        self._answer(200, xml.encode())

    def _fail(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
