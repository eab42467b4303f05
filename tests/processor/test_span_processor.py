"""The span processor: other tracers' spans leave with cost, and nothing else changes."""

from __future__ import annotations

import gc
import logging
import os
import threading
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span, SpanLimits, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from farthing_processor import attribution, live, span_pricing, span_processor
from farthing_processor.attribution import Attribution
from farthing_processor.span_processor import CostSpanProcessor
from tests.processor.spans import CHAT, CHAT_COST, OFFICIAL, OPENINFERENCE, Pipeline


@pytest.fixture
def pipeline() -> Pipeline:
    made = Pipeline()
    return made.processed_by(CostSpanProcessor(made.meter_provider))


@pytest.mark.parametrize("exporter_first", [False, True])
def test_a_span_leaves_with_its_cost_in_any_order(exporter_first: bool) -> None:
    made = Pipeline()
    made.processed_by(CostSpanProcessor(made.meter_provider), exporter_first=exporter_first)
    made.call()
    said = made.said()
    assert said.items() >= CHAT.items()
    assert said["gen_ai.usage.cost.amount"] == CHAT_COST
    assert said["gen_ai.usage.cost.currency"] == "USD"
    assert said["farthing.cost.status"] == "priced"
    assert said["farthing.cost.dialect"] == "opentelemetry"
    assert said["farthing.cost.input"] == 0.0025
    assert said["farthing.step.name"] == "chat gpt-4o"


def test_a_span_about_no_model_is_left_alone(pipeline: Pipeline) -> None:
    pipeline.ended("opentelemetry.instrumentation.httpx", {"http.request.method": "POST"})
    assert pipeline.said() == {"http.request.method": "POST"}
    assert not pipeline.points()


@pytest.mark.parametrize(
    "operation", ["invoke_agent", "invoke_workflow", "execute_tool", "fetch_response", "retrieval"]
)
def test_only_calls_are_priced(pipeline: Pipeline, operation: str) -> None:
    pipeline.call(gen_ai__operation__name=operation)
    assert not [name for name in pipeline.said() if name.startswith("farthing.cost")]
    assert "gen_ai.usage.cost.amount" not in pipeline.said()


def test_a_model_without_a_price_has_no_amount(pipeline: Pipeline) -> None:
    pipeline.call(gen_ai__request__model="gpt-99", gen_ai__response__model=None)
    said = pipeline.said()
    assert said["farthing.cost.status"] == "unpriced"
    assert "gen_ai.usage.cost.amount" not in said
    assert pipeline.points()["farthing.calls.unpriced"][0].value == 1


def test_usage_of_nothing_but_zeros_is_missing(pipeline: Pipeline) -> None:
    pipeline.call(gen_ai__usage__input_tokens=0, gen_ai__usage__output_tokens=0)
    assert pipeline.said()["farthing.cost.status"] == "usage_missing"


def test_a_host_of_nobodys_is_not_priced_unless_it_is_a_gateway() -> None:
    for gateways, status in (("", "unpriced"), ("llm.example:8443", "priced")):
        made = Pipeline()
        made.processed_by(CostSpanProcessor(made.meter_provider, gateways=gateways or None))
        made.call(server__address="llm.example", server__port=8443)
        assert made.said()["farthing.cost.status"] == status


def test_the_host_says_who_served_it_whatever_the_library_is(pipeline: Pipeline) -> None:
    pipeline.call(server__address="api.deepseek.com", gen_ai__response__model="deepseek-chat")
    assert pipeline.points()["gen_ai.client.operation.cost"][0].attributes[
        "gen_ai.provider.name"
    ] == ("deepseek")


# Somebody else's cost.


def test_an_amount_that_is_there_stays_and_is_compared(pipeline: Pipeline) -> None:
    pipeline.call(gen_ai__usage__cost__amount=9.0, gen_ai__usage__cost__currency="EUR")
    said = pipeline.said()
    assert said["gen_ai.usage.cost.amount"] == 9.0
    assert said["gen_ai.usage.cost.currency"] == "EUR"
    assert said["farthing.cost.amount"] == CHAT_COST
    assert pipeline.points()["gen_ai.client.operation.cost"][0].sum == CHAT_COST


def test_an_amount_under_another_name_is_compared_and_counted(pipeline: Pipeline) -> None:
    for theirs, differs in ((0.0035, False), (0.00351, False), (0.01, True)):
        pipeline.call("somebody", gen_ai__usage__cost=theirs, gen_ai__response__id=str(theirs))
        said = pipeline.said()
        assert said["gen_ai.usage.cost"] == theirs
        assert "gen_ai.usage.cost.amount" not in said
        assert said["farthing.cost.amount"] == CHAT_COST
        assert said.get("farthing.cost.reported") == (theirs if differs else None)
    assert pipeline.points()["farthing.cost.disagreements"][0].value == 1


def test_zero_is_nobodys_cost(pipeline: Pipeline) -> None:
    pipeline.call("somebody", gen_ai__usage__cost=0.0)
    said = pipeline.said()
    assert said["farthing.cost.amount"] == CHAT_COST
    assert "farthing.cost.reported" not in said
    # Inside the name of what is there: a backend that nests dots could not store both.
    assert "gen_ai.usage.cost.amount" not in said


def test_two_processors_price_once() -> None:
    made = Pipeline()
    one, two = (CostSpanProcessor(made.meter_provider) for _ in range(2))
    made.processed_by(one, two)
    made.call()
    points = made.points()
    assert made.said()["gen_ai.usage.cost.amount"] == CHAT_COST
    assert points["gen_ai.client.operation.cost"][0].count == 1


# Metrics.


def test_metrics_are_those_that_the_emitter_does_not_record(pipeline: Pipeline) -> None:
    pipeline.call()
    points = pipeline.points()
    assert set(points) == {"gen_ai.client.operation.cost"}
    assert points["gen_ai.client.operation.cost"][0].sum == CHAT_COST
    pipeline.ended(
        OPENINFERENCE,
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o-2024-08-06",
            "llm.token_count.prompt": 1000,
            "llm.token_count.completion": 100,
        },
    )
    points = pipeline.points()
    assert set(points) == {"gen_ai.client.operation.cost", "gen_ai.client.token.usage"}
    assert {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in points["gen_ai.client.token.usage"]
    } == {"input": 1000, "output": 100}


def test_an_exemplar_points_to_the_span(pipeline: Pipeline) -> None:
    span = pipeline.call()
    (point,) = pipeline.points()["gen_ai.client.operation.cost"]
    assert [one.span_id for one in point.exemplars] == [span.context.span_id]


def test_an_unsampled_span_is_not_seen() -> None:
    made = Pipeline(sampler=ALWAYS_OFF)
    made.processed_by(CostSpanProcessor(made.meter_provider))
    with made.span(OFFICIAL):
        pass
    assert not made.exporter.get_finished_spans()
    assert not made.points()


# Who.


def test_who_spends_is_there_from_the_start(pipeline: Pipeline) -> None:
    seen: list[dict[str, Any]] = []

    class Early(SpanProcessor):
        def on_start(self, span: Span, parent_context: Any = None) -> None:
            seen.append(dict(span.attributes or {}))

    pipeline.provider.add_span_processor(Early())
    who = Attribution(workflow="report", step="plan", user="u1", tags={"team": "blue"})
    from opentelemetry import context

    token = context.attach(attribution.set_in_context(who))
    try:
        pipeline.call()
    finally:
        context.detach(token)
    assert seen[0]["gen_ai.workflow.name"] == "report"
    assert seen[0]["farthing.step.name"] == "plan"
    assert pipeline.said().items() >= {"user.id": "u1", "farthing.tag.team": "blue"}.items()
    labels = pipeline.points()["gen_ai.client.operation.cost"][0].attributes
    assert labels["farthing.step.name"] == "plan"
    assert "user.id" not in labels


def test_the_step_is_what_is_around_it_other_tracers_of_the_call_aside(pipeline: Pipeline) -> None:
    with (
        pipeline.span("application", "plan"),
        pipeline.span(OFFICIAL, start={"gen_ai.operation.name": "chat"}),
        pipeline.span("com.anthropic.sdk.python", start={"gen_ai.operation.name": "chat"}),
    ):
        pipeline.call()
    assert pipeline.said(0)["farthing.step.name"] == "plan"


def test_what_the_application_says_of_itself_is_not_replaced(pipeline: Pipeline) -> None:
    pipeline.call(gen_ai__agent__name="theirs", farthing__step__name="own")
    said = pipeline.said()
    assert said["gen_ai.agent.name"] == "theirs"
    assert said["farthing.step.name"] == "own"


# Limits.


def test_nothing_of_the_applications_makes_room_for_ours(caplog: pytest.LogCaptureFixture) -> None:
    for room in range(4):
        made = Pipeline(SpanLimits(max_span_attributes=len(CHAT) + room))
        made.processed_by(CostSpanProcessor(made.meter_provider))
        span = made.call()
        said = made.said()
        assert said.items() >= CHAT.items()
        assert (
            list(said)[len(CHAT) :]
            == [
                "farthing.cost.status",
                "gen_ai.usage.cost.amount",
                "gen_ai.usage.cost.currency",
            ][:room]
        )
        assert span.dropped_attributes == 0
    assert not caplog.records


def test_a_limit_on_length_is_kept() -> None:
    made = Pipeline(SpanLimits(max_span_attribute_length=3))
    made.processed_by(CostSpanProcessor(made.meter_provider, gateways="x"))
    made.ended("somebody", CHAT | {"gen_ai.provider.name": "xai", "gen_ai.request.model": "gro"})
    assert all(len(value) <= 3 for value in made.said().values() if isinstance(value, str))


# Wrapped by somebody who does not know the hook, as Logfire does.


class Wrapping(SpanProcessor):
    def __init__(self, inner: SpanProcessor) -> None:
        self.inner = inner

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.inner.on_start(span, parent_context)

    def on_end(self, span: Any) -> None:
        self.inner.on_end(span)


def test_a_wrapper_that_passes_on_no_more_than_start_and_end_is_enough() -> None:
    made = Pipeline()
    made.processed_by(Wrapping(CostSpanProcessor(made.meter_provider)))
    made.call()
    assert made.said()["gen_ai.usage.cost.amount"] == CHAT_COST
    assert made.points()["gen_ai.client.operation.cost"][0].count == 1


# Nothing of ours hurts.


def test_a_fault_of_ours_changes_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(span_pricing, "assess", broken)
    monkeypatch.setattr(attribution, "current", broken)
    pipeline.call()
    assert pipeline.said() == CHAT


def test_no_span_is_kept_once_it_has_ended(pipeline: Pipeline) -> None:
    before = live.count()
    for n in range(5_000):
        with pipeline.span("application", f"request {n}"):
            pipeline.call(gen_ai__response__id=f"chatcmpl-{n}")
    assert live.count() == before
    assert len(pipeline.provider._active_span_processor._span_processors[0]._begun) == 0


def test_memory_of_spans_left_open_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LIMIT", live.count() + 100)
    made = Pipeline()
    made.processed_by(CostSpanProcessor(made.meter_provider))
    tracer = made.provider.get_tracer(OFFICIAL)
    left_open = [tracer.start_span("chat") for _ in range(1_000)]
    assert live.count() <= live.LIMIT
    for span in left_open:
        span.end()
    gc.collect()


def test_many_threads_lose_nothing(pipeline: Pipeline) -> None:
    def work(thread: int) -> None:
        for n in range(200):
            with pipeline.span(OFFICIAL) as span:
                span.set_attributes(CHAT | {"gen_ai.response.id": f"chatcmpl-{thread}-{n}"})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = pipeline.exporter.get_finished_spans()
    assert sum("gen_ai.usage.cost.amount" in (span.attributes or {}) for span in spans) == 1_600
    assert pipeline.points()["gen_ai.client.operation.cost"][0].count == 1_600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_prices_on(pipeline: Pipeline) -> None:
    pipeline.call()
    child = os.fork()
    if not child:
        pipeline.call(gen_ai__response__id="chatcmpl-2")
        os._exit(pipeline.said().get("gen_ai.usage.cost.amount") != CHAT_COST)
    assert os.waitpid(child, 0)[1] == 0


# Other versions of the SDK.


def test_where_a_span_that_ends_can_be_written_to_the_public_way_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with https://github.com/open-telemetry/opentelemetry-python/pull/5613."""
    end = Span.end

    def ending(self: Span, end_time: int | None = None) -> None:
        hook = self._span_processor._on_ending
        hook(self)
        monkeypatch.setattr(self._span_processor, "_on_ending", lambda span: None)
        end(self, end_time)
        monkeypatch.setattr(self._span_processor, "_on_ending", hook)

    monkeypatch.setattr(Span, "end", ending)
    span_processor.can_write.cache_clear()
    made = Pipeline()
    made.processed_by(CostSpanProcessor(made.meter_provider))
    made.call()
    assert made.said()["gen_ai.usage.cost.amount"] == CHAT_COST


def test_where_it_cannot_be_written_to_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = Pipeline()
    monkeypatch.setattr(type(made.provider._active_span_processor), "_on_ending", lambda *_: None)
    span_processor.can_write.cache_clear()
    try:
        made.processed_by(CostSpanProcessor(made.meter_provider))
    finally:
        span_processor.can_write.cache_clear()
    monkeypatch.setattr(span_processor, "EXPORTERS", [])
    made.ended("application", {"http.request.method": "POST"})
    assert not caplog.records  # it concerns nobody so far
    for _ in range(2):
        made.call()
        assert made.said() == CHAT
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "CostSpanExporter" in caplog.text


def test_a_provider_that_is_shut_down_ends_it() -> None:
    made = Pipeline()
    processor = CostSpanProcessor(made.meter_provider)
    made.processed_by(processor)
    assert processor.force_flush()
    processor.shutdown()
    made.call()
    assert made.said() == CHAT
