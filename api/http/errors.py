"""Exceptions -> RFC 9457 problem details. The one place that knows status codes."""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from api.boards.errors import (
    BoardAmbiguous,
    BoardFixed,
    BoardFull,
    BoardNameUnusable,
    BoardNotFound,
    BoardsUnavailable,
    TooManyBoards,
)
from api.http.headers import PROTECTION
from api.http.jobs.errors import JobError, JobNotFound, NoDuplicatesReport, RootNotAllowed, TooManyJobs
from api.http.kept_pictures.errors import KeepingOff, NoRoom, NotUploaded, UnreadKind, UploadError, UploadFolderError
from api.http.refusals import (
    KeyExpired,
    LibraryForbidden,
    LibraryUnknown,
    ModelNotFound,
    RequestTooComplex,
    RequestTooLarge,
    ScopeMissing,
    TokenNeeded,
    TooManyRequests,
)
from api.http.tickets.errors import TicketsUnavailable, TicketUnknown
from api.schemas import Problem
from api.search.errors import (
    AddressNotFetched,
    AddressWithheld,
    FileChanged,
    FileGone,
    ImageNotFound,
    InvalidCursor,
    InvalidQuery,
    LinkNotFollowed,
    Overloaded,
    PlaceNotRemovable,
    UploadGone,
    UploadsOff,
    UploadsUnavailable,
)
from indexer.library.errors import InvalidFilter, InvalidSort, LibraryError, UnknownFields
from indexer.library.storage.errors import LibraryElsewhere
from models.foundation.errors import (
    BackendNotInstalled,
    ImageSearchError,
    NoTextTower,
    UnknownEncoder,
    UnknownWords,
    WeightsCorrupt,
    WeightsMissing,
)
from models.foundation.messages import Message, mark, message, translate
from models.foundation.validation import validation_reason
from models.pictures.errors import DecodeError, ImageTooLarge

logger = logging.getLogger(__name__)

# The first class that fits decides.
_STATUS: tuple[tuple[type[ImageSearchError], int], ...] = (
    (TokenNeeded, 401),
    (KeyExpired, 401),
    (ScopeMissing, 403),
    (LibraryForbidden, 403),
    (LibraryUnknown, 404),
    (RequestTooLarge, 413),
    (RequestTooComplex, 422),
    (ModelNotFound, 404),
    (TooManyRequests, 429),
    (TooManyJobs, 429),
    (JobNotFound, 404),
    (NoDuplicatesReport, 404),
    (RootNotAllowed, 403),
    (JobError, 422),
    (UnreadKind, 415),
    (NotUploaded, 403),
    (KeepingOff, 403),
    (NoRoom, 507),
    (UploadFolderError, 503),
    (UploadError, 422),
    (BoardNotFound, 404),
    (BoardAmbiguous, 422),
    (BoardNameUnusable, 422),
    (BoardFixed, 409),
    (TooManyBoards, 409),
    (BoardFull, 409),
    (BoardsUnavailable, 503),
    (TicketUnknown, 404),
    (TicketsUnavailable, 507),
    (ImageTooLarge, 413),
    (DecodeError, 422),
    (UnknownWords, 422),
    (InvalidQuery, 422),
    (InvalidFilter, 422),
    (InvalidSort, 422),
    (UnknownFields, 422),
    (InvalidCursor, 422),
    (UnknownEncoder, 400),
    (ImageNotFound, 404),
    (FileGone, 404),
    (FileChanged, 409),
    (LinkNotFollowed, 403),
    (AddressWithheld, 403),
    (PlaceNotRemovable, 403),
    (AddressNotFetched, 502),
    (UploadGone, 404),
    (UploadsOff, 404),
    (UploadsUnavailable, 507),
    (Overloaded, 503),
    (NoTextTower, 422),
    (WeightsMissing, 503),
    (WeightsCorrupt, 503),
    (BackendNotInstalled, 503),
    (LibraryElsewhere, 409),
    (LibraryError, 503),
    (ImageSearchError, 500),
)

# What a bare status code means; of others the phrase is said.
_HTTP: dict[int, str] = {
    400: mark("The request cannot be read."),
    404: mark("There is nothing at this address."),
    405: mark("This address does not take that method."),
    413: mark("The request is too big."),
    415: mark("This content type is not understood."),
    416: mark("The file has no such bytes."),
    500: mark("The service failed. The request id helps to find out why."),
}


def language_of(request: Request) -> str:
    """Return "zh" if the client would rather read Chinese, else "en"."""
    chosen, most = "en", 0.0
    for wish in request.headers.get("accept-language", "").split(","):
        tag, *parameters = wish.replace(" ", "").lower().split(";")
        language, weight = tag.partition("-")[0], _weight(parameters)
        if language in ("zh", "en") and weight > most:  # of two that are wished for alike the first counts
            chosen, most = language, weight
    return chosen


def _weight(parameters: Sequence[str]) -> float:
    """Return how much something is wished for, 0 to 1; what cannot be read says nothing."""
    given = next((one[2:] for one in parameters if one.startswith("q=")), "1")
    return float(given) if _WEIGHT.fullmatch(given) else 0.0


_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


# Routes whose clients are OpenAI's, which show people what `error` says.
_AS_OPENAI: Final = ("/embeddings", "/models", "/models/{model}")


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem document, but those that nobody expects, which the observer catches."""
    app.add_exception_handler(ImageSearchError, _on_known_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


def problem(
    request: Request, *, status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a problem document."""
    return _answer(request, _document(request, status, code, detail), headers)


def _answer(request: Request, document: Problem, headers: dict[str, str] | None) -> JSONResponse:
    sent = {**PROTECTION, "Cache-Control": "no-store", "Vary": "Accept-Language", **(headers or {})}
    told = document.model_dump()
    way = request.scope.get("state", {}).get("way")
    if way and way.path.endswith(_AS_OPENAI):
        told["error"] = {"message": document.detail, "type": document.type, "code": document.code, "param": None}
    return JSONResponse(told, document.status, sent, media_type="application/problem+json")


def _document(request: Request, status: int, code: str, detail: str) -> Problem:
    return Problem(
        type=f"urn:xuntu:{code.replace('_', '-')}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=getattr(request.state, "request_id", ""),
    )


def http_problem(request: Request, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the problem document of a bare status code."""
    phrase = HTTPStatus(status).phrase
    code, detail = phrase.lower().replace(" ", "_"), translate(_HTTP.get(status, f"{phrase}."), language_of(request))
    return problem(request, status=status, code=code, detail=detail, headers=headers)


def problem_of(request: Request, error: ImageSearchError) -> JSONResponse:
    """Return the problem document of an error that a person may read."""
    return _answer(request, describe_error(request, error), _headers_of(error))


def describe_error(request: Request, error: ImageSearchError) -> Problem:
    """Return what a problem document says of an error that a person may read."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if status >= 500 and not isinstance(error, Overloaded):  # that one is counted
        logger.warning("%s: %s", error.code, error)
    # Names of files and folders only: where they lie is nobody's business.
    return _document(request, status, error.code, error.text(language_of(request), lambda path: path.name))


def _headers_of(error: ImageSearchError) -> dict[str, str] | None:
    if isinstance(error, (Overloaded, TooManyRequests, TooManyJobs)):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, ScopeMissing):  # as RFC 6750 says it
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{error.scope}"'}
    if isinstance(error, (TokenNeeded, KeyExpired)):
        is_missing = isinstance(error, TokenNeeded) and not error.was_given
        return {"WWW-Authenticate": "Bearer" if is_missing else 'Bearer error="invalid_token"'}
    return None


def describe_invalid(request: Request, error: ValidationError) -> Problem:
    """Return what a problem document says of a part of a request that is not what its schema says."""
    return _document(request, 422, "invalid_request", _explain_all(request, error.errors(), skipped=0))


def _on_known_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ImageSearchError):
        raise error
    return problem_of(request, error)


def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem(request, status=422, code="invalid_request", detail=_explain_all(request, error.errors(), skipped=1))


def _explain_all(request: Request, errors: Sequence[Mapping[str, Any]], *, skipped: int) -> str:
    language = language_of(request)
    return " ".join(_explain(part, skipped).text(language) for part in errors[:3])


def _explain(error: Mapping[str, Any], skipped: int) -> Message:
    """Return one validation error as a sentence that names the field, without the first names of where it is."""
    if error["type"] == "json_invalid":
        return message("The body is not valid JSON.")
    where = ".".join(str(part) for part in error["loc"][skipped:]) or "body"
    return message("{where}: {why}.", where=where, why=validation_reason(error))


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return http_problem(request, error.status_code, dict(error.headers or {}))
