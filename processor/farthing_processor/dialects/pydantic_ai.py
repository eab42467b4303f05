"""Pydantic AI: the requests of its agents to models."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect

_DETAILS: Final = "gen_ai.usage.details."


def _ends_without(attributes: Attributes) -> bool:
    """A stream without a reason to finish was left, and has the counts that it began with."""
    return (
        "gen_ai.client.operation.time_to_first_chunk" in attributes
        and "gen_ai.response.finish_reasons" not in attributes
    )


PYDANTIC_AI: Final = Dialect(
    name="pydantic_ai",
    packages=("pydantic-ai-slim",),
    scopes=("pydantic-ai",),
    marks=frozenset({"gen_ai.operation.name"}),
    names={
        **GENAI,
        # Each detail is within its whole, or the same once more.
        "cache_read": (*GENAI["cache_read"], f"{_DETAILS}cache_read_tokens"),
        "cache_write": (*GENAI["cache_write"], f"{_DETAILS}cache_write_tokens"),
        "cache_write_5m": (f"{_DETAILS}ephemeral_5m_input_tokens",),
        "cache_write_1h": (f"{_DETAILS}ephemeral_1h_input_tokens",),
        "reasoning": (*GENAI["reasoning"], f"{_DETAILS}reasoning_tokens"),
        "input_audio": (*GENAI["input_audio"], f"{_DETAILS}input_audio_tokens"),
        "cache_read_audio": (*GENAI["cache_read_audio"], f"{_DETAILS}cache_audio_read_tokens"),
        "output_audio": (*GENAI["output_audio"], f"{_DETAILS}output_audio_tokens"),
        "cost": ("operation.cost",),
        "agent": (*GENAI["agent"], "agent_name"),
    },
    ends_without=_ends_without,
)
