"""Shapes: every kind of message in the JSON shapes of the conventions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.message_shapes import parts, recorded

CHAT: Any = [
    {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
    {
        "role": "user",
        "name": "alice",
        "content": [
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file_1"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,BBBB"}},
        ],
    },
    {
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "No."}],
        "audio": {"id": "audio_1"},
        "tool_calls": [
            {"id": "c_1", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}},
            {"id": "c_2", "type": "function", "function": {"name": "f", "arguments": "{"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c_1", "content": [{"type": "text", "text": "a.py"}]},
    {"role": "assistant", "content": None, "function_call": {"name": "g", "arguments": "{}"}},
    {"role": "function", "name": "g", "content": "done"},
]


def test_chat(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    message = {
        "role": "assistant",
        "content": None,
        "refusal": "I cannot.",
        "reasoning_content": "Hm.",
        "audio": {"id": "a", "data": "CCCC", "transcript": "Hi", "expires_at": 1},
    }
    second = {"role": "assistant", "content": "Or this."}
    choices = [
        {"index": n, "finish_reason": "stop", "message": m} for n, m in enumerate([message, second])
    ]
    provider.answers(shapes.ok(shapes.chat(choices=choices))).openai().chat.completions.create(
        model="gpt-4o",
        messages=CHAT,
        n=2,
        tools=[
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}},
            {"type": "custom", "custom": {"name": "sh"}},
        ],
        functions=[{"name": "g", "parameters": {}}],
    )
    found = recorded(telemetry)
    roles = [message["role"] for message in found["input.messages"]]
    assert roles == ["developer", "user", "assistant", "tool", "assistant", "tool"]
    assert found["input.messages"][1]["name"] == "alice"
    assert parts(found["input.messages"]) == [
        {"type": "text", "content": "Be brief."},
        {"type": "blob", "modality": "audio", "content": "AAAA", "mime_type": "audio/wav"},
        {"type": "file", "modality": "document", "file_id": "file_1"},
        {
            "type": "blob",
            "modality": "document",
            "content": "BBBB",
            "mime_type": "application/pdf",
        },
        {"type": "text", "content": "No."},
        {"type": "file", "modality": "audio", "file_id": "audio_1"},
        {"type": "tool_call", "id": "c_1", "name": "sh", "arguments": "ls -l"},
        {"type": "tool_call", "id": "c_2", "name": "f", "arguments": "{"},
        {
            "type": "tool_call_response",
            "id": "c_1",
            "response": [{"type": "text", "content": "a.py"}],
        },
        {"type": "tool_call", "name": "g", "arguments": {}},
        {"type": "tool_call_response", "id": "g", "response": "done"},
    ]
    assert [message["parts"] for message in found["output.messages"]] == [
        [
            {"type": "reasoning", "content": "Hm."},
            {"type": "text", "content": "I cannot."},
            {"type": "text", "content": "Hi"},
            {"type": "blob", "modality": "audio", "content": "CCCC"},
        ],
        [{"type": "text", "content": "Or this."}],
    ]
    assert found["tool.definitions"] == [
        {"type": "function", "name": "f"},
        {"type": "custom", "name": "sh"},
        {"type": "function", "name": "g"},
    ]


BLOCKS: list[Any] = [
    {"type": "redacted_thinking", "data": "opaque"},
    {"type": "server_tool_use", "id": "st_1", "name": "web_search", "input": {"query": "cats"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "st_1",
        "content": [
            {
                "type": "web_search_result",
                "url": "https://example.org",
                "title": "Cats",
                "encrypted_content": "opaque",
                "page_age": None,
            }
        ],
    },
    {"type": "text", "text": "Hello"},
]
BLOCK_PARTS = [
    {"type": "redacted_thinking"},
    {
        "type": "server_tool_call",
        "id": "st_1",
        "name": "web_search",
        "server_tool_call": {"type": "web_search", "arguments": {"query": "cats"}},
    },
    {
        "type": "server_tool_call_response",
        "id": "st_1",
        "server_tool_call_response": {
            "type": "web_search",
            "response": [
                {
                    "type": "web_search_result",
                    "url": "https://example.org",
                    "title": "Cats",
                    "page_age": None,
                }
            ],
        },
    },
    {"type": "text", "content": "Hello"},
]


@pytest.mark.parametrize("typed", [False, True])
def test_messages(telemetry: Telemetry, provider: Provider, typed: bool) -> None:
    client = provider.answers(shapes.ok(shapes.message(content=BLOCKS))).anthropic()
    ask: Any = {"model": "claude-sonnet-4-6", "max_tokens": 9}
    again: Any = BLOCKS
    if typed:  # the client's own objects, sent back as they came
        hello: Any = [{"role": "user", "content": "hi"}]
        again = client.messages.create(**ask, messages=hello).content
        telemetry.exporter.clear()
    telemetry.instrument(content="SPAN_ONLY")
    blocks: Any = [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A."}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png?sig=abc"}},
        {
            "type": "tool_result",
            "tool_use_id": "t_1",
            "content": [
                {"type": "text", "text": "a cat"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                },
            ],
        },
        {
            "type": "search_result",
            "source": "s",
            "title": "Cats",
            "content": [{"type": "text", "text": "A cat."}],
        },
    ]
    client.messages.create(
        **ask,
        system=[{"type": "text", "text": "Be brief."}],
        messages=[{"role": "assistant", "content": again}, {"role": "user", "content": blocks}],
        tools=[
            {"name": "look", "input_schema": {"type": "object"}},
            {"type": "custom", "name": "find", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
    )
    found = recorded(telemetry)
    assert found["system_instructions"] == [{"type": "text", "content": "Be brief."}]
    (answered,) = found["output.messages"]
    assert answered["parts"] == BLOCK_PARTS
    before, user = found["input.messages"]
    assert before == {"role": "assistant", "parts": BLOCK_PARTS}
    assert user["parts"] == [
        {"type": "text", "content": "A."},
        {"type": "file", "modality": "document", "file_id": "file_1"},
        {"type": "uri", "modality": "image", "uri": "https://example.org/a.png?…"},
        {
            "type": "tool_call_response",
            "id": "t_1",
            "response": [
                {"type": "text", "content": "a cat"},
                {"type": "blob", "modality": "image", "content": "AAAA", "mime_type": "image/png"},
            ],
        },
        {
            "type": "search_result",
            "title": "Cats",
            "content": [{"type": "text", "content": "A cat."}],
        },
    ]
    assert found["tool.definitions"] == [
        {"type": "function", "name": "look"},
        {"type": "function", "name": "find"},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    assert "opaque" not in str(telemetry.attributes())


def test_streamed_reasoning_and_refusal(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    head = shapes.chat_chunks()[0]
    chunks = [
        head | {"choices": [{"index": index, "delta": delta, "finish_reason": None}]}
        for index, delta in (
            (1, {"refusal": "I can"}),
            (0, {"reasoning_content": "H"}),
            (0, {"reasoning_content": "m."}),
            (1, {"refusal": "not."}),
            (0, {"content": "Hello"}),
        )
    ]
    client = provider.answers(shapes.sse(chunks, done=True)).openai()
    list(client.chat.completions.create(model="gpt-4o", messages=[], n=2, stream=True))
    assert [message["parts"] for message in recorded(telemetry)["output.messages"]] == [
        [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "Hello"}],
        [{"type": "text", "content": "I cannot."}],
    ]
