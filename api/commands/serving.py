"""`xuntu serve` and `xuntu ui`: the REST API, and the page."""

from typing import Annotated

import typer

from models.foundation.terminal import Data


def serve(
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, show_default="8000")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that answer, on one port.", show_default="1")
    ] = None,
    with_ui: Annotated[bool, typer.Option("--with-ui", help="Run the search page too; one Ctrl-C stops both.")] = False,
    ui_port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    allow_anonymous: Annotated[
        bool, typer.Option("--allow-anonymous", help="Listen beyond this machine without a token.")
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Follow the library in this object storage, which another machine writes."
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Serve the REST API; its documentation is at /docs."""
    from api.http.server import serve as run_server

    changes = {"host": host, "port": port, "workers": workers, "allow_anonymous": allow_anonymous or None}
    run_server(data or context.obj, changes, ui_port=ui_port if with_ui else None, storage=storage)


def ui(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    api: Annotated[
        str | None, typer.Option(help="Where the REST API is.", show_default="http://127.0.0.1:8000")
    ] = None,
    allow_anonymous: Annotated[
        bool, typer.Option("--allow-anonymous", help="Listen beyond this machine; the page asks nobody for a token.")
    ] = False,
) -> None:
    """Serve the search page; it needs the REST API (xuntu serve)."""
    from api.http.server import serve_page

    raise typer.Exit(serve_page(host, port, api, allow_anonymous=allow_anonymous))
