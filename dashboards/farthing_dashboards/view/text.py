"""The view as plain text: aligned tables of at most 100 columns, and a few sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

_Row: TypeAlias = Mapping[str, Any]
_Column: TypeAlias = tuple[str, Callable[[_Row], str]]

_NOT_GIVEN: Final = "(none)"
_TOP: Final = 10
"""Rows of a table that may have many."""


def _name(heading: str, width: int = 32) -> _Column:
    return heading, lambda row: shortened(row["name"] or _NOT_GIVEN, width)


def _money(heading: str, key: str, places: int = 6) -> _Column:
    return heading, lambda row: dollars(row[key], places)


def _count(heading: str, key: str, none: str = "-") -> _Column:
    return heading, lambda row: f"{row[key]:,}" if row[key] else none


def _part(heading: str, key: str) -> _Column:
    return heading, lambda row: percent(row[key])


def _rounded(heading: str, key: str) -> _Column:
    return heading, lambda row: "-" if row[key] is None else f"{row[key]:,.0f}"


def _seconds(heading: str, key: str) -> _Column:
    return heading, lambda row: _took(row[key])


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1000:,.0f} ms"


_STEP: Final[Sequence[_Column]] = (
    _name("step", 19),
    _count("calls", "calls"),
    _rounded("avg in", "average_input"),
    _rounded("avg out", "average_output"),
    _money("avg cost", "average_cost", 7),
    _part("of calls", "share_calls"),
    _part("of spend", "share_cost"),
    _money("spend", "cost"),
    _count("outliers", "outliers"),
)
_WORKFLOW: Final[Sequence[_Column]] = (
    _name("workflow"),
    _count("runs", "runs", "0"),
    _count("succeeded", "successes", "0"),
    _count("failed", "failures", "0"),
    _money("spend", "cost"),
    _money("cost per success", "cost_per_success"),
)
_WASTE: Final[Sequence[_Column]] = (
    ("waste", lambda row: str(row["reason"])),
    _money("spend", "cost"),
    _part("of spend", "share"),
    ("", lambda row: str(row["says"])),
)
_FLAG: Final[Sequence[_Column]] = (
    ("flagged", lambda row: str(row["reason"])),
    _count("calls", "calls"),
    ("", lambda row: str(row["says"])),
)
_MODEL: Final[Sequence[_Column]] = (
    _name("model", 26),
    _count("calls", "calls"),
    _count("tokens in", "input_tokens"),
    _count("tokens out", "output_tokens"),
    _money("avg cost", "average_cost", 7),
    _part("of spend", "share_cost"),
    _money("spend", "cost"),
)
_SPEED: Final[Sequence[_Column]] = (
    _name("step"),
    _seconds("p50", "p50_s"),
    _seconds("p95", "p95_s"),
    _seconds("first p50", "first_chunk_p50_s"),
    _seconds("first p95", "first_chunk_p95_s"),
    _count("errors", "errors"),
    _count("retries", "retries"),
)
_DEAREST: Final[Sequence[_Column]] = (
    ("dearest call of", lambda row: shortened(row["step"] or _NOT_GIVEN, 24)),
    _money("cost", "cost"),
    ("of average", lambda row: "-" if row["ratio"] is None else f"{row['ratio']:,.1f} x"),
    ("", lambda row: f"trace {row['trace_id']}"),
)


def _who(heading: str) -> Sequence[_Column]:
    return (
        _name(heading),
        _count("calls", "calls"),
        _part("of spend", "share_cost"),
        _money("spend", "cost"),
    )


_BRIEF: Final[Mapping[str, Sequence[_Column]]] = {
    "steps": _STEP,
    "workflows": _WORKFLOW,
    "waste": _WASTE,
    "flags": _FLAG,
}
_MORE: Final[Mapping[str, Sequence[_Column]]] = {
    "models": _MODEL,
    "latency": _SPEED,
    "agents": _who("agent"),
    "features": _who("feature"),
    "services": _who("service"),
    "users": _who("user"),
    "sessions": _who("session"),
    "dearest": _DEAREST,
}
"""Each table by the part of the view that it shows, in order."""


def as_text(view: Mapping[str, Any]) -> str:
    """Everything that the view has; what it has nothing of is left out."""
    if not view["total"]["calls"]:
        return f"{_heading(view)}\n"
    tables = _tables(view, {**_BRIEF, **_MORE})
    return _parts(_heading(view), *tables, "\n".join((*_sentences(view), *_price_tables(view))))


def in_brief(view: Mapping[str, Any]) -> str:
    """Where the money of a view went, and for what; nothing that is not the same tomorrow."""
    return _parts(*_tables(view, _BRIEF), "\n".join(_sentences(view)))


def _parts(*parts: str) -> str:
    return "\n\n".join(filter(None, parts)) + "\n"


def _tables(view: Mapping[str, Any], tables: Mapping[str, Sequence[_Column]]) -> Iterator[str]:
    totals = {"steps": view["total"], "waste": {**view["waste"], "reason": "total", "says": ""}}
    for part, columns in tables.items():
        if rows := _rows(view, part):
            shown = [*rows, totals[part]] if part in totals else rows
            body = [[cell(row) for _, cell in columns] for row in shown]
            yield table([name for name, _ in columns], body, last_is_total=part in totals)


def _rows(view: Mapping[str, Any], part: str) -> Sequence[_Row]:
    match part:
        case "latency":
            return [row for row in view["steps"] if row["p50_s"] is not None][:_TOP]
        case "waste":
            return view["waste"]["reasons"]
        case "steps" | "models" | "flags":
            return view[part]
        case "workflows":
            return [row for row in view[part] if row["name"]]
        case "dearest":
            return view[part][:_TOP]
        case _:
            # Who nobody named says nothing.
            named = any(row["name"] for row in view.get(part, ()))
            return view[part][:_TOP] if named else ()


def _heading(view: Mapping[str, Any]) -> str:
    start, end = (_moment(view["range"][key]) for key in ("start", "end"))
    asked = [f"{name} {value!r}" for name, value in view["asked"].items() if value is not None]
    of = f" of {', '.join(asked)}" if asked else ""
    total = view["total"]
    if not total["calls"]:
        return f"No call{of} from {start} to {end}."
    spend = dollars(total["cost"]) if total["cost"] is not None else "Unknown spend"
    text = f"{spend} for {calls_of(total['calls'])}{of} from {start} to {end}."
    if (before := view["before"]) and before["cost"] is not None:
        text += f" As long before: {dollars(before['cost'])}."
    return text


def _sentences(view: Mapping[str, Any]) -> Iterator[str]:
    caching, trust = view["caching"], view["trust"]
    if (outlier := view["outlier"]) is not None:
        says = outlier_of(outlier["step"], outlier["cost"], outlier["usual"])
        yield f"Dearest outlier: {says}"
    priced = [model for model in view["models"] if model["share_cost"] is not None]
    if priced and len(view["models"]) > 1:
        model = max(priced, key=lambda model: Decimal(model["average_cost"]))
        yield (
            f"Dearest model: {shortened(model['name'] or _NOT_GIVEN, 32)}, "
            f"{percent(model['share_calls'])} of the calls "
            f"and {percent(model['share_cost'])} of the spend."
        )
    saved = Decimal(caching["saved"])
    if saved and caching["without"] is not None:
        amount = dollars(abs(saved))
        did = f"saved {amount}" if saved > 0 else f"cost {amount} more than it saved"
        yield f"Prompt cache: {did}; without it the spend would be {dollars(caching['without'])}."
    if Decimal(caching["avoidable"]):
        yield f"Prompt cache: {dollars(caching['avoidable'])} more could have been saved."
    if trust["unpriced"]:
        yield not_priced(trust["unpriced"], trust["calls"])
    if trust["estimated"]:
        yield (
            f"Estimated: {dollars(trust['cost_estimated'])} of the spend, for "
            f"{calls_of(trust['estimated'])} that ended before the usage was reported."
        )
    for status, says in _DOUBTS.items():
        if trust[status]:
            yield f"{says}: {calls_of(trust[status])} of {trust['calls']:,}."


_DOUBTS: Final = {
    "inconsistent": "Counts that contradict each other",
    "partial": "Priced in part, so the cost is a lower bound",
}


def _price_tables(view: Mapping[str, Any]) -> Iterator[str]:
    for prices in view["trust"]["tables"]:
        age = "" if prices["age_s"] is None else f", {prices['age_s'] / 86400:,.0f} days old"
        yield f"Price table: {prices['name']}{age}, for {calls_of(prices['calls'])}."


def outlier_of(step: str, cost: Decimal | str, usual: Decimal | str | None) -> str:
    """What an outlier of ``step`` cost, and how far that is from what was ``usual`` there."""
    text = f"{shortened(step or _NOT_GIVEN, 19)}, one call of {dollars(cost)}"
    if usual is None:
        return f"{text}."
    times = Decimal(cost) / Decimal(usual)
    return f"{text}, {times:,.1f} times the usual {dollars(usual)}."


def not_priced(unpriced: int, calls: int) -> str:
    """That so many ``calls`` have no price, and what that does not mean."""
    return f"Not priced: {unpriced:,} of {calls_of(calls)}. Unknown is not $0."


def table(head: Sequence[str], body: Sequence[Sequence[str]], *, last_is_total: bool) -> str:
    """Aligned: the first column, and one without a heading, to the left."""
    lines = aligned((head, *body), [index == 0 or not name for index, name in enumerate(head)])
    rule = "-" * max(map(len, lines))
    if last_is_total:
        lines.insert(-1, rule)
    return "\n".join([lines[0], rule, *lines[1:]])


def aligned(rows: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    """A line a row, its columns as wide as they need to be; to the right unless ``left``."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(cells, widths, left, strict=True)
        ).rstrip()
        for cells in rows
    ]


def shortened(name: str, width: int = 40) -> str:
    """``name``, or as much of it as ``width`` characters hold."""
    return name if len(name) <= width else f"{name[: width - 3]}..."


def calls_of(count: int) -> str:
    """So many calls."""
    return f"{count:,} call{'' if count == 1 else 's'}"


def dollars(amount: Decimal | str | None, places: int = 6) -> str:
    """USD to so many ``places``, to a cent from $1,000 on; a dash for what is not known."""
    if amount is None:
        return "-"
    exact = Decimal(amount)
    return f"${exact:,.{places if exact < 1000 else 2}f}"


def percent(part: float | None) -> str:
    """A share of 1; a dash for what is not known."""
    return "-" if part is None else f"{part:.1%}"


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
