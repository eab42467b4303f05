"""Streamed messages: every helper, every event, and usage that comes in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from opentelemetry.trace import StatusCode

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

ASK: Any = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hi"}],
}
NONE = {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}


def events(usage: dict[str, Any], *deltas: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The events of a message that starts with ``usage``; ``more`` is of its start."""
    made = shapes.message_events(*deltas)
    made[0]["message"] |= {"usage": usage} | more
    return made


HELPERS: dict[str, Callable[[Any], object]] = {
    "events": list,
    "text_stream": lambda stream: list(stream.text_stream),
    "until_done": lambda stream: stream.until_done(),
    "get_final_message": lambda stream: stream.get_final_message(),
    "get_final_text": lambda stream: stream.get_final_text(),
    "snapshot": lambda stream: [stream.current_message_snapshot for _ in stream],
    "twice": lambda stream: (stream.until_done(), stream.get_final_message()),
    "then closed": lambda stream: (stream.until_done(), stream.close()),
}


@pytest.mark.parametrize("read", HELPERS.values(), ids=HELPERS)
def test_helpers(telemetry: Telemetry, provider: Provider, read: Callable[[Any], object]) -> None:
    client = provider.answers(lambda _request: shapes.sse(shapes.message_events())).anthropic()
    for messages in (client.messages, client.beta.messages):
        with messages.stream(**ASK) as stream:  # type: ignore[attr-defined]
            read(stream)
    costs = [dict(span.attributes or {})["gen_ai.usage.cost.amount"] for span in telemetry.spans()]
    assert costs == [shapes.ANTHROPIC_COST] * 2


async def _texts(stream: Any) -> list[str]:
    return [text async for text in stream.text_stream]


async def _events(stream: Any) -> list[Any]:
    return [event async for event in stream]


ASYNC_HELPERS: dict[str, Callable[[Any], Any]] = {
    "events": _events,
    "text_stream": _texts,
    "until_done": lambda stream: stream.until_done(),
    "get_final_message": lambda stream: stream.get_final_message(),
    "get_final_text": lambda stream: stream.get_final_text(),
}


@pytest.mark.parametrize("read", ASYNC_HELPERS.values(), ids=ASYNC_HELPERS)
async def test_async_helpers(
    telemetry: Telemetry, provider: Provider, read: Callable[[Any], Any]
) -> None:
    client = provider.answers(
        lambda _request: shapes.sse(shapes.message_events())
    ).async_anthropic()
    for messages in (client.messages, client.beta.messages):
        async with messages.stream(**ASK) as stream:  # type: ignore[attr-defined]
            await read(stream)
    costs = [dict(span.attributes or {})["gen_ai.usage.cost.amount"] for span in telemetry.spans()]
    assert costs == [shapes.ANTHROPIC_COST] * 2


def test_a_helper_left_unread(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.message_events())).anthropic()
    with client.messages.stream(**ASK):
        pass
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert "gen_ai.response.time_to_first_chunk" not in attributes


def test_a_manager_that_is_never_entered_calls_nothing(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.sse(shapes.message_events())).anthropic().messages.stream(**ASK)
    assert provider.requests == []
    assert telemetry.spans() == []


async def test_an_async_helper_left_early(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.message_events())).async_anthropic()
    async with client.messages.stream(**ASK) as stream:
        async for _ in stream:
            break
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"
    assert telemetry.span().status.status_code is StatusCode.UNSET


ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}


def test_an_error_event(telemetry: Telemetry, provider: Provider) -> None:
    """The client raises it; what the start of the message said of its input is kept."""
    client = provider.answers(shapes.sse([*shapes.message_events()[:4], ERROR])).anthropic()
    with pytest.raises(anthropic.APIStatusError, match="busy") as raised:
        list(client.messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    assert attributes["error.type"] == raised.type.__qualname__
    assert telemetry.span().status.status_code is StatusCode.ERROR
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert attributes["farthing.cost.status"] == "usage_missing"
    (duration,) = telemetry.points()["gen_ai.client.operation.duration"]
    assert duration.attributes["error.type"] == raised.type.__qualname__


def test_an_error_event_among_bytes(telemetry: Telemetry, provider: Provider) -> None:
    """Who reads the bytes is raised nothing; the call failed all the same."""
    client = provider.answers(shapes.sse([*shapes.message_events()[:4], ERROR])).anthropic()
    with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
        assert b"overloaded_error" in b"".join(response.iter_bytes())
    assert telemetry.attributes()["error.type"] == "overloaded_error"
    assert telemetry.span().status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["gen_ai.usage.input_tokens"] == 105010


def test_an_error_event_for_a_helper(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse([*shapes.message_events()[:4], ERROR])).anthropic()
    with (
        pytest.raises(anthropic.APIStatusError, match="busy"),
        client.beta.messages.stream(**ASK) as stream,
    ):
        stream.get_final_message()
    assert telemetry.span().status.status_code is StatusCode.ERROR


USAGES: dict[str, tuple[list[dict[str, Any]], float | None, str]] = {
    "writes by time to live, in the start alone": (
        events(shapes.ANTHROPIC_USAGE, {"output_tokens": 500}),
        shapes.ANTHROPIC_COST,
        "priced",
    ),
    "counts that grew while tools ran": (
        events(
            NONE | {"input_tokens": 1000, "output_tokens": 1},
            {
                "input_tokens": 21000,
                "output_tokens": 500,
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            },
        ),
        21000 * 3e-6 + 500 * 15e-6 + 2 * 0.01,
        "priced",
    ),
    "writes that grew past their split": (
        events(shapes.ANTHROPIC_USAGE, {"output_tokens": 500, "cache_creation_input_tokens": 6000}),
        None,
        "inconsistent",
    ),
    "compaction": (
        events(
            NONE | {"input_tokens": 23000, "output_tokens": 1},
            {
                "input_tokens": 23000,
                "output_tokens": 1000,
                "iterations": [
                    NONE | {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
                    NONE | {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
                ],
            },
            model="claude-opus-4-6",
        ),
        1.1275,
        "priced",
    ),
    "an advisor": (
        events(
            NONE | {"input_tokens": 1000, "output_tokens": 1},
            {
                "output_tokens": 100,
                "iterations": [
                    NONE | {"type": "message", "input_tokens": 1000, "output_tokens": 100},
                    NONE
                    | {
                        "type": "advisor_message",
                        "model": "claude-opus-4-6",
                        "input_tokens": 2000,
                        "output_tokens": 200,
                    },
                ],
            },
        ),
        1000 * 3e-6 + 100 * 15e-6 + 2000 * 5e-6 + 200 * 25e-6,
        "priced",
    ),
    "thinking": (
        events(
            NONE | {"input_tokens": 1000, "output_tokens": 1},
            {"output_tokens": 700, "output_tokens_details": {"thinking_tokens": 600}},
        ),
        1000 * 3e-6 + 700 * 15e-6,
        "priced",
    ),
    "a fallback's models": (
        events(
            NONE | {"input_tokens": 1000, "output_tokens": 1},
            {
                "output_tokens": 100,
                "iterations": [
                    NONE
                    | {
                        "type": "message",
                        "model": "claude-opus-4-6",
                        "input_tokens": 1000,
                        "output_tokens": 5,
                    },
                    NONE
                    | {
                        "type": "fallback_message",
                        "model": "claude-sonnet-4-6",
                        "input_tokens": 1000,
                        "output_tokens": 100,
                    },
                ],
            },
        ),
        None,
        "inconsistent",
    ),
}


@pytest.mark.parametrize("read", ["messages", "beta", "bytes"])
@pytest.mark.parametrize(("sent", "cost", "status"), USAGES.values(), ids=USAGES)
def test_usage_in_parts(
    telemetry: Telemetry,
    provider: Provider,
    read: str,
    sent: list[dict[str, Any]],
    cost: float | None,
    status: str,
) -> None:
    client = provider.answers(shapes.sse(sent)).anthropic()
    ask = ASK | {"model": sent[0]["message"]["model"]}
    if read == "messages":
        list(client.messages.create(**ask, stream=True))
    elif read == "beta":
        list(client.beta.messages.create(**ask, stream=True))
    else:
        with client.messages.with_streaming_response.create(**ask, stream=True) as response:
            list(response.iter_bytes())
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == status
    if cost is not None:
        assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("reason", ["end_turn", "max_tokens", "pause_turn", "refusal", "tool_use"])
def test_why_it_stopped(telemetry: Telemetry, provider: Provider, reason: str) -> None:
    sent = shapes.message_events()
    sent[-2]["delta"]["stop_reason"] = reason
    list(provider.answers(shapes.sse(sent)).anthropic().messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    assert attributes["gen_ai.response.finish_reasons"] == (reason,)
    assert attributes["farthing.cost.status"] == "priced"
    assert telemetry.span().status.status_code is StatusCode.UNSET


BLOCKS: list[dict[str, Any]] = [
    {"content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"delta": {"type": "thinking_delta", "thinking": "Let me "}},
    {"delta": {"type": "thinking_delta", "thinking": "see."}},
    {"delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"content_block": {"type": "redacted_thinking", "data": "ZGF0YQ=="}},
    {"content_block": {"type": "text", "text": ""}},
    {"delta": {"type": "text_delta", "text": "Hello"}},
    {
        "delta": {
            "type": "citations_delta",
            "citation": {
                "type": "char_location",
                "cited_text": "x",
                "document_index": 0,
                "document_title": None,
                "start_char_index": 0,
                "end_char_index": 1,
                "file_id": None,
            },
        }
    },
    {"content_block": {"type": "tool_use", "id": "t1", "name": "look", "input": {}}},
    {"delta": {"type": "input_json_delta", "partial_json": '{"at":'}},
    {"delta": {"type": "input_json_delta", "partial_json": '"it"}'}},
]


def block_events() -> list[dict[str, Any]]:
    made, index = [], -1
    for block in BLOCKS:
        started = "content_block" in block
        index += started
        kind = "content_block_start" if started else "content_block_delta"
        made.append({"type": kind, "index": index, **block})
    whole = shapes.message_events()
    return [whole[0], *made, *whole[-2:]]


@pytest.mark.parametrize("content", ["NO_CONTENT", "SPAN_ONLY"])
@pytest.mark.parametrize("helper", [False, True])
def test_every_kind_of_block(provider: Provider, content: str, helper: bool) -> None:
    telemetry = Telemetry()
    telemetry.instrument(content=content)
    client = provider.answers(shapes.sse(block_events())).anthropic()
    if helper:
        with client.messages.stream(**ASK) as stream:
            kinds = [block.type for block in stream.get_final_message().content]
        assert kinds == ["thinking", "redacted_thinking", "text", "tool_use"]
    else:
        list(client.messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    farthing.uninstrument()
    assert attributes["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST
    if content == "NO_CONTENT":
        assert "gen_ai.output.messages" not in attributes
        return
    ((said),) = json.loads(attributes["gen_ai.output.messages"])
    parts = {part["type"]: part for part in said["parts"]}
    assert parts["reasoning"]["content"] == "Let me see."
    assert parts["text"]["content"] == "Hello"
    assert parts["tool_call"]["arguments"] == {"at": "it"}


ODD: list[dict[str, Any]] = [
    {"type": "message_start", "message": None},
    {"type": "message_delta", "delta": None, "usage": {"output_tokens": "many"}},
    {"type": "content_block_delta", "index": "x", "delta": None},
    {"type": "something_new"},
    {"type": "message_delta", "delta": {}, "usage": None},
]


def test_events_that_make_no_sense(telemetry: Telemetry, provider: Provider) -> None:
    """Whatever the caller's own loop can stand, it gets."""
    client = provider.answers(shapes.sse(ODD)).anthropic()
    assert len(list(client.messages.create(**ASK, stream=True))) == len(ODD)
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_a_stream_without_its_end(telemetry: Telemetry, provider: Provider) -> None:
    """A body that ends in the middle of a message raises nothing: its output was never counted."""
    client = provider.answers(shapes.sse(shapes.message_events()[:4])).anthropic()
    list(client.messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert attributes["gen_ai.response.finish_reasons"] == ("error",)


def test_broken_off_after_the_usage(telemetry: Telemetry, provider: Provider) -> None:
    reply = shapes.sse(shapes.message_events()[:-1], error=httpx2.ReadError("cut"))
    with pytest.raises((anthropic.APIConnectionError, httpx2.ReadError)):
        list(provider.answers(reply).anthropic().messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    assert "error.type" in attributes
    assert attributes["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST
