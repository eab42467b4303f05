"""Spans as an instrumented agent sends them, and requests that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from farthing_dashboards.otlp import Span, Value
from farthing_processor import semconv as names

SECOND = 10**9
START_NS = 1_795_000_000 * SECOND
RESOURCE = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
    "service.instance.id": "6aa867f2-5f46-4333-b8d0-8f7a05f5d88c",
    "service.name": "sample-agent",
    "telemetry.auto.version": "0.66b2",
}


def span(random: Random, **given: Any) -> Span:
    """A span with what is given, and ids and times of its own."""
    start = given.get("start_ns", START_NS)
    fields: dict[str, Any] = {
        "trace_id": random.randbytes(16).hex(),
        "span_id": random.randbytes(8).hex(),
        "parent_span_id": None,
        "name": "span",
        "kind": "INTERNAL",
        "start_ns": start,
        "end_ns": start + SECOND,
        "attributes": {},
        "status": "UNSET",
        "status_message": "",
        "events": (),
        "scope": names.SCOPE,
        "scope_version": "0.1.0",
        "resource": RESOURCE,
    }
    return Span(**{**fields, **given})


def call(random: Random, attributes: Mapping[str, Value] | None = None, **given: Any) -> Span:
    """A call that is priced."""
    sent, received = random.randrange(1, 9_000), random.randrange(1, 900)
    amounts = {"input": sent * 3e-6, "output": received * 15e-6}
    said: dict[str, Value] = {
        names.OPERATION_NAME: "chat",
        names.PROVIDER_NAME: "anthropic",
        names.REQUEST_MODEL: "claude-sonnet-4-6",
        names.SERVER_ADDRESS: "127.0.0.1",
        names.SERVER_PORT: 43439,
        names.REQUEST_STREAM: True,
        names.REQUEST_MAX_TOKENS: 100,
        names.STEP_NAME: random.choice(("planning", "research", "title", "synthesis")),
        names.RESPONSE_FINISH_REASONS: ["end_turn"],
        names.COST_STATUS: "priced",
        names.COST_AMOUNT: sum(amounts.values()),
        names.COST_CURRENCY: "USD",
        names.COST_SOURCE: "local",
        names.COST_PRICES: "genai-prices 0.2.3",
        **{f"{names.COST_CLASS_PREFIX}{name}": usd for name, usd in amounts.items()},
        names.BASELINE_SOURCE: "process",
        names.BASELINE_COUNT: 40,
        names.BASELINE_P50: 0.0123,
        names.OUTLIER_RATIO: 1.25,
        names.RESPONSE_ID: f"msg_{random.randbytes(12).hex()}",
        names.RESPONSE_MODEL: "claude-sonnet-4-6",
        names.USAGE_INPUT_TOKENS: sent,
        names.USAGE_OUTPUT_TOKENS: received,
        names.RESPONSE_TIME_TO_FIRST_CHUNK: random.random(),
        **(attributes or {}),
    }
    return span(
        random,
        **{"name": "chat claude-sonnet-4-6", "kind": "CLIENT", **given},
        attributes={name: value for name, value in said.items() if value is not None},
    )


def run(random: Random, *, calls: int = 5, outcome: str = "success", **given: Any) -> list[Span]:
    """The spans of one run of a workflow, in the order in which they end: each call's, the HTTP
    request's within, and the root's."""
    trace_id = given.get("trace_id", random.randbytes(16).hex())
    start = given.get("start_ns", START_NS)
    who: dict[str, Value] = {
        names.WORKFLOW_NAME: "research_brief",
        names.WORKFLOW_ID: random.randbytes(16).hex(),
        names.USER_ID: f"user-{random.randrange(50)}",
        **given.get("who", {}),
    }
    root = span(
        random,
        trace_id=trace_id,
        name="invoke_workflow research_brief",
        start_ns=start,
        end_ns=start + calls * SECOND,
        attributes={
            **who,
            names.OPERATION_NAME: names.INVOKE_WORKFLOW,
            names.WORKFLOW_CALLS: calls,
            names.WORKFLOW_OUTCOME: outcome,
        },
    )
    spans: list[Span] = []
    for index in range(calls):
        at = start + index * SECOND
        shared = {"trace_id": trace_id, "start_ns": at}
        paid = call(random, who, **shared, parent_span_id=root.span_id)
        request = span(
            random,
            **shared,
            name="POST",
            kind="CLIENT",
            parent_span_id=paid.span_id,
            scope="opentelemetry.instrumentation.httpx",
            attributes={
                "http.method": "POST",
                "http.url": "http://127.0.0.1:43439/v1/messages",
                "http.status_code": 200,
            },
        )
        spans += (request, paid)
    return [*spans, root]


def request_of(spans: Iterable[Span]) -> ExportTraceServiceRequest:
    """The request that an exporter sends of ``spans``."""
    request = ExportTraceServiceRequest()
    scopes: dict[tuple[object, str], Any] = {}
    for one in spans:
        key = tuple(one.resource.items()), one.scope
        if key not in scopes:
            group = request.resource_spans.add()
            group.resource.attributes.extend(_pairs(one.resource))
            scopes[key] = group.scope_spans.add()
            scopes[key].scope.name, scopes[key].scope.version = one.scope, one.scope_version
        scopes[key].spans.append(
            WireSpan(
                trace_id=bytes.fromhex(one.trace_id),
                span_id=bytes.fromhex(one.span_id),
                parent_span_id=bytes.fromhex(one.parent_span_id or ""),
                name=one.name,
                kind=getattr(WireSpan, f"SPAN_KIND_{one.kind}"),
                start_time_unix_nano=one.start_ns,
                end_time_unix_nano=one.end_ns,
                attributes=_pairs(one.attributes),
                status=Status(code=getattr(Status, f"STATUS_CODE_{one.status}")),
            )
        )
    return request


def _pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
