"""What the service counts, for Prometheus."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_Merging = Literal["livesum", "livemax", "livemostrecent"]


class Metrics:
    """The metrics of one application; where several processes answer, each can tell those of all together.

    Then they lie in files of a folder, which the environment names (PROMETHEUS_MULTIPROC_DIR).
    """

    def __init__(self, worker: str = "0") -> None:
        """`worker`: what the process is called among several."""
        self.worker = worker
        self.registry = CollectorRegistry()
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self.requests = Counter(
            "xuntu_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "xuntu_request_seconds", "Whole request", ("method", "route"), buckets=_SECONDS, registry=self.registry
        )
        self.in_flight = self._gauge("xuntu_in_flight", "Requests inside, by kind of work", "livesum", "work")
        self.body_bytes = self._gauge("xuntu_body_bytes", "Bytes of bodies that are held", "livesum")
        self.refused = Counter("xuntu_refused", "Requests without room, by kind", ("work",), registry=self.registry)
        self.caller_requests = Counter(
            "xuntu_caller_requests", "Requests, by the name of the key", ("caller",), registry=self.registry
        )
        self.limited = Counter("xuntu_limited", "Requests beyond a rate", ("by",), registry=self.registry)
        self.stage_seconds = Histogram(
            "xuntu_stage_seconds", "Stages of a search", ("stage",), buckets=_SECONDS, registry=self.registry
        )
        self.decode_seconds = Histogram(
            "xuntu_decode_seconds", "Decoding a picture", ("task",), buckets=_SECONDS, registry=self.registry
        )
        self.decode_queue_seconds = Histogram(
            "xuntu_decode_queue_seconds",
            "Waiting for memory to decode in",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.decode_workers_ended = Counter(
            "xuntu_decode_workers_ended",
            "Decoding processes ended, or dead",
            ("why",),
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "xuntu_queue_seconds",
            "Waiting for a thread or for the encoder",
            ("queue",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "xuntu_encode_batch_size",
            "Inputs encoded at once",
            ("tower",),
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )
        self.pictures = self._gauge("xuntu_pictures", "Pictures in the build in use", "livemostrecent", "library")
        self.gpu_pictures = self._gauge(
            "xuntu_gpu_pictures", "Those that a GPU looks through", "livemostrecent", "library"
        )
        self.build = self._gauge("xuntu_build", "The build in use", "livemax", "library", "build", "encoder")
        self.workers = self._gauge("xuntu_workers", "Processes that answer", "livesum")
        requests = Counter("xuntu_worker_requests", "Requests answered", ("worker",), registry=self.registry)
        self.worker_requests = requests.labels(worker)
        self._builds: dict[str, set[tuple[str, str, str]]] = {}
        self._read: list[tuple[Gauge, Callable[[], float]]] = []

    def show_build(self, library: str, build: str, encoders: Iterable[str]) -> None:
        """Say which build of a library is in use, and no other."""
        now = {(library, build, encoder) for encoder in encoders}
        for labels in self._builds.get(library, set()) - now:
            self.build.labels(*labels).set(0)  # those of several processes cannot be taken away
            if self._folder is None:
                self.build.remove(*labels)
        for labels in now:
            self.build.labels(*labels).set(1)
        self._builds[library] = now

    def watch(self, gauge: Gauge, function: Callable[[], float]) -> None:
        """Show what a function returns. Where several processes answer, that is what it did when `look` was called."""
        if self._folder is None:
            gauge.set_function(function)
        else:
            self._read.append((gauge, function))

    def look(self) -> None:
        """Read the gauges that are watched."""
        for gauge, function in self._read:
            gauge.set(function())

    def to_text(self) -> bytes:
        """Return them in Prometheus's text format, those of all processes."""
        self.look()
        if self._folder is None:
            return generate_latest(self.registry)
        merged = CollectorRegistry()
        merged.register(_Merged(self._folder))
        return generate_latest(merged)

    def _gauge(self, name: str, meaning: str, mode: _Merging, *labels: str) -> Gauge:
        """Return a gauge. `mode`: what is said of the values of several processes."""
        return Gauge(name, meaning, labels, multiprocess_mode=mode, registry=self.registry)


class _Merged(Collector):
    """The metrics of all processes."""

    def __init__(self, folder: str) -> None:
        self._files = MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """Yield them, without the builds that none uses any more."""
        for metric in self._files.collect():  # type: ignore[no-untyped-call]
            if metric.name == "xuntu_build":
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric
