"""One trace: its spans as a waterfall, with what each cost and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

from farthing_dashboards.otlp import LogRecord, Span, Value
from farthing_dashboards.store import payload
from farthing_dashboards.store.rows import COLUMNS, call_of, is_call, service_of, text
from farthing_dashboards.store.schema import GROUP
from farthing_dashboards.view.explanation import Paid, price
from farthing_dashboards.view.flags import flags
from farthing_dashboards.view.money import usd
from farthing_processor import semconv as names


def trace(connection: sqlite3.Connection, trace_id: str) -> dict[str, Any] | None:
    """The trace of an id in hex; None where the store has no span of it.

    Times are milliseconds since the Unix epoch, durations and offsets from the start seconds.
    """
    spans = spans_of(connection, trace_id)
    if not spans:
        return None
    logs = _logs(connection, trace_id)
    # Who does not know when something began says 0.
    start_ns = min((span.start_ns for span in spans.values() if span.start_ns), default=0)
    shown = [_shown(connection, place, start_ns, logs) for place in _depth_first(spans)]
    costs = [each.cost for each in shown if each.cost is not None]
    return {
        "trace_id": trace_id.lower(),
        "start": start_ns / 10**6,
        "duration_s": max(max(span.end_ns for span in spans.values()) - start_ns, 0) / 1e9,
        "cost": usd(sum(costs)) if costs else None,
        "calls": sum(each.counts for each in shown),
        "spans": [each.record for each in shown],
        "logs": [_log(log) for id, found in logs.items() if id not in spans for log in found],
    }


def _payloads(connection: sqlite3.Connection, trace_id: str, signal: str) -> list[bytes]:
    try:
        id = bytes.fromhex(trace_id)
    except ValueError:
        return []
    found = connection.execute(
        "SELECT payload FROM chunks WHERE trace_id = ? AND signal = ? ORDER BY id", (id, signal)
    )
    return [each for (each,) in found]


def spans_of(connection: sqlite3.Connection, trace_id: str) -> dict[str, Span]:
    """Those of a trace that the store still has, by id: of those that came twice, the first."""
    found = payload.spans(_payloads(connection, trace_id, "spans"))
    return {span.span_id: span for span in found if span.trace_id == trace_id.lower()}


def _logs(connection: sqlite3.Connection, trace_id: str) -> dict[str | None, list[LogRecord]]:
    """By span, in order of time: what came twice is there once."""
    found = payload.logs(_payloads(connection, trace_id, "logs"))
    once = {repr(log): log for log in found if log.trace_id == trace_id.lower()}
    by_span: dict[str | None, list[LogRecord]] = {}
    for log in sorted(once.values(), key=lambda log: log.time_ns or log.observed_ns):
        by_span.setdefault(log.span_id, []).append(log)
    return by_span


class _Place(NamedTuple):
    span: Span
    parent: str | None
    """None of a root, and where the store does not have it."""
    depth: int


def _depth_first(spans: Mapping[str, Span]) -> list[_Place]:
    """Every span once, each after its parent, in order of start. Whatever parents they name: those
    that are each other's, or not there, do not keep a span from its place."""
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans.values(), key=_by_start):
        parent = span.parent_span_id if span.parent_span_id in spans else None
        children.setdefault(parent, []).append(span)
    placed: dict[str, _Place] = {}
    for root in (*children.get(None, ()), *sorted(spans.values(), key=_by_start)):
        waiting = [_Place(root, None, 0)]
        while waiting:
            place = waiting.pop()
            id = place.span.span_id
            if id in placed:
                continue
            placed[id] = place
            waiting.extend(
                _Place(child, id, place.depth + 1) for child in reversed(children.get(id, ()))
            )
    return list(placed.values())


def _by_start(span: Span) -> tuple[int, str]:
    return span.start_ns, span.span_id


class _Shown(NamedTuple):
    record: dict[str, Any]
    counts: bool
    """Whether it is a call of its own."""
    cost: int | None


def _shown(
    connection: sqlite3.Connection,
    place: _Place,
    start_ns: int,
    logs: Mapping[str | None, Sequence[LogRecord]],
) -> _Shown:
    span = place.span
    attributes, counts = span.attributes, is_call(span)
    duplicate_of = text(attributes.get(names.COST_DUPLICATE_OF))
    paid = _paid(span) if counts or duplicate_of is not None else None
    waste = _waste(connection, span) if counts else None
    kind = "call" if paid is not None else _kind(span)
    record = {
        "span_id": span.span_id,
        "parent": place.parent,
        "depth": place.depth,
        "name": span.name,
        "label": _label(span, kind),
        "kind": kind,
        "service": service_of(span) or None,
        "offset_s": _offset_s(span.start_ns, start_ns),
        "duration_s": max(span.end_ns - span.start_ns, 0) / 1e9,
        "error": _error(span),
        **_money(paid, counts),
        "duplicate_of": duplicate_of,
        "waste": waste,
        "price": price(paid, waste) if paid is not None else None,
        "flags": flags(paid) if paid is not None else [],
        "attributes": _plain(attributes),
        "events": [
            {
                "name": event.name,
                "offset_s": _offset_s(event.time_ns, start_ns),
                "attributes": _plain(event.attributes),
            }
            for event in span.events
        ],
        "logs": [_log(log) for log in logs.get(span.span_id, ())],
    }
    return _Shown(record, counts, paid.cost if paid is not None and counts else None)


def _paid(span: Span) -> Paid:
    call = call_of(span, span.start_ns)
    group: dict[str, str] = dict(zip(GROUP, call.group, strict=True))
    return Paid(group, dict(zip(COLUMNS, call.values, strict=True)), span.attributes)


def _money(paid: Paid | None, counts: bool) -> dict[str, Any]:
    """What a call of a span is about; of any other span nothing."""
    if paid is None:
        empty = ("status", "step", "model", "provider", "cost", "input_tokens", "output_tokens")
        return {**dict.fromkeys(empty), "flagged": False}
    columns = paid.columns
    return {
        "status": columns["status"],
        **{name: paid.group[name] or None for name in ("step", "model", "provider")},
        "cost": usd(paid.cost) if counts else None,
        "input_tokens": columns["input_tokens"],
        "output_tokens": columns["output_tokens"],
        "flagged": bool(columns["flagged"]),
    }


def _waste(connection: sqlite3.Connection, span: Span) -> str | None:
    """Why it bought nothing, which only the store knows of a call whose workflow failed."""
    found = connection.execute(
        "SELECT waste FROM calls WHERE span_id = ? AND trace_id = ?",
        (bytes.fromhex(span.span_id), bytes.fromhex(span.trace_id)),
    ).fetchone()
    return found[0] if found else None


_KINDS: Final[Mapping[str, Mapping[object, str]]] = {
    names.OPERATION_NAME: {
        names.INVOKE_WORKFLOW: "workflow",
        names.INVOKE_AGENT: "agent",
        "create_agent": "agent",
        names.EXECUTE_TOOL: "tool",
    },
    "openinference.span.kind": {"AGENT": "agent", "TOOL": "tool", "CHAIN": "step"},
    "traceloop.span.kind": {
        "workflow": "workflow",
        "agent": "agent",
        "tool": "tool",
        "task": "step",
    },
}
"""Attribute → its value → what a span is."""

_LABELS: Final = {
    "call": names.STEP_NAME,
    "workflow": names.WORKFLOW_NAME,
    "agent": names.AGENT_NAME,
    "tool": names.TOOL_NAME,
    "step": names.STEP_NAME,
}


def _kind(span: Span) -> str:
    for name, kinds in _KINDS.items():
        value = span.attributes.get(name)
        if isinstance(value, str) and value in kinds:
            return kinds[value]
    return "workflow" if names.WORKFLOW_OUTCOME in span.attributes else "other"


def _label(span: Span, kind: str) -> str:
    named = span.attributes.get(_LABELS.get(kind, ""))
    return named if isinstance(named, str) and named else span.name


def _error(span: Span) -> str | None:
    kind = span.attributes.get(names.ERROR_TYPE)
    if span.status != "ERROR" and kind is None:
        return None
    said: Iterable[object] = (kind, span.status_message)
    return ": ".join(str(each) for each in said if each) or "failed"


def _offset_s(ns: int, start_ns: int) -> float:
    return max(ns - start_ns, 0) / 1e9


def _log(log: LogRecord) -> dict[str, Any]:
    return {
        "name": log.event_name or None,
        "severity": log.severity or None,
        "body": _plain(log.body),
        "attributes": _plain(log.attributes),
    }


def _plain(value: Value) -> Any:
    """A value as JSON can say it: a number that is none as its name."""
    match value:
        case float() if not isfinite(value):
            return str(value)
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value
