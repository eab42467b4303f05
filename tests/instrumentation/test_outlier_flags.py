"""Flags end to end: real clients and other tracers' spans, up to spans and metrics that explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

import farthing
from farthing_processor.span_exporter import CostSpanExporter
from farthing_processor.span_processor import CostSpanProcessor
from tests.instrumentation import batch_shapes, shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.outlier_reasons import explained
from tests.processor.spans import CHAT, OFFICIAL, Pipeline

LONG = "Every claim must be checked against the policy of the year in which it was made. " * 150


class Client:
    """A client of OpenAI or Anthropic, whose next answers have the usage they are told to."""

    def __init__(self, name: str, provider: Provider) -> None:
        self.name, self.provider = name, provider

    def ask(self, inputs: int = 1000, outputs: int = 100, text: str = "hi", **usage: int) -> None:
        messages: Any = [{"role": "user", "content": text}]
        if self.name == "openai":
            counts = {"prompt_tokens": inputs, "completion_tokens": outputs}
            self.provider.answers(shapes.ok(shapes.chat(counts)))
            self.provider.openai().chat.completions.create(model="gpt-4o", messages=messages)
        else:
            counts = {"input_tokens": inputs, "output_tokens": outputs} | usage
            self.provider.answers(shapes.ok(shapes.message(usage=counts)))
            self.provider.anthropic().messages.create(
                model="claude-sonnet-4-6", max_tokens=99, messages=messages
            )


@pytest.fixture(params=["openai", "anthropic"])
def client(request: pytest.FixtureRequest, provider: Provider) -> Client:
    return Client(request.param, provider)


def last(telemetry: Telemetry) -> set[str]:
    """The reasons of the last call, each borne out by its span."""
    return explained(telemetry.spans()[-1].attributes or {})


def counted(telemetry: Telemetry | Pipeline) -> dict[str, float]:
    """The counter, by reason."""
    points = telemetry.points().get("farthing.outliers", [])
    return {point.attributes["farthing.outlier.reason"]: point.value for point in points}


def test_a_call_that_costs_far_more_than_its_step(telemetry: Telemetry, client: Client) -> None:
    with farthing.step("plan"):
        for _ in range(30):
            client.ask()
            assert last(telemetry) == set()
        client.ask(20_000, 1000)
    assert last(telemetry) == {"cost_outlier", "completion_spike"}
    said = telemetry.spans()[-1].attributes or {}
    assert said["farthing.outlier.detected"] is True
    assert said["farthing.outlier.ratio"] == pytest.approx(60_000 / 3500, rel=0.3)
    assert said["farthing.baseline.count"] == 30
    assert counted(telemetry) == {"cost_outlier": 1, "completion_spike": 1}
    (point, _) = telemetry.points()["farthing.outliers"]
    assert point.attributes["farthing.step.name"] == "plan"
    assert point.attributes["gen_ai.provider.name"] == client.name


def test_a_dear_call_of_a_step_that_nobody_knows_is_no_outlier(
    telemetry: Telemetry, client: Client
) -> None:
    client.ask(20_000, 1000)
    assert last(telemetry) == {"cold_threshold"}
    assert counted(telemetry) == {}


def test_a_workflow_that_repeats_itself_and_grows(telemetry: Telemetry, client: Client) -> None:
    telemetry.instrument(outliers="*: low_yield=off, cold_usd=off")
    with farthing.workflow("trip"), farthing.step("plan"):
        for inputs, text, reasons in (
            (100, "Where to?", set()),
            (400, "Where from?", set()),
            (500, "Where to?", {"repeated_prompt"}),
            (501, "When?", {"context_growth"}),
        ):
            client.ask(inputs, 100, text)
            assert last(telemetry) == reasons
    with farthing.workflow("trip"), farthing.step("plan"):
        client.ask(600, 100, "Where to?")
        assert last(telemetry) == set()
    assert counted(telemetry) == {"repeated_prompt": 1, "context_growth": 1}
    assert not any("farthing.prompt.hash" in (span.attributes or {}) for span in telemetry.spans())


def test_the_hash_of_a_prompt_where_it_is_asked_for(telemetry: Telemetry, client: Client) -> None:
    telemetry.instrument(prompt_hash=True)
    for text in ("Where to?", "Where to?", "When?"):
        client.ask(text=text)
    first, second, third = (
        (span.attributes or {})["farthing.prompt.hash"] for span in telemetry.spans()
    )
    assert first == second != third


def test_a_large_prefix_without_a_cache(telemetry: Telemetry, client: Client) -> None:
    telemetry.instrument(outliers="*: cold_usd=off")
    client.ask(3000, 100, LONG + "Is this one covered?")
    assert last(telemetry) == set()
    client.ask(3000, 100, LONG + "And this one?")
    assert last(telemetry) == {"large_uncached_prefix"}
    said = telemetry.spans()[-1].attributes or {}
    full, cached = (2.5e-6, 1.25e-6) if client.name == "openai" else (3e-6, 0.3e-6)
    tokens = said["farthing.outlier.stable_tokens"]
    assert 1024 < tokens < 3000  # type: ignore[operator]
    saved = tokens * (full - cached)  # type: ignore[operator]
    assert said["farthing.outlier.avoidable_cost"] == pytest.approx(saved)
    client.ask(3000, 100, "Now: " + LONG)
    assert last(telemetry) == set()


def test_a_prefix_that_the_cache_has(telemetry: Telemetry, provider: Provider) -> None:
    client = Client("anthropic", provider)
    telemetry.instrument(outliers="*: cold_usd=off")
    for _ in range(3):
        client.ask(100, 100, LONG, cache_read_input_tokens=2900)
        assert last(telemetry) == set()


def too_many(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(429, json={"error": {}}, headers={"retry-after-ms": "1"})


def test_a_storm_of_retries_hidden_ones_among_them(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(too_many)
    for reasons in (set[str](), {"retry_storm"}):
        with pytest.raises(openai.RateLimitError):
            provider.openai(max_retries=2).chat.completions.create(model="gpt-4o", messages=[])
        assert last(telemetry) == reasons
    said = telemetry.spans()[-1].attributes or {}
    assert said["farthing.outlier.failures"] == 6
    assert said["farthing.outlier.failures_limit"] == 5
    assert "gen_ai.usage.cost.amount" not in said
    assert counted(telemetry) == {"retry_storm": 1}


def test_little_for_much(telemetry: Telemetry, client: Client) -> None:
    client.ask(1000, 20)
    assert last(telemetry) == set()
    client.ask(1000, 19)
    assert last(telemetry) == {"low_yield"}


async def test_async_and_streamed_calls_alike(telemetry: Telemetry, provider: Provider) -> None:
    chat = provider.async_openai().chat.completions
    messages: Any = [{"role": "user", "content": "hi"}]
    with farthing.workflow("trip"):
        for _ in range(2):
            usage = {"prompt_tokens": 1000, "completion_tokens": 100}
            provider.answers(shapes.sse(shapes.chat_chunks(usage), done=True))
            async for _ in await chat.create(model="gpt-4o", messages=messages, stream=True):
                pass
    assert last(telemetry) == set()  # the workflow's own span
    assert explained(telemetry.spans()[1].attributes or {}) == {"repeated_prompt"}


def test_calls_that_are_not_sampled_count_all_the_same(provider: Provider) -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    telemetry = Telemetry(ALWAYS_OFF)
    telemetry.instrument()
    try:
        for _ in range(30):
            Client("openai", provider).ask()
        Client("openai", provider).ask(20_000, 100)
        assert telemetry.spans() == []
        assert counted(telemetry) == {"cost_outlier": 1, "low_yield": 1}
    finally:
        farthing.uninstrument()


def test_another_setting_leaves_the_baselines_as_they_are(
    telemetry: Telemetry, client: Client
) -> None:
    for _ in range(30):
        client.ask()
    telemetry.instrument(semconv="both")
    client.ask(20_000, 399)
    assert last(telemetry) == {"cost_outlier", "low_yield"}


# The caller's arguments.


def test_an_iterator_of_messages_is_sent_whole(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))

    def messages() -> Iterator[Any]:
        yield {"role": "user", "content": "one"}
        yield {"role": "user", "content": "two"}

    with farthing.workflow("trip"):
        provider.openai().chat.completions.create(model="gpt-4o", messages=messages())
        assert [message["content"] for message in provider.body()["messages"]] == ["one", "two"]
        rows: Any = [{"role": "user", "content": "hi"}]
        provider.openai().post(
            "/chat/completions", cast_to=object, body={"model": "gpt-4o", "messages": rows}
        )
        assert provider.body()["messages"] == rows == [{"role": "user", "content": "hi"}]
    assert len(telemetry.spans()) == 3


def test_an_answer_handed_back_is_part_of_the_prompt(
    telemetry: Telemetry, provider: Provider
) -> None:
    """As an object of the client's, which is how agents do it."""
    chat = provider.answers(shapes.ok(shapes.chat())).openai().chat.completions
    messages: Any = [{"role": "user", "content": "hi"}]
    with farthing.workflow("trip"):
        answer = chat.create(model="gpt-4o", messages=messages).choices[0].message
        for reasons in ({"cold_threshold"}, {"cold_threshold", "repeated_prompt"}):
            chat.create(model="gpt-4o", messages=[*messages, answer])
            assert last(telemetry) == reasons


# Batches.


def test_the_results_of_a_batch_count_once(telemetry: Telemetry) -> None:
    results = batch_shapes.jsonl(
        *(batch_shapes.line(batch_shapes.chat(8_000_000 + n), 8_000_000 + n) for n in range(3))
    )
    farthing.record_batch(results)
    farthing.record_batch(results)
    farthing.record_batch(batch_shapes.jsonl(batch_shapes.line(batch_shapes.chat(9_000_000))))
    counts = [(span.attributes or {})["farthing.baseline.count"] for span in telemetry.spans()]
    assert counts == [0, 1, 2, 3]


# Other tracers' spans.


def changed(number: int, **more: Any) -> dict[str, Any]:
    return {"gen_ai__response__id": f"chatcmpl-{number}", **more}


@pytest.mark.parametrize("way", ["processor", "exporter"])
def test_the_spans_of_other_tracers(way: str) -> None:
    made = Pipeline()
    if way == "processor":
        made.processed_by(CostSpanProcessor(made.meter_provider))
    else:
        made.exporter.export = CostSpanExporter(  # type: ignore[method-assign]
            Exporter(made.exporter), made.meter_provider
        ).export
        made.processed_by()
    dear = changed(30, gen_ai__usage__output_tokens=5000)
    with made.span("application", "plan"):
        for number in range(30):
            made.call(**changed(number))
            assert explained(made.said()) == set()
        made.call(**dear)
        assert explained(made.said()) == {"cost_outlier", "completion_spike"}
        assert made.said()["farthing.baseline.count"] == 30
        # The same call again, as another tracer saw it: paid once, and part of it once.
        made.call("openinference.instrumentation.openai", **dear)
        assert "farthing.cost.duplicate_of" in made.said()
        made.call(**changed(31))
        assert made.said()["farthing.baseline.count"] == 31
    assert counted(made) == {"cost_outlier": 1, "completion_spike": 1}


class Exporter:
    """The original export of an exporter whose method is replaced."""

    def __init__(self, exporter: Any) -> None:
        self.export, self.shutdown = exporter.export, exporter.shutdown


def test_a_storm_of_another_tracers_failures() -> None:
    made = Pipeline()
    made.processed_by(CostSpanProcessor(made.meter_provider))
    failed = {name: value for name, value in CHAT.items() if "usage" not in name}
    for number in range(4):
        # Two tracers see each: one failure.
        with made.span(OFFICIAL, start=failed) as outer:
            outer.set_attribute("error.type", "APIError")
            made.ended("openinference.instrumentation.openai", {**failed, "error.type": "APIError"})
        assert explained(made.said()) == set(), number
    made.ended(OFFICIAL, {**failed, "error.type": "APIError"})
    assert explained(made.said()) == {"retry_storm"}
    assert made.said()["farthing.outlier.failures"] == 5
    assert counted(made) == {"retry_storm": 1}


def test_both_kinds_of_call_share_a_baseline(telemetry: Telemetry, provider: Provider) -> None:
    for _ in range(30):
        Client("openai", provider).ask()
    tracer = telemetry.tracer_provider.get_tracer(OFFICIAL, "1.0")
    given = {**CHAT, "gen_ai.usage.output_tokens": 5000, "gen_ai.response.id": "chatcmpl-other"}
    tracer.start_span("chat gpt-4o", attributes=given).end()
    assert last(telemetry) == {"cost_outlier", "completion_spike"}
