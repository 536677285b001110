"""The typed clients against the real application, served on loopback, with what can go wrong on the way to it."""

import inspect
import shutil
import subprocess
import sys
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse

import xuntu
from api.client import AsyncClient, Client, RetryPolicy, errors
from api.client.retries import read_retry_after
from api.config import Settings
from api.http.app import create_app
from api.http.errors import http_problem, problem
from api.schemas import ClauseIn, FilterIn
from api.search.errors import Overloaded
from api.search.query import Clause
from models.foundation.errors import ImageSearchError
from models.pictures.errors import DecodeError

CHECKOUT = Path(__file__).resolve().parents[2]
AT_ONCE = RetryPolicy(backoff_s=0)


class Failing:
    """The real application behind something that fails as often as told, and counts what it is asked.

    `faults` befall the next requests, one each: a status with headers, "overloaded", or a connection lost within the
    answer ("lost") or left without one ("silent").
    """

    def __init__(self, app):
        self.app = app
        self.faults = deque()
        self.asked = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.asked += 1
        fault = self.faults.popleft() if self.faults else None
        request = Request({**scope, "state": {"request_id": "0123456789abcdef"}}, receive)
        match fault:
            case None:
                await self.app(scope, receive, send)
            case "lost":
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
                raise ConnectionResetError("so that the server hangs up")
            case "silent":
                while (await receive())["type"] != "http.disconnect":
                    pass
            case "overloaded":
                error = Overloaded(retry_after_s=0)
                answer = problem(request, status=503, code=error.code, detail=error.en, headers={"Retry-After": "0"})
                await answer(scope, receive, send)
            case status, headers:
                await http_problem(request, status, headers)(scope, receive, send)


@pytest.fixture(scope="module")
def failing(library) -> Failing:
    return Failing(create_app(Settings(data=library)))


@pytest.fixture(scope="module")
def url(failing, serve_app) -> str:
    return serve_app(failing)


@pytest.fixture
def service(failing, url) -> Failing:
    """The application that answers at `url`: nothing was asked of it yet, and a test may set its `faults`."""
    failing.faults.clear()
    failing.asked = 0
    return failing


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Return what calls a method of a new client of either kind, and closes the client."""

    def call_sync(url, method, *args, client=None, **options):
        with Client(url, **(client or {})) as made:
            return getattr(made, method)(*args, **options)

    def call_async(url, method, *args, client=None, **options):
        async def run():
            async with AsyncClient(url, **(client or {})) as made:
                return await getattr(made, method)(*args, **options)

        return anyio.run(run)

    return call_sync if request.param == "sync" else call_async


def paths(answer) -> list[str]:
    return [hit.path for hit in answer.hits]


def catch(call, kind, *args, **options):
    with pytest.raises(kind) as caught:
        call(*args, **options)
    return caught.value


# What is answered


def test_every_kind_of_question_is_answered(call, url, photographs):
    cat = call(url, "search", "一只猫", k=1).hits[0]
    assert (cat.path, cat.root) == ("cat.png", "photographs")
    assert cat.path not in paths(call(url, "similar", cat.id, k=3))
    assert paths(call(url, "search", like=cat.id, k=3)) == paths(call(url, "similar", cat.id, k=3))
    assert call(url, "image", cat.id).format == "png"
    original = call(url, "original", cat.id)
    assert original.content == (photographs / "cat.png").read_bytes()
    assert (original.media_type, original.name) == ("image/png", "cat.png")
    assert call(url, "thumbnail", cat.id, size=64)[:4] == b"RIFF"
    assert call(url, "thumbnail", cat.id)[8:12] == b"WEBP"
    assert "format" in [field.name for field in call(url, "fields").fields]
    (formats,) = call(url, "facets", ["format"], where="format=jpeg").facets
    assert [(value.value, value.count) for value in formats.values] == [("jpeg", 3)]
    assert len(call(url, "facets").facets) > 1
    assert call(url, "index").pictures == 9
    assert call(url, "health").status == "ok"
    assert call(url, "readiness").build == call(url, "index").build


@pytest.mark.parametrize("as_what", [str, Path, Path.read_bytes, Image.open])
def test_a_picture_is_asked_for_as_the_caller_has_it(call, url, photographs, as_what):
    picture = as_what(photographs / "cat.png")
    assert paths(call(url, "search", image=picture, k=1)) == ["cat.png"]
    assert paths(call(url, "search_by_picture", picture, k=1)) == ["cat.png"]


def test_pixels_that_no_file_of_this_kind_holds_are_asked_for_too(call, url, photographs):
    with Image.open(photographs / "cat.png") as image:
        assert paths(call(url, "search", image=image.convert("CMYK"), k=1)) == ["cat.png"]


def test_a_picture_and_words_with_conditions_and_options(call, url, photographs):
    found = call(
        url,
        "search_by_picture",
        photographs / "cat.png",
        "花",
        weight=2,
        where="format=jpeg",
        k=3,
        hide_duplicates=True,
        encoders=["starter"],
    )
    assert paths(found)[0] == "flower.jpg"
    assert len(found.hits) == 3
    assert [clause.weight for clause in found.clauses] == [1, 2]


def test_a_sum_is_written_as_on_the_command_line_or_as_clauses(call, url):
    written = call(url, "search", "2:天空", "-0.5:建筑", literal=True)
    clauses = [Clause(text="天空", weight=2), ClauseIn(text="建筑", weight=-0.5)]
    assert paths(written) == paths(call(url, "search", *clauses, literal=True))
    assert [clause.weight for clause in written.clauses] == [2, -0.5]
    as_it_is = call(url, "search", Clause(text="-人"), literal=True)
    assert [(clause.text, clause.weight) for clause in as_it_is.clauses] == [("-人", 1)]


@pytest.mark.parametrize(
    "where", ["format=jpeg and path=r", {"formats": ["jpeg"], "path": "r"}, FilterIn(formats=["jpeg"], path="r")]
)
def test_conditions_are_an_expression_or_fields(call, url, where):
    assert paths(call(url, "search", "a cat", where=where)) == ["rocket.jpg"]


def test_all_hits_are_fetched_page_by_page(url, service):
    with Client(url) as client:
        found = [hit.id for hit in client.search_all("一只猫", k=4)]
        assert service.asked == 3
        assert found == [hit.id for hit in client.search("一只猫", k=9).hits]
        assert [hit.id for hit in client.search_all("一只猫", offset=7)] == found[7:]

    async def collect():
        async with AsyncClient(url) as client:
            return [hit.id async for hit in client.search_all("一只猫", k=4)]

    assert anyio.run(collect) == found


def test_both_clients_have_the_same_methods():
    renamed = {"aclose": "close"}
    found = [
        {renamed.get(name, name): inspect.signature(one) for name, one in vars(kind).items() if name[0] != "_"}
        for kind in (Client, AsyncClient)
    ]
    yielding = {"images_all", "search_all", "follow"}
    without_hits = [{name: one for name, one in each.items() if name not in yielding} for each in found]
    assert without_hits[0] == without_hits[1]
    assert all(found[0][name].parameters == found[1][name].parameters for name in yielding)


CALLS = {
    "search": ["a cat"],
    "search_all": ["a cat"],
    "search_by_picture": [b"a picture"],
    "similar": [7],
    "search_batch": [["a cat"]],
    "upload": [b"a picture"],
    "upload_thumbnail": ["7"],
    "delete_upload": ["7"],
    "vector": [7],
    "images": [],
    "images_all": [],
    "image": [7],
    "picture_text": [7],
    "copies": [7],
    "original": [7],
    "thumbnail": [7],
    "fields": [],
    "facets": [],
    "suggest": ["ca"],
    "places": [],
    "embed": [],
    "models": [],
    "model": ["7"],
    "search_facets": ["a cat"],
    "search_places": ["a cat"],
    "index": [],
    "roots": [],
    "folders": [],
    "storage": [],
    "progress": [],
    "settings": [],
    "report": [],
    "duplicates": [],
    "put_image": [b"a picture"],
    "delete_image": [7],
    "boards": [],
    "find_boards": [[7]],
    "board": ["7"],
    "create_board": ["cats"],
    "rename_board": ["7", "dogs"],
    "delete_board": ["7"],
    "add_to_board": ["7", [7]],
    "remove_from_board": ["7", [7]],
    "archive": [[7]],
    "archive_ticket": [[7]],
    "archived": ["7"],
    "submit": ["update"],
    "jobs": [],
    "job": ["8"],
    "cancel": ["8"],
    "follow": ["8"],
    "wait": ["8"],
    "libraries": [],
    "health": [],
    "readiness": [],
}


def _template(path: str) -> str:
    path = path.replace("models/7", "models/{model}")
    path = path.replace("/8", "/{job_id}")
    path = path.replace("boards/7", "boards/{board_id}").replace("archive/7", "archive/{ticket}")
    return path.replace("/7", "/{upload_id}" if path.startswith("/v1/uploads") else "/{image_id}")


@pytest.fixture(scope="module")
def described(failing):
    """The paths of the OpenAPI document, which takes a while to be made."""
    return failing.app.openapi()["paths"]


def test_every_route_has_its_call(described):
    assert CALLS.keys() | {"close"} == {name for name in vars(Client) if name[0] != "_"}
    asked = set()

    def note(request):
        asked.add((request.method.lower(), _template(request.url.path)))
        return httpx.Response(404)

    client = Client("http://service.test", http=httpx.Client(transport=httpx.MockTransport(note)))
    for name, args in CALLS.items():
        with pytest.raises(errors.ApiError):
            list(getattr(client, name)(*args, **({"name": "a.png"} if name == "put_image" else {})))
    known = {(method, path) for path, methods in described.items() for method in methods}
    assert asked <= known
    others = {"/indices-list", "/knn-service", "/metadata", "/metrics"}  # for clients of clip-retrieval, for a scraper
    assert {path for _, path in known - asked} == {"/v1/search", *others}  # GET asks less than POST
    client.close()


def test_both_clients_get_the_same_for_every_call(library, tmp_path_factory, serve_app):
    own = shutil.copytree(library, tmp_path_factory.mktemp("calls") / "library")
    url = serve_app(create_app(Settings(data=own)))
    further = {"put_image": {"name": "a.png"}, "embed": {"texts": ["a cat"]}}
    called = {**CALLS, "submit": ["nothing"]}  # no job is begun

    with Client(url) as client:
        one = {}
        for name, args in called.items():
            try:
                answer = getattr(client, name)(*args, **further.get(name, {}))
                one[name] = [*map(type, answer)] if inspect.isgenerator(answer) else type(answer)
            except (errors.ApiError, DecodeError) as error:
                one[name] = error.code

    async def ask_all():
        other = {}
        async with AsyncClient(url) as client:
            for name, args in called.items():
                try:
                    answer = getattr(client, name)(*args, **further.get(name, {}))
                    if inspect.isasyncgen(answer):
                        other[name] = [type(each) async for each in answer]
                    else:
                        other[name] = type(await answer)
                except (errors.ApiError, DecodeError) as error:
                    other[name] = error.code
        return other

    other = anyio.run(ask_all)
    assert one == other
    answered = {name for name, found in one.items() if not isinstance(found, str)}
    assert {"search", "search_all", "image", "original", "boards", "create_board", "archive", "embed"} <= answered
    assert (one["job"], one["board"], one["upload"]) == ("job_not_found", "board_not_found", "unreadable_image")


def test_texts_and_pictures_are_embedded(call, url, library, photographs):
    cat = photographs / "cat.png"
    with xuntu.open(library) as opened:
        expected = np.vstack([opened.encode_text("一只猫", "a rocket"), opened.encode_image(cat)])
    found = call(url, "embed", texts=["一只猫", "a rocket"], images=[cat])
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    assert found == pytest.approx(expected, abs=1e-4)
    assert [one.id for one in call(url, "models").data] == ["starter"]
    assert call(url, "model").dim == expected.shape[1]
    assert catch(call, errors.ProblemError, url, "model", "a/b").code in ("model_not_found", "not_found")


# What goes wrong


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "There is no picture with id 9999 in this library."), ("zh", "图片库中没有编号为 9999 的图片。")],
)
def test_a_problem_is_said_in_the_language_asked_for(call, url, language, sentence):
    error = catch(call, errors.ProblemError, url, "image", 9999, client={"language": language})
    assert isinstance(error, ImageSearchError)
    assert (error.code, error.status, str(error), error.text(language)) == ("image_not_found", 404, sentence, sentence)
    assert error.request_id == error.problem.request_id
    assert len(error.request_id) == 16


def test_one_client_speaks_several_languages(url):
    with Client(url) as client:
        with pytest.raises(errors.ProblemError, match="编号"):
            client.with_language("zh").image(9999)
        with pytest.raises(errors.ProblemError, match="no picture"):
            client.image(9999)


def test_what_cannot_be_asked_is_refused_by_the_service(call, url, service):
    error = catch(call, errors.ProblemError, url, "search", "a cat", k=1000)
    assert (error.code, error.status, service.asked) == ("invalid_request", 422, 1)
    assert catch(call, errors.ProblemError, url, "search", min_score=0.5).code == "invalid_query"


def test_a_picture_that_is_not_there_is_named(call, url, service, tmp_path):
    for path in (tmp_path / "gone.png", tmp_path, "nul\0.png"):
        assert str(path) in str(catch(call, DecodeError, url, "search", image=path))
    assert service.asked == 0


@pytest.mark.parametrize("fault", [(429, {"Retry-After": "0"}), (503, {}), "overloaded", "lost"])
def test_what_passes_by_itself_is_tried_again(call, url, service, fault):
    service.faults.extend([fault, fault])
    assert paths(call(url, "search", "一只猫", k=1, client={"retry": AT_ONCE})) == ["cat.png"]
    assert service.asked == 3


def test_what_may_have_been_done_is_not_asked_again(call, url, service):
    service.faults.append("lost")
    assert catch(call, errors.ServiceUnreachable, url, "delete_image", 7, client={"retry": AT_ONCE}).status is None
    assert service.asked == 1
    service.faults.extend([(503, {}), "lost"])  # the first was not let in
    catch(call, errors.ServiceUnreachable, url, "delete_image", 7, client={"retry": AT_ONCE})
    assert service.asked == 3


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (((429), {}), errors.ProblemError, "too_many_requests"),
        ("overloaded", errors.ProblemError, "overloaded"),
        ("lost", errors.ServiceUnreachable, "unreachable"),
    ],
)
def test_what_does_not_pass_is_an_error_in_the_end(call, url, service, fault, kind, code):
    service.faults.extend([fault] * 3)
    error = catch(call, kind, url, "search", "一只猫", client={"retry": AT_ONCE})
    assert (error.code, service.asked) == (code, 3)


def test_nobody_waits_longer_than_is_allowed(call, url, service):
    service.faults.append((503, {"Retry-After": "31"}))
    assert catch(call, errors.ProblemError, url, "index", client={"retry": AT_ONCE}).status == 503
    assert service.asked == 1


@pytest.mark.parametrize("fault", [(500, {}), (404, {}), "silent"])
def test_what_stays_as_it_is_is_asked_once(call, url, service, fault):
    service.faults.append(fault)
    catch(call, errors.ApiError, url, "index", client={"retry": AT_ONCE, "timeout_s": 0.3})
    assert service.asked == 1


def test_a_service_without_a_library_says_so_at_once(call, serve_app, tmp_path):
    empty = Failing(create_app(Settings(data=tmp_path)))
    error = catch(call, errors.ProblemError, serve_app(empty), "search", "a cat", client={"retry": AT_ONCE})
    assert (error.code, error.status, empty.asked) == ("no_index", 503, 1)


def test_a_token_is_sent_where_it_is_asked_for(call, serve_app, library):
    url = serve_app(create_app(Settings(data=library, api={"token": "s3cret"})))
    assert catch(call, errors.ProblemError, url, "index").status == 401
    assert call(url, "index", client={"token": "s3cret"}).pictures == 9


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), errors.ServiceUnreachable),
        (httpx.RemoteProtocolError("cut"), errors.ServiceUnreachable),
        (httpx.UnsupportedProtocol("what is this"), errors.ServiceUnreachable),
        (httpx.ConnectTimeout("slow"), errors.ServiceTooSlow),
        (httpx.ReadTimeout("slow"), errors.ServiceTooSlow),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_service_that_does_not_answer_is_a_sentence(failure, kind, language):
    def fail(_):
        raise failure

    client = Client("http://service.test/", retry=AT_ONCE, http=httpx.Client(transport=httpx.MockTransport(fail)))
    with pytest.raises(kind) as caught:
        client.index()
    sentence = caught.value.text(language)
    assert "http://service.test" in sentence
    assert ("请" in sentence) == (language == "zh")
    client.close()


@pytest.mark.parametrize(
    ("status", "body"), [(502, "<html>Bad gateway</html>"), (500, '{"detail": "?"}'), (200, "hello"), (200, '{"a": 1}')]
)
def test_an_answer_that_is_not_the_service_s_is_told_apart(call, serve_app, status, body):
    error = catch(call, errors.NotTheService, serve_app(PlainTextResponse(body, status)), "index")
    assert (error.code, error.status) == ("not_api", status)


def test_an_original_that_is_elsewhere_is_not_fetched_but_named(call, serve_app):
    address = "http://pictures.test/cat.jpg"
    error = catch(call, errors.OriginalElsewhere, serve_app(RedirectResponse(address)), "original", 7)
    assert (error.address, address in error.en, address in error.zh) == (address, True, True)


def test_a_clause_of_several_pictures(call, url, photographs):
    clauses = [Clause(image=(photographs / name).read_bytes(), weight=weight) for name, weight in SHOWN]
    assert paths(call(url, "search", *clauses, k=1)) == ["cat.png"]


SHOWN = (("cat.png", 2), ("moon.png", -0.5))


# When it is tried again


def test_waits_double_and_are_never_longer_than_allowed():
    policy = RetryPolicy(retries=9, backoff_s=1, longest_s=5)
    for tries, longest in enumerate((1, 2, 4, 5, 5), start=1):
        assert longest / 2 <= policy.wait_s(tries) <= longest
    assert policy.wait_s(10) is None


def test_the_service_says_how_long_to_wait():
    policy = RetryPolicy(backoff_s=0, longest_s=60)
    assert policy.wait_s(1, "7") == 7
    assert policy.wait_s(1, "61") is None
    assert 50 < policy.wait_s(1, format_datetime(datetime.now(UTC) + timedelta(seconds=59))) <= 59
    assert RetryPolicy(backoff_s=8).wait_s(1, "1") >= 4


@pytest.mark.parametrize("value", ["", "soon", "-3", format_datetime(datetime(2020, 1, 1, tzinfo=UTC))])
def test_what_says_nothing_of_waiting_is_passed_over(value):
    assert read_retry_after(value) == 0


def test_without_httpx_the_extra_is_named(processes):
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "from api.client import Client\n"
        "try: Client('http://127.0.0.1:1')\n"
        "except Exception as error: print(error.code, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("backend_not_installed"), done.stderr
    assert ".[client]" in done.stdout
