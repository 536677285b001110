"""The perceptual hashes that a library of an earlier version lacks, made of its thumbnails."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from indexer.annotators.phash import perceptual_hash
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.library.looks import to_signed
from models.foundation.devices import count_cpus

MOST_A_RUN = 100_000  # a few minutes of work; the next run goes on
_AT_ONCE = 1000
_REACHED = "hashes_made_up_to"  # a content id, or _ALL
_ALL = "all"


def make_missing_hashes(catalog: Catalog, layout: Layout) -> int:
    """Make hashes for contents that have none, at most MOST_A_RUN; return how many were made.

    Each thousand is a transaction of its own, so a run that is interrupted is gone on with. Contents whose thumbnail
    is gone are passed over, once. Raises LibraryUnwritable.
    """
    reached = catalog.get_meta(_REACHED)
    if reached == _ALL:
        return 0
    made = seen = 0
    with ThreadPoolExecutor(count_cpus()) as pool:
        while seen < MOST_A_RUN:
            todo = catalog.list_unhashed(int(reached or 0), min(_AT_ONCE, MOST_A_RUN - seen))
            hashes = pool.map(_hash_file, [layout.thumbnail(sha256) for _, sha256 in todo])
            found = [(value, content_id) for (content_id, _), value in zip(todo, hashes, strict=True)]
            known = [(to_signed(value), content_id) for value, content_id in found if value is not None]
            reached = str(todo[-1][0]) if todo else _ALL
            with catalog.writing():
                catalog.put_hashes(known)
                catalog.put_meta(_REACHED, reached)
            if not todo:
                break
            made, seen = made + len(known), seen + len(todo)
    return made


def _hash_file(path: Path) -> int | None:
    """Return the hash of a thumbnail, None if there is none that can be read."""
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            return perceptual_hash(image.convert("RGB"))
    except (OSError, ValueError):
        return None
