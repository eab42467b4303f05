"""The page's numbers: all that it, the report and programs read, as records of plain JSON.

Times are milliseconds since the Unix epoch, durations seconds, money exact decimal strings of USD,
shares numbers from 0 to 1; None where there is nothing to say, or it is not known. The same store,
question and moment give the same, in the same order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from farthing_dashboards.store.schema import GROUP, REASONS, WASTE
from farthing_dashboards.store.sums import SECOND
from farthing_dashboards.view import calls, trends, workflows
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.money import each, share, spent, usd
from farthing_dashboards.view.reading import (
    Sums,
    View,
    added,
    sums_by_group,
    times_by_group,
    together,
)
from farthing_dashboards.view.rows import All, dearest_first, parts, row, rows, wasted
from farthing_dashboards.view.words import FLAGS
from farthing_dashboards.view.words import WASTE as WASTE_SAYS
from farthing_processor.version import VERSION

FORMAT: Final = 1
"""Of the record; another where a member means something else than it did."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LISTS: Final = {
    "steps": "step",
    "models": "model",
    "agents": "agent",
    "features": "feature",
    "services": "service",
}
"""Members that are lists of rows, and what of a group they are by."""
_CHOICES: Final = ("service", "model", "step", "workflow")


def page(connection: sqlite3.Connection, asked: Asked, now_ns: int) -> dict[str, Any]:
    """Everything but users and sessions, of a connection in one read transaction."""
    view = View.of(connection, asked, now_ns)
    period = view.period
    unfiltered = sums_by_group(connection, view.window())
    sums = {id: found for id, found in unfiltered.items() if id in view.named}
    times = times_by_group(connection, view.window())
    times = {id: found for id, found in times.items() if id in sums}
    total = added(sums.values())
    everything = All(total["calls"], total["cost"], period.elapsed / _MINUTE)
    lists = {
        member: rows(parts(view.named, by, sums, times), everything)
        for member, by in _LISTS.items()
    }
    trend = trends.trend(view, [step["name"] for step in lists["steps"]])
    return {
        "version": FORMAT,
        "farthing": VERSION,
        "range": {
            "start": period.start * 1000,
            "end": period.end * 1000,
            "slot_s": period.slot,
            "since": period.since,
            "now": now_ns // 10**6,
        },
        "asked": asked.names(),
        "choices": _choices(view, unfiltered),
        "store": _store(connection),
        "total": {
            **row("total", total, together(times.values()), everything),
            "cumulative": share(total["cost"], total["cost"]),
        },
        "before": _before(view),
        "now": _now(view, total),
        "trend": trend.as_json(),
        "workflows": workflows.rows(
            view, parts(view.named, "workflow", sums, times), everything, trend
        ),
        **lists,
        "waste": _waste(total),
        "flags": _flags(total),
        "caching": _caching(total),
        "dearest": calls.dearest(view, lists["steps"]),
        "outlier": calls.outlier(view, sums),
        "trust": _trust(view, total, sums),
    }


def people(connection: sqlite3.Connection, asked: Asked, now_ns: int) -> dict[str, Any]:
    """``users`` and ``sessions``: rows of the dearest, with the columns that `calls.PERSON` names;
    and under ``others`` one row for all the rest of each, with how many ``names`` they are."""
    view = View.of(connection, asked, now_ns)
    total = view.spend(view.window())
    everything = All(total["calls"], total["cost"], view.period.elapsed / _MINUTE)
    found = {
        member: calls.people(view, what, everything)
        for member, what in (("users", "user"), ("sessions", "session"))
    }
    return {
        **{member: listed for member, (listed, _) in found.items()},
        "others": {member: others for member, (_, others) in found.items()},
    }


def _choices(view: View, unfiltered: Mapping[int, Sums]) -> dict[str, list[str]]:
    """What may be asked for, whatever is: of everybody's calls in this time, sorted by spend."""
    if view.asked.user is not None:
        window = view.window()._replace(user=None)
        unfiltered = sums_by_group(view.connection, window, ("calls", "cost"))
    found: dict[str, dict[str, dict[str, int]]] = {by: {} for by in _CHOICES}
    for id, sums in unfiltered.items():
        for by, named in found.items():
            into = named.setdefault(view.groups[id][by], {"calls": 0, "cost": 0})
            for column in into:
                into[column] += sums[column]
    return {
        by: sorted(named, key=lambda name: dearest_first(name, named[name]))
        for by, named in found.items()
    }


def _store(connection: sqlite3.Connection) -> dict[str, int | None]:
    """What has come, whatever is asked for."""
    meta: dict[str, int] = dict(connection.execute("SELECT name, value FROM meta"))
    return {
        **{name: meta.get(name, 0) for name in ("spans", "calls")},
        **{
            name: meta[name] // 10**6 if meta.get(name) is not None else None
            for name in ("first", "last")
        },
    }


def _before(view: View) -> dict[str, Any] | None:
    """The same length of time before; None where the store does not reach back to its beginning,
    as less than the whole of it is not to be compared with."""
    period = view.period
    start = period.start - (period.end - period.start)
    if start < 0 or period.first >= start + period.slot:
        return None
    spend = view.spend(view.window(start, period.start))
    return {"cost": _cost(spend), "calls": spend["calls"]}


def _now(view: View, total: Sums) -> dict[str, str | None]:
    """Spend in the last hour and day of the period that have passed, and by the hour in all, which
    of less than an hour would be a guess."""
    period = view.period
    minute = period.now // SECOND // _MINUTE * _MINUTE + _MINUTE
    end = min(period.end, minute)
    hours = Fraction(period.elapsed) / _HOUR
    guess = hours < 1 or not total["priced"]
    return {
        **{
            name: _cost(view.spend(view.window(max(end - length, 0), end)))
            for name, length in (("last_hour", _HOUR), ("last_day", _DAY))
        },
        "per_hour": None if guess else usd(each(total["cost"], hours)),
    }


def _cost(sums: Sums) -> str | None:
    return spent(sums["calls"], sums["priced"], sums["cost"])


def _waste(total: Sums) -> dict[str, Any]:
    reasons = [(total[f"waste_{reason}"], reason) for reason in WASTE]
    return {
        "cost": usd(wasted(total)),
        "share": share(wasted(total), total["cost"]),
        "reasons": [
            {
                "reason": reason,
                "cost": usd(cost),
                "share": share(cost, total["cost"]),
                "says": WASTE_SAYS[reason],
            }
            for cost, reason in sorted(reasons, key=lambda found: -found[0])
            if cost
        ],
    }


def _flags(total: Sums) -> list[dict[str, Any]]:
    flagged = [(total[f"flag_{reason}"], reason) for reason in REASONS]
    return [
        {"reason": reason, "calls": count, "says": FLAGS[reason]}
        for count, reason in sorted(flagged, key=lambda found: -found[0])
        if count
    ]


def _caching(total: Sums) -> dict[str, Any]:
    return {
        "saved": usd(total["savings"]),
        "avoidable": usd(total["avoidable"]),
        "read_tokens": total["cache_read_tokens"],
        "write_tokens": total["cache_write_tokens"],
        "input_tokens": total["input_tokens"],
        "without": usd(total["cost"] + total["savings"]) if total["priced"] else None,
    }


def _trust(view: View, total: Sums, sums: Mapping[int, Sums]) -> dict[str, Any]:
    counts = ("calls", "priced", "unpriced", "estimated", "inconsistent", "partial")
    return {
        **{name: total[name] for name in counts},
        "cost_estimated": usd(total["cost_estimated"]),
        "tables": _price_tables(view, sums),
    }


def _price_tables(view: View, sums: Mapping[int, Sums]) -> list[dict[str, Any]]:
    """The price tables that made the amounts, and how old each is."""
    released: dict[str, int] = dict(
        view.connection.execute("SELECT name, released FROM tables").fetchall()
    )
    return [
        {
            "name": name,
            "calls": found["calls"],
            "age_s": (view.period.now - released[name]) / SECOND if name in released else None,
        }
        for name, found, _ in parts(view.named, "prices", sums, {})
        if name
    ]


assert set(_LISTS.values()) <= set(GROUP)
