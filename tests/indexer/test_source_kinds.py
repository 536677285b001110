"""A kind of source is added by one class, and pictures of a kind that nothing can read stay where they are."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from indexer.errors import NoPictures
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import UnknownSource
from indexer.library.sources import kinds
from indexer.library.sources.items import Item, Locator, Root, Stamp
from indexer.library.sources.kinds import find_source, open_source, package_of, place_of, register_source
from indexer.library.sources.port import ReadOptions, ScanContext, Source

ZIP_SOURCE = '''
"""Pictures in a plain zip; the comment of a member is its caption."""

import zipfile
from pathlib import Path

from indexer.library.sources.items import Item, Locator, Stamp
from indexer.library.sources.port import Source
from models.pictures.errors import DecodeError


class ZipSource(Source):
    kind = "zip"

    @classmethod
    def accepts(cls, place):
        return place.endswith(".zip") and Path(place).is_file()

    def scan(self, context):
        with zipfile.ZipFile(self.root.path) as archive:
            for one in archive.infolist():
                stamp = Stamp(one.file_size, fingerprint=f"{one.CRC:08x}")
                yield Item(Locator(self.root.id, one.filename), stamp, one.comment.decode())

    def read(self, item, options):
        try:
            with zipfile.ZipFile(self.root.path) as archive:
                return item.stamp, archive.read(item.locator.key)
        except (OSError, KeyError, zipfile.BadZipFile):
            raise DecodeError("not_found") from None
'''


def picture(seed: int) -> bytes:
    file = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_zip(path: Path, pictures: dict[str, bytes], caption: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in pictures.items():
            member = zipfile.ZipInfo(name)
            member.comment = caption.encode()
            archive.writestr(member, data)
    return path


@pytest.fixture
def zip_source() -> Iterator[type[Source]]:
    """Register the class for this test."""
    found: dict[str, type[Source]] = {}
    exec(compile(ZIP_SOURCE, "zip_source.py", "exec"), found)  # noqa: S102 - the plug-in below has the same text
    register_source(found["ZipSource"])
    yield found["ZipSource"]
    kinds._registered.clear()


@pytest.fixture
def zipped(album, zip_source):
    """An album with a folder of one picture and a zip of two."""
    album.draw("outside.png")
    path = write_zip(album.folder / "old.zip", {"trip/sea.png": picture(0), "猫.png": picture(1)}, "a caption")
    report = album.build(album.pictures, path)
    assert (report.encoded, report.failed) == (3, 0)
    return album


def test_one_class_adds_a_kind_of_source(zipped, processes):
    rows = zipped.by_path()
    assert {name: (row.source.kind, row.caption) for name, row in rows.items()} == {
        "outside.png": ("folder", ""),
        "trip/sea.png": ("zip", "a caption"),
        "猫.png": ("zip", "a caption"),
    }
    assert rows["猫.png"].place == f"{zipped.folder}/old.zip/猫.png"
    with TestClient(create_app(Settings(data=zipped.data))) as client:
        for words, expected in (("sea", "trip/sea.png"), ("猫", "猫.png")):
            hits = client.get("/v1/search", params={"q": words, "match": "text"}).json()["hits"]
            assert [hit["path"] for hit in hits] == [expected]
            assert hits[0]["root"] == "old.zip"
        original = client.get(f"/v1/images/{rows['猫.png'].id}/file")
        assert (original.status_code, original.content, original.headers["content-type"]) == (
            *(200, picture(1)),
            "image/png",
        )
        large = client.get(f"/v1/images/{rows['猫.png'].id}/thumbnail", params={"size": 2048})
        assert Image.open(BytesIO(large.content)).size == (32, 24)
        similar = client.get(f"/v1/images/{rows['猫.png'].id}/similar").json()["hits"]
        assert {hit["path"] for hit in similar} == {"outside.png", "trip/sea.png"}


def test_changes_in_it_are_followed(zipped):
    ids = {name: row.id for name, row in zipped.by_path().items()}
    assert zipped.update().encoded == 0
    write_zip(zipped.folder / "old.zip", {"trip/sea.png": picture(2), "moved/猫.png": picture(1)}, "another")
    report = zipped.update()
    assert (report.encoded, report.removed) == (1, 1)
    rows = zipped.by_path()
    assert rows["moved/猫.png"].id == ids["猫.png"]
    assert rows["trip/sea.png"].caption == "another"
    (zipped.folder / "old.zip").write_bytes(write_zip(zipped.folder / "new.zip", {"猫.png": picture(3)}).read_bytes())
    assert (zipped.update().removed, list(zipped.by_path())) == (2, ["outside.png", "猫.png"])
    with TestClient(create_app(Settings(data=zipped.data))) as client:
        (row,) = [row for name, row in zipped.by_path().items() if name == "猫.png"]
        write_zip(zipped.folder / "old.zip", {"猫.png": picture(4)})
        problem = client.get(f"/v1/images/{row.id}/file")
        assert (problem.status_code, problem.json()["code"]) == (409, "file_changed")


def test_pictures_of_a_kind_that_nothing_can_read_stay_and_are_found(zipped):
    kinds._registered.clear()  # as in a process that has not registered it
    before = zipped.ids()
    zipped.draw("new.png")
    report = zipped.update()
    assert (report.encoded, report.removed) == (1, 0)
    ((warning,), rows) = report.warnings, zipped.by_path()
    assert isinstance(warning, UnknownSource)
    for language in ("en", "zh"):
        assert "zip" in warning.text(language)
        assert str(zipped.folder / "old.zip") in warning.text(language)
    assert "install" in warning.en
    assert "安装" in warning.zh
    assert zipped.ids().items() >= before.items()
    assert rows["猫.png"].place == f"{zipped.folder}/old.zip/猫.png"
    assert zipped.problems() == []
    with TestClient(create_app(Settings(data=zipped.data))) as client:
        hits = client.get("/v1/search", params={"q": "猫", "match": "text"}).json()["hits"]
        assert [hit["path"] for hit in hits] == ["猫.png"]
        hits = client.get("/v1/search", params={"q": "a cat"}).json()["hits"]
        assert {hit["path"] for hit in hits} == set(rows)
        assert client.get(f"/v1/images/{rows['猫.png'].id}").json()["url"] is None
        assert client.get(f"/v1/images/{rows['猫.png'].id}/thumbnail").status_code == 200
        problem = client.get(f"/v1/images/{rows['猫.png'].id}/file", headers={"accept-language": "zh"})
        assert (problem.status_code, problem.json()["code"]) == (503, "unknown_source")
        assert "zip" in problem.json()["detail"]
        assert str(zipped.folder) not in problem.json()["detail"]


def test_a_library_of_nothing_else_says_what_is_missing(album, zip_source, processes):
    path = write_zip(album.folder / "old.zip", {"a.png": picture(0)})
    album.build(path)
    kinds._registered.clear()
    with pytest.raises(UnknownSource):
        album.update()
    assert list(album.by_path()) == ["a.png"]
    done = album.command("update", "--data", album.data, LANG="zh_CN.UTF-8")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "安装" in done.stderr


def test_an_empty_library_stays_as_it_was(album, zip_source):
    with pytest.raises(NoPictures):
        album.build(write_zip(album.folder / "empty.zip", {}))
    catalog = Catalog(album.layout.catalog)
    assert (catalog.list_roots(), catalog.list_encoders()) == ([], [])
    catalog.close()


def install(folder: Path) -> None:
    """Put a package with the class there, as an installer does."""
    (folder / "zip_plugin.py").write_text(ZIP_SOURCE, "utf-8")
    information = folder / "xuntu_zip-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: xuntu-zip\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[xuntu.sources]\nzip = zip_plugin:ZipSource\nbroken = zip_plugin:NoSuch\n"
    )


def test_an_installed_package_adds_a_kind_and_is_named_when_it_is_gone(album, processes):
    site = album.folder / "site"
    site.mkdir()
    install(site)
    path = write_zip(album.folder / "old.zip", {"trip/sea.png": picture(0)})
    arguments = ("--data", album.data, "--encoder", "hash")
    installed = f"{album.environment()['PYTHONPATH']}:{site}"
    done = album.command("build", path, *arguments, PYTHONPATH=installed)
    assert done.returncode == 0, done.stderr
    assert "1 encoded" in done.stdout
    assert list(album.by_path()) == ["trip/sea.png"]
    done = album.command("update", "--data", album.data)
    assert done.returncode == 2
    assert "of the kind zip" in done.stderr
    assert "pip install xuntu-zip" in done.stderr


def test_a_zip_is_refused_where_nothing_takes_it(album, processes):
    path = write_zip(album.folder / "old.zip", {"a.png": picture(0)})
    assert find_source(str(path)) is None
    done = album.command("build", path, "--data", album.data, "--encoder", "hash")
    assert "unpack it" in done.stderr


class Minimal(Source):
    """No more than a source must have."""

    kind = "minimal"

    @classmethod
    def accepts(cls, place: str) -> bool:
        return place.endswith(".minimal")

    def scan(self, _context: ScanContext) -> Iterator[Item]:
        yield Item(Locator(self.root.id, "a/b.png"))

    def read(self, item: Item, _options: ReadOptions) -> tuple[Stamp, bytes]:
        return item.stamp, b"data"


def test_what_a_source_does_not_say_has_an_answer():
    source = Minimal(Root(id=1, path=Path("/x.minimal"), kind="minimal"))
    assert source.place(Locator(1, "a/b.png")) == "/x.minimal/a/b.png"
    assert source.place(Locator(1, "", row=3)) == "/x.minimal/#3"
    assert source.key_of("/x.minimal/a/b.png") == "a/b.png"
    assert source.words("a/b.png") == "a/b.png"
    assert (source.stamp().is_known, source.reaches(Path("/")), source.file("a"), source.address("a")) == (
        *(False, False),
        *(None, None),
    )
    assert (source.needs_whole("a"), list(source.scan_paths(["a"], ScanContext()))) == (True, [])
    assert source.is_out_of_sight([], {})


@pytest.mark.parametrize("kind", ["folder", "list", "tar"])
def test_the_kinds_of_xuntu_itself(kind):
    assert open_source(Root(id=1, path=Path("/x"), kind=kind)).kind == kind
    assert package_of(kind) == ""


def test_an_unknown_kind_has_a_place_all_the_same():
    root = Root(id=1, path=Path("/x"), kind="nonsense", package="some-package")
    with pytest.raises(UnknownSource, match="some-package"):
        open_source(root)
    assert place_of(root, Locator(1, "a.png")) == "/x/a.png"


def test_the_read_side_loads_sources_only_when_it_meets_them(processes):
    code = "import sys, api.http.app, api.search.engine; print([m for m in sys.modules if 'indexer.sources' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
