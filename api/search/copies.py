"""Copies of one picture: those with the same bytes, and near-duplicates on which hash and vector agree."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from api.search.duplicate_collapse import DuplicateCollapser
from indexer.library.catalog.records import ImageRow
from indexer.library.opened import OpenBuild

_LOOKED_AT = 200  # the most similar pictures: a near-duplicate is among them, where there are not so many


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCopy:
    """An exact copy of a picture, or a near-duplicate of it, with its distance: bits of the hash, and cosine."""

    why: Literal["copy", "near"]
    picture: ImageRow
    bits: int
    cosine: float


def find_copies(opened: OpenBuild, collapser: DuplicateCollapser, picture: ImageRow) -> list[PictureCopy]:
    """Return the copies of a picture in a build: exact ones, ascending by id, then the nearest first.

    Near-duplicates are looked for among the 200 most similar pictures. Of a video there are exact copies only.
    """
    index = opened.index
    same = [row.id for row in opened.catalog.list_images_of([picture.content_id]).get(picture.content_id, ())]
    ids = np.array([picture.id, *(one for one in same if one != picture.id)], np.int64)
    ids = ids[index.holds(ids)]
    if not len(ids) or ids[0] != picture.id:
        return []
    nearest = index.search(index.fetch(ids[:1]), _LOOKED_AT, kind="picture").ids[0]
    looks, found = collapser.group(np.concatenate([ids, np.setdiff1d(nearest[nearest >= 0], ids)]))
    places = np.flatnonzero(found.leaders == 0)[1:]
    rows = opened.catalog.get_images(looks.ids[places].tolist())
    copies = [
        PictureCopy(
            why="copy" if looks.contents[place] == looks.contents[0] else "near",
            picture=rows[int(looks.ids[place])],
            bits=int(found.bits[place]),
            cosine=float(found.cosines[place]),
        )
        for place in places
    ]
    return sorted(copies, key=lambda one: (one.why != "copy", -one.cosine, one.picture.id))
