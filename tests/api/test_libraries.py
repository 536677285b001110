"""Several libraries in one service: what each is asked, who may ask it, and what they have in common."""

import shutil
from datetime import UTC, datetime

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import xuntu
from api.config import Settings
from api.http.app import create_app
from api.keys import records
from api.keys.store import add_key
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.config import load_settings
from models.foundation.errors import InvalidSetting

COLOURS = {"red": (200, 20, 20), "blue": (20, 20, 200)}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Two libraries with the encoder `hash`, by colour: one of one picture, one of two."""
    found = {}
    for count, (name, colour) in enumerate(COLOURS.items(), 1):
        folder = tmp_path_factory.mktemp(name)
        pictures = folder / "pictures"
        pictures.mkdir()
        for number in range(count):
            Image.new("RGB", (64 + number, 48), colour).save(pictures / f"{name}-{number}.png")
        data = folder / "data"
        build(IndexerSettings(data=data, workers=0), [pictures], BuildOptions(encoders=["hash"]))
        found[name] = data
    return found


@pytest.fixture(scope="module")
def settings(libraries):
    return Settings(data=libraries["red"], libraries={"blue": libraries["blue"]}, api={"preload_image": False})


@pytest.fixture(scope="module")
def http(settings):
    with TestClient(create_app(settings)) as client:
        yield client


def paths(answer: httpx.Response) -> list[str]:
    return sorted(hit["path"] for hit in answer.raise_for_status().json()["hits"])


def test_each_library_answers_for_itself(http, tmp_path, heavy):
    assert paths(http.get("/v1/search?q=cat")) == ["red-0.png"]
    assert paths(http.get("/v1/libraries/default/search?q=cat")) == ["red-0.png"]
    assert paths(http.get("/v1/libraries/blue/search?q=cat")) == ["blue-0.png", "blue-1.png"]
    body = {"clauses": [{"text": "cat"}]}
    assert paths(http.post("/v1/libraries/blue/search", json=body)) == ["blue-0.png", "blue-1.png"]
    shown = []
    for prefix in ("/v1", "/v1/libraries/blue"):
        (first, *_) = http.get(f"{prefix}/images?sort=path").json()["images"]
        for kind in ("thumbnail", "file"):
            answer = http.get(f"{prefix}/images/{first['id']}/{kind}").raise_for_status()
            (tmp_path / "shown").write_bytes(answer.content)
            with Image.open(tmp_path / "shown") as image:
                red, _, blue = image.convert("RGB").getpixel((5, 5))
            shown.append(red > blue)
    assert shown == [True, True, False, False]
    assert [http.get(f"{one}/index").json()["pictures"] for one in ("/v1", "/v1/libraries/blue")] == [1, 2]


def test_libraries_are_listed_with_what_is_in_them(http):
    found = http.get("/v1/libraries").raise_for_status().json()["libraries"]
    assert [(one["name"], one["pictures"]) for one in found] == [("default", 1), ("blue", 2)]
    assert [one["build"] for one in found] == [
        http.get(f"/v1/libraries/{one['name']}/index").json()["build"] for one in found
    ]
    told = http.get("/metrics").text
    assert 'xuntu_pictures{library="default"} 1.0' in told
    assert 'xuntu_pictures{library="blue"} 2.0' in told
    for one in found:
        assert f'xuntu_build{{build="{one["build"]}",encoder="hash",library="{one["name"]}"}} 1.0' in told
    assert 'route="/v1/libraries/{library}/index"' in told


@pytest.mark.parametrize("path", ["green/search?q=cat", "green/images/1/thumbnail", "BLUE/index"])
def test_an_unknown_library_is_not_there(http, path):
    answer = http.get(f"/v1/libraries/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "library_not_found")


def test_libraries_share_what_encodes(http):
    served = http.app.state.libraries
    towers = [served.find(name).serving.batchers["hash"] for name in ("default", "blue")]
    assert towers[0] is towers[1]
    assert served.find("blue").decoding is served.default.decoding
    assert served.find("blue").executors is served.default.executors


def test_a_key_asks_the_libraries_that_it_is_for(settings, libraries, tmp_path):
    file = tmp_path / "keys.json"
    keys = {}
    for name, allowed in {"all": None, "blue": {"blue"}, "none": {"green"}}.items():
        keys[name] = records.make_key()
        record = records.KeyRecord(
            name=f"for-{name}",
            digest=records.digest_of(keys[name].encode()),
            scopes=records.read_scopes("search,files,admin"),
            libraries=allowed and frozenset(allowed),
            created_at=datetime.now(UTC),
        )
        add_key(file, record)
    api = {**settings.api.model_dump(), "keys": file}
    asked = ("/v1/index", "/v1/libraries/default/index", "/v1/libraries/blue/index", "/v1/libraries/green/index")
    with TestClient(create_app(settings.model_copy(update={"api": type(settings.api)(**api)}))) as client:

        def ask(name: str, path: str) -> httpx.Response:
            return client.get(path, headers={"Authorization": f"Bearer {keys[name]}"})

        statuses = {name: [ask(name, path).status_code for path in asked] for name in keys}
        assert statuses == {"all": [200, 200, 200, 404], "blue": [403, 403, 200, 403], "none": [403, 403, 403, 404]}
        assert ask("blue", "/v1/index").json()["code"] == "library_forbidden"
        listed = {name: [one["name"] for one in ask(name, "/v1/libraries").json()["libraries"]] for name in keys}
        assert listed == {"all": ["default", "blue"], "blue": ["blue"], "none": []}
        assert ask("blue", "/metrics").status_code == 200


def test_a_library_that_is_not_there_yet_is_waited_for(settings, libraries, tmp_path, wait_until):
    late = {"late": tmp_path / "late"}
    api = settings.api.model_copy(update={"follow_seconds": 0.01})
    with TestClient(create_app(settings.model_copy(update={"api": api, "libraries": late}))) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/libraries").json()["libraries"][1] == {"name": "late", "pictures": 0, "build": None}
        assert client.get("/v1/libraries/late/index").status_code == 503
        shutil.copytree(libraries["blue"], tmp_path / "copied")
        (tmp_path / "copied").rename(late["late"])  # nobody reads a catalog that is still being written over
        wait_until(lambda: client.get("/v1/libraries/late/index").status_code == 200, "the library to be served")


def test_the_clients_ask_a_library_by_its_name(settings, serve_app):
    url = serve_app(create_app(settings))
    with xuntu.connect(url, library="blue") as client:
        assert client.index().pictures == 2
        assert [one.name for one in client.libraries().libraries] == ["default", "blue"]
        assert client.readiness().status == "ready"
        assert client.with_library(None).index().pictures == 1
        (first, *_) = client.search("cat").hits
        assert client.thumbnail(first.id) != client.with_library("default").thumbnail(1)


def test_names_of_libraries_are_for_addresses(monkeypatch, tmp_path):
    monkeypatch.setenv("XUNTU_LIBRARIES__PETS", str(tmp_path))
    assert load_settings(Settings).libraries == {"pets": tmp_path}
    for name in ("default", "a b", "ä", "-"):
        with pytest.raises(InvalidSetting):
            load_settings(Settings, libraries={name: tmp_path})
