"""Settings, ports and the network."""

import difflib
import errno
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from api.config import Settings, is_loopback
from api.doctor.findings import Finding, fine, problem, warning
from api.doctor.known import Situation
from indexer.config import IndexerSettings
from models.foundation.messages import message, os_message
from models.secret_files import FILE_SUFFIX, is_secret

_PREFIX = "XUNTU_"
_OWN = {"XUNTU_DEBUG", "XUNTU_UI__API_URL", "XUNTU_UI__HOSTS", "XUNTU_UI__MANAGE"}
_ASKING_SECONDS = 3
_PAGE_PORT = 8501
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def list_variables() -> set[str]:
    """Return the names of all settings of every room."""
    found = set(_OWN)
    for model in (Settings, IndexerSettings):
        found |= {name.upper() for name in _names(model, _PREFIX)}
    return found


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if inner := _model_of(field):
            yield from _names(inner, f"{prefix}{name}__")
        else:
            yield f"{prefix}{name}"
            if is_secret(field):
                yield f"{prefix}{name}{FILE_SUFFIX}"


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def check_settings(environ: Mapping[str, str], dotenv: Path = Path(".env")) -> Iterator[Finding]:
    """Name variables that do nothing, here and in `.env`, with the nearest that does."""
    known, given = list_variables(), dict.fromkeys(environ, "the environment")
    if dotenv.is_file():
        from dotenv import dotenv_values

        given |= dict.fromkeys(dotenv_values(dotenv), ".env")
    unknown = sorted(name for name in given if name.upper().startswith(_PREFIX) and name.upper() not in known)
    for name in unknown:
        near = difflib.get_close_matches(name.upper(), known, 1)
        to_do = message("Take it out: xuntu reads no such setting")
        if near:
            to_do = message("Did you mean {near}?", near=near[0])
        yield warning("settings", message("The setting {name} does nothing", name=name), to_do)
    if not unknown:
        count = sum(name.upper().startswith(_PREFIX) for name in given)
        yield fine("settings", message("{count} settings are set, all of them known", count=count))


def check_access(known: Situation) -> Iterator[Finding]:
    """Whether the service would refuse to listen."""
    api = known.api
    if not is_loopback(api.host) and api.token is None and not api.allow_anonymous:
        said = message("The service refuses to listen on {host} without a token", host=api.host)
        yield problem("access", said, message("Set XUNTU_API__TOKEN or XUNTU_API__TOKEN_FILE"))


def check_ports(known: Situation) -> Iterator[Finding]:
    """Who listens where the service and the page would."""
    yield from _check_port(known.api.host, known.api.port, "/healthz", message("the service"), "--port")
    yield from _check_port("127.0.0.1", _PAGE_PORT, "/_stcore/health", message("the page"), "--ui-port")


def _check_port(host: str, port: int, health: str, what: object, option: str) -> Iterator[Finding]:
    facts = {"what": what, "port": port}
    if not port:
        return
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            said = message("Port {port} of {host} cannot be used: {why}", port=port, host=host, why=os_message(error))
            yield problem("ports", said, message("Choose another with {option}", option=option))
        elif _answers(host, port, health):
            yield fine("ports", message("Port {port} is taken by {what} of xuntu, which answers", **facts))
        else:
            said = message("Port {port} is taken by another program, and {what} would want it", **facts)
            yield warning("ports", said, message("Choose another with {option}", option=option))
        return
    yield fine("ports", message("Port {port} is free for {what}", **facts))


def _answers(host: str, port: int, path: str) -> bool:
    """Say whether it is a program of ours that answers on this machine."""
    reached = host if is_loopback(host) else "127.0.0.1"
    reached = f"[{reached}]" if ":" in reached else reached
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{reached}:{port}{path}", timeout=_ASKING_SECONDS) as answer:
            said = answer.read(1000)
            if path.startswith("/_stcore"):
                return bool(said.strip() == b"ok")
            return "x-request-id" in answer.headers and json.loads(said).get("status") == "ok"
    except (OSError, ValueError, AttributeError, urllib.error.URLError):
        return False


def check_network(known: Situation) -> Iterator[Finding]:
    """Say what is fetched from where."""
    settings = known.settings
    proxies = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    if settings.offline:
        yield fine("network", message("XUNTU_OFFLINE is set: nothing is fetched"))
        if settings.mirror:
            to_do = message("Take one of the two out")
            yield warning("network", message("XUNTU_MIRROR does nothing while XUNTU_OFFLINE is set"), to_do)
    elif settings.mirror:
        yield fine("network", message("Weights are fetched from {mirror}", mirror=settings.mirror))
    else:
        yield fine("network", message("Weights are fetched from {hub}", hub=settings.hub))
    if proxies and not settings.offline:
        yield fine("network", message("Weights are fetched through the proxy of {names}", names=proxies))
