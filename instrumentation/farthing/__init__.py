"""farthing: what every step of your LLM agents costs, as OpenTelemetry spans and metrics.

Run a program under ``opentelemetry-instrument`` and nothing need be called. In code:

    import farthing
    farthing.instrument()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing._instrument import instrument, uninstrument
from farthing.attribution import outcome, step, tag, workflow
from farthing.batches import record_batch
from farthing.cost_trace import cost_trace
from farthing.telemetry import VERSION as __version__

if TYPE_CHECKING:
    from farthing_processor.span_exporter import CostSpanExporter
    from farthing_processor.span_processor import CostSpanProcessor

__all__ = [
    "CostSpanExporter",
    "CostSpanProcessor",
    "__version__",
    "cost_trace",
    "instrument",
    "outcome",
    "record_batch",
    "step",
    "tag",
    "uninstrument",
    "workflow",
]


def __getattr__(name: str) -> Any:
    # Imported when they are asked for: only they need the SDK.
    if name == "CostSpanProcessor":
        from farthing_processor.span_processor import CostSpanProcessor

        return CostSpanProcessor
    if name == "CostSpanExporter":
        from farthing_processor.span_exporter import CostSpanExporter

        return CostSpanExporter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
