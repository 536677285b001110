"""What decodes for the service: pictures wait for memory, are decoded by workers, and are counted."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from PIL import Image

from api.config import ApiSettings
from api.http.decoding.budget import MemoryBudget
from api.http.decoding.jobs import DecodeJob, DecodeTask
from api.http.decoding.pool import WorkerPool
from api.http.metrics import Metrics
from api.search.pictures import PictureToDecode, explain
from models.pictures.cost import DecodeCost
from models.pictures.errors import DecodeError, ImageTooLarge

_LOOKING = 64 * 2**20  # bytes for reading a header, beside the file
_KEPT = 7 / 3  # times the bytes of RGB are held in the service: once as they came, once as a picture
_SPARE = 2**16  # pixels, by which rounding may change a result


class Decoding:
    """Decodes pictures away from the service, within its memory and time. For one event loop."""

    def __init__(self, settings: ApiSettings, metrics: Metrics) -> None:
        self.pool = WorkerPool(settings.decode_workers, settings.decode_seconds, metrics)
        self.budget = MemoryBudget(settings.decode_memory_bytes)
        self._most_pixels = settings.max_upload_pixels
        self._most_together = settings.max_request_pixels
        self._metrics = metrics

    @asynccontextmanager
    async def decode(self, asked: Sequence[PictureToDecode]) -> AsyncIterator[list[Image.Image]]:
        """Decode the pictures of a request, one after another; their memory is held until this is left.

        Raises ImageTooLarge (with too_many_pixels_together and too_much_memory as further reasons), DecodeError (with
        crashed and too_slow), FileGone and CropOutside.
        """
        asked = [self._limited(one) for one in asked]
        costs = []
        for one in asked:
            costs.append(await self._find_cost(one))
            self._check_together(costs)
        kept = sum(int(_KEPT * cost.kept_bytes) for cost in costs)
        unknown = any(cost.peak_bytes is None for cost in costs)
        peak = max(self._peak(cost) for cost in costs)
        async with self._take(peak if unknown else peak + kept):
            images = []
            for at, one in enumerate(asked):
                image, pixels = await self._decode(one, costs[at])
                images.append(image)
                if costs[at].peak_bytes is None:  # its header did not say
                    costs[at] = replace(costs[at], width=pixels, height=1)
                    self._check_together(costs)
            yield images

    async def make_thumbnail(self, asked: PictureToDecode, side: int) -> bytes:
        """Return a picture of the library as WebP within a square of `side` pixels. Raises as `decode`."""
        cost = await self._find_cost(asked)
        async with self._take(self._peak(cost)):
            job = DecodeJob(task=DecodeTask.THUMBNAIL, asked=asked, grant_bytes=self._peak(cost), side=side)
            _, body = await self._run(job, most_bytes=8 * side**2 + 2**16)
            return bytes(body)

    async def check_upload(self, asked: PictureToDecode, side: int) -> tuple[int, int, bytes]:
        """Return width and height of a picture that was sent, in pixels, and it as `make_thumbnail`. Raises as that."""
        asked = self._limited(asked)
        cost = await self._find_cost(asked)
        async with self._take(self._peak(cost)):
            job = DecodeJob(task=DecodeTask.THUMBNAIL, asked=asked, grant_bytes=self._peak(cost), side=side)
            facts, body = await self._run(job, most_bytes=8 * side**2 + 2**16)
            return int(facts["width"]), int(facts["height"]), bytes(body)

    def close(self) -> None:
        """End the workers."""
        self.pool.close()

    def _limited(self, asked: PictureToDecode) -> PictureToDecode:
        if asked.row is not None:
            return asked
        limits = replace(asked.limits, max_pixels=min(asked.limits.max_pixels, self._most_pixels))
        return replace(asked, limits=limits)

    async def _find_cost(self, asked: PictureToDecode) -> DecodeCost:
        looking = _LOOKING + 2 * asked.bytes
        self._check_memory(looking)
        async with self._take(looking):
            facts, _ = await self._run(DecodeJob(task=DecodeTask.COST, asked=asked, grant_bytes=looking))
        peak = None if facts["peak"] < 0 else int(facts["peak"])
        return DecodeCost(width=facts["width"], height=facts["height"], peak_bytes=peak, kept_bytes=facts["kept"])

    def _peak(self, cost: DecodeCost) -> int:
        """Return what is taken for a picture: where its header does not say, all there is."""
        if cost.peak_bytes is None:
            return self.budget.total_bytes
        self._check_memory(cost.peak_bytes)
        return cost.peak_bytes

    async def _decode(self, asked: PictureToDecode, cost: DecodeCost) -> tuple[Image.Image, int]:
        """Return a picture, and how many pixels its original has."""
        most = self.budget.total_bytes if cost.peak_bytes is None else cost.kept_bytes + 3 * _SPARE
        job = DecodeJob(task=DecodeTask.PIXELS, asked=asked, grant_bytes=self._peak(cost))
        facts, body = await self._run(job, most_bytes=most)
        size = (int(facts["columns"]), int(facts["rows"]))
        if min(size) < 1 or 3 * size[0] * size[1] != len(body):
            raise DecodeError("crashed")
        return Image.frombuffer("RGB", size, body, "raw", "RGB", 0, 1), facts["width"] * facts["height"]

    async def _run(self, job: DecodeJob, *, most_bytes: int = 0) -> tuple[dict[str, int], bytearray]:
        try:
            return await self.pool.run(job, most_bytes=most_bytes)
        except DecodeError as error:
            raise explain(job.asked, error) from error

    def _check_together(self, costs: Sequence[DecodeCost]) -> None:
        pixels = sum(cost.pixels for cost in costs)
        if len(costs) > 1 and pixels > self._most_together:
            said = f"{pixels / 1e6:.0f} megapixels, limit {self._most_together / 1e6:g}"
            raise ImageTooLarge("too_many_pixels_together", said)

    def _check_memory(self, size_bytes: int) -> None:
        if size_bytes > self.budget.total_bytes:
            said = f"{size_bytes / 2**20:.0f} MiB, limit {self.budget.total_bytes / 2**20:g}"
            raise ImageTooLarge("too_much_memory", said)

    @asynccontextmanager
    async def _take(self, size_bytes: int) -> AsyncIterator[None]:
        started = time.perf_counter()
        self._check_memory(size_bytes)
        async with self.budget.take(size_bytes):
            self._metrics.decode_queue_seconds.observe(time.perf_counter() - started)
            yield
