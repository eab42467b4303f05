"""The context of a recorded call: what changes its price and is not in its usage, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from farthing_processor.readers import (
    READERS,
    Reader,
    bedrock_converse,
    bedrock_invoke,
    gemini_generate_content,
    gemini_interactions,
    openai_batch,
    openai_chat,
    openai_realtime,
    openai_responses,
    openai_speech,
)
from farthing_processor.usage import MAX_COUNT


class Kind(NamedTuple):
    """What a value of the context has to be."""

    name: str
    holds: Callable[[object], bool]


class Key(NamedTuple):
    """One key of the context."""

    says: str
    kind: Kind
    readers: frozenset[Reader]
    """Whose calls it can be of."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, cast(list[object], value)))


def _is_text_or_texts(value: object) -> bool:
    return _is_text(value) or _is_texts(value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_seconds(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast(float, value) <= MAX_COUNT


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_batch(value: object) -> bool:
    return value == "batch"


def _is_host(value: object) -> bool:
    """Whether it may be a ``server.address``, which a URL and a host with its port are not."""
    return isinstance(value, str) and "/" not in value and value.count(":") != 1


_TEXT: Final = Kind("a string", _is_text)
_TEXTS: Final = Kind("a list of strings", _is_texts)
_TEXT_OR_TEXTS: Final = Kind("a string or a list of strings", _is_text_or_texts)
_COUNT: Final = Kind("a count", _is_count)
_SECONDS: Final = Kind("a number of seconds", _is_seconds)
_OBJECT: Final = Kind("an object", _is_object)
_BATCH: Final = Kind('"batch"', _is_batch)
_HOST: Final = Kind("the name of a host, without scheme or port", _is_host)

_RESPONSES: Final = frozenset[Reader]({openai_responses, openai_batch})
_TIERED: Final = _RESPONSES | {openai_chat, openai_realtime, gemini_interactions}
_SPEECH: Final = frozenset[Reader]({openai_speech})
_GEMINI: Final = frozenset[Reader]({gemini_generate_content})
_CONVERSE: Final = frozenset[Reader]({bedrock_converse})
_INVOKE: Final = frozenset[Reader]({bedrock_invoke})
_ANY: Final = frozenset(READERS.values())

TIER: Final = "response.service_tier"
WEB_SEARCHES: Final = "response.tool_usage.web_search.num_requests"
WEB_ACTIONS: Final = "response.output[].web_search_call.action.type"
TOOLS: Final = "request.tools[].type"
FILE_SEARCHES: Final = "response.output[].file_search_call"
IMAGE_MODEL: Final = "response.tools[].image_generation.model"
IMAGE_USAGE: Final = "response.tool_usage.image_gen"
SPOKEN: Final = "request.input"
QUERIES: Final = "candidates[0].groundingMetadata.webSearchQueries"
BEDROCK_TIER: Final = "serviceTier.type"
LATENCY: Final = "performanceConfig.latency"
HEADERS: Final = "response.headers"
PROCESSING: Final = "processing"
HOST: Final = "server.address"
LOCATION: Final = "location"
DURATION: Final = "gen_ai.client.operation.duration"

CONTEXT: Final[Mapping[str, Key]] = {
    TIER: Key("the tier that served it", _TEXT, _TIERED),
    WEB_SEARCHES: Key("billable searches", _COUNT, _RESPONSES),
    WEB_ACTIONS: Key("a list, where that is not given", _TEXTS, _RESPONSES),
    TOOLS: Key("which tool searched: web_search_preview", _TEXT_OR_TEXTS, _RESPONSES),
    FILE_SEARCHES: Key("how many file searches", _COUNT, _RESPONSES),
    IMAGE_USAGE: Key("usage of the image tool", _OBJECT, _RESPONSES),
    IMAGE_MODEL: Key("and its model", _TEXT, _RESPONSES),
    SPOKEN: Key("the text that was spoken", _TEXT, _SPEECH),
    QUERIES: Key("what Gemini searched for", _TEXTS, _GEMINI),
    BEDROCK_TIER: Key("the tier of Converse", _TEXT, _CONVERSE),
    LATENCY: Key("and its latency", _TEXT, _CONVERSE),
    HEADERS: Key("headers of InvokeModel, an object", _OBJECT, _INVOKE),
    PROCESSING: Key("batch, for a call of a batch", _BATCH, _ANY),
    HOST: Key("the host that served it", _HOST, _ANY),
    LOCATION: Key("Vertex AI's location, where no host is given", _TEXT, _ANY),
    DURATION: Key("seconds it took, for a price by the hour", _SECONDS, _ANY),
}
"""The keys of ``context`` that are understood: dotted paths of the response and the request, and
four of ours. The host decides the provider where it is known, and the residency
(``eu.api.openai.com``)."""

_MAX_SHOWN: Final = 60
"""Of a value that is ignored, characters that its warning shows."""


def understood(
    api: str, reader: Reader, given: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of ``given`` has a meaning for a call of ``api``, and a warning for all that has not.

    A null is a value that is not given.
    """
    context: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in sorted(given.items()):
        key = CONTEXT.get(name)
        if key is None:
            warnings.append(f"context {name!r} is not understood and was ignored")
        elif value is None:
            continue
        elif reader not in key.readers:
            warnings.append(f"context {name!r} is not of {api} and was ignored")
        elif not key.kind.holds(value):
            said = json.dumps(value)
            said = said if len(said) <= _MAX_SHOWN else f"{said[:_MAX_SHOWN]}…"
            warnings.append(f"context {name!r} takes {key.kind.name}: {said} was ignored")
        else:
            context[name] = value
    return context, tuple(warnings)
