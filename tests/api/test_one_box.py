"""One box: pictures, words, names, dates and places are searched together, and it is said why a picture was found."""

import csv

import pytest
from fastapi.testclient import TestClient
from PIL import ExifTags, Image

from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, annotate, build

# name: the photograph, when it was taken, where, and what somebody wrote of it
HANGZHOU, PARIS = (30.27, 120.15), (48.86, 2.35)
PICTURES = {
    "IMG_1001.jpg": ("cat.png", "2023:05:03 10:00:00", HANGZHOU, ""),
    "IMG_1002.jpg": ("cat.png", "2021:07:01 10:00:00", PARIS, ""),
    "IMG_1003.jpg": ("coffee.png", "2023:05:20 09:00:00", None, "发票 编号 INV-2044"),
    "IMG_1004.jpg": ("flower.jpg", "2021:07:15 18:00:00", HANGZHOU, "粤B12345 旁边的花"),
    "合同扫描 3.jpg": ("astronaut.png", "2019:01:01 00:00:00", None, ""),
    "IMG_1006.jpg": ("rocket.jpg", "2018:02:02 00:00:00", PARIS, "a rocket before the launch"),
}


@pytest.fixture(scope="module")
def data(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one-box")
    found = {path.name: path for path in photographs.rglob("*.*")}
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "caption"])
        for name, (photograph, taken, where, caption) in PICTURES.items():
            exif = Image.Exif()
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
            if where:
                gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
                gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef] = (where[0], 0.0, 0.0), "N"
                gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef] = (where[1], 0.0, 0.0), "E"
            Image.open(found[photograph]).convert("RGB").save(folder / name, exif=exif)
            rows.writerow([name, caption])
    build(IndexerSettings(data=folder / "data", workers=0), [folder / "list.csv"], BuildOptions())
    return folder / "data"


@pytest.fixture(scope="module")
def engine(data):
    return SearchEngine.open(data)


def ask(engine, *texts, **options):
    return engine.search(Query(clauses=[Clause(text=text) for text in texts], **options))


def names(result) -> list[str]:
    return [hit.path for hit in result.hits]


def why(result) -> dict[str, list[tuple[str, str]]]:
    return {hit.path: [(one.field, one.text) for one in hit.reasons] for hit in result.hits}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("2023年5月在杭州拍的猫", "IMG_1001.jpg"),
        ("a cat in Paris", "IMG_1002.jpg"),
        ("2021年的猫", "IMG_1002.jpg"),
        ("2023年5月的咖啡", "IMG_1003.jpg"),
        ("发票", "IMG_1003.jpg"),
        ("inv-2044", "IMG_1003.jpg"),
        ("車牌 粵B", "IMG_1004.jpg"),
        ("IMG_1006", "IMG_1006.jpg"),
        ("合同", "合同扫描 3.jpg"),
        ('"before the launch"', "IMG_1006.jpg"),
    ],
)
def test_what_people_remember_finds_the_picture(engine, text, first):
    assert names(ask(engine, text))[0] == first


def test_what_does_not_have_the_date_or_the_place_comes_later_and_is_not_left_out(engine):
    result = ask(engine, "2023年5月的猫")
    assert names(result)[0] == "IMG_1001.jpg"
    assert set(names(result)) == set(PICTURES)
    assert result.total == len(PICTURES)


def test_a_date_alone_finds_what_is_from_then_the_newest_first(engine):
    result = ask(engine, "2021年7月")
    assert names(result) == ["IMG_1004.jpg", "IMG_1002.jpg"]
    assert result.total == 2
    assert why(result)["IMG_1002.jpg"] == [("taken", "2021-07-01T10:00:00")]
    assert [hit.path for hit in ask(engine, "2021年7月", k=1, offset=1).hits] == ["IMG_1002.jpg"]
    assert names(ask(engine, "2021年7月在杭州拍的"))[0] == "IMG_1004.jpg"
    assert names(ask(engine, "2021年7月", where="place=paris")) == ["IMG_1002.jpg"]


def test_a_date_that_conditions_leave_no_picture_of_hides_nothing_else(engine):
    early = ask(engine, "2021年7月的猫", where="taken<2020-01-01")
    assert set(names(early)) == {"合同扫描 3.jpg", "IMG_1006.jpg"}
    assert ask(engine, "2021年7月", where="format=png").total == 0


def test_it_is_said_what_no_picture_has(engine):
    result = ask(engine, "2015年的猫")
    assert {"nothing_has"} == {note.code for note in result.notes}
    assert "2015年" in result.notes[0].text("zh")
    assert set(names(result)[:2]) == {"IMG_1001.jpg", "IMG_1002.jpg"}
    nothing = ask(engine, "粤A99999")
    assert nothing.hits == [] or nothing.notes


def test_what_no_picture_says_may_still_be_seen(engine):
    sign = ask(engine, '"stop" sign')
    assert [note.code for note in sign.notes][:1] == ["nothing_has"]
    assert "was looked for as what a picture shows" in sign.notes[0].text("en")
    assert names(sign) == names(ask(engine, "stop sign", match="vector"))
    alone = ask(engine, "2015年")
    assert "was looked for as what a picture shows" in alone.notes[0].text("en")


def test_notes_say_what_was_done_with_words_that_encoders_do_not_know(engine):
    assert ask(engine, "杭州").notes == []
    (note,) = ask(engine, "inv").notes
    assert note.text("en") == "Not understood in pictures, so looked for in words alone: inv."
    (note,) = ask(engine, "猫 zzqx").notes
    assert note.text("en") == "Not understood, so left out: zzqx."
    with pytest.raises(InvalidQuery, match="nope"):
        ask(engine, "2021年7月", encoders=("nope",))


def test_a_date_and_a_place_make_each_other_sure(engine):
    assert names(ask(engine, "杭州 2021"))[0] == "IMG_1004.jpg"


def test_reasons_say_what_of_a_picture_was_meant(engine):
    found = why(ask(engine, "2023年5月在杭州拍的猫"))
    assert [field for field, _ in found["IMG_1001.jpg"]] == ["place", "taken", "picture"]
    assert found["IMG_1003.jpg"] == [("taken", "2023-05-20T09:00:00")]
    assert found["IMG_1006.jpg"] == []


def test_where_nothing_but_pictures_says_anything_it_is_a_search_of_pictures(engine):
    one, other = (ask(engine, "一只猫", match=match) for match in ("auto", "vector"))
    assert one.hits == other.hits
    assert all(hit.reasons == () for hit in one.hits)


def test_hits_that_say_the_words_have_no_relevance_and_the_others_keep_theirs(engine):
    hits = ask(engine, "火箭 rocket").hits
    plain = {hit.id: hit for hit in ask(engine, "火箭 rocket", match="vector").hits}
    assert hits[0].path == "IMG_1006.jpg"
    assert (hits[0].relevance, hits[0].likelihood) == (None, None)
    assert all(hit.likelihood == plain[hit.id].likelihood for hit in hits[1:])


def test_a_reading_can_be_undone(engine):
    assert [span.kind for span in ask(engine, "2021年7月 猫").clauses[0].spans] == ["date", "scene"]
    plain = ask(engine, "2021年7月 猫", plain=["2021年7月"])
    assert [span.kind for span in plain.clauses[0].spans] == ["scene"]
    literal = ask(engine, "2021年7月 猫", literal=True)
    assert literal.clauses[0].spans == ()


def test_cosines_and_relevance_are_asked_of_pictures_alone(engine):
    for options in ({"min_score": 0.0}, {"min_relevance": 0.5}):
        result = ask(engine, "2021年7月的猫", **options)
        assert result.clauses[0].spans == ()


def test_negation_and_dates_are_read_together(engine):
    result = ask(engine, "2023年5月没有人的猫")
    assert [read.negation is None for read in result.clauses] == [True, False]
    assert [span.said for span in result.clauses[0].spans if span.kind == "date"] == ["2023年5月"]
    assert names(result)[0] == "IMG_1001.jpg"


def test_how_words_were_read_travels(data, xuntu):
    with TestClient(create_app(Settings(data=data))) as http:
        answer = http.get("/v1/search", params={"q": "2023年5月在杭州拍的猫"}).raise_for_status().json()
        spans = answer["clauses"][0]["spans"]
        assert [(one["kind"], one["said"]) for one in spans] == [
            ("date", "2023年5月"),
            ("place", "杭州"),
            ("scene", "猫"),
        ]
        assert (spans[0]["taken_from"], spans[0]["taken_to"]) == ("2023-05-01", "2023-05-31")
        for span in spans[:2]:
            only = http.get("/v1/search", params={"q": "猫", "where": span["where"]}).raise_for_status().json()
            assert {hit["path"] for hit in only["hits"]} < set(PICTURES)
        plain = http.get("/v1/search", params={"q": "2023年5月的猫", "plain": "2023年5月"}).raise_for_status().json()
        assert [one["kind"] for one in plain["clauses"][0]["spans"]] == ["scene"]
    said = xuntu("search", "2023年5月在杭州拍的猫", "--data", data)
    assert "2023年5月" in said.stderr
    assert "杭州" in said.stderr
    assert "IMG_1001.jpg" in said.stdout.split("\n")[1]


def test_words_that_many_have_count_among_what_looks_like_it(engine, monkeypatch):
    plain = names(ask(engine, "a rocket before the launch"))
    monkeypatch.setattr("api.search.retrievers.words._MOST_LISTED", 0)
    fresh = SearchEngine.open(engine.opened.layout.data)
    result = ask(fresh, "a rocket before the launch")
    assert names(result)[0] == plain[0] == "IMG_1006.jpg"
    assert why(result)["IMG_1006.jpg"][0] == ("caption", "a rocket before the launch")
    assert names(ask(fresh, "发票编号"))[0] == "IMG_1003.jpg"
    assert names(ask(fresh, "火箭发票", where="place=paris"))[0] in ("IMG_1002.jpg", "IMG_1006.jpg")


def test_dates_and_places_that_are_found_out_later_are_known_while_it_runs(data, tmp_path, monkeypatch, heavy):
    settings = IndexerSettings(data=tmp_path / "data", workers=0, leave_out="exif,place")
    build(settings, [data.parent / "list.csv"], BuildOptions())
    monkeypatch.setattr("api.search.preferences._KEPT_SECONDS", 0.0)
    engine = SearchEngine.open(tmp_path / "data")
    assert {"nothing_has"} <= {note.code for note in ask(engine, "2021年7月的猫").notes}
    annotate(settings)
    found = ask(engine, "2021年7月在杭州的猫")
    assert [span.kind for span in found.clauses[0].spans] == ["date", "place", "scene"]
    assert why(found)["IMG_1002.jpg"][0] == ("taken", "2021-07-01T10:00:00")


def test_sounds_are_found_as_soon_as_they_are_indexed(data, tmp_path, heavy):
    settings = IndexerSettings(data=tmp_path / "data", workers=0)
    build(settings, [data.parent / "list.csv"], BuildOptions())
    engine = SearchEngine.open(tmp_path / "data")
    assert ask(engine, "fapiao", match="text").hits == []
    build(settings.model_copy(update={"pinyin": True}), [], BuildOptions())
    assert names(ask(engine, "fapiao", match="text")) == ["IMG_1003.jpg"]


def test_a_library_without_dates_places_or_words_is_asked_all_the_same(photographs, tmp_path, heavy):
    build(IndexerSettings(data=tmp_path, workers=0), [photographs], BuildOptions())
    engine = SearchEngine.open(tmp_path)
    result = ask(engine, "去年夏天在杭州拍的猫")
    assert names(result)[0] in ("cat.png", "people/cat.png")
    assert [note.code for note in result.notes][:1] == ["nothing_has"]
