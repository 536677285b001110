"""The routes of clip-retrieval, asked as its client and its front ask: without saying that a body is JSON."""

import base64
import json
from io import BytesIO

import httpx
import pytest
from PIL import Image
from pydantic import ValidationError

from api.config import ApiSettings, Settings
from api.http.app import create_app

# What the client sends beside what is looked for.
SENT = {
    "text": None,
    "image": None,
    "image_url": None,
    "embedding_input": None,
    "deduplicate": True,
    "use_safety_model": True,
    "use_violence_detector": True,
    "indice_name": "",
    "use_mclip": False,
    "aesthetic_score": 9,
    "aesthetic_weight": 0.5,
    "modality": "image",
    "num_images": 3,
    "num_result_ids": 3,
}
FRONT = "http://front.test"


@pytest.fixture(scope="module")
def url(library, serve_app) -> str:
    return serve_app(create_app(Settings(data=library, api={"allow_origins": f"{FRONT}, https://other.test"})))


def post(url, path, sent, **headers):
    """Post JSON as a program does that says nothing of its type."""
    return httpx.post(url + path, content=json.dumps(sent), headers=headers)


def ask(url, headers=None, **sent):
    return post(url, "/knn-service", {**SENT, **sent}, **(headers or {}))


def assert_refused(response, code="invalid_query", status=422):
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return response.json()["detail"]


def test_a_text_finds_pictures_and_where_they_are(url, photographs):
    hits = ask(url, text="一只猫").raise_for_status().json()
    assert [set(hit) for hit in hits] == [{"id", "similarity", "url", "caption", "image_path"}] * 3
    assert hits[0]["image_path"] == "cat.png"
    assert hits[0]["similarity"] > hits[1]["similarity"]
    assert hits[0]["url"] == f"{url}/v1/images/{hits[0]['id']}/file"
    assert httpx.get(hits[0]["url"]).content == (photographs / "cat.png").read_bytes()


def test_a_picture_finds_itself(url, photographs):
    data = base64.b64encode((photographs / "rocket.jpg").read_bytes()).decode()
    for image in (data, f"data:image/jpeg;base64,{data}"):
        assert ask(url, text="", image=image).raise_for_status().json()[0]["image_path"] == "rocket.jpg"


def test_a_vector_finds_what_it_is_of(url):
    body = {"input": "一只猫", "model": "default"}
    (made,) = httpx.post(f"{url}/v1/embeddings", json=body).raise_for_status().json()["data"]
    hits = ask(url, embedding_input=[2 * number for number in made["embedding"]]).raise_for_status().json()
    assert hits[0]["image_path"] == "cat.png"
    assert "3 numbers" in assert_refused(ask(url, embedding_input=[1, 2, 3]))


def test_an_address_that_was_given_out_is_that_picture(url):
    found = ask(url, text="一只猫").json()[0]
    again = ask(url, image_url=found["url"], num_images=9, num_result_ids=9).raise_for_status().json()
    assert len(again) == 8
    assert found["id"] not in [hit["id"] for hit in again]


@pytest.mark.parametrize(
    "address",
    [
        "http://pictures.test/v1/images/1/file",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "/etc/passwd",
        "cat.jpg",
    ],
)
def test_other_addresses_are_not_fetched(url, address):
    assert "fetches no addresses" in assert_refused(ask(url, image_url=address))


def test_of_the_rest_only_ids_are_said_and_more_when_it_is_asked_for(url):
    hits = ask(url, text="一只猫", num_images=2, num_result_ids=10_000).raise_for_status().json()
    assert len(hits) == 9
    assert [set(hit) == {"id", "similarity"} for hit in hits] == [False] * 2 + [True] * 7
    ids = [hit["id"] for hit in hits]
    told = post(url, "/metadata", {"ids": [*ids[::-1], 9999, -1, 2**70], "indice_name": ""}).raise_for_status().json()
    assert [one["id"] for one in told] == ids[::-1]
    first = {name: hits[0][name] for name in ("url", "caption", "image_path")}
    assert told[-1]["metadata"] == first
    assert post(url, "/metadata", {"ids": []}).json() == []


def test_the_page_of_another_origin_gets_small_pictures_that_it_can_show(url):
    headers = {"Origin": FRONT, "Content-Type": "text/plain;charset=UTF-8"}  # as browsers send a string
    answer = ask(url, headers, text="一只猫")
    assert answer.headers["access-control-allow-origin"] == FRONT
    hits = answer.raise_for_status().json()
    assert all("url" not in hit for hit in hits)
    with Image.open(BytesIO(base64.b64decode(hits[0]["image"]))) as image:
        assert (image.format, max(image.size)) == ("JPEG", 400)
    again = ask(url, headers, image=hits[0]["image"]).raise_for_status().json()
    assert again[0]["id"] == hits[0]["id"]
    (told,) = post(url, "/metadata", {"ids": [hits[0]["id"]]}, **headers).json()
    assert told["metadata"]["image"] == hits[0]["image"]


def test_pages_of_other_origins_cannot_read_what_is_answered(url, library, serve_app):
    elsewhere = {"Origin": "http://elsewhere.test"}
    assert "access-control-allow-origin" not in ask(url, elsewhere, text="cat").headers
    closed = serve_app(create_app(Settings(data=library)))
    assert "access-control-allow-origin" not in ask(closed, {"Origin": FRONT}, text="cat").headers


def test_a_browser_may_ask_first(url):
    headers = {"Origin": FRONT, "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = "authorization,content-type"
    answer = httpx.options(f"{url}/v1/search", headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, FRONT)
    headers["Origin"] = "http://elsewhere.test"
    assert httpx.options(f"{url}/v1/search", headers=headers).status_code == 400


def test_the_library_is_the_one_index(url, library):
    (name,) = httpx.get(f"{url}/indices-list").json()
    assert name == library.name
    assert ask(url, text="cat", indice_name=name).status_code == 200
    assert name in assert_refused(ask(url, text="cat", indice_name="laion5B"))
    assert_refused(post(url, "/metadata", {"ids": [1], "indice_name": "laion5B"}))


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"text": ""},
        {"text": "cat", "image": "aGk="},
        {"text": "猫" * 501},
        {"image": "no base64!"},
    ],
)
def test_what_cannot_be_asked_is_said(url, sent):
    assert_refused(ask(url, **sent))


@pytest.mark.parametrize(
    "sent", [{"num_images": "many"}, {"modality": "sound"}, {"embedding_input": ["a"]}, {"text": 7}]
)
def test_what_cannot_be_read_is_said(url, sent):
    assert_refused(ask(url, **sent), "invalid_request")


def test_a_body_that_is_no_json_is_said(url):
    for path in ("/knn-service", "/metadata"):
        for content in (b"", b"{", b"[1]", b"\xff"):
            assert httpx.post(url + path, content=content).status_code == 422
    assert_refused(ask(url, image=base64.b64encode(b"no picture").decode()), "unreadable_image")


def test_addresses_are_those_that_others_reach(library, serve_app):
    outside = "https://pictures.example/xuntu"
    url = serve_app(create_app(Settings(data=library, api={"public_url": outside})))
    hit = ask(url, text="一只猫").json()[0]
    assert hit["url"] == f"{outside}/v1/images/{hit['id']}/file"
    assert ask(url, image_url=hit["url"]).status_code == 200


def test_a_host_that_cannot_be_repeated_is_not(url):
    hit = ask(url, {"Host": 'a"><script>'}, text="一只猫").json()[0]
    assert hit["url"] == f"/v1/images/{hit['id']}/file"


def test_who_may_not_see_files_gets_none(library, serve_app):
    settings = {"anonymous_scopes": "search", "token": "s3cret"}
    url = serve_app(create_app(Settings(data=library, api=settings)))
    for headers in ({}, {"Origin": FRONT}):
        hit = ask(url, headers, text="一只猫").raise_for_status().json()[0]
        assert set(hit) == {"id", "similarity", "caption", "image_path"}


def test_without_a_token_nothing_is_answered_where_one_is_asked_for(library, serve_app):
    url = serve_app(create_app(Settings(data=library, api={"token": "s3cret"})))
    assert ask(url, text="cat").status_code == 401
    assert ask(url, {"Authorization": "Bearer s3cret"}, text="cat").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"allow_origins": "app.example"},
        {"allow_origins": "https://app.example/"},
        {"public_url": "pictures.example"},
        {"public_url": "https://someone@pictures.example"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        ApiSettings(**wrong)
