"""Content: none unless asked for, then in the shapes of the conventions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

CONTENT = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
TOOLS = [
    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
]
CHAT: Any = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": TOOLS},
    {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
]
CHAT_RECORDED = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {
        "role": "user",
        "parts": [
            {"type": "text", "content": "What is this?"},
            {"type": "uri", "modality": "image", "uri": "https://example.org/a.png"},
            {"type": "blob", "modality": "image", "content": "AAAA", "mime_type": "image/png"},
        ],
    },
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": 1}}],
    },
    {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}],
    },
]
HELLO = [{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]


def recorded(telemetry: Telemetry) -> dict[str, Any]:
    attributes = telemetry.attributes()
    return {name: json.loads(attributes[name]) for name in CONTENT if name in attributes}


def call_everything(provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=CHAT
    )
    provider.answers(shapes.ok(shapes.response())).openai().responses.create(
        model="gpt-5", instructions="Be brief.", input="What is this?"
    )
    provider.answers(shapes.ok(shapes.embeddings())).openai().embeddings.create(
        model="text-embedding-3-large", input="What is this?"
    )
    provider.answers(shapes.ok(shapes.message())).anthropic().messages.create(
        model="claude-sonnet-4-6",
        max_tokens=9,
        system="Be brief.",
        messages=[{"role": "user", "content": "What is this?"}],
    )


@pytest.mark.parametrize("mode", [None, "NO_CONTENT", "EVENT_ONLY", "true"])
def test_no_content_unless_asked_for(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch, mode: str | None
) -> None:
    if mode is not None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", mode)
    telemetry.instrument()
    call_everything(provider)
    everything = str([span.attributes for span in telemetry.spans()])
    for secret in ("brief", "What is this", "Hello", "cat", "AAAA"):
        assert secret not in everything


@pytest.mark.parametrize("mode", ["SPAN_ONLY", "span_and_event"])
def test_chat(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", mode)
    telemetry.instrument()
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=CHAT
    )
    assert recorded(telemetry) == {
        "gen_ai.input.messages": CHAT_RECORDED,
        "gen_ai.output.messages": HELLO,
    }


def test_streamed_chat_with_tool_calls(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    pieces = [
        {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"at"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
        {"index": 1, "id": "call_2", "function": {"name": "stop", "arguments": "{"}},
    ]
    chunks = shapes.chat_chunks()
    chunks[3:3] = [
        chunks[0] | {"choices": [{"index": 0, "delta": {"tool_calls": [p]}, "finish_reason": None}]}
        for p in pieces
    ]
    client = provider.answers(shapes.sse(chunks, done=True)).openai()
    list(client.chat.completions.create(model="gpt-4o", messages=CHAT, stream=True))
    assert recorded(telemetry)["gen_ai.output.messages"] == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Hello"},
                {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": 1}},
                {"type": "tool_call", "id": "call_2", "name": "stop", "arguments": "{"},
            ],
        }
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_responses(telemetry: Telemetry, provider: Provider, stream: bool) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    output = [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Thinking."}],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "look",
            "arguments": '{"at": 1}',
            "status": "completed",
        },
    ]
    reply = (
        shapes.sse(shapes.response_events(output=output))
        if stream
        else shapes.ok(shapes.response(output=output))
    )
    asked: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "What is this?"}]},
        {"type": "function_call_output", "call_id": "call_0", "output": "a cat"},
        {"type": "item_reference", "id": "x"},
    ]
    result = (
        provider.answers(reply)
        .openai()
        .responses.create(model="gpt-5", instructions="Be brief.", input=asked, stream=stream)
    )
    if stream:
        list(result)
    assert recorded(telemetry) == {
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "What is this?"}]},
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "call_0", "response": "a cat"}],
            },
            {"role": "assistant", "parts": [{"type": "item_reference"}]},
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Thinking."},
                    {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": 1}},
                ],
            },
        ],
    }
    assert telemetry.attributes()["gen_ai.response.finish_reasons"] == ("tool_calls",)


@pytest.mark.parametrize("stream", [False, True])
def test_messages(telemetry: Telemetry, provider: Provider, stream: bool) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    answer: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "t_1", "name": "look", "input": {"at": 1}},
    ]
    events = shapes.message_events()
    events[2:5] = [
        {"type": "content_block_start", "index": 0, "content_block": answer[0] | {"thinking": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "Hm."},
        },
        {"type": "content_block_start", "index": 1, "content_block": answer[1] | {"text": ""}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "Hello"},
        },
        {"type": "content_block_start", "index": 2, "content_block": answer[2] | {"input": {}}},
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": '{"at"'},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": ": 1}"},
        },
    ]
    reply = shapes.sse(events) if stream else shapes.ok(shapes.message(content=answer))
    asked: Any = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                },
                {"type": "tool_result", "tool_use_id": "t_0", "content": "a cat"},
            ],
        }
    ]
    result = (
        provider.answers(reply)
        .anthropic()
        .messages.create(
            model="claude-sonnet-4-6",
            max_tokens=9,
            system="Be brief.",
            messages=asked,
            stream=stream,
        )
    )
    if stream:
        list(result)
    assert recorded(telemetry) == {
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.input.messages": [
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {
                        "type": "blob",
                        "modality": "image",
                        "content": "AAAA",
                        "mime_type": "image/png",
                    },
                    {"type": "tool_call_response", "id": "t_0", "response": "a cat"},
                ],
            }
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm."},
                    {"type": "text", "content": "Hello"},
                    {"type": "tool_call", "id": "t_1", "name": "look", "arguments": {"at": 1}},
                ],
            }
        ],
    }


def test_data_too_large_for_telemetry_is_left_out(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 8_000_000}}
    asked: Any = [{"role": "user", "content": [image]}]
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=asked
    )
    assert recorded(telemetry)["gen_ai.input.messages"][0]["parts"] == [
        {
            "type": "blob_left_out",
            "modality": "image",
            "size": 8_000_000,
            "mime_type": "image/png",
        }
    ]
    assert len(provider.requests[0].content) > 8_000_000
