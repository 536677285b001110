"""What the libraries of a service have in common: the door, threads, decoding, and encoders that are the same."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.config import ApiSettings
from api.http.batching import MicroBatcher
from api.http.decoding.gate import Decoding
from api.http.door.admission import Admission
from api.http.door.gates import SMALL_BODY, Work
from api.http.executors import Executors
from api.http.metrics import Metrics
from api.http.tracing import Tracing
from api.search.encoders import EncoderTowers
from api.search.plan import Encoded, EncoderPlan
from models.foundation.vectors import Pixels, Vectors


@dataclass(frozen=True, slots=True)
class Batchers:
    """What is in front of the two towers of one encoder."""

    encoders: EncoderTowers
    texts: MicroBatcher[str, Vectors]
    images: MicroBatcher[Pixels, Vectors]

    async def encode(self, asked: EncoderPlan) -> Encoded:
        """Return the vectors of what the encoder is asked."""
        return await asyncio.gather(
            asyncio.gather(*(self.texts.submit(wording) for wording in asked.wordings)),
            asyncio.gather(*(self.images.submit(pixels) for pixels in asked.pictures)),
        )

    def close(self) -> None:
        """Let go of their threads."""
        self.texts.close()
        self.images.close()


class Shared:
    """What is there once, however many libraries are served."""

    def __init__(self, settings: ApiSettings, metrics: Metrics, tracing: Tracing | None = None) -> None:
        self.tracing = tracing or Tracing()
        self._settings = settings
        self._metrics = metrics
        self.admission = _admission(settings, metrics)
        self.executors = Executors(lambda kind, waited_s: metrics.queue_seconds.labels(kind).observe(waited_s))
        self.decoding = Decoding(settings, metrics)
        self._in_use: list[Callable[[], Sequence[Batchers]]] = []

    def add(self, list_batchers: Callable[[], Sequence[Batchers]]) -> None:
        """Take what tells the batchers that a library uses now."""
        self._in_use.append(list_batchers)

    def list_known(self) -> dict[EncoderTowers, Batchers]:
        """Return the encoders that some library uses, with what is in front of them.

        Those without weights come first: of two that are equal the last is taken.
        """
        found = [batchers for in_use in self._in_use for batchers in in_use()]
        found.sort(key=lambda batchers: batchers.encoders.missing is None)
        return {batchers.encoders: batchers for batchers in found}

    def put_batchers(self, encoders: EncoderTowers) -> Batchers:
        """Put batchers in front of an encoder."""
        api = self._settings

        def encode_texts(texts: list[str]) -> Sequence[Vectors]:
            self._metrics.batch_size.labels("text").observe(len(texts))
            return encoders.encode_texts(texts)

        def encode_images(pixels: list[Pixels]) -> Sequence[Vectors]:
            self._metrics.batch_size.labels("image").observe(len(pixels))
            return encoders.encode_images(pixels)

        return Batchers(
            encoders,
            MicroBatcher(
                encode_texts, max_batch=api.max_batch, on_wait=self._metrics.queue_seconds.labels("texts").observe
            ),
            MicroBatcher(
                encode_images,
                max_batch=api.max_picture_batch,
                on_wait=self._metrics.queue_seconds.labels("pictures").observe,
            ),
        )

    def close(self) -> None:
        """End decoding, and let go of the threads."""
        for batchers in self.list_known().values():
            batchers.close()
        self.decoding.close()
        self.executors.close()


def _admission(settings: ApiSettings, metrics: Metrics) -> Admission:
    """Return the door's count of requests, which is shown among the metrics."""
    limits = {
        Work.TEXT: settings.max_texts,
        Work.PICTURE: settings.max_pictures,
        Work.FILE: settings.max_files,
        Work.ARCHIVE: settings.max_archives,
    }
    largest = 2 * settings.max_upload_bytes + SMALL_BODY  # one request always fits

    def show(work: Work | None) -> None:
        if work is None:
            metrics.body_bytes.set(admission.held_bytes)
        else:
            metrics.in_flight.labels(work).set(admission.count(work))

    most_bytes = max(settings.max_body_bytes, largest * 8 // 7 + 1)
    admission = Admission(limits, most_bytes, lambda work: metrics.refused.labels(work).inc(), show)
    for work in Work:
        show(work)
    return admission
