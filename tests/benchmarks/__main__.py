"""`make bench`: every figure is taken in one run, beside the floor that the SDK itself sets.

The floor is the least that an instrumentation can do: start a span, 12 attributes, 3 histogram
records, end. One floor operation is done beside each call in the same loop, because done once per
call it costs more than in a hot loop of its own (`floor1`).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

import farthing
from farthing_processor.assessment import assess
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.outliers import Watch
from farthing_processor.pricing import price
from farthing_processor.prompts import fingerprint
from farthing_processor.usage import Usage
from tests.benchmarks import peers, pricing, spans, store, view, who
from tests.benchmarks.floor import MESSAGES, Telemetry, Times, compiled, transport
from tests.instrumentation import shapes

ROUNDS = 1500
NOW_NS = time.time_ns()

# The methods as the clients shipped them: what a bare client calls even while we are active.
BARE = {
    client: {name: getattr(client, name) for name in ("post", "request")}
    for client in (openai.OpenAI, openai.AsyncOpenAI, anthropic.Anthropic)
}
BareOpenAI: Any = type("BareOpenAI", (openai.OpenAI,), BARE[openai.OpenAI])
BareAsyncOpenAI: Any = type("BareAsyncOpenAI", (openai.AsyncOpenAI,), BARE[openai.AsyncOpenAI])
BareAnthropic: Any = type("BareAnthropic", (anthropic.Anthropic,), BARE[anthropic.Anthropic])


def main() -> None:
    print(f"{'what':<52} {'measured':>12} {'target':>10}")
    in_process()
    sampled = Telemetry(ALWAYS_ON)
    farthing.instrument(sampled.tracer_provider, sampled.meter_provider)
    calls("sampled", sampled, 1.4)
    chunks(sampled)
    for what, microseconds, target in (*who.figures(), *spans.figures()):
        row(what, f"{microseconds:.2f} µs", target)
    unsampled = Telemetry(ALWAYS_OFF)
    farthing.instrument(unsampled.tracer_provider, unsampled.meter_provider)
    calls("unsampled", unsampled, 0.9)
    farthing.uninstrument()
    no_sdk()
    imports()
    for what, measured, target in (*store.figures(), *view.figures()):
        row(what, measured, target)
    peers.main()


def row(what: str, measured: str, target: str) -> None:
    print(f"{what:<52} {measured:>12} {target:>10}")


def median_us(operation: Callable[[], object], rounds: int = 20_000) -> float:
    """Microseconds of one operation in a hot loop: the median of ten batches."""
    batches = []
    for _ in range(10):
        start = time.perf_counter_ns()
        for _ in range(rounds // 10):
            operation()
        batches.append((time.perf_counter_ns() - start) / (rounds / 10) / 1000)
    return statistics.median(batches)


def in_process() -> None:
    """Pricing beside genai-prices, and the whole assessment."""
    from genai_prices import Usage as PeerUsage
    from genai_prices import calc_price

    usage = Usage(2006, 300, 1920)
    ours = median_us(lambda: price(usage, provider="openai", model="gpt-4o", at_ns=NOW_NS))
    peer_usage = PeerUsage(input_tokens=2006, output_tokens=300, cache_read_tokens=1920)
    peer = median_us(lambda: calc_price(peer_usage, "gpt-4o", provider_id="openai"), 2_000)
    row("pricing one known usage", f"{ours:.2f} µs", "1 µs")
    row("  genai-prices over ours", f"{peer / ours:.0f} x", "")
    for what, microseconds in pricing.figures().items():
        row(f"  {what}", f"{microseconds:.2f} µs", "")
    facts = Facts("openai", "gpt-4o", "gpt-4o-2024-08-06", usage=usage, start_ns=NOW_NS)
    who = Attribution(step="plan")
    watch, later = Watch(provider=TracerProvider()), Attribution(step="plan", workflow_id="trip")
    row("assessing one call", f"{median_us(lambda: assess(facts, who)):.2f} µs", "")
    for what, spender in (("with baseline and flags", who), ("in a workflow", later)):
        measured = median_us(lambda: assess(facts, spender, watch))  # noqa: B023
        row(f"  {what}", f"{measured:.2f} µs", "8 µs")
    row("  in a workflow, with a prompt of 10 KB", f"{asked_again(facts, later):.2f} µs", "")
    for what, body in (("one short message", SHORT), ("10 KB in 20 messages", PROMPT)):
        measured = median_us(lambda: fingerprint(body, True), 2_000)  # noqa: B023
        row(f"  the fingerprint of {what}", f"{measured:.2f} µs", "")


SHORT = {"model": "gpt-4o", "messages": MESSAGES}
PROMPT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "word " * 100}] * 20}


def asked_again(facts: Facts, who: Attribution) -> float:
    """The dearest there is: a repeated prompt that no cache has, priced once more."""
    watch = Watch(provider=TracerProvider())
    facts = facts._replace(usage=Usage(2600, 300), prompt=fingerprint(PROMPT, True))
    assess(facts, who, watch)
    facts = facts._replace(start_ns=time.time_ns())
    flags = assess(facts, who, watch).flags
    assert {"repeated_prompt", "large_uncached_prefix"} <= set(flags)
    return median_us(lambda: assess(facts, who, watch))


def calls(name: str, telemetry: Telemetry, target: float) -> None:
    chat = json.dumps(shapes.chat()).encode()
    message = json.dumps(shapes.message()).encode()
    headers = {"content-type": "application/json"}
    for client_name, kinds, body, call in (
        (
            "openai chat",
            (BareOpenAI, openai.OpenAI),
            chat,
            lambda c: c.chat.completions.create(model="gpt-4o", messages=MESSAGES),
        ),
        (
            "anthropic message",
            (BareAnthropic, anthropic.Anthropic),
            message,
            lambda c: c.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=MESSAGES),
        ),
    ):
        bare, ours = (
            kind(
                api_key="key",
                http_client=httpx2.Client(
                    transport=transport(lambda: httpx2.Response(200, headers=headers, content=body))  # noqa: B023
                ),
            )
            for kind in kinds
        )
        times = Times(lambda: call(bare), lambda: call(ours), telemetry.floor)  # noqa: B023
        asyncio.run(times.run(ROUNDS))
        row(
            f"{client_name}, {name}, over a bare call",
            f"{times.in_floors():.2f} floor1",
            f"{target} floor1",
        )
        row("  mean, batches of records included", f"{times.mean_in_floors():.2f} floor1", "")


def chunks(telemetry: Telemetry) -> None:
    """What one streamed chunk costs over the bare client's, in microseconds and floors."""
    many = shapes.chat_chunks()[1:2] * 2000
    reply = shapes.sse([*shapes.chat_chunks()[:1], *many, *shapes.chat_chunks()[-2:]], done=True)
    pieces = reply.stream.pieces  # type: ignore[attr-defined]
    count = len(pieces) - 1

    def respond() -> httpx2.Response:
        return httpx2.Response(200, headers=reply.headers, stream=shapes.Bytes(pieces))

    bare, ours = (
        kind(api_key="key", http_client=httpx2.Client(transport=transport(respond)))
        for kind in (BareOpenAI, openai.OpenAI)
    )

    def read(client: openai.OpenAI) -> int:
        stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
        start = time.thread_time_ns()
        for _ in stream:
            pass
        return time.thread_time_ns() - start

    async def aread(client: openai.AsyncOpenAI) -> int:
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=True
        )
        start = time.thread_time_ns()
        async for _ in stream:
            pass
        return time.thread_time_ns() - start

    pairs = [(read(bare), read(ours)) for _ in range(20)]
    # Chunks enough that the end of the call, which the last one bears, does not count.
    row("one streamed openai chunk", f"{_per_chunk(pairs, count):.2f} µs", "1.8 µs")

    async def run() -> list[tuple[int, int]]:
        bare, ours = (
            kind(api_key="key", http_client=httpx2.AsyncClient(transport=transport(respond)))
            for kind in (BareAsyncOpenAI, openai.AsyncOpenAI)
        )
        return [(await aread(bare), await aread(ours)) for _ in range(20)]

    row(
        "one streamed openai chunk, async",
        f"{_per_chunk(asyncio.run(run()), count):.2f} µs",
        "2.3 µs",
    )
    message_chunks()


def message_chunks() -> None:
    events = shapes.message_events()
    many = [*events[:3], *events[3:4] * 2000, *events[4:]]
    reply = shapes.sse(many)
    pieces = reply.stream.pieces  # type: ignore[attr-defined]

    def respond() -> httpx2.Response:
        return httpx2.Response(200, headers=reply.headers, stream=shapes.Bytes(pieces))

    bare, ours = (
        kind(api_key="key", http_client=httpx2.Client(transport=transport(respond)))
        for kind in (BareAnthropic, anthropic.Anthropic)
    )

    def read(client: anthropic.Anthropic) -> int:
        stream = client.messages.create(
            model="claude-sonnet-4-6", max_tokens=9, messages=MESSAGES, stream=True
        )
        start = time.thread_time_ns()
        for _ in stream:
            pass
        return time.thread_time_ns() - start

    pairs = [(read(bare), read(ours)) for _ in range(20)]
    row("one streamed anthropic chunk", f"{_per_chunk(pairs, len(pieces)):.2f} µs", "1.2 µs")


def _per_chunk(pairs: list[tuple[int, int]], count: int) -> float:
    return statistics.median(ours - bare for bare, ours in pairs) / count / 1000


# With no SDK configured a call is left alone: measured in a process that has none.
NO_SDK = """
import tests.benchmarks.__main__ as b, farthing, openai, httpx2, json, asyncio
body, headers = json.dumps(b.shapes.chat()).encode(), {"content-type": "application/json"}
def make(kind):
    reply = lambda: httpx2.Response(200, headers=headers, content=body)
    return kind(api_key="key", http_client=httpx2.Client(transport=b.transport(reply)))
farthing.instrument()
bare, ours = make(b.BareOpenAI), make(openai.OpenAI)
call = lambda c: c.chat.completions.create(model="gpt-4o", messages=b.MESSAGES)
times = b.Times(lambda: call(bare), lambda: call(ours), int)
asyncio.run(times.run(b.ROUNDS))
print(times.overhead() / 1000)
"""

IMPORT = """
import time{first}
a = time.perf_counter()
import farthing
b = time.perf_counter()
farthing.instrument()
c = time.perf_counter()
import sys
assert ("openai" in sys.modules) == ("openai" in "{first}")
print((b - a) * 1000, (c - b) * 1000)
"""


def child(script: str) -> list[float]:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=compiled())
    return [float(word) for word in run.stdout.split()]


def no_sdk() -> None:
    row("no SDK configured, over a bare call", f"{child(NO_SDK)[0]:.1f} µs", "6 µs")


def imports() -> None:
    """instrument() in a program: with the clients imported, and without."""
    for what, first in (
        ("instrument(), clients imported before", ", openai, anthropic, opentelemetry.sdk.trace"),
        ("instrument(), clients never imported", ", opentelemetry.sdk.trace"),
    ):
        runs = [child(IMPORT.format(first=first)) for _ in range(6)][1:]
        own, took = (statistics.median(times) for times in zip(*runs, strict=True))
        row(what, f"{took:.1f} ms", "5 ms")
        row("  with our own import", f"{own + took:.1f} ms", "20 ms")


if __name__ == "__main__":
    main()
