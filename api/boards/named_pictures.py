"""Pictures as people name them: by their ids, or by where their files lie."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from api.boards.errors import BoardPictureUnknown
from indexer.library.index.port import Mask
from indexer.library.opened import OpenBuild
from models.foundation.vectors import Ids

_MOST_DIGITS = 18


def find_pictures(named: Iterable[str], opened: OpenBuild, holds: Callable[[Ids], Mask]) -> list[int]:
    """Return the ids of the pictures of a build that are named, each once, in this order.

    A whole number is an id; anything else is where a file lies, or its path below a folder of the library, as lists of
    pictures have it. Raises BoardPictureUnknown for the first that is none, or several.
    """
    return list(dict.fromkeys(_find(one, opened, holds) for one in named))


def _find(named: str, opened: OpenBuild, holds: Callable[[Ids], Mask]) -> int:
    is_id = named.isascii() and named.isdecimal() and len(named) <= _MOST_DIGITS
    ways = [[int(named)]] if is_id else (_find_file(named, opened), _find_listed(named, opened))
    for found in ways:
        ids = np.array(sorted(set(found)), np.int64)
        held = ids[holds(ids)]
        if len(held) > 1:
            raise BoardPictureUnknown(named, len(held))
        if len(held):
            return int(held[0])
    raise BoardPictureUnknown(named, 0)


def _find_file(named: str, opened: OpenBuild) -> list[int]:
    """Return the pictures whose file lies there, seen from the folder that one is in."""
    path = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - links stay what they are
    catalog = opened.catalog
    below = [(one.id, one.path) for one in catalog.list_roots() if path.is_relative_to(one.path)]
    return catalog.find_at((root_id, str(path.relative_to(root))) for root_id, root in below)


def _find_listed(named: str, opened: OpenBuild) -> list[int]:
    """Return the pictures with that path in any source: below a folder, in a list, in a tar."""
    catalog = opened.catalog
    return catalog.find_at((one.id, named.removeprefix("./")) for one in catalog.list_roots())
