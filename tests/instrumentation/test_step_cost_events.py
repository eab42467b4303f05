"""Events ``farthing.step_cost``: what a call cost, for those who live in logs."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import farthing
from farthing_processor import semconv
from tests.instrumentation import shapes
from tests.instrumentation.batch_shapes import chat, file, jsonl, line
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.test_content_events import Logs
from tests.processor.spans import CHAT, CHAT_COST, OFFICIAL

ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def written() -> Logs:
    return Logs()


def logging(telemetry: Telemetry, written: Logs, **options: object) -> None:
    farthing.instrument(
        telemetry.tracer_provider, telemetry.meter_provider, written.provider, **options
    )


def test_every_call_where_it_is_asked_for(
    telemetry: Telemetry, provider: Provider, written: Logs
) -> None:
    logging(telemetry, written, log_calls=True)
    provider.answers(shapes.ok(shapes.chat()))
    with farthing.workflow("report") as run, farthing.step("plan"):
        provider.openai().chat.completions.create(**ASKED)
    record, call = written.one(), telemetry.spans()[0]
    assert record.event_name == "farthing.step_cost"
    assert record.severity_number.name == "INFO"
    assert (record.trace_id, record.span_id) == (call.context.trace_id, call.context.span_id)
    said = dict(record.attributes)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.usage.input_tokens": 2006,
        "gen_ai.usage.output_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 1920,
        "gen_ai.usage.cost.amount": shapes.CHAT_COST,
        "farthing.cost.status": "priced",
        "farthing.step.name": "plan",
        "farthing.step.path": "plan",
        "gen_ai.workflow.name": "report",
        "farthing.workflow.id": run.id,
    }
    assert expected.items() <= said.items()
    assert said.items() <= dict(call.attributes or {}).items()
    known = {value for value in vars(semconv).values() if isinstance(value, str)}
    known |= {semconv.COST_CLASS_PREFIX + name for name in semconv.COST_CLASSES}
    assert set(said) <= known


def test_no_call_unless_it_is_asked_for(
    telemetry: Telemetry, provider: Provider, written: Logs
) -> None:
    logging(telemetry, written)
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(**ASKED)
    assert written.all() == []


def test_failures_waste_and_batches_too(
    telemetry: Telemetry, provider: Provider, written: Logs
) -> None:
    logging(telemetry, written, log_calls=True)
    provider.answers(lambda _request: shapes.ok({}).__class__(500, json={"error": {}}))
    with pytest.raises(openai.InternalServerError):
        provider.openai().chat.completions.create(**ASKED)
    farthing.record_batch(file(jsonl(line(chat(9001), 1))))
    tracer = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with tracer.start_as_current_span("chat gpt-4o") as span:
        span.set_attributes({**CHAT, "error.type": "timeout"})
    failed, batch, other = (dict(record.attributes) for record in written.all())
    assert failed["error.type"] == "InternalServerError"
    assert "gen_ai.usage.cost.amount" not in failed
    assert batch["gen_ai.usage.cost.amount"] > 0
    assert other["gen_ai.usage.cost.amount"] == CHAT_COST
    assert other["farthing.waste.reason"] == "failed"


def test_unsampled_calls_are_logged(provider: Provider, written: Logs) -> None:
    telemetry = Telemetry(ALWAYS_OFF)
    logging(telemetry, written, log_calls=True)
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(**ASKED)
    assert written.one().attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    farthing.uninstrument()


def test_a_traced_call_is_always_logged(telemetry: Telemetry, written: Logs) -> None:
    logging(telemetry, written)
    with farthing.cost_trace(step="plan", provider="openai", model="gpt-4o") as usage:
        usage.input_tokens, usage.output_tokens = 1000, 100
    said = dict(written.one().attributes)
    assert said["gen_ai.usage.cost.amount"] == 0.0035
    assert said["farthing.step.name"] == "plan"


def test_a_log_pipeline_that_breaks_loses_no_metric(
    telemetry: Telemetry, provider: Provider, written: Logs
) -> None:
    class Broken(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            raise RuntimeError("no room")

        def shutdown(self) -> None:
            pass

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    written.provider.add_log_record_processor(Broken())
    logging(telemetry, written, log_calls=True)
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(**ASKED)
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.CHAT_COST
