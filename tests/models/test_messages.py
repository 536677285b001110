"""Sentences whose facts are fields: paths are shown as the reader may see them, whatever else a sentence says."""

import errno
import os
import pickle
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import CatalogCorrupt, IndexDamaged, LibraryUnwritable
from models.foundation import messages
from models.foundation.errors import FetchFailed, WeightsCorrupt, WeightsMissing, WeightsUnwritable
from models.foundation.messages import Word, add_catalogue, either, join, message, os_message, translate, verbatim
from models.pictures.errors import decode_reason


def name_only(path: Path) -> str:
    return path.name


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """A catalogue beside the product's own, as a plug-in has one."""
    catalogue = Catalog(locale="zh")
    catalogue.add("{path} in a and {why}", "{why}：{path}")
    catalogue.add("full", "已满")
    compiled = tmp_path / "zh" / "LC_MESSAGES" / "xuntu.mo"
    compiled.parent.mkdir(parents=True)
    with compiled.open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(messages, "_folders", list(messages._folders))
    add_catalogue(tmp_path)


def test_paths_are_written_as_asked_and_nothing_else_is_touched(plug_in):
    said = message("{path} in a and {why}", path=Path("/a/b"), why="{a} /a/b")
    assert said.text("en") == str(said) == "/a/b in a and {a} /a/b"
    assert said.text("zh-CN", name_only) == "{a} /a/b：b"


def test_a_message_in_a_message_is_in_the_same_language_and_a_list_has_its_comma(plug_in):
    said = message("{path} in a and {why}", path=[Path("/a/b"), Path("/c")], why=message("full"))
    assert said.text("en", name_only) == "b, c in a and full"
    assert said.text("zh", name_only) == "已满：b、c"


def test_what_stands_in_no_catalogue_is_english(plug_in):
    assert message("nobody has said {this} before", this="so").text("zh") == "nobody has said so before"
    assert translate("", "zh") == ""
    assert translate("full", "en") == "full"
    assert verbatim("{full}").text("zh") == "{full}"


def test_messages_are_joined_and_chosen_from():
    assert join([verbatim("a"), verbatim("{b}")], "; ").text("en") == "a; {b}"
    assert either(["x", "y", "z"]).text("en") == "x or y or z"
    assert either(["x", "y"]).text("zh") == "x 或 y"
    assert either(["x"]).text("zh") == "x"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "make",
    [
        lambda folder: WeightsMissing(folder / "weights/clip/image.onnx"),
        lambda folder: WeightsMissing(folder / "weights/clip/image.onnx", encoder="clip"),
        lambda folder: WeightsMissing(folder / "weights/clip/image.onnx", encoder="clip", places=["https://host/x"]),
        lambda folder: WeightsCorrupt(folder / "weights/clip/image.onnx", encoder="clip"),
        lambda folder: WeightsUnwritable(folder / "weights/x", OSError(errno.EIO, "Input/output error")),
        lambda folder: FetchFailed(
            WeightsMissing(folder / "weights/clip/x", encoder="clip"), [("https://host/x", verbatim("?"))]
        ),
        lambda folder: CatalogCorrupt(folder / "catalog.sqlite3", message("it is cut short")),
        lambda folder: LibraryUnwritable(folder, os_message(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))),
        lambda folder: IndexDamaged(Damage(folder / "x.npy", DamageKind.CHANGED)),
    ],
)
def test_no_error_tells_where_a_library_lies_unless_it_may(make, language):
    folder = Path("/srv/family secrets/album")
    error = make(folder)
    said = error.text(language, name_only)
    assert "srv" not in said
    assert "family secrets" not in said
    assert "{" not in error.text(language)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert again.text(language, name_only) == said
    assert again.text(language) == error.text(language)


def test_a_library_at_the_root_of_a_drive_leaves_sentences_whole():
    error = CatalogCorrupt(Path("/catalog.sqlite3"), message("it is cut short"))
    assert error.text("en", name_only).startswith(
        "The catalog catalog.sqlite3 is damaged (it is cut short). Restore it"
    )
    assert error.text("en", name_only).endswith("run: xuntu index build PATH")


@pytest.mark.parametrize("kind", DamageKind)
def test_damage_is_said_in_both_languages(kind):
    damage = Damage(Path("/data/x.npy"), kind, found=1, expected=2, build="B", why=message("it is cut short"))
    for language in ("en", "zh"):
        said, reason = damage.text(language), damage.reason.text(language)
        assert "{" not in said + reason
        assert "/data" not in said + reason
    assert damage.text("en").isascii()
    assert not damage.text("zh").isascii()
    assert not damage.reason.text("zh").isascii()


def test_what_the_system_says_is_chinese_in_a_chinese_sentence():
    for code in errno.errorcode:
        said = os_message(OSError(code, os.strerror(code)))
        assert said.text("en") == os.strerror(code)
        assert any("\u4e00" <= char <= "\u9fff" for char in said.text("zh"))


@pytest.mark.parametrize(
    ("code", "detail", "english", "chinese"),
    [
        (
            "too_many_bytes",
            "12.0 MiB, limit 10",
            "the file is too big: 12.0 MiB, limit 10",
            "文件过大：12.0 MiB，上限 10",
        ),
        ("not_a_regular_file", "link to {x}", "not a regular file: link to {x}", "不是普通文件：指向 {x} 的链接"),
        ("not_a_regular_file", "FIFO", "not a regular file: FIFO", "不是普通文件：FIFO"),
        (
            "io_error",
            "Input/output error",
            "the file could not be read: Input/output error",
            "无法读取文件：磁盘读写出错",
        ),
    ],
)
def test_what_a_catalog_keeps_of_a_failure_in_english_is_said_in_chinese(code, detail, english, chinese):
    why = decode_reason(code, detail)
    assert (why.text("en"), why.text("zh")) == (english, chinese)


def test_a_word_is_translated_where_a_catalogue_has_it():
    assert (Word("device").text("zh"), Word("{x}").text("zh"), Word("device").text("en")) == ("设备", "{x}", "device")
