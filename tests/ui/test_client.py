import json

import httpx
import pytest

from ui.client import ApiClient, ApiError
from ui.config import PageSettings, read_settings

PROBLEM = {
    "type": "urn:xuntu:invalid_query",
    "title": "invalid query",
    "status": 422,
    "detail": "查询里没有内容。",
    "code": "invalid_query",
    "request_id": "abc-123",
}


@pytest.fixture
def client_of():
    clients = []

    def make(answer, **settings):
        client = ApiClient(PageSettings(**settings), transport=httpx.MockTransport(answer))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def raises(error):
    def answer(request):
        raise error

    return answer


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.ConnectTimeout("slow"), "too_slow"),
        (httpx.ReadTimeout("slow"), "too_slow"),
        (httpx.RemoteProtocolError("cut"), "unreachable"),
    ],
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_service_that_does_not_answer_is_a_sentence(client_of, failure, code, lang):
    client = client_of(raises(failure), api_url="http://example.test")
    with pytest.raises(ApiError) as caught:
        client.index(lang=lang)
    assert caught.value.code == code
    assert "http://example.test" in caught.value.message
    assert ("请" in caught.value.message) == (lang == "zh")


def test_a_problem_speaks_for_itself(client_of):
    client = client_of(
        lambda _: httpx.Response(422, json=PROBLEM, headers={"content-type": "application/problem+json"})
    )
    with pytest.raises(ApiError) as caught:
        client.search({"clauses": []}, lang="zh")
    error = caught.value
    assert (error.message, error.code, error.status, error.request_id) == (
        "查询里没有内容。",
        "invalid_query",
        422,
        "abc-123",
    )


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(500, json={"detail": "unlike a problem"}),
        httpx.Response(200, text="hello"),
        httpx.Response(200, json={"hits": "many"}),
    ],
)
def test_an_answer_that_is_not_the_service_is_told_apart(client_of, answer):
    client = client_of(lambda _: answer)
    with pytest.raises(ApiError) as caught:
        client.search({"clauses": [{"text": "snow"}]}, lang="en")
    assert caught.value.code == "not_api"
    assert caught.value.status == answer.status_code


def test_the_language_and_the_token_travel_with_every_call(client_of):
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, content=b"webp")

    client = client_of(answer, token="s3cret")
    assert client.thumbnail(7, size=320, lang="zh") == b"webp"
    client.original(7, lang="en")
    assert [one.headers["authorization"] for one in seen] == ["Bearer s3cret"] * 2
    assert seen[0].headers["accept-language"].startswith("zh")
    assert seen[1].headers["accept-language"] == "en"
    assert str(seen[0].url).endswith("/v1/images/7/thumbnail?size=320")


def test_no_token_sends_none(client_of):
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, content=b"")

    client_of(answer).thumbnail(1, size=64, lang="en")
    assert "authorization" not in seen[0].headers


def test_the_client_understands_the_service(api_url):
    client = ApiClient(PageSettings(api_url=api_url))
    try:
        assert client.index(lang="en").pictures == 70
        answer = client.search({"clauses": [{"text": "red circle"}], "k": 3}, lang="en")
        assert [len(answer.hits), answer.total] == [3, 70]
        first = answer.hits[0]
        assert client.image(first.id, lang="en").path == first.path
        assert first.id not in [hit.id for hit in client.similar(first.id, k=5, lang="en").hits]
        assert client.original(first.id, lang="en").media_type == "image/jpeg"
        with pytest.raises(ApiError, match="9999") as caught:
            client.image(9999, lang="en")
        assert caught.value.code == "image_not_found"
    finally:
        client.close()


def test_settings_come_from_two_variables():
    assert read_settings({}) == PageSettings()
    assert read_settings({"XUNTU_UI__API_URL": "", "XUNTU_API__TOKEN": ""}) == PageSettings()
    settings = read_settings({"XUNTU_UI__API_URL": "http://host:1/", "XUNTU_API__TOKEN": "t"})
    assert settings.api_url == "http://host:1"
    assert settings.token.get_secret_value() == "t"
    assert "t" not in json.loads(settings.model_dump_json())["token"]
