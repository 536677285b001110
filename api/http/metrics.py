"""What the service counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "xuntu_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "xuntu_request_seconds", "Whole request", ("method", "route"), buckets=_SECONDS, registry=self.registry
        )
        self.in_flight = Gauge("xuntu_in_flight", "Requests inside, by kind of work", ("work",), registry=self.registry)
        self.body_bytes = Gauge("xuntu_body_bytes", "Bytes of bodies that are held", registry=self.registry)
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
        self.pictures = Gauge("xuntu_pictures", "Pictures in the build in use", registry=self.registry)
        self.gpu_pictures = Gauge("xuntu_gpu_pictures", "Those that a GPU looks through", registry=self.registry)
        self.build = Gauge("xuntu_build", "The build in use", ("build", "encoder"), registry=self.registry)
