"""`xuntu index roots`: the sources of a library."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from indexer.command_settings import settings_for
from indexer.library.storage.addresses import named_path, shown_path
from models.foundation.messages import Message, mark, message
from models.foundation.terminal import Data, Json, language, print_json, print_table, say, tell

_SORTS = {"folder": mark("folder"), "list": mark("list"), "tar": mark("tar"), "objects": mark("object storage")}

app = typer.Typer(help="List the sources of the library; move them, or take them out of it.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def roots(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """List the sources of the library: whether they are there, and how many pictures they have."""
    from indexer.pipeline.roots import list_roots

    context.obj = data or context.obj
    if context.invoked_subcommand:
        return
    found = list_roots(settings_for(context, data))
    if as_json:
        print_json({"roots": [asdict(one) | {"path": shown_path(one.path)} for one in found]})
        return
    head = (message("source"), message("sort"), message("state"), message("pictures"), message("failed"))
    print_table(
        head,
        [
            (
                shown_path(one.path),
                Message(_SORTS.get(one.kind, one.kind), {}),
                Message(one.state.value, {}),
                one.pictures,
                one.failed,
            )
            for one in found
        ],
    )


@app.command()
def move(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Where it was: a source, or a folder that held some.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Where it lies now.")],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say that a source lies elsewhere now. Nothing is read; what is known of its pictures is kept."""
    from indexer.pipeline.roots import move_root

    moved = move_root(settings_for(context, data), named_path(old), named_path(new))
    if as_json:
        print_json({"roots": [shown_path(path) for path in moved]})
        return
    for path in moved:
        say(message("In the library as {path} now.", path=path))


@app.command()
def remove(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A source of the library.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take a source and its pictures out of the library. Their files stay; so do vectors, until `compact`."""
    from indexer.pipeline.commands import remove_root
    from indexer.pipeline.roots import find_root

    settings = settings_for(context, data)
    root = find_root(settings, named_path(path))
    if not yes:
        asked = message("Take {path} out of the library, with {count} pictures?", path=root.path, count=root.pictures)
        typer.confirm(asked.text(language()), abort=True, err=True)
    done = remove_root(settings, root.path)
    if as_json:
        print_json(done.to_dict())
        return
    for warning in done.warnings:
        tell(warning)
    tell(message("{path} is no part of the library any more. To take it in again: xuntu index build", path=root.path))
    say(message("{count} pictures removed. Build {build}.", count=done.removed, build=done.build))
