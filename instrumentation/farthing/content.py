"""Content: prompts and answers in the JSON shapes of the conventions. Only when asked for.

A part of a kind that the conventions do not know keeps its ``type`` and nothing else, and data too
large for telemetry is left out: one image of megabytes would lose the whole batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from farthing.reading import encodable

BLOB_LIMIT = 65_536
"""Characters of base64 kept of one image, sound or document."""

Part = dict[str, Any]
Message = dict[str, Any]


class Prompt(NamedTuple):
    """What a model was asked. Immutable."""

    messages: Sequence[Message] = ()
    system: Sequence[Part] = ()
    tools: Sequence[dict[str, Any]] = ()
    """Definitions of the tools that it may call."""


def dumps(value: object) -> str:
    """``value`` as compact JSON; what has no JSON form becomes its text."""
    return encodable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def text(content: object) -> Part:
    return {"type": "text", "content": content}


def reasoning(content: object) -> Part:
    return {"type": "reasoning", "content": content}


def tool_call(id: object, name: object, arguments: object) -> Part:
    """A call of a tool; arguments given as JSON text are parsed where they can be."""
    if isinstance(arguments, str):
        # A stream that was cut leaves half of them: then the text is all there is.
        with suppress(ValueError):
            arguments = json.loads(arguments, parse_constant=str)
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}


def tool_result(id: object, response: object) -> Part:
    return {"type": "tool_call_response", "id": id, "response": response}


def message(role: object, parts: list[Part]) -> Message:
    return {"role": str(role), "parts": parts}


def other(kind: object) -> Part:
    return {"type": str(kind or "unknown")}


def blob(modality: str, data: object, mime_type: object = None) -> Part:
    """Data in base64; where it is larger than `BLOB_LIMIT`, only what it was."""
    kept: Part = {"type": "blob", "modality": modality, "content": data}
    if isinstance(data, str) and len(data) > BLOB_LIMIT:
        kept = {"type": "blob_left_out", "modality": modality, "size": len(data)}
    return kept | {"mime_type": mime_type} if mime_type else kept


def uri(modality: str, address: str) -> Part:
    """Something by its address; a ``data:`` address is the thing itself."""
    if address.startswith("data:"):
        head, _, data = address.removeprefix("data:").partition(",")
        return blob(modality, data, head.partition(";")[0])
    return {"type": "uri", "modality": modality, "uri": address}


def file(modality: str, file_id: object) -> Part:
    return {"type": "file", "modality": modality, "file_id": file_id}


def tool_definition(kind: object, tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool that was offered: its type and name, as the conventions ask, and no more."""
    return {"type": str(kind or "unknown"), "name": str(tool.get("name") or kind or "unknown")}
