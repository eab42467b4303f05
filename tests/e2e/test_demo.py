"""The sample agent under opentelemetry-instrument: every cost that arrives, against the bill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from farthing_dashboards import demo
from farthing_dashboards.agent import CALLS
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator
from farthing_dashboards.summary import by_step, is_call

EXPECTED_CALLS = {step: 40 * per_hundred // 100 for step, per_hundred in CALLS.items()}


@pytest.fixture(scope="module")
def month():
    """One whole run: the telemetry that arrived, and the simulator's ledger."""
    collected = Collected()
    with Simulator(seed=11, faults=demo.FAULTS) as simulator, Receiver(collected) as receiver:
        assert demo.run_agent(receiver.url, simulator.url, 40, priced=True) == 0
        return collected, simulator.ledger


@pytest.fixture(scope="module")
def calls(month):
    collected, _ = month
    return [span for span in collected.spans if is_call(span)]


@pytest.fixture(scope="module")
def billed(month):
    _, ledger = month
    return [entry for entry in ledger if entry.cost is not None]


def _tokens(usage):
    """Input (cached tokens included) and output of a usage as its provider reports it."""
    total = usage.get("prompt_tokens", usage.get("input_tokens"))
    total += usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    return total, usage.get("completion_tokens", usage.get("output_tokens", 0))


def test_the_month_is_whole(month, billed):
    _, ledger = month
    assert Counter(entry.step for entry in billed) == EXPECTED_CALLS
    assert sum(EXPECTED_CALLS.values()) == 800
    assert min(EXPECTED_CALLS.values()) == 40
    assert Counter(entry.fault for entry in ledger if entry.fault) == {
        "rate_limit": 3,
        "server_error": 2,
    }
    assert all(entry.reported for entry in billed)


def test_every_cost_equals_the_bill_to_the_last_digit(calls, billed):
    assert len(calls) == len(billed) == 800
    by_id = {span.attributes.get("gen_ai.response.id"): span for span in calls}
    with_id = [entry for entry in billed if entry.response_id]
    for entry in with_id:
        attributes = by_id[entry.response_id].attributes
        amount = attributes["gen_ai.usage.cost.amount"]
        assert type(amount) is float
        assert amount == float(entry.cost), entry
        assert attributes["farthing.cost.status"] == "priced"
        assert (
            attributes["gen_ai.usage.input_tokens"],
            attributes.get("gen_ai.usage.output_tokens", 0),
        ) == _tokens(entry.usage)
        assert attributes["farthing.step.name"] == entry.step
        assert attributes["gen_ai.response.model"] == entry.model
    # An embeddings response has no id: those calls are compared as a whole.
    embeddings = [span for span in calls if "gen_ai.response.id" not in span.attributes]
    assert Counter(
        (
            span.attributes["farthing.step.name"],
            span.attributes["gen_ai.usage.input_tokens"],
            span.attributes["gen_ai.usage.cost.amount"],
        )
        for span in embeddings
    ) == Counter(
        (entry.step, entry.usage["prompt_tokens"], float(entry.cost))
        for entry in billed
        if not entry.response_id
    )
    assert len(by_id) - 1 == len(with_id) == 800 - EXPECTED_CALLS["embed_query"]


def test_the_demo_agrees(month):
    collected, ledger = month
    assert demo.compare(collected.spans, ledger) == demo.Comparison(800, 800, ())


def test_each_call_hangs_in_its_step(month, calls):
    collected, _ = month
    spans = {span.span_id: span for span in collected.spans}
    for call in calls:
        step = spans[call.parent_span_id]
        assert step.name == call.attributes["farthing.step.name"]
        assert spans[step.parent_span_id].name == "customer_report"
        assert call.trace_id == step.trace_id


def test_rows_match_the_month(calls, billed):
    costs = defaultdict(list)
    for entry in billed:
        costs[entry.step].append(entry.cost)
    rows = {row.step: row for row in by_step(calls)}
    assert {step: row.calls for step, row in rows.items()} == EXPECTED_CALLS
    for step, row in rows.items():
        assert float(row.cost) == pytest.approx(float(sum(costs[step])), rel=1e-12)
        assert row.unpriced == 0


def test_the_cost_metric_carries_the_same_money(month, billed):
    collected, _ = month
    points = [p for p in collected.points if p.name == "gen_ai.client.operation.cost"]
    assert sum(point.count for point in points) == 800
    spent = float(sum(entry.cost for entry in billed))
    assert sum(point.sum for point in points) == pytest.approx(spent, rel=1e-12)


def test_retries_stay_inside_their_call(calls, month):
    _, ledger = month
    assert sum(span.attributes.get("farthing.retries", 0) for span in calls) == len(
        [entry for entry in ledger if entry.fault]
    )


def test_no_provider_learns_who_calls(month):
    _, ledger = month
    assert not [entry for entry in ledger if "baggage" in entry.headers]


def _demo(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "farthing_dashboards.demo", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_the_demo_prints_a_table():
    finished = _demo("--calls", "2")
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split()[:2] == ["step", "calls"]
    assert lines[2].startswith("doc_synthesis")
    assert lines[-1] == "37 of 37 costs equal the simulator's own bill, to the last digit."


def test_the_demo_prints_json():
    printed = json.loads(_demo("--calls", "1", "--json").stdout)
    assert printed["total"]["calls"] == printed["bill"]["equal"] == printed["bill"]["billed"]
    assert {row["step"] for row in printed["steps"]} == set(CALLS)


def test_with_a_base_url_the_agent_goes_there():
    with Simulator(seed=3) as elsewhere:
        finished = _demo("--calls", "1", LLM_BASE_URL=elsewhere.url)
        calls = len(elsewhere.ledger)
    assert calls >= len(CALLS)
    assert finished.returncode == 0, finished.stderr
    # An unknown host: its prices are never guessed.
    assert f"{calls} of {calls} calls have no price." in finished.stdout
    assert f"FARTHING_GATEWAYS={elsewhere.url.removeprefix('http://')}." in finished.stdout
    assert "bill" not in finished.stdout
    assert "$" not in finished.stdout


def test_a_dead_server_is_one_sentence():
    finished = _demo("--calls", "1", LLM_BASE_URL="http://127.0.0.1:9")
    assert finished.returncode == 1
    assert "The model server at http://127.0.0.1:9 failed" in finished.stderr
    assert "Traceback" not in finished.stderr
