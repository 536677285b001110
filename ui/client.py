"""The REST API as typed calls. Every failure becomes an `ApiError` that carries the sentence to show.

ApiError
  code "unreachable"   nothing listens at the address
  code "too_slow"      no answer in time
  code "not_api"       an answer that is not this API's
  any other code       the service's own problem, with its own sentence
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api.schemas import OPTIONS, ImageDetail, IndexInfo, Problem, SearchOptions, SearchResponse
from ui.strings import labels

if TYPE_CHECKING:
    from ui.config import PageSettings

log = logging.getLogger(__name__)

T = TypeVar("T", bound=BaseModel)

TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 3.0
ACCEPT_LANGUAGE = {"zh": "zh-CN,zh;q=0.9", "en": "en"}


def search_body(
    clauses: Sequence[Mapping[str, Any]], where: Mapping[str, Any] | None, options: SearchOptions
) -> dict[str, Any]:
    """Return a `SearchRequest` as JSON, without the options that are as they are by default."""
    given = {option.name: (option, getattr(options, option.name)) for option in OPTIONS}
    changed = {name: value for name, (option, value) in given.items() if value != option.default}
    return {"clauses": list(clauses), **changed, **({"where": where} if where else {})}


class ApiError(Exception):
    """A call that failed. `message` is shown to the person, as it stands."""

    def __init__(self, message: str, *, code: str, status: int | None = None, request_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Original:
    """The bytes of a picture file, as they lie in the library."""

    content: bytes
    media_type: str


class ApiClient:
    """Calls the service; safe to share between threads and sessions.

    `lang` is "zh" or "en": the language of every sentence that comes back, in answers and in errors.
    """

    def __init__(self, settings: PageSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = settings.api_url
        token = settings.token.get_secret_value()
        self._http = httpx.Client(
            base_url=settings.api_url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            transport=transport,
            trust_env=False,  # the service is a neighbour: never behind a proxy
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def search(self, body: dict[str, Any], *, lang: str) -> SearchResponse:
        """One page of hits for a `SearchRequest` as JSON."""
        return self._model(SearchResponse, "POST", "/v1/search", lang=lang, json=body)

    def image(self, image_id: int, *, lang: str) -> ImageDetail:
        """Return what the catalog knows of one picture."""
        return self._model(ImageDetail, "GET", f"/v1/images/{image_id}", lang=lang)

    def similar(self, image_id: int, *, k: int, lang: str) -> SearchResponse:
        """Return the pictures nearest to one picture, without itself."""
        return self._model(SearchResponse, "GET", f"/v1/images/{image_id}/similar", lang=lang, params={"k": k})

    def index(self, *, lang: str) -> IndexInfo:
        """Return the build in use."""
        return self._model(IndexInfo, "GET", "/v1/index", lang=lang)

    def thumbnail(self, image_id: int, *, size: int, lang: str) -> bytes:
        """Return a WebP of the picture, its longest side `size` pixels."""
        return self._send("GET", f"/v1/images/{image_id}/thumbnail", lang=lang, params={"size": size}).content

    def original(self, image_id: int, *, lang: str) -> Original:
        """Return the picture file itself."""
        answer = self._send("GET", f"/v1/images/{image_id}/file", lang=lang)
        return Original(answer.content, answer.headers.get("content-type", "application/octet-stream"))

    def _model(self, model: type[T], method: str, path: str, *, lang: str, **request: Any) -> T:
        answer = self._send(method, path, lang=lang, **request)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            log.warning("%s %s: not a %s: %s", method, path, model.__name__, error)
            raise self._error("not_api", lang, status=answer.status_code) from error

    def _send(self, method: str, path: str, *, lang: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(
                method, path, headers={"Accept-Language": ACCEPT_LANGUAGE.get(lang, lang)}, **request
            )
        except httpx.ConnectError as error:
            raise self._error("unreachable", lang) from error
        except httpx.TimeoutException as error:
            raise self._error("too_slow", lang) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("%s %s: %s", method, path, error)
            raise self._error("unreachable", lang) from error
        if answer.is_success:
            return answer
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._error("not_api", lang, status=answer.status_code) from error
        raise ApiError(problem.detail, code=problem.code, status=answer.status_code, request_id=problem.request_id)

    def _error(self, code: str, lang: str, *, status: int | None = None) -> ApiError:
        words = labels(lang)
        sentence = {
            "unreachable": words.error_unreachable,
            "too_slow": words.error_too_slow,
            "not_api": words.error_not_api,
        }[code]
        return ApiError(sentence.format(url=self.url), code=code, status=status)
