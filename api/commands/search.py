"""`xuntu search`: find pictures by words and pictures."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.explanations import print_explanations
from api.commands.options import with_search_options
from api.commands.output import print_result, reading, tell_reliability
from indexer.command_settings import settings_for
from models.foundation.messages import message
from models.foundation.terminal import Data, Json, tell

if TYPE_CHECKING:
    from models.pictures.limits import DecodeLimits
    from models.pictures.parts import Box


@with_search_options(before="sheet")
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
    from api.search.errors import InvalidQuery
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
        if not query.clauses:
            raise InvalidQuery(message("Nothing was asked. Say what is in the picture, or show one."))
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
        tell(reading(result))
    for note in result.notes:
        tell(note)
    if sheet is not None:
        from api.demo import describe, write_result_sheet

        title = describe(query.clauses, image or [])
        write_result_sheet(engine, [(title, query, result)], sheet)
        tell(message("Drawn into {sheet}.", sheet=sheet))
    print_result(result, offset=result.offset, as_json=as_json)
    if not as_json:
        print_explanations(result)
    if not as_json and any(hit.relevance is not None for hit in [*result.hits, *result.nearest]):
        tell_reliability(engine.list_kinds())


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
