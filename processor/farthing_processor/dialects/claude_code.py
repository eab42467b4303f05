"""Claude Code's traces (beta): ``claude_code.llm_request`` spans, with names of their own.

Counts are Anthropic's: input leaves out what was cached. For how long the cache was written is not
said. Five minutes are assumed, and said to be: that is what a key of the API pays for; subscribers
of some plans have one hour, but pay no tokens
(https://code.claude.com/docs/en/monitoring-usage, https://code.claude.com/docs/en/costs).

``gen_ai.system`` is ``anthropic`` whoever answered; only an id of Bedrock's or Vertex's tells
otherwise. Requests that a client retried are one span.
"""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import Attributes, Cache, Dialect, Version
from farthing_processor.dialects.model_ids import provider_of_id


def _operation(attributes: Attributes) -> str | None:
    return "chat" if attributes.get("span.type") == "llm_request" else None


def _provider(attributes: Attributes) -> str | None:
    return provider_of_id(attributes.get("model") or attributes.get("gen_ai.request.model"))


def _cache(_provider: str, _version: Version) -> Cache:
    return Cache.EXCLUDED


CLAUDE_CODE: Final = Dialect(
    name="claude_code",
    scopes=("com.anthropic.claude_code.tracing", "com.anthropic.claude_code.traces"),
    records_tokens=False,
    marks=frozenset({"llm_request.context", "cache_read_tokens", "cache_creation_tokens"}),
    names={
        "provider": ("gen_ai.system",),
        "request_model": ("gen_ai.request.model", "model"),
        "response_id": ("gen_ai.response.id", "request_id"),
        "speed": ("speed",),
        "error_type": ("error.type", "error_class"),
        "input": ("input_tokens",),
        "output": ("output_tokens",),
        "cache_read": ("cache_read_tokens",),
        "cache_write": ("cache_creation_tokens",),
        "step": ("query_source", "query_source_safe"),
        "agent": ("agent.name", "agent_id"),
        "user": ("user.id",),
        "session": ("session.id",),
    },
    operation=_operation,
    provider=_provider,
    cache=_cache,
)
