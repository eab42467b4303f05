"""What is too old goes, and the oldest of what is too much; the rest still agrees."""

from __future__ import annotations

import logging
import time
from random import Random

from farthing_dashboards.store import Store, retention, store
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import SECOND, run
from tests.dashboards.store.recomputing import assert_agrees

DAY = 86_400 * SECOND
HOUR = 3600 * SECOND


def aged(random: Random, age_ns: int, calls: int = 5, payload: int = 0):
    """A run so old, with text in its spans that does not compress."""
    text = {"text": random.randbytes(payload // 2).hex()} if payload else {}
    return run(random, calls=calls, start_ns=time.time_ns() - age_ns, who=text)


def size(path) -> int:
    return sum(
        p.stat().st_size for p in path.parent.iterdir() if p.name in (path.name, f"{path.name}-wal")
    )


def everything(path) -> dict[str, int]:
    """How many rows there are in each table; and every sum is right."""
    with Store(path, keep_days=36500) as opened, opened.reading() as connection:
        assert_agrees(connection)
        tables = ("calls", "runs", "chunks", "hour_sums", "minute_sums", "hour_times")
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables
        }


def test_what_is_too_old_goes_when_the_store_is_opened(tmp_path):
    path, random = tmp_path / "store.db", Random(2)
    with Store(path, keep_days=36500) as opened:
        opened(aged(random, 40 * DAY))
        opened(aged(random, 8 * DAY, calls=2))
        opened(aged(random, DAY, calls=3))
    assert everything(path)["calls"] == 10
    with Store(path, keep_days=7) as opened, opened.reading() as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (3,)
        (first,) = connection.execute("SELECT value FROM meta WHERE name = 'first'").fetchone()
        assert connection.execute("SELECT min(at) FROM calls").fetchone() == (first,)
        assert time.time_ns() - first < 2 * DAY
    left = everything(path)
    assert (left["calls"], left["runs"], left["chunks"]) == (3, 1, 1)
    assert Store(path).path == path


def test_it_goes_while_telemetry_comes_in_too(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "TIDY_SECONDS", 0.0)
    path, random = tmp_path / "store.db", Random(3)
    with Store(path, keep_days=1) as opened:
        for hours in (100, 50, 30, 2, 0):
            opened(aged(random, hours * HOUR))
    left = everything(path)
    assert (left["calls"], left["runs"], left["chunks"]) == (10, 2, 2)


def test_all_that_is_too_old_goes_though_it_takes_many_steps(tmp_path, monkeypatch):
    path, random = tmp_path / "store.db", Random(4)
    with Store(path, keep_days=36500) as opened:
        for minutes in range(60):
            opened(aged(random, 10 * DAY + minutes * 60 * SECOND))
        opened(aged(random, HOUR))
    monkeypatch.setattr(retention, "STEP", {"calls": 7, "chunks": 3, "runs": 2})
    monkeypatch.setattr(store, "OPENING_SECONDS", 60.0)
    Store(path, keep_days=5).close()
    left = everything(path)
    assert (left["calls"], left["runs"], left["chunks"]) == (5, 1, 1)


def test_every_step_leaves_sums_that_agree(tmp_path, monkeypatch):
    path, random = tmp_path / "store.db", Random(5)
    with Store(path, keep_days=36500) as opened:
        for minutes in range(20):
            opened(aged(random, 10 * DAY + minutes * 60 * SECOND, calls=4))
    monkeypatch.setattr(retention, "STEP", {"calls": 11, "chunks": 3, "runs": 2})
    monkeypatch.setattr(store, "OPENING_SECONDS", 0.0)
    left = [everything(path)["calls"]]
    while left[-1]:
        Store(path, keep_days=5).close()
        left.append(everything(path)["calls"])
    assert len(left) > 5
    assert left == sorted(left, reverse=True)
    assert not any(everything(path).values())


def test_the_records_of_old_traces_go_first_when_the_file_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "OPENING_SECONDS", 60.0)
    path, random = tmp_path / "store.db", Random(6)
    with Store(path, keep_days=36500) as opened:
        for days in range(20, 0, -1):
            opened(aged(random, days * DAY + HOUR, payload=60_000))
        opened(aged(random, 2 * HOUR, payload=60_000))
    before = size(path)
    assert before > 1_500_000
    Store(path, max_bytes=1_000_000).close()
    assert size(path) < 1_000_000
    left = everything(path)
    assert left["calls"] == 21 * 5  # the numbers are all there
    assert left["chunks"] == 1  # and what is a day old


def test_then_the_oldest_go_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "OPENING_SECONDS", 60.0)
    monkeypatch.setattr(retention, "STEP", {"calls": 50, "chunks": 50, "runs": 50})
    path, random = tmp_path / "store.db", Random(7)
    with Store(path, keep_days=36500) as opened:
        for hours in range(200, 0, -1):
            opened(aged(random, hours * HOUR + HOUR))
    before = size(path)
    limit = before // 2
    with Store(path, max_bytes=limit) as opened, opened.reading() as connection:
        (first,) = connection.execute("SELECT min(at) FROM calls").fetchone()
        kept = connection.execute("SELECT count(*) FROM calls").fetchone()[0]
        assert 50 < kept < 900
        assert time.time_ns() - first < 190 * HOUR
    assert size(path) <= limit
    assert everything(path)["calls"] == kept


def test_the_last_hour_stays_and_that_is_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(store, "TIDY_SECONDS", 0.0)
    path, random = tmp_path / "store.db", Random(8)
    with caplog.at_level(logging.WARNING), Store(path, max_bytes=100_000) as opened:
        opened(aged(random, 5 * HOUR, payload=50_000))
        for _ in range(5):
            opened(aged(random, 60 * SECOND, payload=50_000))
    assert [record.getMessage() for record in caplog.records] == [
        f"The store {path} is larger than its limit of 0.1 MB, and keeps what happened in the last"
        " hour all the same: give it a higher limit, or send it less."
    ]
    assert everything(path)["calls"] == 25


def test_the_last_hour_stays_however_short_the_time(tmp_path):
    path, random = tmp_path / "store.db", Random(10)
    with Store(path) as opened:
        opened(aged(random, 2 * HOUR))
        opened(aged(random, HOUR // 2))
    Store(path, keep_days=0).close()
    assert everything(path)["calls"] == 5


def test_a_thousand_years_are_kept(tmp_path):
    path = tmp_path / "store.db"
    with Store(path, keep_days=365_000) as opened:
        opened(aged(Random(11), 40 * DAY))
    assert everything(path)["calls"] == 5


def test_a_call_may_come_again_after_it_went(tmp_path):
    path, random = tmp_path / "store.db", Random(9)
    spans = aged(random, 10 * DAY)
    with Store(path, keep_days=36500) as opened:
        opened(spans)
    Store(path, keep_days=5).close()
    with Store(path, keep_days=36500) as opened:
        opened(spans)
        opened(spans)
    assert everything(path)["calls"] == 5
    assert names.COST_AMOUNT in spans[1].attributes
