"""Fixtures of the page's tests: the real service over drawn pictures, in every state the page has to show."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import Settings
from api.http.app import create_app
from api.http.errors import http_problem
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from ui.config import PageSettings
from ui.gateway.assets import Assets
from ui.gateway.gateway import PageGateway
from ui.gateway.proxy import ServiceProxy
from ui.gateway.sites import HostNames

# The colours that the first visit asks for, and how a picture of each is drawn.
COLOURS = {
    "red": (196, 60, 52),
    "orange": (226, 138, 58),
    "yellow": (232, 200, 84),
    "green": (92, 150, 84),
    "cyan": (84, 170, 172),
    "blue": (68, 110, 176),
    "purple": (124, 88, 160),
    "pink": (222, 150, 178),
    "brown": (128, 92, 66),
}
SIZES = ((480, 320), (320, 480), (400, 400), (640, 320), (512, 384))


Fault = Literal["error", "busy", "lost", "silent", "slow"]


class Watched:
    """The real application, with what it is asked to search for, and with what goes wrong on the way to it.

    `fault` befalls every search: the answer 500 or 503, a connection lost within the answer, no answer at all, or one
    that comes in small pieces.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.url = ""
        self.searches: list[dict[str, Any]] = []
        self.fault: Fault | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["path"] != "/v1/search":
            await self.app(scope, receive, send)
            return
        request = Request({**scope, "state": {"request_id": "0123456789abcdef"}}, receive)
        body = await request.body()
        self.searches.append(json.loads(body))
        match self.fault:
            case "error" | "busy":
                await http_problem(request, 500 if self.fault == "error" else 503)(scope, receive, send)
            case "lost":
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
                raise ConnectionResetError("so that the server hangs up")
            case "silent":
                while (await receive())["type"] != "http.disconnect":
                    pass
            case _:

                async def replay() -> Message:
                    return {"type": "http.request", "body": body}

                async def send_in_pieces(message: Message) -> None:
                    whole = message.get("body", b"")
                    for start in range(0, len(whole), 10):
                        await send({**message, "body": whole[start : start + 10], "more_body": True})
                    await send({**message, "body": b""} if whole else message)

                await self.app(scope, replay, send_in_pieces if self.fault == "slow" else send)


def draw(path: Path, number: int) -> None:
    """Draw a picture that is mostly of one colour, unlike every other number's; the first knows where it was taken."""
    colour, size = list(COLOURS.values())[number % len(COLOURS)], SIZES[number % len(SIZES)]
    blocks = np.random.default_rng(number).integers(0, 2, (8, 8, 1), np.uint8) * np.uint8(colour)
    exif = Image.Exif()
    if number == 0:
        exif[271], exif[272] = "Canon", "Canon EOS R5"
        exif.get_ifd(0x8769)[0x9003] = "2024:05:03 14:02:00"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path, quality=85, exif=exif)


def build_library(folder: Path, count: int, *encoders: str) -> Path:
    """Draw so many pictures and build a library of them; where there are seventy, the last two show the third."""
    pictures = folder / "pictures"
    names = [f"{number + 1:03d}-{list(COLOURS)[number % len(COLOURS)]}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        draw(pictures / f"{2023 + number // 35}" / name, number)
    for name in names[68:]:
        shutil.copyfile(pictures / "2023" / names[2], pictures / "2024" / name)
    build(IndexerSettings(data=folder / "data", workers=0), [pictures], BuildOptions(encoders=[*encoders]))
    return folder / "data"


@pytest.fixture(scope="session")
def start_service(serve_app) -> Callable[..., Watched]:
    """Return what serves a library until the session ends."""

    def start(data: Path, **settings: Any) -> Watched:
        watched = Watched(create_app(Settings(data=data, **settings)))
        watched.url = serve_app(watched)
        return watched

    return start


@pytest.fixture(scope="session")
def copy_of(made_once, tmp_path_factory) -> Callable[..., Path]:
    """Return what gives this worker a library of so many drawn pictures, by encoders; not to be changed."""

    def copy(count: int, *encoders: str) -> Path:
        name = "-".join(["drawn", str(count), *encoders])
        made = made_once(name, lambda folder: build_library(folder, count, *encoders))
        return shutil.copytree(made, tmp_path_factory.mktemp(name), dirs_exist_ok=True) / "data"

    return copy


@pytest.fixture(scope="session")
def drawn_library(copy_of) -> Path:
    """A library of seventy drawn pictures, two of them copies. Not to be changed."""
    return copy_of(70, "hash")


@pytest.fixture(scope="session")
def drawn_service(start_service, drawn_library) -> Watched:
    """The service that answers from `drawn_library`, started once."""
    return start_service(drawn_library)


@pytest.fixture
def service(drawn_service) -> Iterator[Watched]:
    """The service that answers from `drawn_library`: nothing was asked of it yet, and a test may set its `fault`."""
    drawn_service.searches.clear()
    yield drawn_service
    drawn_service.fault = None


@pytest.fixture
def api_url(service) -> str:
    """The address of `service`."""
    return service.url


@pytest.fixture(scope="session")
def calibrated_service(start_service, copy_of, make_fit, save_fits) -> Watched:
    """The service of a library whose hits have a relevance: of the best more than a half, of most less."""
    data = copy_of(70, "hash")
    fit = make_fit(-0.05, slope=25.0, caution=4.0)
    save_fits(data, zh=fit, en=fit, picture=fit)
    return start_service(data)


@pytest.fixture(scope="session")
def worded_service(start_service, copy_of, make_fit, save_fits) -> Watched:
    """The service of a library of whose hits only words may be said."""
    data = copy_of(70, "hash")
    fit = make_fit(-0.05, slope=25.0, caution=4.0, auroc_low=0.7)
    save_fits(data, zh=fit, en=fit, picture=fit)
    return start_service(data)


@pytest.fixture(scope="session")
def fused_service(start_service, copy_of) -> Watched:
    """The service of a library that two encoders rank."""
    return start_service(copy_of(9, "hash", "starter"), routing="en=hash+starter")


@pytest.fixture(scope="session")
def small_service(start_service, copy_of) -> Watched:
    """The service of a library of seven pictures."""
    return start_service(copy_of(7, "hash"))


@pytest.fixture(scope="session")
def empty_service(start_service, tmp_path_factory) -> Watched:
    """The service of a folder without a library."""
    return start_service(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session")
def make_page() -> Callable[..., Starlette]:
    """Return what makes the page's routes before an application that answers everything else, as Streamlit does."""

    def make(
        api_url: str, *, token: str = "", base: str = "", assets: Assets | None = None, **times: float
    ) -> Starlette:
        settings = PageSettings(api_url=api_url, token=token)
        service = ServiceProxy(settings, **{"timeout_s": 120, "stall_s": 120, **times})
        gateway = Middleware(
            PageGateway,
            service=service,
            assets=assets or Assets(Path("no such folder")),
            hosts=HostNames("127.0.0.1", ()),
            base=base,
        )
        rest = [Mount("/", PlainTextResponse("of Streamlit"))]
        return Starlette(routes=rest, middleware=[gateway], lifespan=service.lifespan)

    return make


@pytest.fixture(scope="module")
def open_page(serve_app, make_page) -> Callable[..., httpx.Client]:
    """Return what serves a page of a service, and a client of it that says it is the page itself."""
    clients = []

    def start(api_url: str, **given: object) -> httpx.Client:
        url = serve_app(make_page(api_url, **given))
        clients.append(
            httpx.Client(base_url=url, headers={"Sec-Fetch-Site": "same-origin"}, trust_env=False, timeout=120)
        )
        return clients[-1]

    yield start
    for client in clients:
        client.close()


class Told:
    """A service that answers with what it was asked, or with `answer`."""

    def __init__(self) -> None:
        self.answer: JSONResponse | None = None
        self.asked: list[str] = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        told = {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "headers": [[name, value] for name, value in request.headers.items()],
            "bytes": len(body),
        }
        self.asked.append(f"{request.method} {request.url.path}")
        secret = {"Set-Cookie": "a=b", "X-Secret": "s", "Connection": "keep-alive", "Server": "x"}
        await (self.answer or JSONResponse(told, headers=secret))(scope, receive, send)


@pytest.fixture(scope="module")
def told() -> Told:
    """What the page asks of a service."""
    return Told()


@pytest.fixture(scope="module")
def asking(open_page, serve_app, told) -> httpx.Client:
    """A page, with a token, whose service answers with what it was asked."""
    return open_page(serve_app(told), token="a-token-that-no-browser-sees")
