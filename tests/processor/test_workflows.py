"""Runs of workflows: what their calls add up to, what of it is waste, what becomes of lost ones."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from farthing_processor import recording, runs, workflows
from farthing_processor.assessment import NOTHING, Assessment
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.recording import Entry, Recorder, recorder
from farthing_processor.runs import Run
from farthing_processor.settings import Settings
from farthing_processor.usage import Usage

REASONS = ("failed", "abandoned", "repeated", "workflow_failed")


class Books:
    """A recorder, and what is written in it."""

    def __init__(self, **chosen: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])
        self.exporter = InMemorySpanExporter()
        spans = TracerProvider(shutdown_on_exit=False)
        spans.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = spans.get_tracer("test")
        self.recorder: Recorder = recorder(Settings(**chosen), self.provider)

    def begin(self, name: str = "report") -> Run:
        run = Run(name, "r-1")
        run.span = self.tracer.start_span(f"invoke_workflow {name}")
        workflows.open_rollup(run, self.recorder)
        runs.begin(run)
        return run

    def call(self, run: Run | None, cost: float | None, **more: Any) -> None:
        self.recorder.record(made(run, cost, **more))

    def roots(self) -> list[dict[str, Any]]:
        return [dict(span.attributes or {}) for span in self.exporter.get_finished_spans()]

    def points(self, metric: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for one in scope.metrics
            if one.name == metric
            for point in one.data.data_points
        ]

    def sums(self, metric: str, label: str) -> dict[Any, float]:
        found: dict[Any, float] = {}
        for point in self.points(metric):
            value = point.sum if hasattr(point, "sum") else point.value
            key = point.attributes.get(label)
            found[key] = found.get(key, 0) + value
        return found

    def waste(self) -> dict[Any, float]:
        return self.sums("farthing.waste.cost", "farthing.waste.reason")

    def spent(self) -> float:
        return sum(self.sums("gen_ai.client.operation.cost", "").values())


def made(
    run: Run | None,
    cost: float | None,
    *,
    step: str = "plan",
    error: str | None = None,
    abandoned: bool = False,
    repeated: bool = False,
    attempts: int = 1,
) -> Entry:
    """A call that has been assessed."""
    facts = Facts(
        "openai",
        "gpt-4o",
        usage=Usage(10, 5) if cost is not None else None,
        error_type=error,
        abandoned=abandoned,
        attempts=attempts,
    )
    status = "usage_missing" if cost is None else "priced"
    flags = ("repeated_prompt",) if repeated else ()
    assessment = Assessment(cost, status, {}, flags, {}, reason="usage_missing")
    name = None if run is None else run.name
    return Entry(facts, Attribution(step=step, workflow=name, run=run), assessment)


@pytest.fixture(autouse=True)
def _nobody_elses() -> Iterator[None]:
    gc.collect()
    runs.settle()
    yield
    runs.close()


def test_calls_add_up_on_the_root_span_and_in_the_metrics() -> None:
    books = Books()
    run = books.begin()
    for _ in range(100):  # more than wait at once
        books.call(run, 0.1)
    books.call(run, 0.000_000_1, attempts=3)
    books.call(run, None, error="APIError")
    run.end(None)
    assert books.roots() == [
        {
            "farthing.workflow.calls": 102,
            "farthing.workflow.cost": 10.000_000_1,  # floats, added up, are 10.00000009999998
            "farthing.workflow.input_tokens": 1010,
            "farthing.workflow.output_tokens": 505,
            "farthing.workflow.failures": 1,
            "farthing.workflow.retries": 2,
            "farthing.workflow.unpriced_calls": 1,
            "farthing.workflow.outcome": "success",
        }
    ]
    (cost,) = books.points("farthing.workflow.cost")
    (ended,) = books.points("farthing.workflows")
    assert (cost.sum, cost.count, ended.value) == (10.000_000_1, 1, 1)
    for point in (cost, ended):
        assert dict(point.attributes) == {
            "gen_ai.workflow.name": "report",
            "farthing.workflow.outcome": "success",
        }


def test_cost_per_completed_workflow_pays_for_the_failed_attempts() -> None:
    books = Books()
    for cost, error in ((0.3, None), (0.5, ValueError()), (0.1, None)):
        run = books.begin()
        books.call(run, cost)
        run.end(error)
    by_outcome = books.sums("farthing.workflow.cost", "farthing.workflow.outcome")
    ended = books.sums("farthing.workflows", "farthing.workflow.outcome")
    assert by_outcome == {"success": pytest.approx(0.4), "failed": 0.5}
    assert ended == {"success": 2, "failed": 1}
    assert sum(by_outcome.values()) / ended["success"] == pytest.approx(0.45)


def test_no_known_cost_is_not_nothing() -> None:
    books = Books()
    run, idle = books.begin(), books.begin("idle")
    books.call(run, None)
    run.end(None)
    idle.end(None)
    unknown, nothing = books.roots()
    assert "farthing.workflow.cost" not in unknown
    assert unknown["farthing.workflow.unpriced_calls"] == 1
    assert nothing["farthing.workflow.cost"] == 0
    names = books.sums("farthing.workflow.cost", "gen_ai.workflow.name")
    assert names == {"idle": 0}
    assert len(books.points("farthing.workflows")) == 2


def test_what_cannot_cost_is_no_call_unless_it_failed() -> None:
    books = Books()
    run = books.begin()
    who = Attribution(run=run)
    books.recorder.record(Entry(Facts("openai", "gpt-4o"), who, NOTHING))
    books.recorder.record(Entry(Facts("openai", "gpt-4o", error_type="E"), who, NOTHING))
    run.end(None)
    (root,) = books.roots()
    assert (root["farthing.workflow.calls"], root["farthing.workflow.failures"]) == (1, 1)
    assert "farthing.workflow.unpriced_calls" not in root


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({}, None),
        ({"error": "APIError"}, "failed"),
        ({"abandoned": True}, "abandoned"),
        ({"repeated": True}, "repeated"),
        ({"error": "APIError", "abandoned": True, "repeated": True}, "failed"),
        ({"abandoned": True, "repeated": True}, "abandoned"),
    ],
)
@pytest.mark.parametrize("failed", [False, True])
def test_each_dollar_is_wasted_for_one_reason(
    call: dict[str, Any], reason: str | None, failed: bool
) -> None:
    books = Books()
    run = books.begin()
    books.call(run, 2.0, **call)
    run.end(ValueError() if failed else None)
    expected = reason or ("workflow_failed" if failed else None)
    assert books.waste() == ({expected: 2.0} if expected else {})
    (root,) = books.roots()
    assert root.get("farthing.workflow.waste") == (2.0 if expected else None)


def test_waste_has_the_labels_of_the_calls() -> None:
    books = Books()
    run = books.begin()
    books.call(run, 1.0, step="plan")
    books.call(run, 2.0, step="plan")
    books.call(run, 4.0, step="write", error="APIError")
    run.end(ValueError())
    steps = {
        (point.attributes["farthing.step.name"], point.attributes["farthing.waste.reason"]): point
        for point in books.points("farthing.waste.cost")
    }
    assert {key: point.value for key, point in steps.items()} == {
        ("plan", "workflow_failed"): 3.0,
        ("write", "failed"): 4.0,
    }
    (calls,) = [
        point
        for point in books.points("gen_ai.client.operation.cost")
        if point.attributes["farthing.step.name"] == "plan"
    ]
    labels = dict(steps["plan", "workflow_failed"].attributes)
    del labels["farthing.waste.reason"]
    assert labels.items() <= dict(calls.attributes).items()


def test_free_and_unpriced_calls_waste_nothing() -> None:
    books = Books()
    run = books.begin()
    books.call(run, 0.0, error="APIError")
    books.call(run, None, error="APIError")
    run.end(None)
    assert books.waste() == {}


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "cost": st.none() | st.integers(0, 10**7).map(lambda n: n / 10**6),
            "error": st.sampled_from([None, None, "APIError"]),
            "abandoned": st.booleans(),
            "repeated": st.booleans(),
            "step": st.sampled_from(["plan", "write"]),
            "inside": st.booleans(),
        }
    ),
    max_size=80,
)


@given(st.lists(st.tuples(CALLS, st.sampled_from([None, "failed", "success", "own"])), max_size=4))
def test_waste_never_exceeds_spend(attempts: list[Any]) -> None:
    books = Books()
    for calls, outcome in attempts:
        run = books.begin()
        for call in calls:
            inside = call.pop("inside")
            books.call(run if inside else None, call.pop("cost"), **call)
            call["inside"] = inside
        run.outcome = outcome
        run.end(None)
    waste, spent = sum(books.waste().values()), books.spent()
    assert set(books.waste()) <= set(REASONS)
    assert waste <= spent * (1 + 1e-12)
    for root in books.roots():
        assert root.get("farthing.workflow.waste", 0) <= root.get("farthing.workflow.cost", 0)
        if root["farthing.workflow.outcome"] == "failed":
            assert root.get("farthing.workflow.waste", 0) == root.get("farthing.workflow.cost", 0)


@given(st.lists(st.integers(0, 10**9), max_size=200))
def test_sums_are_exact(millionths: list[int]) -> None:
    books = Books()
    run = books.begin()
    for amount in millionths:
        books.call(run, amount / 10**6)
    run.end(None)
    (root,) = books.roots()
    assert root["farthing.workflow.cost"] == float(Decimal(sum(millionths)) / 10**6)


def test_many_threads_and_none_is_lost() -> None:
    books = Books()
    run = books.begin()
    threads = [
        threading.Thread(target=lambda: [books.call(run, 0.001) for _ in range(500)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.end(None)
    (root,) = books.roots()
    assert root["farthing.workflow.calls"] == 4000
    assert root["farthing.workflow.cost"] == 4.0


def test_a_late_call_is_in_the_metrics_of_calls_alone() -> None:
    books = Books()
    run = books.begin()
    books.call(run, 1.0)
    run.end(ValueError())
    books.call(run, 2.0)
    assert books.roots()[0]["farthing.workflow.cost"] == 1.0
    assert books.waste() == {"workflow_failed": 1.0}
    assert books.spent() == 3.0


def test_a_run_that_began_when_nobody_listened_joins_with_its_first_call() -> None:
    books = Books()
    run = Run("report", "r-1")
    runs.begin(run)
    books.call(run, 1.0)
    run.end(None)
    assert books.sums("farthing.workflow.cost", "gen_ai.workflow.name") == {"report": 1.0}


def test_own_outcomes_are_capped_and_success_is_not() -> None:
    books = Books(label_limit=2)
    for outcome in ("rejected", "skipped", "late", "x" * 300, "success", "failed", None):
        run = books.begin()
        run.outcome = outcome
        run.end(None)
    assert books.sums("farthing.workflows", "farthing.workflow.outcome") == {
        "rejected": 1,
        "skipped": 1,
        "other": 2,
        "success": 2,
        "failed": 1,
    }


def test_many_payers_of_one_run_are_bounded() -> None:
    books = Books(label_limit=10_000)
    run = books.begin()
    for number in range(1000):
        books.call(run, 0.01, step=f"step {number}")
    run.end(ValueError())
    assert len(books.points("farthing.waste.cost")) == workflows.PAYERS + 1
    assert sum(books.waste().values()) == pytest.approx(10.0)


def test_a_run_that_is_collected_as_garbage_is_unknown() -> None:
    books = Books()
    run = books.begin()
    books.call(run, 1.0)
    del run
    recording.flush()  # what waits there refers to its run
    gc.collect()
    assert not books.roots()  # ending spans is not for a finaliser
    runs.settle()
    (root,) = books.roots()
    assert root["farthing.workflow.outcome"] == "unknown"
    assert root["farthing.workflow.cost"] == 1.0
    assert books.sums("farthing.workflows", "farthing.workflow.outcome") == {"unknown": 1}


def test_a_run_pushed_out_by_newer_ones_is_unknown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LIMIT", 3)
    books = Books()
    held = [books.begin(f"w{number}") for number in range(5)]
    names = [span.name for span in books.exporter.get_finished_spans()]
    assert names == ["invoke_workflow w0", "invoke_workflow w1"]
    for run in held:
        run.end(None)
    assert books.sums("farthing.workflows", "farthing.workflow.outcome") == {
        "unknown": 2,
        "success": 3,
    }


def test_an_outcome_that_was_named_stays_where_nobody_ends_the_run() -> None:
    books = Books()
    run = books.begin()
    run.outcome = "failed"
    books.call(run, 1.0)
    run.lose()
    runs.settle()
    assert books.roots()[0]["farthing.workflow.outcome"] == "failed"
    assert books.waste() == {"workflow_failed": 1.0}


LEFT_OPEN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, BatchSpanProcessor
import farthing
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
farthing.instrument()
farthing.workflow("endless").__enter__()
"""


def test_a_run_that_is_open_at_exit_is_unknown() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN], capture_output=True, text=True, check=True
    )
    assert '"farthing.workflow.outcome": "unknown"' in ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_memory_is_flat() -> None:
    """Of 100,000 workflows every other one is dropped without an end."""
    books = Books()
    books.exporter.shutdown()

    def work(times: int) -> None:
        for number in range(times):
            run = books.begin()
            books.call(run, 0.01)
            if number % 2:
                run.end(None)
        runs.settle()

    work(2_000)
    gc.collect()
    before = sys.getallocatedblocks()
    work(100_000)
    gc.collect()
    assert sys.getallocatedblocks() - before < 20_000
    ended = books.sums("farthing.workflows", "farthing.workflow.outcome")
    assert ended["success"] == 51_000
    # The recorder's queue still refers to the last few.
    assert 51_000 - recording.BATCH <= ended["unknown"] <= 51_000
