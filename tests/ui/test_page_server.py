"""The page as it is run: `streamlit run`, with the service behind it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
BASE = "pictures/of-us"
TOKEN = "a-token-that-no-browser-sees"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Served:
    """A page that runs: a client of it, its process, and what it has said."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process, self.log = process, log
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=120)

    def is_up(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text(errors="replace"))
        try:
            return self.http.get(f"/{BASE}/_stcore/health").is_success
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def served(processes, start_service, copy_of, wait_until, tmp_path_factory) -> Iterator[Served]:
    """A page below a path, started from a folder that is not the checkout."""
    service = start_service(copy_of(7, "hash"), api={"token": TOKEN})
    folder, port = tmp_path_factory.mktemp("page"), free_port()
    log = folder / "log.txt"
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    flags = ["--server.port", str(port), "--server.baseUrlPath", BASE]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(ROOT / "ui" / "app.py"), *flags],
            cwd=folder,
            env={
                **os.environ,
                "XUNTU_UI__API_URL": service.url,
                "XUNTU_API__TOKEN": TOKEN,
                "XUNTU_UI__HOSTS": "pictures.example.org",
                "PYTHONPATH": python_path,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    page = Served(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_until(page.is_up, "the page")
        yield page
    finally:
        page.http.close()
        process.kill()
        process.wait()


def test_streamlit_serves_the_page_and_its_routes_below_a_path(served):
    assert "<!doctype html>" in served.http.get(f"/{BASE}/").text.lower()
    index = served.http.get(f"/{BASE}/api/v1/index")
    assert index.json()["pictures"] == 7
    assert index.headers["cross-origin-resource-policy"] == "same-origin"
    assert served.http.get(f"/{BASE}/assets/1/missing.js").json()["code"] == "not_found"
    assert served.http.post(f"/{BASE}/api/v1/search", json={}).json()["code"] == "cross_site"
    assert served.http.get("/api/v1/index").status_code == 404


def test_the_settings_beside_the_page_hold(served):
    config = served.http.get(f"/{BASE}/_stcore/host-config")
    assert config.is_success
    assert served.http.get(f"/{BASE}/", headers={"Host": "elsewhere.example"}).status_code == 421
    assert served.http.get(f"/{BASE}/", headers={"Host": "pictures.example.org"}).is_success


def test_a_page_that_is_told_to_stop_stops_and_has_kept_quiet(served):
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(120) in (0, -signal.SIGTERM)
    said = served.log.read_text(errors="replace")
    assert TOKEN not in said
    assert "GET " not in said
    assert "Traceback" not in said
