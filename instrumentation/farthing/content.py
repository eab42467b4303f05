"""Content: prompts and answers in the JSON shapes of the conventions. Only when asked for.

A part of a kind that the conventions do not know keeps its ``type`` and nothing else, and data too
large for telemetry is left out: one image of megabytes would lose the whole batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from farthing.reading import encodable
from farthing_processor.readers import fields

BLOB_LIMIT: Final = 65_536
"""Characters of base64 kept of one image, sound or document."""

Part = dict[str, Any]
Message = dict[str, Any]

LABELS: Final = frozenset({"type", "id", "name", "modality", "mime_type", "file_id", "size"})
"""The fields of a part that only say what something is, and are no content."""
SERVER_TOOL: Final = frozenset({"server_tool_call", "server_tool_call_response"})
"""The fields of a part that have a kind of their own, and content beside it."""


class Parts(list[Part]):
    """What a tool answered, where that is parts such as a message has, and not data of its own."""


class Prompt(NamedTuple):
    """What a model was asked. Immutable."""

    messages: Sequence[Message] = ()
    system: Sequence[Part] = ()
    tools: Sequence[dict[str, Any]] = ()
    """Definitions of the tools that it may call."""


def held(value: object) -> dict[str, Any] | None:
    """What a mapping holds, or an object of a client's without what only its type knows of; None
    for anything else."""
    given: object = getattr(value, "__pydantic_fields_set__", None)
    if given is None:
        return dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else None
    return {k: v for k, v in fields(value).items() if k in cast(set[str], given)}


def dumps(value: object) -> str:
    """``value`` as compact JSON; what has no JSON form becomes its text."""
    return encodable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def text(content: object) -> Part:
    return {"type": "text", "content": _text(content)}


def reasoning(content: object) -> Part:
    return {"type": "reasoning", "content": _text(content)}


def _text(content: object) -> str:
    """A text, whole or in the pieces that a stream brought it in."""
    if isinstance(content, list):
        return "".join(map(str, cast(list[object], content)))
    return "" if content is None else str(content)


def tool_call(id: object, name: object, arguments: object) -> Part:
    """A call of a tool that the application runs."""
    called = {"name": str(name or ""), "arguments": parsed(arguments)}
    return {"type": "tool_call"} | _given(id=id) | called


def parsed(arguments: object) -> object:
    """Arguments given as JSON text, whole or in pieces, where they can be parsed."""
    if isinstance(arguments, list):
        arguments = _text(cast(object, arguments))
    if isinstance(arguments, str):
        # A stream that was cut leaves half of them: then the text is all there is.
        with suppress(ValueError, RecursionError):
            return json.loads(arguments, parse_constant=str)
    return arguments


def tool_result(id: object, response: object) -> Part:
    return {"type": "tool_call_response"} | _given(id=id) | {"response": response}


def server_tool_call(id: object, name: object, kind: object, arguments: object) -> Part:
    """A call of a tool that the provider runs; ``kind`` tells its tools apart."""
    called = {"type": str(kind), "arguments": parsed(arguments)}
    return (
        {"type": "server_tool_call"}
        | _given(id=id)
        | {"name": str(name or ""), "server_tool_call": called}
    )


def server_tool_result(id: object, kind: object, response: object) -> Part:
    answered = {"type": str(kind), "response": response}
    return (
        {"type": "server_tool_call_response"}
        | _given(id=id)
        | {"server_tool_call_response": answered}
    )


def compaction(id: object = None, content: object = None) -> Part:
    """The history so far, summed up; what only the provider can read of it is not kept."""
    summary = None if content is None else _text(content)
    return {"type": "compaction"} | _given(id=id, content=summary)


def message(role: object, parts: Sequence[Part], name: object = None) -> Message:
    return {"role": str(role), "parts": list(parts)} | _given(name=name)


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def other(kind: object) -> Part:
    return {"type": str(kind or "unknown")}


def blob(modality: str, data: object, mime_type: object = None) -> Part:
    """Data in base64; where it is larger than `BLOB_LIMIT`, only what it was."""
    part: Part = {"type": "blob", "modality": modality, "content": data} | _given(
        mime_type=mime_type or None
    )
    # Clients take files and paths too, which are theirs to read.
    fits = isinstance(data, str) and len(data) <= BLOB_LIMIT
    return part if fits else blob_left_out(part)


def blob_left_out(part: Mapping[str, Any]) -> Part:
    """What stands for a blob whose data is not recorded."""
    data = part.get("content")
    size = len(data) if isinstance(data, str) else None
    return {"type": "blob_left_out", "modality": part.get("modality")} | _given(
        size=size, mime_type=part.get("mime_type")
    )


def uri(modality: str, address: object) -> Part:
    """Something by its address; a ``data:`` address is the thing itself.

    Without query and credentials: a signed address is a key to what it names.
    """
    address = str(address)
    if address.startswith("data:"):
        head, _, data = address.removeprefix("data:").partition(",")
        return blob(modality, data, head.partition(";")[0])
    address, query, _ = address.partition("?")
    scheme, slashes, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    bare = f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path.partition('#')[0]}"
    return {"type": "uri", "modality": modality, "uri": f"{bare}?…" if query else bare}


def file(modality: str, file_id: object) -> Part:
    return {"type": "file", "modality": modality, "file_id": file_id}


def tool_definition(kind: object, tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool that was offered: its type and name, as the conventions ask, and no more."""
    return {"type": str(kind or "unknown"), "name": str(tool.get("name") or kind or "unknown")}
