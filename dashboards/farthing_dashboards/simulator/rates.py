"""The simulator's own bill: list prices in exact decimals, independent of the cost engine."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple


class Rates(NamedTuple):
    """USD per million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal


def _rates(input: str, output: str, read: str, write_5m: str = "0", write_1h: str = "0") -> Rates:
    return Rates(*map(Decimal, (input, output, read, write_5m, write_1h)))


# Standard tier, as of 2026-11-21: genai-prices 0.2.3 and litellm 1.109.1 agree on every figure.
_OPENAI = {  # https://platform.openai.com/docs/pricing
    "gpt-4o-mini-2024-07-18": _rates("0.15", "0.6", "0.075"),
    "gpt-4.1-2025-04-14": _rates("2", "8", "0.5"),
    "gpt-5.5-2026-04-23": _rates("5", "30", "0.5"),
    "text-embedding-3-large": _rates("0.13", "0", "0.13"),
}
_ANTHROPIC = {  # https://platform.claude.com/docs/en/about-claude/pricing
    "claude-haiku-4-5-20251001": _rates("1", "5", "0.1", "1.25", "2"),
    "claude-sonnet-4-6": _rates("3", "15", "0.3", "3.75", "6"),
    "claude-opus-4-8": _rates("5", "25", "0.5", "6.25", "10"),
}
_RATES = _OPENAI | _ANTHROPIC
# Above this many input tokens, cached ones included, the whole request has the second rates.
_LONG_CONTEXT = {"gpt-5.5-2026-04-23": (272_000, _rates("10", "45", "1"))}

_SNAPSHOTS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-5.5": "gpt-5.5-2026-04-23",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}


def served_model(requested: str) -> str:
    """The model that the response names: an alias is answered by its dated snapshot."""
    return _SNAPSHOTS.get(requested, requested)


def bill(model: str, usage: Mapping[str, Any], tier: str | None) -> Decimal | None:
    """What the provider charges for a usage as it reported it; None for what has no rate here."""
    if model not in _RATES or tier not in (None, "default", "standard"):
        return None
    total: int = usage.get("prompt_tokens", usage.get("input_tokens", 0))
    output: int = usage.get("completion_tokens", usage.get("output_tokens", 0))
    read = short = long = 0
    if model in _ANTHROPIC:
        read = usage["cache_read_input_tokens"]
        short = usage["cache_creation"]["ephemeral_5m_input_tokens"]
        long = usage["cache_creation"]["ephemeral_1h_input_tokens"]
        uncached = total  # Anthropic counts cached tokens beside input_tokens, OpenAI within
        total += read + short + long
    else:
        for details in ("prompt_tokens_details", "input_tokens_details"):
            read += usage.get(details, {}).get("cached_tokens", 0)
        uncached = total - read
    threshold, long_rates = _LONG_CONTEXT.get(model, (total, _RATES[model]))
    rates = long_rates if total > threshold else _RATES[model]
    counts = (uncached, output, read, short, long)
    millionths = sum((n * rate for n, rate in zip(counts, rates, strict=True)), Decimal(0))
    return millionths.scaleb(-6).normalize()
