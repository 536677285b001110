"""What is said where a request is not passed on, or nothing comes back: problem details in the reader's language."""

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from api.client.errors import ApiError
from api.schemas import Problem

# code: status, and the sentence in both languages; braces are facts.
_SAID: Final[Mapping[str, tuple[int, str, str]]] = {
    "bad_request": (400, "The request cannot be read.", "无法读懂这个请求。"),
    "cross_site": (
        403,
        "Only the page itself may ask here, not a page of another site.",
        "这里只回答本页面的请求，不回答其他网站的页面。",
    ),
    "not_found": (404, "There is nothing at this address.", "这个地址上没有内容。"),
    "request_timeout": (408, "The request did not arrive in time.", "请求没有及时发送完。"),
    "request_too_large": (
        413,
        "The request is too big. It may have {limit} MiB.",
        "请求太大，最多可以有 {limit} MiB。",
    ),
    "unsupported_media_type": (415, "This content type is not understood.", "无法理解这种内容类型。"),
    "unknown_host": (
        421,
        "This page is not reached under the name {host}. Whoever runs it names that in XUNTU_UI__HOSTS.",
        "本页面不以 {host} 这个名称提供服务。运行它的人可以在 XUNTU_UI__HOSTS 中写上这个名称。",
    ),
    "page_refused": (
        502,
        (
            "The search service refuses the page: {why} Whoever runs the page starts it again with a token that may do "
            "this, in XUNTU_API__TOKEN or XUNTU_API__TOKEN_FILE."
        ),
        (
            "搜索服务拒绝了本页面：{why}运行本页面的人需要在 XUNTU_API__TOKEN 或 XUNTU_API__TOKEN_FILE 中"
            "给它一个有此权限的令牌，再重新启动它。"
        ),
    ),
}
_WEIGHT: Final = re.compile(r"(?:[01](?:\.[0-9]{0,3})?)?")
_ID: Final = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


def request_id(request: Request) -> str:
    """Return the id of a request, which the service writes into its log: as the browser gave it, or a new one."""
    given: str = request.scope.setdefault("state", {}).get("request_id") or request.headers.get("x-request-id", "")
    found = given if _ID.fullmatch(given) else secrets.token_hex(8)
    request.scope["state"]["request_id"] = found
    return found


def language_of(request: Request) -> str:
    """Return "zh" if the reader would rather read Chinese, else "en"."""
    chosen, most = "en", 0.0
    for wish in request.headers.get("accept-language", "").lower().split(","):
        tag, _, given = wish.replace(" ", "").partition(";q=")
        language, weight = tag.partition("-")[0], float(given or 1) if _WEIGHT.fullmatch(given) else 0.0
        if language in ("zh", "en") and weight > most:  # of two that are wished for alike the first counts
            chosen, most = language, weight
    return chosen


def sentence(code: str, language: str, **facts: object) -> str:
    """Return what is said of a code."""
    _, english, chinese = _SAID[code]
    return (chinese if language == "zh" else english).format_map(facts)


def refuse(request: Request, code: str, **facts: object) -> JSONResponse:
    """Return the answer to a request that is not passed on."""
    return answer_problem(request, _SAID[code][0], code, sentence(code, language_of(request), **facts))


def refuse_page(request: Request, problem: Problem) -> JSONResponse:
    """Return the answer where the service refuses the page's own token, as `problem` says it."""
    detail = sentence("page_refused", language_of(request), why=problem.detail)
    return answer_problem(request, _SAID["page_refused"][0], problem.code, detail)


def refuse_failed(request: Request, status: int, error: ApiError) -> JSONResponse:
    """Return the answer where the service gives none."""
    return answer_problem(request, status, error.code, error.text(language_of(request)))


def answer_problem(request: Request, status: int, code: str, detail: str) -> JSONResponse:
    """Return a problem document."""
    found = request_id(request)
    document = Problem(
        type=f"urn:xuntu:{code.replace('_', '-')}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=found,
    )
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language", "X-Request-ID": found}
    return JSONResponse(document.model_dump(), status, headers, media_type="application/problem+json")
