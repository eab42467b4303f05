"""What the page of a month costs: all that it reads of a store when it is opened, and by filter.

    python -m tests.benchmarks.view [STORE]

``STORE`` is one that `tests.benchmarks.month` has filled; without it, and without
``FARTHING_BENCH_STORE``, a tenth of a month is made on the spot.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from farthing_dashboards.store.store import ReadStore
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page, people
from tests.benchmarks.month import CALLS, fill

ROUNDS = 3
TARGET = "1 s"
QUESTIONS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "the page of a month of {calls} calls": ({}, TARGET),
    "  of its last day": ({"since": "24h"}, ""),
    "  of one step": ({"step": "planning"}, "2 s"),
    "  of one model": ({"model": "gpt-4o-mini"}, "2 s"),
    "  of one service and workflow": (
        {"service": "research", "workflow": "research_brief"},
        "2 s",
    ),
    "  of one user": ({"user": "user-7"}, "2 s"),
    "  of one user and step": ({"user": "user-7", "step": "search_query"}, "2 s"),
    "  of a user who made a third of all calls": ({"user": "user-1"}, ""),
}


def figures(store: Path | None = None) -> Iterator[tuple[str, str, str]]:
    """(what, measured, target)."""
    store = store or (Path(given) if (given := os.environ.get("FARTHING_BENCH_STORE")) else None)
    if store is not None:
        yield from _of(store)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "month.db"
        fill(path, CALLS // 10)
        yield from _of(path)


def _of(path: Path) -> Iterator[tuple[str, str, str]]:
    with ReadStore(path).reading() as connection:
        calls, last = (
            connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]
            for name in ("calls", "last")
        )
    for what, (query, target) in QUESTIONS.items():
        asked = Asked.of({"since": "30d", **query})
        rounds = [_opened(path, asked, last) for _ in range(ROUNDS)]
        took = [statistics.median(times) for times in zip(*rounds, strict=True)]
        yield what.format(calls=f"{calls:,}"), f"{sum(took):.2f} s", target
        if not query:
            yield "  its steps, models, workflows and trend", f"{took[0]:.2f} s", ""
            yield "  its users and sessions", f"{took[1]:.2f} s", ""


def _opened(path: Path, asked: Asked, now_ns: int) -> tuple[float, float]:
    """Seconds of processor time of the two requests that the page makes, over connections of their
    own. Others on the machine do not count."""
    took: list[float] = []
    for read in (page, people):
        start = time.process_time()
        with ReadStore(path).reading() as connection:
            read(connection, asked, now_ns)
        took.append(time.process_time() - start)
    return took[0], took[1]


if __name__ == "__main__":
    for what, measured, target in figures(Path(sys.argv[1]) if sys.argv[1:] else None):
        print(f"{what:<52} {measured:>12} {target:>10}")
