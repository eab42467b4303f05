"""What the scripts beside this share: the spans that were made, as a sample has them."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Recorder(SimpleSpanProcessor):
    """Keeps each span as it was when it began, and as it ended."""

    def __init__(self) -> None:
        self._begun: dict[int, dict[str, Any]] = {}
        self._ended = InMemorySpanExporter()
        super().__init__(self._ended)
        provider = TracerProvider()
        provider.add_span_processor(self)
        trace.set_tracer_provider(provider)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._begun[span.context.span_id] = dict(span.attributes or {})

    def take(self) -> list[dict[str, Any]]:
        """The spans since the last time, in the order in which they ended."""
        found = [
            {
                "scope": {
                    "name": span.instrumentation_scope.name,
                    "version": span.instrumentation_scope.version or "",
                },
                "name": span.name,
                "span_id": f"{span.context.span_id:016x}",
                "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
                "at_start": self._begun[span.context.span_id],
                "attributes": dict(span.attributes or {}),
            }
            for span in self._ended.get_finished_spans()
        ]
        self._ended.clear()
        return found
