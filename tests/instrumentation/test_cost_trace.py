"""`farthing.cost_trace`: a call that nobody sees, reported by whoever makes it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import farthing
from farthing import scopes
from farthing_processor import by_hand
from farthing_processor.usage import Usage
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.processor.spans import CHAT, CHAT_COST, OFFICIAL

ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
COST = 0.0035
"""1,000 at $2.50 and 100 at $10 a million (gpt-4o)."""


def traced(**more: Any) -> Any:
    return farthing.cost_trace(**{"provider": "openai", "model": "gpt-4o"} | more)


def fill(usage: Any) -> None:
    usage.input_tokens, usage.output_tokens = 1000, 100


def attributes(telemetry: Telemetry, index: int = -1) -> dict[str, Any]:
    return dict(telemetry.spans()[index].attributes or {})


@pytest.fixture(autouse=True)
def nothing_left_behind(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    scopes.said_once.clear()
    caplog.set_level(logging.DEBUG, logger="farthing")
    before = context.get_current()
    yield
    assert context.get_current() is before
    assert not by_hand._open


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_it_is_a_call_like_any_other(telemetry: Telemetry, provider: Provider) -> None:
    """The same span, metrics and labels as the client's own call of the same usage."""
    provider.answers(shapes.ok(shapes.chat()))
    with farthing.step("plan"):
        provider.openai().chat.completions.create(**ASKED)
    seen, counted = attributes(telemetry), telemetry.sums()
    with traced(step="plan") as usage:
        usage.input_tokens = 2006
        usage.cache_read_tokens = 1920
        usage.output_tokens = 300
        usage.reasoning_tokens = 40
    span = telemetry.spans()[-1]
    assert (span.name, span.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    said = attributes(telemetry)
    unseen = {"server.address", "server.port", "openai.api.type"}
    kept = {
        name: value
        for name, value in seen.items()
        if name not in unseen
        and not name.startswith(("gen_ai.response.", "openai.", "farthing.baseline."))
    }
    assert {name: said.get(name) for name in kept} == kept
    assert said["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    for metric, total in telemetry.sums().items():
        if metric != "gen_ai.client.operation.duration":
            assert total == pytest.approx(2 * counted[metric]), metric
    (count,) = {point.count for point in telemetry.points()["gen_ai.client.operation.cost"]}
    assert count == 1  # one series each: who answered is not known


def test_it_belongs_to_its_workflow_and_step(telemetry: Telemetry) -> None:
    with farthing.workflow("report"), farthing.tag(agent="writer"), farthing.step("outer"):
        with traced(step="plan") as usage:
            fill(usage)
        with traced() as usage:
            fill(usage)
    named, unnamed, root = (dict(span.attributes or {}) for span in telemetry.spans())
    assert named["farthing.step.path"] == "outer/plan"
    assert unnamed["farthing.step.path"] == "outer"
    assert named["gen_ai.agent.name"] == "writer"
    assert root["farthing.workflow.cost"] == 2 * COST
    assert root["farthing.workflow.calls"] == 2


def test_not_filled_in(telemetry: Telemetry) -> None:
    with traced():
        pass
    assert attributes(telemetry)["farthing.cost.status"] == "usage_missing"
    assert telemetry.sums()["farthing.calls.unpriced"] == 1


def test_an_exception_is_the_callers_and_fails_the_call(telemetry: Telemetry) -> None:
    error = ValueError("secret prompt")

    def work() -> None:
        with traced() as usage:
            fill(usage)
            raise error

    with pytest.raises(ValueError, match="secret") as raised:
        work()
    assert raised.value is error
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(telemetry)["error.type"] == "ValueError"
    assert attributes(telemetry)["farthing.waste.reason"] == "failed"
    assert "secret" not in str(span.to_json())


def test_a_failure_before_anything_was_used(telemetry: Telemetry) -> None:
    with pytest.raises(ValueError, match="no"), traced():
        raise ValueError("no")
    assert "farthing.cost.status" not in attributes(telemetry)
    assert "farthing.calls.unpriced" not in telemetry.sums()


def test_in_async_code(telemetry: Telemetry) -> None:
    async def one(number: int) -> None:
        with traced(step=f"step {number}") as usage:
            await asyncio.sleep(0)
            fill(usage)

    async def several() -> None:
        await asyncio.gather(*(one(number) for number in range(3)))

    asyncio.run(several())
    steps = {(span.attributes or {})["farthing.step.name"] for span in telemetry.spans()}
    assert steps == {"step 0", "step 1", "step 2"}
    assert telemetry.sums()["gen_ai.client.operation.cost"] == pytest.approx(3 * COST)


def test_one_object_serves_one_block_after_another(telemetry: Telemetry) -> None:
    again = traced()
    with again as first:
        fill(first)
    with again as second:
        assert second.input_tokens is None
    statuses = [(span.attributes or {})["farthing.cost.status"] for span in telemetry.spans()]
    assert statuses == ["priced", "usage_missing"]


def test_one_object_serves_many_blocks_at_once(telemetry: Telemetry) -> None:
    shared = traced()

    async def one(number: int) -> None:
        with shared as usage:
            await asyncio.sleep(0)
            usage.input_tokens, usage.output_tokens = number, 0

    async def several() -> None:
        await asyncio.gather(*(one(number) for number in range(1, 6)))

    asyncio.run(several())
    inputs = {(span.attributes or {})["gen_ai.usage.input_tokens"] for span in telemetry.spans()}
    assert inputs == {1, 2, 3, 4, 5}


def test_a_generator_that_is_closed_elsewhere(telemetry: Telemetry) -> None:
    def work() -> Iterator[int]:
        with traced() as usage:
            fill(usage)
            yield 1

    before = context.get_current()
    values = work()
    next(values)
    context.attach(before)
    del values
    gc.collect()
    assert attributes(telemetry)["gen_ai.usage.cost.amount"] == COST
    assert "error.type" not in attributes(telemetry)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("input_tokens", 10.0, 10),
        ("cache_read_tokens", None, 0),
        ("input_tokens", None, None),
        ("reported_cost", "0.25", Decimal("0.25")),
        ("reported_cost", 0.1, Decimal("0.1")),
        ("tier", "flex", "flex"),
        ("batch", True, True),
    ],
)
def test_what_fields_take(
    field: str, value: object, kept: object, caplog: pytest.LogCaptureFixture
) -> None:
    with traced() as usage:
        setattr(usage, field, value)
        assert getattr(usage, field) == kept
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt_tokens", 5, "ignores the field 'prompt_tokens'; it has: input_tokens, "),
        ("input_tokens", "many", "cannot use 'str' as input_tokens: give a whole number"),
        ("input_tokens", -1, "cannot use 'int' as input_tokens: give a whole number"),
        ("input_tokens", 1.5, "cannot use 'float' as input_tokens: give a whole number"),
        ("output_tokens", True, "cannot use 'bool' as output_tokens: give a whole number"),
        ("reported_cost", "free", "cannot use 'str' as reported_cost: give a number"),
        ("reported_cost", float("nan"), "cannot use 'float' as reported_cost: give a number"),
        ("tier", 1, "cannot use 'int' as tier: give a text."),
        ("batch", "yes", "cannot use 'str' as batch: give True or False."),
    ],
)
def test_what_is_wrong_is_said_once_and_raises_nothing(
    telemetry: Telemetry,
    field: str,
    value: object,
    sentence: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        with traced() as usage:
            fill(usage)
            setattr(usage, field, value)
    (said,) = warnings(caplog)
    assert said.startswith("farthing.cost_trace() " + sentence)
    status = attributes(telemetry)["farthing.cost.status"]
    known = field not in ("input_tokens", "output_tokens")
    assert status == ("priced" if known else "usage_missing")


def test_a_wrong_part_makes_the_cost_inconsistent(telemetry: Telemetry) -> None:
    with traced() as usage:
        fill(usage)
        usage.cache_read_tokens = "most"
    assert attributes(telemetry)["farthing.cost.status"] == "inconsistent"


def test_reading_what_is_no_field() -> None:
    with traced() as usage:
        fill(usage)
        assert set(dir(usage)) >= {"input_tokens", "tier"}
        assert repr(usage) == "CallUsage(input_tokens=1000, output_tokens=100)"
        with pytest.raises(AttributeError, match="no field 'prompt_tokens'; it has: input_tokens"):
            _ = usage.prompt_tokens


def test_its_fields_are_those_of_usage() -> None:
    from farthing.cost_trace import FIELDS

    assert set(FIELDS) == set(Usage._fields) - {"also", "problem"}


@pytest.mark.parametrize("which", ["step", "provider", "model", "operation"])
def test_a_name_that_is_none(
    telemetry: Telemetry, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    with traced(**{which: object()}) as usage:
        fill(usage)
    assert warnings(caplog) == [
        f"farthing.cost_trace() ignores its {which} (object): give a text that is not empty."
    ]
    assert telemetry.sums()["gen_ai.client.operation.duration"] > 0


def test_what_is_asked_twice_by_hand_is_not_called_repeated(telemetry: Telemetry) -> None:
    """Of its prompt nothing is known."""
    with farthing.workflow("report"):
        for _ in range(3):
            with traced(step="plan") as usage:
                fill(usage)
    assert "farthing.waste.cost" not in telemetry.sums()


def test_no_provider_learns_who_our_users_are(telemetry: Telemetry) -> None:
    telemetry.instrument(propagate="user")
    with farthing.workflow("report"), farthing.tag(user="ada"):
        outside: dict[str, str] = {}
        propagate.inject(outside)
        inside: dict[str, str] = {}
        with traced():
            propagate.inject(inside)
    assert "ada" in outside["baggage"]
    assert "baggage" not in inside
    assert inside["traceparent"].split("-")[2] == f"{telemetry.spans()[0].context.span_id:016x}"


def test_without_instrument_and_without_an_sdk() -> None:
    with traced() as usage:
        fill(usage)
    with pytest.raises(KeyError), traced():
        raise KeyError


def paid(telemetry: Telemetry) -> list[Any]:
    """(step, amount or whose duplicate it is) of every span of a call."""
    return [
        (
            (span.attributes or {}).get("farthing.step.name"),
            (span.attributes or {}).get("gen_ai.usage.cost.amount")
            or (span.attributes or {}).get("farthing.cost.duplicate_of"),
        )
        for span in telemetry.spans()
        if span.name.startswith("chat")
    ]


def test_around_a_client_that_is_seen_the_client_pays(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(lambda _request: shapes.ok(shapes.chat()))
    with farthing.workflow("report"), traced(step="plan") as usage:
        provider.openai().chat.completions.create(**ASKED)
        fill(usage)
    inner = f"{telemetry.spans()[0].context.span_id:016x}"
    assert paid(telemetry) == [("plan", shapes.CHAT_COST), ("plan", inner)]
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.CHAT_COST
    assert telemetry.sums()["gen_ai.client.token.usage"] == 2306
    root = attributes(telemetry)
    assert (root["farthing.workflow.calls"], root["farthing.workflow.cost"]) == (
        1,
        shapes.CHAT_COST,
    )


def test_several_calls_inside_pay_each_for_itself(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(lambda _request: shapes.ok(shapes.chat()))
    client = provider.openai()
    with traced():
        for _ in range(2):
            client.chat.completions.create(**ASKED)
    assert telemetry.sums()["gen_ai.client.operation.cost"] == 2 * shapes.CHAT_COST
    assert "farthing.calls.unpriced" not in telemetry.sums()


def test_around_a_client_that_says_no_usage_what_was_filled_in_pays(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.ok(shapes.chat(usage=None)))
    with traced() as usage:
        provider.openai().chat.completions.create(**ASKED)
        fill(usage)
    assert [amount for _, amount in paid(telemetry)] == [None, COST]
    assert telemetry.sums()["gen_ai.client.operation.cost"] == COST


def test_a_stream_that_ends_after_the_block_does_not_pay_again(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    with traced() as usage:
        stream = provider.openai().chat.completions.create(stream=True, **ASKED)
        fill(usage)
    list(stream)
    outer = f"{telemetry.spans()[0].context.span_id:016x}"
    assert [amount for _, amount in paid(telemetry)] == [COST, outer]
    assert telemetry.sums()["gen_ai.client.operation.cost"] == COST
    assert telemetry.sums()["gen_ai.client.token.usage"] == 1100


def test_one_inside_another(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    with traced(step="outer") as outer:
        fill(outer)
        with traced(step="inner") as inner:
            fill(inner)
            provider.openai().chat.completions.create(**ASKED)
        with traced(step="alone") as alone:
            fill(alone)
    first, _, second, _ = telemetry.spans()
    whose = f"{first.context.span_id:016x}"
    assert paid(telemetry) == [
        ("inner", shapes.CHAT_COST),
        ("inner", whose),
        ("alone", COST),
        ("outer", whose),
    ]
    assert second.name == "chat gpt-4o"


@pytest.mark.parametrize("instrumented_first", [True, False])
def test_around_a_call_that_another_tracer_sees_that_one_pays(instrumented_first: bool) -> None:
    telemetry = Telemetry()
    telemetry.instrument()
    tracer = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with farthing.workflow("report"), traced() as usage:
        with tracer.start_as_current_span("chat gpt-4o") as span:
            span.set_attributes(CHAT)
        if instrumented_first:
            fill(usage)
    inner = f"{telemetry.spans()[0].context.span_id:016x}"
    assert [amount for _, amount in paid(telemetry)] == [CHAT_COST, inner]
    assert telemetry.sums()["gen_ai.client.operation.cost"] == CHAT_COST
    assert attributes(telemetry)["farthing.workflow.calls"] == 1
    farthing.uninstrument()


def test_spans_of_the_application_inside_are_below_it(telemetry: Telemetry) -> None:
    with traced(), telemetry.tracer.start_as_current_span("request"):
        assert trace.get_current_span().is_recording()
    request, call = telemetry.spans()
    assert request.parent.span_id == call.context.span_id


def test_global_providers_serve_where_nothing_is_instrumented(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from farthing import telemetry as telemetry_module

    exporter, spans = InMemorySpanExporter(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans)
    telemetry_module._global.cache_clear()
    with traced() as usage:
        fill(usage)
    telemetry_module._global.cache_clear()
    (span,) = exporter.get_finished_spans()
    assert span.attributes["gen_ai.usage.cost.amount"] == COST
