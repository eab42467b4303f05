"""Each reason for which a call is not normal, explained from its span's own attributes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Attributes = Mapping[str, Any]


def _cost(said: Attributes) -> float:
    return said.get("farthing.cost.amount", said.get("gen_ai.usage.cost.amount"))


def _is_ratio(said: Attributes) -> bool:
    return said["farthing.outlier.ratio"] == _cost(said) / said["farthing.baseline.p50"]


WHY: dict[str, Callable[[Attributes], bool]] = {
    "cost_outlier": lambda said: (
        _cost(said) > said["farthing.outlier.cost_limit"] >= said["farthing.baseline.p50"]
        and said["farthing.baseline.source"] in ("live", "snapshot")
        and said["farthing.baseline.count"] > 0
        and (said["farthing.baseline.p50"] == 0 or _is_ratio(said))
    ),
    "cold_threshold": lambda said: (
        _cost(said) > said["farthing.outlier.cost_limit"]
        and said["farthing.baseline.source"] == "threshold"
        and "farthing.baseline.p50" not in said
    ),
    "context_growth": lambda said: (
        said["gen_ai.usage.input_tokens"]
        > said["farthing.outlier.input_limit"]
        >= said["farthing.outlier.first_input_tokens"]
    ),
    "completion_spike": lambda said: (
        said["gen_ai.usage.output_tokens"]
        > said["farthing.outlier.output_limit"]
        >= said["farthing.baseline.output_p50"]
    ),
    "retry_storm": lambda said: (
        said["farthing.outlier.failures"] >= said["farthing.outlier.failures_limit"]
    ),
    "repeated_prompt": lambda said: said["farthing.outlier.repeats"] >= 1,
    "large_uncached_prefix": lambda said: (
        said["gen_ai.usage.input_tokens"] > said["farthing.outlier.prefix_limit"]
        and not said.get("gen_ai.usage.cache_read.input_tokens")
        and said["gen_ai.usage.input_tokens"] >= said["farthing.outlier.stable_tokens"] > 0
        and 0 < said["farthing.outlier.avoidable_cost"] < _cost(said)
    ),
    "low_yield": lambda said: (
        said["gen_ai.usage.input_tokens"]
        > said["farthing.outlier.yield_limit"] * said["gen_ai.usage.output_tokens"]
    ),
}


def explained(said: Attributes) -> set[str]:
    """The reasons that a span gives, each of which its own numbers bear out."""
    reasons = list(said.get("farthing.outlier.reasons", ()))
    assert len(set(reasons)) == len(reasons)
    for reason in reasons:
        assert WHY[reason](said), (reason, dict(said))
    detected = bool(set(reasons) - {"cold_threshold"})
    assert said.get("farthing.outlier.detected") is (True if detected else None)
    return set(reasons)
