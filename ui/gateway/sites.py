"""Who asks: the page itself, or a page of another site that has a browser ask in its place.

Browsers say where a request comes from: `Sec-Fetch-Site` on https and on this machine, `Origin` with all that is sent.
What is no browser has the service itself to ask.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_HOST = re.compile(r"([0-9A-Za-z._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def is_cross_site(headers: Headers) -> bool:
    """Say whether a page of another site asks."""
    return headers.get("sec-fetch-site", "none") not in ("same-origin", "same-site", "none")


def is_own_page(headers: Headers) -> bool:
    """Say whether the page itself asks, as it has to where something is sent or changed."""
    if headers.get("sec-fetch-site") == "same-origin":
        return True
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin.lower() == headers.get("host", "").lower()


def may_connect(headers: Headers, origins: Collection[str] = ()) -> bool:
    """Say whether a websocket may be opened: by the page itself, by one of `origins`, or by what is no browser.

    Other ports of the same name are other pages.
    """
    return "origin" not in headers or is_own_page(headers) or headers["origin"] in origins


class HostNames:
    """The names under which the page may be asked.

    A site elsewhere can let its own name lead to this machine (DNS rebinding): its page is then of the same origin for
    the browser, but not under one of these names.
    """

    def __init__(self, address: str, named: Collection[str]) -> None:
        """`address`: what the page listens on; `named`: names that are allowed beside those of this machine.

        Without any, a page that listens beyond this machine answers under every name.
        """
        self._named = {one.lower() for one in named}
        self._any = not named and not is_loopback(address)

    def has(self, host: str) -> bool:
        """Say whether a Host header names the page."""
        found = _HOST.fullmatch(host)
        name = found[1].lower() if found else ""
        return self._any or name in self._named or is_loopback(name)


def is_loopback(host: str) -> bool:
    """Say whether a name or an address, without a port, is that of this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
