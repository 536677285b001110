"""The build in use, kept in use: opened, warmed up, followed when a new one is published."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

from api.boards.boards import LibraryBoards
from api.boards.store import BoardStore
from api.config import DEFAULT_LIBRARY, Settings
from api.http.decoding.gate import Decoding
from api.http.executors import Executors
from api.http.fetching import AddressFetches
from api.http.jobs.local import LocalJobs
from api.http.jobs.places import JobRoot, list_job_roots
from api.http.jobs.records import JobRecord
from api.http.jobs.webhook import Webhook
from api.http.metrics import Metrics
from api.http.shared import Batchers, Shared
from api.http.suggesting import SuggestionTables
from api.http.tickets.store import TicketStore
from api.search.encoders import EncoderSpace, EncoderTowers, load_encoders
from api.search.engine import SearchEngine
from api.search.pictures import PictureToDecode, QueryPictures
from api.search.plan import Encoded, Plan
from api.search.query import Clause, Query
from api.search.results import SearchResult
from api.search.stages import run_search, run_searches
from api.search.uploads import CheckedPicture, KeptPicture, UploadStore
from indexer.library.builds.current import current_build
from indexer.library.errors import LibraryBusy, NoIndex
from indexer.library.index.faiss.gpu_vectors import GpuVectors
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.parted import PartedIndex
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.library.replicas.replica import Replica, open_replica
from indexer.library.storage.errors import LibraryElsewhere, NoLibraryThere, StorageError, StorageUnavailable
from indexer.library.storage.shared_files import SharedFiles
from indexer.library.thumbnails import THUMBNAIL_SIDE
from models.foundation.errors import ImageSearchError
from models.pictures.limits import DecodeLimits

logger = logging.getLogger(__name__)

_SEARCHED_AT_ONCE = 4  # of the searches of one request
_RETRY_SECONDS = 30.0
_CLEAN_SECONDS = 30.0
_QUICK = range(1, 101)  # characters of a text that is read in less time than handing it to a thread takes


@dataclass(frozen=True, slots=True)
class Serving:
    """An engine and the batchers of its encoders, by name.

    A search is planned at once where that takes less than handing it to a thread, and ranked on a thread; what several
    requests encode is encoded together. Pictures are decoded by processes, so that no text waits for them.
    """

    engine: SearchEngine
    batchers: Mapping[str, Batchers]
    decoding: Decoding
    executors: Executors

    @asynccontextmanager
    async def decode(self, query: Query) -> AsyncIterator[QueryPictures]:
        """Decode the pictures that a query asks with; their memory is held until this is left."""
        started = time.perf_counter()
        if all(clause.image is None and clause.crop is None for clause in query.clauses):
            yield QueryPictures(started, {})
            return
        asked = await self.executors.search(self.engine.list_pictures, query)
        async with self.decoding.decode(list(asked.values())) as images:
            yield QueryPictures(started, dict(zip(asked, images, strict=True)))

    async def plan(self, query: Query, decoded: QueryPictures) -> Plan:
        """Read a query."""
        quick = query.match == "vector" and all(len(clause.text or "") in _QUICK for clause in query.clauses)
        if quick and all(batchers.encoders.reads_at_once for batchers in self.batchers.values()):
            return self.engine.plan(query, decoded)
        return await self.executors.search(self.engine.plan, query, decoded)

    async def encode(self, plan: Plan) -> dict[str, Encoded]:
        """Return the vectors of what a plan asks each of its encoders, by their names."""
        encoded = await asyncio.gather(*(self.batchers[asked.encoder].encode(asked) for asked in plan.encoders))
        return {asked.encoder: vectors for asked, vectors in zip(plan.encoders, encoded, strict=True)}

    async def rank(self, plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        """Search with these vectors."""
        return await self.executors.search(self.engine.rank, plan, encoded)


class Service:
    """Answers queries from the newest build. A request keeps the build it started with."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        shared: Shared | None = None,
        *,
        name: str = DEFAULT_LIBRARY,
        looks_after: bool = True,
    ) -> None:
        """`shared`: what other libraries use as well; without it all is this one's own.

        `looks_after`: it runs jobs, tells the webhook, and deletes uploads that are too old; else it only answers.
        """
        self._looks_after = looks_after
        self.settings = settings
        self.metrics = metrics
        self.name = name
        self._shared = shared or Shared(settings.api, metrics)
        self._owns_shared = shared is None
        self._shared.add(self._list_batchers)
        self.executors, self.decoding = self._shared.executors, self._shared.decoding
        self._layout = Layout(settings.data.absolute())
        self.webhook = Webhook(settings.api, offline=settings.offline)
        self.jobs = LocalJobs(self._layout, on_end=self._tell_of_job)
        self.uploads = UploadStore(
            self._layout.uploads,
            max_bytes=settings.api.uploads_bytes,
            max_age_s=3_600 * settings.api.uploads_hours,
            shared=SharedFiles(self._layout.data, "uploads"),
        )
        self.boards = LibraryBoards(BoardStore(self._layout.boards))
        self.tickets = TicketStore(self._layout.tickets, shared=SharedFiles(self._layout.data, "tickets"))
        self.suggestions = SuggestionTables()
        self._replica: Replica | None = None  # follows the library, where another machine writes it
        self._fetch_at = 0.0  # when it is to be asked again, after it failed
        self._clean_at = 0.0  # when uploads are to be looked through
        self._serving: Serving | None = None
        self._failed: str | None = None  # the build that could not be opened,
        self._retry_at = 0.0  # and when it may be tried again
        self.fetches = AddressFetches(settings)
        self._follower: asyncio.Task[None] | None = None
        self._gpu: GpuVectors | None = None
        metrics.watch(metrics.gpu_pictures.labels(name), self._count_on_gpu)

    @property
    def serving(self) -> Serving:
        """What answers now. Raises NoIndex."""
        if self._serving is None:
            raise NoIndex(self._layout.data)
        return self._serving

    @property
    def has_library(self) -> bool:
        """Whether there is a build to answer from."""
        return self._serving is not None

    async def start(self) -> None:
        """Open the build in use, if there is one, and begin to follow. Raises IndexMismatch or IndexDamaged."""
        await asyncio.to_thread(self._begin_replica)
        with contextlib.suppress(NoIndex):
            await self._open()
        self.follow()

    def _begin_replica(self) -> None:
        """Fetch the build in use, where the library is written on another machine. Not for the loop."""
        self._replica = open_replica(self.settings.data, self.settings.storage_address)
        if self._replica:
            try:
                self._replica.update()
            except (NoLibraryThere, LibraryBusy) as error:  # another process of this service fetches it
                logger.info("%s", error)
            except StorageUnavailable as error:  # what was fetched before is answered from
                if not self._layout.current.exists():
                    raise
                logger.error("%s", error)

    def check_home(self) -> None:
        """Raise LibraryElsewhere where the library is written on another machine, and cannot be changed here."""
        if self._replica:
            raise LibraryElsewhere(self._replica.address)

    def follow(self) -> None:
        """Begin to use every build that is published, and to run jobs."""
        self._follower = asyncio.create_task(self._follow())
        if self._looks_after:
            self.jobs.start()

    async def stop(self) -> None:
        """Stop following, and interrupt the job that runs."""
        await self.jobs.stop()
        self.webhook.stop()
        if self._gpu:
            self._gpu.close()
        if self._follower:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        self.fetches.close()
        await self.suggestions.stop()
        if self._owns_shared:
            self._shared.close()

    def _list_batchers(self) -> list[Batchers]:
        return list(self._serving.batchers.values()) if self._serving else []

    async def search(self, query: Query) -> SearchResult:
        """Answer `query`; texts and pictures of requests that come together are encoded together."""
        result = await run_search(self._shared.tracing.stages(self.serving), query)
        self._observe(result)
        return result

    async def search_many(self, queries: Sequence[Query]) -> list[SearchResult | ImageSearchError]:
        """Answer queries of one request from one build, each with a result or with what is wrong. Raises NoIndex."""
        results = await run_searches(self._shared.tracing.stages(self.serving), queries, at_once=_SEARCHED_AT_ONCE)
        for one in results:
            if isinstance(one, SearchResult):
                self._observe(one)
        return results

    async def keep_upload(self, data: bytes) -> KeptPicture:
        """Keep a picture to be asked with for a while.

        Raises DecodeError, ImageTooLarge, UploadsOff and UploadsUnavailable.
        """
        self.uploads.check_room(len(data))
        asked = PictureToDecode(limits=self._upload_limits, short_side=1, long_side=THUMBNAIL_SIDE, data=data)
        width, height, thumbnail = await self.decoding.check_upload(asked, THUMBNAIL_SIDE)
        return await self.executors.files(self.uploads.keep, data, CheckedPicture(width, height, thumbnail))

    @property
    def _upload_limits(self) -> DecodeLimits:
        settings = self.settings
        return DecodeLimits(
            max_pixels=settings.max_pixels, max_bytes=settings.api.max_upload_bytes, extra_formats=False
        )

    def _observe(self, result: SearchResult) -> None:
        for stage in ("encode", "search"):
            self.metrics.stage_seconds.labels(stage).observe(result.timings_ms[stage] / 1000)

    def list_job_roots(self) -> list[JobRoot]:
        """Return the places that jobs may read. Not for the loop."""
        roots = self._serving.engine.opened.catalog.list_roots() if self._serving else []
        return list_job_roots(self.settings.api, roots)

    def _tell_of_job(self, job: JobRecord) -> None:
        self.webhook.tell("job.ended", job=job.id, kind=job.kind, state=job.state, result=job.result, library=self.name)

    def _tell_of_build(self, before: Serving | None, after: Serving) -> None:
        """Have the webhook told of a build that is in use now; not of the first, with which the service starts."""
        if before is None and self._follower is None:
            return
        opened = after.engine.opened
        ids = opened.index.list_ids()
        known = before.engine.opened.index.list_ids() if before else ids[:0]
        self.webhook.tell(
            "build.published",
            build=opened.manifest.build,
            pictures=len(opened.index),
            added=len(np.setdiff1d(ids, known, assume_unique=True)),
            removed=len(np.setdiff1d(known, ids, assume_unique=True)),
            library=self.name,
        )

    async def _follow(self) -> None:
        """Use every build that is published, until this is stopped: what goes wrong is logged, and tried again."""
        try:
            self._gpu = await asyncio.to_thread(GpuVectors.open, self.settings.index_options)
            await self._use_gpu()
        except Exception:  # whatever it is, the processor answers, and builds are followed
            logger.exception("no GPU is used")
        while True:
            await asyncio.sleep(self.settings.api.follow_seconds)
            self.metrics.look()
            try:
                if self._looks_after:
                    await self._clean_uploads()
                await self._fetch_newest()
                await self._use_newest()
            except (NoIndex, NoLibraryThere, LibraryBusy):
                pass
            except (ImageSearchError, OSError) as error:
                logger.error("the new build is not used: %s", error)
            except Exception:  # whatever it is, the next build is followed
                logger.exception("the new build is not used")

    async def _clean_uploads(self) -> None:
        """Delete uploads that are too old, once in a while."""
        if time.monotonic() >= self._clean_at:
            self._clean_at = time.monotonic() + _CLEAN_SECONDS
            await asyncio.to_thread(self.uploads.clean)
            await asyncio.to_thread(self.tickets.clean_shared)

    async def _fetch_newest(self) -> None:
        """Fetch the build in use, where the library is written on another machine; once in a while if that fails."""
        if self._replica is None or time.monotonic() < self._fetch_at:
            return
        try:
            if await asyncio.to_thread(self._replica.update):
                await self._open()
                await self._use_gpu()
        except StorageError as error:
            self._fetch_at = time.monotonic() + _RETRY_SECONDS
            if not isinstance(error, NoLibraryThere):
                logger.error("what is new in the library is not fetched: %s", error)

    async def _use_newest(self) -> None:
        """Answer from the build in use, if that is another than before; one that failed is left alone for a while."""
        name = await asyncio.to_thread(current_build, self._layout)
        in_use = self._serving and self._serving.engine.opened.manifest.build
        if name == in_use or (name == self._failed and time.monotonic() < self._retry_at):
            return
        self._failed, self._retry_at = name, time.monotonic() + _RETRY_SECONDS
        await self._open()
        self._failed = None
        await self._use_gpu()

    async def _open(self) -> None:
        """Open and warm up the build in use beside the one that answers, then let it answer."""
        serving = await asyncio.to_thread(self._load)
        opened = serving.engine.opened
        before, self._serving = self._serving, serving
        self.metrics.pictures.labels(self.name).set(len(opened.index))
        self.metrics.show_build(self.name, opened.manifest.build, [index.entry.encoder for index in opened.indexes])
        logger.info("answering from build %s (%d pictures)", opened.manifest.build, len(opened.index))
        if (
            self._looks_after and self.settings.api.webhook and self.metrics.worker == "0"
        ):  # one of several processes tells of it
            await asyncio.to_thread(self._tell_of_build, before, serving)

    async def _use_gpu(self) -> None:
        """Have the GPU, if there is one, search the build in use; until it does, the processor answers."""
        if self._gpu:
            for index in self._list_segmented():
                await asyncio.to_thread(index.use, self._gpu)

    def _count_on_gpu(self) -> int:
        return sum(index.on_gpu for index in self._list_segmented())

    def _list_segmented(self) -> list[SegmentedIndex]:
        """Return the main indexes that a GPU can search: that of pictures, and that of their parts."""
        index = self._serving and self._serving.engine.opened.index
        own = (index.whole, index.parts) if isinstance(index, PartedIndex) else (index,)
        return [one for one in own if isinstance(one, SegmentedIndex)]

    def _load(self) -> Serving:
        settings = self.settings
        before = self._serving
        opened = open_build(settings.data, catalog=before.engine.opened.catalog if before else None)
        known = self._shared.list_known()
        encoders = load_encoders(opened, settings.runtime, known)
        engine = SearchEngine(
            opened, encoders, self._upload_limits, hub_correction=settings.hub_correction, routing=settings.routing
        )
        _warm_up_all(engine, known, image=settings.api.preload_image)
        batchers = {name: known.get(one) or self._shared.put_batchers(one) for name, one in encoders.items()}
        return Serving(engine, batchers, self.decoding, self.executors)


def _warm_up_all(engine: SearchEngine, known: Container[EncoderTowers], *, image: bool) -> None:
    """Warm up all encoders that are not known. One that cannot be loaded is logged; raises if none can be."""
    failed: list[ImageSearchError] = []
    for space in engine.spaces.values():
        try:
            if space.encoders not in known:
                _warm_up(engine, space, image=image)
        except ImageSearchError as error:
            failed.append(error)
    if len(failed) == len(engine.spaces):
        raise failed[0]
    for reason in failed:
        logger.error("what one of the library's encoders is asked is not answered: %s", reason)


def _warm_up(engine: SearchEngine, space: EncoderSpace, *, image: bool) -> None:
    """Run the towers of an encoder and a search once, so that the first person does not wait for it."""
    if image or not space.reads_text:
        side = space.encoders.spec.image_size
        space.encoders.encode_images([space.encoders.preprocess(Image.new("RGB", (side, side)))])
    if space.reads_text:
        engine.search(Query(clauses=[Clause(text="一只猫 a cat")], k=1, encoders=[space.name]))
