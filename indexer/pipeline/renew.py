"""Pictures that an earlier version of the decoder read -> which of them look otherwise now, to be encoded again.

Most look as they did, and nothing is decoded to tell. What cannot be reached just now, be it at an address or on a
drive that is not connected, is left for another time.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import UnknownSource
from indexer.library.originals import read_original
from models.foundation.devices import count_cpus
from models.pictures.decode import may_look_new
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

_AT_ONCE = 500


def renew(catalog: Catalog, limits: DecodeLimits, on_done: Callable[[int, int], None]) -> int:
    """Look at every content that was read by an earlier version; return how many are to be encoded again.

    What was seen is kept every few hundred, so that a run which is interrupted is gone on with.
    """
    total, after, done, anew = catalog.count_earlier_decoded(), 0, 0, 0
    with ThreadPoolExecutor(count_cpus()) as pool:
        while todo := catalog.list_earlier_decoded(after, _AT_ONCE):
            on_done(done, total)
            rows = catalog.list_images_of(todo)
            look = [pool.submit(_looks_new, rows.get(content_id, ()), limits) for content_id in todo]
            seen = {content_id: one.result() for content_id, one in zip(todo, look, strict=True)}
            changed = [content_id for content_id, looks_new in seen.items() if looks_new]
            with catalog.writing():
                catalog.put_decoded([one for one, looks_new in seen.items() if looks_new is False], anew=changed)
            after, done, anew = todo[-1], done + len(todo), anew + len(changed)
    if total:
        on_done(total, total)
    return anew


def _looks_new(rows: Sequence[ImageRow], limits: DecodeLimits) -> bool | None:
    """Say whether a picture may look otherwise now; None where it cannot be reached."""
    for row in rows:
        if row.is_video:
            return False
        try:
            return may_look_new(read_original(row, limits))
        except (DecodeError, UnknownSource):
            continue
    return None
