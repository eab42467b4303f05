"""The anthropic package's clients for other clouds: who served, which model, what was used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic._streaming import SSEDecoder
from anthropic.lib.aws import AnthropicAWS, AsyncAnthropicAWS
from anthropic.lib.bedrock import AnthropicBedrockMantle, AsyncAnthropicBedrockMantle
from anthropic.lib.google_cloud import AnthropicGoogleCloud, AsyncAnthropicGoogleCloud

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MODEL = "claude-sonnet-4-6"
BEDROCK = "us.anthropic.claude-sonnet-4-6-v1:0"


class Cloud:
    """One cloud's clients, and what is to be seen of a call through them."""

    def __init__(
        self,
        sync: Callable[..., Any],
        later: Callable[..., Any],
        options: dict[str, Any],
        provider: str,
        model: str = MODEL,
        address: str = "",
    ) -> None:
        self.sync, self.later, self.options = sync, later, options
        self.provider, self.model, self.address = provider, model, address

    def client(self, provider: Provider, **more: Any) -> Any:
        http = httpx2.Client(transport=httpx2.MockTransport(provider))
        return self.sync(http_client=http, max_retries=0, **self.options, **more)

    def async_client(self, provider: Provider) -> Any:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(provider))
        return self.later(http_client=http, max_retries=0, **self.options)

    def ask(self) -> Any:
        messages = [{"role": "user", "content": "hi"}]
        return {"model": self.model, "max_tokens": 10, "messages": messages}


AWS = {"api_key": "key", "aws_region": "us-east-1"}
VERTEX = {"access_token": "token", "project_id": "project"}
GOOGLE = {"project": "project", "workspace_id": "workspace", "token_provider": lambda: "token"}

CLOUDS = {
    "bedrock": Cloud(
        anthropic.AnthropicBedrock,
        anthropic.AsyncAnthropicBedrock,
        AWS,
        "aws.bedrock",
        BEDROCK,
        "bedrock-runtime.us-east-1.amazonaws.com",
    ),
    "mantle": Cloud(
        AnthropicBedrockMantle,
        AsyncAnthropicBedrockMantle,
        AWS,
        "aws.bedrock",
        "anthropic.claude-sonnet-4-6",
        "bedrock-mantle.us-east-1.api.aws",
    ),
    "vertex": Cloud(
        anthropic.AnthropicVertex,
        anthropic.AsyncAnthropicVertex,
        {**VERTEX, "region": "us-east5"},
        "gcp.vertex_ai",
        "claude-sonnet-4-6@20260217",
        "us-east5-aiplatform.googleapis.com",
    ),
    "vertex global": Cloud(
        anthropic.AnthropicVertex,
        anthropic.AsyncAnthropicVertex,
        {**VERTEX, "region": "global"},
        "gcp.vertex_ai",
        address="aiplatform.googleapis.com",
    ),
    "vertex eu": Cloud(
        anthropic.AnthropicVertex,
        anthropic.AsyncAnthropicVertex,
        {**VERTEX, "region": "eu"},
        "gcp.vertex_ai",
        address="aiplatform.eu.rep.googleapis.com",
    ),
    "foundry": Cloud(
        anthropic.AnthropicFoundry,
        anthropic.AsyncAnthropicFoundry,
        {"api_key": "key", "resource": "resource"},
        "azure.ai.inference",
        address="resource.services.ai.azure.com",
    ),
    "aws": Cloud(
        AnthropicAWS,
        AsyncAnthropicAWS,
        {**AWS, "workspace_id": "workspace"},
        "anthropic",
        address="aws-external-anthropic.us-east-1.api.aws",
    ),
    "google cloud": Cloud(
        AnthropicGoogleCloud,
        AsyncAnthropicGoogleCloud,
        GOOGLE,
        "_OTHER",  # Anthropic's own platform, at prices that nothing public states
        address="claude.googleapis.com",
    ),
}
NO_COUNT = "bedrock"
"""Its client refuses to count tokens."""


@pytest.fixture(params=CLOUDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cloud(name: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    # botocore is not here, and decodes the frames of Bedrock: events are all that we see of them.
    for client in (anthropic.AnthropicBedrock, anthropic.AsyncAnthropicBedrock):
        monkeypatch.setattr(client, "_make_sse_decoder", lambda _client: SSEDecoder())
    return CLOUDS[name]


def check(telemetry: Telemetry, cloud: Cloud) -> dict[str, Any]:
    attributes = telemetry.attributes()
    assert telemetry.span().name == f"chat {cloud.model}"
    assert attributes["gen_ai.request.model"] == cloud.model
    assert attributes["gen_ai.response.model"] == "claude-sonnet-4-6"
    assert attributes["server.address"] == cloud.address
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert attributes["gen_ai.usage.output_tokens"] == 500
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 100000
    assert attributes["gen_ai.usage.cache_write.input_tokens"] == 5000
    (duration,) = telemetry.points()["gen_ai.client.operation.duration"]
    assert duration.count == 1
    return attributes


def test_who_served(telemetry: Telemetry, provider: Provider, cloud: Cloud) -> None:
    client = cloud.client(provider.answers(shapes.ok(shapes.message())))
    client.messages.create(**cloud.ask())
    assert telemetry.attributes()["gen_ai.provider.name"] == cloud.provider


@pytest.mark.parametrize("name", ["bedrock", "mantle", "vertex", "foundry"])
def test_who_is_behind_a_gateway(telemetry: Telemetry, provider: Provider, cloud: Cloud) -> None:
    telemetry.instrument(gateways="gateway.example")
    client = cloud.client(provider.answers(shapes.ok(shapes.message())))
    client.base_url = "https://gateway.example/"
    client.messages.create(**cloud.ask())
    assert telemetry.attributes()["gen_ai.provider.name"] == cloud.provider


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "messages": lambda client, ask: client.messages.create(**ask),
    "beta": lambda client, ask: client.beta.messages.create(**ask),
    "raw": lambda client, ask: client.messages.with_raw_response.create(**ask).parse(),
    "low level": lambda client, ask: client.post("/v1/messages", body=ask, cast_to=object),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_message(
    telemetry: Telemetry, provider: Provider, cloud: Cloud, call: Callable[[Any, Any], object]
) -> None:
    call(cloud.client(provider.answers(shapes.unread(shapes.message()))), cloud.ask())
    attributes = check(telemetry, cloud)
    assert "gen_ai.request.stream" not in attributes


STREAMS: dict[str, Callable[[Any, Any], object]] = {
    "messages": lambda client, ask: list(client.messages.create(**ask, stream=True)),
    "beta": lambda client, ask: list(client.beta.messages.create(**ask, stream=True)),
    "helper": lambda client, ask: _helper(client.messages, ask),
    "beta helper": lambda client, ask: _helper(client.beta.messages, ask),
    "raw": lambda client, ask: list(
        client.messages.with_raw_response.create(**ask, stream=True).parse()
    ),
}


def _helper(messages: Any, ask: Any) -> None:
    with messages.stream(**ask) as stream:
        assert stream.get_final_message().usage.output_tokens == 500


@pytest.mark.parametrize("call", STREAMS.values(), ids=STREAMS)
def test_stream(
    telemetry: Telemetry, provider: Provider, cloud: Cloud, call: Callable[[Any, Any], object]
) -> None:
    call(cloud.client(provider.answers(shapes.sse(shapes.message_events()))), cloud.ask())
    attributes = check(telemetry, cloud)
    assert attributes["gen_ai.request.stream"] is True


async def test_async(telemetry: Telemetry, provider: Provider, cloud: Cloud) -> None:
    client = cloud.async_client(provider.answers(shapes.ok(shapes.message())))
    await client.messages.create(**cloud.ask())
    check(telemetry, cloud)


async def test_async_stream(telemetry: Telemetry, provider: Provider, cloud: Cloud) -> None:
    client = cloud.async_client(provider.answers(shapes.sse(shapes.message_events())))
    async with client.beta.messages.stream(**cloud.ask()) as stream:
        assert await stream.get_final_text() == "Hello"
    check(telemetry, cloud)


def test_counting_tokens_is_free(
    telemetry: Telemetry, provider: Provider, cloud: Cloud, name: str
) -> None:
    client = cloud.client(provider.answers(shapes.ok({"input_tokens": 5})))
    ask = {key: value for key, value in cloud.ask().items() if key != "max_tokens"}
    if name == NO_COUNT:
        with pytest.raises(anthropic.AnthropicError):
            client.messages.count_tokens(**ask)
    else:
        assert client.messages.count_tokens(**ask).input_tokens == 5
    attributes = telemetry.attributes()
    assert telemetry.span().name == f"count_tokens {cloud.model}"
    assert "farthing.cost.status" not in attributes
    assert "farthing.calls.unpriced" not in telemetry.sums()


COSTS = {
    "bedrock": 1.1 * shapes.ANTHROPIC_COST,
    "vertex": 1.1 * shapes.ANTHROPIC_COST,
    "vertex global": shapes.ANTHROPIC_COST,
    "vertex eu": 1.1 * shapes.ANTHROPIC_COST,
    "foundry": shapes.ANTHROPIC_COST,
}
"""An endpoint of a region is 10 % dearer than the global one
(https://platform.claude.com/docs/en/about-claude/pricing)."""


@pytest.mark.parametrize("name", COSTS)
def test_cost(telemetry: Telemetry, provider: Provider, cloud: Cloud, name: str) -> None:
    client = cloud.client(provider.answers(shapes.ok(shapes.message())))
    client.messages.create(**cloud.ask())
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == pytest.approx(COSTS[name])


def test_signed_with_keys(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing needs botocore, which is not here: only that step is left out."""
    signed: list[set[str]] = []

    def sign(**given: Any) -> dict[str, str]:
        signed.append(set(given["headers"]))
        return {"authorization": "AWS4-HMAC-SHA256 Credential=key"}

    monkeypatch.setattr("anthropic.lib.bedrock._client.get_auth_headers", sign)
    http = httpx2.Client(transport=httpx2.MockTransport(provider))
    client = anthropic.AnthropicBedrock(
        aws_access_key="key", aws_secret_key="secret", aws_region="us-east-1", http_client=http
    )
    provider.answers(shapes.ok(shapes.message()))
    client.messages.create(**CLOUDS["bedrock"].ask())
    check(telemetry, CLOUDS["bedrock"])
    assert "traceparent" not in signed[0]
    assert provider.requests[0].headers["traceparent"]


def test_an_error(telemetry: Telemetry, provider: Provider, cloud: Cloud) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
    client = cloud.client(provider.answers(httpx2.Response(429, json=error)))
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**cloud.ask())
    assert telemetry.attributes()["error.type"] == "RateLimitError"
    assert "farthing.cost.status" not in telemetry.attributes()
