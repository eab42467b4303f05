"""What the user's own rules make of a call: conditions, prices, precedence, bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from farthing_processor.assessment import Assessment, assess
from farthing_processor.attribution import NOBODY, Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing import Priced, price, rules
from farthing_processor.pricing.cards import CACHED
from farthing_processor.usage import Usage

from .conftest import ns

NOW = ns("2026-11-20T12:00:00")
USAGE = Usage(2006, 300, 1920)
LISTED = Decimal("0.005615")
"""What `USAGE` costs with gpt-4o of OpenAI by the table: 86 x 2.5 + 1920 x 1.25 + 300 x 10."""

PricedBy = Callable[[str], None]


@pytest.fixture
def priced_by(tmp_path: Path) -> Iterator[PricedBy]:
    """Puts the rules of a file in use, which must be right."""

    def put(text: str) -> None:
        path = tmp_path / "prices.toml"
        path.write_text(text, encoding="utf-8")
        assert rules.use_file(str(path)) == ()

    yield put
    rules.use(None)


def cost(usage: Usage | None = USAGE, who: Attribution = NOBODY, **of: Any) -> Priced:
    """The price of a call to gpt-4o of OpenAI, or of what ``of`` says instead."""
    facts = Facts(
        **{"provider": "openai", "request_model": "gpt-4o", "start_ns": NOW, "duration_s": 1.5} | of
    )
    model = facts.response_model or facts.request_model
    return price(usage, provider=facts.provider, model=model, at_ns=NOW, facts=facts, who=who)


def assessed(usage: Usage | None = USAGE, who: Attribution = NOBODY, **of: Any) -> Assessment:
    given = {"provider": "openai", "request_model": "gpt-4o", "start_ns": NOW} | of
    return assess(Facts(**given, usage=usage), who)


# Prices


@pytest.mark.parametrize(
    ("rule", "usd"),
    [
        ('rates = { input = "3", output = 7, cache_read = 0.1 }', "0.00255"),
        # Without a rate of its own, cached input is input.
        ("rates = { input = 3, output = 7 }", "0.008118"),
        ("rates = { input = 0, output = 7 }", "0.0021"),
        ('discount = "12.5%"', "0.004913125"),
        ("discount = 0.125", "0.004913125"),
        ("multiplier = 1.1", "0.0061765"),
        ('multiplier = "0.333333333333"', "0.001871666666664795"),
        ('alias = "gpt-4o-mini"', "0.0003369"),
        ('alias = { provider = "groq", model = "llama-3.1-8b-instant" }', "0.0001243"),
        ('alias = "gpt-4o-mini"\nmultiplier = 2', "0.0006738"),
        ('per_request = "0.002"', "0.007615"),
        ('per_request = "0.002"\nmultiplier = 2', "0.01323"),
        ("free = true", "0"),
        ('free = true\nper_request = "0.002"', "0.002"),
        # 1.5 s of a quarter of four GPUs at 2.40 an hour.
        ('gpu_hour = { price = "2.40", gpus = 4, concurrency = 4 }', "0.001"),
        ("gpu_hour = { price = 2.4 }", "0.001"),
    ],
)
def test_what_a_rule_makes_of_a_call(priced_by: PricedBy, rule: str, usd: str) -> None:
    assert cost().exact() == LISTED
    priced_by(f'[[rule]]\nmodel = "gpt-4o"\n{rule}\n')
    priced = cost()
    assert priced.exact() == Decimal(usd)
    assert priced.usd == float(usd)
    assert priced.status == ("free" if usd == "0" else "priced")
    assert cost(request_model="gpt-4.1").prices.startswith("genai-prices")


def test_a_toml_float_is_the_decimal_that_is_written(priced_by: PricedBy) -> None:
    priced_by("[[rule]]\nrates = { input = 0.1, output = 0.3 }")
    assert cost(Usage(3, 1)).exact() == Decimal("0.0000006")


@pytest.mark.parametrize(("many", "unit"), [("web_searches", 100), ("input_audio_tokens", 10**5)])
def test_the_units_of_rates(priced_by: PricedBy, many: str, unit: int) -> None:
    """Tokens by the million, searches by the thousand."""
    priced_by("[[rule]]\nrates = { input = 0, output = 0, web_search = 10, input_audio = 10 }")
    assert cost(Usage(10**5, 0, **{many: unit})).exact() == 1


def test_rates_are_for_every_tier_that_the_rule_is_for(priced_by: PricedBy) -> None:
    priced_by("[[rule]]\nrates = { input = 2, output = 2 }")
    served = Usage(500_000, 0, tier="priority", batch=True, geo="eu")
    assert (cost(served).status, cost(served).usd) == ("priced", 1.0)


def test_what_a_rule_has_no_rate_for_is_partial(priced_by: PricedBy) -> None:
    priced_by("[[rule]]\nrates = { input = 2 }")
    priced = cost(Usage(500_000, 10))
    assert (priced.status, priced.usd, priced.problem) == ("partial", 1.0, "no rate for output")


def test_a_fee_for_a_model_without_a_price_is_only_a_part(priced_by: PricedBy) -> None:
    priced_by('[[rule]]\nper_request = "0.002"')
    priced = cost(request_model="unheard-of")
    assert (priced.status, priced.usd) == ("partial", 0.002)
    assert dict(priced.classes) == {"tools": 0.002}


@pytest.mark.parametrize("rule", ["multiplier = 0.5", 'alias = "unheard-of-too"'])
def test_a_rule_over_no_price_is_no_price(priced_by: PricedBy, rule: str) -> None:
    priced_by(f"[[rule]]\n{rule}")
    priced = cost(request_model="unheard-of")
    assert (priced.status, priced.reason, priced.usd) == ("unpriced", "unknown_model", None)


def test_what_is_billed_beside_a_request_pays_its_fee_once(priced_by: PricedBy) -> None:
    beside = (("claude-opus-4-6", Usage(1000, 10)), ("", Usage(500, 5)))
    call = {"provider": "anthropic", "request_model": "claude-sonnet-4-6"}
    usage = Usage(2000, 20, also=beside)
    listed = cost(usage, **call).exact()
    assert listed
    priced_by('[[rule]]\nper_request = "1"\n')
    assert cost(usage, **call).exact() == listed + 1
    priced_by('[[rule]]\nmodel = "*opus*"\nfree = true\n')
    assert cost(usage, **call).exact() == cost(usage._replace(also=beside[1:]), **call).exact()


@given(
    usage=st.builds(
        lambda fresh, read, write, hour, out, searches: Usage(
            fresh + read + write, out, read, write, min(hour, write), web_searches=searches
        ),
        *[st.integers(0, 400_000)] * 5,
        st.integers(0, 5),
    ),
    model=st.sampled_from(["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-6"]),
    percent=st.decimals(0, 99, places=3),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_discount_is_exact_for_every_usage(
    priced_by: PricedBy, usage: Usage, model: str, percent: Decimal
) -> None:
    call = {"provider": "anthropic", "request_model": model}
    rules.use(None)
    listed = cost(usage, **call)
    rule = f'multiplier = "{1 - percent / 100}"'
    priced_by(f"[[rule]]\n{rule}")
    rest = Fraction(1 - percent / 100)
    discounted = cost(usage, **call)
    assert Fraction(discounted.total, discounted.per_usd) == rest * Fraction(
        listed.total, listed.per_usd
    )
    assert (discounted.status, discounted.match) == (listed.status, listed.match)


# By the hour


@pytest.mark.parametrize("usage", [None, Usage(), USAGE, Usage(10, 5, complete=False)])
def test_time_needs_no_usage(priced_by: PricedBy, usage: Usage | None) -> None:
    priced_by('[[rule]]\nhost = "llm.internal"\ngpu_hour = { price = 3.6, concurrency = 2 }')
    of = {"provider": "_OTHER", "server_address": "llm.internal", "duration_s": 2.000000001}
    said = assessed(usage, **of)
    assert (said.status, said.cost) == ("priced", 0.0010000000005)
    # What is paid for by time is of no class, and it is said by us.
    assert dict(said.by_class) == {}
    assert said.attributes["gen_ai.usage.cost.source"] == "local"


def test_time_that_is_not_known_is_not_guessed(priced_by: PricedBy) -> None:
    priced_by("[[rule]]\ngpu_hour = { price = 3.6 }")
    for nothing in (None, float("nan"), float("inf"), -1.0):
        said = assessed(duration_s=nothing)
        assert (said.cost, said.status, said.reason) == (None, "unpriced", "no_price")


def test_a_call_that_failed_before_it_cost_anything_has_no_cost(priced_by: PricedBy) -> None:
    priced_by("[[rule]]\nfree = true")
    assert assessed(None, error_type="timeout").status is None
    assert assessed(None).status == "free"


# Conditions


@pytest.mark.parametrize(
    ("condition", "of"),
    [
        ('provider = "azure.ai.openai"', {"provider": "azure.ai.openai"}),
        ('provider = "azure"', {"provider": "azure.ai.openai"}),
        ('model = "gpt-4o"', {"request_model": "x", "response_model": "gpt-4o-2024-08-06"}),
        ('model = "GPT-4*"', {}),
        ('model = ["o3", "gpt-4o"]', {}),
        ('deployment = "prod-*"', {"request_model": "prod-eu", "response_model": "gpt-4o"}),
        ('host = "*.internal"', {"server_address": "LLM.internal"}),
        ('operation = "embeddings"', {"operation": "embeddings"}),
        ('tier = "priority"', {"usage": USAGE._replace(tier="priority")}),
        ('tier = "standard"', {}),
        ('tier = "standard"', {"usage": USAGE._replace(tier="default")}),
        ("batch = true", {"usage": USAGE._replace(batch=True)}),
        ("batch = false", {}),
        ('speed = "fast"', {"usage": USAGE._replace(speed="fast")}),
        ('geo = "us"', {"usage": USAGE._replace(geo="us")}),
        ('workflow = "report"', {"who": Attribution(workflow="report")}),
        ('step = "evals-*"', {"who": Attribution(step="evals-nightly")}),
        ('agent = "writer"', {"who": Attribution(agent="writer")}),
        ('feature = "chat"', {"who": Attribution(feature="chat")}),
        ('user = "u1"', {"who": Attribution(user="u1")}),
        ('task_type = "triage"', {"who": Attribution(task_type="triage")}),
        ('tag.team = "research"', {"who": Attribution(tags={"team": "research"})}),
        ('tag = { "a.b" = "c" }', {"who": Attribution(tags={"a.b": "c"})}),
        ('host = "h"\nstep = "s"', {"server_address": "h", "who": Attribution(step="s")}),
    ],
)
def test_conditions(priced_by: PricedBy, condition: str, of: dict[str, Any]) -> None:
    priced_by(f"[[rule]]\n{condition}\nper_request = 7\n")
    usage = of.pop("usage", USAGE)
    assert "line 1" in cost(usage, **of).prices
    other = Usage(10, 5, tier="flex", batch="batch = false" in condition)
    elsewhere = cost(other, provider="groq", request_model="llama-3.1-8b-instant")
    assert "line 1" not in elsewhere.prices


def test_all_conditions_must_hold(priced_by: PricedBy) -> None:
    priced_by('[[rule]]\nmodel = "gpt-4o"\nstep = "plan"\nfree = true')
    assert cost(who=Attribution(step="write")).exact() == LISTED
    assert cost(who=Attribution(step="plan"), request_model="gpt-4.1").usd
    assert cost(who=Attribution(step="plan")).usd == 0
    assert cost().exact() == LISTED


def test_the_first_rule_that_applies_decides(priced_by: PricedBy) -> None:
    priced_by(
        '[[rule]]\nmodel = "gpt-4o-2024-05-13"\nper_request = 1\n'
        '[[rule]]\nstep = "plan"\nper_request = 2\n'
        '[[rule]]\nmodel = "gpt-4o"\nfree = true\n'
        "[[rule]]\nper_request = 4\n"
    )
    plan = Attribution(step="plan")
    assert "line 1" in cost(request_model="gpt-4o-2024-05-13", who=plan).prices
    assert "line 4" in cost(who=plan).prices
    assert "line 7" in cost().prices
    assert "line 10" in cost(request_model="o3").prices


def test_a_pattern_is_of_the_whole_name(priced_by: PricedBy) -> None:
    priced_by('[[rule]]\nmodel = "gpt-4"\nfree = true\n')
    assert cost().exact() == LISTED
    assert cost(request_model="gpt-4-0613").usd != 0


def test_without_what_is_known_of_a_call_only_its_key_counts(priced_by: PricedBy) -> None:
    priced_by(
        '[[rule]]\nstep = "*"\nper_request = 1\n[[rule]]\nmodel = "gpt-4o"\ndiscount = "50%"\n'
    )
    assert price(USAGE, provider="openai", model="gpt-4o", at_ns=NOW).exact() == LISTED / 2


# What stands on the span


def test_prices_name_the_file_its_version_and_the_line(priced_by: PricedBy) -> None:
    priced_by('# ours\n\n[[rule]]\nmodel = "gpt-4o"\ndiscount = "10%"')
    said = assessed().attributes["farthing.cost.prices"]
    assert isinstance(said, str)
    file, _, table = said.partition("; ")
    assert file.startswith("prices.toml ")
    assert file.endswith(" line 3")
    assert table.startswith("genai-prices ")
    priced_by('[[rule]]\nmodel = "gpt-4o"\nfree = true')
    free = assessed().attributes
    assert str(free["farthing.cost.prices"]).endswith(" line 1")
    assert str(free["farthing.cost.prices"])[:20] != file[:20]
    assert free["farthing.cost.status"] == "free"
    assert free["gen_ai.usage.cost.amount"] == 0
    assert free["gen_ai.usage.cost.source"] == "local"


# Precedence over what the provider reports


def reported(usd: str) -> Usage:
    return USAGE._replace(reported_cost=Decimal(usd))


@pytest.mark.parametrize(
    ("usd", "differs"),
    [
        ("0.005615", False),
        ("0.00567115", False),  # exactly 1 %
        ("0.00567116", True),
        ("0.00555885", False),
        ("0.00555884", True),
        ("0", True),
    ],
)
def test_the_provider_s_cost_comes_before_the_table(usd: str, differs: bool) -> None:
    said = assessed(reported(usd))
    assert (said.status, said.cost, said.source) == ("reported", float(usd), "provider")
    assert said.attributes["gen_ai.usage.cost.source"] == "provider"
    assert said.attributes.get("farthing.cost.listed") == (0.005615 if differs else None)
    assert "farthing.cost.reported" not in said.attributes
    assert (said.other is not None) is differs


def test_a_rule_comes_before_the_provider_s_cost(priced_by: PricedBy) -> None:
    priced_by('[[rule]]\nmodel = "gpt-4o"\nmultiplier = 2')
    said = assessed(reported("0.005615"))
    assert (said.status, said.cost, said.source) == ("priced", 0.01123, "local")
    assert said.attributes["farthing.cost.reported"] == 0.005615
    assert "farthing.cost.listed" not in said.attributes
    agreed = assessed(reported("0.0112"))
    assert (agreed.cost, agreed.other) == (0.01123, None)


def test_a_rule_without_a_price_leaves_the_provider_s(priced_by: PricedBy) -> None:
    priced_by("[[rule]]\nmultiplier = 2")
    said = assessed(reported("0.5"), request_model="unheard-of")
    assert (said.status, said.cost, said.other) == ("reported", 0.5, None)


def test_what_cannot_be_compared_does_not_disagree() -> None:
    """Ours is a lower bound at best where the counts are not all there."""
    for usage in (Usage(), Usage(10), Usage(10, 5, 20), USAGE._replace(tier="unheard-of")):
        said = assessed(usage._replace(reported_cost=Decimal("0.5")))
        assert (said.cost, said.other) == (0.5, None)


def test_a_reported_cost_of_counts_that_contradict_each_other_is_still_the_provider_s() -> None:
    usage = Usage(100, 10, problem="total is less than its parts", reported_cost=Decimal("0.5"))
    said = assessed(usage)
    assert (said.status, said.source) == ("inconsistent", "provider")


# How they are kept


def test_rules_are_swapped_whole(priced_by: PricedBy) -> None:
    priced_by('[[rule]]\nmodel = "gpt-4o"\nfree = true')
    assert cost().usd == 0
    priced_by('[[rule]]\nmodel = "gpt-4o"\nmultiplier = 2')
    assert cost().exact() == LISTED * 2
    rules.use(None)
    assert cost().exact() == LISTED


def test_no_flood_of_values_grows_memory(priced_by: PricedBy) -> None:
    priced_by('[[rule]]\nuser = "vip-*"\nfree = true\n[[rule]]\nstep = "x"\nmultiplier = 2')
    for number in range(2 * CACHED):
        assert cost(who=Attribution(user=f"vip-{number}")).usd == 0
        assert cost(who=Attribution(user=f"u{number}", step="x")).exact() == LISTED * 2
        assert cost(who=Attribution(user="u" * 10_000 + str(number))).exact() == LISTED
    in_use = rules.IN_USE[0]
    assert in_use is not None
    kept = in_use._known
    assert len(kept) <= CACHED
    assert all(len(str(values)) < 1000 for values in kept)
    assert len(in_use._sets) <= rules.SETS


def test_rules_that_apply_in_many_combinations_stay_bounded(priced_by: PricedBy) -> None:
    many = "".join(f'[[rule]]\nstep = "*-{n}-*"\nmultiplier = {n + 1}\n' for n in range(9))
    priced_by(many)
    for number in range(1, 2**9):
        of = [n for n in range(9) if number >> n & 1]
        step = "-" + "-".join(f"{n}-" for n in of)
        assert cost(who=Attribution(step=step)).exact() == LISTED * (of[0] + 1)
    in_use = rules.IN_USE[0]
    assert in_use is not None
    assert len(in_use._sets) <= rules.SETS
