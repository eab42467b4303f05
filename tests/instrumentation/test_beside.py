"""Beside other tracers of the same call: who pays, and whose step it is."""

from __future__ import annotations

from typing import Any

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.processor.spans import CHAT, OFFICIAL, hex_id, paid

ATTRIBUTE = "farthing.cost.duplicate_of"
STARTED = {"gen_ai.operation.name": "chat"}


def test_a_span_within_our_call_is_marked_from_the_start(
    telemetry: Telemetry, provider: Provider
) -> None:
    def answer(_: object) -> Any:
        tracer = telemetry.tracer_provider.get_tracer(OFFICIAL)
        with tracer.start_as_current_span(
            "theirs", attributes={"gen_ai.operation.name": "chat"}
        ) as span:
            early.append(dict(span.attributes or {}))  # type: ignore[attr-defined]
            span.set_attributes(CHAT)
        return shapes.ok(shapes.chat())

    early: list[dict[str, Any]] = []
    provider.answers(answer)
    ask(provider)
    theirs, ours = telemetry.spans()
    assert early[0][ATTRIBUTE] == hex_id(ours)
    assert (theirs.attributes or {})[ATTRIBUTE] == hex_id(ours)
    assert paid([theirs, ours]) == [shapes.CHAT_COST]
    assert telemetry.points()["gen_ai.client.operation.cost"][0].count == 1


def test_a_span_around_our_call_is_ours(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    tracer = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with tracer.start_as_current_span("theirs", attributes=STARTED) as span:
        answer = ask(provider)
        span.set_attributes(CHAT | {"gen_ai.response.id": answer.id})
    ours, theirs = telemetry.spans()
    assert (theirs.attributes or {})[ATTRIBUTE] == hex_id(ours)
    assert paid([theirs, ours]) == [shapes.CHAT_COST]


def test_a_span_around_our_call_that_ends_first_is_ours_too(
    telemetry: Telemetry, provider: Provider
) -> None:
    """Some tracers end a stream's span with its last event, before we know that it is the last."""
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    tracer = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with tracer.start_as_current_span("theirs", attributes=STARTED, end_on_exit=False) as span:
        stream = provider.openai().chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        next(stream)
        span.set_attributes(CHAT)
        span.end()
    list(stream)
    theirs, ours = telemetry.spans()
    assert (theirs.attributes or {})[ATTRIBUTE] == hex_id(ours)
    assert paid([theirs, ours]) == [shapes.CHAT_COST]


def test_the_step_is_what_is_around_theirs(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    theirs = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with (
        telemetry.tracer.start_as_current_span("plan"),
        theirs.start_as_current_span("theirs", attributes=STARTED),
    ):
        ask(provider)
    assert (telemetry.spans()[0].attributes or {})["farthing.step.name"] == "plan"


def test_without_anything_around_it_the_step_is_the_call(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    theirs = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with theirs.start_as_current_span("theirs", attributes=STARTED):
        ask(provider)
    assert (telemetry.spans()[0].attributes or {})["farthing.step.name"] == "chat gpt-4o"


def test_other_tracers_spans_can_be_left_alone(provider: Provider) -> None:
    telemetry = Telemetry()
    for options, amounts in (({"price_spans": False}, 0), ({"price_spans": True}, 1)):
        telemetry.instrument(**options)
        telemetry.exporter.clear()
        with telemetry.tracer_provider.get_tracer(OFFICIAL).start_as_current_span("call") as span:
            span.set_attributes(CHAT)
        assert len(paid(telemetry.spans())) == amounts
    farthing.uninstrument()
    telemetry.exporter.clear()
    with telemetry.tracer_provider.get_tracer(OFFICIAL).start_as_current_span("call") as span:
        span.set_attributes(CHAT | {"gen_ai.response.id": "chatcmpl-2"})
    assert not paid(telemetry.spans())


def ask(provider: Provider) -> Any:
    return provider.openai().chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}]
    )
