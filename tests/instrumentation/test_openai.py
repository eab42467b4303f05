"""The openai client, called every way issue one names, priced and undisturbed."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel

from farthing_processor.pricing import prices_version
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def test_chat_is_one_priced_span(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    result = client.chat.completions.create(
        model="gpt-4o",
        messages=MESSAGES,
        temperature=0,
        max_completion_tokens=400,
        seed=7,
        n=1,
        stop="END",
        response_format={"type": "json_object"},
    )
    assert type(result) is ChatCompletion
    assert result.choices[0].message.content == "Hello"
    span = telemetry.span()
    assert span.name == "chat gpt-4o"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 400,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.output.type": "json",
        "openai.api.type": "chat_completions",
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_1",
        "gen_ai.usage.input_tokens": 2006,
        "gen_ai.usage.output_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 1920,
        "gen_ai.usage.reasoning.output_tokens": 40,
        "gen_ai.usage.cost.amount": shapes.CHAT_COST,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "farthing.cost.input": 0.000215,
        "farthing.cost.cache_read": 0.0024,
        "farthing.cost.output": 0.003,
        "farthing.cost.status": "priced",
        "farthing.cost.cache_savings": 0.0024,
        "farthing.cost.prices": dict(span.attributes or {})["farthing.cost.prices"],
        "farthing.baseline.count": 0,
        "farthing.baseline.source": "threshold",
        "farthing.outlier.cost_limit": 0.005,
        "farthing.outlier.reasons": ("cold_threshold",),
        "farthing.step.name": "chat gpt-4o",
    }


def test_chat_is_one_set_of_metrics(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=MESSAGES
    )
    points = telemetry.points()
    assert {name: len(found) for name, found in points.items()} == {
        "gen_ai.client.operation.duration": 1,
        "gen_ai.client.token.usage": 2,
        "gen_ai.client.operation.cost": 1,
        "farthing.cache.savings": 1,
    }
    (cost,) = points["gen_ai.client.operation.cost"]
    assert (cost.count, cost.sum) == (1, shapes.CHAT_COST)
    assert dict(cost.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "farthing.step.name": "chat gpt-4o",
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "farthing.cost.prices": prices_version(),
    }
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in points["gen_ai.client.token.usage"]
    }
    assert tokens == {"input": 2006, "output": 300}
    span = telemetry.span()
    (duration,) = points["gen_ai.client.operation.duration"]
    assert span.end_time is not None
    assert span.start_time is not None
    assert duration.sum == pytest.approx((span.end_time - span.start_time) / 1e9, abs=1e-9)


async def test_async_chat(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).async_openai()
    result = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert type(result) is ChatCompletion
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


@pytest.mark.parametrize("with_usage", [True, False])
def test_streamed_chat(telemetry: Telemetry, provider: Provider, with_usage: bool) -> None:
    chunks = shapes.chat_chunks(shapes.CHAT_USAGE if with_usage else None)
    client = provider.answers(shapes.sse(chunks, done=True)).openai()
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    assert type(stream) is openai.Stream
    assert telemetry.spans() == []
    assert [chunk.model_dump(exclude_unset=True) for chunk in stream] == chunks
    attributes = telemetry.attributes()
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    if with_usage:
        assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    else:
        assert attributes["farthing.cost.status"] == "usage_missing"
        assert "gen_ai.usage.cost.amount" not in attributes
        assert "gen_ai.usage.input_tokens" not in attributes
        (unpriced,) = telemetry.points()["farthing.calls.unpriced"]
        assert unpriced.attributes["farthing.unpriced.reason"] == "usage_missing"


async def test_async_streamed_chat(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).async_openai()
    stream = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    assert type(stream) is openai.AsyncStream
    assert len([chunk async for chunk in stream]) == 5
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_stream_helper(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).openai()
    with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hello"
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_stream_helper_left_early(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).openai()
    with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
        next(iter(stream))
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_parse(telemetry: Telemetry, provider: Provider) -> None:
    class Answer(BaseModel):
        word: str

    body = shapes.chat()
    body["choices"][0]["message"]["content"] = '{"word": "hi"}'
    client = provider.answers(shapes.ok(body)).openai()
    result = client.chat.completions.parse(
        model="gpt-4o", messages=MESSAGES, response_format=Answer
    )
    assert result.choices[0].message.parsed == Answer(word="hi")
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_raw_response(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert raw.status_code == 200
    assert raw.parse().id == "chatcmpl-1"
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_raw_streamed_response(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).openai()
    stream = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES, stream=True
    ).parse()
    assert len(list(stream)) == 5
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_streaming_response(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES
    ) as raw:
        assert raw.parse().id == "chatcmpl-1"
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_responses(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.response())).openai()
    result = client.responses.create(
        model="gpt-5",
        input="hi",
        reasoning={"effort": "low"},
        previous_response_id="resp_0",
        max_output_tokens=2000,
    )
    assert result.output_text == "Hello"
    attributes = telemetry.attributes()
    assert telemetry.span().name == "chat gpt-5"
    assert attributes["openai.api.type"] == "responses"
    assert attributes["gen_ai.request.reasoning.level"] == "low"
    assert attributes["gen_ai.request.previous_response.id"] == "resp_0"
    assert attributes["gen_ai.request.max_tokens"] == 2000
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.usage.cost.amount"] == shapes.RESPONSES_COST


def test_streamed_responses(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.response_events())).openai()
    events = list(client.responses.create(model="gpt-5", input="hi", stream=True))
    assert [event.type for event in events] == [e["type"] for e in shapes.response_events()]
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.RESPONSES_COST


async def test_responses_stream_helper(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.sse(shapes.response_events())).async_openai()
    async with client.responses.stream(model="gpt-5", input="hi") as stream:
        final = await stream.get_final_response()
    assert final.output_text == "Hello"
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.RESPONSES_COST


def test_failed_response_is_an_error(telemetry: Telemetry, provider: Provider) -> None:
    failed = shapes.response("failed", error={"code": "server_error", "message": "sk-secret"})
    client = provider.answers(shapes.ok(failed)).openai()
    assert client.responses.create(model="gpt-5", input="hi").status == "failed"
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["error.type"] == "server_error"
    assert "sk-secret" not in str(telemetry.attributes()) + str(span.status.description)


def test_embeddings(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.embeddings())).openai()
    result = client.embeddings.create(model="text-embedding-3-large", input="hi")
    assert result.data[0].embedding == [0.1, 0.2, 0.3]
    attributes = telemetry.attributes()
    assert telemetry.span().name == "embeddings text-embedding-3-large"
    assert attributes["gen_ai.operation.name"] == "embeddings"
    assert attributes["gen_ai.embeddings.dimension.count"] == 3
    assert attributes["gen_ai.request.encoding_formats"] == ("base64",)
    assert attributes["gen_ai.usage.input_tokens"] == 1000
    assert "gen_ai.usage.output_tokens" not in attributes
    assert attributes["gen_ai.usage.cost.amount"] == 0.00013


def test_unknown_model_has_no_cost(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok(shapes.chat(model="gpt-9-unreleased"))).openai()
    client.chat.completions.create(model="gpt-9-unreleased", messages=MESSAGES)
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "unpriced"
    assert not [name for name in attributes if name.startswith("gen_ai.usage.cost")]
    assert "gen_ai.client.operation.cost" not in telemetry.points()
    (unpriced,) = telemetry.points()["farthing.calls.unpriced"]
    assert unpriced.value == 1
    assert unpriced.attributes["gen_ai.response.model"] == "gpt-9-unreleased"


@pytest.mark.parametrize(
    ("base_url", "provider_name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://acme.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://llm.internal/v1", "_OTHER"),
        ("https://api.openai.com.evil.example/v1", "_OTHER"),
    ],
)
def test_provider_comes_from_the_host(
    telemetry: Telemetry, provider: Provider, base_url: str, provider_name: str
) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai(base_url=base_url)
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.provider.name"] == provider_name
    assert attributes["server.address"] == httpx2.URL(base_url).host
    assert ("gen_ai.usage.cost.amount" in attributes) == (provider_name != "_OTHER") or (
        provider_name in ("groq", "openrouter", "deepseek")
    )


def test_azure_client(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    client = openai.AzureOpenAI(
        api_key="key",
        api_version="2026-01-01",
        azure_endpoint="https://acme.openai.azure.com",
        http_client=httpx2.Client(transport=httpx2.MockTransport(provider)),
    )
    client.chat.completions.create(model="my-deployment", messages=MESSAGES)
    assert "/deployments/my-deployment/" in str(provider.requests[0].url)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.provider.name"] == "azure.ai.openai"
    assert attributes["gen_ai.request.model"] == "my-deployment"
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_a_named_gateway_counts_as_the_provider(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(gateways="llm.internal, other:8080")
    provider.answers(shapes.ok(shapes.chat()))
    for base_url in ("https://llm.internal/v1", "http://other:8080/v1", "http://other:9090/v1"):
        provider.openai(base_url=base_url).chat.completions.create(
            model="gpt-4o", messages=MESSAGES
        )
    names = [dict(s.attributes or {})["gen_ai.provider.name"] for s in telemetry.spans()]
    assert names == ["openai", "openai", "_OTHER"]


def test_an_error_reaches_the_caller_as_it_was(telemetry: Telemetry, provider: Provider) -> None:
    error = {"error": {"message": "bad key sk-secret", "type": "invalid", "code": "x"}}
    client = provider.answers(httpx2.Response(401, json=error)).openai()
    with pytest.raises(openai.AuthenticationError, match="bad key"):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    span = telemetry.span()
    attributes = telemetry.attributes()
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["error.type"] == "AuthenticationError"
    assert "farthing.cost.status" not in attributes
    assert "sk-secret" not in str(attributes) + str(span.status.description) + str(span.events)
    assert set(telemetry.points()) == {"gen_ai.client.operation.duration"}


def test_retries_are_one_span(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    busy = httpx2.Response(429, json={"error": {"message": "slow down"}})
    client = provider.answers(busy, busy, shapes.ok(shapes.chat())).openai(max_retries=3)
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert len(provider.requests) == 3
    attributes = telemetry.attributes()
    assert attributes["farthing.retries"] == 2
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    assert telemetry.sums()["farthing.retries"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": 7, "model": {"a": 1}, "choices": None, "usage": "lots"},
        {"choices": [None, {"finish_reason": 5}], "usage": {"prompt_tokens": -5}},
        {"choices": {"0": 1}, "usage": [1, 2], "service_tier": 12, "model": "m" * 100_000},
        {"usage": {"prompt_tokens": "many", "completion_tokens": True, "total_tokens": None}},
        {"usage": {"prompt_tokens": float("1e300"), "completion_tokens": 3}},
        [],
        "text",
        None,
    ],
)
def test_a_provider_answering_nonsense(
    telemetry: Telemetry, provider: Provider, body: object
) -> None:
    client = provider.answers(lambda _r: shapes.ok(body)).openai()
    try:
        farthing_saw: object = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    except Exception as error:  # whatever the client itself makes of it
        farthing_saw = type(error)
    span = telemetry.span()
    assert "gen_ai.usage.cost.amount" not in (span.attributes or {})
    assert all(len(str(value)) < 2000 for value in (span.attributes or {}).values())
    import farthing

    farthing.uninstrument()
    try:
        bare: object = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    except Exception as error:
        bare = type(error)
    assert farthing_saw == bare


@pytest.mark.parametrize("read", ["read", "iter_bytes", "json", "nothing"])
def test_streaming_response_read_without_parsing(
    telemetry: Telemetry, provider: Provider, read: str
) -> None:
    client = provider.answers(shapes.unread(shapes.chat())).openai()
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES
    ) as raw:
        if read == "iter_bytes":
            assert b"Hello" in b"".join(raw.iter_bytes())
        elif read != "nothing":
            assert "Hello" in str(getattr(raw, read)())
    attributes = telemetry.attributes()
    if read == "nothing":
        assert attributes["farthing.cost.status"] == "usage_missing"
    else:
        assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


async def test_async_streaming_response_read_without_parsing(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.unread(shapes.chat())).async_openai()
    async with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES
    ) as raw:
        assert b"Hello" in await raw.read()
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b"{}"])
def test_a_raw_response_that_is_no_answer(
    telemetry: Telemetry, provider: Provider, content: bytes
) -> None:
    client = provider.answers(httpx2.Response(200, content=content)).openai()
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert raw.content == content
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_values_that_telemetry_cannot_hold(telemetry: Telemetry, provider: Provider) -> None:
    """A lone surrogate, or a number beyond 64 bits, would lose the whole batch at the exporter."""
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    extra: Any = {"seed": 2**70, "temperature": 10**400, "top_p": True, "stop": ["\ud800"]}
    with pytest.raises(UnicodeEncodeError):  # the client's own, when it sends it
        client.chat.completions.create(model="gpt\ud800", messages=MESSAGES, extra_body=extra)
    span = telemetry.span()
    attributes = telemetry.attributes()
    assert span.name == "chat gpt?"
    assert attributes["gen_ai.request.model"] == "gpt?"
    assert attributes["gen_ai.request.stop_sequences"] == ("?",)
    assert not {"gen_ai.request.seed", "gen_ai.request.temperature", "gen_ai.request.top_p"} & set(
        attributes
    )


def test_the_body_that_is_sent_is_the_one_that_is_read(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()
    client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, extra_body={"model": "gpt-4o-2024-08-06"}
    )
    assert provider.body()["model"] == "gpt-4o-2024-08-06"
    assert telemetry.attributes()["gen_ai.request.model"] == "gpt-4o-2024-08-06"


def test_a_client_that_cannot_be_hashed(telemetry: Telemetry, provider: Provider) -> None:
    class Client(openai.OpenAI):
        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    provider.answers(shapes.ok(shapes.chat()))
    http_client = httpx2.Client(transport=httpx2.MockTransport(provider))
    client = Client(api_key="key", http_client=http_client)
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
