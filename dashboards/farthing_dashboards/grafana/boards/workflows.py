"""Workflows: what it costs to get something done, and what the runs that failed took with them."""

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
    series,
    stat,
    table,
)
from farthing_dashboards.grafana.boards.shared import runs_by_workflow
from farthing_dashboards.grafana.promql import or_zero, share
from farthing_processor import runs, semconv

_NAME = semconv.WORKFLOW_NAME
_OUTCOME = semconv.WORKFLOW_OUTCOME
_NO_RUNS = "No workflow ended in this time range."
_FAILED = q.equals(semconv.WASTE_REASON, semconv.WASTE_WORKFLOW_FAILED)
_SUCCESSES = q.SUCCESSES.hourly(_NAME)
_RUNS = q.RUNS.hourly(_NAME)


def dashboard() -> Dashboard:
    return board(
        "workflows",
        "Farthing: workflows",
        "What it costs to get a workflow done, by workflow and outcome. A run is counted when it "
        "ends, by the process that opened it.",
        {
            "What it costs to get something done": [
                stat(
                    "Cost per success",
                    "What does it cost to get something done? What all runs cost "
                    "(farthing.workflow.cost), failed ones too, over the runs that succeeded.",
                    q.cost_per_success(),
                    USD,
                    empty="No workflow succeeded in this time range.",
                ),
                stat(
                    "Runs",
                    "How many runs ended? The count of farthing.workflows.",
                    q.RUNS.by(),
                    COUNT,
                    empty=_NO_RUNS,
                ),
                stat(
                    "Success rate",
                    "Which share of the runs that ended succeeded? By the outcomes of "
                    "farthing.workflows.",
                    q.success_rate(),
                    SHARE,
                    empty=_NO_RUNS,
                ),
                stat(
                    "Spend of runs",
                    "What did all runs cost? The sum of farthing.workflow.cost: of calls in the "
                    "process that opened the run, as far as their cost is known.",
                    q.RUN_COST.by(),
                    USD,
                    empty=_NO_RUNS,
                ),
                stat(
                    "Outside of workflows",
                    "How much is spent by calls that belong to no workflow? The spend of the time "
                    "range without a gen_ai.workflow.name.",
                    q.SPEND._replace(also=q.equals(_NAME, "")).by(),
                    USD,
                    empty="Every call belongs to a workflow.",
                ),
                stat(
                    "Lost to failed workflows",
                    "How much had workflows spent that failed? farthing.waste.cost with the reason "
                    "workflow_failed: what is wasted for a reason of its own is not in it.",
                    q.WASTE._replace(also=_FAILED).by(),
                    USD,
                    empty="No workflow with a cost failed in this time range.",
                ),
                runs_by_workflow(24),
            ],
            "Trend": [
                series(
                    "Cost per success, of the hour before",
                    "Does it become dearer to get something done? What the runs cost that ended in "
                    "the hour before each point, over those of them that succeeded.",
                    q.cost_per_success(_NAME, window=q.HOUR),
                    _NAME,
                    USD,
                    empty="No workflow succeeded in this time range.",
                ),
                series(
                    "Success rate, of the hour before",
                    "When did workflows begin to fail? The share of the runs that succeeded, of "
                    "those that ended in the hour before each point.",
                    share(or_zero(_SUCCESSES, _RUNS), _RUNS),
                    _NAME,
                    SHARE,
                    empty=_NO_RUNS,
                ),
            ],
            "Outcomes": [
                table(
                    "Runs by outcome",
                    "How do runs end, and what do they cost then? A run that failed costs money "
                    f"too. {runs.SUCCESS}, {runs.FAILED}, {runs.CANCELLED}, "
                    f"{semconv.INTERRUPTED} (it waits for a person), or an outcome of your own.",
                    (rows.WORKFLOW, rows.OUTCOME),
                    (
                        Column("Runs", q.RUNS.by(_NAME, _OUTCOME), COUNT),
                        Column("Spend", q.RUN_COST.by(_NAME, _OUTCOME), USD),
                        Column(
                            "Cost per run",
                            share(
                                q.RUN_COST.by(_NAME, _OUTCOME),
                                q.RUNS_WITH_COST.by(_NAME, _OUTCOME),
                            ),
                            USD,
                        ),
                    ),
                    by="Spend",
                    width=12,
                    empty=_NO_RUNS,
                ),
                table(
                    "Steps by workflow",
                    "Which steps make a workflow dear? The spend of the time range by workflow and "
                    "step, and how much of it bought nothing.",
                    (rows.WORKFLOW, rows.STEP),
                    (
                        Column("Calls", q.calls(_NAME, semconv.STEP_NAME), COUNT),
                        Column("Spend", q.SPEND.by(_NAME, semconv.STEP_NAME), USD),
                        Column("Waste", q.WASTE.by(_NAME, semconv.STEP_NAME), USD),
                    ),
                    by="Spend",
                    width=12,
                ),
            ],
        },
    )
