"""A store that holds a month: 3.2 million calls, written by the product's own statements.

    python -m tests.benchmarks.month /tmp/month.db [calls]

160,000 runs of two workflows for 500 users, of eight steps at three models, over 30 days with their
nights and weekends. Without the records that a trace is shown from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from math import exp, pi, sin
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from farthing_dashboards.store.ingest import Batch, Writer
from farthing_dashboards.store.opening import open_for_writing
from farthing_dashboards.store.rows import COLUMNS, Call
from farthing_dashboards.store.schema import GROUP
from farthing_processor import semconv as names
from farthing_processor.histogram import bucket_of

CALLS = 3_200_000
RUN_CALLS = 20
DAYS = 30
USERS = 500
SECOND = 10**9
DAY = 86_400 * SECOND
END_NS = 1_795_000_000 * SECOND
TABLE = "genai-prices 0.2.3"
RUNS_A_BATCH = 1_000


class Model(NamedTuple):
    """Prices in picodollars a token."""

    provider: str
    name: str
    input: int
    cached: int
    output: int


HAIKU = Model("anthropic", "claude-haiku-4-5", 1_000_000, 100_000, 5_000_000)
SONNET = Model("anthropic", "claude-sonnet-4-6", 3_000_000, 300_000, 15_000_000)
MINI = Model("openai", "gpt-4o-mini", 150_000, 75_000, 600_000)


class Step(NamedTuple):
    """A step: what it runs on, how often a run comes to it, and its usual tokens."""

    name: str
    model: Model
    weight: int
    input: int
    output: int


WORKFLOWS = {
    "customer_report": (
        Step("classify", MINI, 6, 400, 12),
        Step("lookup", MINI, 5, 900, 80),
        Step("summarise", HAIKU, 5, 3_000, 250),
        Step("write_report", SONNET, 2, 9_000, 1_400),
    ),
    "research_brief": (
        Step("planning", SONNET, 1, 5_000, 600),
        Step("search_query", MINI, 7, 600, 40),
        Step("read_source", HAIKU, 8, 6_000, 300),
        Step("synthesis", SONNET, 3, 20_000, 1_100),
    ),
}

_values = itemgetter(*COLUMNS)


def fill(path: Path, calls: int = CALLS, *, end_ns: int = END_NS, seed: int = 0) -> None:
    """Make a store of ``calls`` calls in the 30 days up to ``end_ns``; the same seed, the same."""
    connection = open_for_writing(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1000000")
    writer = Writer(connection)
    for batch in batches(calls, end_ns, Random(seed)):
        connection.execute("BEGIN IMMEDIATE")
        writer.write(batch)
        connection.execute("COMMIT")
    # Without their records they are spans that came all the same.
    connection.execute("UPDATE meta SET value = ? WHERE name = 'spans'", (calls,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def batches(calls: int, end_ns: int, random: Random) -> Iterator[Batch]:
    """The month in order of time, a thousand runs at once."""
    runs = max(calls // RUN_CALLS, 1)
    starts = sorted(_moment(random) for _ in range(runs))
    begin = end_ns - DAYS * DAY
    for at in range(0, runs, RUNS_A_BATCH):
        rows: list[Call] = []
        roots: list[tuple[Any, ...]] = []
        for start in starts[at : at + RUNS_A_BATCH]:
            _run(random, begin + int(start * DAYS * DAY * 0.9998), rows, roots)
        moments = [row.values[_AT] for row in rows]
        released = {TABLE: begin - 3 * DAY}
        yield Batch(rows, roots, (), released, min(moments), max(row[1] for row in roots))


_AT = COLUMNS.index("at")


def _moment(random: Random) -> float:
    """A part of the month: few at night, fewer on two days of seven, more and more."""
    while True:
        moment = random.random()
        day = moment * DAYS
        busy = (0.55 + 0.45 * sin(2 * pi * (day % 1 - 0.33))) * (0.3 if day % 7 >= 5 else 1.0)
        if random.random() < busy * (0.7 + 0.3 * moment):
            return moment


def _run(random: Random, at: int, rows: list[Call], roots: list[tuple[Any, ...]]) -> None:
    workflow = "customer_report" if random.random() < 0.7 else "research_brief"
    steps = WORKFLOWS[workflow]
    run = random.randbytes(16).hex()
    trace_id = random.randbytes(16)
    user = f"user-{min(int(random.paretovariate(0.6)), USERS)}"
    if user == f"user-{USERS}":
        user = f"user-{random.randint(1, USERS)}"
    service = "reports" if workflow == "customer_report" else "research"
    failed = random.random() < 0.03
    for step in random.choices(steps, [step.weight for step in steps], k=RUN_CALLS):
        row, took = _call(random, step, at)
        row |= {"trace_id": trace_id, "run": run, "user": user, "session": run[:12]}
        group = {
            "service": service,
            "provider": step.model.provider,
            "model": step.model.name,
            "operation": "chat",
            "step": step.name,
            "agent": "",
            "workflow": workflow,
            "feature": "",
            "prices": TABLE if row["cost"] is not None else "",
        }
        rows.append(Call(tuple(group[name] for name in GROUP), _values(row)))
        at += int(took * SECOND)
    outcome = "failed" if failed else "success"
    roots.append((run, at, trace_id, random.randbytes(8), service, workflow, outcome, user))


def _call(random: Random, step: Step, at: int) -> tuple[dict[str, Any], float]:
    """Its row but for who spends, and its seconds."""
    model = step.model
    chance = random.random()
    outlier = chance < 0.004
    sent = int(step.input * exp(random.gauss(0, 0.35)) * (8 if outlier else 1)) + 1
    received = int(step.output * exp(random.gauss(0, 0.4))) + 1
    cached = sent // 2 if random.random() < 0.3 else 0
    failed = chance > 0.99
    status = "unpriced" if chance > 0.995 else None if failed else "priced"
    priced = status == "priced"
    parts = (sent - cached) * model.input, cached * model.cached, received * model.output
    took = 0.3 + received / 90 * exp(random.gauss(0, 0.3))
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "span_id": random.randbytes(8),
        "at": at,
        "status": status,
        "error": int(failed),
        "retries": int(chance > 0.985),
        "flagged": int(outlier),
        "duration": bucket_of(took),
    }
    if status is not None:
        row |= {"input_tokens": sent, "output_tokens": received, "cache_read_tokens": cached}
    if priced:
        row |= {
            "cost": sum(parts),
            "cost_input": parts[0],
            "cost_cache_read": parts[1],
            "cost_output": parts[2],
            "savings": cached * (model.input - model.cached),
            "reasons": names.COST_OUTLIER if outlier else None,
            "waste": names.WASTE_REPEATED if 0.01 < chance < 0.02 else None,
            "first_chunk": bucket_of(took / 4) if model is SONNET else None,
        }
    return row, took


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a store that holds a month of calls.")
    parser.add_argument("path", type=Path)
    parser.add_argument("calls", type=int, nargs="?", default=CALLS)
    parser.add_argument("--until-now", action="store_true", help="the month that ends now")
    options = parser.parse_args()
    began = time.perf_counter()
    fill(options.path, options.calls, end_ns=time.time_ns() if options.until_now else END_NS)
    took = time.perf_counter() - began
    size = options.path.stat().st_size / 2**20
    print(f"{options.calls:,} calls in {took:.0f} s; {size:,.0f} MB at {options.path}")


if __name__ == "__main__":
    main()
