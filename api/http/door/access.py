"""Who asks: a token of the Authorization header -> a caller and what it may do."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Protocol

from starlette.datastructures import Headers

from api.config import ApiSettings, is_loopback
from api.http.door.gates import Scope
from api.http.door.key_ring import KeyRing
from api.keys.rates import Rate
from api.keys.records import split_names

ALL_SCOPES = frozenset(Scope)
_OF_PAGE = frozenset({Scope.SEARCH, Scope.FILES, Scope.BOARDS})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is that of its key, "token", "page", or "anonymous".

    `rate` is that of its key, which is counted for `identity`. `libraries`: None for all. `has_address_rate`: whether
    it is counted with its address.
    """

    name: str
    scopes: frozenset[Scope] = ALL_SCOPES
    rate: Rate | None = None
    identity: str = ""
    libraries: frozenset[str] | None = None
    has_address_rate: bool = True


class Callers(Protocol):
    """Who is let in."""

    def find(self, token: bytes | None) -> Caller | None:
        """Return whose token this is, or who comes without one; None for nobody who is let in. Asks no disk.

        Raises KeyExpired.
        """
        ...


class KnownCallers:
    """The token of the settings, the keys, the page that the service has started, and who comes without any."""

    def __init__(self, settings: ApiSettings, keys: KeyRing, page_token: str | None = None) -> None:
        given = settings.page_scopes
        of_page = Caller("page", _OF_PAGE if given is None else _read_scopes(given), has_address_rate=False)
        self._page_follows = given is None
        own = (
            (settings.token and settings.token.get_secret_value(), Caller("token")),
            (page_token, of_page),
        )
        self._own = [(_digest(token.encode()), caller) for token, caller in own if token]
        self._keys = keys
        # A service that others reach does not open because its keys are gone.
        self._may_open = settings.token is None and (is_loopback(settings.host) or settings.allow_anonymous)
        given = settings.anonymous_scopes
        scopes = ALL_SCOPES if given is None else _read_scopes(given)
        self._anonymous = Caller("anonymous", scopes)
        self._has_anonymous = bool(given)

    def find(self, token: bytes | None) -> Caller | None:
        """Return the caller; see Callers."""
        is_open = self._may_open and not self._keys.is_asked_for
        if token is None:
            return self._anonymous if is_open or self._has_anonymous else None
        digest = _digest(token)
        for known, caller in self._own:
            if hmac.compare_digest(digest, known):
                follows = self._page_follows and caller.name == "page" and (is_open or self._has_anonymous)
                return replace(caller, scopes=caller.scopes | self._anonymous.scopes) if follows else caller
        record = self._keys.find(digest.hex())
        if record is None:
            return self._anonymous if is_open else None
        return Caller(
            record.name,
            record.scopes,
            rate=Rate.parse(record.rate) if record.rate else None,
            identity=record.digest[:32],
            libraries=record.libraries,
        )


def _read_scopes(given: str) -> frozenset[Scope]:
    return frozenset(map(Scope, split_names(given)))


def read_token(headers: Headers) -> bytes | None:
    """Return the bearer token of a request, in UTF-8 as it was sent."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    # The headers are read as Latin-1, where bytes of UTF-8 look like spaces: those of ASCII alone are taken off.
    return given.strip(" \t").encode("latin-1") if scheme.lower() == "bearer" else None


def _digest(token: bytes) -> bytes:
    """Return what is compared: of the same length whatever was sent, so that the time says nothing of either."""
    return hashlib.sha256(token).digest()
