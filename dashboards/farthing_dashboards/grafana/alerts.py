"""The alerts: a table of questions, each with its threshold and what keeps it quiet.

None fires on little: each asks for a number of calls or of dollars first. What is compared with
what is normal needs a day of history (the spend two hours), and is normal itself after a day.
"""

from __future__ import annotations

from typing import Final

from farthing_dashboards.grafana.names import series
from farthing_dashboards.grafana.promql import equals, labels, share, total
from farthing_dashboards.grafana.recordings import (
    ANSWERS,
    MODEL_CALLS,
    MODEL_SPEND,
    NORMAL_SPEND,
    OUTLIERS,
    OUTPUT,
    PRICED,
    SERVICE,
    SPEND,
    SPEND_10M,
    STEP,
    STEP_CALLS,
    STEP_SPEND,
    STORM,
    SUCCESSES,
    UNPRICED,
    WASTE,
    WORKFLOW_SPEND,
    normal,
)
from farthing_dashboards.grafana.rule_file import Alert
from farthing_processor import metrics, semconv

PRICES_DAYS: Final = 60
"""As of when `farthing doctor` calls a price table old."""


def _flagged(reason: str) -> str:
    """Calls of a step that are not normal for this reason."""
    return f"{total(STEP)} ({OUTLIERS.record}{{{equals(semconv.OUTLIER_REASON, reason)}}})"


# How a value reads in a sentence.
_USD: Final = '${{ $value | printf "%.2f" }}'
_USD4: Final = '${{ $value | printf "%.4f" }}'
_PERCENT: Final = "{{ $value | humanizePercentage }}"
_COUNT: Final = '{{ $value | printf "%.0f" }}'
_TIMES: Final = '{{ $value | printf "%.1f" }} times'
_AGE: Final = "{{ $value | humanizeDuration }}"

_AN_HOUR: Final = f"6 * {SPEND_10M.record}"
_OUTLIERS: Final = _flagged(semconv.COST_OUTLIER)
_ALL_ASKED: Final = f"({UNPRICED.record} + {PRICED.record} or {UNPRICED.record})"
_A_SUCCESS: Final = share(WORKFLOW_SPEND.record, SUCCESSES.record)
_NORMAL_SUCCESS: Final = share(normal(WORKFLOW_SPEND), normal(SUCCESSES))
_AN_ANSWER: Final = share(OUTPUT.record, ANSWERS.record)
_NORMAL_ANSWER: Final = share(normal(OUTPUT), normal(ANSWERS))
_A_CALL: Final = share(MODEL_SPEND.record, MODEL_CALLS.record)
_NORMAL_CALL: Final = share(normal(STEP_SPEND), normal(STEP_CALLS))

ALERTS: Final = (
    Alert(
        "FarthingSpendSpike",
        "Does a service spend far more than it does as a rule?",
        measure=_AN_HOUR,
        when=f"> 3 * {NORMAL_SPEND.record}",
        guards=(f"and {_AN_HOUR} >= 12",),
        after="5m",
        lingers="15m",
        severity="critical",
        summary=f"<service> spends {_USD} an hour, over three times the usual",
        description=(
            f"In the last ten minutes <service> spent at a rate of {_USD} (USD) an hour: more than "
            "three times what it spends in an hour as a rule, which is the most of the same hour a "
            "day ago and a week ago and the mean of the day before."
        ),
    ),
    Alert(
        "FarthingOutlierRate",
        "Do many calls of a step cost far more than the step does as a rule?",
        measure=share(_OUTLIERS, STEP_CALLS.record),
        when="> 0.1",
        guards=(f"and {_OUTLIERS} >= 5", f"and {STEP_SPEND.record} >= 1"),
        after="15m",
        severity="warning",
        summary=f"{_PERCENT} of the calls of step <step> of <service> are cost outliers",
        description=(
            f"In the last hour {_PERCENT} of the calls of step <step> of <service> cost more than "
            "five times the median of the step (the factor is FARTHING_OUTLIER_FACTOR). Above "
            "10 %, at least 5 such calls and 1 USD an hour."
        ),
    ),
    Alert(
        "FarthingRetryStorm",
        "Does a step keep failing and being tried again?",
        measure=STORM.record,
        when=">= 5",
        guards=(),
        after="2m",
        severity="warning",
        summary="Step <step> of <service> keeps failing and being tried again",
        description=(
            f"{_COUNT} calls of step <step> of <service> in the last ten minutes came while the "
            "step had failed five times or more within a minute, its client's own retries counted. "
            "At least 5 such calls."
        ),
    ),
    Alert(
        "FarthingWasteRatio",
        "Does much of the spend buy nothing?",
        measure=share(WASTE.record, SPEND.record),
        when="> 0.25",
        guards=(f"and {WASTE.record} >= 1",),
        after="15m",
        severity="warning",
        summary=f"{_PERCENT} of what <service> spends buys nothing",
        description=(
            f"In the last hour {_PERCENT} of what <service> spent went to calls that failed, were "
            "abandoned or repeated, or whose workflow failed. Above 25 %, at least 1 USD an hour. "
            "What a workflow that failed had spent counts when it ends, so after long runs the "
            "share can be above 100 %."
        ),
    ),
    Alert(
        "FarthingUnpricedCalls",
        "Is there spend that nobody sees?",
        measure=share(UNPRICED.record, _ALL_ASKED),
        when="> 0.05",
        guards=(f"and {UNPRICED.record} >= 10",),
        after="15m",
        severity="warning",
        summary=f"{_PERCENT} of the calls of <service> to <request_model> have no known cost",
        description=(
            f"In the last hour {_PERCENT} of the calls of <service> to <request_model> "
            "(<provider>) may have cost money and have no amount, so every number of spend is too "
            "low by them. Above 5 %, at least 10 calls an hour."
        ),
    ),
    Alert(
        "FarthingPriceTableOld",
        "Are the prices still those of the providers?",
        measure=f"max by ({labels(SERVICE)}) ({series(metrics.PRICES_AGE)})",
        when=f"> {PRICES_DAYS} * 86400",
        guards=(),
        after="1h",
        severity="info",
        summary=f"The price table of <service> is {_AGE} old",
        description=(
            "The oldest price table that a process of <service> uses is "
            f"{_AGE} old, more than {PRICES_DAYS} days: newer models have no price in it, and "
            "prices that changed since are wrong."
        ),
    ),
    Alert(
        "FarthingCostPerWorkflow",
        "Does it cost more to get a workflow done?",
        measure=_A_SUCCESS,
        when=f"> 1.5 * ({_NORMAL_SUCCESS})",
        guards=(
            f"and {SUCCESSES.record} >= 10",
            f"and {normal(SUCCESSES)} >= 10",
            f"and {WORKFLOW_SPEND.record} >= 1",
        ),
        after="30m",
        severity="warning",
        summary=f"A completed <workflow> of <service> costs {_USD4}, half as much again as before",
        description=(
            "In the last six hours all runs of workflow <workflow> of <service>, failed ones too, "
            f"cost {_USD4} (USD) for each that succeeded: more than 1.5 times the same of the day "
            "that ended a day ago. At least 10 successes in six hours, now and then, and 1 USD."
        ),
    ),
    Alert(
        "FarthingCompletionSpike",
        "Have the answers of a step become much longer?",
        measure=_AN_ANSWER,
        when=f"> 2 * ({_NORMAL_ANSWER})",
        guards=(
            f"and {_AN_ANSWER} >= 200",
            f"and {ANSWERS.record} >= 30",
            f"and {normal(ANSWERS)} >= 5",
        ),
        after="15m",
        severity="warning",
        summary=f"Step <step> of <service> writes {_COUNT} tokens an answer, over twice the usual",
        description=(
            f"In the last hour an answer of step <step> of <service> had {_COUNT} output tokens on "
            "average, reasoning included: more than twice the average of the day that ended a day "
            "ago. At least 30 answers an hour and 200 tokens."
        ),
    ),
    Alert(
        "FarthingModelCostRegression",
        "Did a step become dearer when another model began to answer it?",
        measure=f"({_A_CALL}) / on ({labels(STEP)}) group_left () ({_NORMAL_CALL})",
        when="> 1.3",
        guards=(
            f"unless {normal(MODEL_CALLS)} > 0",
            f"and {MODEL_CALLS.record} >= 20",
            f"and {MODEL_SPEND.record} >= 1",
            f"and on ({labels(STEP)}) {normal(STEP_CALLS)} >= 5",
        ),
        after="15m",
        severity="warning",
        summary=f"Step <step> of <service> costs {_TIMES} as much since <response_model> answers",
        description=(
            "In the last hour a call of step <step> of <service> that <response_model> answered "
            f"cost {_TIMES} the average of the step in the day that ended a day ago, when other "
            "models answered. Above 1.3 times, at least 20 calls and 1 USD an hour."
        ),
    ),
)
