"""A summary as plain text: aligned tables of at most 100 columns, and a few sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from farthing_dashboards.summary import Row, Summary, Workflow, total
from farthing_processor import semconv

_STEP: Sequence[tuple[str, Callable[[Row, Row], str]]] = (
    ("step", lambda row, _: _shortened(row.name, 19)),
    ("calls", lambda row, _: f"{row.calls:,}"),
    ("avg in", lambda row, _: _rounded(row.average_input)),
    ("avg out", lambda row, _: _rounded(row.average_output)),
    ("avg cost", lambda row, _: _usd(row.average_cost, 7)),
    ("of calls", lambda row, all_: _share(row.calls, all_.calls)),
    ("of spend", lambda row, all_: _share(row.spend, all_.cost)),
    ("spend", lambda row, _: _usd(row.spend)),
    ("outliers", lambda row, _: f"{row.outliers:,}" if row.outliers else "-"),
)
_WORKFLOW: Sequence[tuple[str, Callable[[Workflow], str]]] = (
    ("workflow", lambda workflow: _shortened(workflow.name)),
    ("runs", lambda workflow: f"{workflow.runs:,}"),
    ("succeeded", lambda workflow: f"{workflow.successes:,}"),
    ("spend", lambda workflow: _usd(workflow.spend)),
    ("cost per success", lambda workflow: _usd(workflow.cost_per_success)),
)
_WASTE = {
    semconv.WASTE_FAILED: "calls that failed, and are billed all the same",
    semconv.WASTE_ABANDONED: "answers that were not read to the end",
    semconv.WASTE_REPEATED: "the same asked again in one run",
    semconv.WASTE_WORKFLOW_FAILED: "the rest of what failed workflows spent",
}
_FLAGS = {
    semconv.COST_OUTLIER: "cost far more than their step usually does",
    semconv.CONTEXT_GROWTH: "sent a prompt that had grown several times over within one run",
    semconv.COMPLETION_SPIKE: "wrote far more than their step usually does",
    semconv.RETRY_STORM: "came when their step kept failing",
    semconv.REPEATED_PROMPT: "asked what had been answered in the same run",
    semconv.LARGE_UNCACHED_PREFIX: "could have had most of their prompt from the cache",
    semconv.LOW_YIELD: "read a great deal to write very little",
}


def as_text(summary: Summary) -> str:
    """Everything that a summary has; what it has nothing of is left out."""
    parts = [
        steps(summary.steps),
        workflows(summary.workflows),
        waste(summary),
        flags(summary),
        "\n".join(_sentences(summary)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def steps(rows: Sequence[Row]) -> str:
    """A row a step: averages a call, and shares of the total."""
    everything = total(rows)
    body = [[cell(row, everything) for _, cell in _STEP] for row in (*rows, everything)]
    text = _table([name for name, _ in _STEP], body, last_is_total=True)
    if everything.unpriced:
        text += f"\n\n{everything.unpriced} of {_calls(everything.calls)} have no price."
    return text


def workflows(found: Sequence[Workflow]) -> str:
    """A row a workflow: what its runs cost in all, and what each that succeeded did."""
    body = [[cell(workflow) for _, cell in _WORKFLOW] for workflow in found]
    return _table([name for name, _ in _WORKFLOW], body) if body else ""


def waste(summary: Summary) -> str:
    """A row a reason, of what was spent for nothing."""
    spend = summary.total.cost
    if not summary.waste:
        return ""
    body = [
        [reason, _usd(amount), _share(amount, spend), _WASTE.get(reason, "")]
        for reason, amount in (*summary.waste.items(), ("total", summary.wasted))
    ]
    return _table(["waste", "spend", "of spend", ""], body, last_is_total=True)


def flags(summary: Summary) -> str:
    """A row a reason why calls were flagged."""
    body = [
        [reason, f"{summary.flags[reason]:,}", says]
        for reason, says in _FLAGS.items()
        if summary.flags.get(reason)
    ]
    return _table(["flagged", "calls", ""], body) if body else ""


def _sentences(summary: Summary) -> Iterable[str]:
    spend = summary.total.cost
    if (worst := summary.worst) is not None:
        yield (
            f"Dearest outlier: {_shortened(worst.step, 19)}, one call of {_usd(worst.cost)}, "
            f"{worst.ratio:,.1f} times the usual {_usd(worst.usual)}."
        )
    if (model := summary.dearest_model) is not None and len(summary.models) > 1:
        yield (
            f"Dearest model: {_shortened(model.name, 32)}, "
            f"{_share(model.calls, summary.total.calls)} of the calls "
            f"and {_share(model.cost, spend)} of the spend."
        )
    if saved := summary.cache_savings:
        came_to = f"saved {_usd(saved)}" if saved > 0 else f"cost {_usd(-saved)} more than it saved"
        yield f"Prompt cache: {came_to}; without it the spend would be {_usd(spend + saved)}."
    if (estimated := summary.estimated).calls:
        yield (
            f"Estimated: {_usd(estimated.cost)} of the spend, for {_calls(estimated.calls)} that "
            "ended before the usage was reported."
        )


def _table(head: Sequence[str], body: Sequence[Sequence[str]], last_is_total: bool = False) -> str:
    """Aligned: the first column, and one without a heading, to the left."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    left = [index == 0 or not name for index, name in enumerate(head)]
    lines = [
        "  ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(cells, widths, left, strict=True)
        ).rstrip()
        for cells in (head, *body)
    ]
    rule = "-" * max(map(len, lines))
    if last_is_total:
        lines.insert(-1, rule)
    return "\n".join([lines[0], rule, *lines[1:]])


def _shortened(name: str, width: int = 40) -> str:
    return name if len(name) <= width else f"{name[: width - 3]}..."


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"


def _rounded(average: float | None) -> str:
    return "-" if average is None else f"{average:,.0f}"


def _usd(amount: Decimal | None, places: int = 6) -> str:
    if amount is None:
        return "-"
    return f"${amount:,.{places if amount < 1000 else 2}f}"


def _share(part: Decimal | int | None, whole: Decimal | int) -> str:
    return "-" if part is None or not whole else f"{part / whole:.1%}"
