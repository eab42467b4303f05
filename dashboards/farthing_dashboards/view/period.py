"""Which stretch of time is shown, and in slots of what length."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from farthing_dashboards.store.sums import SECOND
from farthing_dashboards.view.filters import ALL, Asked, seconds

_MOST_SLOTS: Final = 120
_HOUR, _DAY = 3600, 86400
_SLOTS: Final = (
    *(1, 5, 15, 60, 120, 300, 600, 900, 1800),
    *(hours * _HOUR for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(days * _DAY for days in (1, 2, 7)),
)
_DEFAULTS: Final = ("24h", "7d", "30d", ALL)
"""What is shown unless a time is asked for, of a store that is older than the first of them: the
first that holds a call. Of a younger one, all."""


class Period(NamedTuple):
    """Whole slots of time, in seconds since the Unix epoch. Immutable."""

    start: int
    end: int
    """The first second after."""
    slot: int
    since: str | None
    now: int
    """In nanoseconds, as all that is called ``_ns``."""
    first: int
    """The second in which the first span began that the store holds."""

    @property
    def elapsed(self) -> float:
        """Seconds of it that have passed, and that the store knows of."""
        return max(min(self.end, self.now / SECOND) - max(self.start, self.first), 1.0)

    def starts(self) -> range:
        """Where its slots begin."""
        return range(self.start, self.end, self.slot)


def chosen(connection: sqlite3.Connection, asked: Asked, now_ns: int) -> Period:
    """The time that is asked for, in slots that are neither too many nor too coarse for a trend."""
    now, first = now_ns // SECOND, first_second(connection, now_ns)

    def back(since: str) -> Period:
        # The slot of this very moment is a part of it; what bears a time in the future is not.
        length = seconds(since)
        start = min(first, now) if length is None else max(now - length, 0)
        return _aligned(start, now + 1, since, now_ns, first)

    if asked.start is not None or asked.end is not None:
        start = asked.start if asked.start is not None else first
        end = asked.end if asked.end is not None else now + 1
        return _aligned(min(start, end - 1), end, None, now_ns, first)
    if asked.since is not None:
        return back(asked.since)
    defaults = [back(since) for since in _DEFAULTS]
    if not any(stored(connection)):
        return defaults[0]
    if defaults[0].start <= first:
        return defaults[-1]
    return next((each for each in defaults if _holds_calls(connection, each)), defaults[0])


def first_second(connection: sqlite3.Connection, now_ns: int) -> int:
    """When the first span began that the store holds; now, if it holds none."""
    first, last = stored(connection)
    return (first if last else now_ns) // SECOND


def stored(connection: sqlite3.Connection) -> tuple[int, int]:
    """From when to when the store holds spans, in nanoseconds; (0, 0) if it holds none."""
    meta: dict[str, int] = dict(connection.execute("SELECT name, value FROM meta"))
    return meta.get("first") or 0, meta.get("last") or 0


def _aligned(start: int, end: int, since: str | None, now_ns: int, first: int) -> Period:
    least = (end - 1 - start) / _MOST_SLOTS
    weeks = _SLOTS[-1]
    slot = next((each for each in _SLOTS if each >= least), -int(-least // weeks) * weeks)
    return Period(start // slot * slot, -(-end // slot) * slot, slot, since, now_ns, first)


def _holds_calls(connection: sqlite3.Connection, period: Period) -> bool:
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM calls WHERE at >= ? AND at < ?)",
        (period.start * SECOND, period.end * SECOND),
    )
    return bool(found.fetchone()[0])
