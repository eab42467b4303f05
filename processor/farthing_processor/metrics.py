"""The metric catalogue: name, unit, kind, buckets and labels of every metric farthing records.

Recording, dashboards, alert rules, documentation and tests derive from this table. Buckets are the
conventions' advice where they give one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from farthing_processor import semconv as names

SemconvChoice = Literal["released", "latest", "both"]
"""Which generation of the conventions' metrics is recorded (``FARTHING_SEMCONV``)."""

Kind = Literal["histogram", "counter", "gauge"]

DURATION_BUCKETS: Final = tuple(0.01 * 2**n for n in range(14))
"""Seconds, 0.01 to 81.92."""
TOKEN_BUCKETS: Final = tuple(float(4**n) for n in range(14))
"""Tokens, 1 to 67,108,864."""
COST_BUCKETS: Final = (*(float(f"{m}e{e}") for e in range(-7, 2) for m in (1, 2, 5)), 100.0)
"""USD, 1e-7 to 100, three a decade: one embedding costs 1e-7, a long agent run dollars."""

CALL_LABELS: Final = (
    names.OPERATION_NAME,
    names.PROVIDER_NAME,
    names.REQUEST_MODEL,
    names.RESPONSE_MODEL,
    names.STEP_NAME,
    names.AGENT_NAME,
    names.WORKFLOW_NAME,
    names.FEATURE,
)
"""What every metric of a call may be grouped by. Never a user, a session, a task or an id: each
distinct value is a series that the backend keeps. Not the server either, which the conventions
recommend: the provider says it, and a fleet of gateways would multiply every series."""

WORKFLOW_LABELS: Final = (names.WORKFLOW_NAME, names.WORKFLOW_OUTCOME)
"""What every metric of a whole workflow may be grouped by."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the catalogue."""

    name: str
    unit: str
    kind: Kind
    description: str
    labels: tuple[str, ...] = CALL_LABELS
    buckets: tuple[float, ...] = ()
    choices: frozenset[SemconvChoice] = frozenset({"released", "latest", "both"})
    """The values of ``FARTHING_SEMCONV`` under which it is recorded."""


_OLD: Final[frozenset[SemconvChoice]] = frozenset({"released", "both"})
_NEW: Final[frozenset[SemconvChoice]] = frozenset({"latest", "both"})


def _tokens(part: str, description: str) -> Metric:
    return Metric(
        f"gen_ai.client.inference.usage.{part}",
        "{token}",
        "counter",
        description,
        (*CALL_LABELS, names.TOKEN_MODALITY),
        choices=_NEW,
    )


OPERATION_DURATION: Final = Metric(
    "gen_ai.client.operation.duration",
    "s",
    "histogram",
    "Duration of a call to a model, its client's retries included; its count is the number of "
    "requests. With `latest`, of calls other than inference.",
    (*CALL_LABELS, names.ERROR_TYPE),
    DURATION_BUCKETS,
)
"""Recorded under every choice; under ``latest`` only for what is not inference, as the newest
conventions ask: there `INFERENCE_DURATION` has the others."""
TOKEN_USAGE: Final = Metric(
    "gen_ai.client.token.usage",
    "{token}",
    "histogram",
    "Tokens of a call, input or output by gen_ai.token.type.",
    (*CALL_LABELS, names.TOKEN_TYPE),
    TOKEN_BUCKETS,
    _OLD,
)
TIME_TO_FIRST_CHUNK: Final = Metric(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "histogram",
    "Time until the first chunk of a streamed answer.",
    buckets=DURATION_BUCKETS,
    choices=_OLD,
)
INFERENCE_DURATION: Final = Metric(
    "gen_ai.client.inference.duration",
    "s",
    "histogram",
    "Duration of an inference call, its client's retries included.",
    (*CALL_LABELS, names.ERROR_TYPE),
    DURATION_BUCKETS,
    _NEW,
)
INFERENCE_TIME_TO_FIRST_CHUNK: Final = Metric(
    "gen_ai.client.inference.time_to_first_chunk",
    "s",
    "histogram",
    "Time until the first chunk of a streamed answer.",
    buckets=DURATION_BUCKETS,
    choices=_NEW,
)
INFERENCE_INPUT: Final = _tokens("input_tokens", "Input tokens, cached ones included.")
INFERENCE_OUTPUT: Final = _tokens("output_tokens", "Output tokens, reasoning included.")
INFERENCE_CACHE_READ: Final = _tokens("cache_read.input_tokens", "Input read from the cache.")
INFERENCE_CACHE_WRITE: Final = _tokens("cache_write.input_tokens", "Input written to the cache.")
INFERENCE_REASONING: Final = _tokens("reasoning.output_tokens", "Output spent on reasoning.")
INFERENCE_INPUT_PER_CALL: Final = Metric(
    "gen_ai.client.inference.operation.input_tokens",
    "{token}",
    "histogram",
    "Input tokens of one inference call.",
    buckets=TOKEN_BUCKETS,
    choices=_NEW,
)
INFERENCE_OUTPUT_PER_CALL: Final = Metric(
    "gen_ai.client.inference.operation.output_tokens",
    "{token}",
    "histogram",
    "Output tokens of one inference call.",
    buckets=TOKEN_BUCKETS,
    choices=_NEW,
)
COST: Final = Metric(
    "gen_ai.client.operation.cost",
    "{cost}",
    "histogram",
    "Cost of a call, in the currency of gen_ai.usage.cost.currency.",
    (*CALL_LABELS, names.COST_CURRENCY, names.COST_SOURCE, names.COST_PRICES),
    COST_BUCKETS,
)
UNPRICED: Final = Metric(
    "farthing.calls.unpriced",
    "{call}",
    "counter",
    "Calls that may have cost money and have no amount, by reason.",
    (*CALL_LABELS, names.UNPRICED_REASON),
)
DISAGREEMENTS: Final = Metric(
    "farthing.cost.disagreements",
    "{call}",
    "counter",
    "Calls whose cost as the provider or another tracer reported it differs from ours by more than "
    "1 %; gen_ai.usage.cost.source says which of the two is recorded as the cost.",
    (*CALL_LABELS, names.COST_SOURCE),
)
ASSUMED: Final = Metric(
    "farthing.calls.assumed",
    "{call}",
    "counter",
    "Calls priced from another tracer's span by counts of which something had to be assumed.",
    (*CALL_LABELS, names.ASSUMPTION),
)
CACHE_SAVINGS: Final = Metric(
    "farthing.cache.savings",
    "USD",
    "counter",
    "What calls would have cost more without the prompt cache. Of calls that cost more because of "
    "it there is farthing.cache.surcharges: the difference of the two is what caching is worth.",
)
CACHE_SURCHARGES: Final = Metric(
    "farthing.cache.surcharges",
    "USD",
    "counter",
    "What calls cost more because of the prompt cache: they wrote to it and read too little.",
)
"""Two counters and not one up-down counter: a rate over time is only right for what never falls."""
RETRIES: Final = Metric(
    "farthing.retries",
    "{retry}",
    "counter",
    "Requests that a client library sent again by itself.",
    (*CALL_LABELS, names.ERROR_TYPE),
)
OUTLIERS: Final = Metric(
    "farthing.outliers",
    "{call}",
    "counter",
    "Calls that are not normal, by reason: one that has two is counted under each. A call that has "
    "only `cold_threshold`, because its step has no median yet, is not counted.",
    (*CALL_LABELS, names.OUTLIER_REASON),
)
WORKFLOW_COST: Final = Metric(
    "farthing.workflow.cost",
    "USD",
    "histogram",
    "Known cost of one workflow's calls in the process that opened it, recorded at its end.",
    WORKFLOW_LABELS,
    COST_BUCKETS,
)
WORKFLOWS: Final = Metric(
    "farthing.workflows",
    "{workflow}",
    "counter",
    "Workflows that have ended, each counted by the process that opened it.",
    WORKFLOW_LABELS,
)
WASTE: Final = Metric(
    "farthing.waste.cost",
    "USD",
    "counter",
    "Cost of calls that bought nothing, each dollar under the first reason that applies: `failed`, "
    "`abandoned`, `repeated`, `workflow_failed`.",
    (*CALL_LABELS, names.WASTE_REASON),
)
PRICES_AGE: Final = Metric(
    "farthing.prices.age",
    "s",
    "gauge",
    "Age of the price table in use.",
    (names.COST_PRICES,),
)

CATALOGUE: Final = (
    OPERATION_DURATION,
    TOKEN_USAGE,
    TIME_TO_FIRST_CHUNK,
    INFERENCE_DURATION,
    INFERENCE_TIME_TO_FIRST_CHUNK,
    INFERENCE_INPUT,
    INFERENCE_OUTPUT,
    INFERENCE_CACHE_READ,
    INFERENCE_CACHE_WRITE,
    INFERENCE_REASONING,
    INFERENCE_INPUT_PER_CALL,
    INFERENCE_OUTPUT_PER_CALL,
    COST,
    UNPRICED,
    DISAGREEMENTS,
    ASSUMED,
    CACHE_SAVINGS,
    CACHE_SURCHARGES,
    RETRIES,
    OUTLIERS,
    WORKFLOW_COST,
    WORKFLOWS,
    WASTE,
    PRICES_AGE,
)
