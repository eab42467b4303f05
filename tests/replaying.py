"""Replaying sampled spans through a real SDK, as the emitter made them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

FOLDER = Path(__file__).parent / "spans"
SAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
"""Emitter → what `scripts/sample_spans.py` wrote of it."""
CALLS = [
    (emitter, call["call"], call) for emitter, sample in SAMPLES.items() for call in sample["calls"]
]


class Replayed:
    """A provider with processors of its own, and what came of the spans and metrics."""

    def __init__(self, *processors: SpanProcessor, first: bool = True) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        simple = SimpleSpanProcessor(self.exporter)
        for processor in (*processors, simple) if first else (simple, *processors):
            self.provider.add_span_processor(processor)

    def replay(self, call: dict[str, Any]) -> list[ReadableSpan]:
        """Begin and end the spans of a sampled call; those that were exported."""
        self.exporter.clear()
        begun: dict[str, Span] = {}
        for span in sorted(call["spans"], key=lambda span: span["started"]):
            scope = span["scope"]
            parent = begun.get(span["parent_id"])
            within = Context() if parent is None else trace.set_span_in_context(parent, Context())
            tracer = self.provider.get_tracer(scope["name"], scope["version"])
            begun[span["span_id"]] = tracer.start_span(
                span["name"], within, SpanKind[span["kind"]], span["at_start"]
            )
        for span in call["spans"]:
            live = begun[span["span_id"]]
            live.set_attributes(span["attributes"])
            if span["status"] != "UNSET":
                live.set_status(Status(StatusCode[span["status"]]))
            live.end()
        return list(self.exporter.get_finished_spans())


def bill(call: dict[str, Any]) -> Decimal:
    """What the provider charged for it."""
    return sum((Decimal(entry["cost"] or 0) for entry in call["ledger"]), Decimal(0))


def cost(span: ReadableSpan) -> float | None:
    """What a span says the call cost, by our prices."""
    said: Any = span.attributes or {}
    return said.get("farthing.cost.amount", said.get("gen_ai.usage.cost.amount"))


def metrics() -> tuple[InMemoryMetricReader, MeterProvider]:
    """A meter provider and what reads it."""
    reader = InMemoryMetricReader()
    return reader, MeterProvider([reader])
