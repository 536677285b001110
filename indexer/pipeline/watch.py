"""Following the folders of a library live: what changes in them is brought into it, by the same code as an update."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from indexer.config import IndexerSettings
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import LibraryBusy
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, BuildReport, build
from indexer.sources.rules import IGNORE_FILES, NO_MEDIA, kind_of
from indexer.sources.sidecars import SUFFIXES as SIDECAR_SUFFIXES
from models.foundation.errors import BackendNotInstalled, ImageSearchError

logger = logging.getLogger(__name__)

_TICK_MS = 2_000  # how often it is asked whether to stop, and whether the library has other folders now
_RETRY_SECONDS = 60.0  # after an error, unless something else changes
_DEBOUNCE_MS = 1_600  # changes that come within so much of each other are one


def watch(
    settings: IndexerSettings,
    *,
    poll: bool = False,
    rescan_hours: float = 24,
    on_report: Callable[[BuildReport], None] = lambda _: None,
    on_error: Callable[[ImageSearchError], None] = lambda _: None,
    stop: Event | None = None,
) -> None:
    """Bring the library up to date, and then each file as it changes, until `stop` is set or Ctrl-C.

    `poll` looks at every file over and over, for network drives that report nothing. Everything is compared anew each
    `rescan_hours`, since a system may lose reports. Raises NoIndex, BackendNotInstalled, and what the first update
    raises; what a later one raises goes to `on_error`, and is tried again soon.
    """
    stop = stop or Event()
    on_report(build(settings, (), BuildOptions()))
    pending: set[Path] = set()
    rescan_at = time.monotonic() + 3600 * rescan_hours
    busy, retry_at = False, 0.0
    for changed in _changes(Layout(settings.data.absolute()), poll=poll, stop=stop):
        pending |= changed
        everything = time.monotonic() > rescan_at
        if (not pending and not everything) or (time.monotonic() < retry_at and not changed):
            continue
        try:
            on_report(build(settings, (), BuildOptions(only=None if everything else sorted(pending))))
            pending.clear()
            busy = False
        except LibraryBusy as error:
            if not busy:
                on_error(error)
            busy = True
            continue  # these changes wait
        except ImageSearchError as error:
            on_error(error)
            retry_at = time.monotonic() + _RETRY_SECONDS
            continue
        except Exception:
            logger.exception("bringing the library up to date failed; it is tried again")
            retry_at = time.monotonic() + _RETRY_SECONDS
            continue
        if everything:
            rescan_at = time.monotonic() + 3600 * rescan_hours


def _changes(layout: Layout, *, poll: bool, stop: Event) -> Iterator[set[Path]]:
    """Yield sets of paths that changed, empty ones now and then. Folders added to the library are followed too."""
    try:
        import watchfiles
    except ImportError as error:
        raise BackendNotInstalled("watchfiles", "index") from error
    while not stop.is_set():
        roots = _reachable_roots(layout)
        batches = watchfiles.watch(
            *roots,
            watch_filter=partial(_matters, layout, roots),
            debounce=_DEBOUNCE_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            force_polling=poll or None,
            stop_event=stop,
            raise_interrupt=True,
        )
        if not roots:
            stop.wait(_TICK_MS / 1000)
            yield set()
            continue
        unseen = set(roots)  # whatever happened in them before the system began to report
        for batch in batches:
            changed = {Path(path) for _, path in batch}
            yield changed | unseen
            unseen = set()
            # A list or tar file that was replaced is another file of the same name, which has to be watched anew.
            if _reachable_roots(layout) != roots or not changed.isdisjoint(roots):
                break


def _reachable_roots(layout: Layout) -> Sequence[Path]:
    catalog = Catalog(layout.catalog)
    try:
        return [root.path for root in catalog.list_roots() if root.path.exists()]
    finally:
        catalog.close()


def _matters(layout: Layout, roots: Sequence[Path], _change: object, name: str) -> bool:
    """Say whether a change may be one of pictures: of a root, a picture, or a folder, there or gone."""
    path = Path(name)
    if path in roots:
        return True
    if path.is_relative_to(layout.data) or path.is_relative_to(layout.data.resolve()):
        return False
    if path.suffix.lower() in SIDECAR_SUFFIXES or path.name in {NO_MEDIA, *IGNORE_FILES}:
        return True
    if kind_of(path.name) is not None or path.is_dir():
        return True
    return not path.name.startswith(".") and not path.exists()  # it may have been a folder
