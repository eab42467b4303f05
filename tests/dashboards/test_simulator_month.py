"""What the simulator draws and charges: the month of a real agent, outliers among it."""

from __future__ import annotations

from decimal import Decimal
from statistics import fmean, median

import pytest

from farthing_dashboards.simulator import profiles
from farthing_dashboards.simulator.rates import bill


def test_the_draws_are_those_of_the_month():
    for profile in profiles.PROFILES:
        draws = [profiles.draw(profile, 3, index) for index in range(4000)]
        assert fmean(d.input for d in draws) == pytest.approx(profile.input_tokens, rel=0.03)
        assert fmean(d.output for d in draws) == pytest.approx(profile.output_tokens, rel=0.06)
        assert len({d.input for d in draws}) > 50


OWN_MODEL = {
    "doc_synthesis": "gpt-5.5-2026-04-23",
    "planning": "claude-sonnet-4-6",
    "research": "gpt-4.1-2025-04-14",
    "summarise": "claude-haiku-4-5-20251001",
    "embed_query": "text-embedding-3-large",
}


@pytest.mark.parametrize("profile", profiles.PROFILES, ids=lambda profile: profile.step)
def test_a_few_calls_of_each_step_are_outliers(profile):
    def cost(index):
        tokens = profiles.draw(profile, 5, index)
        usage = {"input_tokens": tokens.input, "output_tokens": tokens.output}
        return bill(
            OWN_MODEL.get(profile.step, "gpt-4o-mini-2024-07-18"),
            usage
            | {
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            },
            None,
        )

    outliers = {index for index in range(200) if profiles.is_outlier(profile, 5, index)}
    usual = median(cost(index) for index in range(200))
    assert {index for index in range(200) if cost(index) > 6 * usual} == outliers
    assert len(outliers) == 5


def test_the_long_context_rates_start_above_the_threshold():
    def usage(tokens):
        return {
            "input_tokens": tokens,
            "input_tokens_details": {"cached_tokens": 200_000},
            "output_tokens": 1_000,
        }

    model = "gpt-5.5-2026-04-23"
    # The second is a published case: 72001 x $10/M + 200000 x $1/M + 1000 x $45/M.
    assert bill(model, usage(272_000), "default") == Decimal("0.49")
    assert bill(model, usage(272_001), "default") == Decimal("0.96501")
