"""Sentences whose facts are fields: paths are shown as the reader may see them, whatever else a sentence says."""

import errno
import os
import pickle
from pathlib import Path

import pytest

from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import CatalogCorrupt, IndexDamaged, LibraryUnwritable
from models.foundation.errors import FetchFailed, WeightsCorrupt, WeightsMissing, WeightsUnwritable
from models.foundation.wording import Wording, os_wording


def name_only(path: Path) -> str:
    return path.name


def test_paths_are_written_as_asked_and_nothing_else_is_touched():
    wording = Wording("{path} in a and {why}", "{path} 与 {why}", {"path": Path("/a/b"), "why": "{a} /a/b"})
    assert wording.text("en") == "/a/b in a and {a} /a/b"
    assert wording.text("zh-CN", name_only) == "b 与 {a} /a/b"


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
            WeightsMissing(folder / "weights/clip/x", encoder="clip"), [("https://host/x", "?")]
        ),
        lambda folder: CatalogCorrupt(folder / "catalog.sqlite3", Wording("cut short", "不完整")),
        lambda folder: LibraryUnwritable(folder, os_wording(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))),
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
    error = CatalogCorrupt(Path("/catalog.sqlite3"), Wording("cut short", "不完整"))
    assert error.text("en", name_only).startswith("The catalog catalog.sqlite3 is damaged (cut short). Restore it")
    assert error.text("en", name_only).endswith("run: xuntu index build PATH")


@pytest.mark.parametrize("kind", DamageKind)
def test_damage_is_said_in_both_languages(kind):
    damage = Damage(Path("/data/x.npy"), kind, found=1, expected=2, build="B", why=Wording("full", "已满"))
    for language in ("en", "zh"):
        said, reason = damage.text(language), damage.reason.text(language)
        assert "{" not in said + reason
        assert "/data" not in said + reason
    assert damage.text("en").isascii()
    assert not damage.text("zh").isascii()
    assert not damage.reason.text("zh").isascii()


def test_what_the_system_says_is_chinese_in_a_chinese_sentence():
    for code in errno.errorcode:
        said = os_wording(OSError(code, os.strerror(code)))
        assert said.en == os.strerror(code)
        assert any("\u4e00" <= char <= "\u9fff" for char in said.zh)
