"""What a request asks with -> clauses as the engine takes them."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from api import schemas
from api.http.door.admission import Place
from api.http.door.gates import Work
from api.http.embedding import decode_picture
from api.http.service import Service
from api.search.errors import InvalidQuery
from api.search.options import MAX_CLAUSES
from api.search.query import Clause, parse_query_text
from models.foundation.messages import message
from models.pictures.parts import Box

CROP = r"^\s*\d{1,9}\s*,\s*\d{1,9}\s*,\s*\d{1,9}\s*,\s*\d{1,9}\s*$"
CROP_DESCRIPTION = "The part of the picture that is asked with, in pixels: from the left, from the top, width, height"


async def to_clauses(
    service: Service, given: Sequence[schemas.ClauseIn], uploads: dict[str, bytes] | None = None, *, typed: str = ""
) -> list[Clause]:
    """Return clauses as the engine takes them, files and base64 beside the loop.

    Those of what was `typed` come first, then those that are `given`. `uploads` are those that this request has read
    already, to which what is read is added. Raises InvalidQuery or UploadGone.
    """
    known = {} if uploads is None else uploads
    terms = [replace(one, text=_whole(one.text or "")) for one in parse_query_text(typed)]
    if terms and given and len(terms) + len(given) > MAX_CLAUSES:
        raise InvalidQuery(
            message(
                "q asks for {terms} things, and there are {others} clauses beside it. Together that is too many: the "
                "most is {most}.",
                terms=len(terms),
                others=len(given),
                most=MAX_CLAUSES,
            )
        )

    def read(upload_id: str) -> bytes:
        if upload_id not in known:
            known[upload_id] = service.uploads.read(upload_id)
        return known[upload_id]

    if all(one.image is None and one.upload is None and not isinstance(one.vector, str) for one in given):
        return [*terms, *(_to_clause(clause, read) for clause in given)]
    return [*terms, *await service.executors.search(lambda: [_to_clause(clause, read) for clause in given])]


def count_as_picture(place: Place, clauses: Sequence[schemas.ClauseIn]) -> None:
    """Count a request that has pictures decoded as such. Raises Overloaded."""
    if any(one.image is not None or one.upload is not None or one.crop is not None for one in clauses):
        place.become(Work.PICTURE)


def read_crop(written: str | None) -> schemas.Region | None:
    """Return a part of a picture that is written as CROP says."""
    if not written:
        return None
    x, y, width, height = map(int, re.findall(r"\d+", written))
    return schemas.Region(x=x, y=y, width=width, height=height)


def _to_clause(clause: schemas.ClauseIn, read_upload: Callable[[str], bytes]) -> Clause:
    image = None if clause.image is None else decode_picture(clause.image)
    if clause.upload is not None:
        if any(one is not None for one in (clause.text, image, clause.image_id, clause.vector)):
            raise InvalidQuery(message("A clause with an upload takes no text, image, image_id or vector."))
        image = read_upload(clause.upload)
    return Clause(
        text=None if clause.text is None else _whole(clause.text),
        image=image,
        image_id=clause.image_id,
        weight=clause.weight,
        crop=Box(**clause.crop.model_dump()) if clause.crop else None,
        vector=_unpack(clause.vector) if isinstance(clause.vector, str) else clause.vector,
        encoder=clause.encoder,
    )


def _whole(text: str) -> str:
    """Return a text without halves of characters, which JSON can hold, and which say nothing."""
    return text.encode("utf-8", "ignore").decode()


def _unpack(packed: str) -> list[float]:
    try:
        numbers: list[float] = np.frombuffer(base64.b64decode(packed, validate=True), "<f4").astype(float).tolist()
    except (binascii.Error, ValueError) as error:
        raise InvalidQuery(message("The vector is neither a list of numbers nor float32 in base64.")) from error
    return numbers
