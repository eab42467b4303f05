"""farthing: what every step of your LLM agents costs, as OpenTelemetry spans and metrics.

Run a program under ``opentelemetry-instrument`` and nothing need be called. In code:

    import farthing
    farthing.instrument()
"""

from __future__ import annotations

from farthing._instrument import instrument, uninstrument
from farthing.batches import record_batch
from farthing.telemetry import VERSION as __version__

__all__ = ["__version__", "instrument", "record_batch", "uninstrument"]
