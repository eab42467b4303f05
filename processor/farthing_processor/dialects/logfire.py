"""Logfire: its instrumentations of the OpenAI and Anthropic clients."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, named_operation
from farthing_processor.dialects.embedded import json_in
from farthing_processor.readers import anthropic_messages, fields, openai_chat, openai_responses
from farthing_processor.usage import Usage

_ERROR: Final = 17
"""The ``logfire.level_num`` of what failed."""


def _operation(attributes: Attributes) -> str | None:
    """As named, before that a chat. A stream is two spans: one of the request, which ends without
    usage as soon as there is an answer, and one like a log line when it was read, which counts."""
    if "gen_ai.operation.name" not in attributes:
        operation = "chat" if "gen_ai.request.model" in attributes else None
    else:
        operation = named_operation(attributes)
    level = attributes.get("logfire.level_num")
    if (
        attributes.get("logfire.span_type") == "log"
        or "gen_ai.response.id" in attributes
        or "gen_ai.usage.input_tokens" in attributes
        or "response_data" in attributes
        or (isinstance(level, int) and level >= _ERROR)
    ):
        return operation
    return None


def _usage(attributes: Attributes, _provider: str) -> Usage | None:
    """By the provider's own usage object, which is there in JSON since 2026-04
    (https://github.com/pydantic/logfire/pull/1843), and was a part of the response before."""
    usage = json_in(attributes, "gen_ai.usage.raw")
    if not usage:
        usage = fields(json_in(attributes, "response_data").get("usage"))
    if not usage:
        return None
    if "prompt_tokens" in usage:
        return openai_chat({"usage": usage})
    if "total_tokens" in usage:
        return openai_responses({"usage": usage})
    return anthropic_messages({"usage": usage})


def _ends_without(attributes: Attributes) -> bool:
    """Anthropic says at the end of a message why, and has counts at its beginning too."""
    return (
        attributes.get("logfire.span_type") == "log"
        and attributes.get("gen_ai.system") == "anthropic"
        and '"finish_reason":' not in str(attributes.get("gen_ai.output.messages"))
    )


LOGFIRE: Final = Dialect(
    name="logfire",
    packages=("logfire",),
    scopes=("logfire.openai", "logfire.anthropic"),
    records_tokens=False,
    marks=frozenset({"gen_ai.operation.name", "gen_ai.system"}),
    names={
        **GENAI,
        "cost": ("operation.cost",),
        # Of the stream, on the span that is made when it was read.
        "duration": ("duration",),
        "agent": (*GENAI["agent"], "agent_name"),
    },
    operation=_operation,
    usage=_usage,
    ends_without=_ends_without,
)
"""Its counts under GenAI names say nothing of a cache, and hold what Anthropic cached since 2026-03
(https://github.com/pydantic/logfire/pull/1812): they are read only where there is no more."""
