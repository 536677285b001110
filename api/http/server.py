"""Processes: the API server, and the page beside it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from api.config import ApiSettings, Settings, is_loopback
from api.http.workers.process import answer
from api.http.workers.supervisor import Supervisor
from api.keys.store import read_keys
from indexer.library.errors import LibraryBusy, NoIndex
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.library.replicas.replica import open_replica
from indexer.library.storage.errors import NoLibraryThere, StorageUnavailable
from models.config import load_settings
from models.foundation.errors import BackendNotInstalled, ImageSearchError
from models.foundation.messages import Readable, message, os_message
from models.foundation.terminal import tell


class AddressInUse(ImageSearchError):
    """Something else listens there."""

    code = "address_in_use"
    users_mistake = True

    def __init__(self, host: str, port: int, why: Readable) -> None:
        super().__init__(
            message(
                "Cannot listen on {host}:{port}: {why}. Choose another port with --port.", host=host, port=port, why=why
            )
        )


class UnsafeBind(ImageSearchError):
    """Listening beyond this machine without a token or a key."""

    code = "unsafe_bind"
    users_mistake = True

    def __init__(self, host: str) -> None:
        super().__init__(
            message(
                "Refusing to listen on {host} without a token: everyone who reaches it could see the pictures. Make a "
                "key (xuntu key create --name NAME), set XUNTU_API__TOKEN, or say --allow-anonymous if that is what "
                "you want.",
                host=host,
            )
        )


class UnsafePage(ImageSearchError):
    """The page, listening beyond this machine."""

    code = "unsafe_page"
    users_mistake = True

    def __init__(self, host: str) -> None:
        super().__init__(
            message(
                "Refusing to show the page on {host}: it asks nobody for a token, so everyone who reaches it could see "
                "the pictures. Say --allow-anonymous if that is what you want.",
                host=host,
            )
        )


def serve(data: Path | None, changes: Mapping[str, object], *, ui_port: int | None, storage: str | None = None) -> None:
    """Serve the API, and the page where `ui_port` is given, until stopped.

    `changes` are flags that beat the environment. Raises UnsafeBind, KeysUnreadable, and what opening the library
    raises, before anything listens; a library that is not there yet is waited for. Raises WorkersFailed where the
    settings ask for several processes and none of them comes up.
    """
    settings = load_settings(Settings, data=data, storage=storage)
    given = {name: value for name, value in changes.items() if value is not None}
    settings.api = ApiSettings.model_validate({**settings.api.model_dump(), **given})
    api = settings.api
    fetch_replica(settings)
    keys = read_keys(settings.keys_file)
    if not is_loopback(api.host) and api.token is None and not keys and not api.allow_anonymous:
        raise UnsafeBind(api.host)
    try:
        open_build(settings.data)
    except NoIndex as error:
        tell(error)
        tell(message("The service starts and waits for it."))
    with _listen(api.host, api.port) as listener:
        port = listener.getsockname()[1]
        host = f"[{api.host}]" if ":" in api.host else api.host
        tell(message("The API is at {address}, its documentation at /docs", address=f"http://{host}:{port}"))
        page, page_token = None, None
        if ui_port is not None:
            reached = "127.0.0.1" if api.host in ("0.0.0.0", "::") else host  # noqa: S104 - nothing is bound here
            page_token = secrets.token_urlsafe(32)  # its own, so that it needs neither a key nor the token
            page = _start_page("127.0.0.1", ui_port, f"http://{reached}:{port}", page_token)
        try:
            if api.workers > 1:
                Supervisor(settings, listener, page_token).run()
            else:
                answer(settings, listener, page_token=page_token)
        finally:
            if page is not None:
                _stop(page)


def fetch_replica(settings: Settings) -> None:
    """Fetch the library, where another machine writes it, so that its keys are known before anything listens."""
    replica = open_replica(settings.data, settings.storage_address)
    if replica is None:
        return
    try:
        replica.update()
    except (NoLibraryThere, LibraryBusy) as error:
        tell(error)
    except StorageUnavailable as error:
        if not Layout(settings.data.absolute()).current.exists():
            raise
        tell(error)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises AddressInUse."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise AddressInUse(host, port, os_message(error)) from error


def serve_page(host: str, port: int, api_url: str | None, *, allow_anonymous: bool) -> int:
    """Serve the search page alone until stopped; return the exit status. Raises BackendNotInstalled, UnsafeBind.

    The page shows every picture to whoever reaches it: it has the token, and asks for none.
    """
    if not is_loopback(host) and not allow_anonymous:
        raise UnsafePage(host)
    token = load_settings(Settings).api.token
    page = _start_page(host, port, api_url, token.get_secret_value() if token else None)
    try:
        return page.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(page)


def _start_page(host: str, port: int, api_url: str | None, token: str | None) -> "subprocess.Popen[bytes]":
    if find_spec("streamlit") is None:
        raise BackendNotInstalled("streamlit", "ui")
    room = find_spec("ui")
    script = Path((room and room.origin) or "ui/__init__.py").with_name("app.py")
    options = {"server.port": port, "server.address": host, "server.headless": "true"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    given = {"XUNTU_UI__API_URL": api_url, "XUNTU_API__TOKEN": token}
    page = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *flags],
        env={**os.environ, **{name: value for name, value in given.items() if value}},
    )
    tell(message("The page is at {address}", address=f"http://{host}:{port}"))
    return page


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
