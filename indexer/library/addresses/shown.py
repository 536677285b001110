"""An address as people may see it: without its password, and without a query that lets whoever has it in."""

import re
from urllib.parse import unquote

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/{2,})([^/?#]*)([^?#]*)(.*)", re.DOTALL)
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?")
# Names of parameters, in lower case, that carry a signature, a key or a token, or belong to one.
_SECRET_NAMES = re.compile(
    r".*(signature|token|secret|passw|credential|access-?_?key|api-?_?key|authoriz|security|expires|hmac|session).*"
    r"|(x-(amz|goog|oss|obs|cos|ms|bce|tos|qs|ks3)|q-(sign|ak|key|header|url|signature))(-.*)?"
    r"|sig|sign|key|auth|auth_?key|googleaccessid|pwd|pass|jwt|sid|sas|md5|policy|key-pair-id|se|sp|sv|skoid|sktid",
    re.DOTALL,
)
_ECHOED = re.compile(r"\?\S*")


def is_address(key: str) -> bool:
    """Say whether a key of a source is an address of http or https: no path has two slashes in a row."""
    return key.startswith(("http://", "https://"))


def shown_address(key: str) -> str:
    """Return an address without user and password, and without its query where that looks signed.

    What is left says which picture it is. A key that is no address, such as a path, is returned as it is.
    """
    found = _ADDRESS.fullmatch(key)
    if found is None:
        return key
    scheme, server, path, rest = found.groups()
    server = server.rpartition("@")[2]
    port = _PORT.fullmatch(server)
    if port is None:  # a password with a slash in it, which cuts it in two
        return f"{scheme}{server.partition(':')[0]}:…"
    return f"{scheme}{server}{path}{'' if _is_secret(rest) else rest}"


def has_secrets(address: str) -> bool:
    """Say whether an address lets whoever has it in, so that it is shown, and handed on, only in part."""
    return shown_address(address) != address


def without_queries(said: str) -> str:
    """Return what a server said, which may be what it was asked, with no query in it."""
    return _ECHOED.sub("?…", said)


def _is_secret(rest: str) -> bool:
    """Say whether a query, or what follows "#", has a parameter that is secret, however it is encoded."""
    for _ in range(3):  # an address in a parameter is encoded once more
        rest = unquote(rest)
    names = (part.partition("=")[0].strip().lower() for part in re.split(r"[?&;#]", rest))
    return any(_SECRET_NAMES.fullmatch(name) for name in names)
