"""What one run of the sample agent really did, by its spans: the truth that panels are held to.

Of the spans' costs a test says first that they are the simulator's bill to the last digit.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal, TypeAlias

from farthing_dashboards.grafana.names import SERVICE, label
from farthing_dashboards.otlp import Span, Value
from farthing_dashboards.simulator import LedgerEntry
from farthing_dashboards.store.rows import cost_of, is_call
from farthing_processor import metrics
from farthing_processor import semconv as names
from farthing_processor.pricing import current
from farthing_processor.runs import FAILED, SUCCESS

Key: TypeAlias = "frozenset[tuple[str, str]]"
"""The labels that a number has, by their names in Prometheus."""
Number: TypeAlias = "float | tuple[float, float]"
"""A number, or the two that it lies between."""
Numbers: TypeAlias = "Mapping[Key, Number]"
Truth: TypeAlias = "Callable[[Run], Numbers]"
Amount: TypeAlias = "Callable[[Span], float | None]"
Where: TypeAlias = "tuple[str, str] | None"
"""An attribute and its value; only what has it counts."""
Kind: TypeAlias = Literal["calls", "tokens", "flags", "assumptions", "workflows"]


class Run:
    """What ``service`` did in ``seconds``: these calls and workflows, ``times`` times each."""

    def __init__(
        self,
        service: str,
        spans: Sequence[Span] = (),
        ledger: Sequence[LedgerEntry] = (),
        *,
        times: int = 1,
        seconds: float,
    ) -> None:
        self.service = service
        self.spans = spans
        self.ledger = ledger
        self.times = times
        self.seconds = seconds

    @cached_property
    def workflows(self) -> list[Span]:
        return [span for span in self.spans if names.WORKFLOW_OUTCOME in span.attributes]

    @cached_property
    def calls(self) -> list[Span]:
        """Each also says why it was waste where only its workflow knows, and why it has no price:
        the only reason here is that nobody knows its model."""
        failed = {
            root.attributes[names.WORKFLOW_ID]
            for root in self.workflows
            if root.attributes[names.WORKFLOW_OUTCOME] == FAILED
        }

        def explained(call: Span) -> Span:
            if cost(call) is None:
                return _with(call, names.UNPRICED_REASON, "unknown_model")
            if call.attributes.get(names.WORKFLOW_ID) in failed and not wasted(call):
                return _with(call, names.WASTE_REASON, names.WASTE_WORKFLOW_FAILED)
            return call

        return list(map(explained, filter(is_call, self.spans)))

    @cached_property
    def flags(self) -> list[Span]:
        """A call for each reason that it has."""
        return [
            _with(call, names.OUTLIER_REASON, reason)
            for call in self.calls
            for reason in call.attributes.get(names.OUTLIER_REASONS, ())
            if reason != names.COLD_THRESHOLD
        ]

    @cached_property
    def assumptions(self) -> list[Span]:
        """A call for each thing that was assumed of it."""
        return [
            _with(call, names.ASSUMPTION, what)
            for call in self.calls
            for what in call.attributes.get(names.COST_ASSUMED, ())
        ]

    @cached_property
    def tokens(self) -> list[Span]:
        """A call for each kind of tokens that it reported; their number is of that kind."""
        kinds = (("input", names.USAGE_INPUT_TOKENS), ("output", names.USAGE_OUTPUT_TOKENS))
        return [
            _with(_with(call, names.TOKEN_TYPE, kind), _COUNT, call.attributes[name])
            for call in self.calls
            for kind, name in kinds
            if name in call.attributes
        ]


_COUNT = "tokens"


def said(span: Span, name: str) -> str:
    return str(span.attributes.get(name, ""))


def number(name: str) -> Amount:
    def read(span: Span) -> float | None:
        value = span.attributes.get(name)
        return float(value) if isinstance(value, int | float) else None

    return read


def cost(span: Span) -> float | None:
    """In USD; None when unpriced."""
    amount = cost_of(span)
    return None if amount is None else float(amount)


run_cost = number(names.WORKFLOW_COST)
retries = number(names.RETRIES)
tokens = number(_COUNT)
saved = number(names.COST_CACHE_SAVINGS)
first_chunk = number(names.RESPONSE_TIME_TO_FIRST_CHUNK)


def one(span: Span) -> float:
    return 1


def only(condition: Callable[[Span], object], amount: Amount = one) -> Amount:
    """The amount of those that meet a condition."""
    return lambda span: amount(span) if condition(span) else None


ours = only(lambda span: span.scope == names.SCOPE)
"""A call that farthing timed: of other tracers' it leaves that to them."""
priced = only(lambda span: cost(span) is not None)
unpriced = only(lambda span: cost(span) is None)
failed = only(lambda span: said(span, names.ERROR_TYPE))
disagreed = only(lambda s: names.COST_LISTED in s.attributes or names.COST_REPORTED in s.attributes)
wasted = only(lambda span: said(span, names.WASTE_REASON), cost)
savings = only(lambda span: (saved(span) or 0) > 0, saved)
surcharges = only(lambda span: (saved(span) or 0) < 0, lambda span: -(saved(span) or 0))
succeeded = only(lambda span: said(span, names.WORKFLOW_OUTCOME) == SUCCESS)
with_cost = only(lambda root: run_cost(root) is not None)


took = only(ours, lambda span: (span.end_ns - span.start_ns) / 1e9)
"""Seconds."""


def total(amount: Amount, *by: str, of: Kind = "calls", where: Where = None) -> Truth:
    """The sum of an amount by attributes; nothing of what never was."""

    def truth(run: Run) -> Numbers:
        sums: defaultdict[Key, float] = defaultdict(float)
        for span in getattr(run, of):
            chosen = where is None or said(span, where[0]) == where[1]
            if chosen and (value := amount(span)) is not None:
                sums[_key(span, by)] += value * run.times
        return dict(sums)

    return truth


def quantile(q: float, amount: Amount, *by: str) -> Truth:
    """Between which bounds of the buckets of durations it lies: where in one is a guess."""

    def truth(run: Run) -> Numbers:
        found: defaultdict[Key, list[float]] = defaultdict(list)
        for span in run.calls:
            if (value := amount(span)) is not None:
                found[_key(span, by)].append(value)
        return {key: _bounds(sorted(values), q) for key, values in found.items()}

    return truth


def _bounds(ordered: Sequence[float], q: float) -> tuple[float, float]:
    """From the bucket of the call that makes the share ``q`` full to that of the one after it,
    which are two where that share is a whole number of calls; else they are one."""
    rank = q * len(ordered)
    full, after = ordered[math.ceil(rank) - 1], ordered[min(math.floor(rank), len(ordered) - 1)]
    bounds = (0.0, *metrics.DURATION_BUCKETS)
    return bounds[bisect_left(bounds, full) - 1], bounds[bisect_left(bounds, after)]


def over(part: Truth, whole: Truth) -> Truth:
    """``part`` by the whole of the same labels, or by the one that there is."""

    def truth(run: Run) -> Numbers:
        wholes = whole(run)
        everything = wholes.get(frozenset())
        return {
            key: value / divisor
            for key, value in part(run).items()
            if (divisor := wholes.get(key, everything))
        }

    return truth


def counted(part: Truth, whole: Truth) -> Truth:
    """``part``, and 0 where there is only a whole."""
    return lambda run: dict.fromkeys(whole(run), 0.0) | part(run)


def less(amount: Truth, other: Truth) -> Truth:
    def truth(run: Run) -> Numbers:
        here, there = amount(run), other(run)
        return {key: here.get(key, 0) - there.get(key, 0) for key in here.keys() | there.keys()}

    return truth


def a_second(amount: Truth) -> Truth:
    return lambda run: {key: value / run.seconds for key, value in amount(run).items()}


def largest(amount: Truth) -> Truth:
    def truth(run: Run) -> Numbers:
        found = amount(run)
        return (
            {key: found[key] for key in [max(found, key=found.__getitem__)] if found}
            if found
            else {}
        )

    return truth


def like(amount: Truth, other: Truth) -> Truth:
    """``amount`` where there is an other of the same labels."""
    return lambda run: {key: value for key, value in amount(run).items() if key in other(run)}


def prices_age(*by: str) -> Truth:
    """Of the one price table there is, when it was last scraped: up to a minute after all calls."""

    def truth(run: Run) -> Numbers:
        if not run.spans:
            return {}
        age = max(span.end_ns for span in run.spans) / 1e9 - current().released_s
        labels = {names.COST_PRICES: current().version, SERVICE: run.service}
        return {frozenset((label(name), labels[name]) for name in by): (age, age + 60)}

    return truth


def _key(span: Span, by: Sequence[str]) -> Key:
    return frozenset((label(name), said(span, name)) for name in by if said(span, name))


def _with(span: Span, name: str, value: Value) -> Span:
    return replace(span, attributes={**span.attributes, name: value})
