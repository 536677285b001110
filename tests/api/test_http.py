"""The REST API, through a real server on loopback."""

import base64
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.builds.current import roll_back
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server, timeout=120) as client:
        yield client


def search(http, **params):
    return http.get("/v1/search", params=params).raise_for_status().json()


def names(answer) -> list[str]:
    return [hit["path"] for hit in answer["hits"]]


def assert_problem(response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem["detail"]


def test_a_search_answers_hits_with_everything_a_page_needs(http):
    answer = search(http, q="一只猫", k=2)
    assert set(answer) == {
        *("hits", "total", "next_offset", "next", "timings_ms", "build", "encoder", "notes"),
        *("language", "clauses", "encoders", "nearest", "likely", "likely_is_least"),
    }
    assert set(answer["hits"][0]) == {
        "id",
        "path",
        "root",
        "score",
        "relevance",
        "likelihood",
        "width",
        "height",
        "duplicates",
        "part",
        "moments",
        "reasons",
        "explanation",
        "fields",
    }
    assert (answer["hits"][0]["path"], answer["total"], answer["next_offset"]) == ("cat.png", 9, 2)
    assert (answer["hits"][0]["width"], answer["hits"][0]["height"]) == (451, 300)
    assert set(answer["timings_ms"]) == {"encode", "search", "total"}


def test_an_answer_says_how_the_words_were_read(http, photographs):
    answer = search(http, q="沒有花的貓", k=9)
    assert (answer["language"], answer["hits"][0]["path"]) == ("zh", "cat.png")
    wanted, avoided = answer["clauses"]
    assert (wanted["source"], wanted["text"], wanted["weight"], wanted["language"]) == (0, "貓", 1.0, "zh")
    assert (wanted["image_id"], wanted["negation"]) == (None, None)
    assert (avoided["text"], avoided["weight"]) == ("花", -0.5)
    assert avoided["negation"] == {"words": "沒有花", "start": 0, "end": 3}
    clauses = [{"text": "貓"}, {"text": "花", "weight": -0.5}]
    explicit = http.post("/v1/search", json={"clauses": clauses, "k": 9}).raise_for_status().json()
    assert answer["hits"] == explicit["hits"]
    file = (photographs / "cat.png").read_bytes()
    form = http.post("/v1/search/image", files={"file": file}, data={"text": "no flowers"}).raise_for_status().json()
    assert [(one["source"], one["text"]) for one in form["clauses"]] == [(0, None), (1, "flowers")]


def test_literal_words_are_searched_as_they_are(http, photographs):
    text = "a cat without flowers"
    file = (photographs / "cat.png").read_bytes()
    body = {"clauses": [{"text": text}], "literal": True}
    for answer in (
        search(http, q=text, literal=True),
        http.post("/v1/search", json=body).raise_for_status().json(),
        http.post("/v1/search/image", files={"file": file}, data={"text": text, "literal": "true"}).json(),
    ):
        assert answer["clauses"][-1]["text"] == text
        assert answer["clauses"][-1]["negation"] is None


def test_a_long_text_is_encoded_in_pieces(http, library):
    text = "一只猫坐在窗边看着外面的雪，桌上放着一杯咖啡。" * 20
    expected = SearchEngine.open(library).search(Query(clauses=[Clause(text=text)], k=9))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: search(http, q=text, k=9), range(8)))
    for answer in answers:
        assert "unknown_words" not in [note["code"] for note in answer["notes"]]
        assert names(answer) == [hit.path for hit in expected.hits]
        assert [hit["score"] for hit in answer["hits"]] == pytest.approx([hit.score for hit in expected.hits], abs=1e-4)


def test_following_next_offset_gives_every_picture_once(http):
    seen, offset = [], 0
    while offset is not None:
        answer = search(http, q="花", k=4, offset=offset)
        seen += names(answer)
        offset = answer["next_offset"]
    assert len(seen) == len(set(seen)) == 9


def test_clauses_of_every_kind_are_summed(http, photographs):
    cat = search(http, q="cat", k=1)["hits"][0]["id"]
    flower = base64.b64encode((photographs / "flower.jpg").read_bytes()).decode()
    clauses = [{"text": "人", "weight": -0.2}, {"image": f"data:image/jpeg;base64,{flower}"}, {"image_id": cat}]
    answer = http.post("/v1/search", json={"clauses": clauses, "k": 3}).raise_for_status().json()
    assert answer["hits"][0]["path"] == "flower.jpg"
    assert "cat.png" not in names(answer)


@pytest.mark.parametrize("where", ["format=jpeg and path=r", {"formats": ["jpeg"], "path": "r"}])
def test_a_filter_is_an_expression_or_an_object(http, where):
    body = {"clauses": [{"text": "cat"}], "where": where}
    assert names(http.post("/v1/search", json=body).raise_for_status().json()) == ["rocket.jpg"]


def test_a_filter_in_the_address(http):
    assert set(names(search(http, q="cat", formats=["jpeg"], min_width=640, max_height=427, where="path=r"))) == {
        "rocket.jpg"
    }
    assert len(names(search(http, q="cat", colours=["blue", "橙"]))) > 0


def test_an_uploaded_picture_finds_itself_and_words_join_in(http, photographs):
    file = (photographs / "cat.png").read_bytes()
    answer = http.post("/v1/search/image", files={"file": file}, data={"k": 1}).raise_for_status().json()
    assert answer["hits"][0]["path"] == "cat.png"
    assert answer["hits"][0]["score"] > 0.999
    answer = http.post("/v1/search/image", files={"file": file}, data={"text": "花", "weight": "8"}).json()
    assert answer["hits"][0]["path"] == "flower.jpg"


def test_a_picture_is_described_shown_and_downloaded(http, photographs):
    hit = search(http, q="cat", k=1)["hits"][0]
    detail = http.get(f"/v1/images/{hit['id']}").raise_for_status().json()
    assert (detail["path"], detail["format"], detail["width"], detail["bytes"]) == ("cat.png", "png", 451, 240512)
    assert detail["colours"][0]["name"] == "brown"
    download = http.get(f"/v1/images/{hit['id']}/file")
    assert download.content == (photographs / "cat.png").read_bytes()
    assert (download.headers["content-type"], download.headers["x-content-type-options"]) == ("image/png", "nosniff")
    for size, expected in ((None, (400, 266)), (64, (64, 43)), (2048, (451, 300))):
        params = {} if size is None else {"size": size}
        thumbnail = http.get(f"/v1/images/{hit['id']}/thumbnail", params=params).raise_for_status()
        assert thumbnail.headers["content-type"] == "image/webp"
        assert Image.open(BytesIO(thumbnail.content)).size == expected
    again = http.get(f"/v1/images/{hit['id']}/thumbnail", headers={"if-none-match": thumbnail.headers["etag"]})
    assert again.status_code == 200  # another size: another tag
    tag = http.get(f"/v1/images/{hit['id']}/thumbnail").headers["etag"]
    again = http.get(f"/v1/images/{hit['id']}/thumbnail", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_similar_leaves_the_picture_out(http):
    cat = search(http, q="cat", k=1)["hits"][0]["id"]
    answer = http.get(f"/v1/images/{cat}/similar", params={"k": 100}).raise_for_status().json()
    assert answer["total"] == len(answer["hits"]) == 8
    assert cat not in [hit["id"] for hit in answer["hits"]]


def test_the_index_is_described(http):
    info = http.get("/v1/index").raise_for_status().json()
    assert (info["pictures"], info["failed"], info["formats"]) == (9, 1, {"png": 6, "jpeg": 3})
    spec = {"name": "starter", "space": "starter-v2", "dim": 256, "languages": ["zh", "en"]}
    assert info["encoder"].items() >= spec.items()


def test_health_and_metrics(http):
    assert http.get("/healthz").json()["status"] == "ok"
    assert http.get("/readyz").json()["status"] == "ready"
    search(http, q="cat")
    metrics = http.get("/metrics").text
    assert 'xuntu_stage_seconds_count{stage="encode"}' in metrics
    assert 'xuntu_queue_seconds_count{queue="texts"}' in metrics
    assert 'xuntu_pictures{library="default"} 9.0' in metrics
    assert 'encoder="starter"' in metrics


def test_no_answer_holds_an_absolute_path(http, photographs, library):
    answers = [
        http.get("/v1/search", params={"q": "cat"}),
        http.get("/v1/images/1"),
        http.get("/v1/images/999"),
        http.get("/v1/index"),
        http.get("/readyz"),
        http.get("/metrics"),
        http.get("/v1/images/1/file"),
    ]
    for answer in answers:
        everything = answer.content + repr(answer.headers).encode()
        assert str(photographs.parent).encode() not in everything
        assert str(library).encode() not in everything


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        (("GET", "/v1/search?min_score=0.2"), 422, "invalid_query"),
        (("GET", "/v1/search?q=%20%20&min_relevance=0.5"), 422, "invalid_query"),
        (("GET", "/v1/search?q=" + "a" * 501), 422, "invalid_query"),
        (("GET", "/v1/search?q=zorp"), 422, "unknown_words"),
        (("GET", "/v1/search?q=cat&k=0"), 422, "invalid_request"),
        (("GET", "/v1/search?q=cat&k=501"), 422, "invalid_request"),
        (("GET", "/v1/search?q=cat&k=many"), 422, "invalid_request"),
        (("GET", "/v1/search?q=cat&offset=-1"), 422, "invalid_request"),
        (("GET", "/v1/search?q=cat&min_score=nan"), 422, "invalid_request"),
        (("GET", "/v1/search?q=cat&min_widht=5"), 422, "invalid_request"),
        (("GET", "/v1/search?q=cat&where=shape=round"), 422, "invalid_filter"),
        (("GET", "/v1/search?q=cat&colours=mauve"), 422, "invalid_filter"),
        (("GET", "/v1/search?q=cat&taken_from=yesterday"), 422, "invalid_filter"),
        (("GET", "/v1/images/999"), 404, "image_not_found"),
        (("GET", "/v1/images/99999999999999999999"), 404, "image_not_found"),
        (("GET", "/v1/images/cat"), 422, "invalid_request"),
        (("GET", "/v1/images/999/file"), 404, "image_not_found"),
        (("GET", "/v1/images/999/thumbnail"), 404, "image_not_found"),
        (("GET", "/v1/images/1/thumbnail?size=1000000"), 422, "invalid_request"),
        (("GET", "/v1/images/999/similar"), 404, "image_not_found"),
        (("GET", "/v1/images/999/copies"), 404, "image_not_found"),
        (("GET", "/v1/images/999/text"), 404, "image_not_found"),
        (("GET", "/v1/nothing"), 404, "not_found"),
        (("DELETE", "/v1/search"), 405, "method_not_allowed"),
    ],
)
def test_every_mistake_has_its_sentence(http, request_line, status, code):
    detail = assert_problem(http.request(*request_line), status, code)
    chinese = assert_problem(http.request(*request_line, headers={"accept-language": "zh-CN,zh;q=0.9"}), status, code)
    assert any("\u4e00" <= char <= "\u9fff" for char in chinese)
    assert not any("\u4e00" <= char <= "\u9fff" for char in detail)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_request"),
        (b"[]", "invalid_request"),
        (b'{"clauses": [{}]}', "invalid_query"),
        (b'{"clauses": [{"text": " "}]}', "invalid_query"),
        (b'{"clauses": [{"text": "cat", "image_id": 1}]}', "invalid_query"),
        (b'{"clauses": [{"txet": "cat"}]}', "invalid_request"),
        (b'{"clauses": [{"text": "cat", "weight": 0}]}', "invalid_query"),
        (b'{"clauses": [{"text": "cat", "weight": 1e99}]}', "invalid_request"),
        (b'{"clauses": [{"text": "cat"}, {"text": "cat", "weight": -1}]}', "invalid_query"),
        (b'{"clauses": [{"image": "not base64!"}]}', "invalid_query"),
        (b'{"clauses": [{"image": "aGVsbG8="}]}', "unreadable_image"),
        (b'{"clauses": [{"image_id": 12345}]}', "image_not_found"),
        (b'{"clauses": [{"text": "cat"}], "where": "width>"}', "invalid_filter"),
        (b'{"clauses": [{"text": "cat"}], "where": {"min_widht": 3}}', "invalid_request"),
        (b'{"clauses": [{"text": "\\ud800"}]}', "invalid_query"),
    ],
)
def test_every_bad_body_has_its_sentence(http, body, code):
    response = http.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert_problem(response, 404 if code == "image_not_found" else 422, code)


def test_bad_uploads(http):
    assert_problem(http.post("/v1/search/image", files={"file": b""}), 422, "unreadable_image")
    assert_problem(http.post("/v1/search/image", files={"file": b"\x89PNG\r\n\x1a\nrest"}), 422, "unreadable_image")
    assert_problem(http.post("/v1/search/image", data={"text": "cat"}), 422, "invalid_request")
    bomb = BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    detail = assert_problem(http.post("/v1/search/image", files={"file": bomb.getvalue()}), 413, "image_too_large")
    assert "400 megapixels" in detail


def test_many_at_once_get_the_answers_they_would_get_alone(http, server):
    texts = ["一只猫", "火箭发射", "a cup of coffee", "花", "摩托车", "a man with a camera", "天空", "dog"] * 8
    alone = {text: search(http, q=text)["hits"] for text in set(texts)}

    def ask(text: str) -> bool:
        hits = httpx.get(f"{server}/v1/search", params={"q": text}, timeout=120).json()["hits"]
        same = [hit["id"] for hit in hits] == [hit["id"] for hit in alone[text]]
        return same and all(abs(a["score"] - b["score"]) < 1e-4 for a, b in zip(hits, alone[text], strict=True))

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(ask, texts))


def test_long_lists_and_odd_filters_are_refused_at_once(http):
    many = {"clauses": [{"text": "cat"}], "where": {"formats": ["jpeg"] * 100_000}}
    assert_problem(http.post("/v1/search", json=many), 422, "invalid_request")
    long = {"q": "cat", "where": "path=" + "a" * 3000}
    assert_problem(http.get("/v1/search", params=long), 422, "invalid_request")
    surrogate = b'{"clauses": [{"text": "cat"}], "where": {"path": "\\ud800"}}'
    response = http.post("/v1/search", content=surrogate, headers={"content-type": "application/json"})
    assert_problem(response, 422, "invalid_request")
    assert_problem(http.get("/v1/search", params={"q": "cat", "path": "/etc"}), 422, "invalid_filter")
    for distant in ("modified>=0001", "modified<9999", "taken<=9999-12-31", "modified<2300"):
        http.get("/v1/search", params={"q": "cat", "where": distant}).raise_for_status()


def test_a_page_elsewhere_cannot_make_a_browser_ask_for_it(http, server):
    assert_problem(http.get("/v1/search?q=cat", headers={"host": "evil.example"}), 400, "bad_request")
    for name in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert http.get("/healthz", headers={"host": name}).status_code == 200


def test_a_body_without_a_length_is_cut_off_at_the_limit(library, serve):
    url = serve(library, XUNTU_API__MAX_UPLOAD_BYTES="10000")
    pieces = (b"x" * 65536 for _ in range(40))
    response = httpx.post(f"{url}/v1/search", content=pieces, headers={"content-type": "application/json"})
    assert_problem(response, 413, "request_entity_too_large")


def test_a_damaged_library_says_so_without_saying_where(photographs, tmp_path, serve):
    data = tmp_path / "secret-folder" / "library"
    build(IndexerSettings(data=data, workers=0), [photographs], BuildOptions())
    url = serve(data)
    assert httpx.get(f"{url}/v1/images/2").json()["id"] == 2
    (data / "catalog.sqlite3").write_bytes(b"no database at all" * 500)
    for path in ("/v1/images/3", "/v1/index", "/v1/search?q=cat"):
        response = httpx.get(url + path)
        assert "secret-folder" not in response.text
        assert response.status_code in (200, 503)


def test_new_builds_cost_no_file_handles(photographs, tmp_path, heavy):
    """A service that follows a library for weeks must not run out of them."""
    data = tmp_path / "data"
    build(IndexerSettings(data=data, workers=0), [photographs], BuildOptions())
    opened = open_build(data)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        opened = open_build(data, catalog=opened.catalog)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_a_picture_whose_file_is_gone_says_what_to_run(photographs, tmp_path, serve):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "cat.png").write_bytes((photographs / "cat.png").read_bytes())
    build(IndexerSettings(data=tmp_path / "data", workers=0), [pictures], BuildOptions())
    url = serve(tmp_path / "data")
    (pictures / "cat.png").unlink()
    assert "xuntu index update" in assert_problem(httpx.get(f"{url}/v1/images/1/file"), 404, "file_gone")
    assert httpx.get(f"{url}/v1/images/1/thumbnail").status_code == 200


def test_uploads_have_a_byte_limit(library, serve):
    url = serve(library, XUNTU_API__MAX_UPLOAD_BYTES="10000")
    noise = Image.effect_noise((200, 200), 100).convert("RGB")
    file = BytesIO()
    noise.save(file, "PNG")
    assert_problem(httpx.post(f"{url}/v1/search/image", files={"file": file.getvalue()}), 413, "image_too_large")
    huge = b"\0" * 3_000_000
    assert_problem(httpx.post(f"{url}/v1/search/image", files={"file": huge}), 413, "request_entity_too_large")


def test_a_token_is_asked_for_where_one_is_set(library, serve):
    url = serve(library, XUNTU_API__TOKEN="a secret")
    assert httpx.get(f"{url}/healthz").status_code == 200
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a secret"}):
        for path in ("/v1/search?q=cat", "/v1/images/1/file", "/v1/index", "/metrics"):
            assert_problem(httpx.get(url + path, headers=headers), 401, "unauthorized")
    right = {"authorization": "Bearer a secret"}
    assert httpx.get(f"{url}/v1/search?q=cat", headers=right).status_code == 200


def test_the_documentation_describes_every_route(http):
    paths = http.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/v1/search",
        "/v1/archive",
        "/v1/archive/{ticket}",
        "/v1/boards",
        "/v1/boards/find",
        "/v1/boards/{board_id}",
        "/v1/boards/{board_id}/pictures",
        "/v1/boards/{board_id}/pictures/remove",
        "/v1/search/image",
        "/v1/search/batch",
        "/v1/uploads",
        "/v1/uploads/{upload_id}",
        "/v1/uploads/{upload_id}/thumbnail",
        "/v1/images/{image_id}/vector",
        "/v1/images",
        "/v1/images/{image_id}",
        "/v1/images/{image_id}/file",
        "/v1/images/{image_id}/thumbnail",
        "/v1/images/{image_id}/similar",
        "/v1/images/{image_id}/copies",
        "/v1/images/{image_id}/text",
        "/v1/fields",
        "/v1/facets",
        "/v1/places",
        "/v1/suggest",
        "/v1/embeddings",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/index",
        "/indices-list",
        "/knn-service",
        "/metadata",
        "/v1/libraries",
        "/v1/index/report",
        "/v1/roots",
        "/v1/folders",
        "/v1/index/storage",
        "/v1/index/progress",
        "/v1/settings",
        "/v1/duplicates",
        "/v1/jobs",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/events",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert http.get("/docs").status_code == 200


def test_a_new_build_is_picked_up_while_searches_go_on(photographs, tmp_path, serve, wait_until):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("cat.png", "rocket.jpg"):
        (pictures / name).write_bytes((photographs / name).read_bytes())
    settings = IndexerSettings(data=tmp_path / "data", workers=0)
    url = serve(settings.data, until="/healthz")
    assert_problem(httpx.get(f"{url}/readyz"), 503, "no_index")
    assert "xuntu index build" in assert_problem(httpx.get(f"{url}/v1/search?q=cat"), 503, "no_index")

    first = build(settings, [pictures], BuildOptions())
    wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "the first build")

    statuses: set[int] = set()
    totals: list[int] = []

    def ask() -> int:
        answer = httpx.get(f"{url}/v1/search", params={"q": "一只猫"})
        statuses.add(answer.status_code)
        totals.append(answer.json()["total"])
        return totals[-1]

    assert ask() == 2
    (pictures / "flower.jpg").write_bytes((photographs / "flower.jpg").read_bytes())
    build(settings, [pictures], BuildOptions())
    wait_until(lambda: ask() == 3, "the second build")
    (pictures / "cat.png").unlink()
    build(settings, [], BuildOptions())
    wait_until(lambda: ask() == 2, "the third build")
    roll_back(Layout(settings.data))
    wait_until(lambda: ask() == 3, "the build before it")
    assert statuses == {200}
    assert first.encoded == 2


def test_file_names_that_are_not_unicode_are_served(photographs, tmp_path, serve):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    odd = b"a\xff\nb.png".decode("utf-8", "surrogateescape")
    (pictures / odd).write_bytes((photographs / "cat.png").read_bytes())
    build(IndexerSettings(data=tmp_path / "data", workers=0), [pictures], BuildOptions())
    url = serve(tmp_path / "data")
    hit = httpx.get(f"{url}/v1/search?q=cat").json()["hits"][0]
    assert hit["path"] == "a\ufffd\nb.png"
    assert httpx.get(f"{url}/v1/images/{hit['id']}/file").content == (photographs / "cat.png").read_bytes()
    assert httpx.get(f"{url}/v1/images/{hit['id']}").json()["path"] == hit["path"]
