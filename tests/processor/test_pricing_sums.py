"""Sums: classes add up to the total exactly, and floats never drift from decimal arithmetic."""

from __future__ import annotations

import random
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest

from farthing_processor.pricing import price
from farthing_processor.pricing.pack import shipped
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
PLACES = [
    ("openai", "gpt-4o-mini"), ("openai", "gpt-5"), ("openai", "gpt-5.5"), ("openai", "gpt-6-sol"),
    ("openai", "o3"), ("anthropic", "claude-sonnet-4-6"), ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-flash"),
    ("google", "gemini-2.5-pro"),
    ("groq", "openai/gpt-oss-20b"), ("mistral", "mistral-large-2512"), ("x-ai", "grok-4.7"),
    ("aws", "amazon.nova-pro-v1:0"),
]  # fmt: skip
PARTS = {
    "input": "input_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
    "tools": "web_searches_kcount",
}
MILLION, THOUSAND = Decimal(10**6), Decimal(10**3)


def listed(provider_id: str, model: str) -> dict[str, Any]:
    """The pack's prices of a model that has had one list of them all along, or has it by now."""
    provider = shipped().provider(provider_id)
    assert provider is not None
    return dict(provider.by_name[model].prices[-1][1])


def at(rate: Any, tokens: int) -> Decimal:
    """The decimal of a request with that much input."""
    if isinstance(rate, str):
        return Decimal(rate)
    base, tiers = rate
    return Decimal(next((tier for above, tier in reversed(tiers) if tokens > above), base))


def by_hand(usage: Usage, prices: dict[str, Any]) -> dict[str, Decimal]:
    """What a usage costs by class, in decimal arithmetic from the pack's own decimals."""
    tokens = usage.input_tokens or 0
    fresh = tokens - usage.cache_read_tokens - usage.cache_write_tokens
    short = usage.cache_write_tokens - usage.cache_write_1h_tokens
    rates = {part: at(prices.get(key, prices["input_mtok"]), tokens) for part, key in PARTS.items()}
    hour = at(prices.get("cache_write_1h_mtok", "0"), tokens)
    return {
        "input": fresh * rates["input"] / MILLION,
        "cache_read": usage.cache_read_tokens * rates["cache_read"] / MILLION,
        "cache_write": (short * rates["cache_write"] + usage.cache_write_1h_tokens * hour)
        / MILLION,
        "output": (usage.output_tokens or 0) * rates["output"] / MILLION,
        "tools": usage.web_searches * rates["tools"] / THOUSAND,
    }


def check(number: int, seed: int) -> None:
    generator = random.Random(seed)
    randrange = generator.randrange
    known = {place: listed(*place) for place in PLACES}
    total, floats = Fraction(0), 0.0
    with localcontext() as context:
        context.prec = 60
        for _ in range(number):
            place = generator.choice(PLACES)
            prices = known[place]
            scale = generator.choice((10, 1000, 100_000))
            read, short, fresh = randrange(scale), randrange(scale), randrange(scale)
            hour = randrange(scale) if "cache_write_1h_mtok" in prices else 0
            searches = randrange(5) if "web_searches_kcount" in prices else 0
            write = short + hour
            usage = Usage(
                fresh + read + write, randrange(scale), read, write, hour, web_searches=searches
            )
            priced = price(usage, provider=place[0], model=place[1], at_ns=NOW)
            expected = by_hand(usage, prices)
            exact = priced.exact()
            assert priced.status == "priced", (place, usage, priced)
            assert exact == sum(expected.values()) == sum(priced.exact_classes().values())
            assert dict(priced.exact_classes()) == {k: usd for k, usd in expected.items() if usd}
            assert sum(priced.units) == priced.total
            assert priced.usd == float(exact)
            assert repr(priced.usd) == repr(float(str(exact)))
            assert priced.classes == {k: float(usd) for k, usd in expected.items() if usd}
            total += Fraction(exact)
            floats += priced.usd
    # A sum of doubles, as a histogram keeps it, is off by its own rounding alone.
    assert abs(Fraction(floats) - total) <= total * Fraction(number, 2**53)


def test_twenty_thousand_usages() -> None:
    check(20_000, 7)


@pytest.mark.slow
def test_a_million_usages() -> None:
    check(1_000_000, 11)
