"""Traces: a span for each request and each stage, in the trace of the client, and never what was asked."""

import json
import re
import sys
import urllib.error
import urllib.request

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.config import ApiSettings, Settings
from api.http.app import create_app
from api.http.tracing import Tracing, open_tracing
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from models.foundation.errors import BackendNotInstalled, InvalidSetting

SECRET = "neighbours"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def data(photographs, tmp_path_factory):
    data = tmp_path_factory.mktemp("traced") / "data"
    build(IndexerSettings(data=data, workers=0), [photographs], BuildOptions(encoders=["hash"]))
    return data


@pytest.fixture(scope="module")
def spans():
    return InMemorySpanExporter()


@pytest.fixture(scope="module")
def address(data, spans, serve_app):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return serve_app(create_app(Settings(data=data), tracing=Tracing(provider)))


def ask(url: str, body: object = None, **headers: str) -> int:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


def finished(spans, wait_until, name: str):
    wait_until(lambda: name in [span.name for span in spans.get_finished_spans()], f"the span {name}")
    found = spans.get_finished_spans()
    spans.clear()
    return {span.name: span for span in found}, "".join(span.to_json() for span in found)


def test_a_search_is_one_trace_with_its_stages(address, spans, wait_until):
    parent = f"00-{TRACE}-b7ad6b7169203331-01"
    assert ask(f"{address}/v1/search?q={SECRET}", traceparent=parent) == 200
    found, said = finished(spans, wait_until, "GET /v1/search")
    assert set(found) == {"GET /v1/search", "decode", "plan", "encode", "search"}
    root = found["GET /v1/search"]
    assert {format(span.context.trace_id, "032x") for span in found.values()} == {TRACE}
    assert format(root.parent.span_id, "016x") == "b7ad6b7169203331"
    assert {span.parent.span_id for span in found.values() if span is not root} == {root.context.span_id}
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["xuntu.request_id"] == TRACE
    assert found["encode"].attributes["xuntu.encoders"] == ("hash",)
    assert SECRET not in said


def test_what_goes_wrong_is_told_without_what_was_asked(address, spans, wait_until):
    assert ask(f"{address}/v1/search", {"clauses": [{"text": SECRET, "weight": 1, "image_id": 1}]}) == 422
    assert ask(f"{address}/v1/search?q=a&where={SECRET}") == 422
    found, said = finished(spans, wait_until, "GET /v1/search")
    assert found["GET /v1/search"].attributes["http.response.status_code"] == 422
    assert SECRET not in said
    assert ask(f"{address}/v1/images/999999") == 404
    found, said = finished(spans, wait_until, "GET /v1/images/{image_id}")
    assert "999999" not in re.sub(r'"(start|end)_time": ".*?"', "", said)


def test_health_is_not_traced(address, spans, wait_until):
    for path in ("/healthz", "/metrics", f"/{SECRET}"):
        ask(address + path)
    assert ask(f"{address}/v1/search?q=b") == 200
    found, _ = finished(spans, wait_until, "GET /v1/search")
    assert all(not name.startswith("GET") or name == "GET /v1/search" for name in found)


def test_traces_are_off_unless_they_are_asked_for(monkeypatch, tmp_path):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(data=tmp_path)
    assert open_tracing(settings)._provider is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    tracing = open_tracing(settings)
    assert tracing._provider.resource.attributes["service.name"] == "xuntu"
    tracing.close()
    assert open_tracing(Settings(data=tmp_path, api=ApiSettings(otel=False)))._provider is None
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_tracing(Settings(data=tmp_path, api=ApiSettings(otel=True)))._provider is None


def test_offline_traces_do_not_leave_the_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318")
    with pytest.raises(InvalidSetting, match="within this machine"):
        open_tracing(Settings(data=tmp_path, offline=True))


def test_without_the_extra_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(BackendNotInstalled, match="otel"):
        open_tracing(Settings(data=tmp_path))
