"""Labels and captions over HTTP: found by words and conditions, counted, and shown as a machine's."""

import base64
import io
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import Settings
from api.http.app import create_app
from indexer.config import CaptionSettings, IndexerSettings
from indexer.pipeline.commands import BuildOptions, annotate, build

CAPTIONS = {
    (451, 300): {"en": "A tabby cat looks at you.", "zh": "一只虎斑猫看着你。"},
    (600, 400): {"en": "A red motorcycle is parked in a garage.", "zh": "一辆红色摩托车停在车库里。"},  # it is coffee
}


class Captioner(BaseHTTPRequestHandler):
    """Says of a picture what belongs to its size."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = request["messages"][0]["content"][1]["image_url"]["url"].partition(",")[2]
        caption = CAPTIONS[Image.open(io.BytesIO(base64.b64decode(data))).size]
        said = {f"{part}_{language}": text for language, text in caption.items() for part in ("short", "descriptive")}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(said)}}
        body = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "toy", "choices": [choice]})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def client(tmp_path_factory, photographs, servers):
    """A client of a library of a cat and a cup of coffee."""
    folder = tmp_path_factory.mktemp("captioned")
    (folder / "pictures").mkdir()
    for name in ("cat.png", "coffee.png"):
        shutil.copy(photographs / name, folder / "pictures")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Captioner)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    settings = IndexerSettings(data=folder / "data", workers=0, caption=CaptionSettings(url=url, model="toy"))
    try:
        build(settings, [folder / "pictures"], BuildOptions())
        (settings.data / "labels.txt").write_text("猫, cat, kitten\n咖啡, coffee\n", "utf-8")
        annotate(settings, ("label", "caption"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    with TestClient(create_app(Settings(data=settings.data)), base_url="http://127.0.0.1") as client:
        yield client


def get(client, path: str, language: str = "en", **params: object) -> dict:
    return client.get(path, params=params, headers={"Accept-Language": language}).raise_for_status().json()


def find(client, text: str, **params: object) -> dict[str, list[tuple[str, str]]]:
    hits = get(client, "/v1/search", q=text, match="text", **params)["hits"]
    return {hit["path"]: [(one["field"], one["text"]) for one in hit["reasons"]] for hit in hits}


def test_words_of_captions_and_labels_find_pictures_and_are_the_reason(client):
    assert find(client, "garage") == {"coffee.png": [("caption_en", CAPTIONS[600, 400]["en"])] * 2}
    assert find(client, "车库") == {"coffee.png": [("caption_zh", CAPTIONS[600, 400]["zh"])] * 2}
    assert find(client, "kitten") == {"cat.png": [("label_names", "kitten")]}


def test_labels_and_doubts_are_conditions_and_labels_are_counted_by_their_names(client, wait_until):
    every = {"cat.png", "coffee.png"}
    for where, wanted in {
        "label=猫": {"cat.png"},
        "label=Coffee": {"coffee.png"},
        "caption_doubtful=yes": {"coffee.png"},
        "caption_doubtful=no": {"cat.png"},
        "caption_agreement<0.9": {"coffee.png"},
        "caption_by=toy": every,
    }.items():
        assert {hit["path"] for hit in get(client, "/v1/search", q="cat", k=9, where=where)["hits"]} == wanted, where
    wait_until(lambda: get(client, "/v1/suggest", q="cat")["suggestions"], "what is suggested")
    for language, labels in {"en": {"cat", "coffee"}, "zh": {"猫", "咖啡"}}.items():
        for typed in ("kit", "貓", "mao"):
            found = [
                one for one in get(client, "/v1/suggest", language, q=typed)["suggestions"] if one["field"] == "label"
            ]
            assert [(one["text"] in labels, one["where"]) for one in found] == [(True, 'label="cat"')]
        (facet,) = get(client, "/v1/facets", language, fields="label")["facets"]
        assert {value["label"] for value in facet["values"]} == labels
        assert {value["value"] for value in facet["values"]} == {"cat", "coffee"}


def test_a_picture_says_which_words_are_a_machines_and_which_it_doubts(client):
    ids = {hit["path"]: hit["id"] for hit in get(client, "/v1/search", q="cat", k=9)["hits"]}
    shown = {
        name: {one["label"]: one["value"] for one in get(client, f"/v1/images/{image_id}")["details"]}
        for name, image_id in ids.items()
    }
    assert shown["cat.png"]["Caption by a machine, English"].startswith("A tabby cat")
    assert shown["cat.png"]["Caption by a machine, Chinese"].startswith("一只虎斑猫")
    assert (shown["cat.png"]["Machine that wrote the caption"], shown["cat.png"]["Labels"]) == ("toy", ["cat"])
    doubt = "The machine's caption may not fit the picture"
    assert (doubt in shown["cat.png"], shown["coffee.png"][doubt]) == (False, True)
    assert not {"Names of labels", "Agreement of the caption with the picture"} & shown["cat.png"].keys()
    chinese = {one["label"]: one["value"] for one in get(client, f"/v1/images/{ids['cat.png']}", "zh")["details"]}
    assert chinese["自动标签"] == ["猫"]
    assert "机器写的描述（中文）" in chinese
    assert get(client, f"/v1/images/{ids['cat.png']}")["caption"] == ""
