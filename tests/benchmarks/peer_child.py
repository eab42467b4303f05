"""One peer, timed in its own environment: ``python -m tests.benchmarks.peer_child PEER SAMPLED``.

Asked on standard input for a short round of one measurement, answers with its times on standard
output: so a parent takes many peers in turn. SAMPLED is ``sampled``, ``unsampled`` or ``no SDK``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from inspect import isawaitable
from types import FunctionType
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.resources.messages import AsyncMessages, Messages
from openai.resources.chat.completions import AsyncCompletions, Completions
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import NoOpTracerProvider

from tests import peers
from tests.benchmarks.floor import MESSAGES, Telemetry, Times
from tests.instrumentation import shapes

CHUNKS = 2000
"""So many that the end of the call, which the last one bears, does not count."""

JSON = {"content-type": "application/json"}
OPENAI: Any = {"model": "gpt-4o", "messages": MESSAGES}
ANTHROPIC: Any = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": MESSAGES}


def canned(plain: Any, events: list[Any], done: bool) -> Callable[[httpx2.Request], Any]:
    """Answers one shape, plain or in many chunks."""
    body = json.dumps(plain).encode()
    stream = shapes.sse(events, done=done)
    pieces = stream.stream.pieces  # type: ignore[attr-defined]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if b'"stream":true' in request.content:
            return httpx2.Response(200, headers=stream.headers, stream=shapes.Bytes(pieces))
        return httpx2.Response(200, headers=JSON, content=body)

    return answer


def many(events: list[Any], which: int) -> list[Any]:
    return [*events[:which], *events[which : which + 1] * CHUNKS, *events[which + 1 :]]


ANSWERS = {
    "openai": canned(shapes.chat(), many(shapes.chat_chunks(), 1), True),
    "anthropic": canned(shapes.message(), many(shapes.message_events(), 3), False),
}


def as_shipped(kind: type) -> type:
    """``kind`` with the methods that it and its bases have now, whoever patches them later."""
    methods: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        methods |= {name: f for name, f in vars(base).items() if isinstance(f, FunctionType)}
    return type(f"Bare{kind.__name__}", (kind,), methods)


KINDS: dict[tuple[str, bool], tuple[Any, Any, Any]] = {
    ("openai", False): (openai.OpenAI, Completions, httpx2.Client),
    ("openai", True): (openai.AsyncOpenAI, AsyncCompletions, httpx2.AsyncClient),
    ("anthropic", False): (anthropic.Anthropic, Messages, httpx2.Client),
    ("anthropic", True): (anthropic.AsyncAnthropic, AsyncMessages, httpx2.AsyncClient),
}
"""(library, awaits) → client, resource that is called, HTTP client."""

BARE = {
    key: (as_shipped(client), as_shipped(resource), http)
    for key, (client, resource, http) in KINDS.items()
}


class Caller:
    """One client, and the call that is made with it."""

    def __init__(self, library: str, kinds: tuple[Any, Any, Any], native: Any) -> None:
        client, resource, http = kinds
        options = {"open_telemetry": native} if library == "anthropic" else {}
        transport = httpx2.MockTransport(ANSWERS[library])
        made = client(api_key="key", http_client=http(transport=transport), **options)
        if library == "openai":
            self._holder, self._asked = made.chat, OPENAI
            vars(made.chat)["completions"] = resource(made)
        else:
            self._holder, self._asked = made, ANTHROPIC
            vars(made)["messages"] = resource(made)
        self._name = "completions" if library == "openai" else "messages"

    def call(self, **more: Any) -> Any:
        return getattr(self._holder, self._name).create(**self._asked, **more)

    async def read(self) -> int:
        """Nanoseconds of this thread for reading one stream to its end."""
        gc.collect()
        stream = self.call(stream=True)
        if isawaitable(stream):
            stream = await stream
            start = time.thread_time_ns()
            async for _ in stream:
                pass
        else:
            start = time.thread_time_ns()
            for _ in stream:
                pass
        return time.thread_time_ns() - start


async def added_by_chunk(bare: Caller, ours: Caller) -> float:
    """Nanoseconds that a chunk costs more: each reads first and last, as who is first pays more."""
    first, second, third, fourth = [await c.read() for c in (bare, ours, ours, bare)]
    return (second + third - first - fourth) / 2 / CHUNKS


async def main(peer: str, sampled: str) -> None:
    telemetry = Telemetry(ALWAYS_OFF if sampled == "unsampled" else ALWAYS_ON)
    providers: Any = (telemetry.tracer_provider, telemetry.meter_provider)
    if sampled == "no SDK":
        providers = None, None
    elif peer == "openlit":  # which takes no others
        trace.set_tracer_provider(telemetry.tracer_provider)
        metrics.set_meter_provider(telemetry.meter_provider)
    peers.start(peer, *providers)
    # As where there is no SDK: the client's own tracer is on, and records nothing. Its own column
    # is what it costs over a client that has it off.
    idle = {"tracer_provider": NoOpTracerProvider()}
    off, own = {"traces": False}, {"tracer_provider": telemetry.tracer_provider}
    without, within = (off, own) if peer == "anthropic" else (idle, idle)
    bare = {key: Caller(key[0], kinds, without) for key, kinds in BARE.items()}
    ours = {key: Caller(key[0], kinds, within) for key, kinds in KINDS.items()}
    for line in sys.stdin:
        what, library, awaits, count = json.loads(line)
        callers = bare[library, awaits], ours[library, awaits]
        if what == "chunk":
            found: Any = [await added_by_chunk(*callers) for _ in range(count)]
        elif what == "records":
            before = telemetry.records()
            for _ in range(count):
                result = callers[1].call()
                if awaits:
                    await result
            found = [(telemetry.records() - before) / count]
        else:
            times = Times(*(caller.call for caller in callers), telemetry.floor, awaits)
            await times.run(count, warm_up=5)
            found = [times.bare, times.floor, times.ours]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
