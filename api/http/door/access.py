"""Who asks: a token of the Authorization header -> a caller and what it may do."""

import hmac
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers

from api.config import ApiSettings
from api.http.door.gates import Scope

ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is that of its key, "token", or "anonymous"."""

    name: str
    scopes: frozenset[Scope] = ALL_SCOPES


class Callers(Protocol):
    """Who is let in."""

    def find(self, token: bytes | None) -> Caller | None:
        """Return whose token this is, or who comes without one; None for nobody who is let in. Asks no disk."""
        ...


class OneToken:
    """Everybody, or where a token is set, whoever has it."""

    def __init__(self, settings: ApiSettings) -> None:
        self._token = None if settings.token is None else settings.token.get_secret_value().encode()

    def find(self, token: bytes | None) -> Caller | None:
        """Return the caller; see Callers."""
        if self._token is None:
            return Caller("anonymous")
        return Caller("token") if token is not None and hmac.compare_digest(token, self._token) else None


def read_token(headers: Headers) -> bytes | None:
    """Return the bearer token of a request, in UTF-8 as it was sent."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return given.strip().encode("latin-1") if scheme.lower() == "bearer" else None
