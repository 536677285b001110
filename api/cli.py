"""The `xuntu` command: searching, serving, and the commands of the other rooms under one roof.

Nothing heavy is imported before a command needs it: a text search starts without torch and without the web stack.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import reduce
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import api.evaluation.cli
import api.setup.cli
import indexer.cli
import models.cli
import models.training.finetune.cli
from api.search.options import MAX_K, MAX_OFFSET, OPTIONS, Option
from indexer.command_settings import settings_for
from indexer.pipeline.gate import MAKE_GATE
from models.foundation.messages import Message, Word, join, message, verbatim
from models.foundation.terminal import Data, Json, clock, language, print_json, print_table, run, say, tell

if TYPE_CHECKING:
    from api.search.reading.spans import Span
    from api.search.results import SearchHit, SearchResult
    from models.pictures.limits import DecodeLimits
    from models.pictures.parts import Box
    from models.relevance.curves import Fit

_MOST_SAID = 40  # characters of what says the words, in a table

app = typer.Typer(
    help="寻图 xuntu: find pictures by saying what is in them, in Chinese or English, or by showing another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(indexer.cli.app, name="index")
models.cli.app.command()(models.training.finetune.cli.finetune)
app.add_typer(models.cli.app, name="models")
app.command()(api.evaluation.cli.evaluate)
app.command()(api.setup.cli.setup)


def _with_search_options(before: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command the options of a search for its `**options`, listed before a parameter of its own."""

    def extend(command: Callable[..., None]) -> Callable[..., None]:
        options = [one for option in OPTIONS for one in _option_parameters(option)]
        own = [one for one in signature(command).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        place = [one.name for one in own].index(before)
        vars(command)["__signature__"] = Signature([*own[:place], *options, *own[place:]])
        command.__annotations__.update({one.name: one.annotation for one in options})
        return command

    return extend


def _option_parameters(option: Option) -> Iterator[Parameter]:
    """Yield the parameter of an option, and one that is not listed for its former name."""
    kind = list[str] | None if option.is_list else str if option.choices else option.type  # Query refuses other words
    default = None if option.is_list else option.default if option.flag_default is None else option.flag_default
    declared = typer.Option(option.flag, min=option.low, max=option.high, help=f"{option.description}.")
    yield _parameter(option.name, Annotated[kind, declared], default)
    if option.former:
        yield _parameter(option.former, Annotated[kind | None, typer.Option(option.former_flag, hidden=True)], None)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


@app.callback()
def _xuntu(context: typer.Context, data: Data = None) -> None:
    context.obj = data
    context.meta[MAKE_GATE] = api.evaluation.cli.make_gate


# Unknown options are words: "-人" is a clause. So this command has long options only.
@app.command(context_settings={"ignore_unknown_options": True})
@_with_search_options(before="sheet")
def search(
    context: typer.Context,
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...",
            help='What is in the picture. "2:雪山" counts twice, "-人" is away from it.',
            show_default=False,
        ),
    ] = None,
    *,
    image: Annotated[list[Path] | None, typer.Option(help="A picture file to be like; may be repeated.")] = None,
    like: Annotated[list[int] | None, typer.Option(help="The id of a picture to be like; may be repeated.")] = None,
    crop: Annotated[
        str | None,
        typer.Option(
            help="The part of the picture to ask with, in pixels: from the left, from the top, width, height.",
            metavar="X,Y,W,H",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="Conditions, as: format=jpeg and width>=1000 and taken=2024-05 and tag=beach"),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw the hits into this picture file (.png, .jpg, .webp).")
    ] = None,
    data: Data = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Find pictures by words, by pictures, or by a sum of both."""
    from api.search.engine import SearchEngine
    from api.search.query import Clause, Query, parse_terms, read_options
    from models.pictures.errors import DecodeError
    from models.pictures.limits import DecodeLimits

    _check_terms(text or [])
    settings = settings_for(context, data)
    limits = DecodeLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_file_bytes)
    box = _read_crop(crop, len(image or []) + len(like or []))
    try:
        query = Query(
            clauses=[
                *parse_terms(text or []),
                *(Clause(image=_read_picture(path, limits), crop=box) for path in image or []),
                *(Clause(image_id=image_id, crop=box) for image_id in like or []),
            ],
            where=where or None,
            **read_options(options, flags=True),
        )
        engine = SearchEngine.open(
            settings.data,
            limits,
            runtime=settings.runtime,
            hub_correction=settings.hub_correction,
            routing=settings.routing,
        )
        result = engine.search(query)
    except DecodeError as error:
        raise error.named(", ".join(map(str, image or []))) from error
    if any(read.negation or any(span.kind != "scene" for span in read.spans) for read in result.clauses):
        tell(_reading(result))
    for note in result.notes:
        tell(note)
    if sheet is not None:
        from api.demo import describe, write_result_sheet

        title = describe(query.clauses, image or [])
        write_result_sheet(engine, [(title, query, result)], sheet)
        tell(message("Drawn into {sheet}.", sheet=sheet))
    _print_result(result, offset=query.offset, as_json=as_json)
    if not as_json and any(hit.relevance is not None for hit in [*result.hits, *result.nearest]):
        _tell_reliability(engine.list_kinds())


@app.command("list")
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
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the pictures that satisfy some conditions, in the order of a field."""
    from api.search.engine import SearchEngine
    from api.search.listing import list_pictures
    from indexer.library.catalog.filter_parser import parse_filter
    from indexer.library.filters import Filter

    settings = settings_for(context, data)
    engine = SearchEngine.open(settings.data, runtime=settings.runtime)
    conditions = parse_filter(where.strip(), engine.fields()) if where and where.strip() else Filter()
    found = list_pictures(engine, conditions, sort, k=k, offset=offset)
    if as_json:
        names = ("id", "width", "height")
        images = [
            {name: getattr(row, name) for name in names} | {"path": row.shown_path, "root": str(row.root), "value": one}
            for row, one in found.pictures
        ]
        print_json({"images": images, "total": found.total, "next_offset": found.next_offset})
        return
    label = verbatim(found.field.title(language()))
    rows = [(row.id, "" if one is None else str(one), row.place) for row, one in found.pictures]
    print_table((message("id"), label, message("file")), rows)
    tell(message("{shown} of {total} pictures.", shown=len(rows), total=found.total))


@app.command()
def serve(
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, show_default="8000")] = None,
    with_ui: Annotated[bool, typer.Option("--with-ui", help="Run the search page too; one Ctrl-C stops both.")] = False,
    ui_port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    allow_anonymous: Annotated[
        bool, typer.Option("--allow-anonymous", help="Listen beyond this machine without a token.")
    ] = False,
    data: Data = None,
) -> None:
    """Serve the REST API; its documentation is at /docs."""
    from api.http.server import serve as run_server

    changes = {"host": host, "port": port, "allow_anonymous": allow_anonymous or None}
    run_server(data or context.obj, changes, ui_port=ui_port if with_ui else None)


@app.command()
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


@app.command()
def demo(
    context: typer.Context,
    pictures: Annotated[Path | None, typer.Argument(help="A folder of pictures.", show_default="built-in ones")] = None,
    *,
    data: Data = None,
) -> None:
    """Build a small library, search it in several ways, and draw what was found."""
    from api.demo import run_demo

    run_demo(pictures, data or context.obj)


def _read_picture(path: Path, limits: "DecodeLimits") -> bytes:
    """Return the bytes of a picture file. Raises DecodeError, also for an address."""
    from models.pictures.errors import DecodeError
    from models.pictures.files import read_image_file

    if str(path).lower().startswith(("http:/", "https:/")):  # Path has made one of the two
        raise DecodeError("address")
    return read_image_file(path, limits)


def _read_crop(written: str | None, pictures: int) -> "Box | None":
    """Return the part of the one picture that is asked with. Raises InvalidQuery."""
    from api.search.errors import InvalidQuery
    from models.pictures.parts import Box

    if written is None:
        return None
    numbers = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", written)
    if numbers is None or pictures != 1:
        raise InvalidQuery(
            message(
                "--crop takes the part of one picture, --image or --like, as four whole numbers in pixels: from the "
                "left, from the top, width, height. For example: --crop 120,80,300,200"
            )
        )
    return Box(*map(int, numbers.groups()))


def _check_terms(terms: list[str]) -> None:
    """Refuse what can only be a misspelt option. Raises InvalidQuery."""
    from api.search.errors import InvalidQuery

    for term in terms:
        if re.fullmatch(r"--.*|-[A-Za-z]", term, re.DOTALL):
            word = term.lstrip("-") or "..."
            raise InvalidQuery(
                message(
                    'There is no option {term}. To search away from a word, give it a weight: "-1:{word}"',
                    term=term,
                    word=word,
                )
            )


def _reading(result: "SearchResult") -> Message:
    """Say how the words were read, and how to have them searched as they are."""
    looked_for = [read for read in result.clauses if read.clause.text and read.clause.weight > 0]
    wanted = [
        said
        for read in looked_for
        for said in ([_span(span) for span in read.spans if span.said] or [verbatim(read.clause.text or "")])
    ]
    unwanted = [message("without {words}", words=read.clause.text) for read in result.clauses if read.negation]
    parts = reduce(lambda said, part: message("{said}; {part}", said=said, part=part), wanted + unwanted)
    return message("Read as: {parts}. To search the words as they are, add --literal.", parts=parts)


def _span(span: "Span") -> Message:
    """Say what a piece of the words was read as."""
    first, last = (day.isoformat() if day else "…" for day in span.days)
    said = {
        "date": message("date {words} ({first} to {last})", words=span.said, first=first, last=last),
        "place": message("place {words}", words=span.said),
        "quoted": message("words {words}", words=span.said),
        "file": message("file name {words}", words=span.said),
        "code": message("number {words}", words=span.said),
        "video": message("videos"),
    }
    return said.get(span.kind) or verbatim(span.said)


def _print_result(result: "SearchResult", *, offset: int, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "hits": list(map(_hit_fields, result.hits)),
                "nearest": list(map(_hit_fields, result.nearest)),
                "total": result.total,
                "timings_ms": result.timings_ms,
                "build": result.build,
                "encoder": result.encoder,
                "encoders": list(result.encoders),
                "language": result.language,
                "clauses": [read.to_dict() for read in result.clauses],
                "notes": [{"code": note.code, "message": note.text(language())} for note in result.notes],
            }
        )
        return
    if result.nearest:
        say(message("The nearest, of which none is relevant enough:"))
    _print_hits(result.nearest or result.hits, first=1 if result.nearest else offset + 1)
    hidden = sum(hit.duplicates for hit in result.hits)
    if hidden:
        tell(message("{hidden} duplicates of these are hidden.", hidden=hidden))
    took_ms = result.timings_ms["total"]
    tell(message("{total} pictures ranked in {took_ms:.1f} ms.", total=result.total, took_ms=took_ms))


def _hit_fields(hit: "SearchHit") -> dict[str, Any]:
    names = ("id", "path", "score", "relevance", "likelihood", "width", "height", "duplicates")
    further: dict[str, Any] = {"part": None}
    if hit.part:
        told = {"number": hit.part.number, "region": hit.part.is_region, "at": hit.part.at}
        further["part"] = told | asdict(hit.part.box)
    further |= {"moments": list(map(asdict, hit.moments)), "reasons": list(map(asdict, hit.reasons))}
    return {name: getattr(hit, name) for name in names} | {"root": str(hit.root), **further}


def _print_hits(hits: "list[SearchHit]", *, first: int) -> None:
    """Print hits as a table: with their relevance, in per cent or in a word, and what says the words, where known."""
    columns: list[tuple[Message, list[object]]] = [
        (message("rank"), [*range(first, first + len(hits))]),
        (message("score"), [f"{hit.score:.3f}" for hit in hits]),
    ]
    if any(hit.relevance is not None or hit.likelihood is not None for hit in hits):
        columns.append((message("relevance"), [_show_relevance(hit) for hit in hits]))
    columns += [(message("id"), [hit.id for hit in hits]), (message("file"), [hit.place for hit in hits])]
    said = [next((reason.text for reason in hit.reasons if reason.field != "name"), "") for hit in hits]
    times = [clock(hit.part.at) if hit.part and hit.part.at is not None else "" for hit in hits]
    if any(times):
        columns.insert(-1, (message("moment"), [*times]))
    if any(said):
        columns.insert(-1, (message("says"), [_cut(text) for text in said]))
    print_table([head for head, _ in columns], list(zip(*(values for _, values in columns), strict=True)))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]}…"


def _tell_reliability(fits: "Mapping[str, Fit]") -> None:
    """Say beside a relevance what was seen of it on things that it was not fitted on."""
    shares = [
        join((Word(kind), verbatim(f"{100 * fit.precision.value:.0f} %")), " ")
        for kind, fit in fits.items()
        if fit.precision is not None
    ]
    if shares:
        tell(
            message(
                "Checked on things that relevance was not fitted on: of hits from 50 %, so many were right: {shares}.",
                shares=join(shares, ", "),
            )
        )


def _show_relevance(hit: "SearchHit") -> object:
    if hit.relevance is not None:
        return f"{100 * hit.relevance:.0f} %"
    return Word(hit.likelihood) if hit.likelihood else ""


def main() -> None:
    """Run `xuntu`."""
    run(app)
