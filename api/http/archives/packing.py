"""The files of pictures -> a ZIP, as it is sent. One that is not there is told of in the table at its end."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Final

from anyio import CancelScope

from api.http.archives.facts import ListedPicture, Table, list_pictures
from api.http.archives.names import ArchiveNames
from api.http.archives.zip_pieces import ZipPieces
from api.http.outgoing import OutgoingFile, open_or_fetch
from api.http.service import Service
from api.search.errors import why_not_read
from indexer.library.opening import OpenOriginal
from models.foundation.errors import ImageSearchError
from models.pictures.errors import DecodeError

logger = logging.getLogger(__name__)

TABLE: Final = "pictures.csv"
_LISTED_AT_ONCE: Final = 200
_CHUNK_BYTES: Final = 256 * 2**10


class Packer:
    """Packs pictures of a library by their ids. At any time it holds a piece of one file, and what is said of all."""

    def __init__(self, service: Service, image_ids: Sequence[int], language: str) -> None:
        """`language`: in which is said why a file is not there. Raises NoIndex."""
        self._service = service
        self._engine = service.serving.engine
        self._ids = image_ids
        self._language = language
        self._zip = ZipPieces()
        self._names = ArchiveNames(TABLE)
        self._table = Table(has_files=True)

    async def pack(self) -> AsyncGenerator[bytes, None]:
        """Yield the archive."""
        rows: list[bytes] = []
        try:
            for start in range(0, len(self._ids), _LISTED_AT_ONCE):
                chunk = self._ids[start : start + _LISTED_AT_ONCE]
                listed = await self._service.executors.search(list_pictures, self._engine, chunk, self._language)
                for one in listed:
                    async with aclosing(self._pack_one(one)) as pieces:
                        async for piece in pieces:
                            yield piece
                    self._table.add(one)
                rows.append(self._table.take())
            yield self._put_table(b"".join(rows))
            yield self._zip.finish()
        finally:
            self._zip.close()

    async def _pack_one(self, picture: ListedPicture) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of one file, of one that is not there none."""
        if picture.row is None:
            return
        async with AsyncExitStack() as held:
            try:
                file = await open_or_fetch(picture.row, self._service.settings, self._service.fetches, held)
            except ImageSearchError as error:
                picture.miss(error, self._language)
                return
            self._begin(picture, file)
            offset, size = 0, file.opened.size
            try:
                while offset < size:
                    with CancelScope(shield=True):  # so that nothing is closed while it is read
                        piece = await self._service.executors.files(self._read, file.opened, offset)
                    offset += _CHUNK_BYTES
                    yield piece
            except DecodeError as error:
                logger.info("a file that was being packed: %s", error)
                picture.miss(why_not_read(picture.id, error), self._language)
                picture.facts["file"] = None
                yield self._zip.end(keep=False)
            else:
                yield self._zip.end()

    def _begin(self, picture: ListedPicture, file: OutgoingFile) -> None:
        row, opened = picture.row, file.opened
        if row is None:
            raise ValueError(f"picture {picture.id} is not in the library")
        picture.facts["file"] = name = self._names.name(row)
        written_ns = opened.state.written_ns if opened.state else row.stamp.mtime_ns
        self._zip.begin(name, opened.size, written_ns)

    def _read(self, opened: OpenOriginal, offset: int) -> bytes:
        """Read a piece and pack it. Raises DecodeError (changed, io_error)."""
        data = opened.read(offset, _CHUNK_BYTES)
        opened.check_unchanged()
        return self._zip.add(data)

    def _put_table(self, table: bytes) -> bytes:
        self._zip.begin(TABLE, len(table), None, packed=True)
        return self._zip.add(table) + self._zip.end()
