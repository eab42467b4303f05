"""GenAI spans of whoever: an application's own, or a tracer that no other dialect is for."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import (
    GENAI,
    Attributes,
    Cache,
    Dialect,
    Version,
    named_operation,
)


def _unknown(_provider: str, _version: Version) -> Cache:
    return Cache.UNKNOWN


def _operation(attributes: Attributes) -> str | None:
    """As named; else a chat, where a model was used and its tokens are counted."""
    if "gen_ai.operation.name" in attributes:
        return named_operation(attributes)
    counted = any(name in attributes for name in GENAI["input"])
    modelled = any(name in attributes for name in ("gen_ai.request.model", "gen_ai.response.model"))
    return "chat" if counted and modelled else None


GENERIC: Final = Dialect(
    name="gen_ai",
    marks=frozenset({"gen_ai.operation.name", "gen_ai.system", "gen_ai.provider.name"}),
    names={
        **GENAI,
        "cache_read": (
            *GENAI["cache_read"],
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
        ),
        "cache_write": (
            *GENAI["cache_write"],
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.cache_write_tokens",
        ),
        "reasoning": (*GENAI["reasoning"], "gen_ai.usage.reasoning_tokens"),
        "cost": ("gen_ai.usage.cost.amount", "gen_ai.usage.cost"),
    },
    operation=_operation,
    cache=_unknown,
)
