"""The ``anthropic`` client and its kin for Bedrock, Vertex and Foundry: messages, beta included.

They all come by one ``request`` with the same path and body: a cloud's own client moves the model
into its URL only later, when it builds the HTTP request.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, Final
from weakref import WeakSet

from farthing.call import Call, calling, guarded
from farthing.endpoint import Answer, Attributes, Body, Endpoint, nobody
from farthing.patching import Patch
from farthing.providers import anthropic_content as content
from farthing.providers import anthropic_native as native
from farthing.providers.generated import Library
from farthing.reading import Field, event_fields, items, read, said, strings
from farthing_processor import readers
from farthing_processor import semconv as names
from farthing_processor.readers import fields
from farthing_processor.usage import Usage, joined

_MESSAGES: Final = "/v1/messages"
_SAMPLING: Final[tuple[Field, ...]] = (
    (names.REQUEST_TEMPERATURE, ("temperature",), float),
    (names.REQUEST_TOP_P, ("top_p",), float),
    (names.REQUEST_TOP_K, ("top_k",), int),
)
_MESSAGE: Final[tuple[Field, ...]] = (
    *_SAMPLING,
    (names.REQUEST_MAX_TOKENS, ("max_tokens",), int),
    (names.REQUEST_REASONING_LEVEL, ("output_config", "effort"), str),
)
_COMPLETION: Final[tuple[Field, ...]] = (
    *_SAMPLING,
    (names.REQUEST_MAX_TOKENS, ("max_tokens_to_sample",), int),
)
_FINAL: Final = "final"
"""Set in a folded body by ``message_delta``: before it, the output count is a placeholder."""


def _sampling(body: Body, table: tuple[Field, ...]) -> Attributes:
    attributes = read(body, table)
    if stop := strings(body.get("stop_sequences")):
        attributes[names.REQUEST_STOP_SEQUENCES] = stop
    return attributes


def _request(body: Body) -> Attributes:
    attributes = _sampling(body, _MESSAGE)
    for given in (fields(body.get("output_config")).get("format"), body.get("output_format")):
        if fields(given).get("type") == "json_schema":
            attributes[names.OUTPUT_TYPE] = "json"
    return attributes


def _completion_request(body: Body) -> Attributes:
    return _sampling(body, _COMPLETION)


def _answer(body: Any) -> Answer:
    body = fields(body)
    attributes: Attributes = {names.RESPONSE_FINISH_REASONS: [said(body, "stop_reason") or "error"]}
    return Answer(said(body, "id"), said(body, "model"), said(body, "error"), attributes)


def _usage(body: Any) -> Usage | None:
    usage = readers.anthropic_messages(body)
    if usage is None:
        return None
    folded = fields(body)
    if folded.get("type") == "message_start" and _FINAL not in folded:
        return usage._replace(output_tokens=None, reasoning_tokens=None, complete=False)
    if _fell_back(folded) and not fields(folded.get("usage")).get("iterations"):
        return usage._replace(problem=joined(usage.problem, "refused attempts are not counted"))
    return usage


def _fell_back(message: Body) -> bool:
    """Whether another model refused before the one that answered.

    Such an answer begins with a ``fallback`` block for each. What they used is in
    ``usage.iterations``, which the client's own fallback middleware leaves out unless it streams.
    """
    return any(fields(part).get("type") == "fallback" for part in items(message.get("content"))[:1])


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
        content.fold(body.setdefault("content", {}), event)
    elif kind == "error":  # the client raises it; those who read the bytes see the event
        body["error"] = said(fields(event.get("error")), "type") or "error"


def _fold_completion(body: dict[str, Any], event: Any, with_content: bool) -> None:
    event = event_fields(event)
    for name in ("id", "model", "stop_reason"):
        body[name] = event.get(name) or body.get(name)
    if with_content:
        body["completion"] = body.get("completion", "") + (event.get("completion") or "")


# A middleware of the application's may answer a call by itself, out of a cache or by calls of its
# own. Then this call cost nothing: what its answer says of usage was paid before, or elsewhere.

_sent: Final[WeakSet[Call]] = WeakSet()
"""Calls under way that their middleware has let through to the provider."""
_untold: Final = threading.Event()
"""Set once a middleware has sent from a thread that knows of no call: from then on who answered
cannot be told, and an answer is taken for the provider's."""


@guarded
def _sending(request: Any) -> None:
    if (call := calling()) is not None:
        _sent.add(call)
    elif request.url.partition("?")[0] == _MESSAGES:
        _untold.set()


@guarded
def _answered() -> None:
    call = calling()
    if call is not None and call not in _sent and not _untold.is_set():
        call.endpoint = replace(call.endpoint, payer=nobody)


def _before_sending(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    _sending(*args, **kwargs)
    return wrapped(*args, **kwargs)


def _after_middleware(wrapped: Any, _client: Any, args: Any, kwargs: Any) -> Any:
    _answered()
    return wrapped(*args, **kwargs)


_MIDDLEWARE: Final = (
    ("_prepare_middleware_options", _before_sending),
    ("SyncAPIClient._finalize_middleware_result", _after_middleware),
    ("AsyncAPIClient._finalize_middleware_result", _after_middleware),
)
"""What the client calls only where there is middleware: before it sends, and when it is through."""

LIBRARY: Final = Library(
    package="anthropic",
    provider="anthropic",
    endpoints={
        _MESSAGES: Endpoint(
            "chat", _request, _answer, _usage, _fold, content.prompt, content.output
        ),
        # The conventions have no name for counting, which is free, so this is the API's own.
        "/v1/messages/count_tokens": Endpoint("count_tokens", payer=nobody),
        # Text completions, before 2.0; they never report usage.
        "/v1/complete": Endpoint(
            "text_completion",
            _completion_request,
            _answer,
            fold=_fold_completion,
            prompt=content.completion_prompt,
            output=content.completion_output,
        ),
    },
    known=native.known,
    makes_span=native.makes_span,
    platforms={
        "BaseBedrockClient": "aws.bedrock",
        "BaseMantleClient": "aws.bedrock",
        "BaseVertexClient": "gcp.vertex_ai",
        "BaseFoundryClient": "azure.ai.inference",
    },
    further=(
        *native.PATCHES,
        *(
            Patch("anthropic._base_client", name, wrapper, optional=True)
            for name, wrapper in _MIDDLEWARE
        ),
    ),
)
