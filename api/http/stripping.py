"""An open file -> the same without where it was taken. What covers that is looked for once for each content."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from api.search.errors import PlaceNotRemovable
from indexer.library.opening import OpenOriginal
from models.pictures.locations.finding import find_locations
from models.pictures.locations.patches import Patch, UnremovableLocation

_REMEMBERED: Final = 1024
_MOST_BYTES: Final = 2**16  # of patches that are remembered

_found: OrderedDict[tuple[str, str], Sequence[Patch]] = OrderedDict()
_lock = threading.Lock()


def strip_location(opened: OpenOriginal, image_id: int, *, form: str, tag: str) -> str:
    """Cover where a picture was taken, by its format, and return the tag of what is left. Raises PlaceNotRemovable."""
    key = form, tag
    with _lock:
        patches = _found.get(key)
    if patches is None:
        try:
            patches = find_locations(opened.read, opened.size, form)
        except UnremovableLocation as error:
            raise PlaceNotRemovable(image_id, form) from error
        if sum(len(patch) for _, patch in patches) <= _MOST_BYTES:
            with _lock:
                _found[key] = patches
                if len(_found) > _REMEMBERED:
                    _found.popitem(last=False)
    opened.patches = patches
    return tag_without_location(tag)


def tag_without_location(tag: str) -> str:
    """Return what tells such a file from all others, by the tag of the whole file."""
    return f"{tag}-no-place"
