"""Messages of the ``openai`` client, chat and responses, in the shapes of the conventions.

Shapes: the types of the ``openai`` client; ``reasoning_content`` and ``reasoning`` are what
compatible servers (DeepSeek, vLLM, OpenRouter) say beside ``content``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from farthing import content
from farthing.content import Message, Part, Parts, Prompt
from farthing.endpoint import Body
from farthing.reading import items
from farthing_processor.readers import fields

# Chat completions.

_REASONING: Final = ("reasoning_content", "reasoning")


def chat_message(message: Mapping[str, Any]) -> Message:
    given = message.get("content")
    role = message.get("role") or "assistant"
    if role in ("tool", "function"):
        id = message.get("tool_call_id") or message.get("name")
        return content.message("tool", [content.tool_result(id, _result(given))])
    parts = [content.reasoning(message[name]) for name in _REASONING if message.get(name)]
    parts += [content.text(given)] if isinstance(given, str) and given else []
    parts += [_part(fields(part)) for part in items(given)]
    if refusal := message.get("refusal"):
        parts.append(content.text(refusal))
    parts += _audio(fields(message.get("audio")))
    calls = [*items(message.get("tool_calls"))]
    if legacy := message.get("function_call"):
        calls.append({"function": legacy})
    parts += [_tool_call(fields(call)) for call in calls]
    return content.message(role, parts, message.get("name"))


def _tool_call(call: Mapping[str, Any]) -> Part:
    if custom := fields(call.get("custom")):
        return content.tool_call(call.get("id"), custom.get("name"), custom.get("input"))
    function = fields(call.get("function"))
    return content.tool_call(call.get("id"), function.get("name"), function.get("arguments"))


def _audio(audio: Mapping[str, Any]) -> list[Part]:
    """Speech: what was said, and its sound; in a later request only its id is left."""
    if not audio:
        return []
    if "data" not in audio:
        return [content.file("audio", audio.get("id"))]
    return [content.text(audio.get("transcript")), content.blob("audio", audio["data"])]


def _result(given: object) -> object:
    """What a tool answered: text, parts of the same kinds as a message's, or data of its own."""
    if isinstance(given, str):
        return given
    held = fields(given)
    parts = [held] if held else [fields(part) for part in items(given)]
    return Parts(map(_part, parts)) if all("type" in part for part in parts) else given


_TEXTS: Final = {
    "text": ("text", content.text),
    "input_text": ("text", content.text),
    "output_text": ("text", content.text),
    "refusal": ("refusal", content.text),
    "reasoning_text": ("text", content.reasoning),
    "summary_text": ("text", content.reasoning),
}
"""Type of a part that is text → (where it is, what it is in the conventions)."""


def _part(part: Mapping[str, Any]) -> Part:
    """One part of a message, in the words of chat completions or of responses."""
    kind = str(part.get("type"))
    if kind in _TEXTS:
        name, made = _TEXTS[kind]
        return made(part.get(name))
    if kind in ("image_url", "input_image", "computer_screenshot"):
        address = part.get("image_url")
        address = address if isinstance(address, str) else fields(address).get("url")
        return content.uri("image", address) if address else _file("image", kind, part)
    if kind == "input_audio":
        audio = fields(part.get("input_audio"))
        return content.blob("audio", audio.get("data"), _mime_type("audio", audio.get("format")))
    if kind in ("file", "input_file"):
        return _file("document", kind, fields(part.get("file")) or part)
    return content.other(kind)


def _file(modality: str, kind: str, part: Mapping[str, Any]) -> Part:
    """A file that the provider has, or that is given by its address or as data."""
    if file_id := part.get("file_id"):
        return content.file(modality, file_id)
    address = part.get("file_url") or part.get("file_data")
    return content.uri(modality, address) if address else content.other(kind)


def _mime_type(modality: str, kind: object) -> str | None:
    return f"{modality}/{kind}" if kind else None


def chat_prompt(body: Body) -> Prompt:
    messages = [chat_message(fields(message)) for message in items(body.get("messages"))]
    tools = _tools(body)
    tools += [content.tool_definition("function", fields(f)) for f in items(body.get("functions"))]
    return Prompt(messages, tools=tools)


def chat_output(body: Any) -> list[Message]:
    """One message for each choice; none for a choice that nothing came of."""
    choices = [fields(choice) for choice in items(fields(body).get("choices"))]
    messages = [chat_message(fields(choice.get("message"))) for choice in choices]
    return [message for message in messages if message["parts"]]


def fold_message(choice: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a streamed delta to the message of a folded ``choice``, each text kept in its pieces."""
    message = choice.setdefault("message", {"role": "assistant"})
    if piece := delta.get("content"):
        parts = message.setdefault("content", {0: {"type": "text", "text": []}})
        parts[0]["text"].append(piece)
    for name in ("refusal", *_REASONING):
        if piece := delta.get(name):
            message.setdefault(name, []).append(piece)
    for call in items(delta.get("tool_calls")):
        _fold_call(message.setdefault("tool_calls", {}), fields(call))
    if function := delta.get("function_call"):
        _fold_call(message.setdefault("tool_calls", {}), {"function": function})


def _fold_call(calls: dict[Any, Any], call: Mapping[str, Any]) -> None:
    folded = calls.setdefault(call.get("index") or 0, {"function": {"name": "", "arguments": []}})
    folded["id"] = folded.get("id") or call.get("id")
    function = fields(call.get("function"))
    folded["function"]["name"] += function.get("name") or ""
    folded["function"]["arguments"].append(function.get("arguments") or "")


# Legacy completions.


def completion_prompt(body: Body) -> Prompt:
    """Of a legacy completion: one text, or several; tokens given as numbers are not text."""
    given = body.get("prompt")
    texts = (given,) if isinstance(given, str) else items(given)
    parts = [content.text(text) for text in texts if isinstance(text, str)]
    return Prompt([content.message("user", parts)] if parts else ())


def completion_output(body: Any) -> list[Message]:
    choices = [fields(choice) for choice in items(fields(body).get("choices"))]
    # A stream is folded as that of a chat is.
    folded = [chat_message(fields(choice.get("message"))) for choice in choices]
    texts = [choice.get("text") for choice in choices]
    return [
        content.message("assistant", [content.text(text)]) if text else message
        for text, message in zip(texts, folded, strict=True)
        if text or message["parts"]
    ]


# Responses.

_HOSTED: Final = {
    "web_search_call": ("action", None),
    "file_search_call": ("queries", "results"),
    "code_interpreter_call": ("code", "outputs"),
    "image_generation_call": ("revised_prompt", "result"),
    "mcp_call": ("arguments", "output"),
}
"""Type of an item that is a call of a tool which the provider runs → (what it was asked, what it
answered)."""
_ARGUMENTS: Final = ("arguments", "input", "action", "operation")
"""Where the other calls of tools, which the application runs, have what they are asked."""
PARTIAL: Final = "partial"
"""Where the items of a streamed response are folded. Not among its output: a call of a tool in
there is billed."""


def _item_parts(item: Mapping[str, Any]) -> list[Part]:
    """The parts that one input or output item of the Responses API comes to."""
    kind = str(item.get("type") or "message")
    if kind == "message":
        given = item.get("content")
        if isinstance(given, str):
            return [content.text(given)]
        return [_part(fields(part)) for part in items(given)]
    if kind == "reasoning":
        thoughts = [*items(item.get("summary")), *items(item.get("content"))]
        return [_part(fields(thought)) for thought in thoughts]
    if kind in _HOSTED:
        return _hosted(kind, item)
    id = item.get("call_id") or item.get("id")
    if kind.endswith("_call"):
        arguments = next((item[name] for name in _ARGUMENTS if item.get(name) is not None), None)
        name = item.get("name") or kind.removesuffix("_call")
        return [content.tool_call(id, name, arguments)]
    if kind.endswith("_call_output"):
        return [content.tool_result(id, _result(item.get("output")))]
    if kind == "compaction":
        return [content.compaction(item.get("id"))]
    return [content.other(kind)]


def _hosted(kind: str, item: Mapping[str, Any]) -> list[Part]:
    asked, answered = _HOSTED[kind]
    id, tool = item.get("id"), kind.removesuffix("_call")
    given = item.get(asked)
    arguments = given if asked in _ARGUMENTS else {asked: given}
    parts = [content.server_tool_call(id, item.get("name") or tool, tool, arguments)]
    result = item.get(answered) if answered is not None else None
    if tool == "image_generation" and result is not None:
        mime_type = _mime_type("image", item.get("output_format"))
        result = Parts([content.blob("image", result, mime_type)])
    if result is not None:
        parts.append(content.server_tool_result(id, tool, result))
    return parts


def item_message(item: Mapping[str, Any]) -> Message:
    """One input item of the Responses API."""
    kind = str(item.get("type") or "message")
    role = item.get("role")
    if role is None:
        role = "tool" if kind.endswith("_output") else "user" if kind == "message" else "assistant"
    return content.message(role, _item_parts(item))


def responses_prompt(body: Body) -> Prompt:
    instructions, given = body.get("instructions"), body.get("input")
    system = [content.text(instructions)] if isinstance(instructions, str) else []
    if isinstance(given, str):
        messages = [content.message("user", [content.text(given)])]
    else:
        messages = [item_message(fields(item)) for item in items(given)]
    return Prompt(messages, system, _tools(body))


def responses_output(body: Any) -> list[Message]:
    """One message: a response has one choice, whose items are its parts."""
    body = fields(body)
    output = items(body.get("output")) or items(body.get(PARTIAL))
    parts = [part for item in output for part in _item_parts(fields(item))]
    return [content.message("assistant", parts)] if parts else []


_PIECES: Final = {
    "response.output_text.delta": ("content", "output_text"),
    "response.refusal.delta": ("content", "output_text"),
    "response.reasoning_text.delta": ("content", "reasoning_text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text"),
    "response.function_call_arguments.delta": ("arguments", None),
    "response.mcp_call_arguments.delta": ("arguments", None),
    "response.custom_tool_call_input.delta": ("input", None),
    "response.code_interpreter_call_code.delta": ("code", None),
}
"""Type of an event → (the field of the item that it continues, the type of the part in there)."""


def fold_item(body: dict[str, Any], event: Mapping[str, Any]) -> None:
    """Add what a streamed event says of an item, each text kept in its pieces."""
    kind = event.get("type")
    folded: dict[Any, Any] = body.setdefault(PARTIAL, {})
    index = event.get("output_index")
    if kind in ("response.output_item.added", "response.output_item.done"):
        item = dict(fields(event.get("item")))
        if kind == "response.output_item.added":
            for name in ("content", "summary", "arguments", "input", "code"):
                item.pop(name, None)  # it follows in pieces
        folded[index] = item
    elif kind in _PIECES and index in folded:
        name, part = _PIECES[kind]
        if part is None:
            folded[index].setdefault(name, []).append(event.get("delta") or "")
            return
        at = event.get("summary_index" if name == "summary" else "content_index")
        parts = folded[index].setdefault(name, {})
        parts.setdefault(at, {"type": part, "text": []})["text"].append(event.get("delta") or "")


# Tools.


def _tools(body: Body) -> list[dict[str, Any]]:
    return [_tool(fields(tool)) for tool in items(body.get("tools"))]


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Chat completions keep what a function is in a field of that name, responses do not."""
    kind = tool.get("type")
    inner = fields(tool.get(str(kind))) or tool
    if kind == "mcp":
        return content.tool_definition(kind, {"name": tool.get("server_label")})
    return content.tool_definition(kind, inner)
