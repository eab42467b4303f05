"""The overview: where the money goes, and whether it is well spent; the questions of the page."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from farthing_dashboards.grafana.boards import quantities as q
from farthing_dashboards.grafana.boards import rows
from farthing_dashboards.grafana.boards.layout import board
from farthing_dashboards.grafana.boards.panels import (
    A_SECOND,
    COUNT,
    SECONDS,
    SHARE,
    USD,
    Column,
    bars,
    pareto,
    series,
    stat,
    table,
)
from farthing_dashboards.grafana.boards.shared import (
    cache_worth_over_time,
    calls_without_price,
    price_table_age,
    runs_by_workflow,
    unpriced_share,
    volume_and_spend,
    waste_by_reason,
    waste_share,
)
from farthing_dashboards.grafana.promql import quantile, share
from farthing_processor import semconv

_STEP = semconv.STEP_NAME


def dashboard() -> Dashboard:
    return board(
        "overview",
        "Farthing: where the money goes",
        "What the steps of your LLM agents cost, which of them burn the money, and whether it "
        "bought anything.",
        {
            "Spend": [
                stat(
                    "Spend",
                    "What did the calls cost? The sum of gen_ai.client.operation.cost over the "
                    "time range. Calls without a price are not in it: see the share unpriced.",
                    q.SPEND.by(),
                    USD,
                ),
                stat(
                    "Spend in the last hour",
                    "What do the calls cost now? The same sum over the hour before the end of the "
                    "time range.",
                    q.SPEND.hourly(),
                    USD,
                ),
                stat(
                    "Calls",
                    "How many calls to models may have cost money? The count of "
                    "gen_ai.client.operation.cost and farthing.calls.unpriced; a client's own "
                    "retries are part of a call.",
                    q.calls(),
                    COUNT,
                ),
                stat(
                    "Cost of a completed workflow",
                    "What does it cost to get something done? What all runs of workflows cost, "
                    "failed ones too, over the runs that succeeded.",
                    q.cost_per_success(),
                    USD,
                    empty="No workflow succeeded in this time range.",
                ),
                waste_share(),
                unpriced_share(),
                series(
                    "Spend an hour, by step",
                    "Is the spend growing, and which step makes it grow? What each step cost in "
                    "the hour before each point, stacked.",
                    q.SPEND.hourly(_STEP),
                    _STEP,
                    USD,
                    stacked=True,
                ),
                pareto(
                    "The steps that make the spend",
                    "Which few steps make most of the spend? The share of each in the spend of the "
                    "time range, the largest first, beside what it makes together with those "
                    "before it. The first 15.",
                    q.of_spend(q.SPEND, _STEP),
                    rows.STEP,
                ),
            ],
            "Steps": [
                volume_and_spend(
                    rows.STEP,
                    "Which step costs more than its volume explains? A step with 5 % of the calls "
                    "and 34 % of the spend costs 6.8 times its volume.",
                    Column("Flags", q.OUTLIERS.by(_STEP), COUNT),
                ),
            ],
            "Workflows and waste": [
                runs_by_workflow(14),
                waste_by_reason(10),
            ],
            "Speed and errors, beside the spend": [
                table(
                    "Steps by spend: how fast, how often, how reliable",
                    "Is the dear step also slow, or failing? Quantiles of "
                    "gen_ai.client.operation.duration, as exact as its buckets are wide (a factor "
                    "of 2), the time to the first chunk of streamed answers, calls by second, and "
                    "the share of calls that failed.",
                    (rows.STEP,),
                    (
                        Column("Spend", q.SPEND.by(_STEP), USD),
                        Column("p50", quantile(0.5, q.LATENCIES.by("le", _STEP)), SECONDS),
                        Column("p95", quantile(0.95, q.LATENCIES.by("le", _STEP)), SECONDS),
                        Column(
                            "First chunk p50",
                            quantile(0.5, q.FIRST_CHUNKS.by("le", _STEP)),
                            SECONDS,
                        ),
                        Column("Calls a second", f"{q.REQUESTS.by(_STEP)} / {q.RANGE_S}", A_SECOND),
                        Column("Errors", q.error_rate(_STEP), SHARE, bar=True),
                    ),
                    by="Spend",
                ),
                series(
                    "Latency, p95 by step",
                    "When did a step become slow? The 95th percentile of "
                    "gen_ai.client.operation.duration at each moment.",
                    quantile(0.95, q.LATENCIES.a_second("le", _STEP)),
                    _STEP,
                    SECONDS,
                    width=8,
                    exemplars=True,
                ),
                series(
                    "Requests a second, by step",
                    "Which step is called how often? The rate of "
                    "gen_ai.client.operation.duration's count.",
                    q.REQUESTS.a_second(_STEP),
                    _STEP,
                    A_SECOND,
                    width=8,
                ),
                series(
                    "Errors, by step",
                    "When did calls fail? The share of those with an error.type in the calls at "
                    "each moment.",
                    share(q.ERRORS.a_second(_STEP), q.REQUESTS.a_second(_STEP)),
                    _STEP,
                    SHARE,
                    width=8,
                    empty="No call failed in this time range.",
                ),
            ],
            "Models and caching": [
                bars(
                    "Spend by model",
                    "Which models is the money spent on? The spend of the time range by the model "
                    "that answered.",
                    q.SPEND.by(semconv.RESPONSE_MODEL),
                    semconv.RESPONSE_MODEL,
                    USD,
                    width=10,
                ),
                cache_worth_over_time(14),
            ],
            "Who spends": [
                bars(
                    "Spend by agent",
                    "Which agents spend it? The spend of the time range by gen_ai.agent.name.",
                    q.SPEND.by(semconv.AGENT_NAME),
                    semconv.AGENT_NAME,
                    USD,
                    width=12,
                ),
                bars(
                    "Spend by feature",
                    "Which features of the product is it spent for? The spend of the time range by "
                    "farthing.feature.",
                    q.SPEND.by(semconv.FEATURE),
                    semconv.FEATURE,
                    USD,
                    width=12,
                ),
            ],
            "Can these numbers be trusted?": [
                calls_without_price(6),
                stat(
                    "Priced by assumption",
                    "How many calls of other tracers were priced by counts of which something had "
                    "to be assumed? The count of farthing.calls.assumed, once for each assumption.",
                    q.of_any_calls(q.ASSUMED),
                    COUNT,
                    width=6,
                ),
                stat(
                    "Disagreements",
                    "Of how many calls did the provider or another tracer report a cost that "
                    "differs from ours by more than 1 %? The count of farthing.cost.disagreements.",
                    q.of_any_calls(q.DISAGREEMENTS),
                    COUNT,
                    width=6,
                ),
                price_table_age(6),
            ],
        },
    )
