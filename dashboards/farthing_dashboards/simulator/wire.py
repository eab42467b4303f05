"""The four provider APIs on the wire: where they listen, what they answer, how they report usage.

Shapes are those of recorded responses of the providers; what no client reads is left out.
"""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from farthing_dashboards.simulator.profiles import Draw

Json = dict[str, Any]
Sse = tuple[str | None, Json | str]
"""A server-sent event: its name, if it has one, and its data."""


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a response says. ``usage`` is in the shape of its API."""

    id: str
    model: str
    text: str
    usage: Json
    tier: str | None
    request: Json

    @property
    def pieces(self) -> list[str]:
        """The text as it is streamed."""
        return [word + " " for word in self.text.split()]


_SYSTEM_ROLES = ("system", "developer")


def text_of(content: Any) -> str:
    """The text in a prompt, whichever of its many shapes it has."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(map(text_of, cast("list[Any]", content)))
    if isinstance(content, dict):
        part = cast(Json, content)
        return text_of(part.get("text") or part.get("content"))
    return ""


def _system_messages(messages: Any) -> str:
    items = cast("list[Any]", messages) if isinstance(messages, list) else []
    system = [item for item in items if "role" in item and item["role"] in _SYSTEM_ROLES]
    return text_of(system)


def _reasoning(answer_model: str, draw: Draw) -> int:
    return draw.output * 2 // 5 if answer_model.startswith("gpt-5") else 0


def _openai_cached(draw: Draw) -> int:
    # Prompts of 1,024 tokens and more are cached without being asked, in blocks of 128.
    return draw.cached // 128 * 128 if draw.input >= 1024 else 0


# OpenAI chat completions.


def _chat_usage(draw: Draw, model: str, request: Json) -> Json:
    return {
        "prompt_tokens": draw.input,
        "completion_tokens": draw.output,
        "total_tokens": draw.input + draw.output,
        "prompt_tokens_details": {"cached_tokens": _openai_cached(draw), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": _reasoning(model, draw),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chat_head(answer: Answer, kind: str) -> Json:
    return {
        "id": answer.id,
        "object": kind,
        "created": int(time.time()),
        "model": answer.model,
        "service_tier": answer.tier,
        "system_fingerprint": "fp_simulated",
    }


def _chat_body(answer: Answer) -> Json:
    message: Json = {
        "role": "assistant",
        "content": answer.text,
        "refusal": None,
        "annotations": [],
    }
    choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        **_chat_head(answer, "chat.completion"),
        "choices": [choice],
        "usage": answer.usage,
    }


def _chat_wants_usage(request: Json) -> bool:
    options: Json | None = request.get("stream_options")
    return bool(options and options.get("include_usage"))


def _chat_events(answer: Answer) -> Iterator[Sse]:
    head = _chat_head(answer, "chat.completion.chunk")
    wants_usage = _chat_wants_usage(answer.request)
    if wants_usage:
        head["usage"] = None

    def chunk(delta: Json, finish_reason: str | None = None) -> Sse:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return None, {**head, "choices": [choice]}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in answer.pieces:
        yield chunk({"content": piece})
    yield chunk({}, "stop")
    if wants_usage:
        yield None, {**head, "choices": [], "usage": answer.usage}
    yield None, "[DONE]"


# OpenAI responses.


def _responses_usage(draw: Draw, model: str, request: Json) -> Json:
    return {
        "input_tokens": draw.input,
        "input_tokens_details": {"cached_tokens": _openai_cached(draw), "cache_write_tokens": 0},
        "output_tokens": draw.output,
        "output_tokens_details": {"reasoning_tokens": _reasoning(model, draw)},
        "total_tokens": draw.input + draw.output,
    }


def _responses_item(answer: Answer, text: str | None) -> Json:
    part: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {
        "id": answer.id.replace("resp_", "msg_"),
        "type": "message",
        "role": "assistant",
        "status": "in_progress" if text is None else "completed",
        "content": [] if text is None else [part],
    }


def _responses_body(answer: Answer, done: bool = True) -> Json:
    now = int(time.time())
    return {
        "id": answer.id,
        "object": "response",
        "created_at": now,
        "completed_at": now if done else None,
        "status": "completed" if done else "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": answer.request.get("instructions"),
        "model": answer.model,
        "output": [_responses_item(answer, answer.text)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": answer.request.get("previous_response_id"),
        "service_tier": answer.tier if done else "auto",
        "tool_choice": "auto",
        "tools": [],
        "usage": answer.usage if done else None,
        "metadata": {},
    }


def _responses_events(answer: Answer) -> Iterator[Sse]:
    item = {"output_index": 0}
    part = {**item, "item_id": answer.id.replace("resp_", "msg_"), "content_index": 0}
    whole = _responses_item(answer, answer.text)
    empty_part = {**whole["content"][0], "text": ""}
    events: list[tuple[str, Json]] = [
        ("response.created", {"response": _responses_body(answer, done=False)}),
        ("response.in_progress", {"response": _responses_body(answer, done=False)}),
        ("response.output_item.added", {**item, "item": _responses_item(answer, None)}),
        ("response.content_part.added", {**part, "part": empty_part}),
        *(
            ("response.output_text.delta", {**part, "delta": piece, "logprobs": []})
            for piece in answer.pieces
        ),
        ("response.output_text.done", {**part, "text": answer.text, "logprobs": []}),
        ("response.content_part.done", {**part, "part": whole["content"][0]}),
        ("response.output_item.done", {**item, "item": whole}),
        ("response.completed", {"response": _responses_body(answer)}),
    ]
    for number, (name, data) in enumerate(events):
        yield name, {"type": name, **data, "sequence_number": number}


# OpenAI embeddings.


def _embeddings_usage(draw: Draw, model: str, request: Json) -> Json:
    return {"prompt_tokens": draw.input, "total_tokens": draw.input}


def _embeddings_body(answer: Answer) -> Json:
    inputs = answer.request["input"]
    several = isinstance(inputs, list) and isinstance(inputs[0], str | list)
    count = len(cast("list[Any]", inputs)) if several else 1
    vector = [1.0] + [0.0] * (answer.request.get("dimensions", 8) - 1)
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    as_base64 = answer.request.get("encoding_format") == "base64"
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": packed if as_base64 else vector}
            for index in range(count)
        ],
        "model": answer.model,
        "usage": answer.usage,
    }


# Anthropic messages.


def _messages_usage(draw: Draw, model: str, request: Json) -> Json:
    prompt = json.dumps([request.get(part) for part in ("system", "messages", "tools")])
    cacheable = '"cache_control"' in prompt  # Anthropic caches only what it is asked to
    read, written = (draw.cached, draw.written) if cacheable else (0, 0)
    long = written if '"ttl": "1h"' in prompt else 0
    return {
        "input_tokens": draw.input - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - long,
            "ephemeral_1h_input_tokens": long,
        },
        "output_tokens": draw.output,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }


def _messages_body(answer: Answer) -> Json:
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": answer.usage,
    }


def _messages_events(answer: Answer) -> Iterator[Sse]:
    usage = answer.usage
    opening: Json = {
        **_messages_body(answer),
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": min(2, usage["output_tokens"])},
    }
    final = {name: usage[name] for name in usage if name.endswith("_tokens")}
    events: list[Json] = [
        {"type": "message_start", "message": opening},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
            for piece in answer.pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": final,
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield event["type"], event


def _openai_error(kind: str, message: str) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _anthropic_error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


@dataclass(frozen=True, slots=True)
class Api:
    """One endpoint; ``events`` is None where nothing can be streamed."""

    name: str
    required: tuple[str, ...]
    id_prefix: str
    instructions: Callable[[Json], str]
    prompt: tuple[str, ...]
    usage: Callable[[Draw, str, Json], Json]
    body: Callable[[Answer], Json]
    events: Callable[[Answer], Iterator[Sse]] | None
    error: Callable[[str, str], Json] = _openai_error
    request_id: str = "x-request-id"

    def reports_usage(self, request: Json) -> bool:
        """Whether the client is told what it used: a chat stream only when it asked."""
        return (
            self.name != "chat.completions"
            or not request.get("stream")
            or _chat_wants_usage(request)
        )


APIS: Mapping[str, Api] = {
    "/v1/chat/completions": Api(
        name="chat.completions",
        required=("model", "messages"),
        id_prefix="chatcmpl-",
        instructions=lambda request: _system_messages(request["messages"]),
        prompt=("messages",),
        usage=_chat_usage,
        body=_chat_body,
        events=_chat_events,
    ),
    "/v1/responses": Api(
        name="responses",
        required=("model",),
        id_prefix="resp_",
        instructions=lambda request: (
            text_of(request.get("instructions")) + _system_messages(request.get("input"))
        ),
        prompt=("instructions", "input"),
        usage=_responses_usage,
        body=_responses_body,
        events=_responses_events,
    ),
    "/v1/embeddings": Api(
        name="embeddings",
        required=("model", "input"),
        id_prefix="",
        instructions=lambda request: text_of(request["input"]),
        prompt=("input",),
        usage=_embeddings_usage,
        body=_embeddings_body,
        events=None,
    ),
    "/v1/messages": Api(
        name="messages",
        required=("model", "messages", "max_tokens"),
        id_prefix="msg_",
        instructions=lambda request: text_of(request.get("system")),
        prompt=("system", "messages"),
        usage=_messages_usage,
        body=_messages_body,
        events=_messages_events,
        error=_anthropic_error,
        request_id="request-id",
    ),
}
