"""The tracer inside the anthropic client, replaced or kept: one span, one cost, metrics once."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

ASK: Any = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hi"}],
}
SCOPES = {"replace": "farthing", "keep": "com.anthropic.sdk.python"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}


@pytest.fixture(params=SCOPES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def telemetry(mode: str) -> Iterator[Telemetry]:
    made = Telemetry()
    made.instrument(anthropic_native=mode)
    yield made
    farthing.uninstrument()


@pytest.fixture
def kept() -> Iterator[Telemetry]:
    made = Telemetry()
    made.instrument(anthropic_native="keep")
    yield made
    farthing.uninstrument()


def native(telemetry: Telemetry, **more: Any) -> dict[str, Any]:
    return {"open_telemetry": {"tracer_provider": telemetry.tracer_provider, **more}}


def message() -> httpx2.Response:
    return shapes.ok(shapes.message())


def events() -> httpx2.Response:
    return shapes.sse(shapes.message_events())


def create(client: anthropic.Anthropic) -> None:
    client.messages.create(**ASK)


def stream(client: anthropic.Anthropic) -> None:
    list(client.messages.create(**ASK, stream=True))


def helper(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**ASK) as stream:
        assert stream.get_final_text() == "Hello"


def beta(client: anthropic.Anthropic) -> None:
    with client.beta.messages.stream(**ASK) as stream:
        stream.until_done()


def raw(client: anthropic.Anthropic) -> None:
    assert client.messages.with_raw_response.create(**ASK).parse().id == "msg_1"


def raw_stream(client: anthropic.Anthropic) -> None:
    list(client.messages.with_raw_response.create(**ASK, stream=True).parse())


def read_bytes(client: anthropic.Anthropic) -> None:
    with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
        assert b"message_stop" in b"".join(response.iter_bytes())


WAYS: dict[str, tuple[Callable[[], httpx2.Response], Callable[[anthropic.Anthropic], None]]] = {
    "create": (message, create),
    "stream": (events, stream),
    "helper": (events, helper),
    "beta": (events, beta),
    "raw": (lambda: shapes.unread(shapes.message()), raw),
    "raw stream": (events, raw_stream),
    "bytes": (events, read_bytes),
}


@pytest.mark.parametrize(("answer", "call"), WAYS.values(), ids=WAYS)
def test_one_span_and_one_cost(
    telemetry: Telemetry,
    provider: Provider,
    mode: str,
    answer: Callable[[], httpx2.Response],
    call: Callable[[anthropic.Anthropic], None],
) -> None:
    with telemetry.tracer.start_as_current_span("step") as step:
        call(provider.answers(answer()).anthropic(**native(telemetry)))
    span = next(span for span in telemetry.spans() if span.name != "step")
    assert len(telemetry.spans()) == 2
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == SCOPES[mode]
    assert span.parent is not None
    assert span.parent.span_id == step.get_span_context().span_id
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST
    assert attributes["gen_ai.usage.output_tokens"] == 500
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert attributes["gen_ai.response.finish_reasons"] == ("end_turn",)
    assert attributes["farthing.step.name"] == "step"
    points = telemetry.points()
    (cost,) = points["gen_ai.client.operation.cost"]
    assert (cost.sum, cost.count) == (shapes.ANTHROPIC_COST, 1)
    assert span.context is not None
    assert [exemplar.span_id for exemplar in cost.exemplars] == [span.context.span_id]
    (duration,) = points["gen_ai.client.operation.duration"]
    assert duration.count == 1


async def test_async(telemetry: Telemetry, provider: Provider, mode: str) -> None:
    client = provider.answers(message(), events()).async_anthropic(**native(telemetry))
    await client.messages.create(**ASK)
    async with client.messages.stream(**ASK) as stream:
        await stream.until_done()
    scopes = [span.instrumentation_scope for span in telemetry.spans()]
    assert [scope and scope.name for scope in scopes] == [SCOPES[mode]] * 2
    assert telemetry.sums()["gen_ai.client.operation.cost"] == 2 * shapes.ANTHROPIC_COST


def test_an_error(telemetry: Telemetry, provider: Provider, mode: str) -> None:
    client = provider.answers(httpx2.Response(529, json=OVERLOADED)).anthropic(**native(telemetry))
    with pytest.raises(anthropic.APIStatusError, match="busy"):
        client.messages.create(**ASK)
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    (duration,) = telemetry.points()["gen_ai.client.operation.duration"]
    assert duration.attributes["error.type"] == "OverloadedError"
    assert telemetry.attributes()["error.type"] == "OverloadedError"
    assert "farthing.cost.status" not in telemetry.attributes()


ENDINGS: dict[str, Callable[[anthropic.Anthropic], None]] = {
    "closed": lambda client: _begun(client).close(),
    "dropped": lambda client: _drop(_begun(client)),
    "left unread": lambda client: _drop(client.messages.create(**ASK, stream=True)),
    "raw left unread": lambda client: _drop(
        client.messages.with_raw_response.create(**ASK, stream=True)
    ),
    "bytes closed early": lambda client: _first_bytes(client),
    "helper closed": lambda client: _helper_closed(client),
}


def _begun(client: anthropic.Anthropic) -> Any:
    stream = client.messages.create(**ASK, stream=True)
    next(stream)
    return stream


def _drop(_stream: object) -> None:
    pass


def _first_bytes(client: anthropic.Anthropic) -> None:
    with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
        next(response.iter_bytes())


def _helper_closed(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**ASK) as stream:
        next(stream)


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_a_stream_left_early(
    telemetry: Telemetry,
    provider: Provider,
    mode: str,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[anthropic.Anthropic], None],
) -> None:
    end(provider.answers(lambda _request: events()).anthropic(**native(telemetry)))
    gc.collect()
    assert telemetry.sums()["farthing.calls.unpriced"] == 1
    span = telemetry.span()
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == SCOPES[mode]
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"
    assert span.status.status_code is not StatusCode.ERROR
    assert "ended span" not in caplog.text


def test_broken_off(telemetry: Telemetry, provider: Provider) -> None:
    reply = shapes.sse(shapes.message_events()[:3], error=httpx2.ReadError("cut"))
    client = provider.answers(reply).anthropic(**native(telemetry))
    with pytest.raises((anthropic.APIConnectionError, httpx2.ReadError)) as raised:
        list(client.messages.create(**ASK, stream=True))
    assert telemetry.attributes()["error.type"] == raised.type.__qualname__
    assert telemetry.span().status.status_code is StatusCode.ERROR


async def test_cancelled(telemetry: Telemetry) -> None:
    started = asyncio.Event()

    async def never(_request: httpx2.Request) -> httpx2.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    client = anthropic.AsyncAnthropic(
        api_key="key",
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(never)),
        **native(telemetry),
    )
    task = asyncio.create_task(client.messages.create(**ASK))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert telemetry.attributes()["error.type"] == "CancelledError"
    assert not trace.get_current_span().get_span_context().is_valid


def test_in_a_forked_child_the_call_is_its_parents(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = provider.answers(events()).anthropic(**native(telemetry))
    stream = client.messages.create(**ASK, stream=True)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    list(stream)
    assert telemetry.spans() == []


def test_the_provider_is_called_in_the_span_there_is(
    telemetry: Telemetry, provider: Provider
) -> None:
    current = []

    def answer(_request: httpx2.Request) -> httpx2.Response:
        current.append(trace.get_current_span().get_span_context().span_id)
        return message()

    provider.answers(answer).anthropic(**native(telemetry)).messages.create(**ASK)
    context = telemetry.span().context
    assert context is not None
    assert current == [context.span_id]
    assert provider.requests[0].headers["traceparent"].split("-")[2] == f"{context.span_id:016x}"


def test_other_calls_keep_the_clients_span(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok({"id": "m", "type": "model"})).anthropic(
        **native(telemetry)
    )
    client.models.retrieve("claude-sonnet-4-6")
    assert telemetry.span().name == "anthropic.models.retrieve"
    assert "gen_ai.client.operation.duration" not in telemetry.points()


def test_the_conversation_is_said(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(message()).anthropic(**native(telemetry, conversation_id="conv_1"))
    client.messages.create(**ASK)
    assert telemetry.attributes()["gen_ai.conversation.id"] == "conv_1"


def test_kept_the_clients_own_attributes_stay(kept: Telemetry, provider: Provider) -> None:
    provider.answers(message()).anthropic(**native(kept)).messages.create(**ASK)
    span, attributes = kept.span(), kept.attributes()
    assert span.name == "anthropic.messages.create"
    assert span.status.status_code is StatusCode.OK
    assert attributes["http.response.status_code"] == 200
    assert attributes["anthropic.message.stop_reason"] == "end_turn"
    assert attributes["anthropic.usage.cache_creation.ephemeral_1h_input_tokens"] == 3000
    assert attributes["farthing.cost.cache_write"] == 0.0255


def test_kept_content_goes_where_the_cost_goes(provider: Provider) -> None:
    telemetry = Telemetry()
    telemetry.instrument(anthropic_native="keep", content="SPAN_ONLY")
    client = provider.answers(events()).anthropic(**native(telemetry))
    list(client.messages.create(**ASK, stream=True))
    attributes = telemetry.attributes()
    farthing.uninstrument()
    assert '"content":"hi"' in attributes["gen_ai.input.messages"]
    assert '"content":"Hello"' in attributes["gen_ai.output.messages"]


NO_SPANS: dict[str, Any] = {
    "turned off": False,
    "a no-op tracer": {"tracer_provider": trace.NoOpTracerProvider()},
    "a tracer that breaks": {"tracer_provider": object()},
}


@pytest.mark.parametrize("within", [False, True], ids=["root", "within a span"])
@pytest.mark.parametrize("option", NO_SPANS.values(), ids=NO_SPANS)
def test_kept_where_the_client_makes_no_span_there_is_ours(
    kept: Telemetry, provider: Provider, option: Any, within: bool
) -> None:
    current = []

    def answer(_request: httpx2.Request) -> httpx2.Response:
        current.append(trace.get_current_span().get_span_context().span_id)
        return message()

    client = provider.answers(answer).anthropic(open_telemetry=option)
    if within:
        with kept.tracer.start_as_current_span("step"):
            client.messages.create(**ASK)
            assert trace.get_current_span().get_span_context().span_id != current[0]
    else:
        client.messages.create(**ASK)
    ours = next(span for span in kept.spans() if span.name != "step")
    assert ours.name == "chat claude-sonnet-4-6"
    assert dict(ours.attributes or {})["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST
    assert ours.context is not None
    assert current == [ours.context.span_id]
    assert (ours.parent is not None) is within


def test_kept_a_call_that_fails_before_any_span(
    kept: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = provider.answers(message()).anthropic(**native(kept))

    def broken(_options: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(client, "_copy_and_prepare", broken)
    with pytest.raises(ZeroDivisionError):
        client.messages.create(**ASK)
    assert kept.span().name == "chat claude-sonnet-4-6"
    assert kept.attributes()["error.type"] == "ZeroDivisionError"


def test_kept_an_unsampled_span_is_one_too(kept: Telemetry, provider: Provider) -> None:
    unsampled = Telemetry(ALWAYS_OFF)
    provider.answers(message()).anthropic(**native(unsampled)).messages.create(**ASK)
    assert kept.spans() == []
    assert kept.sums()["gen_ai.client.operation.cost"] == shapes.ANTHROPIC_COST


def test_kept_and_uninstrumented_half_way(kept: Telemetry, provider: Provider) -> None:
    client = provider.answers(events()).anthropic(**native(kept))
    stream = client.messages.create(**ASK, stream=True)
    farthing.uninstrument()
    list(stream)
    assert kept.attributes()["gen_ai.usage.cost.amount"] == shapes.ANTHROPIC_COST


def test_kept_a_span_that_refuses_attributes_breaks_nothing(
    kept: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.sdk.trace import Span

    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    client = provider.answers(message()).anthropic(**native(kept))
    monkeypatch.setattr(Span, "set_attributes", broken)
    assert client.messages.create(**ASK).id == "msg_1"
    assert kept.span().name == "anthropic.messages.create"
    assert kept.sums()["gen_ai.client.operation.duration"] > 0
