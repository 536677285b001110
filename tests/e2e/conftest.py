"""The page in a real browser, over a service, each started once for the tests of a file."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import api.sheet
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 120
FILMED = ("rocket.jpg", "cat.png", "coffee.png")


@pytest.fixture(scope="session")
def page_library(photographs, write_video, tmp_path_factory):
    """A library of more than one page of pictures: parts of photographs, a copy, a long one with words, a film."""
    folder, data = tmp_path_factory.mktemp("parts"), tmp_path_factory.mktemp("page-library")
    shapes = ((300, 200), (200, 300), (240, 240), (300, 130))
    for path in sorted(photographs.rglob("*.[pj][np]g")):
        if path.name == "broken.jpg":
            continue
        with Image.open(path) as image:
            for number, (width, height) in enumerate(shapes * 2):
                left, top = 10 * number, 6 * number
                part = image.convert("RGB").crop((left, top, left + width, top + height))
                part.save(folder / f"{path.stem} {number}.jpg", quality=90)
    shutil.copyfile(folder / "rocket 0.jpg", folder / "rocket again.jpg")
    board = Image.new("RGB", (300, 1500), "white")
    font = ImageFont.truetype(str(api.sheet.FONT), 28)
    ImageDraw.Draw(board).text((20, 1380), "咖啡 25 ESPRESSO", "black", font)
    board.save(folder / "board.png")
    scenes = [Image.open(photographs / name).convert("RGB").resize((320, 200)) for name in FILMED]
    film = [(2, np.asarray(scene)) for scene in scenes]
    write_video(folder / "film.webm", film, "libvpx", rate=5, gop=10, options={"deadline": "realtime"})
    build(IndexerSettings(data=data), [folder], BuildOptions())
    return data


@pytest.fixture(scope="module")
def api_url(page_library, serve):
    """The address of a service that answers from `page_library`."""
    return serve(page_library)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_up(process, url, log):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"the page did not start: {log.read_text(errors='replace')}")


@contextlib.contextmanager
def started(command, url, folder, **environment):
    """Start a process from a folder that is not the checkout, wait until `url` answers, and end it in the end."""
    log = folder / "log.txt"
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": python_path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_up(process, url, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def start_page(port, api_url, folder):
    """Start the page as a person does."""
    command = ["-m", "streamlit", "run", str(ROOT / "ui" / "app.py"), "--server.port", str(port)]
    return started(command, f"http://127.0.0.1:{port}/_stcore/health", folder, XUNTU_UI__API_URL=api_url)


def start_service(port, data, folder):
    """Start the service as a person does."""
    command = ["-c", "from api.cli import main; main()", "serve", "--data", str(data), "--port", str(port)]
    return started(command, f"http://127.0.0.1:{port}/healthz", folder)


@pytest.fixture(scope="module")
def page_url(api_url, processes, tmp_path_factory):
    """The address of the page of the service that this file asks."""
    port = free_port()
    with start_page(port, api_url, tmp_path_factory.mktemp("page")):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def starting(processes, tmp_path):
    """Return what starts things at a given port: `starting.page(port, api_url)`, `starting.service(port, data)`."""
    return SimpleNamespace(
        page=lambda port, api_url: start_page(port, api_url, tmp_path),
        service=lambda port, data: start_service(port, data, tmp_path),
        free_port=free_port,
    )


@pytest.fixture(scope="session")
def chromium(browser):
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="module")
def chromium_process(chromium):
    """One browser for all tests of a file. Not for longer: while it runs, so does an event loop in this thread."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        process = playwright.chromium.launch(executable_path=chromium, headless=True, args=BROWSER_ARGS)
        yield process
        process.close()


@pytest.fixture
def browse(chromium_process):
    """Return what opens a page, `browse(width=..., locale=...)`, whose script errors fail the test.

    Each is in a context of its own, which knows nothing of the others: as in a browser opened for the first time.
    """
    contexts, errors = [], []

    def open_page(*, width=1280, height=900, locale="en-GB", **options):
        viewport = {"width": width, "height": height}
        context = chromium_process.new_context(viewport=viewport, locale=locale, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "BidiComponent" in said.text else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def at(browse, page_url):
    """Return what opens the page at an address, without the tour that a first visit gets."""

    def open_page(query="", *, toured=True, **options):
        page = browse(**options)
        if toured:
            page.add_init_script("try { localStorage.setItem('xuntu-toured', '1'); } catch {}")
        page.goto(f"{page_url}{query}")
        return page

    return open_page
