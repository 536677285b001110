"""The OpenAPI document, and the pages that show it: from files of a package, so that they work without a network."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from api.http.door.gates import Gates

_FILES: Final = "/docs/files"
_METHODS: Final = {"get", "post", "put", "delete", "patch"}


def name_operation(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function, which stays when an address changes."""
    return route.name


def document(app: FastAPI, gates: Gates) -> None:
    """Have an application show its description at /docs and /redoc, with who may ask what, and what errors are."""
    describe = app.openapi

    def describe_all() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = describe()
            _add_access(described, gates)
            _name_problems(described)
        return describe()

    app.openapi = describe_all  # type: ignore[method-assign]
    package = find_spec("fastapi_offline")
    if package is None or package.origin is None:  # the description itself needs no page
        return
    app.mount(_FILES, StaticFiles(directory=Path(package.origin).with_name("static")), name="documentation")

    async def show_swagger_ui() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{_FILES}/swagger-ui.css",
            swagger_favicon_url=f"{_FILES}/favicon.png",
            swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True, "displayOperationId": True},
        )

    async def show_redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url="/openapi.json",
            title=app.title,
            redoc_js_url=f"{_FILES}/redoc.standalone.js",
            redoc_favicon_url=f"{_FILES}/favicon.png",
            with_google_fonts=False,
        )

    app.add_api_route("/docs", show_swagger_ui, include_in_schema=False)
    app.add_api_route("/redoc", show_redoc, include_in_schema=False)


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield path, method, operation


def _add_access(described: dict[str, Any], gates: Gates) -> None:
    """Say which scope each route asks for, so that a page can send a token."""
    schemes = described.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["token"] = {"type": "http", "scheme": "bearer", "description": "A key, or the token of the service"}
    for path, method, operation in _operations(described):
        way = gates.find(method.upper(), path)
        if way and way.gate.scope:
            operation["security"] = [{"token": []}]
            operation["x-scope"] = way.gate.scope.value


def _name_problems(described: dict[str, Any]) -> None:
    """Give errors the media type that they are sent with."""
    for _, _, operation in _operations(described):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            if status[0] in "45" and "application/json" in content:
                answer["content"] = {"application/problem+json": content["application/json"]}
