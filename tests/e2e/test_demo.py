"""The sample agent under opentelemetry-instrument: every cost that arrives, against the bill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from farthing_dashboards import demo
from farthing_dashboards.agent.models import CALLS
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator, profiles
from farthing_dashboards.store import Store, open_for_reading
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page
from farthing_dashboards.view.period import stored
from tests.dashboards.view import oracle
from tests.e2e.running import FARTHING, Terminal

EXPECTED_CALLS = {step: 40 * per_hundred // 100 for step, per_hundred in CALLS.items()}
REPORT_STEPS = {"classify", "status_check", "summarise", "title"}
REASONS = "farthing.outlier.reasons"
SEED = 11
CUT, ABANDONED = 2, 2
"""Answers that broke off, and those that the agent did not read to the end: all are streamed, and
nobody was told what they used."""


@pytest.fixture(scope="module")
def month():
    """One whole run: the telemetry that arrived, and the simulator's ledger."""
    collected = Collected()
    with Simulator(seed=SEED, faults=demo.FAULTS) as simulator, Receiver(collected) as receiver:
        assert demo.run_agent(receiver.url, simulator.url, 40, priced=True) == 0
        return collected, simulator.ledger


@pytest.fixture(scope="module")
def calls(month):
    collected, _ = month
    return [span for span in collected.spans if oracle.is_call(span)]


@pytest.fixture(scope="module")
def ended_early(calls):
    return [span for span in calls if span.attributes["farthing.cost.status"] == "estimated"]


@pytest.fixture(scope="module")
def billed(month, ended_early):
    """The bill of the calls whose usage was reported."""
    _, ledger = month
    unread = {span.attributes["gen_ai.response.id"] for span in ended_early}
    return [e for e in ledger if e.cost is not None and e.response_id not in unread]


@pytest.fixture(scope="module")
def view(month, tmp_path_factory):
    """What the demo says of that telemetry."""
    collected, _ = month
    with Store(tmp_path_factory.mktemp("demo") / "telemetry.db") as store:
        store([*collected.spans, *collected.points])
        with store.reading() as connection:
            return page(connection, Asked(since="all"), stored(connection)[1])


def _tokens(usage):
    """Input (cached tokens included) and output of a usage as its provider reports it."""
    total = usage.get("prompt_tokens", usage.get("input_tokens"))
    total += usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    return total, usage.get("completion_tokens", usage.get("output_tokens", 0))


def test_the_month_is_whole(month, calls):
    _, ledger = month
    assert Counter(entry.step for entry in ledger if entry.usage) == EXPECTED_CALLS
    assert Counter(span.attributes["farthing.step.name"] for span in calls) == EXPECTED_CALLS
    assert sum(EXPECTED_CALLS.values()) == 800
    assert min(EXPECTED_CALLS.values()) == 40
    assert Counter(entry.fault for entry in ledger if entry.fault) == {
        "rate_limit": 3,
        "server_error": 2,
        "cut": CUT,
    }
    assert all(entry.reported for entry in ledger if entry.cost is not None)


def test_every_cost_equals_the_bill_to_the_last_digit(calls, billed, ended_early):
    assert len(billed) == 800 - CUT - ABANDONED
    calls = [span for span in calls if span not in ended_early]
    assert len(calls) == len(billed)
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
    assert len(by_id) - 1 == len(with_id) == len(billed) - EXPECTED_CALLS["embed_query"]


def test_what_ended_early_is_estimated_and_no_more(month, ended_early):
    _, ledger = month
    entries = {entry.response_id: entry for entry in ledger}
    found = [(entries[s.attributes["gen_ai.response.id"]], s.attributes) for s in ended_early]
    assert Counter((entry.fault, said["farthing.waste.reason"]) for entry, said in found) == {
        ("cut", "failed"): CUT,
        (None, "abandoned"): ABANDONED,
    }
    for entry, said in found:
        assert entry.step == said["farthing.step.name"] == "doc_synthesis"
        assert "gen_ai.usage.output_tokens" not in said
        assert said["farthing.estimated.output_tokens"] > 0
        assert said["gen_ai.usage.cost.amount"] > 0


def test_the_demo_agrees(month):
    collected, ledger = month
    reported = 800 - CUT - ABANDONED
    expected = demo.Comparison(reported, reported, CUT + ABANDONED, ())
    assert demo.compare(collected.spans, ledger) == expected


def test_each_call_hangs_in_its_workflow(month, calls):
    collected, _ = month
    spans = {span.span_id: span for span in collected.spans}
    for call in calls:
        root = spans[call.parent_span_id]
        step = call.attributes["farthing.step.name"]
        workflow = "customer_report" if step in REPORT_STEPS else "research_brief"
        assert root.name == f"invoke_workflow {workflow}"
        assert root.parent_span_id is None
        for name in ("gen_ai.workflow.name", "farthing.workflow.id"):
            assert call.attributes[name] == root.attributes[name]


def test_the_cost_metric_carries_the_same_money(month, view):
    collected, _ = month
    points = [p for p in collected.points if p.name == "gen_ai.client.operation.cost"]
    assert sum(point.count for point in points) == 800
    spent = float(view["total"]["cost"])
    assert sum(point.sum for point in points) == pytest.approx(spent, rel=1e-12)


def test_workflows_cost_what_their_calls_do(month, calls, view):
    """By the calls, by their root spans, and by what the demo says."""
    collected, _ = month
    costs, roots = defaultdict(Decimal), defaultdict(Decimal)
    for call in calls:
        costs[call.attributes["gen_ai.workflow.name"]] += oracle.cost(call)
    for span in collected.spans:
        if "farthing.workflow.outcome" in span.attributes:
            cost = oracle.usd(span, "farthing.workflow.cost")
            roots[span.attributes["gen_ai.workflow.name"]] += cost
    assert costs == roots
    said = [
        (row["name"], row["runs"], row["successes"], Decimal(row["cost"]))
        for row in view["workflows"]
    ]
    assert said == [
        ("research_brief", 40, 40 - CUT, costs["research_brief"]),
        ("customer_report", 40, 36, costs["customer_report"]),
    ]


def test_a_failed_workflow_says_why(month):
    collected, _ = month
    failed = [
        s for s in collected.spans if s.attributes.get("farthing.workflow.outcome") == "failed"
    ]
    said = Counter(span.attributes.get("farthing.workflow.reason") for span in failed)
    assert said == {"the customer sent it back": 4, None: CUT}
    assert {span.status for span in failed} == {"ERROR"}


def test_waste_is_what_calls_and_workflows_say(month, calls, view):
    """The counter's reasons and the demo's against the spans: what a failed workflow spent is
    waste, all of it."""
    collected, _ = month
    expected = defaultdict(Decimal)
    for call in calls:
        if reason := call.attributes.get("farthing.waste.reason"):
            expected[reason] += Decimal(repr(call.attributes["gen_ai.usage.cost.amount"]))
    roots = [span for span in collected.spans if "farthing.workflow.outcome" in span.attributes]
    wasted = sum(Decimal(repr(r.attributes.get("farthing.workflow.waste", 0))) for r in roots)
    expected["workflow_failed"] = wasted - sum(expected.values())
    counted = defaultdict(float)
    for point in collected.points:
        if point.name == "farthing.waste.cost":
            counted[point.attributes["farthing.waste.reason"]] += point.value
    said = {row["reason"]: float(row["cost"]) for row in view["waste"]["reasons"]}
    assert set(said) == {"failed", "abandoned", "repeated", "workflow_failed"}
    assert counted == pytest.approx(said, rel=1e-9)
    assert {reason: float(amount) for reason, amount in expected.items()} == pytest.approx(said)
    assert all(amount > 0 for amount in said.values())
    assert view["waste"]["share"] < 1
    repeated = [c for c in calls if "repeated_prompt" in c.attributes.get(REASONS, ())]
    assert {call.attributes["farthing.step.name"] for call in repeated} == {"planning"}
    assert len(repeated) == 8


def test_the_outliers_are_those_that_were_drawn(month, calls, ended_early):
    """All of them, and nothing else: but for those too small to matter, or only estimated."""
    _, ledger = month
    by_step = {profile.step: profile for profile in profiles.PROFILES}
    estimated = {span.attributes["gen_ai.response.id"] for span in ended_early}
    drawn = {
        entry.response_id
        for entry in ledger
        if entry.response_id and profiles.is_outlier(by_step[entry.step], SEED, entry.index)
    }
    flagged = {
        call.attributes.get("gen_ai.response.id")
        for call in calls
        if "cost_outlier" in call.attributes.get(REASONS, ())
    }
    assert flagged - {None} == drawn - estimated
    assert len(drawn) >= 16


def test_the_dearest_model_the_cache_and_the_dearest_outlier(calls, view):
    model, step, total = view["models"][0], view["steps"][0], Decimal(view["total"]["cost"])
    assert (model["name"], model["calls"]) == ("gpt-5.5-2026-04-23", EXPECTED_CALLS[step["name"]])
    assert Decimal(model["cost"]) == Decimal(step["cost"]) > total / 2
    saved = sum(call.attributes.get("farthing.cost.cache_savings", 0) for call in calls)
    assert float(view["caching"]["saved"]) == pytest.approx(saved)
    assert saved > 1
    outlier = view["outlier"]
    (span,) = (call for call in calls if call.span_id == outlier["span_id"])
    odd = [call for call in calls if "cost_outlier" in call.attributes.get(REASONS, ())]
    assert Decimal(outlier["cost"]) == max(map(oracle.cost, odd)) == oracle.cost(span)
    assert Decimal(outlier["usual"]) == oracle.usd(span, "farthing.baseline.p50")
    assert outlier["ratio"] == pytest.approx(span.attributes["farthing.outlier.ratio"])
    assert outlier["step"] == "doc_synthesis"
    assert outlier["ratio"] > 5


def test_retries_stay_inside_their_call(calls, month):
    _, ledger = month
    assert sum(span.attributes.get("farthing.retries", 0) for span in calls) == len(
        [entry for entry in ledger if entry.status != 200]
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


def test_the_demo_prints_a_table(tmp_path):
    finished = _demo("--calls", "2", TMPDIR=str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split()[:2] == ["step", "calls"]
    assert lines[2].startswith("doc_synthesis")
    assert lines[-1] == "37 of 37 costs equal the simulator's own bill, to the last digit."
    assert any(line.split()[:3] == ["research_brief", "2", "2"] for line in lines)
    assert any(line.startswith("Dearest model: gpt-5.5-2026-04-23") for line in lines)
    assert any(line.startswith("Prompt cache: ") for line in lines)
    # Nobody sees a page here: it says which command shows it, of a store of its own.
    (store,) = tmp_path.glob("*/telemetry.db")
    assert f"ui --store {store} shows it as a page.\n" in finished.stderr
    with open_for_reading(store) as opened, opened.reading() as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (37,)


@pytest.mark.slow
def test_the_demo_ends_by_opening_the_page(tmp_path):
    """Where somebody sits at a terminal with a display; until Ctrl-C."""
    (tmp_path / "browser").write_text('#!/bin/sh\necho "$1" > "$TMPDIR/opened"\n')
    (tmp_path / "browser").chmod(0o755)
    seen = {"DISPLAY": ":9", "BROWSER": str(tmp_path / "browser"), "TERM": "xterm"}
    env = os.environ | seen | {"TMPDIR": str(tmp_path)}
    with Terminal(FARTHING, "demo", "--calls", "1", env=env, cwd=tmp_path) as terminal:
        url = terminal.wait_for("shows it as a page, until Ctrl-C.").split()[0]
        assert "The sample agent runs: " in terminal.said
        with urllib.request.urlopen(f"{url}/api/page") as answer:
            calls = json.load(answer)["total"]["calls"]
        assert f"{calls} of {calls} costs equal the simulator's own bill" in terminal.said
        while not (tmp_path / "opened").exists():
            pass  # a browser starts in its own time
        terminal.type(b"\x03")
        assert terminal.end() == 0
    assert "Traceback" not in terminal.said


@pytest.mark.slow
def test_the_printed_money_of_a_seed_is_always_the_same():
    first, again, other = (_demo("--calls", "6", "--seed", seed).stdout for seed in "334")
    assert first == again != other
    assert "$" in first


def test_the_demo_prints_json(tmp_path):
    printed = json.loads(_demo("--calls", "1", "--json", TMPDIR=str(tmp_path)).stdout)
    total, bill = printed["total"], printed["bill"]
    assert total["calls"] == bill["equal"] == bill["billed"] > 0
    assert (bill["unreported"], bill["differences"]) == (0, [])
    assert {row["name"] for row in printed["steps"]} == set(CALLS)
    assert {row["name"]: row["runs"] for row in printed["workflows"]} == {
        "customer_report": 1,
        "research_brief": 1,
    }
    assert printed["users"] == []  # nobody is named
    # Money is exact decimals, and the store that it comes from is gone.
    assert sum(Decimal(row["cost"]) for row in printed["steps"]) == Decimal(total["cost"])
    assert list(tmp_path.iterdir()) == []


def test_with_a_base_url_the_agent_goes_there():
    with Simulator(seed=3) as elsewhere:
        finished = _demo("--calls", "1", LLM_BASE_URL=elsewhere.url)
        calls = len(elsewhere.ledger)
    assert calls >= len(CALLS)
    assert finished.returncode == 0, finished.stderr
    # An unknown host: its prices are never guessed.
    said = f"Not priced: {calls} of {calls} calls. Unknown is not $0.\n"
    assert said in finished.stdout
    assert f"FARTHING_GATEWAYS={elsewhere.url.removeprefix('http://')}." in finished.stdout
    assert "bill" not in finished.stdout
    assert "$" not in finished.stdout.replace(said, "")


def test_json_of_calls_that_nobody_billed():
    with Simulator(seed=3) as elsewhere:
        printed = json.loads(_demo("--calls", "1", "--json", LLM_BASE_URL=elsewhere.url).stdout)
    assert printed["bill"] is printed["total"]["cost"] is None
    assert printed["total"]["unpriced"] == printed["total"]["calls"] > 0


def test_a_dead_server_is_one_sentence():
    finished = _demo("--calls", "1", LLM_BASE_URL="http://127.0.0.1:9")
    assert finished.returncode == 1
    assert "The model server at http://127.0.0.1:9 failed" in finished.stderr
    assert "Traceback" not in finished.stderr
