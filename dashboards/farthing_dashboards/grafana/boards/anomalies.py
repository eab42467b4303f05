"""Anomalies: calls that are not normal, retries, and spend that bought nothing."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from farthing_dashboards.grafana.boards import quantities as q
from farthing_dashboards.grafana.boards import rows
from farthing_dashboards.grafana.boards.layout import board
from farthing_dashboards.grafana.boards.panels import (
    COUNT,
    SHARE,
    USD,
    Column,
    bars,
    series,
    stat,
    table,
)
from farthing_dashboards.grafana.boards.shared import waste_by_reason, waste_share
from farthing_dashboards.grafana.promql import share
from farthing_dashboards.view.words import FLAGS
from farthing_processor import semconv

_STEP = semconv.STEP_NAME
_REASON = semconv.OUTLIER_REASON
_NORMAL = "Every call was normal in this time range."
_NO_RETRIES = "No client sent a request again in this time range."
_OUTPUT = q.TOKENS._replace(also=q.TOKEN_OUTPUT)
_ANSWERS = q.TOKEN_CALLS._replace(also=q.TOKEN_OUTPUT)


def dashboard() -> Dashboard:
    return board(
        "anomalies",
        "Farthing: anomalies",
        "Calls that are not normal for their step, and why; what clients sent again; what was paid "
        "for nothing.",
        {
            "Calls that are not normal": [
                _flagged("Cost outliers", semconv.COST_OUTLIER),
                _flagged("Completion spikes", semconv.COMPLETION_SPIKE),
                _flagged("Context growth", semconv.CONTEXT_GROWTH),
                _flagged("In retry storms", semconv.RETRY_STORM),
                stat(
                    "Sent again",
                    "How many requests did client libraries send again by themselves? The count of "
                    "farthing.retries; they are part of a call, and most are not billed.",
                    q.of_any_calls(q.RETRIES),
                    COUNT,
                ),
                waste_share(),
                table(
                    "Flags by reason",
                    "Why are calls not normal? The count of farthing.outliers, over all calls: one "
                    "with two reasons is counted under each. docs/outliers.md has the thresholds.",
                    (rows.OUTLIER_REASON,),
                    (
                        Column("Flags", q.OUTLIERS.by(_REASON), COUNT),
                        Column(
                            "Share of calls",
                            q.share_of_all(q.OUTLIERS.by(_REASON), q.calls()),
                            SHARE,
                            bar=True,
                        ),
                    ),
                    by="Flags",
                    width=12,
                    empty=_NORMAL,
                ),
                series(
                    "Flags an hour, by reason",
                    "When did calls stop being normal? The flags of the hour before each point, by "
                    "reason.",
                    q.OUTLIERS.hourly(_REASON),
                    _REASON,
                    COUNT,
                    stacked=True,
                    empty=_NORMAL,
                ),
                table(
                    "Flags by step and reason",
                    "Which steps have calls that are not normal? The count of "
                    "farthing.outliers; a reason leads to the spans that have it.",
                    (rows.STEP, rows.OUTLIER_REASON),
                    (Column("Flags", q.OUTLIERS.by(_STEP, _REASON), COUNT),),
                    by="Flags",
                    width=12,
                    empty=_NORMAL,
                ),
                series(
                    "Cost outliers of all calls, by step",
                    "Is a step getting out of hand? The share of the calls of the hour before each "
                    "point that cost far more than is usual for the step.",
                    share(_of(semconv.COST_OUTLIER).hourly(_STEP), q.calls(_STEP, window=q.HOUR)),
                    _STEP,
                    SHARE,
                    empty=_NORMAL,
                ),
            ],
            "Answers that grow": [
                series(
                    "Average output of a call, by step",
                    "Do answers become longer, which is what costs most? Output tokens over the "
                    "calls that reported any, of the hour before each point; reasoning included.",
                    share(_OUTPUT.hourly(_STEP), _ANSWERS.hourly(_STEP)),
                    _STEP,
                    COUNT,
                ),
                bars(
                    "Completion spikes by step",
                    "Which steps wrote far more than they usually do? farthing.outliers with the "
                    "reason completion_spike.",
                    _of(semconv.COMPLETION_SPIKE).by(_STEP),
                    _STEP,
                    COUNT,
                    width=12,
                    empty="No call wrote far more than its step usually does.",
                ),
            ],
            "Retries": [
                table(
                    "Retries by step and error",
                    "What is sent again, and why did it fail in the end? The count of "
                    "farthing.retries by step and by the error.type of the call; none, if it "
                    "succeeded at last.",
                    (rows.STEP, rows.ERROR),
                    (Column("Retries", q.RETRIES.by(_STEP, semconv.ERROR_TYPE), COUNT),),
                    by="Retries",
                    width=12,
                    empty=_NO_RETRIES,
                ),
                series(
                    "Retries an hour, by step",
                    "When did clients begin to send again? The retries of the hour before each "
                    "point.",
                    q.RETRIES.hourly(_STEP),
                    _STEP,
                    COUNT,
                    stacked=True,
                    empty=_NO_RETRIES,
                ),
            ],
            "Waste": [
                waste_by_reason(12),
                series(
                    "Waste an hour, by reason",
                    "When was money spent for nothing? farthing.waste.cost of the hour before each "
                    "point. What a failed workflow had spent counts when it ends.",
                    q.WASTE.hourly(semconv.WASTE_REASON),
                    semconv.WASTE_REASON,
                    USD,
                    stacked=True,
                    empty="Nothing was wasted in this time range, as far as is known.",
                ),
                table(
                    "Waste by step and reason",
                    "Which steps waste most, and how? farthing.waste.cost by step and reason, "
                    "beside what it is of the spend of all steps.",
                    (rows.STEP, rows.WASTE_REASON),
                    (
                        Column("Waste", q.WASTE.by(_STEP, semconv.WASTE_REASON), USD),
                        Column(
                            "Share of all spend",
                            q.of_spend(q.WASTE, _STEP, semconv.WASTE_REASON),
                            SHARE,
                            bar=True,
                        ),
                    ),
                    by="Waste",
                    empty="Nothing was wasted in this time range, as far as is known.",
                ),
            ],
        },
    )


def _of(reason: str) -> q.Quantity:
    return q.OUTLIERS._replace(also=q.equals(_REASON, reason))


def _flagged(title: str, reason: str) -> Panel:
    return stat(
        title,
        f"How many calls {FLAGS[reason]}? The count of farthing.outliers with the reason {reason}.",
        q.of_any_calls(_of(reason)),
        COUNT,
    )
