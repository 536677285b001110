"""What can be wrong with a request before anybody looks at what it asks.

RequestError
├─ TokenNeeded                          no token, or one that nobody has
├─ KeyExpired                           a key whose time is over
├─ ScopeMissing                         a key that may not do that
├─ RequestTooLarge                      more bytes than its route takes
├─ RequestTooComplex                    JSON that is nested too deep, or has too many names or values
└─ TooManyRequests                      a client that asks more often than it may
"""

from models.foundation.errors import ImageSearchError
from models.foundation.messages import message


class RequestError(ImageSearchError):
    """Something about a request."""

    code = "request_error"
    users_mistake = True


class TokenNeeded(RequestError):
    """A request without a token, or with one that nobody has (`was_given`)."""

    code = "unauthorized"

    def __init__(self, *, was_given: bool) -> None:
        self.was_given = was_given
        said = message("A token is needed: send it as a bearer token in the Authorization header.")
        if was_given:
            said = message("This token is not known here. It may have been revoked: ask for a new one.")
        super().__init__(said)


class KeyExpired(RequestError):
    """A key whose time is over."""

    code = "key_expired"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(message("The key {name} has expired. Ask for a new one.", name=name))


class ScopeMissing(RequestError):
    """A key, or a caller without one, that may not do that."""

    code = "forbidden"

    def __init__(self, name: str, scope: str) -> None:
        self.name, self.scope = name, scope
        super().__init__(
            message("This needs a key with the scope {scope}, which {name} does not have.", scope=scope, name=name)
        )


class RequestTooLarge(RequestError):
    """A body that is larger than it may be."""

    code = "request_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            message(
                "The request is too big. Without pictures its body may have {limit} KiB.", limit=limit_bytes // 1024
            )
        )


class RequestTooComplex(RequestError):
    """JSON that would take long to look through."""

    code = "request_too_complex"

    def __init__(self, most_depth: int, most_names: int) -> None:
        super().__init__(
            message(
                "The JSON of this request is too complex. It may be nested {depth} deep and have {names} names.",
                depth=most_depth,
                names=most_names,
            )
        )


class TooManyRequests(RequestError):
    """A client that asks more often than it may."""

    code = "too_many_requests"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            message("You ask more often than you may. Try again in {retry_after_s} s.", retry_after_s=retry_after_s)
        )
