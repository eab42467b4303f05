"""What a workflow came to: cost, calls, tokens, failures and retries of real clients' calls."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import farthing
from farthing_processor.span_processor import CostSpanProcessor
from tests.instrumentation import shapes
from tests.instrumentation.batch_shapes import chat, file, jsonl, line
from tests.instrumentation.conftest import Provider, Telemetry
from tests.processor.spans import CHAT, CHAT_COST, OFFICIAL

MESSAGES: Any = [{"role": "user", "content": "hi"}]
COST = shapes.CHAT_COST


def ask(provider: Provider, prompt: str = "hi") -> None:
    messages: Any = [{"role": "user", "content": prompt}]
    provider.openai(max_retries=1).chat.completions.create(model="gpt-4o", messages=messages)


def root(telemetry: Telemetry, name: str = "report") -> dict[str, Any]:
    """What the root span says its calls came to."""
    (span,) = [span for span in telemetry.spans() if span.name == f"invoke_workflow {name}"]
    said = dict(span.attributes or {})
    prefix = "farthing.workflow."
    return {key.removeprefix(prefix): said[key] for key in said if key.startswith(prefix)}


def by_outcome(telemetry: Telemetry, metric: str) -> dict[Any, float]:
    return {
        (
            point.attributes["gen_ai.workflow.name"],
            point.attributes["farthing.workflow.outcome"],
        ): getattr(point, "sum", None) or point.value
        for point in telemetry.points().get(metric, [])
    }


@pytest.fixture
def answering(provider: Provider) -> Provider:
    return provider.answers(lambda _request: shapes.ok(shapes.chat()))


def test_calls_of_a_workflow_add_up(telemetry: Telemetry, provider: Provider) -> None:
    busy = httpx2.Response(503, headers={"retry-after-ms": "1"}, json={"error": {}})
    refused = httpx2.Response(400, json={"error": {"message": "no"}})
    answer = shapes.ok(shapes.chat())
    provider.answers(answer, busy, answer, refused, shapes.ok(shapes.chat(usage=None)))
    with farthing.workflow("report") as run:
        ask(provider, "one")
        ask(provider, "two")  # is retried once
        with pytest.raises(openai.BadRequestError):
            ask(provider, "three")
        ask(provider, "four")  # says nothing of its usage
    assert root(telemetry) == {
        "id": run.id,
        "outcome": "success",
        "calls": 4,
        "cost": 2 * COST,
        "unpriced_calls": 1,
        "failures": 1,
        "retries": 1,
        "input_tokens": 2 * 2006,
        "output_tokens": 2 * 300,
    }
    assert by_outcome(telemetry, "farthing.workflow.cost") == {("report", "success"): 2 * COST}
    assert by_outcome(telemetry, "farthing.workflows") == {("report", "success"): 1}


def test_calls_outside_and_of_an_inner_workflow_are_not_its(
    telemetry: Telemetry, answering: Provider
) -> None:
    ask(answering)
    with farthing.workflow("report"):
        ask(answering)
        with farthing.workflow("inner"):
            ask(answering)
            ask(answering)
    assert root(telemetry)["cost"] == COST
    assert root(telemetry, "inner")["cost"] == 2 * COST
    assert by_outcome(telemetry, "farthing.workflow.cost") == {
        ("report", "success"): COST,
        ("inner", "success"): 2 * COST,
    }


def test_threads_and_tasks(telemetry: Telemetry, answering: Provider) -> None:
    async def task() -> None:
        client = answering.async_openai()
        await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    async def tasks() -> None:
        await asyncio.gather(*(task() for _ in range(5)))

    with farthing.workflow("report"):
        inside = contextvars.copy_context()
        thread = threading.Thread(target=lambda: inside.run(ask, answering))
        thread.start()
        thread.join()
        asyncio.run(tasks())
    assert (root(telemetry)["calls"], root(telemetry)["cost"]) == (6, pytest.approx(6 * COST))


def test_a_stream_that_was_dropped_counts_before_its_workflow_ends(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    with farthing.workflow("report"):
        stream = provider.openai().chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=True
        )
        next(iter(stream))
        del stream
        gc.collect()  # the client's stream and its iterator hold each other
    assert root(telemetry)["calls"] == root(telemetry)["unpriced_calls"] == 1
    assert "cost" not in root(telemetry)
    assert by_outcome(telemetry, "farthing.workflow.cost") == {}


def test_metrics_do_not_depend_on_sampling(answering: Provider) -> None:
    telemetry = Telemetry(ALWAYS_OFF)
    telemetry.instrument()
    with farthing.workflow("report"):
        ask(answering)
    assert telemetry.spans() == []
    assert by_outcome(telemetry, "farthing.workflow.cost") == {("report", "success"): COST}
    farthing.uninstrument()


def test_decorated_and_failing(telemetry: Telemetry, answering: Provider) -> None:
    @farthing.workflow("report")
    def work(fails: bool) -> None:
        ask(answering)
        if fails:
            raise ValueError

    work(False)
    with pytest.raises(ValueError, match=r"^$"):
        work(True)
    assert by_outcome(telemetry, "farthing.workflow.cost") == {
        ("report", "success"): COST,
        ("report", "failed"): COST,
    }


def test_spans_of_other_tracers_take_part(telemetry: Telemetry) -> None:
    other = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with farthing.workflow("report"):
        for error in (False, True):
            with other.start_as_current_span("chat gpt-4o") as span:
                span.set_attributes({**CHAT, "gen_ai.response.id": f"id-{error}"})
                if error:
                    span.set_status(trace.StatusCode.ERROR)
        with other.start_as_current_span("chat gpt-4o") as span:
            span.set_attributes({**CHAT, "error.type": "timeout"})
            for missing in ("response.id", "usage.input_tokens", "usage.output_tokens"):
                span._attributes._dict.pop(f"gen_ai.{missing}")
            span.set_status(trace.StatusCode.ERROR)
    said = root(telemetry)
    assert said["cost"] == 2 * CHAT_COST
    assert (said["calls"], said["failures"]) == (3, 2)
    assert (said["input_tokens"], said["output_tokens"]) == (2000, 200)
    assert said["waste"] == CHAT_COST


def test_without_instrument_the_span_processor_adds_up() -> None:
    """Then there is no root span, but the calls that are priced are the workflow's."""
    telemetry, reader = Telemetry(), InMemoryMetricReader()
    processor = CostSpanProcessor(MeterProvider([reader]))
    telemetry.tracer_provider.add_span_processor(processor)
    telemetry.reader = reader
    with (
        farthing.workflow("report"),
        telemetry.tracer_provider.get_tracer(OFFICIAL).start_as_current_span("chat") as span,
    ):
        span.set_attributes(CHAT)
    assert by_outcome(telemetry, "farthing.workflow.cost") == {("report", "success"): CHAT_COST}


def test_results_of_a_batch_are_the_workflows_that_records_them(telemetry: Telemetry) -> None:
    with farthing.workflow("collect"):
        summary = farthing.record_batch(file(jsonl(line(chat(8001), 1), line(chat(8002), 2))))
    assert summary.calls == root(telemetry, "collect")["calls"] == 2
    assert root(telemetry, "collect")["cost"] == float(summary.usd)


def test_a_background_call_is_its_starters_workflow(
    telemetry: Telemetry, provider: Provider
) -> None:
    """Polling is no call; the response is paid once, by the workflow that had it made."""
    begun = shapes.response("in_progress", id="resp_wf", background=True, usage=None)
    over = shapes.response(id="resp_wf", background=True)
    provider.answers(*(shapes.ok(body) for body in (begun, begun, over)))
    client = provider.openai()
    with farthing.workflow("report"):
        made = client.responses.create(model="gpt-4o", input="hi", background=True)
        for _ in range(2):
            client.responses.retrieve(made.id)
    said = root(telemetry)
    assert (said["calls"], said["cost"]) == (1, shapes.RESPONSES_COST)
    assert "unpriced_calls" not in said
