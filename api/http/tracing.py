"""Traces by OpenTelemetry: a span for each request, and one for each stage of a search.

Spans of our own, in place of an instrumentation of the web framework: that would write down addresses, and with them
what people search for. What is asked, found or named is in none of these. Without the extra `otel` nothing is traced.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request

from api.config import Settings, is_loopback
from api.search.pictures import QueryPictures
from api.search.plan import Encoded, Plan
from api.search.query import Query
from api.search.results import SearchResult
from api.search.stages import Stages
from models.foundation.errors import BackendNotInstalled, InvalidSetting
from models.foundation.messages import message

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TRACED = "/v1"  # not the checks of health and the metrics, which are asked for every few seconds


class Tracing:
    """Traces requests and stages; without a provider of spans, nothing."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider
        self._tracer: Tracer | None = provider.get_tracer("xuntu") if provider else None

    @contextmanager
    def request(self, request: Request, route: str, request_id: str) -> Iterator["RequestSpan"]:
        """Give the span of a request, which joins the trace that the client names (`traceparent`)."""
        if self._tracer is None or not route.startswith(_TRACED):
            yield RequestSpan(None)
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        asked = TraceContextTextMapPropagator().extract(dict(request.headers))
        known = {"http.request.method": request.method, "http.route": route, "xuntu.request_id": request_id}
        with self._tracer.start_as_current_span(
            f"{request.method} {route}",
            context=asked,
            kind=SpanKind.SERVER,
            attributes=known,
            record_exception=False,  # their texts may hold what was asked
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span)

    def stages(self, stages: Stages) -> Stages:
        """Return the stages of a search with a span around each."""
        return stages if self._tracer is None else _TracedStages(stages, self._tracer)

    def close(self) -> None:
        """Send what has not been sent yet."""
        if self._provider is not None:
            self._provider.shutdown()


class RequestSpan:
    """The span of a request, or none."""

    def __init__(self, span: "Span | None") -> None:
        self._span = span

    def answered(self, status: int) -> None:
        """Write down the status that was answered."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("http.response.status_code", status)
            if status >= 500:
                self._span.set_attribute("error.type", str(status))
                self._span.set_status(StatusCode.ERROR)


class _TracedStages:
    def __init__(self, stages: Stages, tracer: "Tracer") -> None:
        self._stages, self._tracer = stages, tracer

    def decode(self, query: Query) -> AbstractAsyncContextManager[QueryPictures]:
        return self._decode(query)

    @asynccontextmanager
    async def _decode(self, query: Query) -> AsyncIterator[QueryPictures]:
        span = self._tracer.start_span("decode", attributes={"xuntu.clauses": len(query.clauses)})
        try:
            async with self._stages.decode(query) as decoded:
                span.end()
                yield decoded
        finally:
            if span.is_recording():
                span.end()

    async def plan(self, query: Query, decoded: QueryPictures) -> Plan:
        with self._span("plan"):
            return await self._stages.plan(query, decoded)

    async def encode(self, plan: Plan) -> Mapping[str, Encoded]:
        with self._span("encode") as span:
            span.set_attribute("xuntu.encoders", [asked.encoder for asked in plan.encoders])
            return await self._stages.encode(plan)

    async def rank(self, plan: Plan, encoded: Mapping[str, Encoded]) -> SearchResult:
        with self._span("search") as span:
            result = await self._stages.rank(plan, encoded)
            span.set_attribute("xuntu.hits", len(result.hits))
            return result

    @contextmanager
    def _span(self, name: str) -> Iterator["Span"]:
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            yield span


def open_tracing(settings: Settings) -> Tracing:
    """Return what the settings ask for. Raises BackendNotInstalled, and InvalidSetting where nothing may be sent."""
    wanted = settings.api.otel
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
    if wanted is None:
        wanted = bool(endpoint)
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Tracing()
    if settings.offline and endpoint and not is_loopback(urlsplit(endpoint).hostname or ""):
        why = message("with XUNTU_OFFLINE=1 traces are sent within this machine only")
        raise InvalidSetting("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, why)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BackendNotInstalled("opentelemetry-sdk", "otel") from error
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": "xuntu"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
