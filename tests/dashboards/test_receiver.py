"""The OTLP receiver, against the exporters that applications use and against bad senders."""

from __future__ import annotations

import gzip
import json
import math
import socket
import threading
import zlib

import pytest
import requests
from google.rpc.status_pb2 import Status
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from farthing_dashboards.otlp import LogRecord, Point, Span
from farthing_dashboards.receiver import Collected, Receiver

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
AWKWARD = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 7.5e-07, 0.06303]
RESOURCE = Resource({"service.name": "shop"})


def _http(exporter, signal, compression=Compression.Gzip):
    return lambda receiver: exporter(f"{receiver.url}/v1/{signal}", compression=compression)


def _grpc(exporter):
    import grpc

    return lambda receiver: exporter(
        receiver.grpc_url, insecure=True, compression=grpc.Compression.Gzip
    )


@pytest.fixture
def collected():
    return Collected()


@pytest.fixture
def receiver(collected):
    with Receiver(collected, grpc=True) as receiver:
        yield receiver


@pytest.mark.parametrize(
    "exporter",
    [
        _http(HttpSpans, "traces"),
        _http(HttpSpans, "traces", Compression.Deflate),
        _http(HttpSpans, "traces", Compression.NoCompression),
        _grpc(GrpcSpans),
    ],
    ids=["http-gzip", "http-deflate", "http-plain", "grpc-gzip"],
)
def test_spans_arrive_whole(receiver, collected, exporter):
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter(receiver)))
    tracer = provider.get_tracer("the.scope", "1.2")
    with tracer.start_as_current_span("outer") as outer:
        inner = tracer.start_span(
            "inner",
            kind=trace.SpanKind.CLIENT,
            attributes={
                "text": "é",
                "int": 2**53 + 1,
                "bool": True,
                "list": ["a", "b"],
                "doubles": AWKWARD,
            },
        )
        inner.add_event("chunk", {"n": 1}, timestamp=5)
        inner.set_status(trace.StatusCode.ERROR, "it broke")
        inner.end()
    provider.shutdown()

    inner_span, outer_span = collected.spans
    assert inner_span == Span(
        trace_id=f"{outer.get_span_context().trace_id:032x}",
        span_id=f"{inner.get_span_context().span_id:016x}",
        parent_span_id=f"{outer.get_span_context().span_id:016x}",
        name="inner",
        kind="CLIENT",
        start_ns=inner.start_time,
        end_ns=inner.end_time,
        attributes={
            "text": "é",
            "int": 2**53 + 1,
            "bool": True,
            "list": ["a", "b"],
            "doubles": AWKWARD,
        },
        status="ERROR",
        status_message="it broke",
        events=inner_span.events,
        scope="the.scope",
        scope_version="1.2",
        resource={"service.name": "shop"},
    )
    assert [(e.name, e.time_ns, e.attributes) for e in inner_span.events] == [
        ("chunk", 5, {"n": 1})
    ]
    assert math.copysign(1, inner_span.attributes["doubles"][3]) == -1
    assert outer_span.parent_span_id is None
    assert (outer_span.kind, outer_span.status) == ("INTERNAL", "UNSET")


@pytest.mark.parametrize(
    "exporter", [_http(HttpMetrics, "metrics"), _grpc(GrpcMetrics)], ids=["http", "grpc"]
)
def test_points_of_every_kind_arrive_whole(receiver, collected, exporter):
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter(receiver), math.inf)],
        resource=RESOURCE,
        views=[View(instrument_name="fine", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = provider.get_meter("the.scope", "1.2")
    meter.create_counter("calls", "{call}").add(3, {"step": "plan"})
    meter.create_gauge("age", "s").set(0.1 + 0.2)
    cost = meter.create_histogram("cost", "{cost}", explicit_bucket_boundaries_advisory=[0.5, 1.5])
    fine = meter.create_histogram("fine")
    for amount in (0.25, 1.0, 2.0):
        cost.record(amount)
        fine.record(amount)
    provider.force_flush()
    provider.shutdown()

    points = {point.name: point for point in collected.points}
    assert points["calls"] == Point(
        name="calls",
        unit="{call}",
        kind="sum",
        attributes={"step": "plan"},
        start_ns=points["calls"].start_ns,
        time_ns=points["calls"].time_ns,
        temporality="CUMULATIVE",
        scope="the.scope",
        scope_version="1.2",
        resource={"service.name": "shop"},
        monotonic=True,
        value=3,
    )
    assert (points["age"].kind, points["age"].value) == ("gauge", 0.1 + 0.2)
    assert points["age"].temporality is None
    histogram = points["cost"]
    assert (histogram.count, histogram.sum) == (3, 3.25)
    assert (histogram.min, histogram.max) == (0.25, 2.0)
    assert (histogram.bounds, histogram.bucket_counts) == ((0.5, 1.5), (1, 1, 1))
    exponential = points["fine"]
    assert exponential.kind == "exponential_histogram"
    assert (exponential.count, exponential.sum, exponential.zero_count) == (3, 3.25, 0)
    assert sum(exponential.positive.counts) == 3
    base = 2**2**-exponential.scale
    assert base**exponential.positive.offset < 0.25 <= base ** (exponential.positive.offset + 1)
    assert exponential.negative.counts in ((), (0,))


@pytest.mark.parametrize(
    "exporter", [_http(HttpLogs, "logs"), _grpc(GrpcLogs)], ids=["http", "grpc"]
)
def test_log_records_arrive_whole(receiver, collected, exporter):
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter(receiver)))
    tracer = TracerProvider().get_tracer("t")
    with tracer.start_as_current_span("outer") as outer:
        provider.get_logger("the.logger").emit(
            timestamp=7,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body={"spent": 0.1 + 0.2},
            event_name="spent",
            attributes={"step": "plan"},
        )
    provider.shutdown()

    (record,) = collected.logs
    assert isinstance(record, LogRecord)
    assert (record.time_ns, record.event_name, record.body) == (7, "spent", {"spent": 0.1 + 0.2})
    assert (record.severity_number, record.severity) == (13, "WARN")
    assert record.attributes["step"] == "plan"
    assert record.trace_id == f"{outer.get_span_context().trace_id:032x}"
    assert record.span_id == f"{outer.get_span_context().span_id:016x}"
    assert (record.scope, record.resource) == ("the.logger", {"service.name": "shop"})


SPAN = {
    "traceId": "5B8EFFF798038103D269B633813FC60C",
    "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "",
    "name": "call",
    "kind": 3,
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": 1544712661000000000,
    "attributes": [
        {"key": "cost", "value": {"doubleValue": 0.1}},
        {"key": "tokens", "value": {"intValue": "9007199254740993"}},
        {"key": "raw", "value": {"bytesValue": "AAH/"}},
        {"key": "nested", "value": {"kvlistValue": {"values": [{"key": "a", "value": {}}]}}},
    ],
    "status": {"code": 2, "message": "bad"},
    "aFieldOfTheFuture": 1,
}


def _json(*spans):
    scope = {"scope": {"name": "js"}, "spans": list(spans)}
    return json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]})


def test_otlp_json(receiver, collected):
    response = requests.post(
        f"{receiver.url}/v1/traces", _json(SPAN), headers=JSON | {"Host": "localhost:4318"}
    )
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["Content-Type"] == "application/json"
    (span,) = collected.spans
    assert span.trace_id == "5b8efff798038103d269b633813fc60c"
    assert (span.span_id, span.parent_span_id) == ("eee19b7ec3c1b174", None)
    assert (span.start_ns, span.end_ns) == (1544712660000000000, 1544712661000000000)
    assert span.attributes == {
        "cost": 0.1,
        "tokens": 9007199254740993,
        "raw": b"\x00\x01\xff",
        "nested": {"a": None},
    }
    assert (span.kind, span.status, span.status_message) == ("CLIENT", "ERROR", "bad")


def test_success_is_answered_in_protobuf(receiver, collected):
    response = requests.post(f"{receiver.url}/v1/traces", b"", headers=PROTOBUF)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/x-protobuf"
    assert ExportTraceServiceResponse.FromString(response.content) == ExportTraceServiceResponse()
    assert collected.records == []


def test_chunked_bodies(receiver, collected):
    pieces = (piece.encode() for piece in (_json(SPAN)[:10], _json(SPAN)[10:]))
    assert requests.post(f"{receiver.url}/v1/traces", pieces, headers=JSON).status_code == 200
    assert len(collected.spans) == 1


BAD_REQUESTS = {
    "not protobuf": ("/v1/traces", b"\xff\xff", PROTOBUF, 400, "ExportTraceServiceRequest"),
    "not JSON": ("/v1/metrics", b"{", JSON, 400, "ExportMetricsServiceRequest"),
    "not UTF-8": ("/v1/logs", b'"\xff"', JSON, 400, "ExportLogsServiceRequest"),
    "not a hex id": ("/v1/traces", _json(SPAN | {"spanId": "x" * 16}), JSON, 400, "hex"),
    "a short id": ("/v1/traces", _json(SPAN | {"spanId": "eee1"}), JSON, 400, "hex"),
    "deep JSON": ("/v1/traces", "[" * 4_000, JSON, 400, "ExportTraceServiceRequest"),
    "not gzip": ("/v1/traces", b"x", PROTOBUF | {"Content-Encoding": "gzip"}, 400, "gzip"),
    "half a gzip": (
        "/v1/traces",
        gzip.compress(b"x" * 99)[:-9],
        PROTOBUF | {"Content-Encoding": "gzip"},
        400,
        "gzip",
    ),
    "brotli": ("/v1/traces", b"x", PROTOBUF | {"Content-Encoding": "br"}, 415, "gzip"),
    "a form": ("/v1/traces", b"x", {"Content-Type": "text/plain"}, 415, "application/json"),
    "no type": ("/v1/traces", b"x", {}, 415, "application/json"),
    "elsewhere": ("/v2/traces", b"", PROTOBUF, 404, "/v1/traces"),
    "too large": ("/v1/traces", b"x" * 5001, PROTOBUF, 413, "5000 bytes"),
    "too large unpacked": (
        "/v1/traces",
        gzip.compress(b"x" * 5001),
        PROTOBUF | {"Content-Encoding": "gzip"},
        413,
        "5000 bytes",
    ),
    "too large inflated": (
        "/v1/traces",
        zlib.compress(b"x" * 5001),
        PROTOBUF | {"Content-Encoding": "deflate"},
        413,
        "5000 bytes",
    ),
    "too large in chunks": ("/v1/traces", [b"x" * 3000] * 2, PROTOBUF, 413, "smaller batches"),
    "another host": ("/v1/traces", b"", PROTOBUF | {"Host": "evil.example"}, 403, "127.0.0.1"),
    "a host like ours": (
        "/v1/traces",
        b"",
        JSON | {"Host": "127.0.0.1.evil.example:80"},
        403,
        "127.0.0.1",
    ),
}


@pytest.mark.parametrize("case", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_get_one_sentence(collected, case):
    path, body, headers, status, expected = case
    with Receiver(collected, max_body=5000) as receiver:
        response = requests.post(
            receiver.url + path, iter(body) if isinstance(body, list) else body, headers=headers
        )
        if headers.get("Content-Type") == "application/x-protobuf":
            error = Status.FromString(response.content)
            code, message = error.code, error.message
        else:
            code, message = response.json()["code"], response.json()["message"]
        assert response.status_code == status
        assert expected in message
        assert code in (3, 5, 7, 8) or (status == 415 and code)
        assert "\n" not in message
        assert collected.records == []
        # The next sender is served as if nothing had happened.
        assert requests.post(f"{receiver.url}/v1/traces", b"", headers=PROTOBUF).ok


def test_a_get_is_told_what_to_do(receiver):
    response = requests.get(f"{receiver.url}/v1/traces")
    assert response.status_code == 405
    assert "POST" in response.json()["message"]


def test_noise_gets_an_answer(receiver):
    port = int(receiver.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"\x16\x03\x01 not HTTP\r\n\r\n")
        assert b"Bad request" in connection.makefile("rb").read()


def test_a_sink_that_fails_asks_for_a_retry(caplog):
    failures = iter([OSError("the disk is full")])
    stored = Collected()

    def sink(records):
        for failure in failures:
            raise failure
        stored(records)

    with Receiver(sink) as receiver:
        provider = TracerProvider()
        provider.add_span_processor(
            SimpleSpanProcessor(HttpSpans(f"{receiver.url}/v1/traces", timeout=20))
        )
        provider.get_tracer("t").start_span("kept").end()
        provider.shutdown()
    assert [span.name for span in stored.spans] == ["kept"]
    assert "the disk is full" in caplog.text


@pytest.mark.parametrize("size", [5001, 100_000])
def test_grpc_refuses_what_http_refuses(collected, size):
    import grpc

    with (
        Receiver(collected, grpc=True, max_body=5000) as receiver,
        grpc.insecure_channel(receiver.grpc_url.removeprefix("http://")) as channel,
    ):
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as malformed:
            export(b"\xff\xff")
        with pytest.raises(grpc.RpcError) as large:
            export(b"x" * size, compression=grpc.Compression.Gzip)
        assert malformed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "ExportTraceServiceRequest" in malformed.value.details()
        assert large.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert export(ExportTraceServiceRequest().SerializeToString()) == b""


def test_nothing_is_left_after_closing(collected):
    before = threading.active_count()
    receiver = Receiver(collected, grpc=True)
    with receiver, requests.Session() as session:
        assert session.post(f"{receiver.url}/v1/traces", b"", headers=PROTOBUF).ok
        assert threading.active_count() > before  # the idle keep-alive connection among them
        receiver.close()
        assert threading.active_count() == before
        with pytest.raises(requests.ConnectionError):
            session.post(f"{receiver.url}/v1/traces", b"", headers=PROTOBUF)


def test_a_taken_port_is_an_error(receiver, collected):
    with pytest.raises(OSError, match="in use"):
        Receiver(collected, port=int(receiver.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="another one"):
        Receiver(collected, grpc=True, grpc_port=int(receiver.grpc_url.rpartition(":")[2]))


def test_waiting_ends_when_the_predicate_holds(collected):
    assert not collected.wait_for(lambda seen: bool(seen.spans), timeout=0.01)
    with Receiver(collected) as receiver:
        sender = threading.Thread(
            target=requests.post,
            args=(f"{receiver.url}/v1/traces", _json(SPAN)),
            kwargs={"headers": JSON},
        )
        sender.start()
        assert collected.wait_for(lambda seen: len(seen.spans) == 1)
        sender.join()
