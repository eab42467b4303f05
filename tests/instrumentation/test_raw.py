"""Raw responses: whoever reads the bytes, the call is recorded, and the bytes are untouched."""

from __future__ import annotations

import gc
import gzip
import json
import pickle
from typing import Any

import httpx2
import pytest

from farthing import raw as raw_module
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}


def stream_bytes() -> httpx2.Response:
    return shapes.sse(shapes.chat_chunks(), done=True)


@pytest.mark.parametrize("read", ["iter_bytes", "iter_lines", "iter_text", "read", "iter_raw"])
def test_a_stream_that_the_application_reads_itself(
    telemetry: Telemetry, provider: Provider, read: str
) -> None:
    client = provider.answers(lambda _: stream_bytes()).openai()
    with client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as response:
        if read == "read":
            seen = response.read()
        elif read == "iter_raw":
            seen = b"".join(response.http_response.iter_raw())
        else:
            seen = "".join(map(str, getattr(response, read)()))
    assert "[DONE]" in str(seen)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0


async def test_an_async_stream_that_the_application_reads_itself(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(lambda _: stream_bytes()).async_openai()
    create = client.chat.completions.with_streaming_response.create
    async with create(stream=True, **CHAT) as response:
        lines = [line async for line in response.iter_lines()]
    assert lines[-2] == "data: [DONE]"
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_a_stream_left_half_way(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(
        shapes.sse(shapes.message_events()),
    ).anthropic()
    with client.messages.with_streaming_response.create(
        model="claude-sonnet-4-6", max_tokens=5, messages=MESSAGES, stream=True
    ) as response:
        for line in response.iter_lines():
            if "message_start" in line and line.startswith("data"):
                break
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert "gen_ai.usage.output_tokens" not in attributes


def test_bytes_come_as_they_are_sent(telemetry: Telemetry, provider: Provider) -> None:
    """Nothing waits for anything else: each piece passes before the next is asked for."""
    asked: list[int] = []

    class Pieces(shapes.Bytes):
        def __iter__(self) -> Any:
            for index, piece in enumerate(self.pieces):
                asked.append(index)
                yield piece

    sent = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in shapes.chat_chunks()]
    headers = {"content-type": "text/event-stream"}
    client = provider.answers(httpx2.Response(200, headers=headers, stream=Pieces(sent))).openai()
    with client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as response:
        for index, piece in enumerate(response.iter_bytes()):
            assert piece == sent[index]
            assert asked == list(range(index + 1))
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


@pytest.mark.parametrize("streamed", [True, False])
def test_a_compressed_body(telemetry: Telemetry, provider: Provider, streamed: bool) -> None:
    body = stream_bytes().read() if streamed else json.dumps(shapes.chat()).encode()
    kind = "text/event-stream" if streamed else "application/json"
    headers = {"content-type": kind, "content-encoding": "gzip"}
    packed = gzip.compress(body)
    reply = httpx2.Response(200, headers=headers, stream=shapes.Bytes([packed[:40], packed[40:]]))
    create: Any = provider.answers(reply).openai().chat.completions.with_streaming_response.create
    with create(stream=streamed, **CHAT) as response:
        assert b"".join(response.iter_bytes()) == body
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_a_body_too_large_to_keep(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_module, "BODY_LIMIT", 100)
    client = provider.answers(shapes.unread(shapes.chat())).openai()
    with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        assert len(response.read()) > 100
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_a_body_that_breaks_off(telemetry: Telemetry, provider: Provider) -> None:
    reply = shapes.sse(shapes.chat_chunks()[:2], error=httpx2.ReadError("cut"))
    client = provider.answers(reply).openai()
    with (
        pytest.raises(httpx2.ReadError),
        client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as response,
    ):
        response.read()
    assert telemetry.attributes()["error.type"] == "ReadError"


def test_a_raw_response_can_be_pickled_and_closed_by_hand(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(stream_bytes()).openai()
    raw = client.chat.completions.with_raw_response.create(stream=True, **CHAT)
    assert pickle.loads(pickle.dumps(raw.http_response)).status_code == 200
    assert telemetry.spans() == []
    raw.http_response.close()
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_a_raw_response_dropped_but_for_its_body(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(lambda _: stream_bytes()).openai()
    response = client.chat.completions.with_raw_response.create(stream=True, **CHAT).http_response
    gc.collect()
    telemetry.points()
    assert telemetry.spans() == []
    response.read()
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_a_raw_response_dropped_unread(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(lambda _: stream_bytes()).openai()
    client.chat.completions.with_raw_response.create(stream=True, **CHAT)
    gc.collect()
    telemetry.points()
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"
