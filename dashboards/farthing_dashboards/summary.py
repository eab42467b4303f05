"""Telemetry to sums: what the steps, workflows and models of an application cost, and for what.

Money is exact: the sum of the doubles that arrived. Of a call that has no price it is unknown, and
not 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Self

from farthing_dashboards.otlp import Point, Span, Value
from farthing_processor import metrics, semconv
from farthing_processor.attribution import UNKNOWN_STEP
from farthing_processor.runs import SUCCESS


class _Sums:
    """Sums of anything: every field but ``name`` adds up."""

    __slots__ = ()

    def __add__(self, other: Self) -> Self:
        mine: Any = self
        sums = {
            field.name: getattr(mine, field.name) + getattr(other, field.name)
            for field in fields(mine)
            if field.name != "name"
        }
        return replace(mine, **sums)


@dataclass(frozen=True, slots=True)
class Row(_Sums):
    """The calls of one step, of one model, or all of them.

    ``cost`` is in USD, over the calls that have a price; ``unpriced`` have none. ``counted`` calls
    reported tokens. ``outliers`` cost far more than their step usually does. Averages are None
    where there is nothing to average.
    """

    name: str
    calls: int = 0
    unpriced: int = 0
    counted: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    outliers: int = 0

    @property
    def average_input(self) -> float | None:
        return self.input_tokens / self.counted if self.counted else None

    @property
    def average_output(self) -> float | None:
        return self.output_tokens / self.counted if self.counted else None

    @property
    def average_cost(self) -> Decimal | None:
        priced = self.calls - self.unpriced
        return self.cost / priced if priced else None

    @property
    def spend(self) -> Decimal | None:
        """The cost; None when no call has a price, because unknown is not free."""
        return self.cost if self.calls > self.unpriced else None


@dataclass(frozen=True, slots=True)
class Workflow(_Sums):
    """All runs of one workflow, as their root spans say.

    ``cost`` is in USD, over the ``priced`` runs: those of which anything is known.
    """

    name: str
    runs: int = 0
    successes: int = 0
    priced: int = 0
    cost: Decimal = Decimal(0)

    @property
    def spend(self) -> Decimal | None:
        """The cost; None when it is known of no run."""
        return self.cost if self.priced else None

    @property
    def cost_per_success(self) -> Decimal | None:
        """What a completed workflow costs, those that failed on the way paid too; else None."""
        return self.cost / self.successes if self.priced and self.successes else None


@dataclass(frozen=True, slots=True)
class Outlier:
    """A call that cost far more than its step usually does; USD. ``usual`` is the median then."""

    step: str
    cost: Decimal
    usual: Decimal
    ratio: float


@dataclass(frozen=True, slots=True)
class Summary:
    """All that there is to say of an application's telemetry. USD."""

    steps: Sequence[Row]
    """The dearest first, as are the others."""
    models: Sequence[Row]
    workflows: Sequence[Workflow]
    waste: Mapping[str, Decimal]
    """What bought nothing, by ``farthing.waste.reason``: each dollar under one."""
    flags: Mapping[str, int]
    """Calls that are not normal, by ``farthing.outlier.reasons``: a call may have several."""
    worst: Outlier | None
    cache_savings: Decimal
    """What the calls would have cost more without the prompt cache; below 0 where it cost more."""
    estimated: Row
    """The calls whose cost is an estimate, as the provider never said what they used."""

    @property
    def total(self) -> Row:
        return total(self.steps)

    @property
    def wasted(self) -> Decimal:
        return sum(self.waste.values(), Decimal(0))

    @property
    def dearest_model(self) -> Row | None:
        """The model whose calls cost the most on average; None where nothing has a price."""
        priced = [model for model in self.models if model.average_cost is not None]
        return max(priced, key=lambda model: model.average_cost or 0, default=None)


def summarise(spans: Iterable[Span], points: Iterable[Point]) -> Summary:
    """What spans and metric points come to. Waste is in metrics only: of a workflow that fails, no
    call knows."""
    spans = list(spans)
    calls = list(filter(is_call, spans))
    flagged = [span for span in calls if span.attributes.get(semconv.OUTLIER_DETECTED)]
    outliers = [found for span in calls if (found := _outlier(span)) is not None]
    estimates = (span for span in calls if span.attributes[semconv.COST_STATUS] == "estimated")
    return Summary(
        steps=by_step(calls),
        models=_by(calls, lambda span: _first(span, semconv.RESPONSE_MODEL, semconv.REQUEST_MODEL)),
        workflows=_workflows(spans),
        waste=_counted(points, metrics.WASTE.name, semconv.WASTE_REASON),
        flags=Counter(str(reason) for span in flagged for reason in _reasons(span)),
        worst=max(outliers, key=lambda outlier: outlier.cost, default=None),
        cache_savings=sum(
            (usd(span, semconv.COST_CACHE_SAVINGS) or Decimal(0) for span in calls), Decimal(0)
        ),
        estimated=total(map(_row, estimates)),
    )


def is_call(span: Span) -> bool:
    """Whether a span is a model call that could cost something: it has a cost status."""
    return semconv.COST_STATUS in span.attributes


def usd(span: Span, name: str) -> Decimal | None:
    """An amount on a span, as the shortest decimal that is this double; None if it has none."""
    amount = span.attributes.get(name)
    return _decimal(amount) if isinstance(amount, float | int) else None


def cost_of(span: Span) -> Decimal | None:
    """The cost in USD; None when unpriced."""
    ours = usd(span, semconv.COST_OURS)
    return usd(span, semconv.COST_AMOUNT) if ours is None else ours


def tokens_of(span: Span, name: str) -> int | None:
    """A token count of a span; None when the provider reported none."""
    count = span.attributes.get(name)
    return count if isinstance(count, int) else None


def by_step(spans: Iterable[Span]) -> list[Row]:
    """One row a step, the dearest first."""
    return _by(spans, _step)


def total(rows: Iterable[Row]) -> Row:
    """All rows as one."""
    return sum(rows, Row("total"))


def _by(spans: Iterable[Span], name: Callable[[Span], str]) -> list[Row]:
    rows: dict[str, Row] = {}
    for span in filter(is_call, spans):
        of = name(span)
        rows[of] = rows.get(of, Row(of)) + _row(span)
    return sorted(rows.values(), key=lambda row: (-row.cost, -row.calls, row.name))


def _row(span: Span) -> Row:
    cost = cost_of(span)
    sent = tokens_of(span, semconv.USAGE_INPUT_TOKENS)
    received = tokens_of(span, semconv.USAGE_OUTPUT_TOKENS)
    return Row(
        name="",
        calls=1,
        unpriced=int(cost is None),
        counted=int(sent is not None or received is not None),
        input_tokens=sent or 0,
        output_tokens=received or 0,
        cost=cost or Decimal(0),
        outliers=int(_outlier(span) is not None),
    )


def _workflows(spans: Iterable[Span]) -> list[Workflow]:
    workflows: dict[str, Workflow] = {}
    for span in spans:
        outcome = span.attributes.get(semconv.WORKFLOW_OUTCOME)
        if outcome is None:  # no root span of a workflow
            continue
        name = _first(span, semconv.WORKFLOW_NAME)
        cost = usd(span, semconv.WORKFLOW_COST)
        run = Workflow(name, 1, int(outcome == SUCCESS), int(cost is not None), cost or Decimal(0))
        workflows[name] = workflows[name] + run if name in workflows else run
    return sorted(workflows.values(), key=lambda each: (-each.cost, -each.runs, each.name))


def _outlier(span: Span) -> Outlier | None:
    cost, usual = cost_of(span), usd(span, semconv.BASELINE_P50)
    ratio = span.attributes.get(semconv.OUTLIER_RATIO)
    if semconv.COST_OUTLIER not in _reasons(span) or cost is None or usual is None:
        return None
    return Outlier(_step(span), cost, usual, float(ratio) if isinstance(ratio, float) else 0.0)


def _counted(points: Iterable[Point], name: str, label: str) -> dict[str, Decimal]:
    """The sums of a counter by one of its labels, the greatest first.

    A cumulative counter is exported again and again: of each series the last value since its start
    counts. One that reports differences starts anew each time.
    """
    last: dict[object, tuple[str, Value]] = {}
    for point in points:
        if point.name == name:
            series = tuple(sorted((key, str(value)) for key, value in point.attributes.items()))
            last[series, point.start_ns] = str(point.attributes.get(label)), point.value
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for value, amount in last.values():
        sums[value] += _decimal(amount)
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _decimal(number: object) -> Decimal:
    return Decimal(repr(number))


def _step(span: Span) -> str:
    return _first(span, semconv.STEP_NAME)


def _first(span: Span, *names: str) -> str:
    """The first of these attributes that a span has."""
    found = (span.attributes.get(name) for name in names)
    return next((str(value) for value in found if value), UNKNOWN_STEP)


def _reasons(span: Span) -> Sequence[Value]:
    reasons = span.attributes.get(semconv.OUTLIER_REASONS)
    return reasons if isinstance(reasons, Sequence) else ()
