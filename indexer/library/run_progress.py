"""How far the run that writes to a library has come, for whoever asks meanwhile: a small file in its folder.

It says nothing once its process has let go of the library, however that ended.
"""

import json
import os
from contextlib import suppress
from typing import Any

from indexer.library.layout import Layout
from indexer.library.lock import find_writer
from models.foundation.files import JSON_ERRORS


class ProgressFile:
    """Writes what a run says. Where that cannot be written the run goes on: nobody needs it to."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.progress

    def write(self, **told: Any) -> None:
        """Write what is told in place of what was before."""
        scratch = self._path.with_name(f".{self._path.name}.tmp")
        with suppress(OSError):  # not synced: it is worth nothing after a crash
            scratch.write_text(json.dumps({**told, "pid": os.getpid()}), "ascii")
            scratch.replace(self._path)

    def close(self) -> None:
        """Take the file away."""
        with suppress(OSError):
            self._path.unlink()


def read_progress(layout: Layout) -> dict[str, Any] | None:
    """Return what the process that writes to a library has said last; {} of one that says nothing, None for nobody.

    It may be of this machine or another, where only the file is known.
    """
    writer = find_writer(layout)
    if writer is None:
        return None
    try:
        told = json.loads(layout.progress.read_bytes())
    except JSON_ERRORS:
        return {}
    return told if isinstance(told, dict) and writer in (0, told.get("pid")) else {}
