"""Every way to call a model with the anthropic client: none escapes, none is paid twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx2
import pydantic
import pytest
from anthropic import beta_async_tool, beta_tool
from anthropic.lib.middleware import BetaRefusalFallbackMiddleware
from anthropic.types import Message
from opentelemetry.trace import StatusCode

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]
ASK: Any = {"model": "claude-sonnet-4-6", "max_tokens": 1000, "messages": MESSAGES}


class Capital(pydantic.BaseModel):
    name: str


def json_message(text: str) -> httpx2.Response:
    return shapes.ok(shapes.message(content=[{"type": "text", "text": text}]))


def costs(telemetry: Telemetry) -> list[Any]:
    found = [dict(span.attributes or {}) for span in telemetry.spans()]
    return [attributes.get("gen_ai.usage.cost.amount") for attributes in found]


@pytest.mark.parametrize("surface", ["messages", "beta"])
def test_parse(telemetry: Telemetry, provider: Provider, surface: str) -> None:
    client = provider.answers(json_message('{"name": "Rome"}')).anthropic()
    messages: Any = client.messages if surface == "messages" else client.beta.messages
    parsed = messages.parse(**ASK, output_format=Capital)
    assert parsed.parsed_output == Capital(name="Rome")
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]
    assert telemetry.attributes()["gen_ai.output.type"] == "json"


@pytest.mark.parametrize("surface", ["messages", "beta"])
def test_a_parse_that_fails_is_billed(
    telemetry: Telemetry, provider: Provider, surface: str
) -> None:
    client = provider.answers(json_message('{"title": "Rome"}')).anthropic()
    messages: Any = client.messages if surface == "messages" else client.beta.messages
    with pytest.raises(pydantic.ValidationError):
        messages.parse(**ASK, output_format=Capital)
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]
    assert telemetry.attributes()["error.type"] == "ValidationError"


CALLING: Any = {
    "stop_reason": "tool_use",
    "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "it"}}],
}


def tool_events() -> httpx2.Response:
    sent = shapes.message_events()
    block = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    sent[2]["content_block"] = block
    sent[3]["delta"] = {"type": "input_json_delta", "partial_json": '{"at": "it"}'}
    sent[-2]["delta"]["stop_reason"] = "tool_use"
    return shapes.sse(sent)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_runner_calls_once_for_each_turn(
    telemetry: Telemetry, provider: Provider, stream: bool
) -> None:
    @beta_tool
    def look(at: str) -> str:
        """Look at something.

        Args:
            at: What to look at.
        """
        return f"saw {at}"

    if stream:
        provider.answers(tool_events(), shapes.sse(shapes.message_events()))
    else:
        provider.answers(shapes.ok(shapes.message(**CALLING)), shapes.ok(shapes.message()))
    runner = provider.anthropic().beta.messages.tool_runner(**ASK, tools=[look], stream=stream)
    assert runner.until_done().stop_reason == "end_turn"
    assert provider.body()["messages"][-1]["content"][0]["content"] == "saw it"
    assert costs(telemetry) == [shapes.ANTHROPIC_COST] * 2
    assert telemetry.points()["gen_ai.client.operation.duration"][0].count == 2


async def test_an_async_tool_runner(telemetry: Telemetry, provider: Provider) -> None:
    @beta_async_tool
    async def look(at: str) -> str:
        """Look at something.

        Args:
            at: What to look at.
        """
        return f"saw {at}"

    provider.answers(shapes.ok(shapes.message(**CALLING)), shapes.ok(shapes.message()))
    runner = provider.async_anthropic().beta.messages.tool_runner(**ASK, tools=[look])
    assert (await runner.until_done()).stop_reason == "end_turn"
    assert costs(telemetry) == [shapes.ANTHROPIC_COST] * 2


COMPLETION = {
    "id": "compl_1",
    "type": "completion",
    "model": "claude-2.1",
    "completion": " Hello",
    "stop_reason": "stop_sequence",
}
OLD_ASK = {
    "model": "claude-2.1",
    "max_tokens_to_sample": 10,
    "stop_sequences": ["\n\nHuman:"],
    "prompt": "\n\nHuman: hi\n\nAssistant:",
}


@pytest.mark.parametrize("stream", [False, True])
def test_text_completions_never_say_what_they_used(
    telemetry: Telemetry, provider: Provider, stream: bool
) -> None:
    """Newer clients have no method for them, but still send what they are told to."""
    pieces = [
        COMPLETION | {"completion": " Hel", "stop_reason": None},
        COMPLETION | {"completion": "lo"},
    ]
    client = provider.answers(shapes.sse(pieces) if stream else shapes.ok(COMPLETION)).anthropic()
    body = OLD_ASK | {"stream": stream}
    telemetry.instrument(content="SPAN_ONLY")
    if stream:
        options: Any = {"stream": True, "stream_cls": anthropic.Stream[dict[str, Any]]}
        list(client.post("/v1/complete", body=body, cast_to=dict, **options))
    else:
        client.post("/v1/complete", body=body, cast_to=object)
    attributes = telemetry.attributes()
    assert telemetry.span().name == "text_completion claude-2.1"
    assert attributes["gen_ai.request.max_tokens"] == 10
    assert attributes["gen_ai.request.stop_sequences"] == ("\n\nHuman:",)
    assert attributes["gen_ai.response.id"] == "compl_1"
    assert attributes["gen_ai.response.model"] == "claude-2.1"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop_sequence",)
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert '"content":" Hello"' in attributes["gen_ai.output.messages"]
    assert '"content":"\\n\\nHuman: hi' in attributes["gen_ai.input.messages"]


@pytest.mark.parametrize("surface", ["messages", "beta"])
def test_counting_tokens_is_an_operation_of_its_own(
    telemetry: Telemetry, provider: Provider, surface: str
) -> None:
    client = provider.answers(shapes.ok({"input_tokens": 12})).anthropic()
    messages: Any = client.messages if surface == "messages" else client.beta.messages
    assert messages.count_tokens(model="claude-sonnet-4-6", messages=MESSAGES).input_tokens == 12
    assert telemetry.span().name == "count_tokens claude-sonnet-4-6"
    assert telemetry.attributes() == {
        "gen_ai.operation.name": "count_tokens",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-6",
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "farthing.step.name": "count_tokens claude-sonnet-4-6",
    }
    assert set(telemetry.points()) == {"gen_ai.client.operation.duration"}


def test_counting_tokens_may_fail(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(httpx2.Response(500, json={})).anthropic()
    with pytest.raises(anthropic.InternalServerError):
        client.messages.count_tokens(model="claude-sonnet-4-6", messages=MESSAGES)
    assert telemetry.attributes()["error.type"] == "InternalServerError"
    assert set(telemetry.points()) == {"gen_ai.client.operation.duration"}


def test_counting_tokens_may_be_left_unread(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.unread({"input_tokens": 12})).anthropic()
    ask: Any = {"model": "claude-sonnet-4-6", "messages": MESSAGES}
    with client.messages.with_streaming_response.count_tokens(**ask) as response:
        assert response.status_code == 200
    assert "farthing.cost.status" not in telemetry.attributes()
    assert "farthing.calls.unpriced" not in telemetry.points()


def test_making_a_batch_calls_no_model(telemetry: Telemetry, provider: Provider) -> None:
    batch = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}
    client = provider.answers(shapes.ok(batch)).anthropic(
        open_telemetry={"tracer_provider": telemetry.tracer_provider}
    )
    requests: Any = [{"custom_id": "one", "params": ASK}]
    client.messages.batches.create(requests=requests)
    client.beta.messages.batches.create(requests=requests)
    # The client's own tracer makes a span of it, with neither model nor usage.
    assert [span.name for span in telemetry.spans()] == ["anthropic.messages.batches.create"] * 2
    assert telemetry.points() == {}


ADDRESSES = {
    "a path": "/v1/messages",
    "a relative path": "v1/messages",
    "the beta": "/v1/messages?beta=true",
    "a whole URL": "https://api.anthropic.com/v1/messages",
}


@pytest.mark.parametrize("url", ADDRESSES.values(), ids=ADDRESSES)
def test_low_level(telemetry: Telemetry, provider: Provider, url: str) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic()
    assert client.post(url, body=ASK, cast_to=Message).id == "msg_1"
    assert telemetry.span().name == "chat claude-sonnet-4-6"
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]


def test_a_whole_url_of_another_host(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic()
    client.post("https://gateway.example/v1/messages", body=ASK, cast_to=Message)
    attributes = telemetry.attributes()
    assert attributes["server.address"] == "gateway.example"
    assert attributes["farthing.cost.status"] == "unpriced"


OTHERS: dict[str, Callable[[anthropic.Anthropic], anthropic.Anthropic]] = {
    "with_options": lambda client: client.with_options(timeout=1),
    "copy": lambda client: client.copy(),
    "with_middleware": lambda client: client.with_middleware(lambda request, go: go(request)),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_clients_made_of_clients(
    telemetry: Telemetry,
    provider: Provider,
    other: Callable[[anthropic.Anthropic], anthropic.Anthropic],
) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic()
    other(client).messages.create(**ASK)
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]


def refused(status: int) -> httpx2.Response:
    kind = {429: "rate_limit_error", 529: "overloaded_error"}[status]
    error = {"type": "error", "error": {"type": kind, "message": "later"}}
    return httpx2.Response(status, json=error, headers={"retry-after-ms": "1"})


def test_retried_until_it_works(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(refused(429), refused(529), shapes.ok(shapes.message()))
    provider.anthropic(max_retries=2).messages.create(**ASK)
    assert telemetry.attributes()["farthing.retries"] == 2
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]
    (retries,) = telemetry.points()["farthing.retries"]
    assert retries.value == 2
    assert "error.type" not in retries.attributes


async def test_retried_in_vain(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(refused(429), refused(529))
    with pytest.raises(anthropic.APIStatusError):
        await provider.async_anthropic(max_retries=1).messages.create(**ASK)
    assert telemetry.attributes()["farthing.retries"] == 1
    (retries,) = telemetry.points()["farthing.retries"]
    assert retries.value == 1
    assert retries.attributes["error.type"] == "OverloadedError"


# Middleware.


def passing(request: Any, call_next: Any) -> Any:
    return call_next(request.copy(body={**request.json, "metadata": {"user_id": "u"}}))


@pytest.mark.parametrize("surface", ["create", "stream", "raw"])
def test_middleware_that_passes_on(telemetry: Telemetry, provider: Provider, surface: str) -> None:
    reply = shapes.ok(shapes.message())
    if surface == "stream":
        reply = shapes.sse(shapes.message_events())
    client = provider.answers(reply).anthropic(middleware=[passing])
    if surface == "create":
        assert client.messages.create(**ASK).id == "msg_1"
    elif surface == "stream":
        with client.messages.stream(**ASK) as stream:
            assert stream.get_final_text() == "Hello"
    else:
        assert client.messages.with_raw_response.create(**ASK).parse().id == "msg_1"
    assert provider.body()["metadata"] == {"user_id": "u"}
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]


async def test_async_middleware(telemetry: Telemetry, provider: Provider) -> None:
    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    client = provider.answers(shapes.ok(shapes.message())).async_anthropic(middleware=[passing])
    await client.messages.create(**ASK)
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]


def remembering() -> Any:
    """Middleware that answers what was asked before by what was answered then."""
    answered: list[Any] = []

    def remember(request: Any, call_next: Any) -> Any:
        if not answered:
            answered.append(call_next(request))
        return answered[0]

    return remember


def test_an_answer_out_of_a_cache_costs_nothing(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.message())).anthropic(middleware=[remembering()])
    assert [client.messages.create(**ASK).id for _ in range(3)] == ["msg_1"] * 3
    assert len(provider.requests) == 1
    assert costs(telemetry) == [shapes.ANTHROPIC_COST, None, None]
    sums = telemetry.sums()
    assert sums["gen_ai.client.operation.cost"] == shapes.ANTHROPIC_COST
    assert "farthing.calls.unpriced" not in sums
    assert telemetry.points()["gen_ai.client.operation.duration"][0].count == 3


async def test_an_async_answer_out_of_a_cache(telemetry: Telemetry, provider: Provider) -> None:
    kept = Message.model_validate(shapes.message())

    async def answer(_request: Any, _call_next: Any) -> Any:
        return kept

    client = provider.answers(shapes.ok({})).async_anthropic(middleware=[answer])
    assert await client.messages.create(**ASK) is kept
    assert costs(telemetry) == [None]
    assert "farthing.cost.status" not in telemetry.attributes()


def test_middleware_with_a_client_of_its_own(telemetry: Telemetry, provider: Provider) -> None:
    inner = provider.answers(shapes.ok(shapes.message())).anthropic()

    def elsewhere(_request: Any, _call_next: Any) -> Any:
        return inner.messages.create(**ASK)

    provider.anthropic(middleware=[elsewhere]).messages.create(**ASK)
    assert costs(telemetry) == [shapes.ANTHROPIC_COST, None]


def test_middleware_that_sends_from_another_thread(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It loses the context, and with it which call it is of: its cost must not be lost too."""
    monkeypatch.setattr("farthing.providers.anthropic._untold", threading.Event())

    def threaded(request: Any, call_next: Any) -> Any:
        with ThreadPoolExecutor() as pool:
            return pool.submit(call_next, request).result()

    client = provider.answers(shapes.ok(shapes.message())).anthropic(middleware=[threaded])
    client.messages.create(**ASK)
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]


def test_middleware_that_fails(telemetry: Telemetry, provider: Provider) -> None:
    def broken(_request: Any, _call_next: Any) -> Any:
        raise ZeroDivisionError

    client = provider.answers(shapes.ok(shapes.message())).anthropic(middleware=[broken])
    with pytest.raises(ZeroDivisionError):
        client.messages.create(**ASK)
    assert telemetry.attributes()["error.type"] == "ZeroDivisionError"
    assert telemetry.span().status.status_code is StatusCode.ERROR


REFUSAL: Any = {
    "id": "msg_0",
    "model": "claude-opus-4-6",
    "stop_reason": "refusal",
    "content": [],
}


def test_a_fallbacks_refused_attempts_are_not_passed_over(
    telemetry: Telemetry, provider: Provider
) -> None:
    """The client's own middleware gives back the usage of the last attempt alone."""
    refusal, served = shapes.message(**REFUSAL), shapes.message()
    provider.answers(shapes.ok(refusal), shapes.ok(served))
    fallback = BetaRefusalFallbackMiddleware([{"model": "claude-sonnet-4-6"}])
    client = provider.anthropic(middleware=[fallback])
    message = client.beta.messages.create(**ASK | {"model": "claude-opus-4-6"})
    assert message.content[0].type == "fallback"
    assert len(provider.requests) == 2
    assert costs(telemetry) == [shapes.ANTHROPIC_COST]
    assert telemetry.attributes()["farthing.cost.status"] == "inconsistent"


def test_a_streamed_fallback_says_what_each_model_used(
    telemetry: Telemetry, provider: Provider
) -> None:
    refused = shapes.message_events()
    refused[0]["message"] |= {"id": "msg_0", "model": "claude-opus-4-6"}
    refused[-2]["delta"] |= {"stop_reason": "refusal", "fallback_credit_token": "token"}
    provider.answers(shapes.sse([refused[0], *refused[-2:]]), shapes.sse(shapes.message_events()))
    fallback = BetaRefusalFallbackMiddleware([{"model": "claude-sonnet-4-6"}])
    client = provider.anthropic(middleware=[fallback])
    with client.beta.messages.stream(**ASK | {"model": "claude-opus-4-6"}) as stream:
        assert stream.get_final_message().stop_reason == "end_turn"
    assert len(provider.requests) == 2
    assert telemetry.attributes()["farthing.cost.status"] == "inconsistent"
