"""Where encoders are, and how they run, as the environment says it."""

from pathlib import Path

import pytest

from models.config import EncoderSettings, load_settings
from models.foundation.errors import InvalidSetting


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


def test_weights_lie_in_the_library_unless_they_are_shared(monkeypatch):
    assert load_settings(EncoderSettings, data=Path("album")).runtime.weights == Path("album/weights")
    monkeypatch.setenv("XUNTU_WEIGHTS", "/srv/weights")
    assert load_settings(EncoderSettings, data=Path("album")).runtime.weights == Path("/srv/weights")


def test_both_names_of_a_mirror_are_honoured(monkeypatch):
    assert load_settings(EncoderSettings).mirror == ""
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    assert load_settings(EncoderSettings).mirror == "https://hub.example"
    monkeypatch.setenv("XUNTU_MIRROR", "https://nearer.example")
    assert load_settings(EncoderSettings).mirror == "https://nearer.example"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("XUNTU_PRECISION", "fp8"),
        ("XUNTU_HUB", "elsewhere"),
        ("XUNTU_OFFLINE", "perhaps"),
        ("XUNTU_THREADS", "-1"),
        ("XUNTU_MIRROR", "file:///etc"),
        ("HF_ENDPOINT", "hub.example"),
    ],
)
def test_what_cannot_be_used_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting) as caught:
        load_settings(EncoderSettings)
    for text in (caught.value.en, caught.value.zh):
        assert value in text
        assert variable in text or variable.startswith("HF_")
