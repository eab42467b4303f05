"""Sums of calls, as SQL made from the tables of `schema`; and roll-ups, kept in step with calls.

What a roll-up says of a slot is by definition what `summed` says of the calls in it: the same SQL
adds calls that came, and takes off those that go.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from farthing_dashboards.store.schema import PEOPLE, PEOPLE_SUMS, ROLLUPS, SLOTS, SUMS, TIMES

SECOND: Final = 1_000_000_000
"""In nanoseconds."""


def slot(seconds: int) -> str:
    """The slot of a row of `calls`, as SQL: when it began, in seconds since the epoch."""
    return f"at / {seconds * SECOND} * {seconds}"


def summed(source: str, by: Mapping[str, str], sums: Iterable[str] = SUMS) -> str:
    """A SELECT of every sum of `SUMS`, or of some, over ``source``, which is ``calls`` with or
    without more of what may follow FROM; a row for each of ``by``: column name → SQL. Without any,
    one row."""
    columns = [f"{expression} AS {name}" for name, expression in by.items()]
    columns += [f"coalesce(sum({SUMS[name]}), 0) AS {name}" for name in sums]
    return _select(columns, source, by)


def counted(what: str, source: str, by: Mapping[str, str]) -> str:
    """A SELECT of ``what``, ``bucket`` and ``calls``: how many calls of ``source`` are in each
    bucket of ``what``, one of `TIMES`; by each of ``by``, as `summed`. ``source`` has a WHERE."""
    keys = {**by, "what": f"'{what}'", "bucket": what}
    columns = [*(f"{expression} AS {name}" for name, expression in keys.items())]
    return _select([*columns, "count(*) AS calls"], f"{source} AND {what} IS NOT NULL", keys)


def _select(columns: list[str], source: str, by: Mapping[str, str]) -> str:
    grouped = f" GROUP BY {', '.join(by.values())}" if by else ""
    return f"SELECT {', '.join(columns)} FROM {source}{grouped}"


Change = Literal["+", "-"]


def roll(
    connection: sqlite3.Connection, change: Change, where: str, parameters: tuple[object, ...]
) -> None:
    """Add the calls ``where`` to all roll-ups, or take them off."""
    roll_sums(connection, change, where, parameters)
    for name, seconds in SLOTS.items():
        by = {"slot": slot(seconds), "group_id": "group_id"}
        keys = (*by, "what", "bucket")
        for what in TIMES:
            select = counted(what, f"calls WHERE {where}", by)
            connection.execute(
                _upsert(f"{name}_times", keys, ("calls",), select, change), parameters
            )
    for what in PEOPLE:
        by = {"what": f"'{what}'", "name": what, "slot": slot(ROLLUPS["people"])}
        select = summed(f"calls WHERE {where} AND {what} IS NOT NULL", by, PEOPLE_SUMS)
        connection.execute(_upsert("people", tuple(by), PEOPLE_SUMS, select, change), parameters)


def roll_sums(
    connection: sqlite3.Connection, change: Change, where: str, parameters: tuple[object, ...]
) -> None:
    """The same, of the sums alone: for calls whose times stay."""
    for name, seconds in SLOTS.items():
        by = {"slot": slot(seconds), "group_id": "group_id"}
        select = summed(f"calls WHERE {where}", by)
        connection.execute(
            _upsert(f"{name}_sums", tuple(by), tuple(SUMS), select, change), parameters
        )


def _upsert(
    table: str, keys: tuple[str, ...], sums: tuple[str, ...], select: str, change: Change
) -> str:
    changes = ", ".join(f"{name} = {name} {change} excluded.{name}" for name in sums)
    return (
        f"INSERT INTO {table} ({', '.join(keys + sums)}) {select}"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )
