"""Sums of calls, whatever the order in which telemetry comes, and however often."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from farthing_dashboards.store import Store
from farthing_dashboards.store.schema import to_usd
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import SECOND, START_NS, call, run
from tests.dashboards.store.recomputing import assert_agrees, contents
from tests.dashboards.view.oracle import cost as cost_of

RANDOM = Random(7)
REPEATED = {names.WASTE_REASON: names.WASTE_REPEATED}
SPANS = [
    *run(RANDOM, outcome="failed"),
    *run(RANDOM, outcome="success", start_ns=START_NS + 50 * SECOND),
    *run(RANDOM, outcome="failed", calls=2, who=REPEATED, start_ns=START_NS + 3595 * SECOND),
    call(RANDOM, {names.COST_AMOUNT: None, names.COST_STATUS: "unpriced"}),
    call(
        RANDOM,
        {
            names.COST_STATUS: "estimated",
            names.OUTLIER_DETECTED: True,
            names.OUTLIER_REASONS: [names.COST_OUTLIER, names.LOW_YIELD, names.COLD_THRESHOLD],
        },
    ),
    call(RANDOM, {names.COST_STATUS: None, names.COST_AMOUNT: None, names.ERROR_TYPE: "Timeout"}),
]


def expected_cost() -> Decimal:
    return sum((cost_of(span) or Decimal(0) for span in SPANS), Decimal(0))


def store_of(folder: str, requests):
    with Store(Path(folder) / "store.db", keep_days=36500) as store:
        for request in requests:
            store([SPANS[index] for index in request])
        with store.reading() as connection:
            assert_agrees(connection)
            sums = connection.execute("SELECT sum(cost), sum(calls) FROM hour_sums").fetchone()
            return contents(connection), sums


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_split_and_repetition_comes_to_the_same(data):
    order = data.draw(st.permutations(range(len(SPANS))))
    again = data.draw(st.lists(st.sampled_from(range(len(SPANS))), max_size=8))
    cuts = data.draw(st.lists(st.integers(0, len(SPANS) + 8), max_size=5))
    sent = [*order, *again]
    edges = [0, *sorted(cuts), len(sent)]
    requests = [sent[a:b] for a, b in pairwise(edges)]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        found, (cost, calls) = store_of(one, requests)
        assert found == store_of(other, [range(len(SPANS))])[0]
    assert abs(to_usd(cost) - expected_cost()) < Decimal("1e-10")
    assert calls == 15


def test_a_failed_workflow_wastes_its_calls_whichever_comes_first(tmp_path):
    spans = run(RANDOM, outcome="failed", calls=3)
    calls, root = spans[:-1], spans[-1]
    paid = sum((cost_of(span) or Decimal(0) for span in calls), Decimal(0))
    for name, requests in {
        "calls first": [calls, [root]],
        "root first": [[root], calls],
        "together": [spans],
        "in between": [calls[:2], [root], calls[2:]],
    }.items():
        with Store(tmp_path / name, keep_days=36500) as store:
            for request in requests:
                store(request)
            with store.reading() as connection:
                assert_agrees(connection)
                (wasted,) = connection.execute(
                    "SELECT sum(waste_workflow_failed) FROM minute_sums"
                ).fetchone()
        assert abs(to_usd(wasted) - paid) < Decimal("1e-10"), name


def test_each_dollar_is_wasted_under_one_reason(tmp_path):
    spans = run(RANDOM, outcome="failed", calls=1, who=REPEATED)
    with Store(tmp_path / "store.db", keep_days=36500) as store:
        store(spans)
        with store.reading() as connection:
            assert connection.execute(
                "SELECT waste_repeated = cost, waste_workflow_failed FROM hour_sums"
            ).fetchall() == [(1, 0)]


def test_a_run_that_ended_twice_is_what_its_later_end_says(tmp_path):
    spans = run(RANDOM, outcome="failed", calls=2)
    first = spans[-1]
    later = run(
        RANDOM,
        calls=0,
        outcome="success",
        start_ns=first.end_ns + 1,
        who={names.WORKFLOW_ID: first.attributes[names.WORKFLOW_ID]},
    )
    for name, requests in {"in order": [spans, later], "late": [later, spans]}.items():
        with Store(tmp_path / name, keep_days=36500) as store:
            for request in requests:
                store(request)
            with store.reading() as connection:
                assert_agrees(connection)
                assert connection.execute("SELECT outcome FROM runs").fetchall() == [("success",)]
                assert connection.execute(
                    "SELECT sum(waste_workflow_failed) FROM hour_sums"
                ).fetchone() == (0,)
