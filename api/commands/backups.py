"""`xuntu backup` and `xuntu restore`: a library in one file, and back."""

import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.command_settings import settings_for
from models.foundation.messages import mark, message
from models.foundation.terminal import Data, Json, describe_bytes, print_json, say, tell

if TYPE_CHECKING:
    from indexer.backups.writing import BackupReport


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write: .tar, or .tar.gz to have it compressed.")],
    *,
    without_thumbnails: Annotated[
        bool, typer.Option("--without-thumbnails", help="Leave out thumbnails: they are made again when they are seen.")
    ] = False,
    without_weights: Annotated[
        bool, typer.Option("--without-weights", help="Leave out the weights of encoders: they can be fetched again.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the library to one file, also while it is searched and indexed. The pictures themselves are not in it."""
    from indexer.backups.writing import write_backup
    from models.foundation.progress import StepDisplay

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left
    settings = settings_for(context, data)
    with StepDisplay(in_bytes=True) as display:
        try:
            done = write_backup(
                settings.data,
                file,
                thumbnails=not without_thumbnails,
                weights=not without_weights,
                on_progress=lambda count, total: display.advance(mark("backing up"), count, total),
            )
        except KeyboardInterrupt:
            _say_stopped()
    if settings.weights is not None and not without_weights:
        tell(message("Not in it are the weights in {weights}, which XUNTU_WEIGHTS names.", weights=settings.weights))
    _print_report(done, as_json=as_json)
    if not as_json:
        say(
            message(
                "Written: {file} ({pictures} pictures, build {build}, {size}, {seconds:.1f} s).",
                file=file,
                pictures=done.pictures,
                build=done.build or "-",
                size=describe_bytes(done.bytes),
                seconds=done.seconds,
            )
        )


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that `xuntu backup` has written.")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the library that is there.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Read and check the backup alone; restore nothing.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a library of a backup. All of it is checked before anything is touched; a library that is there is kept."""
    from indexer.backups.restoring import read_backup, restore_backup
    from models.foundation.progress import StepDisplay

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = settings_for(context, data)
    with StepDisplay(in_bytes=True) as display:
        try:
            if check:
                done = read_backup(
                    file, on_progress=lambda count, total: display.advance(mark("checking"), count, total)
                )
            else:
                done = restore_backup(
                    file,
                    settings.data,
                    replace=replace,
                    on_progress=lambda count, total: display.advance(mark("restoring"), count, total),
                )
        except KeyboardInterrupt:
            _say_stopped()
    _print_report(done, as_json=as_json)
    if as_json:
        return
    if check:
        say(
            message(
                "{file} is whole: {pictures} pictures, build {build}.",
                file=file,
                pictures=done.pictures,
                build=done.build or "-",
            )
        )
    else:
        say(
            message(
                "Restored into {data}: {pictures} pictures, build {build}, {size}, {seconds:.1f} s. Bring it up to "
                "date with the folders: xuntu index update",
                data=done.data,
                pictures=done.pictures,
                build=done.build or "-",
                size=describe_bytes(done.bytes),
                seconds=done.seconds,
            )
        )


def _print_report(done: "BackupReport", *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(done), "file": str(done.file), "data": str(done.data)})


def _say_stopped() -> None:
    tell(message("Stopped. Nothing of it was kept, and nothing was changed."))
    raise typer.Exit(130) from None
