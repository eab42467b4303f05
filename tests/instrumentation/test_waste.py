"""Waste: what calls cost that bought nothing, said on their spans and counted once."""

from __future__ import annotations

import gc
from typing import Any

import openai
import pydantic
import pytest
from opentelemetry import trace

import farthing
from farthing.estimating import RATIOS
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.processor.spans import CHAT, CHAT_COST, OFFICIAL

MESSAGES: Any = [{"role": "user", "content": "hi there"}]
ASKED: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}
PLAIN = {"prompt_tokens": 16, "completion_tokens": 20, "total_tokens": 36}
PART_COST = (16 * 2.5 + 12 * 10) / 1e6
"""Of 16 tokens in, and 12 of the 20 that ``Hello`` came to before: ``Hel``."""


class Reply(pydantic.BaseModel):
    text: str


def waste(telemetry: Telemetry) -> dict[tuple[str, str], float]:
    """USD by reason and step."""
    return {
        (
            point.attributes["farthing.waste.reason"],
            point.attributes["farthing.step.name"],
        ): point.value
        for point in telemetry.points().get("farthing.waste.cost", [])
    }


def said(telemetry: Telemetry) -> list[Any]:
    """The reason on every call's span."""
    return [
        (span.attributes or {}).get("farthing.waste.reason")
        for span in telemetry.spans()
        if span.name.startswith("chat")
    ]


@pytest.fixture
def estimating(telemetry: Telemetry, provider: Provider) -> Telemetry:
    """One that has seen what a character comes to."""
    RATIOS._seen.clear()
    telemetry.instrument(estimate=True)
    provider.answers(shapes.ok(shapes.chat(PLAIN))).openai().chat.completions.create(**ASKED)
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    return telemetry


def refused(provider: Provider, **more: Any) -> None:
    """A call that is answered and billed, and whose answer the client refuses."""
    provider.answers(shapes.ok(shapes.chat(choices=[{**CHOICE, "finish_reason": "length"}])))
    client = provider.openai()
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(response_format=Reply, **ASKED, **more)


CHOICE: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": '{"te'}}


def test_a_failed_call_that_was_billed(telemetry: Telemetry, provider: Provider) -> None:
    with farthing.step("plan"):
        refused(provider)
    assert waste(telemetry) == {("failed", "plan"): shapes.CHAT_COST}
    assert said(telemetry) == ["failed"]


def test_a_failed_call_that_was_not_billed(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(lambda _request: shapes.ok({}).__class__(500, json={"error": {}}))
    with pytest.raises(openai.InternalServerError):
        provider.openai().chat.completions.create(**ASKED)
    assert waste(telemetry) == {}
    assert said(telemetry) == [None]


def test_a_stream_that_is_left_early(estimating: Telemetry, provider: Provider) -> None:
    with (
        farthing.step("plan"),
        provider.openai().chat.completions.create(stream=True, **ASKED) as stream,
    ):
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    assert waste(estimating) == {("abandoned", "plan"): pytest.approx(PART_COST)}
    assert said(estimating) == [None, "abandoned"]


def test_a_stream_that_is_dropped(estimating: Telemetry, provider: Provider) -> None:
    with farthing.step("plan"):
        stream = provider.openai().chat.completions.create(stream=True, **ASKED)
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        del stream
    gc.collect()
    assert waste(estimating) == {("abandoned", "plan"): pytest.approx(PART_COST)}


def test_a_stream_that_breaks(estimating: Telemetry, provider: Provider) -> None:
    broken = shapes.sse(shapes.chat_chunks()[:2], error=ConnectionError("gone"))
    provider.answers(broken)
    with (
        farthing.step("plan"),
        provider.openai().chat.completions.create(stream=True, **ASKED) as stream,
        pytest.raises(ConnectionError),
    ):
        list(stream)
    assert waste(estimating) == {("failed", "plan"): pytest.approx(PART_COST)}


@pytest.mark.parametrize("finished_only", [False, True])
def test_a_stream_whose_answer_came_whole_is_not_abandoned(
    estimating: Telemetry, provider: Provider, finished_only: bool
) -> None:
    """Read to its end without usage; or left once the provider had said that it is finished."""
    provider.answers(shapes.sse(shapes.chat_chunks(usage=None), done=True))
    with provider.openai().chat.completions.create(stream=True, **ASKED) as stream:
        for chunk in stream:
            if finished_only and chunk.choices[0].finish_reason:
                break
    span = estimating.spans()[-1]
    assert (span.attributes or {})["farthing.cost.status"] == "estimated"
    assert waste(estimating) == {}
    assert said(estimating) == [None, None]


def test_a_raw_stream_that_is_closed(estimating: Telemetry, provider: Provider) -> None:
    asked = provider.openai().chat.completions.with_streaming_response
    with asked.create(stream=True, **ASKED) as response:
        for line in response.iter_lines():
            if '"Hel"' in line:
                break
    assert said(estimating) == [None, "abandoned"]


def test_asking_the_same_again(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(lambda _request: shapes.ok(shapes.chat()))
    client = provider.openai()
    with farthing.workflow("report"), farthing.step("plan"):
        for _ in range(3):
            client.chat.completions.create(**ASKED)
    assert waste(telemetry) == {("repeated", "plan"): 2 * shapes.CHAT_COST}
    assert said(telemetry) == [None, "repeated", "repeated"]


def test_a_failed_workflow_adds_what_is_not_yet_waste(
    telemetry: Telemetry, provider: Provider
) -> None:
    other = {"model": "gpt-4o", "messages": [{"role": "user", "content": "something else"}]}
    with farthing.workflow("report"):
        with farthing.step("plan"):
            refused(provider)
            provider.answers(lambda _request: shapes.ok(shapes.chat()))
            provider.openai().chat.completions.create(**other)
        with farthing.step("write"):
            provider.openai().chat.completions.create(**other)  # the same again
        farthing.outcome("failed", "not good enough")
    once = shapes.CHAT_COST
    assert waste(telemetry) == {
        ("failed", "plan"): once,
        ("workflow_failed", "plan"): once,
        ("repeated", "write"): once,
    }
    root = dict(telemetry.spans()[-1].attributes or {})
    assert root["farthing.workflow.waste"] == root["farthing.workflow.cost"] == 3 * once
    assert said(telemetry) == ["failed", None, "repeated"]
    assert telemetry.sums()["gen_ai.client.operation.cost"] == pytest.approx(3 * once)


@pytest.mark.parametrize("outcome", ["success", "cancelled", "rejected"])
def test_other_outcomes_waste_nothing(
    telemetry: Telemetry, provider: Provider, outcome: str
) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    with farthing.workflow("report"):
        provider.openai().chat.completions.create(**ASKED)
        farthing.outcome(outcome)
    assert waste(telemetry) == {}


def test_a_billed_failure_that_another_tracer_saw(telemetry: Telemetry) -> None:
    tracer = telemetry.tracer_provider.get_tracer(OFFICIAL)
    with (
        farthing.workflow("report"),
        farthing.step("plan"),
        tracer.start_as_current_span("chat gpt-4o") as span,
    ):
        span.set_attributes(CHAT)
        span.set_status(trace.StatusCode.ERROR)
    assert waste(telemetry) == {("failed", "plan"): CHAT_COST}
    assert said(telemetry) == ["failed"]
