"""What is looked at: the pictures, the words, or both; and what is known of a picture in words."""

import json

import pytest

from api.client.errors import ApiError
from api.schemas import ClauseRead, ImageDetail, Negation, SpanRead
from models.foundation.errors import UnknownWords
from ui.address import MATCHES, Address, link, parse_link, where
from ui.bar import bar_view
from ui.detail import DetailPictures, detail_view
from ui.stage import error_view, file_name, nothing_view
from ui.strings import labels

DETAIL = {
    "id": 3,
    "path": "a/b.jpg",
    "root": "list.csv",
    "width": 4,
    "height": 3,
    "format": "jpeg",
    "bytes": 100,
    "modified_at": "2024-05-04T08:00:00Z",
    "taken_at": None,
    "camera": None,
    "has_gps": False,
    "colours": [],
}


@pytest.mark.parametrize(
    ("address", "looks_at"),
    [
        ("?q=snow", "auto"),
        ("?q=snow&match=text", "text"),
        ("?q=snow&match=both", "both"),
        ("?q=snow&match=nonsense", "auto"),
        ("?q=-snow&match=text", "vector"),
        ("?match=both", "vector"),
        ("?like=3&match=text", "vector"),
        ("?q=snow&like=3&match=text", "both"),
        ("?q=snow&up=aa&match=text", "both"),
    ],
)
def test_the_link_says_what_to_look_at(address, looks_at):
    read = parse_link(address)
    assert read.looks_at == looks_at
    assert parse_link(link(read)) == read


def test_the_choice_is_offered_in_both_languages():
    for lang, names in (("zh", ["全部", "画面", "文字"]), ("en", ["Everything", "Pictures", "Words"])):
        address = parse_link(f"?q=snow&match=text&page=3&lang={lang}")
        view = bar_view(address, lang=lang, info=None, uploads={}, previews={}, details={})
        assert [(one["label"], one["on"]) for one in view["matches"]] == list(
            zip(names, [False, False, True], strict=True)
        )
        assert [one["href"] for one in view["matches"]] == [
            f"?q=snow&lang={lang}",
            f"?q=snow&match=vector&lang={lang}",
            f"?q=snow&match=text&lang={lang}",
        ]
        assert set(labels(lang).matches) == set(MATCHES) == set(labels(lang).found_first) - {"both"}


def test_the_chip_of_a_piece_takes_away_that_piece():
    def scene(start: int, end: int, said: str) -> SpanRead:
        return SpanRead(kind="scene", start=start, end=end, said=said)

    def chips(text: str, *clauses: ClauseRead) -> dict[str, str]:
        view = bar_view(Address(text=text), lang="en", info=None, uploads={}, previews={}, details={}, read=clauses)
        return {chip["label"]: parse_link(chip["href"]).text for chip in view["chips"]}

    common = {"source": 0, "image_id": None, "language": "en"}
    date = SpanRead(kind="date", start=8, end=16, said="in 2020")
    spans = [scene(0, 8, "scatter"), date, scene(16, 19, "cat")]
    wanted = ClauseRead(text="scatter in 2020 cat", weight=1.0, spans=spans, **common)
    assert chips("scatter in 2020 cat", wanted)["cat"] == "scatter in 2020"

    date = SpanRead(kind="date", start=15, end=22, said="in 2020")
    wanted = ClauseRead(
        text="a cat on grass in 2020", weight=1.0, spans=[scene(0, 15, "a cat on grass"), date], **common
    )
    away = ClauseRead(text="people", weight=-0.5, negation=Negation(words="without people", start=6, end=20), **common)
    assert chips("a cat without people on grass in 2020", wanted, away)["a cat on grass"] == "in 2020 without people"


def test_a_piece_can_be_made_a_condition():
    common = {"source": 0, "image_id": None, "language": "zh", "weight": 1.0}
    date = SpanRead(kind="date", start=0, end=2, said="去年", taken_from="2025-01-01", taken_to="2025-12-31")
    place = SpanRead(kind="place", start=2, end=7, said="杭州")
    video = SpanRead(kind="video", start=7, end=10, said="视频")
    read = ClauseRead(text="去年在杭州拍的视频里", spans=[date, place, video], **common)
    view = bar_view(Address(text=read.text), lang="zh", info=None, uploads={}, previews={}, details={}, read=[read])
    only = [parse_link(chip["only"]["href"]).filters for chip in view["chips"]]
    assert [where(one) for one in only] == [
        {"taken_from": "2025-01-01", "taken_to": "2025-12-31"},
        {"fields": {"place": ["杭州"]}},
        {"fields": {"kind": ["video"]}},
    ]
    there = Address(text=read.text, filters=only[1])
    view = bar_view(there, lang="zh", info=None, uploads={}, previews={}, details={}, read=[read])
    assert [bool(chip["only"]) for chip in view["chips"]] == [True, False, True]
    assert [one["label"] for one in view["active"]] == ["杭州"]


def test_where_no_word_is_found_the_pictures_are_offered():
    view = nothing_view(Address(text="snow", match="text", lang="en"), lang="en", notes=[])
    assert [one["href"] for one in view["links"]] == ["?q=snow&match=vector&lang=en", "?lang=en"]
    assert labels("en").tip_match in view["tips"]
    view = nothing_view(Address(text="snow", lang="en"), lang="en", notes=[])
    assert labels("en").tip_match not in view["tips"]


def test_where_no_word_is_known_the_words_of_captions_are_offered():
    error = ApiError(UnknownWords(["二维码"], "starter", names=["张伟"]).said)
    error.code, error.status = "unknown_words", 422
    view = error_view(error, Address(text="张伟的二维码", match="vector", lang="zh"), lang="zh")
    assert (view["kind"], view["links"][0]["label"]) == ("message", "改为按文字查找")
    assert view["links"][0]["href"] == link(Address(text="张伟的二维码", match="text", lang="zh"))
    assert "张伟" in view["body"]
    view = error_view(error, Address(text="zorp", match="text", lang="en"), lang="en")
    assert (view["kind"], view["retry"]) == ("command", None)
    view = error_view(error, Address(text="zorp", lang="en"), lang="en")
    assert [one["label"] for one in view["links"]] == ["Start over"]


def show(**more):
    return detail_view(
        ImageDetail(**{**DETAIL, **more}),
        Address(text="x", lang="en"),
        lang="en",
        timezone=None,
        pictures=DetailPictures(),
        found=None,
        similar=[],
    )


def test_a_picture_is_shown_with_caption_and_tags():
    view = show(caption="two\nlines <b>", tags=["草地", "red car"])
    assert view["caption"] == "two\nlines <b>"
    assert view["tags"] == [
        {"label": "草地", "href": link(Address(text="草地", match="text", lang="en"))},
        {"label": "red car", "href": link(Address(text="red car", match="text", lang="en"))},
    ]
    assert (view["original"], view["folder"]) == (None, "list.csv/a/")
    view = show()
    assert (view["caption"], view["tags"]) == ("", [])
    json.dumps(view)


def test_a_picture_of_an_address_leads_there():
    address = "https://host.example/a/b.jpg?size=1"
    view = show(path=address, url=address)
    assert (view["name"], view["folder"], view["original"]) == ("b.jpg", "https://host.example/a/", address)
    assert view["folder_href"] == link(Address(text="x", lang="en").filtered(path="https://host.example/a/"))
    assert file_name("http://host.example/") == "host.example"
    assert show(path="…/a/b.jpg")["folder_href"] is None


def test_what_machines_found_stands_below_under_names_that_say_so():
    found = {"Caption by a machine, English": "A cat.", "Labels": ["cat", "sofa"], "It may not fit": True}
    details = [{"name": "x", "label": label, "value": value} for label, value in found.items()]
    facts = {one["label"]: one["value"] for one in show(caption="mine", details=details)["facts"]}
    assert [facts[label] for label in found] == ["A cat.", "cat, sofa", "Yes"]
    for lang, machine in {"en": "machine", "zh": "机器"}.items():
        assert all(machine in labels(lang).found_in[name] for name in ("caption_en", "caption_zh"))
        assert machine not in labels(lang).found_in["caption"]
