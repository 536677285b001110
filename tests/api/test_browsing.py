"""Browsing a library: pages by cursors while builds are published, what is told of pictures, and counts."""

import base64
import os
from collections import Counter

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import xuntu
from api.client import Client
from api.config import Settings
from api.http.app import create_app
from api.search.cursors import Placed, write_cursor
from api.search.engine import SearchEngine
from api.search.listing import PageOfList
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.filters import Filter
from indexer.pipeline.commands import BuildOptions, build

SORTS = ["-taken", "taken", "name", "-path", "added", "-added", "size", "-rating", "camera", "random:7"]
FILE_TIME = 1_500_000_000  # 2017


def draw(path, number, taken=None, camera=None, rating=None):
    """Save a picture like no other, and what is said of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    if camera:
        exif[0x0110] = camera
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)).save(path, exif=exif)
    if rating is not None:
        path.with_name(f"{path.name}.xmp").write_text(
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{rating}"/>'
            "</rdf:RDF></x:xmpmeta>"
        )
    os.utime(path, (FILE_TIME, FILE_TIME))


def update(data, *folders):
    build(IndexerSettings(data=data, workers=0), list(folders), BuildOptions(encoders=["hash"] if folders else []))


def make(folder):
    """Ten pictures: of two cameras, taken in three moments, rated or not, in folders."""
    pictures = folder / "pictures"
    for number in range(10):
        taken = ("2021:05:06 07:08:09", "2021:06:01 00:00:00", None)[number % 3]
        camera = ("Zorki", None, "agfa", None)[number % 4]
        place = ("", "2021/", "2021/五月 100%_/", "b'c/")[number % 4]
        draw(pictures / f"{place}{number:02d}.jpg", number, taken, camera, (None, 5, 3)[number % 3])
    update(folder / "data", pictures)
    return folder / "data"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The library of `make`, not to be changed."""
    return make(tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def http(data):
    with TestClient(create_app(Settings(data=data))) as client:
        yield client


def get(http, path, **params):
    return http.get(path, params=params).raise_for_status().json()


def post(http, path, **body):
    return http.post(path, json=body).raise_for_status().json()


def ids(listing):
    return [row.id for row, _ in listing.pictures]


@pytest.mark.parametrize("sort", SORTS)
def test_offsets_and_cursors_lead_to_the_same_pages_both_ways(data, sort):
    engine = SearchEngine.open(data)
    everything = ids(engine.list_page(Filter(), sort, PageOfList(k=100)))
    assert len(everything) == len(set(everything)) == 10
    page, seen, pages = engine.list_page(Filter(), sort, PageOfList(k=3)), [], []
    assert page.previous is None
    while True:
        pages.append(page)
        assert ids(page) == ids(engine.list_page(Filter(), sort, PageOfList(k=3, offset=len(seen))))
        seen += ids(page)
        if page.next is None:
            break
        page = engine.list_page(Filter(), sort, PageOfList(k=3, after=page.next))
    assert (seen, page.next_offset) == (everything, None)
    for later, earlier in zip(reversed(pages), reversed(pages[:-1]), strict=False):
        assert ids(engine.list_page(Filter(), sort, PageOfList(k=3, before=later.previous))) == ids(earlier)
    with xuntu.open(data) as library:
        assert [one.id for one in library.pictures(sort=sort)] == everything


def test_pages_neither_repeat_nor_skip_while_builds_are_published(tmp_path, heavy):
    data, pictures = make(tmp_path), tmp_path / "pictures"
    engine = SearchEngine.open(data)
    stay = set(ids(engine.list_page(Filter(), "added", PageOfList(k=100))))
    seen, cursors = {sort: [] for sort in SORTS}, dict.fromkeys(SORTS, "")
    for step in range(4):
        for sort in [one for one, cursor in cursors.items() if cursor is not None]:
            page = engine.list_page(Filter(), sort, PageOfList(k=4, after=cursors[sort]))
            seen[sort] += ids(page)
            cursors[sort] = page.next
        gone = pictures / f"2021/{1 + 4 * step:02d}.jpg"
        if gone.exists():  # in some of the orders a cursor stands here
            everything = engine.list_page(Filter(), "name", PageOfList(k=100))
            stay -= {row.id for row, _ in everything.pictures if row.path == f"2021/{gone.name}"}
            gone.unlink()
        for number in range(3):
            draw(pictures / f"new{step}{number}.jpg", 100 + 3 * step + number, f"202{step}:06:01 00:00:00", "m", number)
        update(data)
        engine.opened.close()
        engine = SearchEngine.open(data)
    for sort in SORTS:
        while cursors[sort] is not None:
            page = engine.list_page(Filter(), sort, PageOfList(k=4, after=cursors[sort]))
            seen[sort] += ids(page)
            cursors[sort] = page.next
        assert max(Counter(seen[sort]).values()) == 1, sort
        assert stay <= set(seen[sort]), sort


def test_a_picture_that_changes_its_place_does_not_move_the_cursor(tmp_path, heavy):
    data, pictures = make(tmp_path), tmp_path / "pictures"
    engine = SearchEngine.open(data)
    order = ids(engine.list_page(Filter(), "-rating", PageOfList(k=100)))
    first = engine.list_page(Filter(), "-rating", PageOfList(k=2))
    last = first.pictures[-1][0]
    path = pictures / last.path
    path.with_name(f"{path.name}.xmp").unlink()  # the last of the page has no rating any more
    update(data)
    rest = SearchEngine.open(data).list_page(Filter(), "-rating", PageOfList(k=100, after=first.next))
    assert ids(rest)[:4] == order[2:6]
    assert ids(rest)[-1] == max(ids(rest)[-4:])


def test_random_orders_are_told_by_their_seed(http):
    def paths(**params):
        return [one["path"] for one in get(http, "/v1/images", **params)["images"]]

    assert paths(sort="random:1") == paths(sort="random:1") != paths(sort="random:2")
    page = get(http, "/v1/images", sort="random", k=4)
    seen = [one["id"] for one in page["images"]]
    while page["next"]:
        page = get(http, "/v1/images", sort="random", k=4, after=page["next"])
        seen += [one["id"] for one in page["images"]]
    assert len(seen) == len(set(seen)) == 10


@pytest.mark.parametrize("path", ["/v1/images", "/v1/search"])
def test_what_is_no_cursor_is_refused(http, path):
    other = get(http, "/v1/images", k=1, sort="camera")["next"]
    forged = [write_cursor(Placed("-taken", "\ud800", 1)), write_cursor(Placed("-taken", True, 1))]
    for cursor in ("nonsense", "e30", "W10", "é", other, *forged):
        answer = http.get(path, params={"after": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), cursor
    answer = http.get("/v1/images", params={"after": other, "before": other, "sort": "camera"})
    assert answer.status_code == 422
    for key in (None, 5, "x"):  # of another type than the values: somewhere, but no failure
        get(http, "/v1/images", after=write_cursor(Placed("-taken", key, 3)))


def test_a_cursor_says_no_more_of_a_path_than_a_list_does(tmp_path):
    secret, table = tmp_path / "place" / "secret", tmp_path / "lists" / "list.csv"
    for number in range(3):
        draw(secret / f"{number}.jpg", number)
    table.parent.mkdir()
    table.write_text("path\n" + "".join(f"{secret}/{number}.jpg\n" for number in range(3)))
    update(tmp_path / "data", table)
    with TestClient(create_app(Settings(data=tmp_path / "data"))) as http:
        first = get(http, "/v1/images", sort="path", k=2)
        assert b"place" not in base64.urlsafe_b64decode(first["next"] + "==")
        rest = get(http, "/v1/images", sort="path", k=2, after=first["next"], fields="path,name")
        (last,) = rest["images"]
        assert last["fields"] == {"path": "…/secret/2.jpg", "name": "2.jpg"}
        assert last["path"] == "…/secret/2.jpg"
        assert (
            get(http, "/v1/images", sort="path", before=rest["previous"])["images"]
            == get(http, "/v1/images", sort="path", k=2)["images"]
        )
        nowhere = write_cursor(Placed("path", "\0", 999))
        assert http.get("/v1/images", params={"sort": "path", "after": nowhere}).json()["code"] == "invalid_cursor"
        assert counts(get(http, "/v1/facets", fields="path"), "path") == ({}, 3)


# Searching without clauses


def test_a_search_for_nothing_lists_everything_in_an_order(http):
    expected = [one["id"] for one in get(http, "/v1/images", sort="camera", k=100)["images"]]
    for answer in (get(http, "/v1/search", sort="camera", k=4), post(http, "/v1/search", sort="camera", k=4)):
        assert [hit["id"] for hit in answer["hits"]] == expected[:4]
        assert {(hit["score"], hit["relevance"]) for hit in answer["hits"]} == {(0.0, None)}
        assert (answer["total"], answer["next_offset"], answer["clauses"]) == (10, 4, [])
        rest = post(http, "/v1/search", sort="camera", k=100, after=answer["next"])
        assert ([hit["id"] for hit in rest["hits"]], rest["next"]) == (expected[4:], None)
    latest = [hit["id"] for hit in post(http, "/v1/search", where="rating=5", k=100)["hits"]]
    assert latest == [one["id"] for one in get(http, "/v1/images", where="rating=5")["images"]]
    hidden = post(http, "/v1/search", sort="name", k=100, hide_duplicates=True)
    assert (hidden["total"], len(hidden["hits"]) + sum(hit["duplicates"] for hit in hidden["hits"])) == (10, 10)
    refused = http.post("/v1/search", json={"min_relevance": 0.5})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_query")


def test_hits_have_cursors_for_the_same_question_alone(http):
    asked = {"clauses": [{"image_id": 1}], "k": 4}
    first = post(http, "/v1/search", **asked)
    second = post(http, "/v1/search", **asked, after=first["next"])
    assert second["hits"] == post(http, "/v1/search", **asked, offset=4)["hits"]
    assert second["next_offset"] == 8
    third = post(http, "/v1/search", **asked, after=second["next"])
    assert (len(third["hits"]), third["next"], third["notes"]) == (1, None, [])
    assert get(http, "/v1/images/1/similar", k=4, after=first["next"], match="auto")["hits"] == second["hits"]
    for other in ({"clauses": [{"image_id": 2}]}, {**asked, "where": "rating=5"}):
        answer = http.post("/v1/search", json={**other, "after": first["next"]})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
    both = http.post("/v1/search", json={**asked, "after": first["next"], "offset": 3})
    assert both.status_code == 422


def test_hits_of_another_build_say_so(tmp_path, heavy):
    data = make(tmp_path)
    asked = Query(clauses=[Clause(image_id=1)], k=3)
    first = SearchEngine.open(data).search(asked)
    draw(tmp_path / "pictures/new.jpg", 200)
    update(data)
    again = SearchEngine.open(data).search(Query(clauses=asked.clauses, k=3, after=first.next))
    assert [note.code for note in again.notes] == ["changed_since"]
    assert again.offset == 3


# What is told of pictures


def test_hits_and_lists_tell_what_is_asked_for(http):
    names = ["taken,camera", "rating", "tags", "has_gps", "modified_at", "size", "taken_at", "dated", "colour", "path"]
    listed = {one["id"]: one["fields"] for one in get(http, "/v1/images", fields=names)["images"]}
    answers = [
        post(http, "/v1/search", clauses=[{"image_id": 1}], fields=names, k=100),
        get(http, "/v1/images/1/similar", fields=names, k=100),
        get(http, "/v1/search", fields=names, k=100),
    ]
    for answer in answers:
        assert answer["hits"]
        assert all(hit["fields"] == listed[hit["id"]] for hit in answer["hits"])
    for image_id, told in listed.items():
        detail = get(http, f"/v1/images/{image_id}")
        assert list(told)[:2] == ["taken", "camera"]
        assert (told["camera"], told["taken_at"], told["tags"]) == (
            detail["camera"],
            detail["taken_at"],
            detail["tags"],
        )
        assert (told["size"], told["modified_at"], told["path"]) == (
            detail["bytes"],
            detail["modified_at"],
            detail["path"],
        )
        assert (told["dated"], told["colour"]) == (detail["dated"], detail["annotations"]["colour"])
    assert get(http, "/v1/images", k=1)["images"][0]["fields"] == {}
    known = get(http, "/v1/fields")
    assert {"taken", "taken_at", "caption", "dominant", "tag"} <= set(known["told"])
    assert {"added", "random", "name", "size", "taken"} <= set(known["sorts"])
    for path in ("/v1/images", "/v1/search"):
        refused = http.get(path, params={"fields": "taken,nonsense"})
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_fields")
        assert "taken_at" in refused.json()["detail"]
    for name in known["told"]:
        get(http, "/v1/images", fields=name)
    for name in known["sorts"]:
        assert len(get(http, "/v1/images", sort=name)["images"]) == 10


# Counts


def counts(answer, field):
    (facet,) = [one for one in answer["facets"] if one["field"] == field]
    return {value["value"]: value["count"] for value in facet["values"]}, facet["missing"]


def test_dates_and_folders_are_counted_level_by_level(http):
    answer = get(http, "/v1/facets", fields="taken,camera,rating")
    assert counts(answer, "taken") == ({"2017": 3, "2021": 7}, 0)
    assert counts(answer, "camera") == ({"Zorki": 3, "agfa": 2}, 5)
    assert counts(answer, "rating") == ({"5": 3, "3": 3}, 4)
    assert (answer["total"], answer["counted"]) == (10, 10)
    months = get(http, "/v1/facets", fields="taken", by="month", where="taken=2021")
    assert counts(months, "taken") == ({"2021-05": 4, "2021-06": 3}, 0)
    for month, count in counts(months, "taken")[0].items():
        assert get(http, "/v1/images", where=f"taken={month}")["total"] == count
    assert counts(get(http, "/v1/facets", fields="taken", by="day", where="taken=2021-05"), "taken")[0] == {
        "2021-05-06": 4
    }
    folders = get(http, "/v1/facets", fields="path")
    assert counts(folders, "path") == ({"2021/": 5, "b'c/": 2}, 3)
    inner = get(http, "/v1/facets", fields="path", folder="2021")
    assert counts(inner, "path") == ({"2021/五月 100%_/": 2}, 3)
    deep = get(http, "/v1/facets", fields="path", depth=3)
    assert counts(deep, "path") == ({"2021/": 5, "2021/五月 100%_/": 2, "b'c/": 2}, 3)
    for folder, count in counts(deep, "path")[0].items():
        assert get(http, "/v1/images", where=f'path="{folder}"')["total"] == count
    cut = get(http, "/v1/facets", fields="taken", limit=1)["facets"][0]
    assert (len(cut["values"]), cut["more"]) == (1, 1)


def test_facets_of_a_search_count_its_first_hits(http):
    body = {"clauses": [{"image_id": 1}], "fields": ["camera", "format", "path"]}
    every = post(http, "/v1/facets", **body)
    assert (every["total"], every["counted"], counts(every, "format")) == (9, 9, ({"jpeg": 9}, 0))
    hits = post(http, "/v1/search", clauses=body["clauses"], k=4, fields=["camera"])["hits"]
    cameras = Counter(hit["fields"]["camera"] for hit in hits)
    some = post(http, "/v1/facets", **body, first=4)
    assert (some["total"], some["counted"]) == (9, 4)
    assert counts(some, "camera") == ({name: count for name, count in cameras.items() if name}, cameras[None])
    narrowed = post(http, "/v1/facets", **body, where="camera=Zorki")
    assert counts(narrowed, "camera")[0].keys() == {"Zorki"}
    without = post(http, "/v1/facets", fields=["camera"], where={"fields": {"camera": ["agfa"]}})
    assert counts(without, "camera") == ({"agfa": 2}, 0)
    refused = http.post("/v1/facets", json={"fields": ["width"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_filter")


def test_clients_browse(data, serve_app):
    with Client(serve_app(create_app(Settings(data=data)))) as client:
        listed = list(client.images_all(sort="name", k=3, fields=["camera"]))
        assert [one.value for one in listed] == [f"{number:02d}.jpg" for number in range(10)]
        assert listed[0].fields == {"camera": "Zorki"}
        page = client.images(sort="name", k=3, after=client.images(sort="name", k=3).next)
        assert client.images(sort="name", k=3, before=page.previous).images[0].id == listed[0].id
        assert [hit.id for hit in client.search_all(sort="name", k=4)] == [one.id for one in listed]
        assert len(list(client.search_all(like=1, k=4))) == 9
        facet = client.facets(["taken"], by="month", where="taken=2021").facets[0]
        assert [value.value for value in facet.values] == ["2021-05", "2021-06"]
        found = client.search_facets(names=["camera"], like=1, first=3)
        assert (found.counted, found.total) == (3, 9)
