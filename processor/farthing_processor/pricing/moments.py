"""Moments: whether a price holds at one, and the moments around it at which that may change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

DAY_NS: Final = 86_400 * 10**9
_MINUTE_NS: Final = 60 * 10**9

When = Mapping[str, Any] | None
"""None for always, else what must hold, all of it, in UTC:

- ``from``, ``until``: a date or a minute (``2026-08-16T16:00``); the second is excluded
- ``daily``: ``[["01:00", "04:00"], …]``, any of which is enough; an end is excluded, and a window
  whose end is not after its start passes midnight
- ``days``: the days of the week, Monday is 1
- ``except``: dates
"""


def holds(when: When, at_ns: int) -> bool:
    """Whether a condition holds at a moment, in nanoseconds since the epoch."""
    if when is None:
        return True
    if at_ns < _instant(when.get("from", "0001-01-01")):
        return False
    if at_ns >= _instant(when.get("until", "9999-12-31")):
        return False
    midnight = at_ns - at_ns % DAY_NS
    if "daily" in when and not any(_within(at_ns - midnight, *window) for window in when["daily"]):
        return False
    # The epoch was a Thursday.
    if (midnight // DAY_NS + 3) % 7 + 1 not in when.get("days", (1, 2, 3, 4, 5, 6, 7)):
        return False
    return all(midnight != _instant(day) for day in when.get("except", ()))


def edges(when: When, at_ns: int) -> set[int]:
    """The moments around ``at_ns`` at which a condition may begin or cease to hold: all that lie
    between it and the nearest ones, never fewer."""
    if when is None:
        return set()
    found = {_instant(when[key]) for key in ("from", "until") if key in when}
    clocks = {clock for window in when.get("daily", ()) for clock in window}
    if "days" in when or "except" in when:
        clocks.add("00:00")
    midnight = at_ns - at_ns % DAY_NS
    for day in (midnight - DAY_NS, midnight, midnight + DAY_NS):
        found |= {day + _of_day(clock) for clock in clocks}
    return found


def _within(of_day: int, start: str, end: str) -> bool:
    first, last = _of_day(start), _of_day(end)
    return first <= of_day < last if first < last else of_day >= first or of_day < last


@cache
def _instant(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (elapsed.days * 86_400 + elapsed.seconds) * 10**9


@cache
def _of_day(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return (int(hours) * 60 + int(minutes)) * _MINUTE_NS
