"""Tells an address of the operator's what has happened: a POST of JSON, signed, tried again, and never waited for."""

import hashlib
import hmac
import json
import logging
import queue
import secrets
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from api.config import ApiSettings, is_loopback

logger = logging.getLogger(__name__)

_MOST_WAITING = 100
_TRIES = 6
_FIRST_WAIT_S = 1.0  # doubled before each further try
_TIMEOUT_S = 10.0


class Webhook:
    """Sends events from a thread of its own, in their order; without an address nothing is sent.

    Beyond 100 that wait, and where six tries have failed, an event is dropped, which is logged.
    """

    def __init__(self, settings: ApiSettings, *, offline: bool) -> None:
        """With `offline` nothing is sent beyond this machine."""
        self._address = settings.webhook
        if offline and not is_loopback(urlsplit(self._address).hostname or ""):
            self._address = ""
        self._secret = settings.webhook_secret and settings.webhook_secret.get_secret_value().encode()
        self._waiting: queue.Queue[tuple[str, bytes]] = queue.Queue(_MOST_WAITING)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._opener = urllib.request.build_opener(_NoRedirects)

    def tell(self, event: str, **told: Any) -> None:
        """Have an event sent."""
        if not self._address or self._stopped.is_set():
            return
        body = json.dumps({"event": event, **told}, ensure_ascii=False).encode()
        try:
            self._waiting.put_nowait((event, body))
        except queue.Full:
            logger.error("the webhook is too slow: %s is not told", event)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="webhook", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def _send_all(self) -> None:
        while not self._stopped.is_set():
            try:
                event, body = self._waiting.get(timeout=1.0)
            except queue.Empty:
                continue
            self._send(event, body)

    def _send(self, event: str, body: bytes) -> None:
        delivery = secrets.token_hex(8)
        for tried in range(_TRIES):
            if tried and self._stopped.wait(_FIRST_WAIT_S * 2 ** (tried - 1)):
                return
            try:
                with self._opener.open(self._request(event, body, delivery), timeout=_TIMEOUT_S):
                    return
            except urllib.error.HTTPError as error:
                error.close()
                why = f"HTTP {error.code}"
                if error.code < 500 and error.code not in (408, 425, 429):
                    break
            except (OSError, HTTPException, ValueError) as error:
                why = str(error)
        logger.error("the webhook has not taken %s: %s", event, why)

    def _request(self, event: str, body: bytes, delivery: str) -> urllib.request.Request:
        moment = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"xuntu/{version('xuntu')}",
            "X-Xuntu-Event": event,
            "X-Xuntu-Delivery": delivery,
            "X-Xuntu-Timestamp": moment,
        }
        if self._secret:
            headers["X-Xuntu-Signature"] = sign(self._secret, moment, body)
        return urllib.request.Request(self._address, body, headers, method="POST")  # noqa: S310 - the settings take http


def sign(secret: bytes, moment: str, body: bytes) -> str:
    """Return the signature of an event: HMAC-SHA256 of its timestamp, a dot and its body."""
    return "sha256=" + hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: what is sent goes to the address that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Say that there is nowhere to go."""
