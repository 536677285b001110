"""What is known of pictures, as a table or as JSON, in pieces."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from api.http.archives.facts import COLUMNS, ListedPicture, Table, list_pictures
from api.http.executors import Executors
from api.search.engine import SearchEngine

_LISTED_AT_ONCE: Final = 200


async def stream_table(
    executors: Executors, engine: SearchEngine, image_ids: Sequence[int], language: str
) -> AsyncGenerator[bytes, None]:
    """Yield pictures as comma-separated values."""
    table = Table(has_files=False)
    yield table.take()
    async for listed in _list_all(executors, engine, image_ids, language):
        for one in listed:
            table.add(one)
        yield table.take()


async def stream_json(
    executors: Executors, engine: SearchEngine, image_ids: Sequence[int], language: str
) -> AsyncGenerator[bytes, None]:
    """Yield pictures as an object with a list of them; what is not known of one is null."""
    yield b'{"pictures":['
    before = ""
    async for listed in _list_all(executors, engine, image_ids, language):
        for one in listed:
            told = {name: one.facts.get(name) for name in COLUMNS if name != "file"}
            yield f"{before}\n{json.dumps({**told, 'tags': told['tags'] or []}, ensure_ascii=False)}".encode()
            before = ","
    yield b"\n]}\n"


async def _list_all(
    executors: Executors, engine: SearchEngine, image_ids: Sequence[int], language: str
) -> AsyncGenerator[list[ListedPicture], None]:
    for start in range(0, len(image_ids), _LISTED_AT_ONCE):
        chunk = image_ids[start : start + _LISTED_AT_ONCE]
        yield await executors.search(list_pictures, engine, chunk, language)
