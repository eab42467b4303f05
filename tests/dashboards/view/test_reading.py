"""Whatever is read the numbers from, they are the same; and what is asked for is understood."""

from __future__ import annotations

import sqlite3
from random import Random
from typing import Any

import pytest

from farthing_dashboards.store import Store
from farthing_dashboards.store.schema import SLOTS, SUMS, TIMES
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page, people
from farthing_dashboards.view.period import Period, chosen
from farthing_dashboards.view.reading import (
    CALLS,
    SOURCES,
    Window,
    source,
    sums_by_group,
    sums_by_slot,
    times_by_group,
)
from farthing_dashboards.view.rows import quantile
from farthing_processor.histogram import Histogram
from tests.dashboards.store.agent_spans import SECOND, START_NS, call
from tests.dashboards.view.conftest import DAYS, Filled

HOUR = 3600
START = START_NS // SECOND // HOUR * HOUR
WHOLE = Window(START, START + (DAYS + 1) * 24 * HOUR)


def test_minutes_hours_and_calls_agree(days: Filled) -> None:
    part = Window(START + 20 * HOUR, START + 50 * HOUR)
    with days.store.reading() as connection:
        for window in (WHOLE, part):
            sums = [sums_by_group(connection, window, of=each) for each in SOURCES]
            assert sums[0]
            assert sums[0] == sums[1] == sums[2]
            times = [times_by_group(connection, window, each) for each in SOURCES]
            assert times[0] == times[1] == times[2]
            assert {what for found in times[0].values() for what in found} == set(TIMES)
            slots = [
                list(sums_by_slot(connection, window, 6 * HOUR, tuple(SUMS), each))
                for each in SOURCES
            ]
            assert slots[0] == slots[1] == slots[2]


def test_everybody_is_the_sum_of_each(days: Filled) -> None:
    whole: dict[str, int] = dict.fromkeys(SUMS, 0)
    with days.store.reading() as connection:
        users = [user for (user,) in connection.execute("SELECT DISTINCT user FROM calls")]
        for user in filter(None, users):
            for sums in sums_by_group(connection, WHOLE._replace(user=user)).values():
                for name, value in sums.items():
                    whole[name] += value
        (known,) = connection.execute(
            "SELECT count(*) FROM calls WHERE user IS NOT NULL"
        ).fetchone()
    assert whole["calls"] == known > 100


@pytest.mark.parametrize(
    ("window", "slot", "expected"),
    [
        (Window(0, 2 * HOUR), 0, "hour"),
        (Window(0, 2 * HOUR), HOUR, "hour"),
        (Window(0, 2 * HOUR), 900, "minute"),
        (Window(60, 2 * HOUR), HOUR, "minute"),
        (Window(0, 2 * HOUR), 15, CALLS),
        (Window(1, 2 * HOUR), 0, CALLS),
        (Window(0, 2 * HOUR, "ann"), 0, CALLS),
    ],
)
def test_the_coarsest_source_that_can_tell(window: Window, slot: int, expected: str) -> None:
    assert source(window, slot) == expected
    assert set(SOURCES) == {*SLOTS, CALLS}


def test_quantiles_are_the_histograms() -> None:
    values = Histogram()
    for value in range(1, 1000):
        values.insert(value / 100)
    assert quantile(values.buckets(), 50) == values.p50
    assert quantile(values.buckets(), 95) == pytest.approx(9.49, rel=0.022)
    assert quantile(values.buckets(), 100) == pytest.approx(9.99, rel=0.022)
    assert quantile({}, 50) is None


def period(store: Store, now: float, **query: str) -> Period:
    with store.reading() as connection:
        return chosen(connection, Asked.of(query), int(now * SECOND))


@pytest.mark.parametrize(
    ("since", "slot"),
    [("15m", 15), ("1h", 60), ("6h", 300), ("24h", 900), ("7d", 2 * HOUR), ("30d", 6 * HOUR)],
)
def test_a_time_is_made_of_whole_slots(empty: Store, since: str, slot: int) -> None:
    now = START + 12345.678
    found = period(empty, now, since=since)
    assert found.slot == slot
    assert found.start % slot == found.end % slot == 0
    length = {"m": 60, "h": HOUR, "d": 24 * HOUR}[since[-1]] * int(since[:-1])
    assert now - length - slot - 1 < found.start <= now - length
    assert now < found.end <= now + slot
    assert 30 <= len(found.starts()) <= 122


def test_very_long_and_very_short_times_have_slots_too(empty: Store) -> None:
    assert len(period(empty, START, since="90000d").starts()) <= 122
    short = period(empty, START, start="2026-11-18T13:46:40Z", end="2026-11-18T13:46:41Z")
    assert (short.slot, len(short.starts())) == (1, 1)


def test_start_and_end_are_taken_outward(empty: Store) -> None:
    found = period(empty, START, start="2026-11-18T10:00:30Z", end="2026-11-18T11:00:10+00:00")
    assert (found.end - found.start, found.slot) == (61 * 60, 60)
    assert found.start % 60 == 0
    assert found.since is None


def test_a_call_of_this_very_moment_is_shown(empty: Store) -> None:
    empty([call(Random(0), start_ns=START * SECOND, end_ns=START * SECOND)])
    for since in ("15m", "24h", "all"):
        found = period(empty, START, since=since)
        with empty.reading() as connection:
            sums = sums_by_group(connection, Window(found.start, found.end), ("calls",))
        assert [each["calls"] for each in sums.values()] == [1]


@pytest.mark.parametrize(
    ("ago_h", "expected"),
    [(0, "all"), (9, "all"), (30, "7d"), (24 * 8, "30d"), (24 * 40, "all")],
)
def test_unless_asked_the_shortest_time_that_holds_calls(
    empty: Store, ago_h: int, expected: str
) -> None:
    empty([call(Random(0))])
    assert period(empty, START_NS // SECOND + ago_h * HOUR).since == expected


def test_unless_asked_a_day_of_what_began_long_ago(empty: Store) -> None:
    random = Random(0)
    empty([call(random), call(random, start_ns=START_NS + 40 * 24 * HOUR * SECOND)])
    assert period(empty, START_NS // SECOND + 40 * 24 * HOUR + 60).since == "24h"


BAD = {
    "What is no time": {"since": "yesterday"},
    "A since of nothing": {"since": "0h"},
    "An empty since": {"since": ""},
    "Another unit": {"since": "3w"},
    "A since and a start": {"since": "1h", "start": "2026-11-18T10:00:00Z"},
    "The end before the start": {"start": "2026-11-18T10:00:00Z", "end": "2026-11-18T09:00:00Z"},
    "What is no moment": {"start": "noon"},
    "A moment that no clock has": {"end": "2026-13-45T10:00:00Z"},
    "A moment before all": {"start": "1969-12-31T00:00:00Z"},
    "What may not be asked": {"sesion": "x"},
    "Nobody": {"user": ""},
}


@pytest.mark.parametrize("query", BAD.values(), ids=BAD)
def test_what_makes_no_sense_has_a_sentence(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^[a-zA-Z].{20,200}[.?]$") as raised:
        Asked.of(query)
    assert any(key in str(raised.value) for key in query)


def test_values_are_never_part_of_a_statement(days: Filled) -> None:
    quoted = "' OR 1 = 1; --\"%"
    for name in ("service", "model", "step", "workflow", "user"):
        asked = Asked.of({name: quoted, "since": "all"})
        statements: list[str] = []
        with days.store.reading() as connection:
            seen = _Watched(connection, statements)
            view = page(seen, asked, START_NS)  # type: ignore[arg-type]
            people(seen, asked, START_NS)  # type: ignore[arg-type]
        assert view["total"]["calls"] == 0
        assert not any(quoted[:3] in statement for statement in statements)


class _Watched:
    """A connection that writes down what it is asked."""

    def __init__(self, connection: sqlite3.Connection, statements: list[str]) -> None:
        self._connection = connection
        self._statements = statements

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        self._statements.append(statement)
        return self._connection.execute(statement, *parameters)
