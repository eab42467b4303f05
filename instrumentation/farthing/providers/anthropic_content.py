"""Content of Anthropic's messages, in the shapes of the conventions; of a stream, from its pieces.

Shapes: the types of the ``anthropic`` client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from farthing import content
from farthing.content import Message, Prompt
from farthing.endpoint import Body
from farthing.reading import items
from farthing_processor.readers import fields

_FUNCTION: Final = {None: "function", "custom": "function"}
"""What the conventions call a tool that the application runs; a tool of the provider's keeps its
own type."""


def prompt(body: Body) -> Prompt:
    """What a message was asked."""
    messages = [
        content.message(message.get("role"), _parts(message.get("content")))
        for message in map(fields, items(body.get("messages")))
    ]
    tools = [
        content.tool_definition(_FUNCTION.get(kind := tool.get("type"), kind), tool)
        for tool in map(fields, items(body.get("tools")))
    ]
    return Prompt(messages, _parts(body.get("system")), tools)


def output(body: Any) -> list[Message]:
    """What a message answered."""
    answered = _parts(fields(body).get("content"))
    return [content.message("assistant", answered)] if answered else []


def completion_prompt(body: Body) -> Prompt:
    """What a legacy text completion was asked: one text, its turns marked inside it."""
    return Prompt([content.message("user", _parts(body.get("prompt")))])


def completion_output(body: Any) -> list[Message]:
    """What a legacy text completion answered."""
    answered = _parts(fields(body).get("completion"))
    return [content.message("assistant", answered)] if answered else []


_DELTAS: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
    "compaction_delta": ("content", "content"),
}
"""Type of a delta → (its field, the field of the block that it continues). Others (a signature, a
citation) are no content."""


def fold(blocks: dict[int, dict[str, Any]], event: Mapping[str, Any]) -> None:
    """Add the start of a content block, or a piece of one, to ``blocks``, by index.

    Texts are kept in their pieces: adding each to the last would take the square of their length.
    """
    index = event.get("index") or 0
    if event.get("type") == "content_block_start":
        block = dict(fields(event.get("content_block")))
        if block.get("input") == {}:
            del block["input"]  # its JSON follows in pieces
        blocks[index] = block
        return
    delta = fields(event.get("delta"))
    source, target = _DELTAS.get(str(delta.get("type")), (None, None))
    if source is not None and target is not None and index in blocks:
        block = blocks[index]
        if not isinstance(begun := block.get(target), list):
            block[target] = [begun] if begun else []
        block[target].append(delta.get(source) or "")


def _parts(given: object) -> list[content.Part]:
    if isinstance(given, str):
        return [content.text(given)]
    return [_part(fields(block)) for block in items(given)]


def _part(block: Mapping[str, Any]) -> content.Part:
    kind = block.get("type")
    if kind == "text":
        return content.text(block.get("text"))
    if kind == "thinking":
        return content.reasoning(block.get("thinking"))
    id, name, given = block.get("id"), block.get("name"), block.get("content")
    if kind == "tool_use":
        return content.tool_call(id, name, block.get("input") or {})
    if kind in ("server_tool_use", "mcp_tool_use"):
        tool = "mcp" if kind == "mcp_tool_use" else name
        return content.server_tool_call(id, name, tool, block.get("input") or {})
    if kind == "tool_result":
        result = given if isinstance(given, str) else content.Parts(_parts(given))
        return content.tool_result(block.get("tool_use_id"), result)
    if isinstance(kind, str) and kind.endswith("_tool_result"):
        tool = kind.removesuffix("_tool_result")
        return content.server_tool_result(block.get("tool_use_id"), tool, _readable(given))
    if kind == "compaction":
        return content.compaction(content=given)
    if kind == "search_result":
        return content.other(kind) | {
            "title": block.get("title"),
            "content": content.Parts(_parts(given)),
        }
    if kind == "container_upload":
        return content.file("document", block.get("file_id"))
    if kind in ("image", "document"):
        source = fields(block.get("source"))
        if source.get("type") == "url":
            return content.uri(str(kind), str(source.get("url")))
        if source.get("type") == "base64":
            return content.blob(str(kind), source.get("data"), source.get("media_type"))
        if source.get("type") == "file":
            return content.file(str(kind), source.get("file_id"))
        if source.get("type") == "text":
            return content.text(source.get("data"))
        if source.get("type") == "content":
            return content.other(kind) | {"content": content.Parts(_parts(source.get("content")))}
    return content.other(kind)


def _readable(result: object) -> object:
    """What a tool of the provider's answered, without what only the provider can read."""
    if isinstance(result, list):
        return [_readable(item) for item in cast(list[object], result)]
    if (held := content.held(result)) is not None:
        return {name: _readable(value) for name, value in held.items() if name not in _OPAQUE}
    return result


_OPAQUE: Final = frozenset(
    {"encrypted_content", "encrypted_index", "encrypted_stdout", "signature"}
)
