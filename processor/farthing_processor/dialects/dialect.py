"""Dialect: how one emitter writes a call on a span, as a table of names and the rules it follows.

A dialect is data: which scopes write it, which attributes give it away, under which names it keeps
what, and how its counts are to be understood. `reading.read` is the one reader of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple

from farthing_processor.usage import Usage

Attributes = Mapping[str, Any]
Names = Mapping[str, tuple[str, ...]]
Version = tuple[int, ...]
"""The numbers of a scope's version; empty where it has none."""


class Cache(Enum):
    """Whether an emitter's count of input already holds what was read from and written to a cache.

    The GenAI conventions say that it does; several emitters pass on what the provider said.
    """

    INCLUDED = "included"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"
    """It depends on what the emitter does not say."""


GENAI: Final[Names] = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "address": ("server.address",),
    "port": ("server.port",),
    "request_model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model",),
    "response_id": ("gen_ai.response.id",),
    "stream": ("gen_ai.request.stream",),
    "tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    "error_type": ("error.type",),
    # Counts.
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "total": ("gen_ai.usage.total_tokens",),
    "cache_read": ("gen_ai.usage.cache_read.input_tokens",),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
    ),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens",),
    "input_audio": ("gen_ai.usage.audio.input_tokens",),
    "input_image": ("gen_ai.usage.image.input_tokens",),
    "cache_read_audio": ("gen_ai.usage.audio.cache_read.input_tokens",),
    "cache_read_image": ("gen_ai.usage.image.cache_read.input_tokens",),
    "output_audio": ("gen_ai.usage.audio.output_tokens",),
    "output_image": ("gen_ai.usage.image.output_tokens",),
    # Who.
    "workflow": ("gen_ai.workflow.name",),
    "agent": ("gen_ai.agent.name",),
    "user": ("user.id", "enduser.id"),
    "session": ("session.id",),
}
"""What is read of a call → the names it may have, the first that is there counts; those of the
GenAI conventions and of their earlier versions.

Beside these a table may name ``cache_write_5m`` and ``cache_write_1h`` (parts of ``cache_write``),
``step``, ``speed``, ``duration`` (seconds that a call took, where its span began when it was over)
and ``cost`` (USD that the emitter itself says, 0 of which means that it does not know).
"""

CALLS: Final[Mapping[str, str]] = {
    "chat": "chat",
    "text_completion": "text_completion",
    "completion": "text_completion",
    "generate_content": "generate_content",
    "responses": "chat",
    "embeddings": "embeddings",
    "embedding": "embeddings",
    "rerank": "rerank",
}
"""A word for one call to a model → ``gen_ai.operation.name``. Everything else (an agent, a
workflow, a chain, a tool, ``fetch_response``) is no call: its usage is that of calls within it."""


def named_operation(attributes: Attributes) -> str | None:
    """The operation of a call that names it by ``gen_ai.operation.name``; None for what is none."""
    named = attributes.get("gen_ai.operation.name")
    return CALLS.get(named) if isinstance(named, str) else None


def included(_provider: str, _version: Version) -> Cache:
    """Input holds what was cached, whoever the provider: what the conventions ask for."""
    return Cache.INCLUDED


def excluded_at(*providers: str) -> Callable[[str, Version], Cache]:
    """Input holds what was cached, but at these providers, whose own counts are passed on."""

    def cache(provider: str, _version: Version) -> Cache:
        return Cache.EXCLUDED if provider in providers else Cache.INCLUDED

    return cache


def unknown_at(*providers: str) -> Callable[[str, Version], Cache]:
    """Input holds what was cached, but perhaps not at these providers."""

    def cache(provider: str, _version: Version) -> Cache:
        return Cache.UNKNOWN if provider in providers else Cache.INCLUDED

    return cache


class Dialect(NamedTuple):
    """The attribute names and habits of one emitter. Immutable."""

    name: str
    """What spans read by it say in ``farthing.cost.dialect``."""
    packages: tuple[str, ...] = ()
    """Python distributions that write it; one that ends in ``*`` stands for all that begin so."""
    scopes: tuple[str, ...] = ()
    """Instrumentation scopes that write it; one that ends in ``*`` stands for all that begin so."""
    marks: frozenset[str] = frozenset()
    """Attributes one of which every call of it has. A span of its scopes without any is read as
    another dialect, a span of no known scope with one is read as this."""
    names: Names = GENAI
    operation: Callable[[Attributes], str | None] = named_operation
    """``gen_ai.operation.name`` of a span that is one call to a model; None for any other span."""
    cache: Callable[[str, Version], Cache] = included
    """(``gen_ai.provider.name``, version of the scope) → what its input holds."""
    reasoning_outside: frozenset[str] = frozenset()
    """Providers of whose reasoning its output holds nothing, though it is billed as output."""
    within: Callable[[Attributes, Version], bool] | None = None
    """Whether another span of it is around this one, and says more of the same call."""
    opened: Callable[[Attributes], Attributes] | None = None
    """The attributes of a call with what is written within others (an object in JSON) under names
    of its own, so that the table can name it. Everything below reads these."""
    usage: Callable[[Attributes, str], Usage | None] | None = None
    """(attributes, provider) → usage, where the span has more than a count a name: a provider's own
    object in JSON, or parts of it. None there has the table read instead."""
    also: Callable[[Attributes], tuple[tuple[str, Usage], ...]] | None = None
    """Requests billed beside the call, which no count of the table holds, as `Usage.also`."""
    cost: Callable[[Attributes], Decimal | None] | None = None
    """USD that the emitter says, where it is under no name of its own."""
    provider: Callable[[Attributes], str | None] | None = None
    """The word for the provider, where it is under no name of its own."""
    assumes: Callable[[Attributes], tuple[str, ...]] | None = None
    """What has to be assumed of counts that it leaves out, if it does of this span's."""
    records_tokens: bool = True
    """Whether the emitter may record token metrics by itself, so that we must not."""
    uncounted: Callable[[Attributes], bool] | None = None
    """Whether it records none of a call, though it does of others."""
    calls_only: bool = False
    """Whether every span of its scopes is a call, whatever it says of itself when it begins."""
    ends_without: Callable[[Attributes], bool] | None = None
    """Whether the counts of a stream are not those of its end: they are those of its beginning,
    because nobody read it, or words that were counted. There is no amount then."""
    inexact: Callable[[Attributes], bool] | None = None
    """Whether its counts are known to be a little off. The amount is an estimate then."""
