"""Runs of a workflow: its root span, what it came to, and who hears of its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import farthing
from farthing_processor import attribution, runs
from farthing_processor.runs import Run
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

pytestmark = pytest.mark.usefixtures("nothing_left_behind", "said_afresh")

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def ask(provider: Provider) -> None:
    provider.openai().chat.completions.create(model="gpt-4o", messages=MESSAGES)


def root(telemetry: Telemetry, name: str = "report") -> ReadableSpan:
    (span,) = [span for span in telemetry.spans() if span.name == f"invoke_workflow {name}"]
    return span


def test_a_workflow_has_a_root_span(telemetry: Telemetry, answering: Provider) -> None:
    with (
        telemetry.tracer.start_as_current_span("request"),
        farthing.workflow("report") as run,
        farthing.step("plan"),
    ):
        ask(answering)
    span, (call, _, outer) = root(telemetry), telemetry.spans()
    assert span.kind is SpanKind.INTERNAL
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "report",
        "farthing.workflow.id": run.id,
        "farthing.workflow.outcome": "success",
        "farthing.workflow.calls": 1,
        "farthing.workflow.cost": shapes.CHAT_COST,
        "farthing.workflow.input_tokens": 2006,
        "farthing.workflow.output_tokens": 300,
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent.span_id == outer.context.span_id
    assert call.parent.span_id == span.context.span_id
    assert span.start_time <= call.start_time <= call.end_time <= span.end_time
    assert uuid.UUID(run.id).hex == run.id


def test_each_run_has_an_id_of_its_own() -> None:
    again = farthing.workflow("report")
    with again as first, again as second:
        assert len({first.id, second.id}) == 2
    with farthing.workflow("report", id="r-7") as run:
        assert run.id == "r-7"


def failing() -> ValueError:
    return ValueError("secret prompt")


OUTCOMES = [
    (None, None, "success", None),
    (None, "failed", "failed", "_OTHER"),
    (None, "rejected", "rejected", None),
    (failing(), None, "failed", "ValueError"),
    (failing(), "success", "failed", "ValueError"),
    (failing(), "rejected", "rejected", "ValueError"),
    (asyncio.CancelledError(), None, "cancelled", None),
    (asyncio.CancelledError(), "success", "success", None),
    (KeyboardInterrupt(), None, "cancelled", None),
    (ExceptionGroup("several", [failing()]), None, "failed", "ExceptionGroup"),
    (GeneratorExit(), None, "success", None),
    (SystemExit(0), None, "success", None),
    (SystemExit("no such file"), None, "failed", "SystemExit"),
]


@pytest.mark.parametrize(("error", "said", "outcome", "error_type"), OUTCOMES)
def test_what_a_workflow_came_to(
    telemetry: Telemetry,
    error: BaseException | None,
    said: str | None,
    outcome: str,
    error_type: str | None,
) -> None:
    def work() -> None:
        with farthing.workflow("report"):
            if said is not None:
                farthing.outcome(said)
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)) as raised:
            work()
        assert raised.value is error
    telemetry.points()  # a collection settles what a GeneratorExit left
    span = root(telemetry)
    assert span.attributes["farthing.workflow.outcome"] == outcome
    assert span.attributes.get("error.type") == error_type
    assert span.status.status_code is (StatusCode.ERROR if error_type else StatusCode.UNSET)
    assert not span.status.description
    assert "secret" not in span.to_json()


def test_an_outcome_is_of_the_innermost_running_workflow(telemetry: Telemetry) -> None:
    with farthing.workflow("report"):
        with farthing.workflow("page"):
            farthing.outcome("failed", reason="no\nsuch page")
        farthing.outcome("first word")
        farthing.outcome("partial")
    inner, outer = telemetry.spans()
    assert inner.attributes["farthing.workflow.outcome"] == "failed"
    assert inner.attributes["farthing.workflow.reason"] == "nosuch page"
    assert outer.attributes["farthing.workflow.outcome"] == "partial"
    assert "farthing.workflow.reason" not in outer.attributes
    assert inner.parent.span_id == outer.context.span_id


def test_an_outcome_outside_a_workflow_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        farthing.outcome("success")
    with farthing.workflow("report") as run:
        left_behind = context.get_current()
    token = context.attach(left_behind)
    farthing.outcome("failed")  # by a task that outlives its workflow
    context.detach(token)
    assert run.outcome == "success"
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "outside a workflow" in record.getMessage()


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Run]]:
    """What the hooks were told; the first of each kind breaks."""
    told: list[tuple[str, Run]] = []

    def broken(_run: Run) -> None:
        raise RuntimeError

    def began(run: Run) -> None:
        run.rollup = []
        told.append(("began", run))

    def ended(run: Run) -> None:
        run.span.set_attribute("rolled.up", len(run.rollup))
        told.append(("ended", run))

    monkeypatch.setattr(runs, "_on_begin", [])
    monkeypatch.setattr(runs, "_on_end", [])
    for add, hook in ((runs.on_begin, began), (runs.on_end, ended)):
        add(broken)
        add(hook)
        add(hook)
    return told


def test_who_rolls_up_hears_of_each_run_once(
    telemetry: Telemetry, hooks: list[tuple[str, Run]]
) -> None:
    with contextlib.suppress(KeyError), farthing.workflow("report") as run:
        assert hooks == [("began", run)]
        with farthing.step("plan"):
            attribution.current().run.rollup.append("a call")
        raise KeyError
    assert hooks == [("began", run), ("ended", run)]
    assert (run.outcome, run.error_type, run.ended) == ("failed", "KeyError", True)
    assert run.duration_s > 0
    span = root(telemetry)
    assert span.end_time - span.start_time == round(run.duration_s * 1e9)
    assert root(telemetry).attributes["rolled.up"] == 1
    assert root(telemetry).attributes["farthing.workflow.outcome"] == "failed"
    run.end(None)
    assert len(hooks) == 2
    assert run.outcome == "failed"


def test_a_fork_does_not_end_its_parents_run(
    telemetry: Telemetry, hooks: list[tuple[str, Run]]
) -> None:
    with farthing.workflow("report"):
        pid = os.fork()
        if pid == 0:
            try:
                attribution.current().run.end(None)
                told = [kind for kind, _ in hooks]
                os._exit(0 if told == ["began"] and not telemetry.spans() else 1)
            finally:
                os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
    assert [kind for kind, _ in hooks] == ["began", "ended"]
