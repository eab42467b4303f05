"""OpenLLMetry (Traceloop): clients and frameworks, under its names of today and those of before."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import (
    CALLS,
    GENAI,
    Attributes,
    Dialect,
    excluded_at,
    named_operation,
    unknown_at,
)
from farthing_processor.dialects.reading import ASSUMED_NOT_CACHED

_PACKAGE: Final = "opentelemetry.instrumentation."
_CLIENTS: Final = (
    "alephalpha",
    "anthropic",
    "bedrock",
    "cohere",
    "google_generativeai",
    "groq",
    "mistralai",
    "ollama",
    "openai.v0",
    "openai.v1",
    "replicate",
    "sagemaker",
    "together",
    "transformers",
    "vertexai",
    "voyageai",
    "watsonx",
    "writer",
)
_FRAMEWORKS: Final = (
    "agno",
    "crewai",
    "haystack",
    "langchain",
    "litellm",
    "llamaindex",
    "openai_agents",
)
_PROPERTY: Final = "traceloop.association.properties."
_NOT_CACHED: Final = (ASSUMED_NOT_CACHED,)


def _operation(attributes: Attributes) -> str | None:
    """As named; before 2025-11 (0.48) in a word of their own."""
    if "gen_ai.operation.name" in attributes:
        return named_operation(attributes)
    kind = attributes.get("llm.request.type")
    return CALLS.get(kind) if isinstance(kind, str) else None


def _counts_twice(attributes: Attributes) -> bool:
    """They add the output that Anthropic counts when a message begins to that of its end
    (``anthropic/streaming.py``, 0.62.4): 271 tokens for 269. A stream left early has no span."""
    provider = attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system")
    return (
        attributes.get("gen_ai.is_streaming") is True or attributes.get("llm.is_streaming") is True
    ) and provider in ("anthropic", "Anthropic")


def _uncounted(attributes: Attributes) -> bool:
    """Of OpenAI's responses they record nothing (``openai/v1/responses_wrappers.py``, 0.62.4); the
    span of one says nothing before it ends, where others say what they are of."""
    said = str(attributes.get("gen_ai.response.id"))
    return said.startswith("resp_") or _operation(attributes) is None


def _assumes(attributes: Attributes) -> tuple[str, ...]:
    """Of what LangChain wrote to Anthropic's cache they say 0, since it tells it by time to live
    (langchain-anthropic 1.7)."""
    if attributes.get("gen_ai.provider.name") != "anthropic":
        return ()
    return () if attributes.get("gen_ai.usage.cache_creation.input_tokens") else _NOT_CACHED


OPENLLMETRY: Final = Dialect(
    name="openllmetry",
    packages=(
        "traceloop-sdk",
        *(f"opentelemetry-instrumentation-{name.partition('.')[0]}" for name in _CLIENTS),
        *(f"opentelemetry-instrumentation-{name.replace('_', '-')}" for name in _FRAMEWORKS),
    ),
    scopes=tuple(_PACKAGE + client for client in _CLIENTS),
    marks=frozenset({"llm.request.type", "gen_ai.operation.name"}),
    names={
        **GENAI,
        "provider": (*GENAI["provider"], "llm.vendor"),
        "address": (*GENAI["address"], "gen_ai.openai.api_base"),
        "request_model": (*GENAI["request_model"], "llm.request.model"),
        "response_model": (*GENAI["response_model"], "llm.response.model"),
        "stream": (*GENAI["stream"], "gen_ai.is_streaming", "llm.is_streaming"),
        "input": (*GENAI["input"], "llm.usage.prompt_tokens"),
        "output": (*GENAI["output"], "llm.usage.completion_tokens"),
        "total": (*GENAI["total"], "llm.usage.total_tokens"),
        "cache_read": (*GENAI["cache_read"], "gen_ai.usage.cache_read_input_tokens"),
        "cache_write": (*GENAI["cache_write"], "gen_ai.usage.cache_creation_input_tokens"),
        "reasoning": (
            *GENAI["reasoning"],
            "gen_ai.usage.reasoning_tokens",
            "llm.usage.reasoning_tokens",
        ),
        "workflow": (*GENAI["workflow"], "traceloop.workflow.name"),
        "step": ("traceloop.entity.path", "traceloop.entity.name"),
        "agent": (*GENAI["agent"], f"{_PROPERTY}lc_agent_name"),
        "user": (*GENAI["user"], "gen_ai.user", "llm.user", f"{_PROPERTY}user_id"),
        "session": (*GENAI["session"], f"{_PROPERTY}session_id", f"{_PROPERTY}thread_id"),
    },
    operation=_operation,
    # That of the wire (`converse_usage_record`, 0.62.4).
    cache=excluded_at("aws.bedrock"),
    reasoning_outside=frozenset({"gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai"}),
    uncounted=_uncounted,
    calls_only=True,
    inexact=_counts_twice,
)
"""Their input has held what Anthropic cached since they count that at all (0.33.4)."""

OPENLLMETRY_FRAMEWORKS: Final = OPENLLMETRY._replace(
    scopes=(*(_PACKAGE + framework for framework in _FRAMEWORKS), "traceloop.*"),
    # As the framework has it, and they differ.
    cache=unknown_at("aws.bedrock"),
    uncounted=None,
    calls_only=False,
    assumes=_assumes,
    # LangChain counts a stream once.
    inexact=None,
)
"""Spans of chains, agents and tools among those of calls, and of the decorators of its SDK."""
