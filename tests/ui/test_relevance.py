"""How sure a hit is on the page: per cents where they can be told, a choice of them, and the nearest apart."""

import pytest

from ui.address import PAGE_SIZE, SURE, Address, link, parse_link


def shares(seen) -> list[int]:
    return [int(tile["score"].split()[-1].rstrip("%")) for tile in seen.stage["tiles"]]


@pytest.mark.parametrize(("lang", "word"), [("zh", "匹配度"), ("en", "Relevance")])
def test_hits_show_per_cents_and_their_bars_fill_so_far(run, calibrated_service, lang, word):
    seen = run(calibrated_service.url, q="red circle", lang=lang, id="1")
    tiles = seen.stage["tiles"]
    assert all(tile["score"].startswith(word) and tile["score"].endswith("%") for tile in tiles)
    assert shares(seen) == sorted(shares(seen), reverse=True)
    assert [tile["bar"] for tile in tiles] == pytest.approx([share / 100 for share in shares(seen)], abs=0.006)
    assert 0 < tiles[0]["bar"] < 1  # not a part of the best
    assert all(word in one["title"] for one in seen.detail["similar"])


def test_where_it_cannot_be_told_there_is_no_choice_and_the_score_stands(run, api_url):
    seen = run(api_url, q="red circle", lang="en")
    assert (seen.bar["filters"]["sure"], seen.bar["filters"]["sure_seen"]) == ([], "")
    assert seen.stage["tiles"][0]["score"].startswith("Similarity")


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", {"很可能", "也许", "不太可能"}), ("en", {"Likely", "Maybe", "Unlikely"})]
)
def test_where_only_words_hold_they_stand_and_there_is_no_choice(run, worded_service, lang, words):
    seen = run(worded_service.url, q="red circle", lang=lang)
    tiles = seen.stage["tiles"]
    assert len({tile["score"] for tile in tiles}) > 1
    assert {tile["score"] for tile in tiles} <= words
    assert tiles[0]["bar"] == 1  # a part of the best
    assert seen.bar["filters"]["sure"] == []


def test_how_sure_is_chosen_in_the_bar_and_stands_in_the_link(run, calibrated_service):
    seen = run(calibrated_service.url, q="red circle", lang="en")
    assert "min_relevance" not in calibrated_service.searches[-1]
    assert seen.bar["filters"]["sure_seen"].endswith("of hits from 50%, 90% were right.")
    options = seen.bar["filters"]["sure"]
    assert [one["label"] for one in options] == ["Any", *(f"≥ {share}%" for share in SURE)]
    assert [one["on"] for one in options] == [True, False, False, False]
    assert options[1]["href"] == "?q=red+circle&sure=50&lang=en"
    kept = run(calibrated_service.url, q="red circle", lang="en", sure="50")
    assert calibrated_service.searches[-1]["min_relevance"] == 0.5
    assert 0 < len(kept.stage["tiles"]) < len(seen.stage["tiles"])
    assert min(shares(kept)) >= 50
    assert [one["on"] for one in kept.bar["filters"]["sure"]] == [False, True, False, False]
    assert [(one["label"], one["href"]) for one in kept.bar["active"]] == [("Relevance ≥ 50%", "?q=red+circle&lang=en")]
    assert kept.bar["clear"] == "?lang=en"


def test_words_alone_are_not_asked_for_it(run, calibrated_service):
    seen = run(calibrated_service.url, q="red circle", match="both", sure="50")
    assert "min_relevance" not in calibrated_service.searches[-1]
    assert seen.bar["filters"]["sure"] == []


@pytest.mark.parametrize(
    ("lang", "title", "body", "back"),
    [
        ("zh", "没有很匹配的图片", "没有图片的匹配度达到 90%。", "不限匹配度"),
        ("en", "No good match", "No picture reaches a relevance of 90%.", "Any relevance"),
    ],
)
def test_where_nothing_is_sure_enough_the_nearest_stand_apart(run, calibrated_service, lang, title, body, back):
    seen = run(calibrated_service.url, q="moon", lang=lang, sure="90")
    assert (seen.stage["kind"], seen.stage["title"], seen.stage["body"]) == ("nearest", title, body)
    assert [(one["label"], one["href"]) for one in seen.stage["links"][:1]] == [(back, f"?q=moon&lang={lang}")]
    assert len(seen.stage["tiles"]) == PAGE_SIZE
    assert max(shares(seen)) < 90
    first, second, *_ = [tile["id"] for tile in seen.stage["tiles"]]
    opened = run(calibrated_service.url, q="moon", lang=lang, sure="90", id=str(first))
    assert opened.detail["next"] == f"?q=moon&sure=90&lang={lang}&id={second}"
    beyond = run(calibrated_service.url, q="moon", lang=lang, sure="90", folder="nowhere/")
    assert (beyond.stage["kind"], beyond.stage["links"][0]["href"]) == ("message", f"?q=moon&sure=90&lang={lang}")


@pytest.mark.parametrize(("given", "sure"), [("?q=x&sure=70", 70), ("?q=x&sure=101", 100), ("?q=x&sure=much", 0)])
def test_the_link_says_how_sure(given, sure):
    address = parse_link(given)
    assert address.sure == sure
    assert parse_link(link(address)) == address
    assert "sure" not in link(Address(text="x"))
