"""What only the calls themselves know: the dearest of them, the outlier, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from farthing_dashboards.store.rows import cost as picodollars
from farthing_dashboards.store.schema import SUMS
from farthing_dashboards.store.sums import SECOND
from farthing_dashboards.view.money import share, usd
from farthing_dashboards.view.period import stored
from farthing_dashboards.view.reading import Sums, View, source
from farthing_dashboards.view.rows import COLUMNS, All, Row, row, with_cumulative
from farthing_dashboards.view.trace import spans_of
from farthing_processor import semconv

DEAREST: Final = 20
PEOPLE: Final = 50

PERSON: Final = {
    column: COLUMNS[column] for column in ("calls", "cost", "share_calls", "share_cost", "ratio")
}
"""What is said of a user or a session. No more than is read in one go: every call is."""

_SHORT: Final = 8
"""Of a time that is shorter than this part of the store's, calls are found by their time."""


class _Calls(NamedTuple):
    """The calls of a view, as SQL."""

    where: str
    parameters: dict[str, object]
    found: str
    """How they are found."""


def _calls(view: View, otherwise: str) -> _Calls:
    """``otherwise`` is the index that finds them, where they are neither one user's nor few."""
    window = view.window()
    first, last = stored(view.connection)
    clauses = ["TRUE"]
    # To compare the time of every call there is takes a quarter of the reading of it.
    if first < window.start * SECOND or last >= window.end * SECOND:
        clauses.append(f"at >= :start * {SECOND} AND at < :end * {SECOND}")
    if window.user is not None:
        clauses.append("user = :user")
    if len(view.named) < len(view.groups):
        clauses.append("group_id IN (SELECT value FROM json_each(:groups))")
    short = (window.end - window.start) * SECOND * _SHORT < last - first
    index = f"INDEXED BY {'calls_by_time' if short else otherwise}"
    return _Calls(
        " AND ".join(clauses),
        {**window._asdict(), "groups": json.dumps(sorted(view.named))},
        "" if window.user is not None else index,
    )


def dearest(view: View, steps: Sequence[Row]) -> list[dict[str, Any]]:
    """The calls that cost the most; ``steps`` are rows of their steps, for what is usual there."""
    usual = {step["name"]: step["average_cost"] for step in steps}
    found = _dearest(view, "TRUE", DEAREST)
    return [_compared(call, usual[call["step"]]) for call in found]


def outlier(view: View, sums: Mapping[int, Sums]) -> dict[str, Any] | None:
    """The dearest call that is flagged for its cost, None where none is; what was usual is the
    median of its step at that time, which its span alone says. ``sums`` are those by group."""
    # Where there are outliers, they are among the dearest.
    having = {id: group for id, group in view.named.items() if id in sums and sums[id][_OUTLIERS]}
    if not having:
        return None
    for call in _dearest(view._replace(named=having), SUMS[_OUTLIERS], 1):
        span = spans_of(view.connection, call["trace_id"]).get(call["span_id"])
        median = span and picodollars(span.attributes.get(semconv.BASELINE_P50))
        return _compared(call, usd(median or None))
    return None


_OUTLIERS: Final = f"flag_{semconv.COST_OUTLIER}"


def _dearest(view: View, which: str, most: int) -> Iterator[dict[str, Any]]:
    where, parameters, found = _calls(view, "calls_by_cost")
    # The very order of that index, backwards.
    order = "cost DESC, at DESC, group_id DESC, id DESC"
    for trace_id, span_id, at, group_id, *said in view.connection.execute(
        "SELECT trace_id, span_id, at, group_id, user, cost, input_tokens, output_tokens, status, "
        f"flagged, waste FROM calls {found} WHERE cost IS NOT NULL AND {which} AND {where} "
        f"ORDER BY {order} LIMIT {most}",
        parameters,
    ):
        group = view.named[group_id]
        user, cost, sent, received, status, flagged, waste = said
        yield {
            "trace_id": trace_id.hex(),
            "span_id": span_id.hex(),
            "at": at // 10**6,
            **{name: group[name] for name in ("step", "workflow", "model", "service")},
            "user": user,
            "cost": usd(cost),
            "input_tokens": sent,
            "output_tokens": received,
            "status": status,
            "flagged": bool(flagged),
            "waste": waste,
        }


def _compared(call: dict[str, Any], usual: str | None) -> dict[str, Any]:
    ratio = None if usual is None else share(float(call["cost"]), float(usual))
    return {**call, "usual": usual, "ratio": ratio}


def people(view: View, what: str, all_: All) -> tuple[list[Row], Row | None]:
    """Rows of the dearest users or sessions (``what``), and one of all others, if there are any."""
    summed, parameters = _by_hour(view, what) or _by_call(view, what)
    found: list[Any] = view.connection.execute(
        f"WITH each_of AS MATERIALIZED ({summed}) "
        "SELECT * FROM (SELECT *, cost IS NOT NULL FROM each_of "
        f"ORDER BY coalesce(cost, 0) DESC, calls DESC, name LIMIT {PEOPLE}) "
        "UNION ALL SELECT count(*), sum(calls), sum(cost), count(cost) FROM each_of",
        parameters,
    ).fetchall()
    first, (names, *everybody) = found[:-1], found[-1]
    rows = with_cumulative(((_person(each, all_), each[2] or 0) for each in first), all_.cost)
    if names == len(first):
        return rows, None
    rest = [
        (total or 0) - sum(each[at] or 0 for each in first) for at, total in enumerate(everybody, 1)
    ]
    return rows, {**_person(("others", *rest), all_), "names": names - len(first)}


def _by_hour(view: View, what: str) -> tuple[str, dict[str, object]] | None:
    """What each one's calls come to, by the roll-up: of whole hours, where all calls are shown."""
    window = view.window()
    if len(view.named) < len(view.groups) or source(window) != "hour":
        return None
    return (
        "SELECT name, sum(calls) AS calls, CASE WHEN sum(priced) THEN sum(cost) END AS cost "
        "FROM people WHERE what = :what AND slot >= :start AND slot < :end GROUP BY name",
        {**window._asdict(), "what": what},
    )


def _by_call(view: View, what: str) -> tuple[str, dict[str, object]]:
    where, parameters, index = _calls(view, f"calls_by_{what}")
    return (
        f"SELECT {what} AS name, count(*) AS calls, sum(cost) AS cost FROM calls {index} "
        f"WHERE {what} IS NOT NULL AND {where} GROUP BY name",
        parameters,
    )


def _person(found: Sequence[Any], all_: All) -> Row:
    name, calls, cost, priced = found
    return row(name, {"calls": calls, "cost": cost or 0, "priced": priced}, {}, all_, PERSON)
