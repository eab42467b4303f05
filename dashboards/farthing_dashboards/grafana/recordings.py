"""The recording rules: what alerts and people ask for again and again, computed once a minute.

A name is ``farthing:LEVEL_METRIC:OPERATION``, by Prometheus' convention. Every level begins with
the service and, where it is a label, the environment. Money is in USD; a step or a model without a
price has calls and no spend, never $0.

What is *normal* is what was in the day that ended a day ago: an excess does not become its own
yardstick before it has lasted a whole day, so an alert on it does not resolve itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from farthing_dashboards.grafana import names
from farthing_dashboards.grafana.names import Part, series
from farthing_dashboards.grafana.promql import equals, labels, total
from farthing_dashboards.grafana.rule_file import Recording
from farthing_processor import metrics, runs, semconv
from farthing_processor.metrics import Metric

SERVICE: Final = (names.SERVICE, names.ENVIRONMENT)
STEP: Final = (*SERVICE, semconv.STEP_NAME)
MODEL: Final = (*STEP, semconv.RESPONSE_MODEL)
ASKED: Final = (*SERVICE, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL)
"""The model that was asked for: an unpriced call may have no other."""
WORKFLOW: Final = (*SERVICE, semconv.WORKFLOW_NAME)

HISTORY: Final = "1d"
"""How far back a series is looked for before it counts as new."""


def counted(name: str, where: str, window: str, by: Sequence[str] = ()) -> str:
    """How much a counter grew in the window, exactly, and nothing that was merely seen late.

    For panels `promql.grown` takes a series that was not there when the window began for a new one,
    and counts all of it. Here that could wake someone: after an outage of its own, and when it
    first meets a service that has long been running, Prometheus sees at once what was ever spent.
    So a series is new only if it was not there in the day before the window either, and its service
    was, whose price table always has an age; any other counts from its lowest value in the window.
    Of the first window of a service, what its series were born with is therefore missing.

    The terms of the sum, each for the series that no one before it is for: those that restarted in
    the window, that grew since it began, that restarted just then, that are new, and the others.
    """
    x = f"{name}{{{where}}}" if where else name
    over, before, history = f"{x}[{window}]", f"{x} offset {window}", f"[{HISTORY}] offset {window}"
    last, lowest = f"last_over_time({over})", f"min_over_time({over})"
    return f"""\
{total(by)} (
  increase({over}) and resets({over}) > 0
  or {last} - ({before} <= {lowest})
  or {last} and {before}
  or {last} unless last_over_time({x}{history})
    and on ({names.SERVICE}) last_over_time({series(metrics.PRICES_AGE)}{history})
  or {last} - {lowest}
)"""


def normal(of: Recording) -> str:
    """The mean of a recording over the day that ended a day ago."""
    return f"avg_over_time({of.record}[1d] offset 1d)"


def around(of: Recording, ago: str) -> str:
    """The most of a recording of hours within an hour of a time that is an hour more than ``ago``:
    where each day has a peak, the hour that ended then did not have it yet."""
    return f"max_over_time({of.record}[2h] offset {ago})"


def _grown(
    name: str,
    says: str,
    metric: Metric,
    part: Part,
    by: Sequence[str],
    window: str = "1h",
    where: str = "",
) -> Recording:
    expression = counted(series(metric, part), where, window, by)
    return Recording(f"farthing:{name}:increase{window}", says, expression)


def _summed(name: str, says: str, of: Recording, by: Sequence[str]) -> Recording:
    return Recording(f"farthing:{name}:increase1h", says, f"{total(by)} ({of.record})")


def _output(name: str, says: str, part: Part) -> Recording:
    """Of output tokens, by either generation of the conventions: by the one that is recorded."""
    where = equals(semconv.TOKEN_TYPE, "output")
    old = counted(series(metrics.TOKEN_USAGE, part), where, "1h", STEP)
    new = counted(series(metrics.INFERENCE_OUTPUT_PER_CALL, part), "", "1h", STEP)
    return Recording(f"farthing:{name}:increase1h", says, f"{old}\nor\n{new}")


SPEND_10M: Final = _grown(
    "service_spend_usd",
    "What a service spent in the last ten minutes.",
    metrics.COST,
    "sum",
    SERVICE,
    "10m",
)
MODEL_SPEND: Final = _grown(
    "model_spend_usd",
    "What each step spent on each model in the last hour.",
    metrics.COST,
    "sum",
    MODEL,
)
MODEL_CALLS: Final = _grown(
    "model_calls", "On how many calls of known cost.", metrics.COST, "count", MODEL
)
STEP_SPEND: Final = _summed("step_spend_usd", "What each step spent.", MODEL_SPEND, STEP)
STEP_CALLS: Final = _summed("step_calls", "On how many calls.", MODEL_CALLS, STEP)
SPEND: Final = _summed("service_spend_usd", "What each service spent.", STEP_SPEND, SERVICE)
WHOLE_HOUR: Final = Recording(
    "farthing:service_spend_usd:whole_hour",
    "The same where the hour was seen from its beginning: less is too small to compare with.",
    f"{SPEND.record} and {SPEND.record} offset 1h",
)
NORMAL_SPEND: Final = Recording(
    "farthing:service_spend_usd:normal_hour",
    "What it spends in an hour as a rule: the most of this time a day ago, this time a week ago "
    "and the mean of the day before; on its first day the median so far.",
    f"""\
max by ({labels(SERVICE)}) (
  label_replace({around(WHOLE_HOUR, "23h")}, "of", "a day ago", "", "")
  or label_replace({around(WHOLE_HOUR, "167h")}, "of", "a week ago", "", "")
  or label_replace({normal(WHOLE_HOUR)}, "of", "the day before", "", "")
)
or quantile_over_time(0.5, {WHOLE_HOUR.record}[1d] offset 1h)""",
)
OUTLIERS: Final = _grown(
    "step_outliers",
    "Calls that are not normal, by reason, in the last hour.",
    metrics.OUTLIERS,
    "",
    (*STEP, semconv.OUTLIER_REASON),
)
STORM: Final = _grown(
    "step_retry_storm_calls",
    "Calls that came while their step kept failing, in the last ten minutes.",
    metrics.OUTLIERS,
    "",
    STEP,
    "10m",
    equals(semconv.OUTLIER_REASON, semconv.RETRY_STORM),
)
WASTE: Final = _grown(
    "service_waste_usd",
    "What calls cost that bought nothing, in the last hour.",
    metrics.WASTE,
    "",
    SERVICE,
)
UNPRICED: Final = _grown(
    "asked_model_unpriced_calls",
    "Calls in the last hour whose cost is not known, by the model that was asked for.",
    metrics.UNPRICED,
    "",
    ASKED,
)
PRICED: Final = _grown(
    "asked_model_priced_calls", "Those whose cost is known.", metrics.COST, "count", ASKED
)
OUTPUT: Final = _output("step_output_tokens", "Output tokens in the last hour.", "sum")
ANSWERS: Final = _output("step_answers", "In how many answers.", "count")
WORKFLOW_SPEND: Final = _grown(
    "workflow_spend_usd",
    "What all runs of a workflow cost in the last six hours, failed ones too.",
    metrics.WORKFLOW_COST,
    "sum",
    WORKFLOW,
    "6h",
)
SUCCESSES: Final = _grown(
    "workflow_successes",
    "How many of them succeeded.",
    metrics.WORKFLOWS,
    "",
    WORKFLOW,
    "6h",
    equals(semconv.WORKFLOW_OUTCOME, runs.SUCCESS),
)

RECORDINGS: Final = (
    SPEND_10M,
    MODEL_SPEND,
    MODEL_CALLS,
    STEP_SPEND,
    STEP_CALLS,
    SPEND,
    WHOLE_HOUR,
    NORMAL_SPEND,
    OUTLIERS,
    STORM,
    WASTE,
    UNPRICED,
    PRICED,
    OUTPUT,
    ANSWERS,
    WORKFLOW_SPEND,
    SUCCESSES,
)
"""In an order in which each comes after those that it is computed from."""
