"""The first build of a library, published early and again as it grows, so that pictures are searched meanwhile."""

import logging
from collections.abc import Callable
from dataclasses import replace

from indexer.library.builds.current import current_build, read_current
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import IndexDamaged, NoIndex
from indexer.library.layout import Layout
from indexer.pipeline.encode import Progress
from indexer.pipeline.publish import PublishOptions, publish
from models.foundation.errors import ImageSearchError

logger = logging.getLogger(__name__)

FIRST = 300  # pictures of the first build
TIMES = 10  # so many times what is published has to be there before it is published again
_EARLY = "early_build"  # the note of the catalog: the build that was published before its run was over


def is_early(layout: Layout, catalog: Catalog) -> bool:
    """Say whether the build in use was published before its run was over, or there is none."""
    try:
        return current_build(layout) == catalog.get_meta(_EARLY)
    except NoIndex:
        return True
    except IndexDamaged:
        return False


def end_growth(catalog: Catalog) -> None:
    """Note that the build in use is of a run that is over."""
    if catalog.get_meta(_EARLY):
        with catalog.writing():
            catalog.put_meta(_EARLY, "")


class Growth:
    """Publishes a library that has no build yet at `first` pictures, and at each tenfold of what is published.

    Only where as many are still to come, so that little is made in vain, and only while the index is exact: training
    another takes long. Each takes the place of the one before it, and a run that was killed goes on from there.
    """

    def __init__(
        self,
        layout: Layout,
        catalog: Catalog,
        options: PublishOptions,
        *,
        first: int,
        most: int,
        prepare: Callable[[], None],
    ) -> None:
        """Begin: with `first` 0 nothing is published, nor beyond `most` pictures. `prepare` is called before each."""
        self._layout = layout
        self._catalog = catalog
        self._options = replace(options, takes_place=True)
        self._prepare = prepare
        self._most = most
        self._before = catalog.counts()["indexed"]
        self._next = _next_count(layout, first) if first and is_early(layout, catalog) else None

    def is_due(self, progress: Progress) -> bool:
        """Say whether it is time to publish what has been encoded, as far as a run has come."""
        if self._next is None:
            return False
        count = self._before + progress.encoded + progress.copied
        return count >= self._next and progress.total - progress.done >= count

    def publish(self) -> None:
        """Publish everything that is indexed. Where that fails the run goes on, and its end says why."""
        encoders = self._catalog.list_encoders()
        count, self._next = self._catalog.counts()["indexed"], None
        lacks = any(self._catalog.count_without_vector(encoder.id) for encoder in encoders)  # of one that was added
        if count > self._most or lacks:
            return
        try:
            self._prepare()
            build = publish(self._layout, self._catalog, encoders, self._options).build
        except ImageSearchError as error:
            logger.warning("nothing is published before the run is over: %s", error)
            return
        with self._catalog.writing():
            self._catalog.put_meta(_EARLY, build)
        self._next = TIMES * count
        logger.info("build %s with the first %d pictures", build, count)


def _next_count(layout: Layout, first: int) -> int:
    """Return how many pictures are to be there before the next build is made."""
    try:
        return TIMES * max(index.count for index in read_current(layout).indexes)
    except (NoIndex, IndexDamaged):
        return first
