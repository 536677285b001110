"""Secrets out of files: NAME_FILE gives NAME what the file holds."""

import pytest

from api.config import Settings
from indexer.config import IndexerSettings
from models.config import load_settings
from models.foundation.errors import InvalidSetting
from ui.config import read_settings


@pytest.fixture
def secret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "token"
    path.write_text("s3cret 词\n", encoding="utf-8")
    return path


def test_a_file_gives_a_secret(secret, monkeypatch):
    monkeypatch.setenv("XUNTU_API__TOKEN_FILE", str(secret))
    monkeypatch.setenv("xuntu_caption__key_file", str(secret))
    monkeypatch.setenv("XUNTU_API__PORT", "9000")
    api = load_settings(Settings).api
    assert (api.token.get_secret_value(), api.port) == ("s3cret 词", 9000)
    assert load_settings(IndexerSettings).caption.key.get_secret_value() == "s3cret 词"


def test_a_file_goes_before_dotenv(secret, monkeypatch):
    (secret.parent / ".env").write_text("XUNTU_API__TOKEN=older\n")
    monkeypatch.setenv("XUNTU_API__TOKEN_FILE", str(secret))
    assert load_settings(Settings).api.token.get_secret_value() == "s3cret 词"


def test_only_secrets_come_out_of_files(secret, monkeypatch):
    monkeypatch.setenv("XUNTU_API__HOST_FILE", str(secret))
    assert load_settings(Settings).api.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"\n", "the file is empty"), (b"\xff\xfe", "no text in UTF-8")]
)
def test_a_file_that_holds_no_secret_is_refused(secret, monkeypatch, content, why):
    if content is None:
        secret.unlink()
    else:
        secret.write_bytes(content)
    monkeypatch.setenv("XUNTU_API__TOKEN_FILE", str(secret))
    with pytest.raises(InvalidSetting, match=why) as caught:
        load_settings(Settings)
    assert "XUNTU_API__TOKEN_FILE" in caught.value.en


def test_two_tokens_are_refused(secret, monkeypatch):
    monkeypatch.setenv("XUNTU_API__TOKEN_FILE", str(secret))
    monkeypatch.setenv("XUNTU_API__TOKEN", "another")
    with pytest.raises(InvalidSetting, match="one of the two"):
        load_settings(Settings)


def test_the_page_reads_the_same_file(secret):
    assert read_settings({"XUNTU_API__TOKEN_FILE": str(secret)}).token.get_secret_value() == "s3cret 词"
    assert (
        read_settings({"XUNTU_API__TOKEN_FILE": str(secret), "XUNTU_API__TOKEN": "b"}).token.get_secret_value() == "b"
    )
    given = {"XUNTU_API__TOKEN_FILE": str(secret), "XUNTU_API__TOKEN": "b"}
    assert read_settings(given).token.get_secret_value() == "b"
