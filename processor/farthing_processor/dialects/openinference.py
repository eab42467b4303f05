"""OpenInference (Arize Phoenix): clients and frameworks, also where it writes GenAI names beside
its own, which say the same and are not read."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, unknown_at

_KINDS: Final = {"LLM": "chat", "EMBEDDING": "embeddings", "RERANKER": "rerank"}


def _operation(attributes: Attributes) -> str | None:
    kind = attributes.get("openinference.span.kind")
    return _KINDS.get(kind) if isinstance(kind, str) else None


def _ends_without(attributes: Attributes) -> bool:
    """A stream of Anthropic's that has no reason to finish was left, and its counts are those it
    began with. Before 1.1.0 of that instrumentation no call has a reason."""
    parameters = attributes.get("llm.invocation_parameters")
    return (
        attributes.get("llm.system") == "anthropic"
        and "llm.finish_reason" not in attributes
        and isinstance(parameters, str)
        and '"stream": true' in parameters
    )


OPENINFERENCE: Final = Dialect(
    name="openinference",
    packages=("openinference-instrumentation-*",),
    scopes=("openinference.instrumentation.*",),
    records_tokens=False,
    marks=frozenset({"openinference.span.kind"}),
    names={
        **GENAI,
        # Missing where the client was given an address that is no provider's.
        "provider": ("llm.provider", "llm.system", *GENAI["provider"]),
        "request_model": ("llm.request.model_name", *GENAI["request_model"]),
        "response_model": (
            "llm.response.model_name",
            "llm.model_name",
            "embedding.model_name",
            "reranker.model_name",
        ),
        "input": ("llm.token_count.prompt",),
        "output": ("llm.token_count.completion",),
        "total": ("llm.token_count.total",),
        "cache_read": ("llm.token_count.prompt_details.cache_read",),
        "cache_write": ("llm.token_count.prompt_details.cache_write",),
        "reasoning": ("llm.token_count.completion_details.reasoning",),
        "input_audio": ("llm.token_count.prompt_details.audio",),
        "output_audio": ("llm.token_count.completion_details.audio",),
        "input_image": (),
        "output_image": (),
        "cache_read_audio": (),
        "cache_read_image": (),
        # Not the sum of its details, some of which are tokens (`litellm/__init__.py`).
        "cost": ("llm.cost.total",),
        "agent": ("agent.name", *GENAI["agent"]),
        "step": ("graph.node.name", "graph.node.id"),
    },
    operation=_operation,
    # Excluded until Converse was mended, which its total tells.
    cache=unknown_at("aws.bedrock"),
    ends_without=_ends_without,
)
