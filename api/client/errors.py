"""What can go wrong between a client and the service; the branch below ImageSearchError that belongs to it.

ApiError                                a call that failed; its sentence can be shown as it stands
├─ ServiceUnreachable                   nothing listens at the address, or the connection was lost
├─ ServiceTooSlow                       no answer in time
├─ NotTheService                        an answer that is not this API's
├─ OriginalElsewhere                    a picture whose original is at an address of its own
└─ ProblemError                         the service says what is wrong, in the language of the client
"""

from api.schemas import Problem
from models.foundation.errors import ImageSearchError
from models.foundation.messages import message, verbatim


class ApiError(ImageSearchError):
    """A call that failed. `status` is that of the answer, None without one; `request_id` is in the service's log."""

    code = "api_error"
    status: int | None = None
    request_id: str = ""


class ServiceUnreachable(ApiError):
    """Nothing listens at the address, or the connection was lost."""

    code = "unreachable"

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(message("The search service at {url} cannot be reached. Start it, then try again.", url=url))


class ServiceTooSlow(ApiError):
    """No answer in time."""

    code = "too_slow"

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            message("The search service at {url} has not answered in time. It may be busy; try again shortly.", url=url)
        )


class NotTheService(ApiError):
    """An answer that is not this API's, or one of another version."""

    code = "not_api"

    def __init__(self, url: str, status: int) -> None:
        self.url, self.status = url, status
        super().__init__(
            message(
                "The answer from {url} makes no sense. Is xuntu at this address, in the version of this program?",
                url=url,
            )
        )


class OriginalElsewhere(ApiError):
    """The original of a picture is not the service's: it was fetched from `address`, and can be from there."""

    code = "original_elsewhere"

    def __init__(self, address: str, status: int) -> None:
        self.address, self.status = address, status
        super().__init__(message("The original of this picture is at {address}", address=address))


class ProblemError(ApiError):
    """What the service says is wrong: `problem` is its document, whose code and sentence are those of the error."""

    def __init__(self, problem: Problem, status: int) -> None:
        self.problem, self.status = problem, status
        self.code, self.request_id = problem.code, problem.request_id
        super().__init__(verbatim(problem.detail))
