"""Models and caching: what each model costs for how much of the work, and what the cache saves."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from farthing_dashboards.grafana.boards import quantities as q
from farthing_dashboards.grafana.boards import rows
from farthing_dashboards.grafana.boards.layout import board
from farthing_dashboards.grafana.boards.panels import (
    COUNT,
    SHARE,
    USD,
    Column,
    Rows,
    series,
    stat,
    table,
)
from farthing_dashboards.grafana.boards.shared import cache_worth_over_time, volume_and_spend
from farthing_dashboards.grafana.boards.traceql import VALUE
from farthing_dashboards.grafana.names import label
from farthing_processor import semconv

_MODEL = semconv.RESPONSE_MODEL
_STEP = semconv.STEP_NAME
_DEAREST = f"topk(1, {q.SPEND.by(_MODEL)})"
_UNCACHED = q.OUTLIERS._replace(
    also=q.equals(semconv.OUTLIER_REASON, semconv.LARGE_UNCACHED_PREFIX)
)
_NO_CACHE = "No call used a prompt cache in this time range."
_AVOIDABLE = Rows(
    "Step",
    _STEP,
    f'{{ span.{_STEP} = "{VALUE}" && span.{semconv.OUTLIER_AVOIDABLE_COST} > 0 }}',
)


def dashboard() -> Dashboard:
    return board(
        "models",
        "Farthing: models and caching",
        "Which models the money goes to, for which share of the calls, and what the prompt cache "
        "saves and could save.",
        {
            "Models": [
                stat(
                    "The dearest model's share of spend",
                    "How much of the spend is one model? The largest share of the models that "
                    "answered.",
                    f"topk(1, {q.of_spend(q.SPEND, _MODEL)})",
                    SHARE,
                    width=6,
                    named=_MODEL,
                ),
                stat(
                    "The same model's share of calls",
                    "For how much of the work? The share of the calls that the model with the "
                    "largest spend answered. A small one beside a large share of spend is where a "
                    "cheaper model saves most.",
                    f"{q.of_calls(_MODEL)} and on ({label(_MODEL)}) {_DEAREST}",
                    SHARE,
                    width=6,
                    named=_MODEL,
                ),
                stat(
                    "Average cost of a call",
                    "What does a call cost? Spend over the calls that have a price.",
                    q.average_cost(),
                    USD,
                    width=6,
                ),
                stat(
                    "Output in all tokens",
                    "How much of the tokens is output, which costs several times as much as input? "
                    "Of gen_ai.client.token.usage.",
                    q.output_share(),
                    SHARE,
                    width=6,
                ),
                volume_and_spend(
                    rows.MODEL,
                    "Which model costs more than its share of the work explains? By the model that "
                    "answered; a call that failed has none.",
                ),
                series(
                    "Spend an hour, by model",
                    "Which model makes the spend grow? What the calls of each model cost in the "
                    "hour before each point, stacked.",
                    q.SPEND.hourly(_MODEL),
                    _MODEL,
                    USD,
                    stacked=True,
                ),
                series(
                    "Average cost of a call, by model",
                    "Did a model, or the way it is used, become dearer? Spend over priced calls, "
                    "of the hour before each point.",
                    q.share(q.SPEND.hourly(_MODEL), q.PRICED.hourly(_MODEL)),
                    _MODEL,
                    USD,
                ),
                table(
                    "Steps by model",
                    "Which step uses a model that is too dear for it? The spend of the time range "
                    "by step and model, with what a call costs.",
                    (rows.STEP, rows.MODEL),
                    (
                        Column("Calls", q.calls(_STEP, _MODEL), COUNT),
                        Column("Avg cost", q.average_cost(_STEP, _MODEL), USD),
                        Column("Spend", q.SPEND.by(_STEP, _MODEL), USD),
                    ),
                    by="Spend",
                    width=12,
                ),
                series(
                    "Tokens an hour, by type",
                    "Does input or output grow? The tokens of the hour before each point, by "
                    "gen_ai.token.type; cached input is input.",
                    q.TOKENS.hourly(semconv.TOKEN_TYPE),
                    semconv.TOKEN_TYPE,
                    COUNT,
                    stacked=True,
                ),
            ],
            "The prompt cache": [
                stat(
                    "What the cache is worth",
                    "What would the calls have cost more without the prompt cache? "
                    "farthing.cache.savings less farthing.cache.surcharges. Below 0 it cost more "
                    "than it saved.",
                    q.cache_worth(),
                    USD,
                    width=8,
                    empty=_NO_CACHE,
                ),
                stat(
                    "Cost of writing for nothing",
                    "How much do calls cost more because they wrote to the cache and read too "
                    "little of it? farthing.cache.surcharges.",
                    q.SURCHARGES.by(),
                    USD,
                    width=8,
                    empty="No call cost more because of a prompt cache.",
                ),
                stat(
                    "Calls that could have read from it",
                    "How many calls sent again, uncached, a long beginning that the step's last "
                    "prompt had too? farthing.outliers with the reason large_uncached_prefix.",
                    q.of_any_calls(_UNCACHED),
                    COUNT,
                    width=8,
                ),
                cache_worth_over_time(12),
                table(
                    "The cache by step",
                    "Where does caching pay, and where could it? What it is worth, and the calls "
                    "that could have had most of their prompt from it. What that would have saved "
                    "is on their spans (farthing.outlier.avoidable_cost), not in a metric: the "
                    "step's name leads to them.",
                    (_AVOIDABLE,),
                    (
                        Column("Worth", q.cache_worth(_STEP), USD),
                        Column("Saved", q.SAVINGS.by(_STEP), USD),
                        Column("Cost more", q.SURCHARGES.by(_STEP), USD),
                        Column("Could have", _UNCACHED.by(_STEP), COUNT),
                        Column("Spend", q.SPEND.by(_STEP), USD),
                    ),
                    by="Spend",
                    width=12,
                ),
            ],
        },
    )
