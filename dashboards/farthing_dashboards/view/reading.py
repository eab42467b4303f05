"""Reading sums of calls: by group and by slot, from whichever table knows them soonest.

The roll-ups hold the sums of calls by minute and by hour. A source is one of them, or the calls
themselves, as a SELECT of the same columns: whatever is read is the same statement over another
source, so that the numbers are the same too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import gcd
from typing import Final, NamedTuple, TypeAlias

from farthing_dashboards.store.schema import GROUP, SLOTS, SUMS, TIMES
from farthing_dashboards.store.sums import SECOND, counted
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.period import Period, chosen

Group: TypeAlias = Mapping[str, str]
"""Each of `GROUP`."""
Sums: TypeAlias = Mapping[str, int]
"""Each of `SUMS`, or those that were asked for."""
Buckets: TypeAlias = dict[int, int]
"""Calls by bucket of `farthing_processor.histogram`."""
Times: TypeAlias = Mapping[str, Buckets]
"""Each of `TIMES`."""

CALLS: Final = "calls"
SOURCES: Final = (*sorted(SLOTS, key=lambda name: -SLOTS[name]), CALLS)
"""The coarsest first."""


class Window(NamedTuple):
    """From when on, in seconds since the Unix epoch, until before when, and whose calls."""

    start: int
    end: int
    user: str | None = None


def source(window: Window, slot: int = 0) -> str:
    """The coarsest that can tell the sums of this window, and of its slots; users only calls can.

    ``slot`` is in seconds.
    """
    if window.user is not None:
        return CALLS
    whole = gcd(window.start, window.end, slot)
    return next((each for each in SOURCES[:-1] if whole % SLOTS[each] == 0), CALLS)


def sums_by_group(
    connection: sqlite3.Connection,
    window: Window,
    columns: Sequence[str] = tuple(SUMS),
    of: str | None = None,
) -> dict[int, Sums]:
    """The sums of a window by group; ``of`` is the source, if it matters."""
    return {group: sums for _, group, sums in _sums(connection, window, columns, "0", 0, of)}


def sums_by_slot(
    connection: sqlite3.Connection,
    window: Window,
    slot: int,
    columns: Sequence[str],
    of: str | None = None,
) -> Iterator[tuple[int, int, Sums]]:
    """(start of the slot, group, sums) of slots of ``slot`` seconds that have calls, in order."""
    return _sums(connection, window, columns, f"slot / {slot:d} * {slot:d}", slot, of)


def _sums(
    connection: sqlite3.Connection,
    window: Window,
    columns: Sequence[str],
    key: str,
    slot: int,
    of: str | None,
) -> Iterator[tuple[int, int, Sums]]:
    table = of or source(window, slot)
    inner = ", ".join(f"{SUMS[name]} AS {name}" if table == CALLS else name for name in columns)
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in columns)
    rows = connection.execute(
        f"SELECT {key} AS start, group_id, {sums} FROM (SELECT {_SLOT[table]} AS slot, group_id, "
        f"{inner} FROM {_FROM[table]} {_where(table, window)}) GROUP BY start, group_id",
        _parameters(window),
    )
    for start, group, *found in rows:
        yield start, group, dict(zip(columns, found, strict=True))


def times_by_group(
    connection: sqlite3.Connection, window: Window, of: str | None = None
) -> dict[int, Times]:
    """How long the calls of a window took, by group."""
    table = of or source(window)
    found: dict[int, dict[str, Buckets]] = {}
    where = _where(table, window)
    if table == CALLS:
        by_group = {"group_id": "group_id"}
        select = " UNION ALL ".join(counted(what, f"calls {where}", by_group) for what in TIMES)
    else:
        # One number is sorted sooner than three values.
        key = f"(group_id * {_BUCKETS} + bucket) * 2 + (what = '{TIMES[0]}')"
        select = (
            f"SELECT group_id, what, bucket, sum(calls) FROM {table}_times {where} GROUP BY {key}"
        )
    for group, what, bucket, calls in connection.execute(select, _parameters(window)):
        times = found.setdefault(group, {each: {} for each in TIMES})
        times[what][bucket] = calls
    return dict(found)


_BUCKETS: Final = 1 << 12
"""More than a histogram has."""
_SLOT: Final = {**dict.fromkeys(SLOTS, "slot"), CALLS: f"at / {SECOND}"}
_FROM: Final = {**{name: f"{name}_sums" for name in SLOTS}, CALLS: CALLS}


def _where(table: str, window: Window) -> str:
    if table != CALLS:
        return "WHERE slot >= :start AND slot < :end"
    whose = "" if window.user is None else " AND user = :user"
    return f"WHERE at >= :start * {SECOND} AND at < :end * {SECOND}{whose}"


def _parameters(window: Window) -> dict[str, object]:
    return window._asdict()


def added(many: Iterable[Sums], columns: Iterable[str] = SUMS) -> dict[str, int]:
    """The sums of several groups as one."""
    total = dict.fromkeys(columns, 0)
    for sums in many:
        for name in total:
            total[name] += sums[name]
    return total


def together(many: Iterable[Times]) -> dict[str, Buckets]:
    """The times of several groups as one: exactly those of all their calls."""
    total: dict[str, Buckets] = {what: {} for what in TIMES}
    for times in many:
        for what, buckets in times.items():
            into = total[what]
            for bucket, calls in buckets.items():
                into[bucket] = into.get(bucket, 0) + calls
    return total


class View(NamedTuple):
    """What is asked of which store, at which moment. Immutable."""

    connection: sqlite3.Connection
    asked: Asked
    period: Period
    groups: Mapping[int, Group]
    """All that there are, by id."""
    named: Mapping[int, Group]
    """Those that are asked for."""

    @classmethod
    def of(cls, connection: sqlite3.Connection, asked: Asked, now_ns: int) -> View:
        """``connection`` is in one read transaction, so that all that is read agrees."""
        rows = connection.execute(f"SELECT id, {', '.join(GROUP)} FROM groups ORDER BY id")
        groups: dict[int, Group] = {
            id: dict(zip(GROUP, values, strict=True)) for id, *values in rows
        }
        wanted = {name: value for name, value in asked.names().items() if value is not None}
        wanted.pop("user", None)
        named = {id: group for id, group in groups.items() if wanted.items() <= group.items()}
        return cls(connection, asked, chosen(connection, asked, now_ns), groups, named)

    def window(self, start: int | None = None, end: int | None = None) -> Window:
        """Calls from ``start`` to ``end`` (s), those of the period where they are left out."""
        period = self.period
        return Window(
            period.start if start is None else start,
            period.end if end is None else end,
            self.asked.user,
        )

    def spend(self, window: Window) -> dict[str, int]:
        """Calls, those with a price, and the cost of a window."""
        found = sums_by_group(self.connection, window, _SPEND)
        return added((sums for id, sums in found.items() if id in self.named), _SPEND)


_SPEND: Final = ("calls", "priced", "cost")
