"""What never is telemetry, headers and queries, and what we only look at: the caller's objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.test_content_events import Logs

MODES = ["NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"]
SECRET = "s3cr3t"
BASE = f"https://user:{SECRET}@example.org/v1?key={SECRET}"
OPTIONS: Any = {
    "base_url": BASE,
    "api_key": SECRET,
    "default_headers": {"X-Team": SECRET},
    "default_query": {"key": SECRET},
}
EXTRA: Any = {"extra_headers": {"X-User": SECRET}, "extra_query": {"token": SECRET}}
CHAT: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
CLAUDE: Any = CHAT | {"model": "claude-sonnet-4-6", "max_tokens": 9}
TOOLS: Any = [{"type": "mcp", "server_label": "s", "headers": {"Authorization": SECRET}}]
ANSWER_HEADERS = {"x-request-id": SECRET, "set-cookie": SECRET, "openai-organization": SECRET}


def openai_chat(provider: Provider) -> None:
    provider.openai(**OPTIONS).chat.completions.create(**CHAT, **EXTRA)


def openai_responses(provider: Provider) -> None:
    client = provider.openai(**OPTIONS)
    client.responses.create(model="gpt-5", input="hi", tools=TOOLS, **EXTRA)


def openai_raw(provider: Provider) -> None:
    provider.openai(**OPTIONS).chat.completions.with_raw_response.create(**CHAT, **EXTRA)


def openai_async(provider: Provider) -> None:
    client = provider.async_openai(**OPTIONS)
    asyncio.run(client.chat.completions.create(**CHAT, **EXTRA))


def openai_whole_url(provider: Provider) -> None:
    url = f"https://user:{SECRET}@example.org/v1/chat/completions?key={SECRET}"
    provider.openai(**OPTIONS).post(url, body=CHAT, cast_to=httpx2.Response)


def anthropic_messages(provider: Provider) -> None:
    provider.anthropic(**OPTIONS).messages.create(**CLAUDE, **EXTRA)


def anthropic_async(provider: Provider) -> None:
    asyncio.run(provider.async_anthropic(**OPTIONS).messages.create(**CLAUDE, **EXTRA))


def refused(request: httpx2.Request) -> httpx2.Response:
    error = {"message": f"no key {SECRET}", "type": SECRET, "code": SECRET}
    return httpx2.Response(401, json={"error": error}, headers=ANSWER_HEADERS)


def unreachable(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError(f"cannot reach {request.url} with {SECRET}")


def answered(request: httpx2.Request) -> httpx2.Response:
    path = request.url.path
    made = shapes.response if "responses" in path else shapes.chat
    body = shapes.message() if "messages" in path else made()
    return httpx2.Response(200, json=body, headers=ANSWER_HEADERS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reply", [answered, refused, unreachable])
@pytest.mark.parametrize(
    "call",
    [
        openai_chat,
        openai_responses,
        openai_raw,
        openai_async,
        openai_whole_url,
        anthropic_messages,
        anthropic_async,
    ],
)
def test_no_header_and_no_query(
    provider: Provider,
    call: Callable[[Provider], None],
    reply: Callable[[httpx2.Request], httpx2.Response],
    mode: str,
) -> None:
    telemetry, written = Telemetry(), Logs()
    telemetry.instrument(logger_provider=written.provider, content=mode)
    try:
        provider.answers(reply)
        if reply is answered:
            call(provider)
        else:
            with pytest.raises(Exception, match=r"401|Connection"):
                call(provider)
    finally:
        farthing.uninstrument()
    assert SECRET in str(provider.requests[0].url) + str(provider.requests[0].headers.raw)
    (span,) = telemetry.spans()
    assert (len(written.all()) == 1) == ("EVENT" in mode)
    told = [span.to_json(), str(span.events), str(span.status.description)]
    told += [record.to_json() if hasattr(record, "to_json") else "" for record in written.all()]
    told += [str(dict(record.attributes)) + str(record.body) for record in written.all()]
    told.append(telemetry.reader.get_metrics_data().to_json())
    assert SECRET not in "".join(told)
    assert "example.org" in told[0]


def once(*items: Any) -> Iterator[Any]:
    yield from items


USER: Any = {"role": "user", "content": "hi"}
TOOL: Any = {"type": "function", "function": {"name": "f"}}
CLAUDE_TOOL: Any = {"name": "f", "input_schema": {"type": "object"}}


def texts(*given: str) -> Iterator[Any]:
    return once(*({"type": "text", "text": text} for text in given))


def openai_given() -> dict[str, Any]:
    user = {"role": "user", "content": texts("a", "b")}
    return {"model": "gpt-4o", "messages": once(user, USER), "tools": once(TOOL)}


def claude_given() -> dict[str, Any]:
    user = {"role": "user", "content": texts("a", "b")}
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 9,
        "messages": once(user, USER),
        "system": texts("Be brief."),
        "tools": once(CLAUDE_TOOL),
    }


WHOLE = [
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    USER,
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_generators_reach_the_provider_whole(
    telemetry: Telemetry, provider: Provider, mode: str, kind: str
) -> None:
    telemetry.instrument(content=mode)
    provider.answers(shapes.ok(shapes.chat()))
    if kind == "sync":
        provider.openai().chat.completions.create(**openai_given())
    else:
        asyncio.run(provider.async_openai().chat.completions.create(**openai_given()))
    assert provider.body()["messages"] == WHOLE
    assert provider.body()["tools"] == [TOOL]
    provider.answers(shapes.ok(shapes.message()))
    if kind == "sync":
        provider.anthropic().messages.create(**claude_given())
    else:
        asyncio.run(provider.async_anthropic().messages.create(**claude_given()))
    assert provider.body()["messages"] == WHOLE
    assert provider.body()["system"] == [{"type": "text", "text": "Be brief."}]
    assert provider.body()["tools"] == [CLAUDE_TOOL]


def test_generators_given_to_openai_are_recorded(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(**openai_given())
    messages = json.loads(telemetry.attributes()["gen_ai.input.messages"])
    assert [part["content"] for m in messages for part in m["parts"]] == ["a", "b", "hi"]


@pytest.mark.xfail(
    strict=True,
    reason="anthropic 2.x gets as far as `request` with the generator itself, which is not read",
)
def test_generators_given_to_anthropic_are_recorded(
    telemetry: Telemetry, provider: Provider
) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    provider.answers(shapes.ok(shapes.message())).anthropic().messages.create(**claude_given())
    messages = json.loads(telemetry.attributes()["gen_ai.input.messages"])
    assert [part["content"] for m in messages for part in m["parts"]] == ["a", "b", "hi"]


@pytest.mark.parametrize("mode", MODES)
def test_what_the_caller_gave_is_as_it_was(
    telemetry: Telemetry, provider: Provider, mode: str
) -> None:
    telemetry.instrument(content=mode, redact=lambda text: "***", content_limit=1000)
    given: Any = [{"role": "user", "content": [{"type": "text", "text": "x" * 5000}]}]
    before = json.dumps(given)
    provider.answers(shapes.ok(shapes.message())).anthropic().messages.create(
        model="claude-sonnet-4-6", max_tokens=9, messages=given
    )
    assert json.dumps(given) == before
    assert provider.body()["messages"] == given


def test_recorded_as_it_was_asked(telemetry: Telemetry, provider: Provider) -> None:
    """An agent's history grows while its answer streams."""
    telemetry.instrument(content="SPAN_ONLY")
    use: Any = {"type": "tool_use", "id": "t_1", "name": "f", "input": {"at": 1}}
    history: Any = [USER, {"role": "assistant", "content": [use]}]
    client = provider.answers(shapes.sse(shapes.message_events())).anthropic()
    stream = client.messages.create(
        model="claude-sonnet-4-6", max_tokens=9, messages=history, stream=True
    )
    use["input"]["at"] = 2
    history.append({"role": "user", "content": "later"})
    list(stream)
    recorded = telemetry.attributes()["gen_ai.input.messages"]
    assert '{"at":1}' in recorded
    assert "later" not in recorded
