"""What can be wrong with keys of the REST API; the branch below ImageSearchError that belongs to them.

KeysError
├─ InvalidKeyName                       a name that no key can have
├─ KeyNameTaken                         another key has that name
├─ UnknownKey                           no key has that name
├─ UnknownScope                         a scope that there is not
├─ InvalidRate                          a rate that cannot be read
├─ InvalidExpiry                        an end that cannot be read, or has passed
└─ KeysUnreadable                       the file of keys is not what was written
"""

from collections.abc import Sequence
from pathlib import Path

from models.foundation.errors import ImageSearchError
from models.foundation.messages import message

_SHOWN = 100  # characters of what was given


class KeysError(ImageSearchError):
    """Something about the keys of the REST API."""

    code = "keys_error"
    users_mistake = True


class InvalidKeyName(KeysError):
    """A name that no key can have."""

    code = "invalid_key_name"

    def __init__(self, name: str) -> None:
        self.name = name[:_SHOWN]
        super().__init__(
            message(
                "No key can be called {name!r}. A name has up to 64 letters, digits and . _ @ -, and is none of token, "
                "anonymous and page.",
                name=self.name,
            )
        )


class KeyNameTaken(KeysError):
    """Another key has that name."""

    code = "key_name_taken"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            message(
                "There is a key called {name} already. Choose another name, or first: xuntu key revoke {name}",
                name=name,
            )
        )


class UnknownKey(KeysError):
    """No key has that name."""

    code = "unknown_key"

    def __init__(self, name: str) -> None:
        self.name = name[:_SHOWN]
        super().__init__(message("There is no key called {name!r}. To see all: xuntu key list", name=self.name))


class UnknownScope(KeysError):
    """A scope that there is not."""

    code = "unknown_scope"

    def __init__(self, asked: str, scopes: Sequence[str]) -> None:
        self.asked, self.scopes = asked[:_SHOWN], tuple(scopes)
        super().__init__(
            message("There is no scope {asked!r}; there are {scopes}.", asked=self.asked, scopes=self.scopes)
        )


class InvalidRate(KeysError):
    """A rate that cannot be read."""

    code = "invalid_rate"

    def __init__(self, asked: str) -> None:
        self.asked = asked[:_SHOWN]
        super().__init__(
            message(
                "The rate {asked!r} cannot be read. Write a number of requests and a time: 10/s, 60/min, 1000/h, "
                "5000/day",
                asked=self.asked,
            )
        )


class InvalidExpiry(KeysError):
    """An end that cannot be read, or has passed."""

    code = "invalid_expiry"

    def __init__(self, asked: str) -> None:
        self.asked = asked[:_SHOWN]
        super().__init__(
            message(
                "A key cannot end at {asked!r}. Write a time from now, such as 12h, 30d or 8w, or a date to come, such "
                "as 2030-12-31.",
                asked=self.asked,
            )
        )


class KeysUnreadable(KeysError):
    """The file of keys is not what was written."""

    code = "keys_unreadable"
    users_mistake = False

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "The file of keys {path} cannot be read: it is damaged, was written by a newer xuntu, or belongs to "
                "another user. Restore it from a backup, or delete it and make the keys again.",
                path=path,
            )
        )
