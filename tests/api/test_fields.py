"""The fields of pictures over HTTP: what there is, what is counted, and what is known of one picture."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

PLUGIN = """
from indexer.library.annotations.fields import Choice, Field, FieldType


class Orientation:
    name = "orientation"
    version = 1
    needs = "thumbnail"
    fields = (
        Field(name="orientation", type=FieldType.CHOICE, label="Orientation", label_zh="方向", filterable=True,
              faceted=True, choices=(Choice(name="wide", zh="横"), Choice(name="tall", zh="竖"))),
        Field(name="note", type=FieldType.TEXT, label="Note", label_zh="备注", searchable=True, filterable=True),
    )

    def annotate(self, batch):
        wide = [picture.image.width > 1.2 * picture.image.height for picture in batch]
        return [{"orientation": "wide" if one else "tall", "note": "zebra crossing" if one else ""} for one in wide]
"""


@pytest.fixture(scope="module")
def http(tmp_path_factory, photographs, serve):
    """A client of a server that does not have the plug-in which found some of what its library knows."""
    folder = tmp_path_factory.mktemp("annotated")
    described = folder / "orientation-1.0.dist-info"
    described.mkdir()
    (folder / "orientation_annotator.py").write_text(PLUGIN, "utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: orientation\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[xuntu.annotators]\no = orientation_annotator:Orientation\n")
    data = folder / "data"
    subprocess.run(
        [sys.executable, "-m", "indexer", "build", photographs, "--encoder", "hash", "--data", data, "--workers", "0"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(folder)])},
        check=True,
        capture_output=True,
    )
    with httpx.Client(base_url=serve(data), timeout=30) as client:
        yield client


def get(http, path: str, language: str = "en", **params: object) -> dict:
    return http.get(path, params=params, headers={"Accept-Language": language}).raise_for_status().json()


def paths(answer: dict) -> set[str]:
    return {hit["path"] for hit in answer["hits"]}


def test_the_fields_of_a_library_are_listed_with_labels_in_both_languages(http):
    english = {one["name"]: one for one in get(http, "/v1/fields")["fields"]}
    chinese = {one["name"]: one for one in get(http, "/v1/fields", language="zh")["fields"]}
    assert english["orientation"] == {
        "name": "orientation",
        "type": "choice",
        "label": "Orientation",
        "searchable": False,
        "filterable": True,
        "faceted": True,
        "sortable": True,
        "choices": {"wide": "wide", "tall": "tall"},
    }
    assert (chinese["orientation"]["label"], chinese["orientation"]["choices"]["tall"]) == ("方向", "竖")
    assert {"path", "format", "tag", "width", "height", "aspect", "modified", "taken", "colour"} <= english.keys()


def test_values_are_counted_among_the_pictures_that_satisfy_conditions(http):
    answer = get(http, "/v1/facets", fields=["orientation", "format"], where="format=png")
    found = {
        facet["field"]: {value["value"]: value["count"] for value in facet["values"]} for facet in answer["facets"]
    }
    assert answer["total"] == found["format"]["png"] == sum(found["orientation"].values()) == 6
    every = get(http, "/v1/facets", language="zh")
    labels = {facet["field"]: [value["label"] for value in facet["values"]] for facet in every["facets"]}
    own = {"format", "tag", "taken", "colour", "orientation"}
    assert set(labels) == own | {"kind", "camera", "lens", "keyword", "person", "rating", "place"}
    assert "横" in labels["orientation"]
    assert every["total"] == 9


def test_what_is_not_counted_is_refused_in_both_languages(http):
    response = http.get("/v1/facets", params={"fields": "title"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_filter")
    assert "orientation" in response.json()["detail"]
    chinese = http.get("/v1/facets", params={"fields": "title"}, headers={"Accept-Language": "zh"})
    assert "不是可统计的字段" in chinese.json()["detail"]


def test_every_way_of_searching_takes_conditions_on_what_annotators_found(http):
    wide = paths(get(http, "/v1/search", q="cat", k=9, where="orientation=wide"))
    assert wide
    assert len(wide) < 9
    for where in ("orientation=横", {"fields": {"orientation": ["wide"]}}, {"fields": {"note": ["ZEBRA"]}}):
        body = {"clauses": [{"text": "cat"}], "k": 9, "where": where}
        assert paths(http.post("/v1/search", json=body).raise_for_status().json()) == wide
    refused = http.post("/v1/search", json={"clauses": [{"text": "cat"}], "where": {"fields": {"orientation": ["up"]}}})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_filter")
    assert "known are wide, tall" in refused.json()["detail"]


def test_words_that_an_annotator_found_are_searched(http):
    wide = paths(get(http, "/v1/search", q="cat", k=9, where="orientation=wide"))
    assert paths(get(http, "/v1/search", q="zebra crossing", k=9, match="text")) == wide


def test_one_picture_says_what_was_found_in_it(http):
    (hit,) = get(http, "/v1/search", q="cat", k=1, where="orientation=wide and path=cat.png")["hits"]
    detail = get(http, f"/v1/images/{hit['id']}", language="zh")
    assert detail["annotations"]["orientation"] == "wide"
    assert detail["annotations"]["note"] == "zebra crossing"
    assert "phash" not in detail["annotations"]
    assert detail["details"] == [
        {"name": "orientation", "label": "方向", "value": "横"},
        {"name": "note", "label": "备注", "value": "zebra crossing"},
    ]
    assert (detail["camera"], detail["has_gps"]) == (None, False)
    assert detail["colours"]
