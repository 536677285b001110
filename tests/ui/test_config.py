import json

import pytest

from ui.config import PageSettings, read_settings
from ui.library.visit import may_manage


def test_settings_come_from_variables():
    assert read_settings({}) == PageSettings()
    assert read_settings({"XUNTU_UI__API_URL": "", "XUNTU_API__TOKEN": ""}) == PageSettings()
    settings = read_settings(
        {"XUNTU_UI__API_URL": "http://host:1/", "XUNTU_API__TOKEN": "t", "XUNTU_UI__HOSTS": "a, b,"}
    )
    assert settings.api_url == "http://host:1"
    assert settings.token.get_secret_value() == "t"
    assert settings.manage is None
    assert [read_settings({"XUNTU_UI__MANAGE": given}).manage for given in ("", "1", "0")] == [None, True, False]
    assert "t" not in json.loads(settings.model_dump_json())["token"]
    assert settings.host_names == ["a", "b"]
    assert PageSettings().host_names == []


@pytest.mark.parametrize(
    ("address", "hosts", "manage", "is_asked_for"),
    [
        ("127.0.0.1", "", None, True),
        ("localhost", "localhost,[::1]", None, True),
        ("", "", None, False),
        ("192.168.1.5", "", None, False),
        ("127.0.0.1", "pictures.example.org", None, False),
        ("127.0.0.1", "pictures.example.org", True, True),
        ("127.0.0.1", "", False, False),
    ],
)
def test_work_is_asked_for_where_nobody_else_reaches_the_page(address, hosts, manage, is_asked_for):
    assert may_manage(PageSettings(hosts=hosts, manage=manage), address) is is_asked_for
