"""What both clients share: where the service is, how it is asked, and what an answer means."""

import copy
import logging
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic import ValidationError

from api.client.calls import Call
from api.client.errors import (
    ApiError,
    NotTheService,
    OriginalElsewhere,
    ProblemError,
    ServiceTooSlow,
    ServiceUnreachable,
)
from api.client.retries import RetryPolicy, is_passing
from api.schemas import Problem
from models.foundation.errors import BackendNotInstalled

if TYPE_CHECKING:
    from typing import Self

    import httpx

logger = logging.getLogger(__name__)

T = TypeVar("T")
Outcome: TypeAlias = "httpx.Response | httpx.HTTPError | httpx.InvalidURL"

CONNECT_TIMEOUT_S = 3.0
_ACCEPT_LANGUAGE = {"zh": "zh-CN,zh;q=0.9", "en": "en"}


class Connection:
    """Where the service is and how it is asked; a client adds what sends a call."""

    def __init__(self, url: str, token: str | None, language: str, timeout_s: float, retry: RetryPolicy) -> None:
        """Keep what calls need. Raises BackendNotInstalled without httpx."""
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise BackendNotInstalled("httpx", "client") from error
        self.url = url.rstrip("/")
        self.language = language
        self._token = token
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        self._retry = retry

    def with_language(self, language: str) -> "Self":
        """Return the same client whose answers and errors speak `language`: "zh" or "en"."""
        other = copy.copy(self)
        other.language = language
        return other

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        """Return a call as arguments of httpx."""
        headers = {"Accept-Language": _ACCEPT_LANGUAGE.get(self.language, self.language).encode()}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}".encode()  # which need not be ASCII
        return {
            "method": call.method,
            "url": f"{self.url}{call.path}",
            "timeout": self._timeout,
            **call.arguments,
            "headers": headers | call.arguments.get("headers", {}),
        }

    def _wait_s(self, tries: int, outcome: Outcome, *, repeatable: bool = True) -> float | None:
        """Return after how many seconds to try again; None where the outcome stands."""
        import httpx

        if not isinstance(outcome, httpx.Response):
            failed = isinstance(outcome, (httpx.NetworkError, httpx.RemoteProtocolError))
            return self._retry.wait_s(tries) if failed and repeatable else None
        problem = _read_problem(outcome)
        if not is_passing(outcome.status_code, problem.code if problem else None):
            return None
        return self._retry.wait_s(tries, outcome.headers.get("retry-after", ""))

    def _read(self, call: Call[T], outcome: Outcome) -> T:
        """Return what the answer of a call says. Raises ApiError."""
        import httpx

        if not isinstance(outcome, httpx.Response):
            logger.info("%s %s: %r", call.method, call.path, outcome)
            slow = isinstance(outcome, httpx.TimeoutException)
            raise (ServiceTooSlow if slow else ServiceUnreachable)(self.url) from outcome
        if not outcome.is_success:
            raise self._error(outcome)
        try:
            return call.read(outcome.content, outcome.headers)
        except ValidationError as error:
            logger.warning("%s %s: not an answer of the service: %s", call.method, call.path, error)
            raise NotTheService(self.url, outcome.status_code) from error

    def _error(self, answer: "httpx.Response") -> ApiError:
        if answer.has_redirect_location and answer.url.path.endswith("/file"):
            return OriginalElsewhere(answer.headers["location"], answer.status_code)
        problem = _read_problem(answer)
        return ProblemError(problem, answer.status_code) if problem else NotTheService(self.url, answer.status_code)


def _read_problem(answer: "httpx.Response") -> Problem | None:
    try:
        return Problem.model_validate_json(answer.content)
    except ValidationError:
        return None
