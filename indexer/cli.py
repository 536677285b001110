"""`xuntu index`: the offline commands. Results go to standard output, progress to standard error."""

import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from indexer import roots_cli
from indexer.command_output import (
    print_duplicates,
    print_remarks,
    print_report,
    print_stats,
    tell_of_newer_encoder,
    tell_of_stronger_encoder,
)
from indexer.command_settings import settings_for
from indexer.library.storage.addresses import named_path
from indexer.pipeline.gate import Force, GateFile, PublicationGate, check_with, make_gate
from models.foundation.errors import ImageSearchError, InvalidSetting
from models.foundation.messages import message
from models.foundation.terminal import Data, Json, language, print_csv, print_json, print_table, run, say, tell

if TYPE_CHECKING:  # what follows takes time to import, and `xuntu search` needs none of it
    from indexer.config import IndexerSettings
    from indexer.pipeline.commands import BuildOptions, BuildReport

app = typer.Typer(
    help="Build and look after the library of pictures.", no_args_is_help=True, pretty_exceptions_enable=False
)

app.add_typer(roots_cli.app, name="roots")

Encoders = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        help="See: xuntu models list. May be repeated: the first is the main one, further ones are added to a library.",
        show_default=False,
    ),
]
Dropped = Annotated[
    list[str] | None,
    typer.Option("--drop-encoder", help="Delete an encoder's vectors from the library.", show_default=False),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=0, max=256, help="Processes that read pictures.", show_default="one a processor"),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="What encodes: local; ray, a Ray cluster on this machine for the run; ray://HOST:10001, a running one; "
        "ray:HOST:6379, one that this machine has joined.",
        show_default="local",
    ),
]
Regions = Annotated[
    bool | None,
    typer.Option(
        "--regions/--no-regions",
        help="Look at regions of pictures as well, from now on: small things are found, at many times the vectors.",
        show_default="as it was",
    ),
]
AllowPrivate = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-private",
        metavar="HOST",
        help="Addresses of lists may lead to this host inside this machine or network: a name, an IP address, or a "
        "network as 10.1.0.0/16; may be repeated.",
        show_default=False,
    ),
]


@app.callback()
def _index(
    context: typer.Context,
    *,
    progress: Annotated[
        Literal["auto", "json"],
        typer.Option(
            metavar="auto|json", help="json: lines of JSON on standard error, for programs that follow a run."
        ),
    ] = "auto",
    data: Data = None,
) -> None:
    context.obj = data or context.obj
    if progress == "json":  # whoever does not ask for it does not wait until it is imported
        from indexer.pipeline.progress_lines import begin

        begin(context)


@app.command()
def build(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Folders; lists of paths or addresses (.csv, .tsv, .jsonl, .parquet); WebDataset shards (.tar).",
            show_default=False,
        ),
    ],
    *,
    encoder: Encoders = None,
    drop_encoder: Dropped = None,
    workers: Workers = None,
    engine: Engine = None,
    allow_private: AllowPrivate = None,
    regions: Regions = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            help="Only files that match, as in .gitignore; may be repeated. Patterns replace those given before."
        ),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not files that match; may be repeated.")] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Hidden files and folders too.")] = False,
    defaults: Annotated[
        bool,
        typer.Option(
            "--default-excludes/--no-default-excludes",
            help="Leave out what systems and programs put beside pictures, and what .nomedia and .ignore files say.",
        ),
    ] = True,
    path_column: Annotated[str | None, typer.Option(help="Of lists: the column of paths.", show_default="path")] = None,
    url_column: Annotated[str | None, typer.Option(help="The column of addresses.", show_default="url")] = None,
    caption_column: Annotated[str | None, typer.Option(help="The column of captions.", show_default="caption")] = None,
    tags_column: Annotated[str | None, typer.Option(help="The column of tags.", show_default="tags")] = None,
    allow_empty: Annotated[
        bool,
        typer.Option("--allow-empty", help="Believe that the pictures of these paths are gone."),
    ] = False,
    gate: GateFile = None,
    force: Force = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add folders, lists and shards to the library, encode what is new in it, and publish an index of everything.

    Stop it at any time: what is done is kept, and the same command goes on from there.
    """
    from indexer.library.layout import Layout
    from indexer.pipeline.commands import BuildOptions

    chosen = {"path": path_column, "url": url_column, "caption": caption_column, "tags": tags_column}
    options = BuildOptions(
        encoders=encoder or (),
        dropped=drop_encoder or (),
        include=include or (),
        exclude=exclude or (),
        hidden=hidden,
        defaults=defaults,
        columns={what: name for what, name in chosen.items() if name},
        allow_empty=[named_path(path) for path in paths] if allow_empty else (),
    )
    settings = settings_for(
        context, data, workers=workers, engine=engine, regions=regions, allow_private=_hosts(allow_private)
    )
    made = make_gate(context, gate, settings, force=force)
    is_first = not Layout(settings.data.absolute()).current.exists()
    done = _build(context, settings, paths, options, gate=made, as_json=as_json)
    if is_first and not as_json:
        tell_of_stronger_encoder(done, device=settings.device)
    elif not as_json:
        tell_of_newer_encoder(done)


@app.command()
def update(
    context: typer.Context,
    *,
    encoder: Encoders = None,
    drop_encoder: Dropped = None,
    workers: Workers = None,
    engine: Engine = None,
    allow_private: AllowPrivate = None,
    regions: Regions = None,
    allow_empty: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Believe that this source is empty, or a drive in it; may be repeated.",
        ),
    ] = None,
    gate: GateFile = None,
    force: Force = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Bring the library up to date with its folders: new, changed and deleted pictures."""
    from indexer.pipeline.commands import BuildOptions

    settings = settings_for(
        context, data, workers=workers, engine=engine, regions=regions, allow_private=_hosts(allow_private)
    )
    made = make_gate(context, gate, settings, force=force)
    options = BuildOptions(
        encoders=encoder or (),
        dropped=drop_encoder or (),
        allow_empty=[named_path(one) for one in allow_empty or ()],
    )
    done = _build(context, settings, [], options, gate=made, as_json=as_json)
    if not as_json:
        tell_of_newer_encoder(done)


@app.command()
def retry(
    context: typer.Context,
    *,
    workers: Workers = None,
    engine: Engine = None,
    allow_private: AllowPrivate = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Bring the library up to date, and try every file again that could not be indexed before."""
    from indexer.pipeline.commands import BuildOptions

    _build(
        context,
        settings_for(context, data, workers=workers, engine=engine, allow_private=_hosts(allow_private)),
        [],
        BuildOptions(retry=True),
        as_json=as_json,
    )


@app.command()
def watch(
    context: typer.Context,
    *,
    poll: Annotated[bool, typer.Option("--poll", help="For network drives that do not report changes.")] = False,
    rescan: Annotated[float, typer.Option(min=0.01, metavar="HOURS", help="Compare everything anew so often.")] = 24,
    workers: Workers = None,
    engine: Engine = None,
    allow_private: AllowPrivate = None,
    data: Data = None,
) -> None:
    """Follow the folders of the library live, until stopped: what changes in them is brought into it."""
    from indexer.pipeline.watch import watch as follow

    def report_change(done: "BuildReport") -> None:
        if done.encoded or done.removed or done.failed or done.reused or done.warnings:
            print_report(done, as_json=False)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = settings_for(context, data, workers=workers, engine=engine, allow_private=_hosts(allow_private))
    tell(message("Watching. Press Ctrl-C to stop."))
    try:
        follow(
            settings,
            poll=poll,
            rescan_hours=rescan,
            on_report=report_change,
            on_error=tell,
        )
    except KeyboardInterrupt:
        tell(message("Stopped."))


@app.command()
def rebuild(
    context: typer.Context,
    *,
    reencode: Annotated[bool, typer.Option("--reencode", help="Encode every picture again first.")] = False,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            "--encoder", help="With --reencode: these encoders from now on, and no other.", show_default=False
        ),
    ] = None,
    workers: Workers = None,
    engine: Engine = None,
    allow_private: AllowPrivate = None,
    gate: GateFile = None,
    force: Force = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make the index again from the stored vectors; no picture is read, unless --reencode is given.

    The index in use goes on answering until the new one is ready.
    """
    from indexer.pipeline import commands as runner

    settings = settings_for(context, data, workers=workers, engine=engine, allow_private=_hosts(allow_private))
    made = make_gate(context, gate, settings, force=force)
    if reencode:
        _build(
            context,
            settings,
            [],
            runner.BuildOptions(encoders=encoder or (), reencode=True),
            gate=made,
            as_json=as_json,
        )
    elif encoder:
        why = message("it needs --reencode: vectors of another encoder have to be made first")
        raise InvalidSetting("--encoder", ", ".join(encoder), why)
    else:
        from indexer.pipeline.progress_lines import open_display

        with open_display(context) as display:
            check = check_with(made, display.checked)
            done = runner.rebuild(settings, on_index=display.indexed, check=check)
        print_report(done, gate=made, as_json=as_json)


@app.command()
def annotate(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Annotators, as `stats` lists them, label or caption. Default: all that are set up.",
            show_default=False,
        ),
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Look at every picture again.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Find what annotators can say of pictures that they have not seen; nothing is encoded again."""
    from indexer.pipeline import commands as runner
    from indexer.pipeline.progress_lines import open_display, warn

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    warnings: list[ImageSearchError] = []
    with open_display(context) as display:
        try:
            found = runner.annotate(
                settings_for(context, data),
                names or (),
                again=again,
                on_annotate=display.annotated,
                on_warning=warnings.append,
            )
        except KeyboardInterrupt:
            display.stop()
            tell(message("Stopped. What was found is kept; run the same command, without --again, to go on."))
            raise typer.Exit(130) from None
    warn(context, warnings)
    for warning in warnings:
        tell(warning)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    head = (
        message("annotator"),
        message("version"),
        message("annotated"),
        message("could not be"),
        message("to do"),
    )
    print_table(head, [(one.name, one.version, one.annotated, one.problems, one.left) for one in found])


@app.command()
def compact(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """Give back the room of pictures that are gone: their rows, vectors and thumbnails, and the build before this one.

    Afterwards there is nothing to roll back to, and a picture that returns is new.
    """
    from dataclasses import asdict

    from indexer.pipeline import commands as runner

    done = runner.compact(settings_for(context, data))
    if as_json:
        print_json(asdict(done))
        return
    say(
        message(
            "{forgotten} pictures forgotten, {thumbnails} thumbnails deleted, {freed:.1f} MB given back. "
            "Build {build}, {seconds:.1f} s.",
            forgotten=done.forgotten,
            thumbnails=done.thumbnails,
            freed=done.freed_bytes / 1e6,
            build=done.build,
            seconds=done.seconds,
        )
    )


@app.command()
def verify(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """Check the catalog, the stored vectors and the index in use against their checksums."""
    from indexer.pipeline import commands as runner

    problems = runner.verify(settings_for(context, data))
    if as_json:
        print_json({"ok": not problems, "problems": [problem.text("en") for problem in problems]})
    elif problems:
        for problem in problems:
            say(problem)
    else:
        say(message("Everything is as it was written."))
    if problems:
        tell(runner.remedy(problems))
        raise typer.Exit(1)


@app.command()
def report(
    context: typer.Context,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on standard output, for spreadsheets.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List every file that could not be indexed, and why, or not all of it. To try again: xuntu index retry."""
    from indexer.library.catalog.writer import Catalog
    from indexer.library.layout import Layout
    from models.pictures.errors import decode_reason

    catalog = Catalog(Layout(settings_for(context, data).data.absolute()).catalog)
    failed = []
    for file, code, detail in catalog.list_failures():
        why = decode_reason(code, detail)
        failed.append({"path": str(file), "code": code, "reason_en": why.text("en"), "reason_zh": why.text("zh")})
    remarks = catalog.list_remarks()
    catalog.close()
    if as_json:
        parts = [{"path": file, "partial": partial, "dropped": list(dropped)} for file, partial, dropped in remarks]
        print_json({"failed": failed, "indexed_in_part": parts})
    elif as_csv:
        print_csv(("path", "code", "reason_en", "reason_zh"), [tuple(item.values()) for item in failed])
    elif failed:
        rows = [(item["path"], item["code"], item[f"reason_{language()}"]) for item in failed]
        print_table((message("file"), message("code"), message("reason")), rows)
    elif not remarks:
        say(message("Every picture is indexed."))
    if remarks and not (as_json or as_csv):
        print_remarks(remarks, failed=len(failed))


@app.command()
def duplicates(
    context: typer.Context,
    *,
    exact: Annotated[bool, typer.Option("--exact", help="Only files with the same bytes.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on standard output, for spreadsheets.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List exact copies and near-duplicates in groups, the one worth keeping first. Deletes nothing.

    First comes the picture with most pixels, then the larger file, then the earlier date. A near-duplicate is one on
    which a perceptual hash and the encoder's vector agree: the bits that differ, and the cosine, are printed.
    """
    from indexer.library.duplicates.report import find_duplicates
    from indexer.pipeline.progress_lines import PROGRESS_LINES
    from models.foundation.progress import StepDisplay

    with StepDisplay() as display:
        lines = context.meta.get(PROGRESS_LINES)
        on_step = lines.compared if lines else display.advance
        found = find_duplicates(settings_for(context, data).data, exact=exact, on_step=on_step)
    print_duplicates(found, as_csv=as_csv, as_json=as_json)


@app.command()
def stats(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """Say what the library holds."""
    from indexer.library.opened import open_build

    print_stats(open_build(settings_for(context, data).data), as_json=as_json)


@app.command()
def rollback(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """Go back to the build before the one in use."""
    from indexer.library.builds.current import roll_back
    from indexer.library.layout import Layout
    from indexer.library.lock import write_lock
    from indexer.library.replicas.replica import check_home

    layout = Layout(settings_for(context, data).data.absolute())
    check_home(layout)
    with write_lock(layout):
        manifest = roll_back(layout)
    if as_json:
        print_json({"build": manifest.build})
    else:
        say(message("In use again: build {build} of {created}.", build=manifest.build, created=manifest.created_at))


def _hosts(named: list[str] | None) -> str | None:
    """Return hosts as the setting has them."""
    return ",".join(named) if named else None


def _build(
    context: typer.Context,
    settings: "IndexerSettings",
    paths: list[Path],
    options: "BuildOptions",
    *,
    gate: PublicationGate | None = None,
    as_json: bool,
) -> "BuildReport":
    from dataclasses import replace

    from indexer.pipeline import commands as runner
    from indexer.pipeline.progress_lines import open_display, warn

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: keep what is done
    with open_display(context) as display:
        options = replace(options, on_scan=display.scanned, on_progress=display.advance, on_index=display.indexed)
        check = check_with(gate, display.checked)
        options = replace(options, on_annotate=display.annotated, on_renew=display.renewed, check=check)
        if gate:  # a part of a library would not pass it
            options = replace(options, publish_at=0)
        try:
            done = runner.build(settings, paths, options)
        except KeyboardInterrupt:
            display.stop()
            tell(message("Stopped. What was encoded is kept; run the same command to go on."))
            raise typer.Exit(130) from None
    warn(context, done.warnings)
    print_report(done, gate=gate, as_json=as_json)
    return done


def main() -> None:
    """Run `python -m indexer`."""
    run(app)
