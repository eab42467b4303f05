"""The ``openai`` client: chat completions, responses, embeddings; Azure and any other base URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from farthing.endpoint import Answer, Attributes, Body, Endpoint, UsageRequest, nobody, the_caller
from farthing.patching import Patch
from farthing.providers import openai_content, openai_media
from farthing.providers.generated import Library, closing
from farthing.providers.openai_background import RESPONSES
from farthing.reading import Field, event_fields, items, read, said, strings
from farthing_processor import readers
from farthing_processor import semconv as names
from farthing_processor.readers import fields
from farthing_processor.usage import Usage

_SAMPLING: Final[tuple[Field, ...]] = (
    (names.REQUEST_TEMPERATURE, ("temperature",), float),
    (names.REQUEST_TOP_P, ("top_p",), float),
    (names.OPENAI_REQUEST_SERVICE_TIER, ("service_tier",), str),
)
_CHAT: Final[tuple[Field, ...]] = (
    *_SAMPLING,
    (names.REQUEST_MAX_TOKENS, ("max_tokens",), int),
    (names.REQUEST_MAX_TOKENS, ("max_completion_tokens",), int),
    (names.REQUEST_FREQUENCY_PENALTY, ("frequency_penalty",), float),
    (names.REQUEST_PRESENCE_PENALTY, ("presence_penalty",), float),
    (names.REQUEST_SEED, ("seed",), int),
    (names.REQUEST_CHOICE_COUNT, ("n",), int),
    (names.REQUEST_REASONING_LEVEL, ("reasoning_effort",), str),
    (names.OUTPUT_TYPE, ("response_format", "type"), str),
)
_RESPONSES: Final[tuple[Field, ...]] = (
    *_SAMPLING,
    (names.REQUEST_MAX_TOKENS, ("max_output_tokens",), int),
    (names.REQUEST_REASONING_LEVEL, ("reasoning", "effort"), str),
    (names.REQUEST_PREVIOUS_RESPONSE_ID, ("previous_response_id",), str),
    (names.CONVERSATION_ID, ("conversation",), str),
    (names.CONVERSATION_ID, ("conversation", "id"), str),
    (names.OUTPUT_TYPE, ("text", "format", "type"), str),
)
_FETCH_REQUEST: Final[tuple[Field, ...]] = ((names.RESPONSE_ID, ("id",), str),)
_EMBEDDINGS: Final[tuple[Field, ...]] = ((names.EMBEDDINGS_DIMENSION_COUNT, ("dimensions",), int),)
_ANSWER: Final[tuple[Field, ...]] = (
    (names.OPENAI_RESPONSE_SERVICE_TIER, ("service_tier",), str),
    (names.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, ("system_fingerprint",), str),
)
_OUTPUT_TYPES: Final = {"json_object": "json", "json_schema": "json"}
_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})

# Requests.


def _common(body: Mapping[str, Any], table: tuple[Field, ...], api: str) -> Attributes:
    attributes = read(body, table)
    attributes[names.OPENAI_API_TYPE] = api
    if attributes.get(names.OPENAI_REQUEST_SERVICE_TIER) == "auto":
        del attributes[names.OPENAI_REQUEST_SERVICE_TIER]
    if (output := attributes.get(names.OUTPUT_TYPE)) in _OUTPUT_TYPES:
        attributes[names.OUTPUT_TYPE] = _OUTPUT_TYPES[str(output)]
    return attributes


def _chat_request(body: Body) -> Attributes:
    attributes = _common(body, _CHAT, "chat_completions")
    if attributes.get(names.REQUEST_CHOICE_COUNT) == 1:
        del attributes[names.REQUEST_CHOICE_COUNT]
    if stop := strings(body.get("stop")):
        attributes[names.REQUEST_STOP_SEQUENCES] = stop
    return attributes


def _completion_request(body: Body) -> Attributes:
    """The conventions have no name for this API."""
    attributes = _chat_request(body)
    del attributes[names.OPENAI_API_TYPE]
    return attributes


def _responses_request(body: Body) -> Attributes:
    return _common(body, _RESPONSES, "responses")


def _fetch_request(body: Body) -> Attributes:
    return read(body, _FETCH_REQUEST) | {names.OPENAI_API_TYPE: "responses"}


def _embeddings_request(body: Body) -> Attributes:
    attributes = read(body, _EMBEDDINGS)
    if encoding := strings(body.get("encoding_format")):
        attributes[names.REQUEST_ENCODING_FORMATS] = encoding
    return attributes


# Answers.


def _answer(body: Mapping[str, Any], attributes: Attributes, error: str | None = None) -> Answer:
    attributes.update(read(body, _ANSWER))
    return Answer(said(body, "id"), said(body, "model"), error, attributes)


def _chat_answer(body: Any) -> Answer:
    body = fields(body)
    choices = [fields(choice) for choice in items(body.get("choices"))]
    # One position per choice: where no reason came, the choice was cut short.
    reasons = [said(choice, "finish_reason") or "error" for choice in choices]
    attributes: Attributes = {names.RESPONSE_FINISH_REASONS: reasons} if reasons else {}
    return _answer(body, attributes)


def _responses_answer(body: Any) -> Answer:
    body = fields(body)
    output = [fields(item) for item in items(body.get("output"))]
    status, error = body.get("status"), None
    attributes: Attributes = {}
    if status in ("completed", "incomplete", "failed", "cancelled") or status is None:
        attributes[names.RESPONSE_FINISH_REASONS] = [_finish_reason(body, status, output)]
    if status == "failed":
        error = said(fields(body.get("error")), "code") or "failed"
    return _answer(body, attributes, error)


def _fetch_answer(body: Any) -> Answer:
    """Of a response that was fetched: that it failed is no failure of fetching it."""
    answer = _responses_answer(body)
    status = read(fields(body), ((names.RESPONSE_STATUS, ("status",), str),))
    return answer._replace(error_type=None, attributes={**answer.attributes, **status})


def _compact_answer(body: Any) -> Answer:
    return _answer(fields(body), {})


def _finish_reason(body: Mapping[str, Any], status: object, output: list[Any]) -> str:
    """The Responses API gives a status where others give a reason: say it in their words."""
    if status == "completed":
        called = any(item.get("type") in ("function_call", "custom_tool_call") for item in output)
        return "tool_calls" if called else "stop"
    if status == "incomplete":
        reason = said(fields(body.get("incomplete_details")), "reason") or "error"
        return {"max_output_tokens": "length"}.get(reason, reason)
    return "error"


def _embeddings_answer(body: Any) -> Answer:
    body = fields(body)
    attributes: Attributes = {}
    for item in items(body.get("data"))[:1]:
        if vector := items(fields(item).get("embedding")):
            attributes[names.EMBEDDINGS_DIMENSION_COUNT] = len(vector)
    return _answer(body, attributes)


# Streams.


def _fold_chat(body: dict[str, Any], event: Any, with_content: bool) -> None:
    chunk = event_fields(event)
    usage = chunk.get("usage")
    # Azure's first chunk names neither; a tier may come with the usage only.
    if usage is not None or not body.get("model"):
        for name in ("id", "model", "service_tier", "system_fingerprint"):
            body[name] = chunk.get(name) or body.get(name)
    if usage is not None:
        body["usage"] = usage
    choices = body.get("choices")
    if choices is None:
        choices = body["choices"] = dict[object, dict[str, Any]]()
    for choice in chunk.get("choices") or ():
        choice = event_fields(choice)
        index = choice.get("index")
        folded = choices.get(index)
        if folded is None:
            folded = choices[index] = {"finish_reason": None}
        if (reason := choice.get("finish_reason")) is not None:
            folded["finish_reason"] = reason
        if with_content:
            # A legacy completion has its text where a chat has a message.
            delta = fields(choice.get("delta")) or {"content": choice.get("text")}
            openai_content.fold_message(folded, delta)


def _chat_usage(body: Any) -> Usage | None:
    """Of a stream that was left while a choice was unfinished, the counts are running ones."""
    usage = readers.openai_chat(body)
    if usage is None or type(body) is not dict:
        return usage
    choices = map(fields, items(fields(cast(object, body)).get("choices")))
    finished = all(choice.get("finish_reason") is not None for choice in choices)
    return usage if finished else usage._replace(complete=False)


def _fold_response(body: dict[str, Any], event: Any, with_content: bool) -> None:
    event = event_fields(event)
    kind = event.get("type")
    if kind == "response.created" or kind in _TERMINAL:
        body.update(fields(event.get("response")))
        if kind == "response.created":
            # Until the end comes, the stream counts as cut: its status is not one to report.
            body["status"] = None
    elif kind == "error":
        body.update(status="failed", error={"code": event.get("code")})
    elif with_content:
        openai_content.fold_item(body, event)


def _ask_usage(body: Body) -> Body | None:
    options = fields(body.get("stream_options"))
    if "include_usage" in options:
        return None
    return {**body, "stream_options": {**options, "include_usage": True}}


def _is_usage_only(event: Any) -> bool:
    chunk = event_fields(event)
    return not chunk.get("choices") and chunk.get("usage") is not None


_USAGE: Final = UsageRequest(_ask_usage, _is_usage_only)
"""The last chunk has the usage and an empty array of choices, the others have a null ``usage``
(https://platform.openai.com/docs/api-reference/chat/create, ``stream_options``)."""

_RESPONSE: Final = Endpoint(
    "chat",
    _responses_request,
    _responses_answer,
    readers.openai_responses,
    _fold_response,
    openai_content.responses_prompt,
    openai_content.responses_output,
    RESPONSES.created,
)
_FETCH: Final = replace(
    _RESPONSE,
    operation=names.FETCH_RESPONSE,
    request=_fetch_request,
    answer=_fetch_answer,
    payer=RESPONSES.fetched,
    method="get",
)

_CHAT_COMPLETION: Final = Endpoint(
    "chat",
    _chat_request,
    _chat_answer,
    _chat_usage,
    _fold_chat,
    openai_content.chat_prompt,
    openai_content.chat_output,
    usage_request=_USAGE,
)

ENDPOINTS: Final = {
    "/chat/completions": _CHAT_COMPLETION,
    "/completions": replace(
        _CHAT_COMPLETION,
        operation="text_completion",
        request=_completion_request,
        prompt=openai_content.completion_prompt,
        output=openai_content.completion_output,
    ),
    "/responses": _RESPONSE,
    "/responses/*": _FETCH,
    "/responses/*/cancel": replace(_FETCH, method="post"),
    "/responses/compact": replace(_RESPONSE, answer=_compact_answer, payer=the_caller),
    "/responses/input_tokens": Endpoint("count_tokens", payer=nobody),
    "/embeddings": Endpoint(
        "embeddings", _embeddings_request, _embeddings_answer, readers.openai_chat
    ),
    **openai_media.ENDPOINTS,
}

_HELPERS: Final = (
    ("openai.lib.streaming.chat._completions", "ChatCompletionStream.close"),
    ("openai.lib.streaming.chat._completions", "AsyncChatCompletionStream.close"),
    ("openai.lib.streaming.responses._responses", "ResponseStream.close"),
    ("openai.lib.streaming.responses._responses", "AsyncResponseStream.close"),
)
"""Helpers that close the response themselves, past the stream that they read."""

LIBRARY: Final = Library(
    package="openai",
    provider="openai",
    endpoints=ENDPOINTS,
    platforms={
        "BaseAzureClient": "azure.ai.openai",
        "BedrockOpenAI": "aws.bedrock",
        "AsyncBedrockOpenAI": "aws.bedrock",
    },
    further=tuple(Patch(module, name, closing, optional=True) for module, name in _HELPERS),
)
