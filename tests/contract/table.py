"""What a library's table is made of: its clients, and one row for each public method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from farthing_processor import semconv as names
from tests.contract.server import Reply

Usage = Mapping[str, int]
"""Span attribute → count."""

MAKERS = {"sync": 0, "async": 1}
"""Each way to call, and its place among the makers of a client."""


@dataclass(frozen=True)
class Method:
    """One public method, how it is called, and what is to be recorded of it. Immutable."""

    name: str
    """As an application writes it after the client: ``chat.completions.create``."""
    arguments: Mapping[str, Any]
    reply: Reply
    usage: Usage = field(default_factory=dict)
    cost: float | None = None
    """USD, exactly; None where there is to be none."""
    status: str | None = "priced"
    """``farthing.cost.status`` of the whole answer."""
    operation: str = "chat"
    client: str = ""
    """Which of the library's clients; its first by default."""
    finals: tuple[str, ...] = ()
    """What else a stream helper has: its other iterators, and what reads it to the end."""
    forms: tuple[str, ...] = ("raw", "streaming")
    """Which of ``with_raw_response`` and ``with_streaming_response`` there is of it."""
    paces: bool = True
    """Whether each event that is sent is one item of the stream, neither more nor fewer."""
    sample: bool = False
    """Whether to try it where one method speaks for all."""
    missing: str | None = None
    """What the product lacks to record it."""

    @property
    def streams(self) -> bool:
        return self.reply.streams

    @property
    def is_json(self) -> bool:
        return self.reply.kind == "application/json"

    @property
    def id(self) -> str:
        how = "_stream" if self.arguments.get("stream") else ""
        return ".".join(filter(None, (self.client, self.name + how)))


@dataclass(frozen=True)
class Library:
    """One client library. Immutable."""

    name: str
    clients: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]]
    """Name → (sync, async), each called with the base URL, the HTTP client, the application's
    tracer provider and further options of the client."""
    methods: tuple[Method, ...]
    error_event: Reply
    """A stream that breaks off with an error the provider tells of in the stream itself."""


def tokens(
    input_tokens: int | None = None, output_tokens: int | None = None, **details: int
) -> Usage:
    """Usage attributes; ``details`` by the names of `farthing_processor.semconv`, without USAGE."""
    counts = {f"USAGE_{name.upper()}": count for name, count in details.items()}
    named = {getattr(names, name): count for name, count in counts.items()}
    if input_tokens is not None:
        named[names.USAGE_INPUT_TOKENS] = input_tokens
    if output_tokens is not None:
        named[names.USAGE_OUTPUT_TOKENS] = output_tokens
    return named
