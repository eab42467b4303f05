"""Spans to rows: what each step of an application costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from farthing_dashboards.otlp import Span
from farthing_processor import semconv
from farthing_processor.attribution import UNKNOWN_STEP


@dataclass(frozen=True, slots=True)
class Row:
    """The calls of one step, or of all of them.

    ``cost`` is the exact sum in USD over the calls that have a price; ``unpriced`` have none.
    ``counted`` calls reported tokens. Averages are None where there is nothing to average.
    """

    step: str
    calls: int = 0
    unpriced: int = 0
    counted: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Row) -> Row:
        return replace(
            self,
            calls=self.calls + other.calls,
            unpriced=self.unpriced + other.unpriced,
            counted=self.counted + other.counted,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
        )

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


def is_call(span: Span) -> bool:
    """Whether a span is a model call that could cost something: it has a cost status."""
    return semconv.COST_STATUS in span.attributes


def cost_of(span: Span) -> Decimal | None:
    """The cost in USD, as the shortest decimal that is this double; None when unpriced."""
    amount = span.attributes.get(semconv.COST_OURS, span.attributes.get(semconv.COST_AMOUNT))
    return Decimal(repr(amount)) if isinstance(amount, float | int) else None


def tokens_of(span: Span, name: str) -> int | None:
    """A token count of a span; None when the provider reported none."""
    count = span.attributes.get(name)
    return count if isinstance(count, int) else None


def by_step(spans: Iterable[Span]) -> list[Row]:
    """One row a step, the dearest first."""
    rows: dict[str, Row] = defaultdict(lambda: Row(""))
    for span in filter(is_call, spans):
        row = _row(span)
        rows[row.step] = row + rows[row.step]
    return sorted(rows.values(), key=lambda row: (-row.cost, -row.calls, row.step))


def total(rows: Sequence[Row]) -> Row:
    """All rows as one."""
    return sum(rows, Row("total"))


def _row(span: Span) -> Row:
    cost = cost_of(span)
    sent = tokens_of(span, semconv.USAGE_INPUT_TOKENS)
    received = tokens_of(span, semconv.USAGE_OUTPUT_TOKENS)
    return Row(
        step=str(span.attributes.get(semconv.STEP_NAME) or UNKNOWN_STEP),
        calls=1,
        unpriced=int(cost is None),
        counted=int(sent is not None or received is not None),
        input_tokens=sent or 0,
        output_tokens=received or 0,
        cost=cost or Decimal(0),
    )


_COLUMNS: Sequence[tuple[str, Callable[[Row, Row], str]]] = (
    ("calls", lambda row, _: f"{row.calls:,}"),
    ("avg in", lambda row, _: _rounded(row.average_input)),
    ("avg out", lambda row, _: _rounded(row.average_output)),
    ("avg cost", lambda row, _: _usd(row.average_cost, 7)),
    ("of calls", lambda row, all_: _share(row.calls, all_.calls)),
    ("of spend", lambda row, all_: _share(row.spend, all_.cost)),
    ("spend", lambda row, _: _usd(row.spend, 6)),
)


def as_text(rows: Sequence[Row]) -> str:
    """An aligned table of at most 100 columns: averages a call, and shares of the total."""
    everything = total(rows)
    body = [
        [_shortened(row.step), *(cell(row, everything) for _, cell in _COLUMNS)]
        for row in (*rows, everything)
    ]
    table = [["step", *(name for name, _ in _COLUMNS)], *body]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])])
        for cells in table
    ]
    rule = "-" * len(lines[0])
    text = "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], ""])
    if everything.unpriced:
        text += f"\n{everything.unpriced} of {everything.calls} calls have no price.\n"
    return text


def _shortened(step: str, width: int = 24) -> str:
    return step if len(step) <= width else f"{step[: width - 3]}..."


def _rounded(average: float | None) -> str:
    return "-" if average is None else f"{average:,.0f}"


def _usd(amount: Decimal | None, places: int) -> str:
    return "-" if amount is None else f"${amount:,.{places}f}"


def _share(part: Decimal | int | None, whole: Decimal | int) -> str:
    return "-" if part is None or not whole else f"{part / whole:.1%}"
