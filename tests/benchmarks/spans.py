"""What the span processor costs a span: of another tracer, of ours, and of no model at all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from farthing_processor.span_processor import CostSpanProcessor
from tests.replaying import SAMPLES

BATCHES, SPANS = 40, 250
SCOPES = {
    "official, 12 attributes": ("official", "chat cache read"),
    "OpenInference": ("openinference", "message cache read"),
    "OpenLIT": ("openlit", "chat cache read"),
    "Pydantic AI": ("pydantic-ai", "chat cache read"),
}
HTTP = {
    "http.request.method": "POST",
    "url.full": "https://example.com/orders",
    "server.address": "example.com",
    "server.port": 443,
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "user_agent.original": "agent",
    "url.scheme": "https",
}


def figures() -> Iterator[tuple[str, float, str]]:
    """(what, microseconds that the processor adds to a span, target)."""
    for what, (emitter, call) in SCOPES.items():
        sample = next(one for one in SAMPLES[emitter]["calls"] if one["call"] == call)
        span = sample["spans"][0]
        yield f"a foreign span, {what}", added_us(span["scope"], span), "25 µs"
    for what, scope in (
        ("a span that is not GenAI", {"name": "opentelemetry.instrumentation.httpx"}),
        ("a span of the application's", {"name": "application"}),
    ):
        yield what, added_us(scope, {"at_start": HTTP, "attributes": {}}), "1 µs"


def added_us(scope: dict[str, str], span: dict[str, Any]) -> float:
    """Microseconds of a span with the processor over one without, side by side."""
    with_it = _maker(scope, span, CostSpanProcessor(MeterProvider([InMemoryMetricReader()])))
    without = _maker(scope, span)
    for make in (with_it, without):
        _batch(make)
    return statistics.median(_batch(with_it) - _batch(without) for _ in range(BATCHES))


def _batch(make: Callable[[], None]) -> float:
    start = time.thread_time_ns()
    for _ in range(SPANS):
        make()
    return (time.thread_time_ns() - start) / SPANS / 1000


def _maker(
    scope: dict[str, str], span: dict[str, Any], *processors: SpanProcessor
) -> Callable[[], None]:
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    tracer = provider.get_tracer(scope["name"], scope.get("version"))
    at_start, attributes = span["at_start"], dict(span["attributes"])
    # Each call has its own answer: what is the same call again is cheaper.
    ids = [name for name in attributes if name.endswith("response.id")]
    numbers = count()

    def make() -> None:
        for name in ids:
            attributes[name] = f"id-{next(numbers)}"
        made = tracer.start_span("call", Context(), attributes=at_start)
        made.set_attributes(attributes)
        made.end()

    return make
