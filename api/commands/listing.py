"""`xuntu list`: the pictures that satisfy some conditions."""

from typing import Annotated

import typer

from api.search.options import MAX_K, MAX_OFFSET
from indexer.command_settings import settings_for
from models.foundation.messages import message, verbatim
from models.foundation.terminal import Data, Json, language, print_json, print_table, tell


def list_command(
    context: typer.Context,
    *,
    where: Annotated[
        str | None, typer.Option(help="Conditions, for example: taken=2024 and place=Paris", metavar="EXPR")
    ] = None,
    sort: Annotated[
        str, typer.Option(help="The field that decides their order; a minus puts the highest first.")
    ] = "-taken",
    k: Annotated[int, typer.Option("--k", min=1, max=MAX_K, help="Number of pictures")] = 20,
    offset: Annotated[int, typer.Option(min=0, max=MAX_OFFSET, help="Pictures to pass over")] = 0,
    after: Annotated[
        str, typer.Option(help="Where the page begins, in place of --offset: `next` of an answer with --json.")
    ] = "",
    fields: Annotated[
        list[str] | None,
        typer.Option(help="What of each picture is told with --json, such as camera,tags; may be repeated."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the pictures that satisfy some conditions, in the order of a field."""
    from api.search.engine import SearchEngine
    from api.search.listing import PageOfList

    settings = settings_for(context, data)
    engine = SearchEngine.open(settings.data, runtime=settings.runtime)
    page = PageOfList(k=k, offset=offset, after=after, fields=fields or ())
    found = engine.list_page(engine.read_filter(where or ""), sort, page)
    if as_json:
        names = ("id", "width", "height")
        images = [
            {name: getattr(row, name) for name in names}
            | {"path": row.shown_path, "root": str(row.root), "value": one, "fields": found.facts.get(row.id, {})}
            for row, one in found.pictures
        ]
        print_json({"images": images, "total": found.total, "next_offset": found.next_offset, "next": found.next})
        return
    label = verbatim(found.field.title(language()))
    rows = [(row.id, "" if one is None else str(one), row.place) for row, one in found.pictures]
    print_table((message("id"), label, message("file")), rows)
    tell(message("{shown} of {total} pictures.", shown=len(rows), total=found.total))
