"""A service and its page as processes of one checkout, and a browser to open it in."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from page_library import ensure_page_library, environment_of
from playwright.sync_api import Browser, sync_playwright
from processes import Bench, clean_environment
from service_process import wait_until_ready

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_BROWSER_ARGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--enable-precise-memory-info"),
)


@dataclass(frozen=True, slots=True)
class PageKind:
    """What differs between this page and the page before: where to look, by CSS selectors."""

    name: str
    box: str
    tile: str
    shown: str  # the picture that is open, in full
    known: str  # what is there once an open picture can be turned
    scroller: str | None  # None: there is no list of thousands of pictures


NEW = PageKind(
    name="this page",
    box="xuntu-page input[type=search], xuntu-page [role=combobox]",
    tile=".tile a.shot",
    shown='.pswp__item[aria-hidden="false"] img.pswp__img:not(.pswp__img--placeholder)',
    known=".pswp .turn",
    scroller=".scroller",
)
BEFORE = PageKind(
    name="the page before",
    box="input[type=search]",
    tile=".tile a.shot",
    shown="dialog[open] .frame img",
    known="dialog[open] aside dl",
    scroller=None,
)


@dataclass(frozen=True, slots=True)
class RunningPage:
    """A page that answers at `url`."""

    kind: PageKind
    url: str


@contextmanager
def running_page(bench: Bench, tree: Path, kind: PageKind) -> Iterator[RunningPage]:
    """Run the service and the page of a checkout, in their default settings, over a library that it has made."""
    library = ensure_page_library(bench, tree, "now" if kind is NEW else "before")
    api, page = _free_ports(2)
    serve = ["-c", "from api.cli import main; main()", "serve", "--port", str(api), "--data", str(library)]
    show = ["-m", "streamlit", "run", str(tree / "ui" / "app.py"), "--server.port", str(page)]
    api_url, url = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{page}/"
    with (
        _started(bench, tree, serve, f"{api_url}/readyz"),
        _started(bench, tree, show, f"{url}_stcore/health", XUNTU_UI__API_URL=api_url),
    ):
        yield RunningPage(kind, url)


@contextmanager
def _started(bench: Bench, tree: Path, command: Sequence[str], ready: str, **settings: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=bench.folder,
        env=clean_environment() | environment_of(tree) | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(process, ready)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium without a window. Raises RuntimeError where none is installed."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise RuntimeError(f"no browser: none of {', '.join(_BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=list(_BROWSER_ARGS))
        try:
            yield browser
        finally:
            browser.close()


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
