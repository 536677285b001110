"""Lists that lead inside this network: what a run says, and that nothing of a library is lost because of it."""

import io
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from indexer.errors import AddressesInside, AddressesRefused, NotFetchedAgain, ReencodingRefused, VectorsLost
from indexer.library.catalog.writer import Catalog
from models.pictures.errors import decode_reason


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def intranet() -> Iterator[str]:
    """A server on loopback that has a picture of its own at every number."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = picture(int(self.path[1:-4]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def older(album, intranet):
    """A library whose list points to this network, of a time when that was allowed to all."""
    album.build(
        album.write_list(f"url\n{intranet}/1.png\n{intranet}/2.png\n"),
        settings=album.settings(allow_private="127.0.0.1"),
    )
    return album


def kinds(report) -> list[type]:
    return [type(warning) for warning in report.warnings]


def test_a_new_list_has_what_is_refused_among_its_failures(album, intranet):
    album.draw("a.png")
    report = album.build(album.write_list(f"path\n{intranet}/1.png\npictures/a.png\n"))
    assert (report.encoded, report.failed, kinds(report)) == (1, 1, [AddressesRefused])
    assert album.failed() == {f"{intranet}/1.png": "url_inside"}
    catalog = Catalog(album.layout.catalog)
    ((_, reason, detail),) = catalog.list_failures()
    catalog.close()
    for language, why in (("en", "127.0.0.1, which is this machine"), ("zh", "127.0.0.1，即本机")):
        for said in (decode_reason(reason, detail).text(language), report.warnings[0].text(language)):
            assert why in said
            assert "--allow-private" in said
    # It is tried again by every update: once it is allowed, it is there.
    assert kinds(album.update()) == [AddressesRefused]
    report = album.build(settings=album.settings(allow_private="127.0.0.0/8"))
    assert (report.encoded, report.failed, report.warnings) == (1, 0, ())


def test_an_existing_library_keeps_what_it_has_and_says_so(older, intranet):
    report = older.update()
    assert (report.seen, report.reused, report.removed, report.failed) == (2, 2, 0, 0)
    (warning,) = report.warnings
    assert isinstance(warning, AddressesInside)
    assert (warning.count, warning.hosts) == (2, ("127.0.0.1",))
    for said in (warning.text("en"), warning.text("zh")):
        assert "--allow-private 127.0.0.1" in said
        assert "XUNTU_ALLOW_PRIVATE=127.0.0.1" in said
    older.write_list(f"url\n{intranet}/1.png\n{intranet}/2.png\n{intranet}/3.png\n")
    report = older.update()
    assert (report.reused, report.removed, report.failed) == (2, 0, 1)
    assert kinds(report) == [AddressesInside, AddressesRefused]
    assert len(older.indexed()) == 2
    assert older.update(retry=True).removed == 0
    assert len(older.indexed()) == 2


def test_a_host_that_is_allowed_is_not_mentioned(older, monkeypatch):
    monkeypatch.setenv("XUNTU_ALLOW_PRIVATE", "127.0.0.1")
    assert older.update().warnings == ()


def test_a_picture_that_has_to_be_fetched_again_and_cannot_be_is_kept(older, monkeypatch):
    """As where a shard of vectors is damaged, or another encoder is added."""
    (older.layout.vectors("hash") / "00000.npy").write_bytes(b"")
    report = older.update()
    assert (report.reused, report.removed, report.failed) == (2, 0, 0)
    assert kinds(report) == [VectorsLost, AddressesInside, AddressesRefused, NotFetchedAgain]
    assert older.failed() == {}
    assert older.counts()["indexed"] == 2
    monkeypatch.setenv("XUNTU_ALLOW_PRIVATE", "127.0.0.1")
    report = older.update()
    assert (report.encoded, report.warnings) == (2, ())
    assert (len(older.indexed()), older.problems()) == (2, [])


def test_encoding_again_is_not_begun_where_pictures_could_not_be_fetched(older):
    with pytest.raises(ReencodingRefused) as caught:
        older.update(reencode=True)
    assert "127.0.0.1" in caught.value.text("en")
    assert "--allow-private" in caught.value.text("zh")
    assert (len(older.indexed()), older.problems()) == (2, [])


def test_parts_that_cannot_be_fetched_are_told_of_and_the_picture_stays(older):
    report = older.build(older.folder / "list.csv", settings=older.settings(regions=True))
    assert kinds(report) == [AddressesInside]  # they are too small to have any
    catalog = Catalog(older.layout.catalog, create=True)
    with catalog.writing():
        catalog._connection.execute("UPDATE contents SET width = 4000, height = 3000")
    catalog.seal()
    catalog.close()
    report = older.update()
    assert kinds(report) == [AddressesInside, AddressesRefused]
    assert (report.failed, report.removed, len(older.indexed())) == (0, 0, 2)
