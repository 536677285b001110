"""The boards of a library with the pictures that the library has by now.

A picture keeps its id for the life of a catalog. Where the catalog was made anew, or a file has come to lie elsewhere,
it is found again by what its file holds, or else by where it lies.
"""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from api.boards.errors import BoardAmbiguous, BoardNotFound, BoardsUnavailable
from api.boards.records import FAVOURITES, BoardEntry, BoardRecord
from api.boards.store import BoardStore
from api.kept import Kept
from indexer.library.annotations.fields import CatalogField, Field, FieldSet, FieldType
from indexer.library.catalog.marks import PictureMark
from indexer.library.filters import AllOf, Filter, Listed
from indexer.library.index.port import Mask
from indexer.library.opened import OpenBuild
from models.foundation.messages import mark
from models.foundation.vectors import Ids
from models.language.text import fold_text

logger = logging.getLogger(__name__)

_LANGUAGES = ("en", "zh")
_COVERS = 4
_KEPT = 8  # boards whose pictures are remembered
_LOOKED_THROUGH = 12  # of the first pictures of a board, for those that show what it has
_BOARD = Field(name="board", type=FieldType.WORDS, label=mark("Board"), filterable=True, shown=False)


@dataclass(frozen=True, slots=True)
class PlacedPicture:
    """What is on a board: its entry, and the id of the picture by now, None where the library does not have it."""

    entry: BoardEntry
    image_id: int | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """What was on a board as it was then."""

    board: BoardRecord
    pictures: list[PlacedPicture]


class LibraryBoards:
    """The boards of a library. Safe to use from several threads."""

    def __init__(self, store: BoardStore) -> None:
        self.store = store
        self._found: Kept[Hashable, _Placed] = Kept(_KEPT)

    def find(self, board_id: str, opened: OpenBuild, holds: Callable[[Ids], Mask]) -> list[PlacedPicture]:
        """Return what is on a board, in order; `holds` says which pictures a build has. Raises BoardNotFound."""
        board = self.store.get_board(board_id)
        key = (board_id, opened.manifest.build, opened.catalog.version())
        known = self._found.get(key)
        if known is None or known.board != board:
            known = self._place(board, known, opened, holds)
            self._found.put(key, known)
        return known.pictures

    def list_ids(self, board_id: str, opened: OpenBuild, holds: Callable[[Ids], Mask]) -> list[int]:
        """Return the ids of the pictures on a board that the library has, each once. Raises BoardNotFound."""
        found = self.find(board_id, opened, holds)
        return list(dict.fromkeys(one.image_id for one in found if one.image_id is not None))

    def find_boards(
        self, image_ids: Sequence[int], opened: OpenBuild, holds: Callable[[Ids], Mask]
    ) -> dict[str, list[int]]:
        """Return the boards that have any of some pictures by their ids, each with the ids of those pictures."""
        sought = np.array(image_ids, np.int64)
        marks = opened.catalog.get_marks(sought[holds(sought)].tolist())
        boards = self.store.list_suspects(marks)
        found = find_again([one for entries in boards.values() for one in entries], opened)
        on = {board_id: {found.get(one.number) for one in entries} for board_id, entries in boards.items()}
        asked = [one for one in dict.fromkeys(image_ids) if one in marks]
        kept = {board_id: [one for one in asked if one in ids] for board_id, ids in on.items()}
        return {board_id: ids for board_id, ids in kept.items() if ids}

    def find_covers(
        self, boards: Sequence[BoardRecord], opened: OpenBuild, holds: Callable[[Ids], Mask]
    ) -> dict[str, list[int]]:
        """Return the ids of the first pictures on boards, by the ids of the boards."""
        entries = self.store.list_first([one.id for one in boards if one.count], _LOOKED_THROUGH)
        found = find_again([one for own in entries.values() for one in own], opened)
        there = _those_held(found, holds)
        return {
            board_id: [found[one.number] for one in own if found.get(one.number) in there][:_COVERS]
            for board_id, own in entries.items()
        }

    def add(self, board_id: str, image_ids: Sequence[int], opened: OpenBuild) -> BoardRecord:
        """Put pictures of the library on a board, in this order. Raises BoardNotFound and BoardFull."""
        known = opened.catalog.get_marks(image_ids)
        marks = {image_id: known[image_id] for image_id in image_ids if image_id in known}
        return self.store.add(board_id, marks, lambda entries: find_again(entries, opened))

    def remove(
        self, board_id: str, image_ids: Sequence[int], opened: OpenBuild, *, missing: bool = False
    ) -> BoardRecord:
        """Take pictures off a board; with `missing` those too that the library has no more. Raises BoardNotFound."""
        unwanted = set(image_ids)

        def choose(entries: Sequence[BoardEntry]) -> list[int]:
            found = find_again(entries, opened)
            return [
                one.number
                for one in entries
                if (found[one.number] in unwanted if one.number in found else missing or one.image_id in unwanted)
            ]

        known = opened.catalog.get_marks(image_ids)
        suspects = None if missing else {one: known.get(one) for one in image_ids}
        return self.store.remove(board_id, suspects, choose)

    def can_be_read(self) -> bool:
        """Say whether there are conditions on boards: where their file is damaged, all else goes on."""
        try:
            self.store.get_board(FAVOURITES)
        except BoardsUnavailable:
            return False
        return True

    def resolve(self, named: str) -> BoardRecord:
        """Return a board by its id or else its name, in any case. Raises BoardNotFound and BoardAmbiguous."""
        boards = self.store.list_boards()
        ways: tuple[Callable[[BoardRecord], bool], ...] = (
            lambda one: one.id == named,
            lambda one: one.name == named,
            lambda one: fold_text(named) in {fold_text(one.title(language)) for language in _LANGUAGES},
        )
        found = next(filter(None, ([one for one in boards if fits(one)] for fits in ways)), [])
        if len(found) > 1:
            raise BoardAmbiguous(named, [one.id for one in found])
        if not found:
            raise BoardNotFound(named)
        return found[0]

    def narrow(self, where: Filter | None, opened: OpenBuild, holds: Callable[[Ids], Mask]) -> Filter | None:
        """Return conditions with the pictures of boards in place of their ids or names.

        Raises BoardNotFound and BoardAmbiguous.
        """
        asked = where.get(_BOARD.name) if where else None
        if where is None or not isinstance(asked, AllOf):
            return where
        narrowed = Filter(tuple(one for one in where.conditions if one[0] != _BOARD.name))
        for alternatives in asked.texts:
            ids = [self.list_ids(self.resolve(one).id, opened, holds) for one in alternatives]
            own = Listed.of(alternatives, np.array([one for each in ids for one in each], np.int64))
            narrowed = narrowed.narrowed(_BOARD.name, own)
        return narrowed

    def _place(
        self, board: BoardRecord, before: "_Placed | None", opened: OpenBuild, holds: Callable[[Ids], Mask]
    ) -> "_Placed":
        """Find the pictures of a board; of those that were found before in this build nothing is looked up again."""
        known = {one.entry.number: one for one in before.pictures} if before else {}
        entries = self.store.list_entries(board.id)
        kept = {one.number: last for one in entries if (last := known.get(one.number)) and last.entry == one}
        new = [one for one in entries if one.number not in kept]
        found = self._find(new, opened) if new else {}
        there = _those_held(found, holds)
        for one in new:
            image_id = found.get(one.number)
            kept[one.number] = PlacedPicture(one, image_id if image_id in there else None)
        return _Placed(board, [kept[one.number] for one in entries])

    def _find(self, entries: Sequence[BoardEntry], opened: OpenBuild) -> dict[int, int]:
        """Return the numbers of entries and the ids of their pictures by now; what has changed is kept."""
        found = find_again(entries, opened)
        marks = opened.catalog.get_marks(list(found.values()))
        changed: dict[int, tuple[int, PictureMark]] = {}
        for one in entries:
            now = marks.get(found.get(one.number, 0))
            if now and (one.image_id, one.mark) != (found[one.number], now):
                changed[one.number] = found[one.number], now
        if changed:
            with suppress(BoardsUnavailable):  # a library that cannot be written to: they are found again next time
                self.store.refresh(changed)
                logger.info("%d pictures on boards have other ids, files or places by now", len(changed))
        return found


def with_board(fields: FieldSet) -> FieldSet:
    """Return the fields of a library, and the boards as what there are conditions on."""
    return FieldSet((*fields, CatalogField(_BOARD, "NULL")))


def find_again(entries: Sequence[BoardEntry], opened: OpenBuild) -> dict[int, int]:
    """Return the numbers of entries and the ids of their pictures; of those that the library does not have nothing."""
    catalog = opened.catalog
    marks = catalog.get_marks([one.image_id for one in entries])
    found = {one.number: one.image_id for one in entries if _is_same(one.mark, marks.get(one.image_id))}
    # One that has come to lie elsewhere is not there any more. Else its id is by now that of a copy.
    elsewhere = [one for one in entries if marks.get(one.image_id) != one.mark]
    again = catalog.find_marked([one.mark for one in elsewhere]) if elsewhere else {}
    there = catalog.get_marks(list(again.values())) if again else {}
    for one in elsewhere:
        image_id = again.get(one.mark)
        if image_id is not None and (one.number not in found or there.get(image_id) == one.mark):
            found[one.number] = image_id
    return found


def _those_held(found: Mapping[int, int], holds: Callable[[Ids], Mask]) -> set[int]:
    ids = np.fromiter(found.values(), np.int64, len(found))
    return set(ids[holds(ids)].tolist())


def _is_same(kept: PictureMark, now: PictureMark | None) -> bool:
    """Say whether the picture that has an id is the one that had it: its file holds the same, or lies where it lay."""
    return now is not None and (kept.sha256 == now.sha256 or (kept.root, kept.path) == (now.root, now.path))
