"""OpenLIT: clients and frameworks."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import (
    GENAI,
    Attributes,
    Dialect,
    excluded_at,
    unknown_at,
)

_PACKAGE: Final = "openlit.instrumentation."
_CLIENTS: Final = (
    "ai21",
    "anthropic",
    "azure_ai_inference",
    "bedrock",
    "cohere",
    "google_ai_studio",
    "gradient",
    "groq",
    "mistral",
    "oci_genai",
    "ollama",
    "openai",
    "premai",
    "pydo",
    "reka",
    "sarvam",
    "together",
    "vertexai",
    "vllm",
)


def _ends_without(attributes: Attributes) -> bool:
    """Where a stream says nothing of its usage, they count the words; only what a provider said has
    a count of what was cached, be it 0."""
    return (
        attributes.get("gen_ai.request.stream") is True
        and "gen_ai.usage.cache_read.input_tokens" not in attributes
    )


OPENLIT: Final = Dialect(
    name="openlit",
    packages=("openlit",),
    scopes=tuple(_PACKAGE + client for client in _CLIENTS),
    marks=frozenset({"gen_ai.operation.name"}),
    names={
        **GENAI,
        # What they say in total is a sum of their own, which confirms nothing.
        "total": (),
        "cache_read": (
            *GENAI["cache_read"],
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
        ),
        "cache_write": (
            *GENAI["cache_write"],
            "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
        ),
        "reasoning": (
            *GENAI["reasoning"],
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens",
        ),
        "cost": ("gen_ai.usage.cost",),
        "user": (*GENAI["user"], "gen_ai.request.user"),
    },
    # Those of the wire.
    cache=excluded_at("anthropic", "aws.bedrock"),
    reasoning_outside=frozenset({"gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai"}),
    calls_only=True,
    ends_without=_ends_without,
)

OPENLIT_FRAMEWORKS: Final = OPENLIT._replace(
    scopes=(f"{_PACKAGE}*",),
    # As the framework has it, and they differ.
    cache=unknown_at("anthropic", "aws.bedrock"),
    calls_only=False,
)
"""Spans of agents, tools and vector stores among those of calls."""
