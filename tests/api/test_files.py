"""Files that are given out: they are the pictures that were indexed, or nothing, whatever lies there by now."""

import contextlib
import hashlib
import io
import itertools
import os
import socket
import tarfile
import threading
from email.utils import formatdate

import httpx
import pytest
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.library import opening
from indexer.pipeline.commands import BuildOptions, build
from models.pictures.errors import DecodeError
from models.pictures.files import read_image_file

SECRET = b"TOP SECRET KEY"


def picture(number: int, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (number * 20 % 256, 90, 200)).save(file, form, **options)
    return file.getvalue()


class Served:
    """A library of some files beside a secret, served on loopback."""

    def __init__(self, folder, serve_app, closing):
        self.folder, self.serve_app, self.closing = folder, serve_app, closing
        self.pictures, self.secret = folder / "pictures", folder / "outside" / "secret.png"
        for one in (self.pictures, self.secret.parent):
            one.mkdir()
        self.secret.write_bytes(SECRET)

    def build(self, *sources):
        settings = IndexerSettings(data=self.folder / "data", workers=0)
        build(settings, sources or [self.pictures], BuildOptions(encoders=["hash"]))
        return self

    def serve(self, **api):
        app = create_app(Settings(data=self.folder / "data", api={"preload_image": False, **api}))
        http = self.closing.enter_context(httpx.Client(base_url=self.serve_app(app), timeout=120))
        listed = http.get("/v1/images", params={"sort": "path", "k": 500}).raise_for_status().json()
        self.ids = {one["path"]: one["id"] for one in listed["images"]}
        self.http = http
        return self

    def get(self, name, **options):
        return self.http.get(f"/v1/images/{self.ids[name]}/file", **options)

    def assert_refused(self, name, status, code):
        answer = self.get(name)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert SECRET not in answer.content
        assert str(self.folder) not in answer.text


@pytest.fixture
def served(tmp_path, serve_app):
    with contextlib.ExitStack() as closing:
        yield Served(tmp_path, serve_app, closing)


def replace_by_link(path, target):
    path.unlink()
    path.symlink_to(target)


def test_what_replaces_a_picture_is_not_given_out(served, monkeypatch):
    names = ("link.png", "copied.png", "fifo.png", "socket.png", "folder.png", "device.png", "cut.png", "gone.png")
    for number, name in enumerate((*names, "sub/a.png", "same.png", "touched.png", "locked.png")):
        (served.pictures / name).parent.mkdir(exist_ok=True)
        (served.pictures / name).write_bytes(picture(number))
    served.build().serve()
    at = {name: served.pictures / name for name in served.ids}
    for name, path in at.items():
        assert served.get(name).content == path.read_bytes()
    replace_by_link(at["link.png"], served.secret)
    at["copied.png"].write_bytes(SECRET)
    at["gone.png"].unlink()
    for name in ("fifo.png", "socket.png", "folder.png", "device.png"):
        at[name].unlink()
    os.mkfifo(at["fifo.png"])
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(served.pictures)
        listener.bind("socket.png")
    at["folder.png"].mkdir()
    at["device.png"].symlink_to("/dev/zero")
    at["cut.png"].write_bytes(at["cut.png"].read_bytes()[:50])
    (served.secret.parent / "a.png").write_bytes(SECRET)
    at["sub/a.png"].unlink()
    at["sub/a.png"].parent.rmdir()
    (served.pictures / "sub").symlink_to(served.secret.parent)
    # Of the same size, and of the same time: its checksum says it.
    info, data = at["same.png"].stat(), bytearray(at["same.png"].read_bytes())
    data[-20] ^= 255
    at["same.png"].write_bytes(data)
    os.utime(at["same.png"], ns=(info.st_atime_ns, info.st_mtime_ns))
    os.utime(at["touched.png"], (1, 1))
    for name, status, code in (
        ("link.png", 403, "link_not_followed"),
        ("sub/a.png", 403, "link_not_followed"),
        ("copied.png", 409, "file_changed"),
        ("cut.png", 409, "file_changed"),
        ("same.png", 409, "file_changed"),
        ("gone.png", 404, "file_gone"),
        ("fifo.png", 404, "file_gone"),
        ("socket.png", 404, "file_gone"),
        ("folder.png", 404, "file_gone"),
        ("device.png", 404, "file_gone"),
    ):
        served.assert_refused(name, status, code)
        # A larger thumbnail than the stored one would be made of the file; the stored one is what was indexed.
        shown = served.http.get(f"/v1/images/{served.ids[name]}/thumbnail", params={"size": 1000})
        assert shown.headers["content-type"] == "image/webp"
        crop = {"x": 0, "y": 0, "width": 20, "height": 20}
        clauses = [{"image_id": served.ids[name], "crop": crop}]
        asked = served.http.post("/v1/search", json={"clauses": clauses})
        assert asked.json()["code"] in ("file_changed", "file_gone")
    assert served.get("touched.png").status_code == 200  # another time, and the same content
    assert "xuntu index update" in served.get("copied.png").json()["detail"]
    assert "更新" in served.get("copied.png", headers={"accept-language": "zh"}).json()["detail"]


def test_links_are_followed_as_far_as_is_said(served):
    (served.pictures / "real.png").write_bytes(picture(1))
    (served.secret.parent / "elsewhere.png").write_bytes(picture(2))
    (served.pictures / "inside.png").symlink_to(served.pictures / "real.png")
    (served.pictures / "outside.png").symlink_to(served.secret.parent / "elsewhere.png")
    served.build().serve()
    assert served.get("inside.png").content == picture(1)
    served.assert_refused("outside.png", 403, "link_not_followed")
    assert "XUNTU_API__FOLLOW_LINKS" in served.get("outside.png").json()["detail"]
    served.serve(follow_links=True)
    assert served.get("outside.png").content == picture(2)
    replace_by_link(served.pictures / "outside.png", served.secret)
    replace_by_link(served.pictures / "inside.png", served.secret)
    for name in ("outside.png", "inside.png"):
        served.assert_refused(name, 409, "file_changed")


def test_links_that_come_and_go_are_never_followed_out(served):
    path, aside = served.pictures / "a.png", served.pictures / "a.tmp"
    path.write_bytes(picture(1))
    served.build().serve()
    stopped = threading.Event()

    def swap():
        while not stopped.is_set():
            aside.symlink_to(served.secret)
            aside.replace(path)
            aside.write_bytes(picture(1))
            aside.replace(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        answers = [served.get("a.png") for _ in range(100)]
    finally:
        stopped.set()
        swapping.join()
    for answer in answers:
        assert SECRET not in answer.content
        assert answer.status_code in (200, 403, 409)
        assert answer.status_code != 200 or answer.content == picture(1)


def test_lists_and_shards_are_held_to_what_was_indexed(served):
    (served.pictures / "a.png").write_bytes(picture(1))
    (served.pictures / "linked.png").write_bytes(picture(3))
    (served.secret.parent / "b.png").write_bytes(picture(2))
    listed = served.pictures / "list.csv"
    listed.write_text(f"path\na.png\nlinked.png\n{served.secret.parent}/b.png\n")
    shard = served.folder / "shard.tar"

    def write_shard(data):
        with tarfile.open(shard, "w") as tar:
            info = tarfile.TarInfo("t.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

    write_shard(picture(4))
    served.build(listed, shard).serve()
    (elsewhere,) = [name for name in served.ids if name.endswith("b.png")]
    expected = {"a.png": picture(1), "linked.png": picture(3), elsewhere: picture(2), "t.png": picture(4)}
    for name, data in expected.items():
        assert served.get(name).content == data
    assert served.get("t.png", headers={"range": "bytes=1-3"}).content == b"PNG"
    replace_by_link(served.pictures / "a.png", "/etc/passwd")
    replace_by_link(served.secret.parent / "b.png", served.secret)
    replace_by_link(served.pictures / "linked.png", served.secret.parent / "copy.png")
    (served.secret.parent / "copy.png").write_bytes(picture(3))
    write_shard(picture(5))
    served.assert_refused("a.png", 403, "link_not_followed")
    served.assert_refused("linked.png", 403, "link_not_followed")
    served.assert_refused(elsewhere, 403, "link_not_followed")
    served.assert_refused("t.png", 409, "file_changed")
    shard.unlink()
    os.mkfifo(shard)
    served.assert_refused("t.png", 404, "file_gone")


def test_a_large_file_is_known_by_its_size_and_time_in_its_folder(served, monkeypatch):
    monkeypatch.setattr(opening, "CHECKED_BYTES", 10)  # files of a test are small
    (served.pictures / "a.png").write_bytes(picture(1))
    (served.pictures / "b.png").write_bytes(picture(1))
    served.build().serve(follow_links=True)
    for name in ("a.png", "b.png"):
        info, data = (served.pictures / name).stat(), bytearray(picture(1))
        data[-20] ^= 255
        target = served.pictures / name if name == "a.png" else served.secret.parent / name
        target.write_bytes(data)
        os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))
    replace_by_link(served.pictures / "b.png", served.secret.parent / "b.png")
    assert served.get("a.png").status_code == 200
    served.assert_refused("b.png", 409, "file_changed")  # outside of its folder its checksum decides
    (served.pictures / "a.png").write_bytes(data)
    served.assert_refused("a.png", 409, "file_changed")


def test_a_file_that_is_written_while_it_is_sent_breaks_off(served):
    data = picture(1) + bytes(8 * 2**20)
    (served.pictures / "a.png").write_bytes(data)
    served.build().serve()
    address = f"/v1/images/{served.ids['a.png']}/file"
    with served.http.stream("GET", address) as answer:
        arriving = answer.iter_raw(2**16)
        next(arriving)
        with (served.pictures / "a.png").open("r+b") as file:
            file.seek(7 * 2**20)
            file.write(SECRET)
        with pytest.raises(httpx.RemoteProtocolError):
            list(arriving)
    served.assert_refused("a.png", 409, "file_changed")


def test_conditions_and_ranges(served):
    data = picture(1) + bytes(range(256)) * 4
    (served.pictures / "a.png").write_bytes(data)
    os.utime(served.pictures / "a.png", (1_700_000_000, 1_700_000_000))
    served.build().serve()
    whole = served.get("a.png")
    tag, size, written = whole.headers["etag"], len(data), formatdate(1_700_000_000, usegmt=True)
    assert tag == f'"{hashlib.sha256(data).hexdigest()}"'
    assert (whole.headers["last-modified"], whole.headers["accept-ranges"]) == (written, "bytes")
    later, before = formatdate(1_700_000_001, usegmt=True), formatdate(1_600_000_000, usegmt=True)
    for asked, status, content in (
        ({"if-none-match": tag}, 304, b""),
        ({"if-none-match": f'"x", W/{tag}'}, 304, b""),
        ({"if-none-match": "*"}, 304, b""),
        ({"if-none-match": '"x"'}, 200, data),
        ({"if-none-match": '"x"', "if-modified-since": later}, 200, data),
        ({"if-modified-since": written}, 304, b""),
        ({"if-modified-since": before}, 200, data),
        ({"if-modified-since": "yesterday"}, 200, data),
        ({"range": "bytes=0-0"}, 206, data[:1]),
        ({"range": "Bytes = 5-9"}, 206, data[5:10]),
        ({"range": "bytes=10-"}, 206, data[10:]),
        ({"range": f"bytes=10-{size + 100}"}, 206, data[10:]),
        ({"range": "bytes=-7"}, 206, data[-7:]),
        ({"range": f"bytes=-{size + 100}"}, 206, data),
        ({"range": f"bytes={size}-"}, 416, None),
        ({"range": "bytes=-0"}, 416, None),
        ({"range": "bytes=9-5"}, 200, data),
        ({"range": "bytes=0-1,4-5"}, 200, data),
        ({"range": "lines=0-1"}, 200, data),
        ({"range": "bytes=" + "9" * 400 + "-"}, 200, data),
        ({"range": "bytes=0-1", "if-range": tag}, 206, data[:2]),
        ({"range": "bytes=0-1", "if-range": f"W/{tag}"}, 200, data),
        ({"range": "bytes=0-1", "if-range": written}, 206, data[:2]),
        ({"range": "bytes=0-1", "if-range": before}, 200, data),
        ({"range": "bytes=0-1", "if-none-match": tag}, 304, b""),
    ):
        answer = served.get("a.png", headers=asked)
        assert (asked, answer.status_code) == (asked, status)
        assert content is None or answer.content == content
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{size}"
            assert answer.json()["code"] == "requested_range_not_satisfiable"
        elif status == 206:
            assert answer.headers["content-range"].endswith(f"/{size}")
        elif status == 304:
            assert answer.headers["etag"] == tag
            assert "content-type" not in answer.headers
        head = served.http.head(f"/v1/images/{served.ids['a.png']}/file", headers=asked)
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers.get("content-length") == answer.headers.get("content-length")


def test_what_browsers_show_is_shown_when_asked_for_and_nothing_else(served):
    (served.pictures / "b.jpg").write_bytes(picture(3, "JPEG"))
    (served.pictures / "c.tiff").write_bytes(picture(4, "TIFF"))
    served.build().serve()

    def way(name, **asked):
        answer = served.http.get(f"/v1/images/{served.ids[name]}/file", params=asked).raise_for_status()
        assert "sandbox" in answer.headers["content-security-policy"]
        return answer.headers["content-disposition"].partition(";")[0]

    assert way("b.jpg", inline=True) == "inline"
    assert way("b.jpg") == "attachment"
    assert way("c.tiff", inline=True) == "attachment"


def test_names_are_said_in_utf_8_and_kinds_from_a_closed_list(served):
    name = '猫 "of" 50%;\n.png'
    (served.pictures / name).write_bytes(picture(1))
    (served.pictures / "page.html.png").write_bytes(picture(2) + b"<script>alert(1)</script>")
    (served.pictures / "b.jpg").write_bytes(picture(3, "JPEG"))
    served.build().serve()
    said = served.get(name).headers["content-disposition"]
    assert said == (
        "attachment; filename=\"_ _of_ 50_;_.png\"; filename*=UTF-8''%E7%8C%AB%20%22of%22%2050%25%3B%0A.png"
    )
    page = served.get("page.html.png")
    assert page.headers["content-type"] == "image/png"
    assert "sandbox" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert served.get("b.jpg").headers["content-type"] == "image/jpeg"


def test_only_regular_files_are_ever_opened(tmp_path):
    for kind, path in (("FIFO", tmp_path / "fifo"), ("directory", tmp_path), ("device", "/dev/null")):
        if kind == "FIFO":
            os.mkfifo(path)
        link = tmp_path / f"link-{kind}"
        link.symlink_to(path)
        with pytest.raises(DecodeError, match=kind):
            read_image_file(link)


def test_the_table_of_races_has_no_hole(served):
    """Whatever is put in place between two looks at a file: what is open is what is checked."""
    path, other = served.pictures / "a.png", served.secret.parent / "other.png"
    other.write_bytes(picture(9))
    path.write_bytes(picture(1))
    served.build().serve()
    states = {
        "picture": lambda: path.write_bytes(picture(1)),
        "link": lambda: path.symlink_to(served.secret),
        "another": lambda: path.symlink_to(other),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "nothing": lambda: None,
    }
    for before, after in itertools.permutations(states, 2):
        for state in (before, after):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
            states[state]()
            answer = served.get("a.png")
            assert (state, answer.status_code == 200) == (state, state == "picture")
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


def test_where_a_picture_was_taken_is_left_out_where_that_is_wanted(served):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (39.0, 54.0, 26.5), 3: "E", 4: (116.0, 23.0, 29.25)})
    data = picture(1, "JPEG", exif=exif)
    (served.pictures / "a.jpg").write_bytes(data)
    (served.pictures / "big.tif").write_bytes(picture(2, "TIFF", big_tiff=True))
    served.build().serve()
    plain = served.get("a.jpg")
    assert plain.content == data
    served.serve(strip_gps=True)
    stripped = served.get("a.jpg")
    assert len(stripped.content) == len(data)
    assert stripped.headers["etag"] != plain.headers["etag"]
    with Image.open(io.BytesIO(stripped.content)) as image:
        assert (image.getexif()[0x010F], image.getexif().get_ifd(0x8825)) == ("A camera", {})
    parts = [
        served.get("a.jpg", headers={"range": f"bytes={at}-{at + 9}", "if-range": stripped.headers["etag"]}).content
        for at in range(0, len(data), 10)
    ]
    assert b"".join(parts) == stripped.content
    assert served.get("a.jpg", headers={"if-none-match": plain.headers["etag"]}).status_code == 200
    served.assert_refused("big.tif", 403, "place_not_removable")
    shown = served.http.get(f"/v1/images/{served.ids['a.jpg']}/thumbnail", params={"size": 1000})
    with Image.open(io.BytesIO(shown.content)) as image:
        assert not image.getexif()


def clip(said=b""):
    box = b"\0\0\0\x14ftypqt  \0\0\0\0qt  "
    place = len(said).to_bytes(2, "big") + b"\0\0" + said
    udta = (8 + len(place)).to_bytes(4, "big") + b"\xa9xyz" + place
    moov = (16 + len(udta)).to_bytes(4, "big") + b"moov" + (8 + len(udta)).to_bytes(4, "big") + b"udta" + udta
    return box + moov + b"\0\0\0\x40free" + b"com.apple.quicktime.content.identifier".ljust(56, b"\0")


def test_the_film_beside_a_picture_is_one_of_its_folder_and_says_so(served):
    (served.pictures / "a.jpg").write_bytes(picture(1, "JPEG"))
    film, elsewhere = served.pictures / "a.mov", served.secret.parent / "film.mov"
    elsewhere.write_bytes(clip(b"+1+2/"))
    film.write_bytes(clip(b"+39.9+116.3/"))
    served.build().serve()

    def ask(**headers):
        return served.get("a.jpg", params={"clip": True}, headers=headers)

    whole = ask()
    assert (whole.content, whole.headers["content-type"]) == (film.read_bytes(), "video/quicktime")
    assert ask(**{"if-none-match": whole.headers["etag"]}).status_code == 304
    assert ask(range="bytes=4-7").content == b"ftyp"
    served.serve(strip_gps=True)
    stripped = ask()
    assert len(stripped.content) == len(whole.content)
    assert b"39.9" not in stripped.content
    assert stripped.headers["etag"] != whole.headers["etag"]
    replace_by_link(film, elsewhere)
    assert (ask().status_code, ask().json()["code"]) == (403, "link_not_followed")
    served.serve(follow_links=True)
    assert ask().content == elsewhere.read_bytes()
    for other in (SECRET, b"com.apple.quicktime.content.identifier but no film"):
        film.unlink()
        film.write_bytes(other)
        assert ask().status_code in (404, 409)
        assert other not in ask().content
