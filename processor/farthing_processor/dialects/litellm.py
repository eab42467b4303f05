"""LiteLLM: its OpenTelemetry callback, the first (``litellm_request``) and the second version.

Counts are OpenAI's, whoever served the call: input holds what was cached. The first version writes
the details of usage only as Python prints them (``metadata.usage_object``), the second only what
the conventions name: neither time to live nor reasoning. Presets of the second (openinference,
langfuse) write their dialect beside the conventions' names, which are always there.

The costs are by LiteLLM's own price table, what its user set included: reported, not the bill.

Answers of the Responses API have an id that holds the provider and its own id; those of another API
than OpenAI's have one that LiteLLM made. The first version writes a call that is made within
another span onto that one, and nowhere if it ended before LiteLLM's thread came to it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Final

from farthing_processor.dialects.dialect import CALLS, GENAI, Attributes, Dialect
from farthing_processor.dialects.embedded import json_in, printed_in
from farthing_processor.dialects.reading import ASSUMED_NOT_CACHED
from farthing_processor.readers import openai_chat
from farthing_processor.readers.values import Fields, fields
from farthing_processor.usage import Usage

_CALL: Final = "litellm.call_id"
_MODEL: Final = "litellm.provider.model"
_USAGE: Final = "metadata.usage_object"
_PARAMS: Final = "hidden_params"
_BASE: Final = "litellm.api_base"
"""Where we put the base URL that the first version has within its parameters."""

_ID: Final = "gen_ai.response.id"
_IN_ID: Final = re.compile(
    rb"litellm:custom_llm_provider:([\w.-]*);model_id:[^;]*;response_id:(\w+)"
)
"""What is in an id of the Responses API (``responses/utils.py``)."""
_VENDOR: Final = "litellm.vendor"
"""Where we put the provider that it names."""

_KINDS: Final = {
    **CALLS,
    "completion": "chat",
    "anthropic_messages": "chat",
    "generate_content": "chat",
}
"""Its ``call_type``, of which the first version makes the name of the operation; an ``a`` before
it is the asynchronous one."""
_WORDS: Final = {
    "text-completion-openai": "openai",
    "azure_text": "azure.ai.openai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "ollama_chat": "ollama",
    "codestral": "mistral_ai",
}


def _operation(attributes: Attributes) -> str | None:
    if _CALL not in attributes:
        return None
    kind = attributes.get("gen_ai.operation.name")
    if not isinstance(kind, str):
        return None
    return _KINDS.get(kind) or _KINDS.get(kind.removeprefix("a"))


def _opened(attributes: Attributes) -> Attributes:
    opened: dict[str, Any] = {**attributes}
    if "server.address" not in attributes:
        opened[_BASE] = json_in(attributes, _PARAMS).get("api_base")
    if usage := printed_in(attributes, _USAGE):
        opened[_USAGE] = usage
    if within := _within(attributes.get(_ID)):
        opened[_VENDOR], opened[_ID] = within
    return opened


def _within(own: object) -> tuple[str, str] | None:
    """The provider and the id that an id of LiteLLM's holds."""
    if not isinstance(own, str) or not own.startswith("resp_") or len(own) > 1024:
        return None
    try:
        found = _IN_ID.match(b64decode(own[len("resp_") :], validate=True))
    except ValueError:
        return None
    return (found[1].decode(), found[2].decode()) if found else None  # ASCII, by the pattern


def _details(attributes: Attributes) -> Fields:
    """Usage with its details, where `_opened` found it."""
    usage = attributes.get(_USAGE)
    return {} if isinstance(usage, str) else fields(usage)


def _usage(attributes: Attributes, _provider: str) -> Usage | None:
    """By the details, but for the cost in them, which is LiteLLM's own."""
    usage = _details(attributes)
    if not (usage.get("prompt_tokens") or usage.get("completion_tokens")):
        return None
    return openai_chat({"usage": {name: usage[name] for name in usage if name != "cost"}})


def _provider(attributes: Attributes) -> str | None:
    """As named; the first version names none for some APIs, but has it in the id, or before the
    model's name."""
    for name in (*GENAI["provider"], _VENDOR):
        word = attributes.get(name)
        if isinstance(word, str) and word:
            return _WORDS.get(word, word)
    model = attributes.get(_MODEL)
    vendor, slash, _ = model.partition("/") if isinstance(model, str) else ("", "", "")
    return _WORDS.get(vendor, vendor) if slash else None


def _assumes(attributes: Attributes) -> tuple[str, ...]:
    """Older first versions have no details; the second leaves out what is zero."""
    told = _details(attributes) or "litellm.call_type" in attributes
    cached = any(name in attributes for name in GENAI["cache_read"])
    return () if told or cached else (ASSUMED_NOT_CACHED,)


LITELLM: Final = Dialect(
    name="litellm",
    packages=("litellm",),
    scopes=("litellm",),
    marks=frozenset({_CALL}),
    names={
        **GENAI,
        "address": ("server.address", _BASE),
        "request_model": ("gen_ai.request.model", _MODEL),
        "tier": (*GENAI["tier"], "gen_ai.openai.response.service_tier"),
        "cost": ("litellm.cost.total", "gen_ai.cost.total_cost"),
        "user": ("gen_ai.user", "llm.user", "metadata.user_api_key_end_user_id", "user.id"),
        "session": ("gen_ai.conversation.id", "session.id"),
    },
    operation=_operation,
    opened=_opened,
    usage=_usage,
    provider=_provider,
    assumes=_assumes,
)
