"""The anthropic client, its own tracer included: one call, one span, one cost."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

ASK: Any = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hi"}],
}


def native(telemetry: Telemetry) -> dict[str, Any]:
    """Client options under which the client's own tracer reports to the same place as we do."""
    return {"open_telemetry": {"tracer_provider": telemetry.tracer_provider}}


def test_message_is_one_priced_span(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic(**native(telemetry))
    result = client.messages.create(**ASK, stop_sequences=["END"], output_config={"effort": "low"})
    assert type(result) is Message
    span = telemetry.span()
    assert span.name == "chat claude-sonnet-4-6"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-6",
        "gen_ai.request.max_tokens": 1000,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.reasoning.level": "low",
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.model": "claude-sonnet-4-6",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.usage.input_tokens": 105010,
        "gen_ai.usage.output_tokens": 500,
        "gen_ai.usage.cache_read.input_tokens": 100000,
        "gen_ai.usage.cache_write.input_tokens": 5000,
        "gen_ai.usage.cost.amount": shapes.ANTHROPIC_COST,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "farthing.cost.input": 0.00003,
        "farthing.cost.cache_read": 0.03,
        "farthing.cost.cache_write": 0.0255,
        "farthing.cost.output": 0.0075,
        "farthing.cost.status": "priced",
        "farthing.cost.cache_savings": 0.2595,
        "farthing.cost.prices": dict(span.attributes or {})["farthing.cost.prices"],
        "farthing.baseline.count": 0,
        "farthing.baseline.source": "threshold",
        "farthing.outlier.cost_limit": 0.005,
        "farthing.outlier.detected": True,
        "farthing.outlier.reasons": ("cold_threshold", "low_yield"),
        "farthing.outlier.yield_limit": 50.0,
        "farthing.step.name": "chat claude-sonnet-4-6",
    }
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.ANTHROPIC_COST


async def test_async_message(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.message())).async_anthropic(**native(telemetry))
    assert type(await client.messages.create(**ASK)) is Message
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST


STREAMS = {
    "one delta": ({"output_tokens": 500},),
    "several deltas are cumulative": (
        {"output_tokens": 20},
        {"output_tokens": 300},
        {"output_tokens": 500},
    ),
    "a delta repeats the input": (
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 100000,
            "cache_creation_input_tokens": 5000,
            "output_tokens": 500,
        },
    ),
    "absent and null fields erase nothing": (
        {"output_tokens": 500, "cache_read_input_tokens": None, "input_tokens": None},
    ),
}


@pytest.mark.parametrize("deltas", STREAMS.values(), ids=STREAMS)
def test_streamed_message(
    telemetry: Telemetry, provider: Provider, deltas: tuple[dict[str, Any], ...]
) -> None:
    client = provider.answers(shapes.sse(shapes.message_events(*deltas))).anthropic(
        **native(telemetry)
    )
    stream = client.messages.create(**ASK, stream=True)
    assert type(stream) is anthropic.Stream
    kinds = [event.type for event in stream]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert attributes["gen_ai.usage.output_tokens"] == 500
    assert attributes["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST
    assert attributes["gen_ai.response.finish_reasons"] == ("end_turn",)


def test_stream_helper(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.message_events())).anthropic(**native(telemetry))
    with client.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream) == "Hello"
        assert stream.get_final_message().usage.output_tokens == 500
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST


async def test_async_stream_helper(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.message_events())).async_anthropic(
        **native(telemetry)
    )
    async with client.messages.stream(**ASK) as stream:
        assert await stream.get_final_text() == "Hello"
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST


def test_stream_left_early_is_no_error(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.message_events())).anthropic(**native(telemetry))
    with client.messages.create(**ASK, stream=True) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                break
    span = telemetry.span()
    attributes = telemetry.attributes()
    assert span.status.status_code is StatusCode.UNSET
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert "gen_ai.usage.output_tokens" not in attributes  # 1 is message_start's placeholder
    assert "gen_ai.usage.cost.amount" not in attributes


def test_beta_and_raw(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic(**native(telemetry))
    client.beta.messages.create(**ASK)
    assert client.messages.with_raw_response.create(**ASK).parse().id == "msg_1"
    costs = [dict(s.attributes or {})["gen_ai.usage.cost.amount"] for s in telemetry.spans()]
    assert costs == [shapes.ANTHROPIC_COST] * 2


def test_compaction_is_billed(telemetry: Telemetry, provider: Provider) -> None:
    own = {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    usage = own | {
        "input_tokens": 23000,
        "output_tokens": 1000,
        "iterations": [
            own | {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
            own | {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
        ],
    }
    body = shapes.message(model="claude-opus-4-6", usage=usage)
    client = provider.answers(shapes.ok(body)).anthropic(**native(telemetry))
    client.beta.messages.create(**ASK | {"model": "claude-opus-4-6"})
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == 1.1275
    assert attributes["gen_ai.usage.input_tokens"] == 203000
    assert attributes["gen_ai.usage.output_tokens"] == 4500


def test_an_error_reaches_the_caller_as_it_was(telemetry: Telemetry, provider: Provider) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    client = provider.answers(httpx2.Response(529, json=error)).anthropic(**native(telemetry))
    with pytest.raises(anthropic.APIStatusError, match="busy"):
        client.messages.create(**ASK)
    assert telemetry.attributes()["error.type"] == "OverloadedError"
    assert telemetry.span().status.status_code is StatusCode.ERROR


def test_its_own_trace_context_is_ours(telemetry: Telemetry, provider: Provider) -> None:
    """The client sends the context of its call span with the request: now that of our span."""
    client = provider.answers(shapes.ok(shapes.message())).anthropic(**native(telemetry))
    client.messages.create(**ASK)
    context = telemetry.span().context
    assert context is not None
    sent = provider.requests[0].headers["traceparent"].split("-")
    assert sent[1] == trace.format_trace_id(context.trace_id)
    assert sent[2] == trace.format_span_id(context.span_id)


def test_the_native_span_is_back_after_uninstrument(
    telemetry: Telemetry, provider: Provider
) -> None:
    farthing.uninstrument()
    client = provider.answers(shapes.ok(shapes.message())).anthropic(**native(telemetry))
    client.messages.create(**ASK)
    assert telemetry.span().name == "anthropic.messages.create"


def test_a_native_tracer_that_cannot_be_replaced_keeps_its_call(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the client's internal is missing we emit nothing, so that nothing is paid twice."""
    from farthing.providers.anthropic import LIBRARY

    base: Any = anthropic._base_client
    assert LIBRARY.known(base)
    monkeypatch.delattr(base, "start_api_call_span")
    assert not LIBRARY.known(base)


def test_a_delta_without_a_count_leaves_the_placeholder_one(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.sse(shapes.message_events({}))).anthropic()
    list(client.messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert "gen_ai.usage.output_tokens" not in attributes


def test_the_conversation_given_to_the_client_is_kept(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic(
        open_telemetry={
            "tracer_provider": telemetry.tracer_provider,
            "conversation_id": "conv_1",
        }
    )
    client.messages.create(**ASK)
    assert telemetry.attributes()["gen_ai.conversation.id"] == "conv_1"


def test_with_metrics_alone_the_client_keeps_its_span(
    telemetry: Telemetry, provider: Provider
) -> None:
    """Where nobody takes our spans there is none to put in the place of the client's."""
    farthing.instrument(meter_provider=telemetry.meter_provider)
    client = provider.answers(shapes.ok(shapes.message())).anthropic(**native(telemetry))
    client.messages.create(**ASK)
    assert telemetry.span().name == "anthropic.messages.create"
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.ANTHROPIC_COST
