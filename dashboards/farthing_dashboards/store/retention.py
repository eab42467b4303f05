"""Retention: what is too old goes, and the oldest where the file is too large.

It goes in steps of a tenth of a second, each a transaction: calls go together with what they add to
the roll-ups, so that all numbers agree at every moment. What happened in the last hour stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, NamedTuple

from farthing_dashboards.store.schema import ROLLUPS
from farthing_dashboards.store.sums import SECOND, roll

HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
STEP: Final[Mapping[str, int]] = {"calls": 1_000, "chunks": 500, "runs": 1_000}
"""Rows of each table that go in one step, at most; requests of 512 spans do not outrun that."""
RAW: Final[Mapping[str, int]] = {"chunks": STEP["chunks"]}
PAGES: Final = 2_000
"""Pages that are given back to the file system in one step."""


class Limits(NamedTuple):
    """How long things stay, and how large the file may be."""

    keep_days: float
    max_bytes: int


class Done(NamedTuple):
    """What a step came to."""

    more: bool
    """Whether there is more to do at once."""
    over: int = 0
    """Bytes that the file is too large by, though nothing is left to go."""


def step(connection: sqlite3.Connection, limits: Limits, now_ns: int) -> Done:
    """Do the next piece of what is to be done, within the caller's transaction.

    In order: what is older than ``keep_days``; of a file that is too large the records that traces
    are shown from, but for those of the last day, and then everything of the oldest time.
    """
    expired = max(now_ns - max(int(limits.keep_days * DAY), HOUR), 0)
    if _forget(connection, expired, STEP):
        return Done(True)
    over = _used(connection) - limits.max_bytes
    if over > 0:
        gone = _forget(connection, now_ns - DAY, RAW) or _forget(connection, now_ns - HOUR, STEP)
        return Done(gone, 0 if gone else over)
    return Done(False)


def give_back(connection: sqlite3.Connection) -> bool:
    """Give free pages back to the file system, not in a transaction; whether there are more."""
    connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
    return _pragma(connection, "freelist_count") > 0


def _used(connection: sqlite3.Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return value


def _forget(connection: sqlite3.Connection, before: int, tables: Mapping[str, int]) -> bool:
    """Delete some of the oldest rows from before a time, in all ``tables`` up to the same time;
    whether there were any."""
    ends = [
        end
        for table, most in tables.items()
        for (end,) in connection.execute(
            f"SELECT at FROM {table} WHERE at < ? ORDER BY at LIMIT 1 OFFSET ?", (before, most - 1)
        )
    ]
    until = (min(ends, default=before - 1),)
    if "calls" in tables:
        roll(connection, "-", "at <= ?", until)
        for table, seconds in ROLLUPS.items():
            connection.execute(
                f"DELETE FROM {table} WHERE slot <= ? AND calls = 0",
                (until[0] // SECOND // seconds * seconds,),
            )
    gone = sum(
        connection.execute(f"DELETE FROM {table} WHERE at <= ?", until).rowcount for table in tables
    )
    if gone:
        connection.execute(_FIRST)
    return gone > 0


_FIRST: Final = """
INSERT OR REPLACE INTO meta SELECT 'first', min(at) FROM
(SELECT min(at) AS at FROM calls UNION ALL SELECT min(at) FROM chunks WHERE signal = 'spans')
HAVING min(at) IS NOT NULL
"""
