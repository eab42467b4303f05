"""Rows of `calls` and `runs`, read from spans by a table: column → reading → attributes.

Telemetry comes from anyone. What has the wrong type, or is no number that a call can have, sets
nothing; texts are cut; no span can make a row that the file does not take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from farthing_dashboards.otlp import Attributes, Span
from farthing_dashboards.store.schema import GROUP, REASONS, WASTE, to_picodollars
from farthing_processor import dialects
from farthing_processor import semconv as names
from farthing_processor.attribution import LENGTH
from farthing_processor.dialects.dialect import CALLS
from farthing_processor.histogram import bucket_of

SERVICE: Final = "service.name"
MOST: Final = 1 << 32
"""Tokens, retries or seconds of a call, at most: more cannot be, and could overflow a sum."""
MOST_USD: Final = 1000.0
"""What a call can cost, at most, for the same reason: a file's sums hold nine million dollars."""
LAST_NS: Final = (1 << 63) - 1
"""The last moment that the file can hold."""


class Call(NamedTuple):
    """A row of `calls`, but for the id of its group."""

    group: tuple[str, ...]
    """Values of `GROUP`."""
    values: tuple[Any, ...]
    """Those of `COLUMNS`."""


def text(value: object) -> str | None:
    """A text, cut to what attribution allows of one; None for an empty one."""
    return value[:LENGTH] or None if isinstance(value, str) else None


def count(value: object) -> int | None:
    """A whole number from 0 on."""
    return value if type(value) is int and 0 <= value <= MOST else None


def amount(value: object) -> int | None:
    """USD as picodollars; of either sign."""
    if (type(value) is float or type(value) is int) and -MOST_USD <= value <= MOST_USD:
        return to_picodollars(value)
    return None


def cost(value: object) -> int | None:
    """USD from 0 on, as picodollars."""
    usd = amount(value)
    return None if usd is None or usd < 0 else usd


def exact(value: object) -> Decimal | None:
    """USD from 0 on, as the shortest decimal that is this double."""
    return None if cost(value) is None else Decimal(repr(value))


def true(value: object) -> int:
    """1 for true."""
    return int(value is True)


def seconds(value: object) -> int | None:
    """Seconds, as the bucket that they are in."""
    if (type(value) is float or type(value) is int) and 0 <= value <= MOST:
        return bucket_of(value)
    return None


def reasons(value: object) -> str | None:
    """Those of `REASONS` in a list, in that order, with commas between."""
    named = cast(Sequence[object], value) if isinstance(value, list | tuple) else ()
    return ",".join(reason for reason in REASONS if reason in named) or None


def waste(value: object) -> str | None:
    """One of `WASTE`."""
    return value if isinstance(value, str) and value in WASTE else None


class Reading(NamedTuple):
    """How a column is read: the first of ``attributes`` that ``read`` finds something in."""

    read: Callable[[object], Any]
    attributes: tuple[str, ...]
    otherwise: Any = None

    def of(self, attributes: Attributes) -> Any:
        for name in self.attributes:
            if name in attributes and (found := self.read(attributes[name])) is not None:
                return found
        return self.otherwise


_COST: Final = (names.COST_OURS, names.COST_AMOUNT)
_EXACT_COST: Final = Reading(exact, _COST)

_GROUP: Final[Mapping[str, Reading]] = {
    "provider": Reading(text, (names.PROVIDER_NAME,), ""),
    "model": Reading(text, (names.RESPONSE_MODEL, names.REQUEST_MODEL), ""),
    "operation": Reading(text, (names.OPERATION_NAME,), ""),
    "step": Reading(text, (names.STEP_NAME,), ""),
    "agent": Reading(text, (names.AGENT_NAME,), ""),
    "workflow": Reading(text, (names.WORKFLOW_NAME,), ""),
    "feature": Reading(text, (names.FEATURE,), ""),
    "prices": Reading(text, (names.COST_PRICES,), ""),
}
"""`GROUP`, but for the service, which is its resource's."""

_READ: Final[Mapping[str, Reading]] = {
    "run": Reading(text, (names.WORKFLOW_ID,)),
    "user": Reading(text, (names.USER_ID,)),
    "session": Reading(text, (names.SESSION_ID,)),
    "status": Reading(text, (names.COST_STATUS,)),
    "retries": Reading(count, (names.RETRIES,), 0),
    "input_tokens": Reading(count, (names.USAGE_INPUT_TOKENS,)),
    "output_tokens": Reading(count, (names.USAGE_OUTPUT_TOKENS,)),
    "cache_read_tokens": Reading(count, (names.USAGE_CACHE_READ,)),
    "cache_write_tokens": Reading(count, (names.USAGE_CACHE_WRITE,)),
    "reasoning_tokens": Reading(count, (names.USAGE_REASONING,)),
    "cost": Reading(cost, _COST),
    **{
        f"cost_{name}": Reading(cost, (f"{names.COST_CLASS_PREFIX}{name}",))
        for name in names.COST_CLASSES
    },
    "savings": Reading(amount, (names.COST_CACHE_SAVINGS,)),
    "avoidable": Reading(cost, (names.OUTLIER_AVOIDABLE_COST,)),
    "flagged": Reading(true, (names.OUTLIER_DETECTED,), 0),
    "reasons": Reading(reasons, (names.OUTLIER_REASONS,)),
    "waste": Reading(waste, (names.WASTE_REASON,)),
    "first_chunk": Reading(seconds, (names.RESPONSE_TIME_TO_FIRST_CHUNK,)),
}
_OF_SPAN: Final = ("trace_id", "span_id", "at", "duration", "error")
COLUMNS: Final = (*_OF_SPAN, *_READ)
"""Of `calls`, in the order of `Call.values`."""

_FAILED: Final = "ERROR"


def is_call(span: Span) -> bool:
    """Whether it is a call that counts: one with a cost status, or one of ours that failed before
    it could cost anything. What another span has paid is not counted again."""
    attributes = span.attributes
    if names.COST_STATUS in attributes:
        return names.COST_DUPLICATE_OF not in attributes
    return (
        span.scope == names.SCOPE
        and names.ERROR_TYPE in attributes
        and text(attributes.get(names.OPERATION_NAME)) in CALLS
        and names.COST_DUPLICATE_OF not in attributes
    )


def cost_of(span: Span) -> Decimal | None:
    """The cost in USD, to the last digit of its span; None when it has none."""
    return _EXACT_COST.of(span.attributes)


def call_of(span: Span, now_ns: int) -> Call:
    """The row of a span that `is_call`, which came at ``now_ns``."""
    attributes = _told(span)
    began = moment(span.start_ns, now_ns)
    failed = span.status == _FAILED or names.ERROR_TYPE in attributes
    return Call(
        (service_of(span), *[_GROUP[name].of(attributes) for name in GROUP[1:]]),
        (
            bytes.fromhex(span.trace_id),
            bytes.fromhex(span.span_id),
            began,
            bucket_of(max(span.end_ns - span.start_ns, 0) / 1e9),
            int(failed),
            *[reading.of(attributes) for reading in _READ.values()],
        ),
    )


def run_of(span: Span, now_ns: int) -> tuple[Any, ...] | None:
    """The row of `runs`, in the order of its columns, of a span that is the root of a run."""
    attributes = span.attributes
    if names.WORKFLOW_OUTCOME not in attributes:
        return None
    run, outcome = (text(attributes.get(n)) for n in (names.WORKFLOW_ID, names.WORKFLOW_OUTCOME))
    if run is None or outcome is None:
        return None
    return (
        run,
        moment(span.end_ns, now_ns),
        bytes.fromhex(span.trace_id),
        bytes.fromhex(span.span_id),
        service_of(span),
        _GROUP["workflow"].of(attributes),
        outcome,
        _READ["user"].of(attributes),
    )


def service_of(span: Span) -> str:
    """The name of the service that a span is of; empty where nobody named it."""
    return text(span.resource.get(SERVICE)) or ""


def moment(ns: int, now_ns: int) -> int:
    """When something was; ``now_ns``, where the sender does not say or says what cannot be."""
    return ns if 0 < ns <= LAST_NS else now_ns


def _told(span: Span) -> Attributes:
    """The attributes of a span, with those of another tracer's under the conventions' names."""
    attributes = span.attributes
    if names.COST_DIALECT not in attributes:
        return attributes
    try:
        return {**attributes, **_translated(span)}
    except Exception:  # attributes of any type at all: the span is worth as much without
        return attributes


def _translated(span: Span) -> dict[str, Any]:
    present: dict[str, Any] = dict(span.attributes)
    dialect = dialects.choose(span.scope, present)
    if dialect is None:
        return {}
    failed = span.status == _FAILED
    seen = dialects.Seen(
        present, span.scope, span.scope_version, span.start_ns, span.end_ns, failed
    )
    reading = dialects.read(dialect, seen, frozenset())
    if reading is None:
        return {}
    facts, usage = reading.facts, reading.facts.usage
    found: dict[str, Any] = {
        names.OPERATION_NAME: facts.operation,
        names.PROVIDER_NAME: facts.provider,
        names.REQUEST_MODEL: facts.request_model,
        names.RESPONSE_MODEL: facts.response_model,
    }
    if usage is not None:
        found |= {
            names.USAGE_INPUT_TOKENS: usage.input_tokens,
            names.USAGE_OUTPUT_TOKENS: usage.output_tokens,
            names.USAGE_CACHE_READ: usage.cache_read_tokens or None,
            names.USAGE_CACHE_WRITE: usage.cache_write_tokens or None,
            names.USAGE_REASONING: usage.reasoning_tokens,
        }
    return {name: value for name, value in found.items() if value is not None}
