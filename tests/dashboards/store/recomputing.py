"""What a store's sums must be, computed anew."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

from farthing_dashboards.store import Store
from farthing_dashboards.store.schema import PEOPLE, PEOPLE_SUMS, SLOTS, SUMS, TIMES

NS = 10**9


def assert_agrees(connection: sqlite3.Connection) -> None:
    """Every roll-up says of every slot what the calls in it come to, and nothing of any other."""
    connection.row_factory = sqlite3.Row
    computed = ", ".join(f"{sql} AS {name}" for name, sql in SUMS.items())
    calls = connection.execute(
        f"SELECT {computed}, at, group_id, duration, first_chunk, user, session FROM calls"
    ).fetchall()
    for name, seconds in SLOTS.items():
        sums: dict[tuple[int, int], Counter[str]] = {}
        times: Counter[tuple[Any, ...]] = Counter()
        for call in calls:
            key = call["at"] // (seconds * NS) * seconds, call["group_id"]
            sums.setdefault(key, Counter()).update({sum_: call[sum_] or 0 for sum_ in SUMS})
            times.update((*key, what, call[what]) for what in TIMES if call[what] is not None)
        kept = {
            (row["slot"], row["group_id"]): {sum_: row[sum_] for sum_ in SUMS}
            for row in connection.execute(f"SELECT * FROM {name}_sums")
        }
        assert kept == {key: {sum_: found[sum_] for sum_ in SUMS} for key, found in sums.items()}
        rows = connection.execute(f"SELECT * FROM {name}_times").fetchall()
        assert {tuple(row)[:4]: row["calls"] for row in rows} == times
    people: dict[tuple[str, str, int], Counter[str]] = {}
    for call in calls:
        for what in PEOPLE:
            if call[what] is not None:
                of = what, call[what], call["at"] // (3600 * NS) * 3600
                people.setdefault(of, Counter()).update({s: call[s] or 0 for s in PEOPLE_SUMS})
    rows = connection.execute("SELECT * FROM people").fetchall()
    assert {tuple(row)[:3]: {s: row[s] for s in PEOPLE_SUMS} for row in rows} == {
        key: {s: found[s] for s in PEOPLE_SUMS} for key, found in people.items()
    }
    connection.row_factory = None


def rows(store: Store, sql: str) -> list[Any]:
    """What a query says; and every roll-up is right."""
    with store.reading() as connection:
        assert_agrees(connection)
        return connection.execute(sql).fetchall()


def contents(connection: sqlite3.Connection) -> dict[str, Any]:
    """What a store says, whatever the ids and the order in which things came."""
    named = "SELECT groups.*, calls.* FROM calls JOIN groups ON groups.id = calls.group_id"
    columns = [column[0] for column in connection.execute(f"{named} LIMIT 0").description]
    calls = {
        tuple(
            (name, value)
            for name, value in zip(columns, row, strict=True)
            if name not in ("id", "group_id")
        )
        for row in connection.execute(named)
    }
    return {"calls": calls, "runs": set(connection.execute("SELECT * FROM runs"))}
