"""What the prompt cache saved: the price of the same usage without it, less what it cost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from farthing_processor.assessment import Assessment, assess
from farthing_processor.attribution import NOBODY
from farthing_processor.facts import Facts
from farthing_processor.pricing import Priced, price
from farthing_processor.usage import Usage

from .conftest import ns

NOW = ns("2026-11-20T12:00:00")


def cost(usage: Usage, provider: str = "anthropic", model: str = "claude-sonnet-4-6") -> Priced:
    return price(usage, provider=provider, model=model, at_ns=NOW)


def assessed(usage: Usage, provider: str, model: str) -> Assessment:
    return assess(Facts(provider, model, usage=usage, start_ns=NOW), NOBODY)


def amount(priced: Priced) -> Fraction:
    return Fraction(priced.total, priced.per_usd)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd"),
    [
        # 1920 x (2.50 - 1.25)
        ("openai", "gpt-4o", Usage(2006, 300, 1920), 0.0024),
        # A write costs 1.25 times the input, and 2 times where it is kept for an hour.
        ("anthropic", "claude-sonnet-4-6", Usage(1000, 10, 0, 1000), -0.00075),
        ("anthropic", "claude-sonnet-4-6", Usage(1000, 10, 0, 1000, 1000), -0.003),
        ("anthropic", "claude-sonnet-4-6", Usage(2000, 10, 1000, 1000), 0.00195),
        # Above 200,000 tokens all of a request has another rate, cache or not.
        ("anthropic", "claude-sonnet-4-5", Usage(300_000, 10, 290_000), 1.566),
    ],
)
def test_savings(provider: str, model: str, usage: Usage, usd: float) -> None:
    said = assessed(usage, provider, model)
    assert said.cache_savings == usd
    assert said.attributes["farthing.cost.cache_savings"] == usd


@pytest.mark.parametrize(
    "usage",
    [
        Usage(2006, 300),
        # Kept for twelve hours: no rate, so no comparison.
        Usage(2006, 300, 0, 1000, 0, 1000),
        Usage(2006, 300, 1000, reported_cost=Decimal(7)),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_say(usage: Usage) -> None:
    said = assessed(usage, "anthropic", "claude-sonnet-4-6")
    assert said.cache_savings == 0
    assert "farthing.cost.cache_savings" not in said.attributes
    unpriced = assessed(usage._replace(reported_cost=None), "anthropic", "unheard-of")
    assert "farthing.cost.cache_savings" not in unpriced.attributes


def test_a_reported_cost_that_agrees_with_ours_has_our_savings() -> None:
    ours = assessed(Usage(2006, 300, 1920), "openai", "gpt-4o")
    usage = Usage(2006, 300, 1920, reported_cost=Decimal("0.0056"))
    said = assessed(usage, "openai", "gpt-4o")
    assert (said.cost, said.status) == (0.0056, "reported")
    assert said.cache_savings == ours.cache_savings == 0.0024


def test_savings_of_requests_beside_are_those_of_the_call() -> None:
    part = Usage(1000, 10, 900)
    alone = cost(part)
    both = cost(part._replace(also=(("", part),)))
    assert alone.savings == 0.00243
    assert both.savings == 2 * alone.savings


COUNT = st.integers(0, 400_000)


@given(
    counts=st.tuples(COUNT, COUNT, COUNT, COUNT, COUNT),
    audio=st.integers(0, 1000),
    cached_audio=st.integers(0, 1000),
    model=st.sampled_from(
        [
            ("anthropic", "claude-sonnet-4-5"),
            ("anthropic", "claude-haiku-4-5"),
            ("google", "gemini-2.5-flash"),
            ("google", "gemini-2.5-pro"),
            ("openai", "gpt-4o"),
            ("openai", "gpt-realtime"),
        ]
    ),
)
@hypothesis_settings(deadline=None)
def test_they_are_the_difference_to_the_same_call_without_a_cache(
    counts: tuple[int, ...], audio: int, cached_audio: int, model: tuple[str, str]
) -> None:
    fresh, read, write, hour, out = counts
    if model[0] != "anthropic":
        write = hour = 0
    if model[0] == "anthropic":
        audio = cached_audio = 0
    usage = Usage(
        fresh + read + write + audio + cached_audio,
        out,
        read + cached_audio,
        write,
        min(hour, write),
        input_audio_tokens=audio + cached_audio,
        cache_read_audio_tokens=cached_audio,
    )
    plain = usage._replace(
        cache_read_tokens=0,
        cache_write_tokens=0,
        cache_write_1h_tokens=0,
        cache_read_audio_tokens=0,
    )
    with_cache, without = cost(usage, *model), cost(plain, *model)
    if {with_cache.status, without.status} != {"priced"}:
        assert "rate" in with_cache.problem + without.problem
        return
    saved = Fraction(with_cache.saved, with_cache.per_usd)
    assert saved == amount(without) - amount(with_cache)
