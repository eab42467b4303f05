"""Words for what the names of waste and flags mean, wherever they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from farthing_processor import semconv

WASTE: Final[Mapping[str, str]] = {
    semconv.WASTE_FAILED: "calls that failed, and are billed all the same",
    semconv.WASTE_ABANDONED: "answers that were not read to the end",
    semconv.WASTE_REPEATED: "the same asked again in one run",
    semconv.WASTE_WORKFLOW_FAILED: "the rest of what failed workflows spent",
}
"""What was spent for nothing, by ``farthing.waste.reason``."""
FLAGS: Final[Mapping[str, str]] = {
    semconv.COST_OUTLIER: "cost far more than their step usually does",
    semconv.CONTEXT_GROWTH: "sent a prompt that had grown several times over within one run",
    semconv.COMPLETION_SPIKE: "wrote far more than their step usually does",
    semconv.RETRY_STORM: "came when their step kept failing",
    semconv.REPEATED_PROMPT: "asked what had been answered in the same run",
    semconv.LARGE_UNCACHED_PREFIX: "could have had most of their prompt from the cache",
    semconv.LOW_YIELD: "read a great deal to write very little",
}
"""What flagged calls did, by ``farthing.outlier.reasons``."""
