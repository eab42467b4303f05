"""Aliases: the cost of a call under the names that backends already read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Context, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Final

from farthing_processor import semconv as names

if TYPE_CHECKING:  # the settings name the backends, and pricing reads the settings
    from farthing_processor.assessment import Assessment, AttributeValue

_PROMPT: Final = ("input", "cache_read", "cache_write")

BACKENDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "langfuse": {names.ALIAS_USAGE_COST: ()},
    "logfire": {names.ALIAS_OPERATION_COST: ()},
    "openinference": {
        names.ALIAS_LLM_COST_TOTAL: (),
        names.ALIAS_LLM_COST_PROMPT: _PROMPT,
        names.ALIAS_LLM_COST_COMPLETION: ("output",),
        names.ALIAS_LLM_COST_CACHE_READ: ("cache_read",),
        names.ALIAS_LLM_COST_CACHE_WRITE: ("cache_write",),
    },
    "openlit": {names.ALIAS_USAGE_COST: ()},
}
"""Backend → attribute → the classes of `semconv.COST_CLASSES` that it is the sum of; none of them
stands for the whole cost. USD, as a double, each of them.

Langfuse reads it in ``packages/shared/src/server/otel/OtelIngestionProcessor.ts``, Logfire as
``docs/guides/web-ui/llms.md`` of its repository says, OpenLIT by ``src/client/src/constants/
traces.ts``; OpenInference has its names in ``spec/semantic_conventions.md``, and Arize AX reads
them. Of its details only those that are a class of ours: audio, reasoning and uncached input are
parts of one.
"""

_INSIDE: Final = (names.COST_AMOUNT, names.COST_CURRENCY, names.COST_SOURCE)
"""The names that `semconv.ALIAS_USAGE_COST` is the namespace of."""


def of(assessment: Assessment, chosen: Collection[str]) -> dict[str, AttributeValue]:
    """The cost in USD under every name that the ``chosen`` of `BACKENDS` read; nothing for a call
    without an amount. A class that is not known to have cost anything has no name."""
    cost, by_class = assessment.cost, assessment.by_class
    said: dict[str, AttributeValue] = {}
    if cost is None:
        return said
    for backend in chosen:
        for name, classes in BACKENDS[backend].items():
            amounts = [by_class[part] for part in classes if part in by_class]
            if not classes:
                said[name] = cost
            elif amounts:
                said[name] = _sum(amounts)
    return said


def add(
    attributes: dict[str, AttributeValue], assessment: Assessment, chosen: Collection[str]
) -> None:
    """Have the ``attributes`` of a call say its cost under the names of the ``chosen`` too.

    Where one of these is the namespace of the proposal's names, those make room and the amount
    is `semconv.COST_OURS`, as it is beside another tracer's ``gen_ai.usage.cost``: a backend that
    nests dots can store one of them, and Langfuse takes ``gen_ai.usage.cost.amount`` for a count of
    tokens, which it refuses, with the span, because it is no whole number.
    """
    said = of(assessment, chosen)
    if names.ALIAS_USAGE_COST in said:
        beside_another(attributes, assessment)
    attributes.update(said)


def beside_another(attributes: dict[str, AttributeValue], assessment: Assessment) -> None:
    """Have the ``attributes`` of a call say its cost as `semconv.COST_OURS` alone, because another
    amount is on the span, or its name in the way."""
    for name in _INSIDE:
        attributes.pop(name, None)
    if assessment.cost is not None:
        attributes[names.COST_OURS] = assessment.cost


_EXACT: Final = Context(prec=60)
"""Whatever precision the application's own arithmetic has."""


def _sum(amounts: list[float]) -> float:
    """The sum of amounts, each the double nearest to a decimal, as the double nearest to theirs."""
    return float(reduce(_EXACT.add, (Decimal(str(amount)) for amount in amounts)))
