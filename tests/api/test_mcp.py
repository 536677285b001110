"""The tools for assistants, as a client of the Model Context Protocol uses them: over its standard streams and HTTP."""

import base64
import os
import sys
from io import BytesIO

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from api.client import AsyncClient, RetryPolicy
from api.config import Settings
from api.http.app import create_app
from api.mcp.server import make_server

TOKEN = "s3cret-密"
COMMAND = ["-c", "from api.cli import main; main()", "mcp"]


def ask(server, *calls, token=None):
    """Return what tools answer to calls, (name, arguments) each, one after the other on one connection."""

    async def run():
        headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            there = streamable_http_client(server, http_client=http) if isinstance(server, str) else server
            async with Client(there) as client:
                return [await client.call_tool(name, arguments) for name, arguments in calls]

    return anyio.run(run)


def list_tools(server):
    async def run():
        async with Client(server) as client:
            return (await client.list_tools()).tools

    return anyio.run(run)


def said(answer) -> dict:
    assert not answer.is_error, answer.content
    return answer.structured_content


def started(*arguments, **environment) -> StdioServerParameters:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XUNTU_")}
    return StdioServerParameters(command=sys.executable, args=[*COMMAND, *arguments], env={**kept, **environment})


@pytest.fixture(scope="module")
def url(library, serve_app) -> str:
    return serve_app(create_app(Settings(data=library, api={"mcp": True, "token": TOKEN})))


@pytest.fixture(scope="module")
def tools(url):
    """Return what calls tools of a service at /mcp."""
    return lambda *calls, token=TOKEN: ask(f"{url}/mcp", *calls, token=token)


def check_answers(search, library, image):
    (cat, *_) = said(search)["pictures"]
    assert (cat["path"], cat["width"], cat["height"]) == ("cat.png", 451, 300)
    assert said(search)["total"] == 9
    described = said(library)
    assert (described["pictures"], described["encoders"], described["formats"]["jpeg"]) == (9, ["starter"], 3)
    fields = {field["name"]: field for field in described["fields"]}
    assert {"format", "taken"} <= fields.keys()
    assert fields["board"]["values"].keys() >= {"Favourites"}  # what `where` may name
    (shown,) = image.content
    assert (shown.type, shown.mime_type) == ("image", "image/webp")
    with Image.open(BytesIO(base64.b64decode(shown.data))) as picture:
        assert max(picture.size) == 100


def test_a_folder_is_asked_over_standard_streams(processes, servers, library):
    calls = [("search", {"text": "一只猫", "k": 2}), ("describe_library", {}), ("get_picture", {"id": 2, "size": 100})]
    check_answers(*ask(started("--data", str(library), XUNTU_API__TOKEN="another"), *calls))


def test_a_service_is_asked_over_standard_streams(processes, servers, library, url):
    calls = [("search", {"text": "一只猫", "k": 2}), ("describe_library", {}), ("get_picture", {"id": 2, "size": 100})]
    check_answers(*ask(started("--api", url, XUNTU_API__TOKEN=TOKEN), *calls))
    (refused,) = ask(started("--api", url), calls[0])
    assert refused.is_error
    assert "token" in refused.content[0].text


def test_a_service_has_them_itself(tools):
    calls = [("search", {"text": "一只猫", "k": 2}), ("describe_library", {}), ("get_picture", {"id": 2, "size": 100})]
    check_answers(*tools(*calls))


def test_pictures_are_found_by_others_and_described(tools):
    found, described = tools(("similar", {"id": 2, "k": 3}), ("describe_picture", {"id": 2}))
    assert len(said(found)["pictures"]) == 3
    assert 2 not in [one["id"] for one in said(found)["pictures"]]
    assert (said(described)["path"], said(described)["format"]) == ("cat.png", "png")


def test_pages_and_conditions(tools):
    first, rest, jpeg = tools(
        ("search", {"text": "花", "k": 5}),
        ("search", {"text": "花", "k": 5, "offset": 5}),
        ("search", {"text": "花", "where": "format=jpeg", "hide_duplicates": True, "sort": "width"}),
    )
    assert said(first)["next_offset"] == 5
    ids = [one["id"] for answer in (first, rest) for one in said(answer)["pictures"]]
    assert len(set(ids)) == len(ids) == 9
    assert {one["path"][-4:] for one in said(jpeg)["pictures"]} == {".jpg"}


def test_signs_and_weights_of_what_is_asked_are_read(tools):
    (away,) = tools(("search", {"text": "-猫", "k": 9}))
    assert said(away)["pictures"][-1]["path"] == "cat.png"


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("search", {"text": ""}, "empty"),
        ("search", {"text": " "}, "empty"),
        ("search", {"text": "cat", "where": "weather=fine"}, "weather"),
        ("similar", {"id": 9999}, "no picture with id 9999"),
        ("describe_picture", {"id": 9999}, "no picture with id 9999"),
        ("get_picture", {"id": 9999}, "no picture with id 9999"),
        ("get_picture", {"id": 2, "size": 5000}, "1024"),
        ("search", {"text": "cat", "k": 1000}, "50"),
        ("search", {}, "text"),
    ],
)
def test_what_is_wrong_is_a_sentence(tools, name, arguments, sentence):
    (answer,) = tools((name, arguments))
    assert answer.is_error
    assert sentence in answer.content[0].text


def test_a_service_that_is_not_there_is_said_in_the_language_of_the_client():
    server = make_server(lambda _: AsyncClient("http://127.0.0.1:1", language="zh", retry=RetryPolicy(retries=0)))
    (answer,) = ask(server, ("search", {"text": "一只猫"}))
    assert answer.is_error
    assert "请" in answer.content[0].text


def test_what_tools_do_is_described(servers, library, serve_app):
    url = serve_app(create_app(Settings(data=library, api={"mcp": True})))
    found = {tool.name: tool for tool in list_tools(f"{url}/mcp")}
    assert found.keys() == {"search", "similar", "get_picture", "describe_picture", "describe_library"}
    for tool in found.values():
        assert tool.description
        assert tool.annotations.read_only_hint
        assert "context" not in tool.input_schema["properties"]
    assert found["search"].output_schema


def test_nobody_is_let_in_without_a_token_and_nothing_is_there_unless_it_is_asked_for(url, library, serve_app):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx.post(f"{url}/mcp", json=body).status_code == 401
    closed = serve_app(create_app(Settings(data=library)))
    assert httpx.post(f"{closed}/mcp", json=body).status_code == 404


def test_what_the_caller_may_not_do_the_tools_may_not(library, serve_app):
    settings = {"mcp": True, "anonymous_scopes": "search", "token": TOKEN}
    url = serve_app(create_app(Settings(data=library, api=settings)))
    calls = [("search", {"text": "cat", "k": 1}), ("get_picture", {"id": 2})]
    search, picture = ask(f"{url}/mcp", *calls)
    assert said(search)["pictures"]
    assert picture.is_error
    assert not ask(f"{url}/mcp", calls[1], token=TOKEN)[0].is_error
