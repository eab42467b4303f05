"""Judging: the comparisons that make a call's flags (`outliers`), each with the numbers it made."""

from __future__ import annotations

from typing import Final

from farthing_processor import semconv as names
from farthing_processor.attribution import Attribution
from farthing_processor.baselines import Baseline
from farthing_processor.facts import Facts
from farthing_processor.pricing import price
from farthing_processor.thresholds import Thresholds
from farthing_processor.usage import Usage

_TRUSTED: Final = frozenset({"priced", "free", "reported", "partial", "unpriced", "usage_missing"})
"""The statuses whose amount and counts are those of the call."""

Said = dict[str, str | bool | int | float | list[str]]


def learnt(
    facts: Facts, status: str, cost: float | None
) -> tuple[float | None, int | None, int | None]:
    """Cost, input and output tokens of a call, as far as they tell what is usual."""
    usage = facts.usage
    if facts.error_type is not None or status not in _TRUSTED:
        return None, None, None
    if usage is None:
        return (cost if facts.estimate is None else None), None, None
    if not usage.complete:
        return None, None, None
    if usage.also:
        usage = usage.billed()
    # What is no count, other tracers may say.
    inputs, outputs = usage[:2]
    if type(inputs) is not int or inputs < 0:
        inputs = None
    if type(outputs) is not int or outputs < 0:
        outputs = None
    return cost, inputs, outputs


def judge_cost(
    cost: float, usual: Baseline, limits: Thresholds, reasons: list[str], said: Said
) -> None:
    """The one comparison whose numbers every call shows, so that what is normal is told as well."""
    said[names.BASELINE_SOURCE] = usual.source
    said[names.BASELINE_COUNT] = usual.samples
    p50 = usual.cost
    if p50 is None:
        limit, reason = limits.cold_usd, names.COLD_THRESHOLD
    else:
        limit, reason = limits.factor * p50, names.COST_OUTLIER
        said[names.BASELINE_P50] = p50
        if p50:
            said[names.OUTLIER_RATIO] = cost / p50
    if cost > limit and cost > limits.min_usd:
        reasons.append(reason)
        said[names.OUTLIER_COST_LIMIT] = max(limit, limits.min_usd)


def judge_growth(first: int, limits: Thresholds, reasons: list[str], said: Said) -> None:
    reasons.append(names.CONTEXT_GROWTH)
    said[names.OUTLIER_FIRST_INPUT] = first
    said[names.OUTLIER_INPUT_LIMIT] = limits.context_growth * first


def judge_output(
    inputs: int, outputs: int, usual: Baseline, limits: Thresholds, reasons: list[str], said: Said
) -> None:
    if (p50 := usual.output_tokens) is not None and outputs > limits.completion_spike * p50:
        reasons.append(names.COMPLETION_SPIKE)
        said[names.BASELINE_OUTPUT_P50] = p50
        said[names.OUTLIER_OUTPUT_LIMIT] = limits.completion_spike * p50
    if inputs > limits.low_yield * outputs:
        reasons.append(names.LOW_YIELD)
        said[names.OUTLIER_YIELD_LIMIT] = limits.low_yield


def judge_prefix(
    tokens: int,
    facts: Facts,
    who: Attribution,
    due: Usage,
    model: str | None,
    limits: Thresholds,
    reasons: list[str],
    said: Said,
) -> None:
    """What the call would have cost less, had ``tokens`` of it been read from a cache: nothing, of
    a model whose cached input costs as much as any."""
    cached = due._replace(cache_read_tokens=tokens)
    at_ns, provider = facts.start_ns, facts.provider
    saved = price(cached, provider=provider, model=model, at_ns=at_ns, facts=facts, who=who).savings
    if saved > 0:
        reasons.append(names.LARGE_UNCACHED_PREFIX)
        said[names.OUTLIER_STABLE_TOKENS] = tokens
        said[names.OUTLIER_AVOIDABLE_COST] = saved
        said[names.OUTLIER_PREFIX_LIMIT] = limits.large_uncached_prefix


def alike(some: tuple[bytes, ...], others: tuple[bytes, ...]) -> int:
    """How many prefixes two prompts have in common."""
    return next(
        (n for n, (one, other) in enumerate(zip(some, others, strict=False)) if one != other),
        min(len(some), len(others)),
    )
