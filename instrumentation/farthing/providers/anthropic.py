"""The ``anthropic`` client: messages, beta included; and its own tracer, which ours replaces."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from opentelemetry.trace import NonRecordingSpan

from farthing import content
from farthing.call import calling
from farthing.content import Message, Prompt
from farthing.endpoint import Answer, Attributes, Body, Endpoint
from farthing.patching import Patch
from farthing.providers.generated import Library
from farthing.reading import Field, event_fields, items, read, said, strings
from farthing_processor import readers
from farthing_processor import semconv as names
from farthing_processor.readers import fields
from farthing_processor.usage import Usage

_REQUEST: Final[tuple[Field, ...]] = (
    (names.REQUEST_MAX_TOKENS, ("max_tokens",), int),
    (names.REQUEST_TEMPERATURE, ("temperature",), float),
    (names.REQUEST_TOP_P, ("top_p",), float),
    (names.REQUEST_TOP_K, ("top_k",), int),
    (names.REQUEST_REASONING_LEVEL, ("output_config", "effort"), str),
)
_FINAL: Final = "final"
"""Set in a folded body by ``message_delta``: before it, the output count is a placeholder."""


def _request(body: Body) -> Attributes:
    attributes = read(body, _REQUEST)
    if stop := strings(body.get("stop_sequences")):
        attributes[names.REQUEST_STOP_SEQUENCES] = stop
    for given in (fields(body.get("output_config")).get("format"), body.get("output_format")):
        if fields(given).get("type") == "json_schema":
            attributes[names.OUTPUT_TYPE] = "json"
    return attributes


def _prompt(body: Body) -> Prompt:
    messages = [
        content.message(message.get("role"), _parts(message.get("content")))
        for message in map(fields, items(body.get("messages")))
    ]
    tools = [
        content.tool_definition(tool.get("type") or "function", tool)
        for tool in map(fields, items(body.get("tools")))
    ]
    return Prompt(messages, _parts(body.get("system")), tools)


def _output(body: Any) -> list[Message]:
    answered = _parts(fields(body).get("content"))
    return [content.message("assistant", answered)] if answered else []


def _answer(body: Any) -> Answer:
    body = fields(body)
    attributes: Attributes = {names.RESPONSE_FINISH_REASONS: [said(body, "stop_reason") or "error"]}
    return Answer(said(body, "id"), said(body, "model"), None, attributes)


def _usage(body: Any) -> Usage | None:
    usage = readers.anthropic_messages(body)
    folded = fields(body)
    if usage is not None and folded.get("type") == "message_start" and _FINAL not in folded:
        return usage._replace(output_tokens=None, reasoning_tokens=None, complete=False)
    return usage


def _fold(body: dict[str, Any], event: Any, with_content: bool) -> None:
    event = event_fields(event)
    kind = event.get("type")
    if kind == "message_start":
        message = fields(event.get("message"))
        for name in ("id", "model"):
            body[name] = message.get(name)
        body["type"] = kind
        body["usage"] = dict(fields(message.get("usage")))
        body["content"] = {}
    elif kind == "message_delta":
        # Cumulative: what it says replaces what was said, and what it leaves out stays.
        counts = {k: v for k, v in fields(event.get("usage")).items() if v is not None}
        body.setdefault("usage", {}).update(counts)
        body["stop_reason"] = fields(event.get("delta")).get("stop_reason")
        if "output_tokens" in counts:
            body[_FINAL] = True
    elif with_content and kind in ("content_block_start", "content_block_delta"):
        _fold_content(body.setdefault("content", {}), event)


_DELTAS: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
}
"""Type of a delta → (its field, the field of the block that it continues)."""


def _fold_content(blocks: dict[int, dict[str, Any]], event: Mapping[str, Any]) -> None:
    index = event.get("index") or 0
    if event.get("type") == "content_block_start":
        block = dict(fields(event.get("content_block")))
        if block.get("input") == {}:
            block["input"] = ""  # its JSON follows in pieces
        blocks[index] = block
        return
    delta = fields(event.get("delta"))
    source, target = _DELTAS.get(str(delta.get("type")), (None, None))
    if source is not None and target is not None and index in blocks:
        blocks[index][target] = (blocks[index].get(target) or "") + (delta.get(source) or "")


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
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        return content.tool_call(block.get("id"), block.get("name"), block.get("input") or {})
    if kind == "tool_result":
        given = block.get("content")
        result = given if isinstance(given, str) else _parts(given)
        return content.tool_result(block.get("tool_use_id"), result)
    if kind in ("image", "document"):
        source = fields(block.get("source"))
        if source.get("type") == "url":
            return content.uri(str(kind), str(source.get("url")))
        if source.get("type") == "base64":
            return content.blob(str(kind), source.get("data"), source.get("media_type"))
        if source.get("type") == "file":
            return content.file(str(kind), source.get("file_id"))
    return content.other(kind)


def _native_opener(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    """The client's own tracer opens its span of a call: give it ours, in a form it cannot write to.

    It then sends our span's trace context with the request, as it would its own, and records
    nothing: one call, one span, one cost. Calls that are not ours keep the client's span.
    """
    call = calling()
    if call is None or call.native_replaced or not call.span.get_span_context().is_valid:
        return wrapped(*args, **kwargs)
    call.native_replaced = True
    given = kwargs.get("attributes", args[3] if len(args) > 3 else None)
    conversation = said(fields(given), names.CONVERSATION_ID)
    if conversation is not None:  # the application gave it to the client: it is not lost
        call.span.set_attribute(names.CONVERSATION_ID, conversation)
    return NonRecordingSpan(call.span.get_span_context())


def _known(base_client: ModuleType) -> bool:
    """Whether the client does not trace itself (0.x), or does it where we can replace its span."""
    return _replaceable(base_client) or not hasattr(base_client.BaseClient, "_tracer")


def _replaceable(base_client: ModuleType) -> bool:
    return hasattr(base_client, "start_api_call_span")


LIBRARY: Final = Library(
    package="anthropic",
    provider="anthropic",
    endpoints={
        "/v1/messages": Endpoint("chat", _request, _answer, _usage, _fold, _prompt, _output),
    },
    known=_known,
    further=(Patch("anthropic._base_client", "start_api_call_span", _native_opener, _replaceable),),
)
