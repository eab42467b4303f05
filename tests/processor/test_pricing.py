"""Pricing: statuses, settings, moments, the cache and its bounds."""

from __future__ import annotations

import random
import threading
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing_processor.pricing import CLASSES, Priced, decimal, price, prices_age_s, prices_version
from farthing_processor.pricing.cards import CACHED, CARDS
from farthing_processor.usage import COUNTS, Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z


def cost(
    usage: Usage | None, model: str | None = "gpt-5", provider: str = "openai", at_ns: int = NOW
) -> Priced:
    return price(usage, provider=provider, model=model, at_ns=at_ns)


def usd(priced: Priced) -> str | None:
    exact = priced.exact()
    return None if exact is None else f"{exact:f}"


def test_what_a_priced_call_says() -> None:
    priced = cost(Usage(2006, 300, 1920), "gpt-4o-2024-08-06")
    assert priced.usd == 0.005615
    assert priced.classes == {"input": 0.000215, "cache_read": 0.0024, "output": 0.003}
    assert priced.exact() == Decimal("0.005615")
    assert priced.exact_classes()["input"] == Decimal("0.000215")
    assert (priced.status, priced.match, priced.problem, priced.reason) == (
        "priced",
        "exact",
        "",
        None,
    )
    assert priced.prices == prices_version() == "genai-prices 0.2.3"
    assert prices_age_s() > 0


@pytest.mark.parametrize(
    ("usage", "model", "status", "amount", "problem"),
    [
        (None, "gpt-5", "usage_missing", None, ""),
        (Usage(), "gpt-5", "usage_missing", None, ""),
        (Usage(), "gpt-99", "usage_missing", None, ""),
        (Usage(0, 0), "gpt-5", "priced", "0", ""),
        (Usage(100, 10), "gpt-99", "unpriced", None, ""),
        (Usage(100, 10), None, "unpriced", None, ""),
        (Usage(100, 10, problem="odd"), "gpt-99", "unpriced", None, ""),
        # Priced by the character and by the second: tokens say nothing.
        (Usage(100, 10), "tts-1", "unpriced", None,
         "no rate for input; no rate for output; characters not reported"),
        (Usage(100, 10), "whisper-1", "unpriced", None,
         "no rate for input; no rate for output; audio seconds not reported"),
        (Usage(0, 0), "whisper-1", "usage_missing", None, "audio seconds not reported"),
        (Usage(), "omni-moderation-latest", "free", "0", ""),
        (Usage(batch=True), "omni-moderation-latest", "free", "0", ""),
        (Usage(1000, 100, problem="odd"), "gpt-5", "inconsistent", "0.00225", "odd"),
        (Usage(1000, 100, 2000), "gpt-5", "inconsistent", "0.001125", "parts exceed their whole"),
        (Usage(1000, 100, complete=False), "gpt-5", "estimated", "0.00225", ""),
        (Usage(1000, None), "gpt-5", "partial", "0.00125", "output tokens not reported"),
        (Usage(None, 100), "gpt-5", "partial", "0.001", "input tokens not reported"),
        (Usage(1000, None), "text-embedding-3-large", "priced", "0.00013", ""),
        (Usage(1000, 5), "text-embedding-3-large", "partial", "0.00013", "no rate for output"),
        (Usage(100, 10), "omni-moderation-latest", "free", "0", ""),
        (Usage(1000, 100, reported_cost=Decimal("0.0123")), "gpt-99", "reported", "0.0123", ""),
        (Usage(1000, 100, reported_cost=Decimal("1E-7")), None, "reported", "0.0000001", ""),
        (Usage(1000, 100, reported_cost=Decimal("NaN")), "gpt-5", "inconsistent", "0.00225",
         "invalid reported cost"),
        # No cache discount is listed: cached input is input at its full rate.
        (Usage(1000, 0, 1000), "gpt-5-pro", "priced", "0.015", ""),
        # Which of the cached tokens are audio makes a difference, and is not said.
        (Usage(1000, 0, 900, input_audio_tokens=300), "gpt-realtime", "partial", "0.00356",
         "cached tokens not reported by modality"),
        (Usage(1000, 0, 900, input_audio_tokens=100), "gpt-realtime", "priced", "0.00356", ""),
        # Image input is input; audio has no such rule.
        (Usage(1000, 0, input_image_tokens=600), "gpt-5", "priced", "0.00125", ""),
        (Usage(1000, 0, input_audio_tokens=600), "gpt-5", "partial", "0.0005",
         "no rate for audio input"),
        (Usage(0, 1000, output_image_tokens=600), "gpt-5", "partial", "0.004",
         "no rate for image output"),
        (Usage(0, 1000, output_image_tokens=600), "gpt-image-2", "priced", "0.03", ""),
        (Usage(0, 1000, output_image_tokens=1000), "gpt-5", "unpriced", None,
         "no rate for image output"),
        (Usage(1000, 0, web_searches=2, file_searches=4), "gpt-5", "priced", "0.03125", ""),
        (Usage(1000, 0, web_searches=2), "gpt-4", "partial", "0.03", "no rate for web search"),
        (Usage(1000, 0, 0, 800, 0, 300), "gpt-6-sol", "partial", "0.00165",
         "no rate for 12 h cache write"),
    ],
)  # fmt: skip
def test_status(
    usage: Usage | None, model: str | None, status: str, amount: str | None, problem: str
) -> None:
    priced = cost(usage, model)
    assert (priced.status, usd(priced), priced.problem) == (status, amount, problem)
    assert (priced.usd is None) == (amount is None)
    assert priced.usd is None or repr(priced.usd) == repr(float(amount or 0))
    assert (priced.reason is None) == (amount is not None)


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("_OTHER", "gpt-5", "unknown_provider"),
        ("openai", "gpt-99", "unknown_model"),
        ("openai", "", "unknown_model"),
        ("openai", "whisper-1", "no_price"),
        ("cerebras", "qwen-3-coder-480b", "no_price"),
        ("openai", "x" * 100_000, "unknown_model"),
    ],
)
def test_reason_of_no_price(provider: str, model: str, reason: str) -> None:
    assert cost(Usage(1, 1), model, provider).reason == reason


@pytest.mark.parametrize(
    ("setting", "model", "provider", "status", "amount"),
    [
        ({"tier": "flex"}, "gpt-5", "openai", "priced", "0.001125"),
        ({"tier": "default"}, "gpt-5", "openai", "priced", "0.00225"),
        ({"tier": "standard"}, "gpt-5", "openai", "priced", "0.00225"),
        ({"tier": "auto"}, "gpt-5", "openai", "priced", "0.00225"),
        ({"tier": "scale"}, "gpt-5", "openai", "partial", "0.00225"),
        ({"batch": True}, "gpt-5", "openai", "priced", "0.001125"),
        ({"batch": True, "tier": "priority"}, "gpt-5", "openai", "partial", "0.0045"),
        ({"tier": "flex"}, "gpt-4o", "openai", "partial", "0.0035"),
        # A deployment elsewhere has none of OpenAI's tiers.
        ({"tier": "flex"}, "gpt-5-2025-08-07", "azure.ai.openai", "partial", "0.00225"),
        ({"tier": "priority"}, "claude-opus-4-8", "anthropic", "partial", "0.0075"),
        ({"speed": "fast"}, "claude-opus-4-8", "anthropic", "priced", "0.015"),
        ({"speed": "fast"}, "claude-opus-4-6", "anthropic", "partial", "0.0075"),
        ({"batch": True}, "claude-opus-4-8", "anthropic", "priced", "0.00375"),
        ({"geo": "us"}, "claude-opus-4-8", "anthropic", "priced", "0.00825"),
        ({"geo": "us"}, "claude-haiku-4-5", "anthropic", "partial", "0.0015"),
        # Where it is served comes on top of how fast, or by the batch.
        ({"geo": "us", "speed": "fast"}, "claude-opus-4-8", "anthropic", "priced", "0.0165"),
        ({"geo": "us", "batch": True}, "claude-opus-4-8", "anthropic", "priced", "0.004125"),
        ({"geo": "eu"}, "gpt-5.4", "openai", "priced", "0.0044"),
        ({"geo": "eu"}, "gpt-5", "openai", "priced", "0.00225"),
        ({"geo": "mars"}, "gpt-5.4", "openai", "partial", "0.004"),
        ({"geo": "us-east5"}, "claude-sonnet-4-5@20250929", "gcp.vertex_ai", "priced", "0.00495"),
        ({"geo": "us-east5"}, "claude-3-5-haiku@20241022", "gcp.vertex_ai", "priced", "0.0012"),
        ({"geo": "us-east5"}, "gemini-2.5-flash", "gcp.vertex_ai", "priced", "0.00055"),
        ({"geo": "us-east5"}, "gemini-3-pro-preview", "gcp.vertex_ai", "partial", "0.0032"),
        ({"geo": "us"}, "gpt-5.4", "azure.ai.openai", "partial", "0.004"),
        ({"geo": "global"}, "claude-opus-4-8", "anthropic", "priced", "0.0075"),
    ],
)
def test_setting(
    setting: dict[str, Any], model: str, provider: str, status: str, amount: str
) -> None:
    priced = cost(Usage(1000, 100, **setting), model, provider)
    assert (priced.status, usd(priced)) == (status, amount)
    assert bool(priced.problem) == (status == "partial")


def test_a_tier_before_its_rates_are_known_is_partial(ns: Any) -> None:
    flex = Usage(1000, 100, tier="flex")
    before = cost(flex, at_ns=ns("2026-10-12T00:00:00") - 1)
    assert (before.status, usd(before)) == ("partial", "0.00225")
    assert before.problem == "no rate for service_tier flex"
    after = cost(flex, at_ns=ns("2026-10-12T00:00:00"))
    assert (after.status, usd(after)) == ("priced", "0.001125")


@pytest.mark.parametrize(
    ("provider", "model", "moment", "amount"),
    [
        ("openai", "o3", "2025-06-09T23:59:59", "0.014"),
        ("openai", "o3", "2025-06-10T00:00:00", "0.0028"),
        ("gcp.gemini", "gemini-3.8-flash", "2026-12-31T23:59:59", "0.001125"),
        ("gcp.gemini", "gemini-3.8-flash", "2027-01-01T00:00:00", "0.00225"),
        # By the hour: 01:00 to 04:00 and 06:00 to 10:00 UTC are dearer.
        ("deepseek", "deepseek-v4-pro", "2026-11-20T00:59:59", "0.000858"),
        ("deepseek", "deepseek-v4-pro", "2026-11-20T01:00:00", "0.001716"),
        ("deepseek", "deepseek-v4-pro", "2026-11-20T04:00:00", "0.000858"),
        ("deepseek", "deepseek-v4-pro", "2026-11-20T06:00:00", "0.001716"),
    ],
)
def test_the_moment_of_the_call_decides(
    provider: str, model: str, moment: str, amount: str, ns: Any
) -> None:
    usage = Usage(1000, 100)
    at_ns = ns(moment)
    assert usd(cost(usage, model, provider, at_ns)) == amount
    # The card that is kept does not outlive its prices, in either direction.
    for other in ("2024-01-01T12:00:00", "2027-06-01T02:00:00"):
        cost(usage, model, provider, ns(other))
        assert usd(cost(usage, model, provider, at_ns)) == amount


def test_long_context_is_of_the_whole_request_and_strictly_above() -> None:
    at, above = Usage(272_000, 1000, 200_000), Usage(272_001, 1000, 200_000)
    assert usd(cost(at, "gpt-5.5")) == "0.49"
    assert usd(cost(above, "gpt-5.5")) == "0.96501"


@pytest.mark.parametrize(
    ("tokens", "per_million"),
    [(32_000, "0.03"), (32_001, "0.1"), (256_000, "0.1"), (256_001, "0.2")],
)
def test_two_thresholds(tokens: int, per_million: str) -> None:
    priced = cost(Usage(tokens, 0), "qwen/qwen3.7-flash", "openrouter")
    assert priced.exact() == tokens * Decimal(per_million) / 10**6


def test_requests_beside_are_priced_by_themselves() -> None:
    beside = ("", Usage(150_000, 0)), ("claude-opus-4-8", Usage(1000, 100, 0, 500, 500))
    both = Usage(60_000, 0, also=beside)
    # 210,000 in all, and none above haiku's threshold of 100,000 but the compaction.
    priced = cost(both, "claude-haiku-5-5", "anthropic")
    assert usd(priced) == f"{Decimal('0.006') + Decimal('0.075') + Decimal('0.01'):f}"
    assert priced.status == "priced"
    assert sum(priced.exact_classes().values()) == priced.exact()


def test_a_request_beside_without_a_price_makes_the_sum_partial() -> None:
    priced = cost(Usage(1000, 100, also=(("image_generation", Usage(5, 5)),)))
    assert (priced.status, usd(priced)) == ("partial", "0.00225")
    assert priced.problem == "no price for image_generation"
    svg_alone = cost(Usage(also=(("gpt-5", Usage(1000, 100)),)), "gpt-image-2")
    assert (svg_alone.status, usd(svg_alone)) == ("priced", "0.00225")


@pytest.mark.parametrize(
    ("usage", "status", "amount"),
    [
        (Usage(-5, 3), "inconsistent", "0.00003"),
        (Usage(10, -3), "inconsistent", "0.0000125"),
        (Usage(10, 5, web_searches=-2), "inconsistent", "0.0000625"),
        (Usage(10, 5, cache_read_tokens=-3), "inconsistent", "0.0000625"),
        (Usage(10, 5, cache_write_tokens=-3), "inconsistent", "0.0000625"),
        (Usage(10, 5, 0, 5, -3), "inconsistent", "0.0000625"),
        (Usage(-5, -3), "usage_missing", None),
        (Usage("a", 2), "inconsistent", "0.00002"),  # type: ignore[arg-type]
        (Usage(10.5, 2), "inconsistent", "0.00002"),  # type: ignore[arg-type]
        (Usage(10, 10**400), "inconsistent", "0.0000125"),
    ],
)
def test_bad_counts_are_not_priced(usage: Usage, status: str, amount: str | None) -> None:
    priced = cost(usage)
    assert (priced.status, usd(priced)) == (status, amount)
    assert priced.problem.startswith("invalid ")


JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@settings(max_examples=400, deadline=None)
@given(st.tuples(*[JUNK | st.integers(-3, 50)] * len(COUNTS)))
def test_no_counts_make_it_raise_or_pay_back(counts: tuple[Any, ...]) -> None:
    for model in ("gpt-5", "gpt-realtime", "gpt-99"):
        priced = cost(Usage(*counts), model)
        assert min(priced.units) >= 0
        assert priced.total == sum(priced.units)


COUNT = st.integers(0, 10**6)


@settings(max_examples=400, deadline=None)
@given(st.tuples(*[COUNT] * 7), st.sampled_from(["gpt-5", "claude-sonnet-4-6", "gpt-6.1-sol"]))
def test_the_short_way_and_the_careful_way_agree(counts: tuple[int, ...], model: str) -> None:
    fresh, read, short, hour, out, searches, _ = counts
    usage = Usage(fresh + read + short + hour, out, read, short + hour, hour, web_searches=searches)
    provider = "anthropic" if model.startswith("claude") else "openai"
    short_way = cost(usage, model, provider)
    # Anything beside the call takes the careful way; nothing adds nothing.
    careful = cost(usage._replace(also=(("", Usage(0, 0)),)), model, provider)
    assert (short_way.exact(), short_way.exact_classes(), short_way.status, short_way.usd) == (
        careful.exact(), careful.exact_classes(), careful.status, careful.usd,
    )  # fmt: skip
    assert set(short_way.classes) <= set(CLASSES)


GROWING = [
    "input_tokens", "output_tokens", "cache_write_1h_tokens", "input_audio_tokens",
    "output_audio_tokens", "web_searches", "file_searches",
]  # fmt: skip
PLACES = [
    ("openai", "gpt-5"), ("openai", "gpt-audio"), ("openai", "gpt-realtime"),
    ("openai", "gpt-image-1.5"), ("openai", "gpt-6.1-sol"), ("anthropic", "claude-opus-4-8"),
    ("gcp.gemini", "gemini-2.5-flash"), ("perplexity", "sonar-pro"),
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(PLACES),
    st.integers(1000, 50_000),
    st.integers(1000, 50_000),
    st.lists(st.integers(0, 200), min_size=6, max_size=6),
    st.sampled_from(GROWING),
    st.integers(1, 500),
)
def test_cost_never_falls_when_a_count_grows(
    place: tuple[str, str], inp: int, out: int, parts: list[int], grows: str, by: int
) -> None:
    provider, model = place
    read, write, audio, image, out_audio, searches = parts
    usage = Usage(inp, out, read, write, 0, 0, None, audio, image, 0, 0, out_audio, 0, searches, 0)
    more = usage._replace(**{grows: getattr(usage, grows) + by})
    if grows == "cache_write_1h_tokens":
        more = more._replace(cache_write_tokens=write + by, input_tokens=inp + by)
    before, after = cost(usage, model, provider), cost(more, model, provider)
    if after.status == "partial":  # what has no rate is left out
        return
    exact = before.exact()
    assert exact is not None
    assert after.exact() >= exact


@given(st.integers(0, 10**18), st.integers(0, 12))
def test_decimals_are_exact_and_short(units: int, places: int) -> None:
    value = decimal(units, 10**places)
    assert value * 10**places == units
    assert "E" not in f"{value:f}"
    assert str(value) == "0" or not (value.as_tuple().exponent and str(units).strip("0") == "")
    assert value.as_tuple().digits[-1] != 0 or value.as_tuple().exponent == 0


def test_hostile_names_cannot_grow_the_cache_nor_drive_out_what_is_used() -> None:
    generator = random.Random(1)
    used = ("openai", "gpt-5", "", False, "", "")
    cost(Usage(1, 1))
    card = CARDS.get(used, NOW)
    for number in range(100_000):
        name = f"gpt-{number}-{generator.random()}"
        cost(Usage(1, 1), name, "_OTHER" if number % 10 else "openai")
        if number % 500 == 0:
            cost(Usage(1, 1))
    assert len(CARDS) <= CACHED
    assert CARDS.get(used, NOW) is card
    cost(Usage(1, 1), "gpt-5" + "x" * 5000)
    cost(Usage(1, 1, tier="y" * 5000))
    assert all(len(str(key)) < 1000 for key in (*CARDS.recent, *CARDS.older))


def test_threads_agree() -> None:
    models = ["gpt-5", "gpt-4o", "o3", "gpt-99", "gpt-5.5", "gpt-6.1-sol"]
    expected = {model: cost(Usage(1000, 100, 500), model) for model in models}
    wrong: list[Priced] = []
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        generator = random.Random(seed)
        start.wait()
        for number in range(3000):
            model = generator.choice(models)
            priced = cost(Usage(1000, 100, 500), model)
            if priced != expected[model]:
                wrong.append(priced)
            cost(Usage(1, 1), f"{seed}-{number}", "nobody")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(CARDS) <= CACHED + 2 * len(threads)
