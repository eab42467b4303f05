"""Messages of the ``openai`` client, chat and responses, in the shapes of the conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing import content
from farthing.content import Message, Prompt
from farthing.endpoint import Body
from farthing.reading import items
from farthing_processor.readers import fields


def chat_message(message: Mapping[str, Any]) -> Message:
    given = message.get("content")
    role = message.get("role") or "assistant"
    if role == "tool":
        result = content.tool_result(message.get("tool_call_id"), _result(given))
        return content.message(role, [result])
    parts = [content.text(given)] if isinstance(given, str) and given else []
    parts += [_part(fields(part)) for part in items(given)]
    if isinstance(refusal := message.get("refusal"), str):
        parts.append(content.text(refusal))
    for call in items(message.get("tool_calls")):
        call = fields(call)
        function = fields(call.get("function"))
        parts.append(
            content.tool_call(call.get("id"), function.get("name"), function.get("arguments"))
        )
    return content.message(role, parts)


def _result(given: object) -> object:
    """What a tool answered: text, or parts of the same kinds as a message's."""
    return given if isinstance(given, str) else [_part(fields(part)) for part in items(given)]


def _part(part: Mapping[str, Any]) -> content.Part:
    """One part of a message, in the words of chat completions or of responses."""
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text"):
        return content.text(part.get("text"))
    if kind == "refusal":
        return content.text(part.get("refusal"))
    if kind == "image_url":
        return content.uri("image", str(fields(part.get("image_url")).get("url")))
    if kind == "input_image" and isinstance(address := part.get("image_url"), str):
        return content.uri("image", address)
    if kind == "input_audio":
        return content.blob("audio", fields(part.get("input_audio")).get("data"))
    if kind in ("file", "input_file"):
        file_id = fields(part.get("file") or part).get("file_id")
        return content.file("document", file_id) if file_id else content.other(kind)
    return content.other(kind)


def item_message(item: Mapping[str, Any]) -> Message:
    """One input or output item of the Responses API."""
    kind, role = item.get("type"), item.get("role")
    if kind == "function_call":
        call = content.tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        return content.message("assistant", [call])
    if kind == "function_call_output":
        result = content.tool_result(item.get("call_id"), _result(item.get("output")))
        return content.message("tool", [result])
    if kind == "reasoning":
        summary = [content.reasoning(fields(s).get("text")) for s in items(item.get("summary"))]
        return content.message("assistant", summary)
    if kind in (None, "message"):
        given = item.get("content")
        if isinstance(given, str):
            return content.message(role or "user", [content.text(given)])
        return content.message(role or "user", [_part(fields(part)) for part in items(given)])
    return content.message(role or "assistant", [content.other(kind)])


def chat_prompt(body: Body) -> Prompt:
    messages = [chat_message(fields(message)) for message in items(body.get("messages"))]
    return Prompt(messages, tools=_tools(body))


def chat_output(body: Any) -> list[Message]:
    choices = [fields(choice) for choice in items(fields(body).get("choices"))]
    return [chat_message(fields(choice.get("message"))) for choice in choices]


def responses_prompt(body: Body) -> Prompt:
    instructions, given = body.get("instructions"), body.get("input")
    system = [content.text(instructions)] if isinstance(instructions, str) else []
    if isinstance(given, str):
        messages = [content.message("user", [content.text(given)])]
    else:
        messages = [item_message(fields(item)) for item in items(given)]
    return Prompt(messages, system, _tools(body))


def responses_output(body: Any) -> list[Message]:
    return [item_message(fields(item)) for item in items(fields(body).get("output"))]


def _tools(body: Body) -> list[dict[str, Any]]:
    return [_tool(fields(tool)) for tool in items(body.get("tools"))]


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Chat completions keep what a function is in a field of that name, responses do not."""
    kind = tool.get("type")
    return content.tool_definition(kind, fields(tool.get(str(kind))) or tool)
