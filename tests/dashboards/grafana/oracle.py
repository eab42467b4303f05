"""What each panel must say: the truth of each of its queries, by dashboard and title.

``test_panels`` fails for a panel that is not here.
"""

from __future__ import annotations

from farthing_dashboards.grafana.names import SERVICE
from farthing_processor import semconv as names
from tests.dashboards.grafana.run import (
    Amount,
    Truth,
    a_second,
    cost,
    counted,
    disagreed,
    failed,
    first_chunk,
    largest,
    less,
    like,
    one,
    ours,
    over,
    priced,
    prices_age,
    quantile,
    retries,
    run_cost,
    savings,
    succeeded,
    surcharges,
    tokens,
    took,
    total,
    unpriced,
    wasted,
    with_cost,
)

STEP = names.STEP_NAME
MODEL = names.RESPONSE_MODEL
WORKFLOW = names.WORKFLOW_NAME
OUTCOME = names.WORKFLOW_OUTCOME

REASON = names.OUTLIER_REASON
WASTE = names.WASTE_REASON
SOURCE = names.COST_SOURCE
INPUT = (names.TOKEN_TYPE, "input")
OUTPUT = (names.TOKEN_TYPE, "output")


CALLS = total(one)


def average_cost(*by: str) -> Truth:
    return over(total(cost, *by), total(priced, *by))


def average_tokens(kind: tuple[str, str], *by: str) -> Truth:
    return over(
        total(tokens, *by, of="tokens", where=kind), total(one, *by, of="tokens", where=kind)
    )


def share(amount: Amount, *by: str) -> Truth:
    return over(total(amount, *by), total(amount))


def error_rate(*by: str) -> Truth:
    return over(counted(total(failed, *by), total(ours, *by)), total(ours, *by))


def runs(amount: Amount, *by: str) -> Truth:
    return total(amount, *by, of="workflows")


def success_rate(*by: str) -> Truth:
    return over(counted(runs(succeeded, *by), runs(one, *by)), runs(one, *by))


def cost_per_success(*by: str) -> Truth:
    return over(runs(run_cost, *by), runs(succeeded, *by))


def cache_worth(*by: str) -> Truth:
    return less(total(savings, *by), total(surcharges, *by))


def volume_and_spend(by: str, *more: Truth) -> tuple[Truth, ...]:
    return (
        total(one, by),
        average_tokens(INPUT, by),
        average_tokens(OUTPUT, by),
        average_cost(by),
        share(one, by),
        share(cost, by),
        over(share(cost, by), share(one, by)),
        total(cost, by),
        total(unpriced, by),
        *more,
    )


def unpriced_share(*by: str) -> Truth:
    return over(counted(total(unpriced, *by), total(one, *by)), total(one, *by))


def flags(*by: str, reason: str | None = None) -> Truth:
    return total(one, *by, of="flags", where=reason and (REASON, reason))


def flagged(reason: str) -> tuple[Truth]:
    return (counted(flags(reason=reason), CALLS),)


def or_none(amount: Truth) -> tuple[Truth]:
    """0 of calls that it is of none of."""
    return (counted(amount, CALLS),)


WASTED = (over(counted(total(wasted), total(cost)), total(cost)),)
RUNS = (
    runs(one, WORKFLOW),
    counted(runs(succeeded, WORKFLOW), runs(one, WORKFLOW)),
    success_rate(WORKFLOW),
    runs(run_cost, WORKFLOW),
    over(runs(run_cost, WORKFLOW), runs(with_cost, WORKFLOW)),
    cost_per_success(WORKFLOW),
)
WASTE_BY_REASON = (total(wasted, WASTE), over(total(wasted, WASTE), total(cost)))

ORACLE: dict[str, dict[str, tuple[Truth, ...]]] = {
    "farthing-overview": {
        "Spend": (total(cost),),
        "Spend in the last hour": (total(cost),),
        "Calls": (CALLS,),
        "Cost of a completed workflow": (cost_per_success(),),
        "Wasted": WASTED,
        "Without a price": (unpriced_share(),),
        "Spend an hour, by step": (total(cost, STEP),),
        "The steps that make the spend": (share(cost, STEP),),
        "Steps by spend": volume_and_spend(STEP, flags(STEP)),
        "Cost of what was completed": RUNS,
        "Waste by reason": WASTE_BY_REASON,
        "Steps by spend: how fast, how often, how reliable": (
            total(cost, STEP),
            quantile(0.5, took, STEP),
            quantile(0.95, took, STEP),
            quantile(0.5, first_chunk, STEP),
            a_second(total(ours, STEP)),
            error_rate(STEP),
        ),
        "Latency, p95 by step": (quantile(0.95, took, STEP),),
        "Requests a second, by step": (a_second(total(ours, STEP)),),
        "Errors, by step": (over(total(failed, STEP), total(ours, STEP)),),
        "Spend by model": (total(cost, MODEL),),
        "What the prompt cache is worth, an hour": (cache_worth(MODEL),),
        "Spend by agent": (total(cost, names.AGENT_NAME),),
        "Spend by feature": (total(cost, names.FEATURE),),
        "Calls without a price": or_none(total(unpriced)),
        "Priced by assumption": or_none(total(one, of="assumptions")),
        "Disagreements": or_none(total(disagreed)),
        "Age of the price table": (prices_age(),),
    },
    "farthing-workflows": {
        "Cost per success": (cost_per_success(),),
        "Runs": (runs(one),),
        "Success rate": (success_rate(),),
        "Spend of runs": (runs(run_cost),),
        "Outside of workflows": (total(cost, where=(WORKFLOW, "")),),
        "Lost to failed workflows": (total(cost, where=(WASTE, names.WASTE_WORKFLOW_FAILED)),),
        "Cost of what was completed": RUNS,
        "Cost per success, of the hour before": (cost_per_success(WORKFLOW),),
        "Success rate, of the hour before": (success_rate(WORKFLOW),),
        "Runs by outcome": (
            runs(one, WORKFLOW, OUTCOME),
            runs(run_cost, WORKFLOW, OUTCOME),
            over(runs(run_cost, WORKFLOW, OUTCOME), runs(with_cost, WORKFLOW, OUTCOME)),
        ),
        "Steps by workflow": (
            total(one, WORKFLOW, STEP),
            total(cost, WORKFLOW, STEP),
            total(wasted, WORKFLOW, STEP),
        ),
    },
    "farthing-models": {
        "The dearest model's share of spend": (largest(share(cost, MODEL)),),
        "The same model's share of calls": (like(share(one, MODEL), largest(total(cost, MODEL))),),
        "Average cost of a call": (average_cost(),),
        "Output in all tokens": (
            over(total(tokens, of="tokens", where=OUTPUT), total(tokens, of="tokens")),
        ),
        "Models by spend": volume_and_spend(MODEL),
        "Spend an hour, by model": (total(cost, MODEL),),
        "Average cost of a call, by model": (average_cost(MODEL),),
        "Steps by model": (
            total(one, STEP, MODEL),
            average_cost(STEP, MODEL),
            total(cost, STEP, MODEL),
        ),
        "Tokens an hour, by type": (total(tokens, names.TOKEN_TYPE, of="tokens"),),
        "What the cache is worth": (cache_worth(),),
        "Cost of writing for nothing": (total(surcharges),),
        "Calls that could have read from it": flagged(names.LARGE_UNCACHED_PREFIX),
        "What the prompt cache is worth, an hour": (cache_worth(MODEL),),
        "The cache by step": (
            cache_worth(STEP),
            total(savings, STEP),
            total(surcharges, STEP),
            flags(STEP, reason=names.LARGE_UNCACHED_PREFIX),
            total(cost, STEP),
        ),
    },
    "farthing-anomalies": {
        "Cost outliers": flagged(names.COST_OUTLIER),
        "Completion spikes": flagged(names.COMPLETION_SPIKE),
        "Context growth": flagged(names.CONTEXT_GROWTH),
        "In retry storms": flagged(names.RETRY_STORM),
        "Sent again": or_none(total(retries)),
        "Wasted": WASTED,
        "Flags by reason": (flags(REASON), over(flags(REASON), CALLS)),
        "Flags an hour, by reason": (flags(REASON),),
        "Flags by step and reason": (flags(STEP, REASON),),
        "Cost outliers of all calls, by step": (
            over(flags(STEP, reason=names.COST_OUTLIER), total(one, STEP)),
        ),
        "Average output of a call, by step": (average_tokens(OUTPUT, STEP),),
        "Completion spikes by step": (flags(STEP, reason=names.COMPLETION_SPIKE),),
        "Retries by step and error": (total(retries, STEP, names.ERROR_TYPE),),
        "Retries an hour, by step": (total(retries, STEP),),
        "Waste by reason": WASTE_BY_REASON,
        "Waste an hour, by reason": (total(wasted, WASTE),),
        "Waste by step and reason": (
            total(wasted, STEP, WASTE),
            over(total(wasted, STEP, WASTE), total(cost)),
        ),
    },
    "farthing-trust": {
        "Without a price": (unpriced_share(),),
        "Calls without a price": or_none(total(unpriced)),
        "Reported by the provider": (
            over(
                counted(total(cost, where=(SOURCE, names.SOURCE_PROVIDER)), total(cost)),
                total(cost),
            ),
        ),
        "Disagreements": (over(counted(total(disagreed), total(priced)), total(priced)),),
        "Assumptions": or_none(total(one, of="assumptions")),
        "Age of the price table": (prices_age(),),
        "Without a price, by reason and model": (
            total(unpriced, names.REQUEST_MODEL, names.PROVIDER_NAME, names.UNPRICED_REASON),
        ),
        "Share without a price, of the hour before, by model": (
            unpriced_share(names.REQUEST_MODEL),
        ),
        "Spend by source": (total(priced, SOURCE), total(cost, SOURCE), share(cost, SOURCE)),
        "Disagreements by model": (total(disagreed, MODEL, SOURCE),),
        "What was assumed": (total(one, names.ASSUMPTION, of="assumptions"),),
        "Price tables in use": (prices_age(names.COST_PRICES, SERVICE),),
        "Spend an hour, by price table": (total(cost, names.COST_PRICES),),
    },
}
"""By dashboard and title: the truth of each query, in their order."""
