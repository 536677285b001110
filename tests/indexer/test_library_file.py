"""`library.json`, and the commands that write and read it: where a library lies."""

import json
import socket

import pytest
import typer.testing

import api.cli
from indexer.library.errors import LibraryUnwritable, UnknownIndexBackend
from indexer.library.index.records import IndexOptions
from indexer.library.storage.addresses import read_index_address, read_storage_address
from indexer.library.storage.errors import (
    AddressUnreachable,
    InvalidAddress,
    LibraryExists,
    LibraryFileUnreadable,
    StorageDiffers,
)
from indexer.library.storage.library_file import LibraryFile
from models.foundation.errors import ImageSearchError

MILVUS, BUCKET = "milvus://search:19530/pictures", "s3://pictures/xuntu"


def library(*arguments: object) -> dict[str, object]:
    """Run `xuntu library`, and return what it says to programs; raise what it raises."""
    result = typer.testing.CliRunner().invoke(api.cli.app, ["library", *map(str, arguments), "--json"])
    if isinstance(result.exception, ImageSearchError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_library_says_where_it_lies_from_its_first_day(tmp_path):
    data = tmp_path / "new" / "data"
    made = library("create", "--data", data, "--index", MILVUS, "--storage", f"{BUCKET}/", "--no-check")
    assert {name: made[name] for name in ("data", "index", "storage")} == {
        "data": str(data),
        "index": MILVUS,
        "storage": BUCKET,
    }
    assert json.loads((data / "library.json").read_text()) == {
        "format": 1,
        "id": made["id"],
        "index": MILVUS,
        "storage": BUCKET,
    }
    assert library("show", "--data", data) == made
    assert LibraryFile.read(data) == LibraryFile(id=made["id"], index=MILVUS, storage=BUCKET)
    assert [path.name for path in data.iterdir()] == ["library.json"]


def test_two_libraries_have_ids_of_their_own(tmp_path):
    first, second = (library("create", "--data", tmp_path / name) for name in ("a", "b"))
    assert first["id"] != second["id"]


def test_a_library_without_the_file_is_local_as_ever(album):
    album.draw("a.jpg")
    album.build()
    assert not album.layout.library_file.exists()
    assert library("show", "--data", album.data) == {
        "data": str(album.data),
        "id": None,
        "index": None,
        "storage": None,
    }
    assert album.settings().index_options == IndexOptions()
    assert album.settings().storage_address is None


def test_a_library_made_for_its_folder_alone_is_built_and_updated(album):
    library("create", "--data", album.data)
    album.draw("a.jpg", "b.jpg")
    assert album.build().encoded == 2
    assert album.update().reused == 2
    assert album.problems() == []


def test_a_folder_that_holds_a_library_is_refused(album):
    album.draw("a.jpg")
    album.build()
    with pytest.raises(LibraryExists, match="xuntu library show"):
        library("create", "--data", album.data)
    library("create", "--data", album.folder / "other")
    with pytest.raises(LibraryExists):
        library("create", "--data", album.folder / "other", "--index", MILVUS, "--no-check")


def test_the_file_decides_and_settings_override_it(album, monkeypatch):
    LibraryFile(id="abcd1234", index=MILVUS, storage=BUCKET).write(album.data)

    def lies() -> tuple[str, str, str, str | None]:
        settings = album.settings()
        options = settings.index_options
        return options.backend, options.address, options.library, settings.storage_address

    assert lies() == ("milvus", MILVUS, "abcd1234", BUCKET)
    monkeypatch.setenv("XUNTU_INDEX__ADDRESS", "milvus://other:19530/db")
    monkeypatch.setenv("XUNTU_STORAGE", f"{BUCKET}/")
    assert lies() == ("milvus", "milvus://other:19530/db", "abcd1234", BUCKET)
    monkeypatch.setenv("XUNTU_INDEX__BACKEND", "faiss")
    assert lies() == ("faiss", "", "abcd1234", BUCKET)
    monkeypatch.setenv("XUNTU_STORAGE", "gs://elsewhere")
    with pytest.raises(StorageDiffers, match="gs://elsewhere"):
        lies()


def test_an_engine_that_is_not_installed_is_said_before_anything_is_read(album):
    album.draw("a.jpg")
    LibraryFile(id="abcd1234", index="zilch://host:1/db").write(album.data)
    with pytest.raises(UnknownIndexBackend, match="zilch"):
        album.build()
    with pytest.raises(UnknownIndexBackend, match="zilch"):
        library("create", "--data", album.folder / "other", "--index", "zilch://host:1/db")
    assert not (album.folder / "other").exists()


def test_an_address_at_which_nothing_listens_is_said():
    with socket.socket() as held:  # bound, and listening to nobody
        held.bind(("127.0.0.1", 0))
        with pytest.raises(AddressUnreachable, match="cannot be reached"):
            read_index_address(f"milvus://127.0.0.1:{held.getsockname()[1]}/db").check_reachable()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("host:19530", "scheme"),
        ("Milvus!://host:19530", "back end"),
        ("milvus://", "host"),
        ("milvus://host:port/db", "host and port"),
        ("milvus://root:hunter2@host:19530", "environment"),
        ("milvus://host:19530/db?token=hunter2", "environment"),
    ],
)
def test_an_address_of_an_index_that_cannot_be_used(address, why):
    with pytest.raises(InvalidAddress, match=why) as said:
        read_index_address(address)
    assert "hunter2" not in said.value.en + said.value.zh


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("bucket/prefix", "scheme"),
        ("ftp://bucket/prefix", "s3://, gs://, az://, file://"),
        ("s3://", "bucket"),
        ("s3:///prefix", "bucket"),
        ("s3://key:hunter2@bucket", "environment"),
        ("s3://bucket/a?AWS_SECRET=hunter2", "environment"),
        ("s3://bucket/a/../b", "folder"),
        ("file://folder", "root"),
        ("file:///", "root"),
    ],
)
def test_an_address_of_storage_that_cannot_be_used(address, why):
    with pytest.raises(InvalidAddress, match=why) as said:
        read_storage_address(address)
    assert "hunter2" not in said.value.en + said.value.zh


def test_an_address_of_storage_is_kept_in_one_form():
    read = [read_storage_address(text) for text in ("s3://bucket", "gs://bucket//a/b/", "file:///srv/x/")]
    assert [one.text for one in read] == ["s3://bucket", "gs://bucket/a/b", "file:///srv/x"]
    assert read[1].below("builds/").text == "gs://bucket/a/b/builds"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not what xuntu writes"),
        ("[]", "not what xuntu writes"),
        ('{"format": 1, "id": "a/b", "index": null, "storage": null}', "not what xuntu writes"),
        ('{"format": 1, "id": "abcd", "index": null}', "not what xuntu writes"),
        ('{"format": 9, "id": "abcd", "index": null, "storage": null}', "newer xuntu"),
        ('{"format": 1, "id": "abcd", "index": null, "storage": "ftp://x"}', "s3://"),
    ],
)
def test_a_file_that_was_not_written_by_xuntu_is_refused(album, content, why):
    album.data.mkdir()
    album.layout.library_file.write_text(content)
    with pytest.raises(LibraryFileUnreadable, match=why):
        LibraryFile.read(album.data)
    album.draw("a.jpg")
    with pytest.raises(LibraryFileUnreadable):
        album.build()


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(LibraryUnwritable):
        library("create", "--data", tmp_path / "data")
