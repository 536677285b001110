"""The boards of a library for a command: no encoder is loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from api.boards.boards import LibraryBoards
from api.boards.named_pictures import find_pictures
from api.boards.store import BoardStore
from indexer.library.index.port import Mask
from indexer.library.layout import Layout
from indexer.library.opened import OpenBuild, open_build
from models.foundation.vectors import Ids


class BoardLibrary:
    """The boards of a library, and the build in use, which is opened when it is asked for."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._opened: OpenBuild | None = None
        self.boards = LibraryBoards(BoardStore(Layout(data.absolute()).boards))

    @property
    def opened(self) -> OpenBuild:
        """The build in use. Raises NoIndex, and what is wrong with it."""
        if self._opened is None:
            self._opened = open_build(self._data)
        return self._opened

    def close(self) -> None:
        """Let go of files."""
        if self._opened is not None:
            self._opened.close()
            self._opened.catalog.close()

    def holds(self, ids: Ids) -> Mask:
        """Say which pictures the build has."""
        held = np.zeros(len(ids), np.bool_)
        for one in self.opened.indexes:
            held[~held] = one.index.holds(ids[~held])
        return held

    def find_pictures(self, named: Sequence[str]) -> list[int]:
        """Return the ids of pictures that are named by their ids or paths. Raises BoardPictureUnknown."""
        return find_pictures(named, self.opened, self.holds) if named else []

    def list_placed(self, board_id: str) -> list[dict[str, Any]]:
        """Return what is on a board, in order; `id` is None for what is no longer there. Raises BoardNotFound."""
        placed = self.boards.find(board_id, self.opened, self.holds)
        rows = self.opened.catalog.get_images([one.image_id for one in placed if one.image_id is not None])
        found: list[dict[str, Any]] = []
        for one in placed:
            row = None if one.image_id is None else rows.get(one.image_id)
            if row is None:
                mark = one.entry.mark
                found.append({"id": None, "path": mark.path, "root": mark.root, "place": None})
            else:
                found.append({"id": row.id, "path": row.shown_path, "root": row.root.name, "place": row.place})
        return found
