"""What the view should say, added up by hand from the spans themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from farthing_dashboards.otlp import Span
from farthing_processor import semconv as names

PICO = Decimal("1e-12")

OF: Mapping[str, Callable[[Span], str | None]] = {
    "service": lambda span: text(span.resource.get("service.name")),
    "model": lambda span: text(
        span.attributes.get(names.RESPONSE_MODEL) or span.attributes.get(names.REQUEST_MODEL)
    ),
    "step": lambda span: text(span.attributes.get(names.STEP_NAME)),
    "workflow": lambda span: text(span.attributes.get(names.WORKFLOW_NAME)),
    "agent": lambda span: text(span.attributes.get(names.AGENT_NAME)),
    "feature": lambda span: text(span.attributes.get(names.FEATURE)),
    "user": lambda span: span.attributes.get(names.USER_ID),
    "session": lambda span: span.attributes.get(names.SESSION_ID),
}


def text(value: Any) -> str:
    return value or ""


def is_call(span: Span) -> bool:
    if names.COST_DUPLICATE_OF in span.attributes:
        return False
    failed = span.scope == names.SCOPE and names.ERROR_TYPE in span.attributes
    return names.COST_STATUS in span.attributes or (
        failed and span.attributes.get(names.OPERATION_NAME) == "chat"
    )


def asked(spans: Iterable[Span], query: Mapping[str, str]) -> list[Span]:
    """The calls, or the roots of runs, that a query's names ask for."""
    wanted = {name: value for name, value in query.items() if name in OF}
    return [
        span for span in spans if all(OF[name](span) == value for name, value in wanted.items())
    ]


def within(spans: Iterable[Span], view: Mapping[str, Any]) -> list[Span]:
    """The calls that began in the range of a page."""
    start, end = (view["range"][edge] * 10**6 for edge in ("start", "end"))
    return [span for span in spans if is_call(span) and start <= span.start_ns < end]


def usd(span: Span, *attributes: str) -> Decimal | None:
    found = (span.attributes.get(name) for name in attributes)
    amount = next((each for each in found if isinstance(each, float | int)), None)
    return None if amount is None else Decimal(repr(amount)).quantize(PICO)


def cost(span: Span) -> Decimal | None:
    return usd(span, names.COST_OURS, names.COST_AMOUNT)


def summed(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def waste_of(span: Span, failed_runs: set[Any]) -> str | None:
    reason = span.attributes.get(names.WASTE_REASON)
    if reason is not None or cost(span) is None:
        return str(reason) if reason is not None else None
    return "workflow_failed" if span.attributes.get(names.WORKFLOW_ID) in failed_runs else None


def failed_runs(spans: Iterable[Span]) -> set[Any]:
    return {
        span.attributes[names.WORKFLOW_ID]
        for span in spans
        if span.attributes.get(names.WORKFLOW_OUTCOME) == "failed"
    }


def quantile(values: Iterable[float], percent: int) -> float | None:
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) * percent // 100] if ordered else None


def row(calls: Sequence[Span], failed: set[Any]) -> dict[str, Any]:
    """What a row should say of these calls, money as Decimal; times are the true ones."""
    costs = [each for each in map(cost, calls) if each is not None]

    def count(which: Callable[[Span], Any]) -> int:
        return sum(1 for span in calls if which(span))

    def tokens(name: str) -> int:
        return sum(int(span.attributes.get(name) or 0) for span in calls)

    def reasons(span: Span) -> Any:
        return span.attributes.get(names.OUTLIER_REASONS) or ()

    def average(name: str) -> float | None:
        said = (names.USAGE_INPUT_TOKENS, names.USAGE_OUTPUT_TOKENS)
        counted = count(lambda s: any(each in s.attributes for each in said))
        return tokens(name) / counted if counted else None

    statuses = [span.attributes.get(names.COST_STATUS) for span in calls]
    first = [span.attributes.get(names.RESPONSE_TIME_TO_FIRST_CHUNK) for span in calls]
    return {
        "calls": len(calls),
        "errors": count(lambda s: s.status == "ERROR" or names.ERROR_TYPE in s.attributes),
        "retries": tokens(names.RETRIES),
        "priced": len(costs),
        "unpriced": sum(status in ("unpriced", "usage_missing") for status in statuses),
        "estimated": statuses.count("estimated"),
        "input_tokens": tokens(names.USAGE_INPUT_TOKENS),
        "output_tokens": tokens(names.USAGE_OUTPUT_TOKENS),
        "average_input": average(names.USAGE_INPUT_TOKENS),
        "average_output": average(names.USAGE_OUTPUT_TOKENS),
        "cost": summed(costs) if costs else None,
        "average_cost": (summed(costs) / len(costs)).quantize(PICO) if costs else None,
        "outliers": count(lambda s: "cost_outlier" in reasons(s)),
        "cost_outliers": summed(cost(s) for s in calls if "cost_outlier" in reasons(s)),
        "flagged": count(lambda s: s.attributes.get(names.OUTLIER_DETECTED)),
        "wasted": summed(cost(s) for s in calls if waste_of(s, failed)),
        "savings": summed(usd(s, names.COST_CACHE_SAVINGS) for s in calls),
        "avoidable": summed(usd(s, names.OUTLIER_AVOIDABLE_COST) for s in calls),
        "p50_s": quantile(((s.end_ns - s.start_ns) / 1e9 for s in calls), 50),
        "p95_s": quantile(((s.end_ns - s.start_ns) / 1e9 for s in calls), 95),
        "first_chunk_p50_s": quantile((each for each in first if isinstance(each, float)), 50),
    }


MONEY = ("cost", "average_cost", "cost_outliers", "wasted", "savings", "avoidable")


def agrees(said: Mapping[str, Any], calls: Sequence[Span], failed: set[Any]) -> bool:
    """Whether a row says of calls what it should: money to the last digit, times to 2.2 %."""
    for name, expected in row(calls, failed).items():
        found = said[name]
        if name in MONEY and found is not None:
            found = Decimal(found)
        if name.endswith("_s") and expected is not None:
            assert abs(found / expected - 1) < 0.0221, (name, found, expected)
        else:
            assert found == expected, (name, found, expected)
    return True


def by(calls: Iterable[Span], what: str) -> dict[str | None, list[Span]]:
    found: dict[str | None, list[Span]] = {}
    for span in calls:
        found.setdefault(OF[what](span), []).append(span)
    return found


@dataclass(frozen=True)
class Summary:
    """All that spans come to; rows have the members of `row` and a ``name``, the dearest first."""

    total: Any
    steps: Sequence[Any]
    models: Sequence[Any]
    workflows: Sequence[Any]
    """With ``runs``, ``successes`` and ``cost_per_success``."""
    waste: Mapping[str, Decimal]
    """By reason, the most first."""
    flags: Mapping[str, int]
    estimated: Any
    """``calls`` and ``cost``."""

    @property
    def wasted(self) -> Decimal:
        return summed(self.waste.values())

    @property
    def cache_savings(self) -> Decimal:
        return self.total.savings


def summarise(spans: Iterable[Span]) -> Summary:
    spans = list(spans)
    calls, failed = list(filter(is_call, spans)), failed_runs(spans)

    def rows(what: str) -> list[Any]:
        found = [named(name, part) for name, part in by(calls, what).items()]
        return sorted(found, key=lambda each: (-(each.cost or 0), -each.calls, each.name))

    def named(name: str | None, part: Sequence[Span]) -> Any:
        return SimpleNamespace(name=name, **row(part, failed))

    outcomes: dict[str | None, Counter[Any]] = {}
    for span in spans:
        if names.WORKFLOW_OUTCOME in span.attributes:
            ends = outcomes.setdefault(OF["workflow"](span), Counter())
            ends[span.attributes[names.WORKFLOW_OUTCOME]] += 1
    workflows = [each for each in rows("workflow") if each.name in outcomes]
    for each in workflows:
        each.runs, each.successes = outcomes[each.name].total(), outcomes[each.name]["success"]
        each.cost_per_success = each.cost / each.successes if each.successes else None
    estimated = [s for s in calls if s.attributes.get(names.COST_STATUS) == "estimated"]
    waste: dict[str, Decimal] = {}
    for span in calls:
        if (reason := waste_of(span, failed)) and (amount := cost(span)):
            waste[reason] = waste.get(reason, Decimal(0)) + amount
    return Summary(
        named("total", calls),
        rows("step"),
        rows("model"),
        workflows,
        dict(sorted(waste.items(), key=lambda item: -item[1])),
        Counter(
            str(reason)
            for span in calls
            if span.attributes.get(names.OUTLIER_DETECTED)
            for reason in span.attributes.get(names.OUTLIER_REASONS) or ()
        ),
        SimpleNamespace(calls=len(estimated), cost=summed(map(cost, estimated))),
    )
