"""Vercel's AI SDK: its own telemetry (``ai.*``, versions 3 to 7), and ``@ai-sdk/otel`` of 7.

Calls are the ``do…`` spans: what encloses them (``ai.generateText``, ``ai.streamText``) repeats
their sums. Up to version 5 the counts are the provider's: Anthropic's and Bedrock's input leaves
out what was cached, from 6 on everyone's holds it. Which it is, the names tell: 6 writes
``inputTokenDetails``. What a provider says beyond the counts is in ``providerMetadata``, in JSON:

- Anthropic's whole usage object from 5 on, its two cache counts in 4; Google's from 5 on.
- OpenAI's cached tokens in 4. In 5 only streams have them: of ``generateText`` it is not known.
- Bedrock's cache reads in 4, its writes in all; reads that ``generateText`` of 5 leaves out are in
  no count at all.
- Google's cached tokens and its thoughts, which are billed, are nowhere in 4
  (https://github.com/vercel/ai/issues/6082).

From 6 on it is left out where outputs are not recorded; the counts are then whole but for the time
to live of what Anthropic cached.
"""

from __future__ import annotations

from typing import Any, Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, named_operation
from farthing_processor.dialects.embedded import json_in
from farthing_processor.dialects.reading import ASSUMED_NOT_CACHED
from farthing_processor.readers import anthropic_messages, gemini_generate_content
from farthing_processor.readers.values import Fields, count_in, fields
from farthing_processor.usage import Usage

_ID: Final = "ai.operationId"
_METADATA: Final = "ai.response.providerMetadata"
_DETAILS: Final = "ai.usage.inputTokenDetails."
_CACHED: Final = "ai.usage.cachedInputTokens"
_OLD_INPUT: Final = "ai.usage.promptTokens"

_OPERATIONS: Final = {
    "doGenerate": "chat",
    "doStream": "chat",
    "doEmbed": "embeddings",
    "doRerank": "rerank",
}

_APIS: Final = frozenset(
    {"chat", "completion", "responses", "embedding", "messages", "textEmbedding", "image"}
)
"""What follows the provider in ``openai.chat``; ``google.generative-ai`` is a name of its own."""
_WORDS: Final = {
    "azure-openai": "azure.ai.openai",
    "google.vertex": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "gateway": "vercel",
}

_READ: Final = (
    ("openai", "cachedPromptTokens"),
    ("anthropic", "cacheReadInputTokens"),
    ("deepseek", "promptCacheHitTokens"),
)
"""Where the metadata of a provider say what was read from its cache, up to 4."""


def _operation(attributes: Attributes) -> str | None:
    name = attributes.get(_ID)
    return _OPERATIONS.get(name.rpartition(".")[2]) if isinstance(name, str) else None


def _provider(attributes: Attributes) -> str | None:
    word = attributes.get("ai.model.provider") or attributes.get("gen_ai.system")
    if not isinstance(word, str):
        return None
    vendor, _, api = word.rpartition(".")
    named = vendor if vendor and api in _APIS else word
    return _WORDS.get(named, named)


def _opened(attributes: Attributes) -> Attributes:
    """With the metadata, and input as of 6: with what was cached."""
    metadata = json_in(attributes, _METADATA)
    if not metadata:
        return attributes
    opened: dict[str, Any] = {**attributes, _METADATA: metadata}
    for vendor, name in _READ:
        if (read := fields(metadata.get(vendor)).get(name)) is not None:
            opened.setdefault(_CACHED, read)
    openai = fields(metadata.get("openai"))
    opened.setdefault("ai.usage.reasoningTokens", openai.get("reasoningTokens"))
    opened["openai.response.service_tier"] = openai.get("serviceTier")
    if not _whole(attributes):
        _add_cached(opened, metadata)
    return opened


def _whole(attributes: Attributes) -> bool:
    """Whether input holds what was cached, whoever the provider: from 6 on."""
    return any(f"{_DETAILS}{name}Tokens" in attributes for name in ("noCache", "cacheRead"))


def _add_cached(opened: dict[str, Any], metadata: Fields) -> None:
    """Add to the input what Anthropic and Bedrock count beside it."""
    anthropic = fields(metadata.get("anthropic"))
    bedrock = fields(fields(metadata.get("bedrock")).get("usage"))
    faults: list[str] = []
    counted = count_in(opened, _OLD_INPUT, faults)
    if counted is None:
        counted = count_in(opened, "ai.usage.inputTokens", faults)
    write = count_in(anthropic, "cacheCreationInputTokens", faults)
    if write is None:
        write = count_in(bedrock, "cacheWriteInputTokens", faults)
    if "cacheReadInputTokens" in bedrock:
        opened.setdefault(_CACHED, bedrock["cacheReadInputTokens"])
    if counted is None or not (anthropic or bedrock):
        return
    opened[f"{_DETAILS}cacheWriteTokens"] = write
    read = count_in(opened, _CACHED, faults) or 0
    opened[_OLD_INPUT] = opened["ai.usage.inputTokens"] = counted + read + (write or 0)
    opened["ai.usage.totalTokens"] = None


def _told(attributes: Attributes) -> Fields:
    """The metadata, where `_opened` found them."""
    metadata = attributes.get(_METADATA)
    return {} if isinstance(metadata, str) else fields(metadata)


def _usage(attributes: Attributes, _provider: str) -> Usage | None:
    """By the provider's own object, where the metadata have it whole."""
    metadata = _told(attributes)
    raw = fields(metadata.get("anthropic")).get("usage")
    if fields(raw).get("input_tokens") is not None:
        return anthropic_messages({"usage": raw})
    for vendor in ("google", "vertex"):
        own = fields(metadata.get(vendor))
        counts = fields(own.get("usageMetadata"))
        if counts.get("promptTokenCount") is not None:
            grounding = {"groundingMetadata": own.get("groundingMetadata")}
            model = attributes.get("ai.response.model") or attributes.get("ai.model.id")
            return gemini_generate_content(
                {"usageMetadata": counts, "candidates": [grounding], "modelVersion": model}
            )
    return None


def _assumes(attributes: Attributes) -> tuple[str, ...]:
    """Up to 5, ``generateText`` says of the cache what the metadata do, and nothing else."""
    if _OLD_INPUT not in attributes or _CACHED in attributes:
        return ()
    metadata = _told(attributes)
    told = fields(fields(metadata.get("anthropic")).get("usage")) or fields(
        fields(metadata.get("google")).get("usageMetadata")
    )
    return () if told else (ASSUMED_NOT_CACHED,)


def _otel_operation(attributes: Attributes) -> str | None:
    """As named; of embeddings there are two spans, and the inner one has the tokens."""
    operation = named_operation(attributes)
    if operation == "embeddings" and "gen_ai.usage.input_tokens" not in attributes:
        return None
    return operation


VERCEL: Final = Dialect(
    name="vercel_ai",
    scopes=("ai",),
    records_tokens=False,
    marks=frozenset({_ID}),
    names={
        **GENAI,
        "provider": ("ai.model.provider", "gen_ai.system"),
        "request_model": ("gen_ai.request.model", "ai.model.id"),
        "response_model": ("gen_ai.response.model", "ai.response.model"),
        "response_id": ("gen_ai.response.id", "ai.response.id"),
        "input": ("ai.usage.inputTokens", _OLD_INPUT, "ai.usage.tokens", *GENAI["input"]),
        "output": ("ai.usage.outputTokens", "ai.usage.completionTokens", *GENAI["output"]),
        "total": ("ai.usage.totalTokens",),
        "cache_read": (f"{_DETAILS}cacheReadTokens", _CACHED),
        "cache_write": (f"{_DETAILS}cacheWriteTokens",),
        "reasoning": (
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.reasoningTokens",
        ),
        "step": ("ai.telemetry.functionId",),
        "user": ("ai.telemetry.metadata.userId", "ai.settings.context.userId"),
        "session": ("ai.telemetry.metadata.sessionId", "ai.settings.context.sessionId"),
    },
    operation=_operation,
    opened=_opened,
    usage=_usage,
    provider=_provider,
    assumes=_assumes,
)

VERCEL_OTEL: Final = Dialect(
    name="vercel_ai.otel",
    scopes=("gen_ai",),
    records_tokens=False,
    marks=frozenset({"gen_ai.operation.name"}),
    operation=_otel_operation,
)
"""``@ai-sdk/otel``: the conventions' names, and input with what was cached."""
