"""What is known of a key. The key itself is known to whoever has it alone: its digest is kept.

A digest of one pass of SHA-256 is enough. Slow hashes make guessing passwords dear, of which there are few; a key is
256 random bits, which nobody guesses at any speed, and a slow hash would be paid at every request.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from api.keys.errors import InvalidExpiry, InvalidKeyName, UnknownScope
from api.keys.rates import Rate
from api.keys.scopes import Scope

PREFIX = "xuntu_"  # by which people and scanners of repositories know a key
_NAME = re.compile(r"[\w.@-]{1,64}")
_RESERVED = {"token", "anonymous", "page"}  # what callers without a key are called
_FROM_NOW = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

Names = Annotated[frozenset[str], PlainSerializer(sorted, list[str])]
Scopes = Annotated[frozenset[Scope], PlainSerializer(sorted, list[str])]


class KeyRecord(BaseModel):
    """One key. `digest` is that of the key, hex; `libraries` None for all; `expires_at` None for never."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: Scopes
    rate: str | None = None
    libraries: Names | None = None
    created_at: datetime
    expires_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


def make_key() -> str:
    """Return a new key: the prefix, and 256 random bits in 43 characters of base64url."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: bytes) -> str:
    """Return what is kept of a key, hex."""
    return hashlib.sha256(key).hexdigest()


def check_name(name: str) -> str:
    """Return a name that a key can have. Raises InvalidKeyName."""
    if not _NAME.fullmatch(name) or name.casefold() in _RESERVED:
        raise InvalidKeyName(name)
    return name


def read_scopes(text: str) -> frozenset[Scope]:
    """Read names between commas. Raises UnknownScope."""
    known = [*map(str, Scope)]
    for name in (names := split_names(text)) or [text]:
        if name not in known:
            raise UnknownScope(name, known)
    return frozenset(map(Scope, names))


def read_rate(text: str | None) -> Rate | None:
    """Read a rate, None for none. Raises InvalidRate."""
    return None if text is None else Rate.parse(text)


def read_expiry(text: str, now: datetime) -> datetime:
    """Return when a key ends: 30d from now, at a moment, or, given a date, when that day is over here.

    `now` has a time zone. Raises InvalidExpiry.
    """
    asked = text.strip()
    found = _FROM_NOW.fullmatch(asked)
    try:
        end = now + int(found[1]) * _UNITS[found[2]] if found else _end_of(datetime.fromisoformat(asked), asked)
    except (ValueError, OverflowError) as error:
        raise InvalidExpiry(text) from error
    if end <= now:
        raise InvalidExpiry(text)
    return end.astimezone(UTC).replace(microsecond=0)


def _end_of(moment: datetime, written: str) -> datetime:
    is_day = moment.time() == time() and moment.tzinfo is None and "T" not in written and ":" not in written
    return (moment + timedelta(days=1) if is_day else moment).astimezone()


def split_names(text: str) -> list[str]:
    """Return the names between commas."""
    return [name for part in text.split(",") if (name := part.strip())]


def sort_records(records: Iterable[KeyRecord]) -> list[KeyRecord]:
    """Return keys in the order in which they were made."""
    return sorted(records, key=lambda record: (record.created_at, record.name))
