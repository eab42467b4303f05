"""Stores to look at: a real run of the sample agent, and three days of calls of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from farthing_dashboards.demo import FAULTS, run_agent
from farthing_dashboards.otlp import Record, Span
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import LedgerEntry, Simulator
from farthing_dashboards.store import Store
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import RESOURCE, SECOND, START_NS, call, span

KEPT = 36_500.0
"""Days: what is in these tests is kept, whenever they run."""
DAYS = 3


class Filled(NamedTuple):
    """A store, and the spans that were put into it."""

    store: Store
    spans: Sequence[Span]
    ledger: Sequence[LedgerEntry] = ()

    @property
    def last_ns(self) -> int:
        return max(each.end_ns for each in self.spans)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    collected = Collected()
    path = tmp_path_factory.mktemp("view") / "demo.db"
    with Store(path, keep_days=KEPT) as store, Simulator(seed=0, faults=FAULTS) as simulator:

        def both(records: Sequence[Record]) -> None:
            store(records)
            collected(records)

        with Receiver(both) as receiver:
            assert run_agent(receiver.url, simulator.url, 40, priced=True) == 0
        yield Filled(store, collected.spans, simulator.ledger)


@pytest.fixture(scope="session")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    spans = every_kind(Random(7), 600)
    with Store(tmp_path_factory.mktemp("view") / "days.db", keep_days=KEPT) as store:
        for at in range(0, len(spans), 50):
            store(spans[at : at + 50])
        yield Filled(store, spans)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "empty.db", keep_days=KEPT) as store:
        yield store


def every_kind(random: Random, calls: int) -> list[Span]:
    """Calls of two services, in runs and outside, of every status, over three days."""
    spans: list[Span] = []
    while len(spans) < calls:
        service = random.choice(("shop", "search", ""))
        start = START_NS + random.randrange(DAYS * 86_400) * SECOND
        shared: dict[str, Any] = {"resource": {**RESOURCE, "service.name": service}}
        who: dict[str, Any] = {names.USER_ID: random.choice((None, "ann", "bob", "eve"))}
        run = random.random() < 0.7
        if run:
            who[names.WORKFLOW_NAME] = random.choice(("report", "brief"))
            who[names.WORKFLOW_ID] = random.randbytes(16).hex()
        who[names.SESSION_ID] = f"session-{random.randrange(80)}"
        shared["trace_id"] = random.randbytes(16).hex()
        for _ in range(random.randrange(1, 6)):
            start += random.randrange(1, 20 * SECOND)
            end = start + random.randrange(10**6, 30 * SECOND)
            spans.append(_call(random, who, start_ns=start, end_ns=end, **shared))
            start = end
        if run:
            root = {**who, names.WORKFLOW_OUTCOME: random.choice(_OUTCOMES)}
            spans.append(span(random, start_ns=start, end_ns=start + 1, attributes=root, **shared))
    return spans


_OUTCOMES = ("success", "success", "success", "failed", "cancelled")
_KINDS: Sequence[dict[str, Any]] = (
    *({},) * 6,
    {names.COST_STATUS: "unpriced", names.COST_AMOUNT: None, names.COST_PRICES: None},
    {names.COST_STATUS: "estimated", names.WASTE_REASON: "abandoned"},
    {names.COST_STATUS: "inconsistent"},
    {names.COST_STATUS: None, names.COST_AMOUNT: None, names.ERROR_TYPE: "Timeout"},
    {names.COST_DUPLICATE_OF: "1" * 16, names.COST_STATUS: None, names.COST_AMOUNT: None},
    {names.COST_CACHE_SAVINGS: 0.0125, names.USAGE_CACHE_READ: 100, names.COST_OURS: 0.25},
    {names.COST_CACHE_SAVINGS: -0.5, names.RETRIES: 2},
    {
        names.OUTLIER_DETECTED: True,
        names.OUTLIER_REASONS: ["cost_outlier", "low_yield"],
        names.WASTE_REASON: "repeated",
    },
    {
        names.OUTLIER_DETECTED: True,
        names.OUTLIER_REASONS: ["large_uncached_prefix"],
        names.OUTLIER_AVOIDABLE_COST: 0.001,
    },
)


def _call(random: Random, who: dict[str, Any], **given: Any) -> Span:
    said = {
        **who,
        names.STEP_NAME: random.choice((None, *(f"step-{index}" for index in range(9)))),
        names.RESPONSE_MODEL: random.choice(("small", "large")),
        names.AGENT_NAME: random.choice((None, "agent")),
        **random.choice(_KINDS),
    }
    return call(random, said, **given)
