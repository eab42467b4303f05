"""Spans of other tracers, made by hand: an official one, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import Span

OFFICIAL = "opentelemetry.instrumentation.genai.openai"
NATIVE = "com.anthropic.sdk.python"
OPENINFERENCE = "openinference.instrumentation.openai"

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
CHAT_COST = 0.0035
"""1,000 at $2.50 and 100 at $10 a million (https://openai.com/api/pricing, gpt-4o-2024-08-06)."""


class Pipeline:
    """Providers of a traced application, and what left them."""

    def __init__(self, limits: SpanLimits | None = None, sampler: Sampler = ALWAYS_ON) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader])
        self.provider = TracerProvider(sampler, span_limits=limits)

    def processed_by(self, *processors: SpanProcessor, exporter_first: bool = False) -> Pipeline:
        simple = SimpleSpanProcessor(self.exporter)
        for one in (simple, *processors) if exporter_first else (*processors, simple):
            self.provider.add_span_processor(one)
        return self

    @contextmanager
    def span(self, scope: str, name: str = "chat gpt-4o", **given: Any) -> Iterator[Span]:
        """A span that is current, of ``scope``, with attributes at its start."""
        tracer = self.provider.get_tracer(scope, "1.0")
        with tracer.start_as_current_span(name, attributes=given.get("start")) as span:
            yield span

    def call(self, scope: str = OFFICIAL, start: Any = None, **changes: Any) -> ReadableSpan:
        """A call as ``scope`` sees it: `CHAT` with ``changes`` (None takes one away)."""
        return self.ended(scope, {**CHAT, **{k.replace("__", "."): v for k, v in changes.items()}})

    def ended(self, scope: str, attributes: dict[str, Any]) -> ReadableSpan:
        with self.span(scope) as span:
            span.set_attributes({k: v for k, v in attributes.items() if v is not None})
        return self.exporter.get_finished_spans()[-1]

    def said(self, index: int = -1) -> dict[str, Any]:
        return dict(self.exporter.get_finished_spans()[index].attributes or {})

    def points(self) -> dict[str, list[Any]]:
        """Data points by metric, the gauge aside."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name != "farthing.prices.age"
        }


def paid(spans: Any) -> list[float]:
    """The amounts of spans, by our prices."""
    found = [dict(span.attributes or {}) for span in spans]
    amounts = [
        said.get("farthing.cost.amount", said.get("gen_ai.usage.cost.amount")) for said in found
    ]
    return [amount for amount in amounts if amount is not None]


def hex_id(span: Span | ReadableSpan) -> str:
    return trace.format_span_id(span.get_span_context().span_id)
