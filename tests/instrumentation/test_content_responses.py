"""Items of the Responses API in the JSON shapes of the conventions; streams cut short too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.message_shapes import parts, recorded

ITEMS: list[Any] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "opaque",
    },
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "cats"},
    },
    {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": ["cats"],
        "results": [{"file_id": "f", "text": "A cat.", "score": 0.5}],
    },
    {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "status": "completed",
        "container_id": "c",
        "code": "1 + 1",
        "outputs": [{"type": "logs", "logs": "2"}],
    },
    {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "revised_prompt": "A cat",
        "result": "AAAA",
        "output_format": "png",
    },
    {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "s",
        "name": "look",
        "arguments": '{"at": 1}',
        "output": "a cat",
    },
    {"type": "custom_tool_call", "call_id": "cc_1", "name": "sh", "input": "ls"},
    {
        "type": "local_shell_call",
        "id": "ls_1",
        "call_id": "call_9",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
    },
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "opaque"},
    {"type": "something_new", "id": "x", "secret": "opaque"},
]
ITEM_PARTS = [
    {"type": "reasoning", "content": "Hm."},
    {
        "type": "server_tool_call",
        "id": "ws_1",
        "name": "web_search",
        "server_tool_call": {
            "type": "web_search",
            "arguments": {"type": "search", "query": "cats"},
        },
    },
    {
        "type": "server_tool_call",
        "id": "fs_1",
        "name": "file_search",
        "server_tool_call": {"type": "file_search", "arguments": {"queries": ["cats"]}},
    },
    {
        "type": "server_tool_call_response",
        "id": "fs_1",
        "server_tool_call_response": {
            "type": "file_search",
            "response": [{"file_id": "f", "text": "A cat.", "score": 0.5}],
        },
    },
    {
        "type": "server_tool_call",
        "id": "ci_1",
        "name": "code_interpreter",
        "server_tool_call": {"type": "code_interpreter", "arguments": {"code": "1 + 1"}},
    },
    {
        "type": "server_tool_call_response",
        "id": "ci_1",
        "server_tool_call_response": {
            "type": "code_interpreter",
            "response": [{"type": "logs", "logs": "2"}],
        },
    },
    {
        "type": "server_tool_call",
        "id": "ig_1",
        "name": "image_generation",
        "server_tool_call": {"type": "image_generation", "arguments": {"revised_prompt": "A cat"}},
    },
    {
        "type": "server_tool_call_response",
        "id": "ig_1",
        "server_tool_call_response": {
            "type": "image_generation",
            "response": [
                {"type": "blob", "modality": "image", "content": "AAAA", "mime_type": "image/png"}
            ],
        },
    },
    {
        "type": "server_tool_call",
        "id": "mcp_1",
        "name": "look",
        "server_tool_call": {"type": "mcp", "arguments": {"at": 1}},
    },
    {
        "type": "server_tool_call_response",
        "id": "mcp_1",
        "server_tool_call_response": {"type": "mcp", "response": "a cat"},
    },
    {"type": "tool_call", "id": "cc_1", "name": "sh", "arguments": "ls"},
    {
        "type": "tool_call",
        "id": "call_9",
        "name": "local_shell",
        "arguments": {"type": "exec", "command": ["ls"], "env": {}},
    },
    {"type": "text", "content": "Hello"},
    {"type": "compaction", "id": "cmp_1"},
    {"type": "something_new"},
]


@pytest.mark.parametrize("stream", [False, True])
def test_responses(telemetry: Telemetry, provider: Provider, stream: bool) -> None:
    """What was answered and is sent again reads the same; one response is one choice."""
    telemetry.instrument(content="SPAN_ONLY")
    body = shapes.response(output=ITEMS)
    reply = shapes.sse(shapes.response_events(output=ITEMS)) if stream else shapes.ok(body)
    outputs: Any = [
        {
            "type": "computer_call_output",
            "call_id": "cu_1",
            "output": {"type": "computer_screenshot", "image_url": "https://example.org/a.png"},
        },
        {"type": "shell_call_output", "call_id": "sh_1", "output": [{"stdout": "a", "stderr": ""}]},
        {
            "role": "user",
            "content": [
                {"type": "input_image", "file_id": "file_2"},
                {"type": "input_file", "file_url": "https://example.org/a.pdf?signature=abc"},
            ],
        },
    ]
    result = (
        provider.answers(reply)
        .openai()
        .responses.create(
            model="gpt-5",
            input=[*ITEMS, *outputs],
            stream=stream,
            tools=[
                {"type": "function", "name": "f", "parameters": {}, "strict": True},
                {"type": "web_search"},
                {"type": "file_search", "vector_store_ids": ["v"]},
                {
                    "type": "mcp",
                    "server_label": "s",
                    "server_url": "https://u:p@example.org/?key=abc",
                    "headers": {"Authorization": "abc"},
                },
                {"type": "code_interpreter", "container": "c"},
                {"type": "custom", "name": "sh"},
            ],
        )
    )
    if stream:
        list(result)
    found = recorded(telemetry)
    (answered,) = found["output.messages"]
    assert answered == {"role": "assistant", "parts": ITEM_PARTS}
    asked = parts(found["input.messages"])
    assert asked[: len(ITEM_PARTS)] == ITEM_PARTS
    assert asked[len(ITEM_PARTS) :] == [
        {
            "type": "tool_call_response",
            "id": "cu_1",
            "response": [{"type": "uri", "modality": "image", "uri": "https://example.org/a.png"}],
        },
        {
            "type": "tool_call_response",
            "id": "sh_1",
            "response": [{"stdout": "a", "stderr": ""}],
        },
        {"type": "file", "modality": "image", "file_id": "file_2"},
        {"type": "uri", "modality": "document", "uri": "https://example.org/a.pdf?…"},
    ]
    assert found["tool.definitions"] == [
        {"type": "function", "name": "f"},
        {"type": "web_search", "name": "web_search"},
        {"type": "file_search", "name": "file_search"},
        {"type": "mcp", "name": "s"},
        {"type": "code_interpreter", "name": "code_interpreter"},
        {"type": "custom", "name": "sh"},
    ]
    assert "opaque" not in str(telemetry.attributes())


def test_a_streamed_response_cut_short(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")

    def event(kind: str, index: int, **more: Any) -> dict[str, Any]:
        head = {"type": f"response.{kind}", "sequence_number": 1, "output_index": index}
        return head | {"item_id": "i", "content_index": 0, "summary_index": 0} | more

    call = {"type": "function_call", "id": "fc", "call_id": "c_1", "name": "f", "arguments": ""}
    message = {"type": "message", "id": "m", "role": "assistant", "content": []}
    events = [
        shapes.response_events()[0],
        event("output_item.added", 0, item={"type": "reasoning", "id": "rs", "summary": []}),
        event("reasoning_summary_text.delta", 0, delta="H"),
        event("reasoning_summary_text.delta", 0, delta="m."),
        event("output_item.added", 1, item=ITEMS[2] | {"results": None}),
        event("output_item.done", 1, item=ITEMS[2]),
        event("output_item.added", 2, item=message),
        event("output_text.delta", 2, delta="Hel", logprobs=[]),
        event("output_text.delta", 2, delta="lo", logprobs=[]),
        event("output_item.added", 3, item=call),
        event("function_call_arguments.delta", 3, delta='{"at"'),
        event("function_call_arguments.delta", 3, delta=": "),
    ]
    client = provider.answers(shapes.sse(events)).openai()
    with client.responses.create(model="gpt-5", input="hi", stream=True) as stream:
        for _ in range(len(events)):
            next(stream)
    (answered,) = recorded(telemetry)["output.messages"]
    assert answered["parts"] == [
        {"type": "reasoning", "content": "Hm."},
        *ITEM_PARTS[2:4],
        {"type": "text", "content": "Hello"},
        {"type": "tool_call", "id": "c_1", "name": "f", "arguments": '{"at": '},
    ]
    # The call of a tool in what has arrived is not billed for that.
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"
