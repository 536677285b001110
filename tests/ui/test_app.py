"""The page in each of its states, run by Streamlit without a browser."""

import base64
from urllib.parse import unquote_plus

import pytest
from PIL import Image

from api.client import Client
from api.client.errors import ServiceTooSlow, ServiceUnreachable
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from ui.address import PAGE_SIZE, Address, link, split_text
from ui.pictures import Upload
from ui.stage import BUILD_COMMAND, SERVE_COMMAND
from ui.strings import labels


def test_the_first_visit_welcomes_with_examples_and_pictures(run, api_url):
    seen = run(api_url, lang="zh")
    assert seen.stage["kind"] == "welcome"
    assert len(seen.stage["tiles"]) == 18
    assert seen.stage["examples"]
    assert all(one["href"].startswith("?q=") and one["href"].endswith("&lang=zh") for one in seen.stage["examples"])
    assert seen.bar["status"]["count"] == "70 张图片"
    assert seen.bar["chips"] == []
    assert list(seen.detail) == ["run"]


def test_a_small_library_welcomes_with_all_it_has(run, small_service):
    seen = run(small_service.url)
    assert sorted(tile["id"] for tile in seen.stage["tiles"]) == [1, 2, 3, 4, 5, 6, 7]


def test_hits_are_tiles_of_known_size_with_their_scores(run, api_url):
    seen = run(api_url, q="red circle -people", lang="en")
    tiles = seen.stage["tiles"]
    assert seen.stage["kind"] == "results"
    assert len(tiles) == PAGE_SIZE
    assert all(tile["src"].startswith("data:image/webp;base64,") for tile in tiles)
    assert all(tile["width"] >= 1 and tile["height"] >= 1 for tile in tiles)
    assert tiles[0]["bar"] == 1
    assert tiles[0]["score"].startswith("Similarity 0.")
    assert [(chip["label"], chip["away"]) for chip in seen.bar["chips"]] == [("red circle", False), ("people", True)]
    assert [chip["href"] for chip in seen.bar["chips"]] == ["?q=-people&lang=en", "?q=red+circle&lang=en"]
    assert seen.stage["turn"]["previous"] is None
    assert "page=2" in seen.stage["turn"]["next"]
    assert seen.stage["shown"] == "1–30 of 70"


def test_bars_compare_with_the_best_score_of_the_page_where_several_encoders_rank(run, fused_service):
    tiles = run(fused_service.url, q="red flower", lang="en").stage["tiles"]
    scores = [float(tile["score"].split()[-1]) for tile in tiles]
    assert scores != sorted(scores, reverse=True)
    assert [tile["bar"] for tile in tiles] == pytest.approx([max(score, 0) / max(scores) for score in scores], abs=0.01)


def test_the_last_page_ends_and_its_bars_compare_with_the_first_hit(run, api_url):
    seen = run(api_url, q="red", page="3", lang="zh")
    assert len(seen.stage["tiles"]) == 10
    assert seen.stage["turn"]["next"] is None
    assert seen.stage["shown"] == "第 61–70 张，共 70 张"
    assert seen.stage["tiles"][0]["bar"] < 1
    beyond = run(api_url, q="red", page="9", lang="zh")
    assert beyond.stage["kind"] == "message"
    assert beyond.stage["links"][0]["href"] == "?q=red&lang=zh"


def test_the_service_is_asked_for_what_the_url_says(run, api_url, service):
    run(api_url, q="snow", like="3", less="4", colour=["blue", "red"], shape="portrait", width="300", folder="2024/")
    asked = service.searches[-1]
    assert [(one.get("text", one.get("image_id")), one["weight"]) for one in asked["clauses"]] == [
        ("snow", 1.0),
        (3, 1.0),
        (4, -0.5),
    ]
    assert asked["where"] == {"path": "2024/", "colours": ["blue", "red"], "min_width": 300, "max_aspect": 0.95}


@pytest.mark.parametrize(
    ("lang", "label", "folded"),
    [("zh", "隐藏重复图片", "另有 2 张重复图片未显示"), ("en", "Hide duplicates", "Hides 2 duplicates")],
)
def test_duplicates_are_hidden_when_the_person_says_so(run, api_url, service, lang, label, folded):
    shown = run(api_url, q="snow", lang=lang)
    assert "hide_duplicates" not in service.searches[-1]
    switch = shown.bar["filters"]["duplicates"]
    assert (switch["label"], switch["on"], switch["href"]) == (label, False, f"?q=snow&duplicates=hide&lang={lang}")
    hidden = run(api_url, q="snow", lang=lang, duplicates="hide", page="2")
    assert all(asked["hide_duplicates"] is True for asked in service.searches[-2:])
    switch = hidden.bar["filters"]["duplicates"]
    assert (switch["on"], switch["href"]) == (True, f"?q=snow&lang={lang}")
    assert [(one["label"], one["href"]) for one in hidden.bar["active"]] == [(label, f"?q=snow&lang={lang}")]
    assert "duplicates=hide" in hidden.stage["turn"]["next"]
    pages = [run(api_url, q="snow", lang=lang, duplicates="hide", page=page).stage["tiles"] for page in "123"]
    assert sorted((tile["folded"] or "" for page in pages for tile in page), reverse=True) == [folded, *[""] * 67]


@pytest.mark.parametrize(
    ("q", "lang", "chips", "literal"),
    [
        (
            "没戴眼镜的猫",
            "zh",
            [("猫", False, "?q=没戴眼镜&lang=zh"), ("不要 戴眼镜", True, "?q=没戴眼镜的猫&literal=1&lang=zh")],
            "按字面搜索",
        ),
        (
            "a street without people -cars",
            "en",
            [
                ("a street", False, "?q=without people -cars&lang=en"),
                ("without people", True, "?q=a street without people -cars&literal=1&lang=en"),
                ("cars", True, "?q=a street without people&lang=en"),
            ],
            "Words as they are",
        ),
        ("不要水印", "zh", [("不要 水印", True, "?q=不要水印&literal=1&lang=zh")], "按字面搜索"),
    ],
)
def test_negation_in_words_is_a_chip_that_can_be_undone(run, api_url, service, q, lang, chips, literal):
    seen = run(api_url, q=q, lang=lang)
    assert "literal" not in service.searches[-1]
    assert [(one["label"], one["away"], unquote_plus(one["href"])) for one in seen.bar["chips"]] == chips
    assert seen.stage["kind"] == "results"
    negated = next(one for one in seen.bar["chips"] if "literal=1" in one["href"])
    assert negated["remove"] == labels(lang).read_literally
    assert negated["weight"] == labels(lang).weight.format(weight="−0.5")
    undone = run(api_url, q=q, lang=lang, literal="1")
    assert service.searches[-1]["literal"] is True
    assert [one["label"] for one in undone.bar["chips"]] == [term.text for term in split_text(q)]
    assert [(one["label"], one["href"]) for one in undone.bar["active"]] == [
        (literal, link(Address(text=q, lang=lang)))
    ]
    assert "literal=1" in undone.stage["turn"]["next"]


def test_pictures_that_are_asked_for_are_chips_with_their_name(run, api_url):
    seen = run(api_url, like="1", less="2", lang="en")
    assert [(chip["label"], chip["away"]) for chip in seen.bar["chips"]] == [
        ("001-red.jpg", False),
        ("002-orange.jpg", True),
    ]
    assert all(chip["src"].startswith("data:image/webp") for chip in seen.bar["chips"])


@pytest.mark.parametrize(("lang", "label"), [("en", "part of "), ("zh", " 的局部")])
def test_a_part_that_is_asked_for_is_a_chip_with_the_part_in_its_window(run, api_url, service, lang, label):
    seen = run(api_url, like="4@30,20,60,40", lang=lang)
    assert seen.stage["kind"] == "results"
    crop = {"x": 30, "y": 20, "width": 60, "height": 40}
    assert service.searches[-1]["clauses"] == [{"image_id": 4, "weight": 1.0, "crop": crop}]
    (chip,) = seen.bar["chips"]
    assert label in chip["label"]
    assert chip["src"].startswith("data:image/webp")
    assert (chip["title"], chip["href"]) == ("60 × 40", f"?lang={lang}")
    # The picture is 640 x 320: so many times as large as the part, and its corner so far to the left and above.
    assert chip["window"] == pytest.approx(
        {"ratio": 1.5, "width": 100 * 640 / 60, "height": 100 * 320 / 40, "left": -50, "top": -50}
    )
    narrow = run(api_url, like="4@30,20,10,100").bar["chips"][0]["window"]
    assert (narrow["ratio"], narrow["left"]) == (0.6, -300)  # of a high part, the middle


def test_a_part_beyond_its_picture_is_said_and_one_of_no_picture_has_a_number(run, api_url):
    seen = run(api_url, like="4@9000,0,60,40", lang="en")
    assert seen.stage["title"] == "That was not understood"
    gone = run(api_url, like="999@0,0,60,40", lang="en")
    assert gone.bar["chips"][0]["label"] == "part of #999"
    assert gone.bar["chips"][0]["src"] is None


def test_conditions_that_nothing_meets_say_what_to_try(run, api_url):
    seen = run(api_url, q="snow", folder="nowhere/", lang="en")
    assert seen.stage["kind"] == "message"
    assert seen.stage["title"] == "No picture fits"
    assert len(seen.stage["tips"]) == 2
    assert seen.stage["links"][0]["href"] == "?q=snow&lang=en"
    assert [one["label"] for one in seen.bar["active"]] == ["nowhere/"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_library_shows_the_command_to_run(run, empty_service, lang):
    seen = run(empty_service.url, q="snow", lang=lang)
    assert seen.stage["kind"] == "command"
    assert seen.stage["command"] == BUILD_COMMAND
    assert seen.stage["request_id"] is None
    assert seen.bar["status"] is None


@pytest.mark.parametrize(
    ("fault", "sentence"), [("error", "服务内部出错。请求编号可帮助查找原因。"), ("busy", "Service Unavailable.")]
)
def test_a_failing_search_is_a_sentence_with_its_request_id(run, api_url, service, fault, sentence):
    service.fault = fault
    seen = run(api_url, q="snow", lang="zh")
    assert seen.stage["kind"] == "command"
    assert seen.stage["body"] == sentence
    assert seen.stage["request_id"].endswith("0123456789abcdef")
    assert seen.stage["retry"] == "?q=snow&lang=zh"
    assert run(api_url, lang="zh").stage["kind"] == "welcome"


@pytest.mark.parametrize(("fault", "error"), [("lost", ServiceUnreachable), ("silent", ServiceTooSlow)])
def test_a_search_that_gets_no_whole_answer_is_a_sentence(run, api_url, service, monkeypatch, fault, error):
    monkeypatch.setattr("ui.config.TIMEOUT_S", 0.5)
    service.fault = fault
    seen = run(api_url, q="snow", lang="zh")
    assert (seen.stage["kind"], seen.stage["body"]) == ("command", error(api_url).zh)
    assert seen.bar["status"]["count"] == "70 张图片"


def test_an_answer_that_comes_in_pieces_is_an_answer(run, api_url, service):
    service.fault = "slow"
    assert len(run(api_url, q="snow").stage["tiles"]) == PAGE_SIZE


def test_a_service_that_is_away_says_how_to_start_it(run):
    seen = run("http://127.0.0.1:9", q="snow", lang="en")
    assert seen.stage["command"] == SERVE_COMMAND
    assert "http://127.0.0.1:9" in seen.stage["body"]


def test_an_open_picture_knows_its_neighbours_across_pages(run, api_url):
    hits = [tile["id"] for page in "123" for tile in run(api_url, q="red", page=page).stage["tiles"]]
    assert len(set(hits)) == 70
    last_of_first = run(api_url, q="red", id=str(hits[29]))
    assert last_of_first.detail["previous"] == f"?q=red&id={hits[28]}"
    assert last_of_first.detail["next"] == f"?q=red&page=2&id={hits[30]}"
    first_of_second = run(api_url, q="red", page="2", id=str(hits[30]))
    assert first_of_second.detail["previous"] == f"?q=red&id={hits[29]}"
    assert first_of_second.detail["next"] == f"?q=red&page=2&id={hits[31]}"
    assert first_of_second.detail["close"] == "?q=red&page=2"
    assert run(api_url, q="red", id=str(hits[0])).detail["previous"] is None
    assert run(api_url, q="red", page="3", id=str(hits[69])).detail["next"] is None


def test_an_open_picture_tells_what_is_known_in_words(run, api_url):
    detail = run(api_url, q="red", id="1", lang="zh").detail
    facts = {fact["label"]: fact["value"] for fact in detail["facts"]}
    assert facts["拍摄时间"] == "2024年5月3日 14:02"
    assert facts["尺寸"].startswith("480 × 320")
    assert facts["相机"] == "Canon EOS R5"
    assert detail["name"] == "001-red.jpg"
    assert detail["folder"] == "pictures/2023/"
    assert detail["src"].startswith("data:image/webp")
    assert 1 not in [one["id"] for one in detail["similar"]]
    assert detail["all_similar"] == "?like=1&lang=zh"


def test_a_picture_that_is_gone_is_said_so_over_the_hits(run, api_url):
    seen = run(api_url, q="red", id="999", lang="en")
    assert seen.detail["error"] == "There is no picture with id 999 in this library."
    assert seen.detail["close"] == "?q=red&lang=en"
    assert seen.stage["kind"] == "results"


def test_an_upload_is_asked_for_and_its_absence_is_said(run, api_url, service, drawn_library):
    picture = next((drawn_library.parent / "pictures").rglob("*.jpg"))
    data = base64.b64encode(picture.read_bytes()).decode()
    seen = run(api_url, uploads={"a1": Upload("cat.jpg", data, "")}, up="a1", lang="en")
    assert service.searches[-1]["clauses"] == [{"image": data, "weight": 1.0}]
    assert seen.bar["chips"][0]["label"] == "cat.jpg"
    assert "link does not carry it" in seen.bar["note"]
    lost = run(api_url, up="a1", lang="en")
    assert lost.stage["title"] == "A picture is missing"
    with_text = run(api_url, up="a1", q="red", lang="en")
    assert with_text.stage["kind"] == "results"
    assert "did not travel" in with_text.bar["note"]


def test_a_picture_that_the_service_keeps_travels_with_the_link(run, api_url, service, drawn_library):
    picture = next((drawn_library.parent / "pictures").rglob("*.jpg"))
    with Client(api_url) as client:
        kept = client.upload(picture).id
        seen = run(api_url, up=kept, lang="en")
        assert service.searches[-1]["clauses"] == [{"upload": kept, "weight": 1.0}]
        assert seen.stage["kind"] == "results"
        assert seen.bar["chips"][0]["src"].startswith("data:image/webp")
        assert seen.bar["note"] is None
        client.delete_upload(kept)
    assert run(api_url, up=kept, lang="en").stage["title"] == "A picture is missing"


def test_hostile_names_reach_the_browser_as_data(run, start_service, tmp_path):
    name = "<img src=x onerror=alert(1)>\n\"'&.jpg"
    (tmp_path / "a").mkdir()
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a" / name)
    build(IndexerSettings(data=tmp_path / "data", workers=0), [tmp_path / "a"], BuildOptions(encoders=["hash"]))
    detail = run(start_service(tmp_path / "data").url, q="img", id="1").detail
    assert detail["name"] == name
