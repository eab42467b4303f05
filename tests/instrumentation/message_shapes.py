"""The JSON shapes of the conventions, and content checked against them."""

from __future__ import annotations

import json
from typing import Any

from tests.instrumentation.conftest import Telemetry

PARTS: dict[str, tuple[set[str], set[str]]] = {
    "text": ({"content"}, set()),
    "tool_call": ({"name"}, {"id", "arguments"}),
    "tool_call_response": ({"response"}, {"id"}),
    "server_tool_call": ({"name", "server_tool_call"}, {"id"}),
    "server_tool_call_response": ({"server_tool_call_response"}, {"id"}),
    "blob": ({"modality", "content"}, {"mime_type"}),
    "file": ({"modality", "file_id"}, {"mime_type"}),
    "uri": ({"modality", "uri"}, {"mime_type"}),
    "reasoning": ({"content"}, set()),
    "compaction": (set(), {"id", "content"}),
}
"""Type of a part → what it must have and what it may have, its type aside; other types are open
(semantic-conventions-genai, gen-ai-input-messages.json)."""
TEXTS = ("type", "content", "name", "id", "modality", "uri", "file_id", "mime_type")
NAMES = ("system_instructions", "input.messages", "output.messages", "tool.definitions")


def valid_part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part["type"]
    if kind in PARTS:
        required, optional = PARTS[kind]
        assert required <= part.keys() - {"type"} <= required | optional, part
        assert all(isinstance(part[name], str) for name in TEXTS if name in part), part
        for nested in ("server_tool_call", "server_tool_call_response"):
            assert nested not in part or isinstance(part[nested]["type"], str), part
    return part


def valid_message(message: dict[str, Any]) -> dict[str, Any]:
    assert {"role", "parts"} <= message.keys() <= {"role", "parts", "name"}
    assert isinstance(message["role"], str)
    assert isinstance(message.get("name", ""), str)
    return message | {"parts": [valid_part(part) for part in message["parts"]]}


def recorded(telemetry: Telemetry) -> dict[str, Any]:
    """Content of the one span there is, checked against the conventions."""
    attributes = telemetry.attributes()
    found = {n: json.loads(attributes.get(f"gen_ai.{n}", "[]")) for n in NAMES}
    for name in ("input.messages", "output.messages"):
        found[name] = [valid_message(message) for message in found[name]]
    for part in found["system_instructions"]:
        valid_part(part)
    for tool in found["tool.definitions"]:
        assert tool.keys() == {"type", "name"}
        assert all(isinstance(value, str) for value in tool.values())
    return found


def parts(messages: Any) -> list[Any]:
    return [part for message in messages for part in message["parts"]]
