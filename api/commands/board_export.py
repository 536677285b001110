"""The pictures of a board -> a file, as the service sends them."""

import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import anyio

from api.boards.errors import BoardExportUnwritable
from api.config import Settings
from api.http.app import create_app
from api.http.archives.packing import Packer
from api.http.archives.tables import stream_json, stream_table
from api.http.service import Service
from models.config import load_settings
from models.foundation.messages import os_message
from models.foundation.terminal import language

ExportForm: TypeAlias = Literal["zip", "csv", "json"]
_FORMS: dict[str, ExportForm] = {".zip": "zip", ".csv": "csv", ".json": "json"}


class Exported(NamedTuple):
    """What was written: its format, pictures, and bytes."""

    form: ExportForm
    pictures: int
    bytes: int


def export_board(data: Path | None, board_id: str, file: Path, form: ExportForm | None) -> Exported:
    """Write the pictures of a board to a file, which is there whole or not at all; without `form` its ending says it.

    Raises BoardNotFound, BoardExportUnwritable, and what opening the library raises.
    """
    chosen = form or _FORMS.get(file.suffix.lower(), "zip")
    return anyio.run(_export, load_settings(Settings, data=data), board_id, file, chosen)


async def _export(settings: Settings, board_id: str, file: Path, form: ExportForm) -> Exported:
    settings.libraries = {}
    settings.api.preload_image = False
    app = create_app(settings, looks_after=False)
    async with app.router.lifespan_context(app):
        service: Service = app.state.service
        engine = service.serving.engine
        ids = service.boards.list_ids(board_id, engine.opened, engine.holds)
        if form == "zip":
            pieces = Packer(service, ids, language()).pack()
        else:
            stream = stream_table if form == "csv" else stream_json
            pieces = stream(service.executors, engine, ids, language())
        return Exported(form, len(ids), await _write(pieces, file))


async def _write(pieces: AsyncGenerator[bytes, None], file: Path) -> int:
    written, scratch = 0, None
    try:
        async with aclosing(pieces):
            handle, scratch = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.absolute().parent)
            with os.fdopen(handle, "wb") as target:
                async for piece in pieces:
                    written += target.write(piece)
        umask = os.umask(0)
        os.umask(umask)
        Path(scratch).chmod(0o666 & ~umask)  # as any file that a person writes
        Path(scratch).replace(file)
    except OSError as error:
        raise BoardExportUnwritable(file, os_message(error)) from error
    finally:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)
    return written
