"""`xuntu library`: where a library lies."""

from pathlib import Path
from typing import Annotated

import typer

from indexer.command_settings import settings_for
from models.foundation.messages import message
from models.foundation.terminal import Data, Json, print_json, print_table, say, tell

app = typer.Typer(help="Say where a library lies: its index, and the storage of what is made.", no_args_is_help=True)


@app.callback()
def _library(context: typer.Context, *, data: Data = None) -> None:
    context.obj = data or context.obj


@app.command()
def create(
    context: typer.Context,
    *,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where its index lies, for a back end of another package: NAME://HOST:PORT/DB. Default: its folder",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where thumbnails, vectors and builds are kept: s3://, gs:// or az://bucket/prefix, "
            "file:///folder. Default: its folder",
        ),
    ] = None,
    check: Annotated[bool, typer.Option(help="Look whether something answers at the addresses.")] = True,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make an empty library that says in its own file where its index and its storage lie.

    Credentials come from the environment, never from an address. Pictures are added by: xuntu index build PATH
    """
    from indexer.library.storage.library_file import LibraryFile, check_empty

    folder = settings_for(context, data).data.absolute()
    check_empty(folder)
    made = LibraryFile.make(index=index, storage=storage)
    if check:
        _check_reachable(made.index)
        if made.storage:
            from indexer.library.storage.object_store import open_store
            from indexer.pipeline.sending import claim

            claim(open_store(made.storage), made)
    made.write(folder)
    _print(folder, made.index, made.storage, made.id, as_json=as_json)
    if not as_json:
        tell(message("To add pictures: xuntu index build PATH --data {data}", data=folder))


@app.command()
def show(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """Say where the library lies, as its own file and the settings have it."""
    settings = settings_for(context, data)
    file, options = settings.library_file, settings.index_options
    index = options.address or None
    _print(settings.data.absolute(), index, settings.storage_address, file.id, as_json=as_json)


@app.command()
def move(
    context: typer.Context,
    *,
    index: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where its index is to lie; local: its folder. Default: where it lies"),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Its storage from now on; local: its folder. Default: as it is"),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Move the index and the storage of the library, and back. Nothing is encoded; run again, it goes on.

    What was moved is checked by counts and a sample of vectors. What lies at the old address is left there.
    """
    from dataclasses import asdict

    from indexer.pipeline.moving import move_library

    settings = settings_for(context, data)
    done = move_library(settings, index=index, storage=storage)
    if as_json:
        print_json(asdict(done))
        return
    _print(settings.data.absolute(), done.index, done.storage, settings.library_file.id, as_json=False)
    say(
        message(
            "{pictures} pictures; {vectors} vectors compared. Build {build}.",
            pictures=done.pictures,
            vectors=done.vectors_compared,
            build=done.build,
        )
    )


def _check_reachable(index: str | None) -> None:
    from indexer.library.index.backends import get_backend
    from indexer.library.storage.addresses import read_index_address

    if index:
        address = read_index_address(index)
        get_backend(address.backend)
        address.check_reachable()


def _print(folder: Path, index: str | None, storage: str | None, identifier: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"data": str(folder), "id": identifier or None, "index": index, "storage": storage})
        return
    own = message("in its folder")
    print_table(
        (message("library"), str(folder)), [(message("index"), index or own), (message("storage"), storage or own)]
    )
    if identifier:
        say(message("Its id is {identifier}.", identifier=identifier))
