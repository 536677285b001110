import json

from ui.config import PageSettings, read_settings


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
