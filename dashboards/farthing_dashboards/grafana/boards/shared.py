"""Panels that several dashboards have."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from farthing_dashboards.grafana.alerts import PRICES_DAYS
from farthing_dashboards.grafana.boards import quantities as q
from farthing_dashboards.grafana.boards import rows
from farthing_dashboards.grafana.boards.panels import (
    COUNT,
    SECONDS,
    SHARE,
    TIMES,
    USD,
    Column,
    Rows,
    series,
    stat,
    table,
)
from farthing_processor import semconv

_OLD = PRICES_DAYS * 86400.0


def waste_share() -> Panel:
    return stat(
        "Wasted",
        "Which share of the spend bought nothing? The cost of calls that failed, were abandoned or "
        "repeated, or whose workflow failed (farthing.waste.cost), over all spend.",
        q.waste_share(),
        SHARE,
        alarm=(0.1, 0.25),
    )


def unpriced_share() -> Panel:
    return stat(
        "Without a price",
        "Which share of the calls is missing from every sum? Calls that may have cost money and "
        "have no amount (farthing.calls.unpriced), over those and the calls with one.",
        q.unpriced_share(),
        SHARE,
        alarm=(0.01, 0.05),
    )


def calls_without_price(width: int) -> Panel:
    return stat(
        "Calls without a price",
        "How many calls may have cost money and are in no sum? The count of "
        "farthing.calls.unpriced.",
        q.of_any_calls(q.UNPRICED),
        COUNT,
        width=width,
    )


def price_table_age(width: int) -> Panel:
    return stat(
        "Age of the price table",
        "Are the prices still the providers'? farthing.prices.age of the oldest table that a "
        "process uses now. `farthing prices update` gets a newer one.",
        f"max ({q.PRICES_AGE})",
        SECONDS,
        width=width,
        alarm=(_OLD / 2, _OLD),
        empty="No process reports metrics at the end of this time range.",
    )


def cache_worth_over_time(width: int) -> Panel:
    return series(
        "What the prompt cache is worth, an hour",
        "Does caching pay? What calls would have cost more without it (farthing.cache.savings), "
        "less what they cost more because they wrote to it and read too little "
        "(farthing.cache.surcharges), in the hour before each point. Below 0 it costs more than it "
        "saves.",
        q.cache_worth(semconv.RESPONSE_MODEL, window=q.HOUR),
        semconv.RESPONSE_MODEL,
        USD,
        width=width,
        least=None,
        empty="No call used a prompt cache in this time range.",
    )


def volume_and_spend(by: Rows, says: str, *more: Column) -> Panel:
    """A row for each step, model …: what it costs, beside how much of the calls it is."""
    name = by.attribute
    columns = (
        Column("Calls", q.calls(name), COUNT),
        Column("Avg tokens in", q.average_tokens(q.TOKEN_INPUT, name), COUNT),
        Column("Avg tokens out", q.average_tokens(q.TOKEN_OUTPUT, name), COUNT),
        Column("Avg cost", q.average_cost(name), USD),
        Column("Share of calls", q.of_calls(name), SHARE, bar=True),
        Column("Share of spend", q.of_spend(q.SPEND, name), SHARE, bar=True),
        Column("Spend to volume", q.times_its_volume(name), TIMES),
        Column("Spend", q.SPEND.by(name), USD),
        Column("No price", q.UNPRICED.by(name), COUNT),
        *more,
    )
    how = (
        " Averages are of the calls that have a price, or reported tokens. A spend of nothing at "
        "all, beside calls without a price, is unknown, not free."
    )
    return table(f"{by.title}s by spend", says + how, (by,), columns, by="Spend", height=11)


def waste_by_reason(width: int) -> Panel:
    return table(
        "Waste by reason",
        "What bought nothing? The cost of such calls (farthing.waste.cost), each dollar under the "
        "first reason that applies, and its share of all spend. What a failed workflow had spent "
        "counts when it ends; no span of it says so, the outcome of the run does.",
        (rows.WASTE_REASON,),
        (
            Column("Waste", q.WASTE.by(semconv.WASTE_REASON), USD),
            Column("Share of spend", q.of_spend(q.WASTE, semconv.WASTE_REASON), SHARE, bar=True),
        ),
        by="Waste",
        width=width,
        empty="Nothing was wasted in this time range, as far as is known.",
    )


def runs_by_workflow(width: int) -> Panel:
    name = semconv.WORKFLOW_NAME
    return table(
        "Cost of what was completed",
        "What does it cost to get a workflow done? What all its runs cost, failed ones too "
        "(farthing.workflow.cost), over the runs that succeeded (farthing.workflows). A run is "
        "counted when it ends. No value where no run succeeded.",
        (rows.WORKFLOW,),
        (
            Column("Runs", q.RUNS.by(name), COUNT),
            Column("Succeeded", q.counted_of(q.SUCCESSES, q.RUNS, name), COUNT),
            Column("Success rate", q.success_rate(name), SHARE, bar=True),
            Column("Spend", q.RUN_COST.by(name), USD),
            Column("Cost per run", q.share(q.RUN_COST.by(name), q.RUNS_WITH_COST.by(name)), USD),
            Column("Cost per success", q.cost_per_success(name), USD),
        ),
        by="Spend",
        width=width,
        empty="No workflow ended in this time range.",
    )
