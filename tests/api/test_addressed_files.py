"""Files of pictures at addresses: fetched for clients, sent on to, or withheld; the other server is not trusted."""

import contextlib
import hashlib
import io
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

NAMES = {"plain": "plain.png?size=2", "signed": "signed.png?X-Amz-Signature=abcdef", "taken": "taken.jpg"}
FILES = [path.partition("?")[0] for path in NAMES.values()]
ALLOWED = "127.0.0.1"


def picture(name: str) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGB", (40, 30), (1, 90, len(name) * 20))
    if name != "taken.jpg":
        image.save(file, "PNG")
        return file.getvalue()
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 14.0, 9.0), 3: "E", 4: (121.0, 29.0, 30.0)})
    exif[0x010F] = "Maker"
    image.save(file, "JPEG", exif=exif)
    return file.getvalue()


class Site(ThreadingHTTPServer):
    """A server of pictures that can be told to answer otherwise. `asked`: what it was asked, in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.body: bytes | None = None
        self.status, self.location = 200, ""
        self.asked: list[str] = []
        self.held = threading.Semaphore(0)  # answers that are let go on
        self.holds = False
        self.hung_up = threading.Semaphore(0)
        self.holding = self.most = 0  # answers that are held, and the most there were
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def answering(self, **changes):
        before = {name: getattr(self, name) for name in changes}
        vars(self).update(changes)
        try:
            yield
        finally:
            vars(self).update(before)

    @contextlib.contextmanager
    def count_held(self):
        with self.lock:
            self.holding += 1
            self.most = max(self.most, self.holding)
        try:
            yield
        finally:
            with self.lock:
                self.holding -= 1


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self):
        site, name = self.server, self.path.strip("/").partition("?")[0]
        site.asked.append(name)
        body = picture(name) if site.body is None else site.body
        self.send_response(site.status)
        told = {"Content-Type": "text/html", "Set-Cookie": "a=b", "ETag": '"theirs"', "X-Told": "1"}
        for header, value in {**told, "Content-Length": str(len(body)), "Location": site.location}.items():
            if value:
                self.send_header(header, value)
        self.end_headers()
        if site.holds:
            self.wfile.write(body[:10])
            body = body[10:]
            with site.count_held():
                if not self.wait_for_go():
                    return
        self.wfile.write(body)

    def wait_for_go(self):
        """Say whether the answer is let go on; it is not where the client hangs up."""
        while not self.server.held.acquire(timeout=0.02):
            self.connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                if not self.connection.recv(1):
                    self.server.hung_up.release()
                    return False
            self.connection.setblocking(True)
        return True

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(servers):
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        site.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def data(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("addresses")
    rows = [f"{site.url}/{path},{name}" for name, path in NAMES.items()]
    (folder / "list.csv").write_text("\n".join(["url,tags", *rows]))
    settings = IndexerSettings(data=folder / "data", workers=0, allow_private=ALLOWED)
    build(settings, [folder / "list.csv"], BuildOptions(encoders=["hash"]))
    return folder / "data"


def application(data, api=None, **settings):
    allowed = {"allow_private": ALLOWED, **settings}
    return create_app(Settings(data=data, api={"preload_image": False, **(api or {})}, **allowed))


def find(client, name):
    """Return where the file of a picture is asked for."""
    shown = client.get("/v1/images", params={"where": f"tag={name}"}).json()["images"][0]
    return f"/v1/images/{shown['id']}/file"


@pytest.fixture(scope="module")
def client(data):
    with TestClient(application(data), follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("name", ["plain", "signed"])
def test_a_picture_at_an_address_is_fetched_and_nothing_that_its_server_says_is_passed_on(client, site, name):
    wanted = picture(f"{name}.png")
    answer = client.get(find(client, name))
    assert (answer.status_code, answer.content) == (200, wanted)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == f'"{hashlib.sha256(wanted).hexdigest()}"'
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{name}.png";')
    assert "abcdef" not in str(answer.headers)
    assert not {"set-cookie", "x-told", "location", "last-modified"} & answer.headers.keys()


def test_ranges_and_copies_are_understood(client, site):
    path, wanted = find(client, "plain"), picture("plain.png")
    part = client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, wanted[10:20])
    head = client.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(wanted)), b"")
    count = len(site.asked)
    known = client.get(path, headers={"If-None-Match": part.headers["etag"]})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", part.headers["etag"])
    assert len(site.asked) == count


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"body": picture("plain.png")[:-1] + b"?"}, 409, "file_changed"),
        ({"body": picture("plain.png") + b"?"}, 409, "file_changed"),
        ({"body": b"<html>"}, 409, "file_changed"),
        ({"body": b""}, 409, "file_changed"),
        ({"status": 404}, 502, "not_fetched"),
        ({"status": 302, "location": "http://169.254.169.254/latest/meta-data"}, 502, "not_fetched"),
        ({"status": 302, "location": "file:///etc/passwd"}, 502, "not_fetched"),
    ],
)
def test_what_is_not_what_was_indexed_is_not_sent(client, site, changes, status, code):
    with site.answering(**changes):
        answer = client.get(find(client, "plain"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "169.254" not in answer.text


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"allow_private": ""}, 502, "not_fetched"),
        ({"offline": True}, 502, "not_fetched"),
        ({"max_file_bytes": 50}, 403, "address_withheld"),
        ({"api": {"addresses": "off"}}, 403, "address_withheld"),
    ],
)
def test_nothing_is_fetched_that_may_not_be(data, site, settings, status, code):
    with TestClient(application(data, **settings)) as client:
        count = len(site.asked)
        answer = client.get(find(client, "plain"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(site.asked) == count


def test_where_it_was_taken_is_left_out_of_what_is_fetched(data):
    wanted = picture("taken.jpg")
    with TestClient(application(data, {"strip_gps": True})) as client:
        answer = client.get(find(client, "taken"))
        assert (answer.status_code, len(answer.content)) == (200, len(wanted))
        with Image.open(io.BytesIO(wanted)) as before, Image.open(io.BytesIO(answer.content)) as after:
            assert dict(before.getexif().get_ifd(0x8825))
            assert not dict(after.getexif().get_ifd(0x8825))
            assert after.getexif()[0x010F] == "Maker"
        assert answer.headers["etag"] == f'"{hashlib.sha256(wanted).hexdigest()}-no-place"'
        known = client.get(find(client, "taken"), headers={"If-None-Match": answer.headers["etag"]})
        assert known.status_code == 304


def test_clients_are_sent_on_where_that_is_wanted_unless_the_address_lets_others_in(data, site):
    with TestClient(application(data, {"addresses": "redirect"}), follow_redirects=False) as client:
        answer = client.get(find(client, "plain"))
        assert (answer.status_code, answer.headers["location"]) == (307, f"{site.url}/plain.png?size=2")
        assert answer.headers["referrer-policy"] == "no-referrer"
        secret = client.get(find(client, "signed"))
        assert (secret.status_code, secret.json()["code"]) == (403, "address_withheld")
        assert "location" not in secret.headers
        assert "abcdef" not in secret.text
    with TestClient(application(data, {"addresses": "redirect", "strip_gps": True})) as client:
        assert client.get(find(client, "plain")).json()["code"] == "place_not_removable"


def test_a_few_are_fetched_at_once_and_a_client_that_goes_away_ends_its_fetch(data, site, serve_app, wait_until):
    url = httpx.URL(serve_app(application(data, fetch_timeout_seconds=600)))
    with httpx.Client(base_url=url, timeout=120) as http, site.answering(holds=True), contextlib.ExitStack() as closing:
        path, before, site.most = find(http, "plain"), len(site.asked), 0
        clients = [closing.enter_context(socket.create_connection((url.host, url.port))) for _ in range(7)]
        for one in clients:
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        wait_until(lambda: len(site.asked) - before == 4, "four to be fetched")
        site.held.release()  # one is done, and the next begins
        wait_until(lambda: len(site.asked) - before == 5, "the fifth to be fetched")
        assert site.most == 4  # of those that follow, some may begin before the site has seen that others hung up
        for one in clients:
            one.close()
        for _ in range(4):
            assert site.hung_up.acquire(timeout=120)
        site.holds = False
        assert http.get(path).content == picture("plain.png")


def archive(client, **body):
    ids = [one["id"] for one in client.get("/v1/images", params={"sort": "path"}).json()["images"]]
    return client.post("/v1/archive", json={"ids": ids, **body})


def test_pictures_at_addresses_are_packed_as_they_are_sent(client, data, site):
    answer = archive(client)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        folder = "127.0.0.1"
        assert sorted(found.namelist()) == [*(f"{folder}/{name}" for name in sorted(FILES)), "pictures.csv"]
        for name in FILES:
            assert found.read(f"{folder}/{name}") == picture(name)
        assert b"abcdef" not in found.read("pictures.csv")
    with site.answering(status=404):
        told = archive(client)
    with zipfile.ZipFile(io.BytesIO(told.content)) as found:
        assert found.namelist() == ["pictures.csv"]
        assert found.read("pictures.csv").count(b",not_fetched,") == 3
    for addresses, said in (("off", b"gives out none"), ("redirect", b"sends clients there")):
        count = len(site.asked)
        with TestClient(application(data, {"addresses": addresses})) as other:
            withheld = archive(other)
        with zipfile.ZipFile(io.BytesIO(withheld.content)) as found:
            table = found.read("pictures.csv")
        assert (table.count(b",address_withheld,"), table.count(said)) == (3, 3)
        assert len(site.asked) == count


def test_a_client_that_goes_away_ends_the_fetch_of_what_was_to_be_packed(data, site, serve_app, wait_until):
    count = len(site.asked)
    url = httpx.URL(serve_app(application(data, fetch_timeout_seconds=600)))
    with httpx.Client(base_url=url, timeout=120) as http, site.answering(holds=True):
        with http.stream("POST", "/v1/archive", json={"ids": [1]}) as answer:
            assert answer.status_code == 200
            wait_until(lambda: len(site.asked) > count, "the picture to be fetched")
        assert site.hung_up.acquire(timeout=120)
