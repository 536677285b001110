"""Which requests are passed on to the service: those that the page makes, and no others.

What changes the library or says how the service is run (jobs, keys, deleting pictures) is not among them, whatever the
page's token may do.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

BodyKind = Literal["json", "picture"]

_IMAGE: Final = "images/[0-9]{1,19}"
_NAME: Final = "[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}"  # of an upload, a board, a ticket
_LIBRARY: Final = "v1/(?:libraries/[a-z0-9][a-z0-9_-]{0,63}/)?"

# Methods, and what follows /v1/ or /v1/libraries/NAME/; HEAD goes with GET.
_OF_LIBRARY: Final = (
    ("GET POST", "search"),
    ("POST", "search/batch"),
    ("GET POST", "facets"),
    ("GET", "fields"),
    ("GET", "index(?:/progress)?"),
    ("GET", "suggest"),
    ("GET POST", "places"),
    ("GET", "images"),
    ("GET", _IMAGE),
    ("GET", f"{_IMAGE}/(?:similar|copies|text)"),
    ("GET", f"{_IMAGE}/(?P<thumbnail>thumbnail)"),
    ("GET", f"{_IMAGE}/(?P<file>file)"),
    ("PUT", "(?P<picture>uploads)"),
    ("GET", f"uploads/{_NAME}/thumbnail"),
    ("POST", "archive"),
    ("GET", f"archive/{_NAME}"),
    ("GET POST", "boards"),
    ("POST", "boards/find"),
    ("GET PUT DELETE", f"boards/{_NAME}"),
    ("POST", f"boards/{_NAME}/pictures(?:/remove)?"),
)
_OF_SERVICE: Final = (("GET", "v1/libraries"), ("GET", "readyz"), ("GET", "healthz"))
_TABLE: Final = [
    (frozenset(methods.split()), re.compile(path))
    for methods, path in (*((methods, _LIBRARY + path) for methods, path in _OF_LIBRARY), *_OF_SERVICE)
]


@dataclass(frozen=True, slots=True)
class AllowedRequest:
    """A request that is passed on, by its path at the service. Its body is JSON, or one picture."""

    path: str
    body: BodyKind
    is_thumbnail: bool
    is_file: bool


def find_allowed(method: str, path: str) -> AllowedRequest | None:
    """Return what a request is, by its path below /api/; None for what is not passed on."""
    asked = "GET" if method == "HEAD" else method
    for methods, pattern in _TABLE:
        if asked in methods and (found := pattern.fullmatch(path)):
            parts = found.groupdict()
            return AllowedRequest(
                path=path,
                body="picture" if "picture" in parts else "json",
                is_thumbnail="thumbnail" in parts,
                is_file="file" in parts,
            )
    return None
