"""Strands Agents: a span of each call to a model, within those of a cycle and of the agent.

It names itself as the provider. Who served a call is only known of an id that is one provider's
alone, as Bedrock's are (its default); else where the application says so, with
``Agent(trace_attributes={"gen_ai.provider.name": "anthropic"})``. Otherwise there is no price.

Input holds what was cached since 1.48 (https://github.com/strands-agents/harness-sdk/issues/3886);
before that it was the provider's. The total tells.
"""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Cache, Dialect, Version
from farthing_processor.dialects.model_ids import provider_of_id

_ITSELF: Final = "strands-agents"


def _provider(attributes: Attributes) -> str | None:
    for name in GENAI["provider"]:
        word = attributes.get(name)
        if isinstance(word, str) and word != _ITSELF:
            return word
    return provider_of_id(attributes.get("gen_ai.request.model"))


def _cache(_provider: str, _version: Version) -> Cache:
    return Cache.UNKNOWN


STRANDS: Final = Dialect(
    name="strands",
    packages=("strands-agents",),
    scopes=("strands.telemetry.tracer", "strands-agents"),
    marks=frozenset({"gen_ai.operation.name"}),
    names={
        **GENAI,
        "provider": (),
        "cache_read": (*GENAI["cache_read"], "gen_ai.usage.cache_read_input_tokens"),
        "cache_write": (*GENAI["cache_write"], "gen_ai.usage.cache_write_input_tokens"),
    },
    provider=_provider,
    cache=_cache,
)
