"""Response bodies in the shapes that the providers send, for tests to answer with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx2

CHAT_USAGE = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 0},
}
CHAT_COST = 0.005615
"""86 at 2.5, 1920 cached at 1.25 and 300 out at 10 USD a million: gpt-4o-2024-08-06."""

ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 100000,
    "cache_creation_input_tokens": 5000,
    "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 3000},
    "output_tokens": 500,
    "service_tier": "standard",
}
ANTHROPIC_COST = 0.06303
"""10 at 3, 100,000 read at 0.3, 2000 written at 3.75 and 3000 at 6, 500 out at 15: Sonnet 4.6."""


def chat(usage: dict[str, Any] | None = CHAT_USAGE, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hello"},
            }
        ],
    }
    if usage is not None:
        body["usage"] = usage
    return body | more


def chat_chunks(usage: dict[str, Any] | None = CHAT_USAGE) -> list[dict[str, Any]]:
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
    }

    def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    chunks = [
        choice({"role": "assistant", "content": ""}),
        choice({"content": "Hel"}),
        choice({"content": "lo"}),
        choice({}, "stop"),
    ]
    if usage is not None:
        chunks.append(head | {"choices": [], "usage": usage})
    return chunks


RESPONSES_USAGE = {
    "input_tokens": 12033,
    "input_tokens_details": {"cached_tokens": 11904, "cache_write_tokens": 0},
    "output_tokens": 1044,
    "output_tokens_details": {"reasoning_tokens": 1000},
    "total_tokens": 13077,
}
RESPONSES_COST = 0.01208925
"""129 at 1.25, 11904 cached at 0.125 and 1044 out at 10 USD a million: gpt-5-2025-08-07."""


def response(status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5-2025-08-07",
        "status": status,
        "service_tier": "default",
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE if status in ("completed", "incomplete") else None,
    } | more


def response_events(end: str = "completed", **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": response("in_progress", output=[]),
        },
        {
            "type": "response.output_item.added",
            "sequence_number": 1,
            "output_index": 0,
            "item": {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            },
        },
        {
            "type": "response.content_part.added",
            "sequence_number": 2,
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        {
            "type": "response.output_text.delta",
            "sequence_number": 3,
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "Hello",
            "logprobs": [],
        },
        {"type": f"response.{end}", "sequence_number": 4, "response": response(end, **more)},
    ]


def message(**more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    } | more


def message_events(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    start = message(content=[], stop_reason=None, usage=ANTHROPIC_USAGE | {"output_tokens": 1})
    return [
        {"type": "message_start", "message": start},
        {"type": "ping"},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello"},
        },
        {"type": "content_block_stop", "index": 0},
        *(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": usage,
            }
            for usage in deltas or ({"output_tokens": 500},)
        ),
        {"type": "message_stop"},
    ]


def embeddings(usage: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "object": "list",
        "model": "text-embedding-3-large",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2, 0.3]}],
        "usage": usage or {"prompt_tokens": 1000, "total_tokens": 1000},
    }


class Bytes(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that arrives in pieces, and may break off with an error."""

    def __init__(self, pieces: Iterable[bytes], error: Exception | None = None) -> None:
        self.pieces = list(pieces)
        self.error = error
        self.closed = False

    def __iter__(self) -> Any:
        yield from self.pieces
        if self.error:
            raise self.error

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def ok(body: object) -> httpx2.Response:
    return httpx2.Response(200, json=body)


def unread(body: object) -> httpx2.Response:
    """The same, with its body still to be read, as it comes over a network."""
    headers = {"content-type": "application/json"}
    return httpx2.Response(200, headers=headers, stream=Bytes([json.dumps(body).encode()]))


def sse(
    events: Iterable[dict[str, Any]], *, done: bool = False, error: Exception | None = None
) -> httpx2.Response:
    """A stream of server-sent events; named by their type where they have one."""
    pieces = []
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        pieces.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    if done:
        pieces.append(b"data: [DONE]\n\n")
    return httpx2.Response(
        200, headers={"content-type": "text/event-stream"}, stream=Bytes(pieces, error)
    )
