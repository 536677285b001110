"""Every option of a search that is declared goes through every door: whoever adds one gets these tests with it."""

from typing import get_type_hints

import pytest
import typer
from fastapi.testclient import TestClient

import api.cli
from api.client import calls, search_body
from api.config import Settings
from api.http.app import create_app
from api.search.errors import InvalidQuery
from api.search.options import OPTIONS, PictureKeywords, SearchKeywords, SearchOptions
from api.search.query import Clause, Query, read_options
from api.search.results import SearchResult

FORMER = [option for option in OPTIONS if option.former]
BOUNDED = [option for option in OPTIONS if option.choices or option.low is not None or option.max_items is not None]
TEXT = [Clause(text="cat")]


def named(options):
    return pytest.mark.parametrize("option", options, ids=[option.name for option in options])


def example(option):
    """Return a value that is not the default."""
    if option.is_list:
        return ("one", "other")
    if option.choices:
        return option.choices[-1]
    if isinstance(option.default, bool):
        return not option.default
    if option.type is str:
        return "width"
    return 7 if isinstance(option.default, int) else 0.5


def beyond(option):
    """Return a value that cannot be used."""
    if option.is_list:
        return ("one",) * (option.max_items + 1)
    return "nonsense" if option.choices else option.high + 1


def as_words(value):
    """Return a value as an address or a form has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return list(value) if isinstance(value, tuple) else value


class Recorder:
    """Keeps what a service is asked to search."""

    def __init__(self) -> None:
        self.query: Query | None = None

    async def search(self, query: Query) -> SearchResult:
        self.query = query
        timings = {"encode": 0.0, "search": 0.0, "total": 0.0}
        return SearchResult(hits=[], total=0, timings_ms=timings, build="", encoder="", encoders=[])


@pytest.fixture(scope="module")
def client(library):
    """The real application on a library."""
    with TestClient(create_app(Settings(data=library))) as client:
        yield client


@pytest.fixture
def recorder(client, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(client.app.state.service, "search", recorder.search)
    return recorder


@pytest.fixture
def http(client, recorder):
    return client


def ask_everywhere(http, option, name, value):
    """Yield what each route that takes an option answers to a value."""
    words = {name: as_words(value)}
    yield http.get("/v1/search", params={"q": "cat", **words})
    yield http.post("/v1/search", json={"clauses": [{"text": "cat"}], name: value})
    yield http.post("/v1/search/image", files={"file": b"bytes"}, data={"text": "cat", **words})
    if not option.about_words:
        yield http.get("/v1/images/3/similar", params=words)


def command_options(*arguments):
    """Return what `xuntu search` reads of its arguments."""
    command = typer.main.get_command(api.cli.app).commands["search"]
    return read_options(command.make_context("search", ["cat", *map(str, arguments)]).params, flags=True)


def flags(option, flag, value):
    if isinstance(value, bool):
        return [flag.split("/")[0 if value else 1]]
    return [part for one in (value if option.is_list else [value]) for part in (flag, one)]


@named(OPTIONS)
def test_an_option_reaches_the_query_by_every_route(http, recorder, option):
    value = example(option)
    for answer in ask_everywhere(http, option, option.name, value):
        assert answer.status_code == 200, answer.text
        assert getattr(recorder.query, option.name) == value
        assert recorder.query == Query(
            clauses=recorder.query.clauses, **{option.name: value}
        )  # and the others are as they are by default
        recorder.query = None


@named(OPTIONS)
def test_an_option_reaches_the_query_by_the_command(option):
    value = example(option)
    others = command_options()
    assert command_options(*flags(option, option.flag, value)) == {**others, option.name: value}
    assert others[option.name] == (option.default if option.flag_default is None else option.flag_default)


@named(BOUNDED)
def test_a_value_that_cannot_be_used_is_refused_everywhere(http, recorder, option):
    value = beyond(option)
    with pytest.raises(InvalidQuery) as caught:
        Query(clauses=TEXT, **{option.name: value})
    assert caught.value.en.startswith(option.name)
    assert option.name in caught.value.zh
    for answer in ask_everywhere(http, option, option.name, value):
        assert (answer.status_code, recorder.query) == (422, None)
        assert option.name in answer.json()["detail"]


@named(OPTIONS)
def test_an_option_is_described_wherever_it_is_taken(http, option):
    document = http.get("/openapi.json").json()
    schemas, paths = document["components"]["schemas"], document["paths"]
    form = paths["/v1/search/image"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"]
    for schema in (schemas["SearchRequest"], schemas[form.rpartition("/")[2]]):
        assert schema["properties"][option.name]["description"] == option.description
        assert schema["properties"].get(option.former, {"deprecated": True})["deprecated"] is True
    for path in ("/v1/search", *(() if option.about_words else ("/v1/images/{image_id}/similar",))):
        parameters = {one["name"]: one for one in paths[path]["get"]["parameters"]}
        assert parameters[option.name]["description"] == option.description
        assert parameters.get(option.former, {"deprecated": True})["deprecated"] is True
    command = typer.main.get_command(api.cli.app).commands["search"]
    listed = {one.name: one for one in command.params}
    assert listed[option.name].help == f"{option.description}."
    assert option.former not in listed or listed[option.former].hidden


@named(FORMER)
@pytest.mark.filterwarnings("error")
def test_the_former_name_of_an_option_is_taken(http, recorder, option):
    value = example(option)
    for answer in ask_everywhere(http, option, option.former, value):
        assert answer.status_code == 200, answer.text
        assert getattr(recorder.query, option.name) == value
    assert command_options(*flags(option, option.former_flag, value))[option.name] == value


@named(FORMER)
def test_both_names_of_an_option_cannot_say_different_things(http, recorder, option):
    value, other = example(option), example(option)[:1]
    both = {option.name: list(value), option.former: list(other)}
    for language, word in (("en", "former name"), ("zh", "旧名称")):
        answer = http.get("/v1/search", params={"q": "cat", **both}, headers={"Accept-Language": language})
        assert (answer.status_code, answer.json()["code"], recorder.query) == (422, "invalid_query", None)
        assert word in answer.json()["detail"]
    with pytest.raises(InvalidQuery, match=option.former_flag):
        command_options(*flags(option, option.flag, value), *flags(option, option.former_flag, other))
    assert read_options({option.name: list(value), option.former: value})[option.name] == value
    assert read_options({option.name: [], option.former: value})[option.name] == value


def test_what_is_not_given_is_as_declared():
    assert SearchOptions(**read_options({})) == SearchOptions()


@named(OPTIONS)
def test_a_body_has_an_option_only_where_it_is_not_the_default(option):
    value = example(option)
    clauses = [{"text": "cat"}]
    assert search_body(clauses, None, SearchOptions(**{option.name: value})) == {
        "clauses": clauses,
        option.name: value,
    }
    assert search_body(clauses, {"path": "x"}, SearchOptions()) == {"clauses": clauses, "where": {"path": "x"}}


def test_the_keywords_are_the_options():
    assert get_type_hints(SearchKeywords) == {option.name: option.type for option in OPTIONS}
    assert set(get_type_hints(PictureKeywords)) == {option.name for option in OPTIONS if not option.about_words}


@named(OPTIONS)
def test_the_client_sends_an_option_only_where_it_is_not_the_default(option):
    given = {option.name: example(option)}
    assert calls.search(["cat"], None, None, None, given).arguments["json"] == {
        "clauses": [{"text": "cat", "weight": 1.0}],
        **given,
    }
    assert calls.search_by_picture(b"bytes", None, 1.0, None, given).arguments["data"] == {"weight": 1.0, **given}
    if option.about_words:
        with pytest.raises(TypeError, match=option.name):
            calls.similar(3, None, given)
    else:
        assert calls.similar(3, None, given).arguments["params"] == given
    default = {option.name: option.default}
    assert calls.search(["cat"], None, None, None, default).arguments["json"].keys() == {"clauses"}


def test_what_is_no_option_is_refused():
    with pytest.raises(TypeError, match="number"):
        calls.search(["cat"], None, None, None, {"number": 3})
