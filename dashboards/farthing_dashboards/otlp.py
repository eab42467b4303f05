"""Decoding OTLP: request bodies in, plain immutable records out.

The wire format is https://opentelemetry.io/docs/specs/otlp/ (1.11). Times are nanoseconds since the
Unix epoch, ids lower-case hex, doubles the very doubles that were sent. Names of span kinds, status
codes and temporalities are those of the protocol without their prefix.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics

Value: TypeAlias = "str | bool | int | float | bytes | Sequence[Value] | Mapping[str, Value] | None"
Attributes: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    status: str
    status_message: str
    events: tuple[Event, ...]
    scope: str
    scope_version: str
    resource: Attributes


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A measurement kept as an example of its point; the ids are None when it was not traced."""

    value: float
    time_ns: int
    trace_id: str | None
    span_id: str | None
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Buckets:
    """One side of an exponential histogram: the count of bucket ``offset + i`` is ``counts[i]``."""

    offset: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One data point of a metric; what its kind does not have is None or empty.

    ``kind`` is gauge, sum, histogram, exponential_histogram or summary. Gauges and sums have
    ``value``, the others ``count`` and ``sum``. A histogram has one bucket count more than bounds.
    """

    name: str
    unit: str
    kind: str
    attributes: Attributes
    start_ns: int
    time_ns: int
    temporality: str | None
    scope: str
    scope_version: str
    resource: Attributes
    monotonic: bool | None = None
    value: int | float | None = None
    count: int | None = None
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bounds: tuple[float, ...] = ()
    bucket_counts: tuple[int, ...] = ()
    scale: int | None = None
    zero_count: int | None = None
    positive: Buckets | None = None
    negative: Buckets | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record or event; the ids are None outside a trace."""

    time_ns: int
    observed_ns: int
    severity: str
    severity_number: int
    event_name: str
    body: Value
    attributes: Attributes
    trace_id: str | None
    span_id: str | None
    scope: str
    scope_version: str
    resource: Attributes


Record: TypeAlias = Span | Point | LogRecord

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUSES = ("UNSET", "OK", "ERROR")
_TEMPORALITIES = ("UNSPECIFIED", "DELTA", "CUMULATIVE")


def _value(any_value: AnyValue) -> Value:
    match any_value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(item) for item in any_value.array_value.values]
        case "kvlist_value":
            return _attributes(any_value.kvlist_value.values)
        case field:
            return getattr(any_value, field)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _optional(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _shared(scoped: Any, resource: dict[str, Value]) -> dict[str, Any]:
    return {
        "scope": scoped.scope.name,
        "scope_version": scoped.scope.version,
        "resource": resource,
    }


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            shared = _shared(scoped, resource)
            for span in scoped.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_span_id=span.parent_span_id.hex() or None,
                    name=span.name,
                    kind=_named(_KINDS, span.kind),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    status=_named(_STATUSES, span.status.code),
                    status_message=span.status.message,
                    events=tuple(
                        Event(event.name, event.time_unix_nano, _attributes(event.attributes))
                        for event in span.events
                    ),
                    **shared,
                )


def _points(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    for group in request.resource_metrics:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_metrics:
            shared = _shared(scoped, resource)
            for metric in scoped.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                data: Any = getattr(metric, kind)
                temporality = (
                    _named(_TEMPORALITIES, data.aggregation_temporality)
                    if hasattr(data, "aggregation_temporality")
                    else None
                )
                for point in data.data_points:
                    yield Point(
                        name=metric.name,
                        unit=metric.unit,
                        kind=kind,
                        attributes=_attributes(point.attributes),
                        start_ns=point.start_time_unix_nano,
                        time_ns=point.time_unix_nano,
                        temporality=temporality,
                        exemplars=tuple(map(_exemplar, getattr(point, "exemplars", ()))),
                        **_POINT_FIELDS[kind](data, point),
                        **shared,
                    )


def _number(point: Any) -> int | float | None:
    field = point.WhichOneof("value")
    return getattr(point, field) if field else None


def _buckets(side: metrics.ExponentialHistogramDataPoint.Buckets) -> Buckets:
    return Buckets(side.offset, tuple(side.bucket_counts))


def _aggregate(point: Any) -> dict[str, Any]:
    optional = {name: _optional(point, name) for name in ("sum", "min", "max")}
    return {"count": point.count, **optional}


_POINT_FIELDS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "gauge": lambda _, point: {"value": _number(point)},
    "sum": lambda data, point: {"value": _number(point), "monotonic": data.is_monotonic},
    "histogram": lambda _, point: {
        **_aggregate(point),
        "bounds": tuple(point.explicit_bounds),
        "bucket_counts": tuple(point.bucket_counts),
    },
    "exponential_histogram": lambda _, point: {
        **_aggregate(point),
        "scale": point.scale,
        "zero_count": point.zero_count,
        "positive": _buckets(point.positive),
        "negative": _buckets(point.negative),
    },
    "summary": lambda _, point: {
        "count": point.count,
        "sum": point.sum,
        "quantiles": tuple((value.quantile, value.value) for value in point.quantile_values),
    },
}


def _exemplar(exemplar: metrics.Exemplar) -> Exemplar:
    return Exemplar(
        value=_number(exemplar) or 0.0,
        time_ns=exemplar.time_unix_nano,
        trace_id=exemplar.trace_id.hex() or None,
        span_id=exemplar.span_id.hex() or None,
        attributes=_attributes(exemplar.filtered_attributes),
    )


def _log_records(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    for group in request.resource_logs:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            shared = _shared(scoped, resource)
            for record in scoped.log_records:
                yield LogRecord(
                    time_ns=record.time_unix_nano,
                    observed_ns=record.observed_time_unix_nano,
                    severity=record.severity_text,
                    severity_number=record.severity_number,
                    event_name=record.event_name,
                    body=_value(record.body),
                    attributes=_attributes(record.attributes),
                    trace_id=record.trace_id.hex() or None,
                    span_id=record.span_id.hex() or None,
                    **shared,
                )


@dataclass(frozen=True, slots=True)
class Signal:
    """One of the three signals: where it arrives and how its requests are read."""

    path: str
    service: str
    request: type[Message]
    records: Callable[[Any], Iterator[Record]]


_SERVICE = "opentelemetry.proto.collector"
TRACES = Signal(
    "/v1/traces",
    f"{_SERVICE}.trace.v1.TraceService",
    ExportTraceServiceRequest,
    _spans,
)
METRICS = Signal(
    "/v1/metrics",
    f"{_SERVICE}.metrics.v1.MetricsService",
    ExportMetricsServiceRequest,
    _points,
)
LOGS = Signal(
    "/v1/logs",
    f"{_SERVICE}.logs.v1.LogsService",
    ExportLogsServiceRequest,
    _log_records,
)
SIGNALS = (TRACES, METRICS, LOGS)

_ID_FIELDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}


def decode(signal: Signal, body: bytes, *, json: bool = False) -> list[Record]:
    """The records of one export request; raises ValueError when the body is not one."""
    request = signal.request()
    try:
        if json:
            json_format.Parse(body, request, ignore_unknown_fields=True)
            _restore_ids(request)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"The body is not a valid {request.DESCRIPTOR.name}: {reason}") from error
    return list(signal.records(request))


def _restore_ids(message: Message) -> None:
    # OTLP/JSON writes ids as hex where protobuf's own JSON mapping reads base64 (OTLP, "JSON
    # Protobuf Encoding"); encoding what was read as base64 gives the hex text back.
    for field, value in message.ListFields():
        if field.name in _ID_FIELDS:
            text = base64.b64encode(value).decode()
            if len(text) != 2 * _ID_FIELDS[field.name] or not _is_hex(text):
                raise json_format.ParseError(f"{field.json_name} is not a hex id")
            setattr(message, field.name, bytes.fromhex(text))
        elif field.message_type is not None:
            for child in [value] if isinstance(value, Message) else value:
                _restore_ids(child)


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)
