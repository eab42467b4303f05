"""A recorded call: what `farthing price` prices, read from the object that describes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from farthing_processor.assessment import payable
from farthing_processor.facts import Facts
from farthing_processor.pricing import context as of
from farthing_processor.pricing.hosts import provider_of
from farthing_processor.readers import (
    READERS,
    Reader,
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    gemini_generate_content,
    ollama_usage,
    openai_chat,
)
from farthing_processor.semconv import PROVIDER_OTHER
from farthing_processor.usage import MAX_COUNT, Usage

_READERS: Final = {api: reader for (_, api), reader in READERS.items()}
"""An API's shape does not depend on who speaks it."""

_OPERATIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("embeddings", "embed", "embed_content", "v1.embed", "v2.embed"), "embeddings"),
    **dict.fromkeys(("v1.rerank", "v2.rerank"), "rerank"),
    "images": "image_generation",
    "audio.speech": "speech",
    "audio.transcriptions": "transcription",
    "audio.transcriptions.complete": "transcription",
    "realtime.transcription": "transcription",
    "audio.translations": "translation",
    "moderations": "moderation",
}
"""The ``gen_ai.operation.name`` of the APIs that are not inference."""

_MAX_FILE_SEARCHES: Final = 10_000


class Call(NamedTuple):
    """One object of the input, read."""

    provider: str
    model: str
    usage: Usage | None
    at_ns: int
    warnings: tuple[str, ...]
    facts: Facts
    """What a rule of the user's may look at besides."""


class Malformed(ValueError):
    """An object that cannot be read; the message is one sentence that says what to do."""


def read_call(item: object) -> Call:
    """The call that one object describes (`explain`). Raises `Malformed`."""
    if not isinstance(item, dict):
        raise Malformed("give a JSON object with provider, api, model and usage.")
    call = cast(dict[str, Any], item)
    provider, api, model = (_text(call, name) for name in ("provider", "api", "model"))
    given_usage = call.get("usage")
    if not isinstance(given_usage, dict | None):
        raise Malformed("usage must be the usage object of a response, or null.")
    usage = cast(dict[str, Any] | None, given_usage)
    reader = _READERS.get(api) or _as_google_calls_it(api, usage)
    if reader is None:
        raise Malformed(f"api {api!r} is not known; give one of {', '.join(sorted(_READERS))}.")
    given: object = call.get("context")
    if not isinstance(given, dict | None):
        raise Malformed("context must be an object.")
    context, warnings = of.understood(api, reader, cast(dict[str, Any], given or {}))
    read = _read(reader, model, _response(usage, model, context), context)
    host: str | None = context.get(of.HOST) or _vertex_host(context.get(of.LOCATION))
    served_by = provider_of(host)
    if served_by != PROVIDER_OTHER:
        provider = served_by
    if read and of.PROCESSING in context:
        read = read._replace(batch=True)
    operation = _operation(api, read)
    due = payable(read, operation, host)
    facts = Facts(
        provider, model, model, host, operation, read, duration_s=_took(reader, usage, context)
    )
    return Call(provider, model, due, _moment(call.get("timestamp")), warnings, facts)


def _as_google_calls_it(api: str, usage: Mapping[str, Any] | None) -> Reader | None:
    """The reader of a method of Google's; ``rawPredict`` hands on what a model's maker speaks."""
    if api in ("generateContent", "streamGenerateContent"):
        return gemini_generate_content
    if api in ("rawPredict", "streamRawPredict"):
        return anthropic_messages if "input_tokens" in (usage or {}) else openai_chat
    return None


def _vertex_host(location: str | None) -> str | None:
    if location is None:
        return None
    region = "" if location == "global" else f"{location}-"
    return f"{region}aiplatform.googleapis.com"


def _read(
    reader: Reader, model: str, body: dict[str, Any], context: Mapping[str, Any]
) -> Usage | None:
    """What Bedrock's answers mean, their bodies alone do not say."""
    if reader is bedrock_converse:
        return bedrock_converse(body, model)
    if reader is bedrock_invoke:
        return bedrock_invoke(body, context.get(of.HEADERS))
    return reader(body)


def _operation(api: str, usage: Usage | None) -> str:
    """``gen_ai.operation.name`` of a call of ``api``.

    A result of a batch does not say which API it is of; only an embedding's has no output.
    """
    if api == "batch" and usage and usage.output_tokens is None and not usage.problem:
        return "embeddings"
    return _OPERATIONS.get(api, "chat")


def _took(
    reader: Reader, usage: Mapping[str, Any] | None, context: Mapping[str, Any]
) -> float | None:
    """Seconds that the call took, where that is given; Ollama says it itself, in nanoseconds."""
    if of.DURATION in context:
        return context[of.DURATION]
    took = usage.get("total_duration") if usage and reader is ollama_usage else None
    return took / 10**9 if type(took) is int and 0 <= took <= MAX_COUNT * 10**9 else None


def _text(call: Mapping[str, Any], name: str) -> str:
    value = call.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is missing; give it as a string.")
    return value


def _response(
    usage: dict[str, Any] | None, model: str, context: Mapping[str, Any]
) -> dict[str, Any]:
    """The response body of which ``usage``, ``model`` and ``context`` are what is known."""
    files: int = context.get(of.FILE_SEARCHES, 0)
    if files > _MAX_FILE_SEARCHES:
        raise Malformed(f"{of.FILE_SEARCHES} must be a count of at most {_MAX_FILE_SEARCHES}.")
    actions: list[str] = context.get(of.WEB_ACTIONS, [])
    tools: str | list[str] = context.get(of.TOOLS, [])
    return {
        "usage": usage,
        "model": model,
        "modelVersion": model,
        "service_tier": context.get(of.TIER),
        "serviceTier": {"type": context.get(of.BEDROCK_TIER)},
        "performanceConfig": {"latency": context.get(of.LATENCY)},
        "candidates": [{"groundingMetadata": {"webSearchQueries": context.get(of.QUERIES)}}],
        "input": context.get(of.SPOKEN),
        "results": [],
        "tool_usage": {
            "web_search": {"num_requests": context.get(of.WEB_SEARCHES)},
            "image_gen": context.get(of.IMAGE_USAGE),
        },
        # A response repeats the tools of its request.
        "tools": [
            *({"type": kind} for kind in ([tools] if isinstance(tools, str) else tools)),
            {"type": "image_generation", "model": context.get(of.IMAGE_MODEL)},
        ],
        "output": [
            *({"type": "web_search_call", "action": {"type": action}} for action in actions),
            *[{"type": "file_search_call"}] * files,
        ],
    }


def _moment(timestamp: object) -> int:
    """Nanoseconds since the epoch."""
    if timestamp is None:
        return time.time_ns()
    try:
        moment = datetime.fromisoformat(cast(str, timestamp))
    except (TypeError, ValueError):
        raise Malformed(
            f"timestamp {timestamp!r} is not ISO 8601; write it like 2026-11-20T12:00:00Z."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
