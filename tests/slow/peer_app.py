"""A program with farthing and another tracer in it: ``python -m tests.slow.peer_app PEER ORDER``.

It makes every kind of call in each of six phases: bare, with both tracers, with both within a span
of the application's, with the first uninstrumented, with none, and with farthing again. ORDER is
who is instrumented first, ``ours`` or ``theirs``. What came back, and what was reported, is printed
as JSON.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests import peers
from tests.instrumentation import shapes

CHAT: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
RESPONSE: Any = {"model": "gpt-5", "input": "hi"}
MESSAGE: Any = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}


def answer(request: httpx2.Request) -> httpx2.Response:
    """What the providers would say."""
    path, stream = request.url.path, json.loads(request.content).get("stream") is True
    if path.endswith("/embeddings"):
        return shapes.ok(shapes.embeddings())
    plain, events = {
        "completions": (shapes.chat, shapes.chat_chunks),
        "responses": (shapes.response, shapes.response_events),
        "messages": (shapes.message, shapes.message_events),
    }[path.rpartition("/")[2]]
    return shapes.sse(events(), done="completions" in path) if stream else shapes.ok(plain())


def helped(stream: Any) -> Any:
    """What a client's stream helper collects."""
    with stream as events:
        for _ in events:
            pass
        return final(events)


async def helped_async(stream: Any) -> Any:
    async with stream as events:
        async for _ in events:
            pass
        return await final(events)


def final(events: Any) -> Any:
    for name in ("get_final_completion", "get_final_response", "get_final_message"):
        if hasattr(events, name):
            return getattr(events, name)()
    raise AttributeError("no final answer in a helper")


PLAIN: dict[str, Callable[[Any], Any]] = {
    "chat": lambda c: c.chat.completions.create(**CHAT),
    "raw chat": lambda c: c.chat.completions.with_raw_response.create(**CHAT),
    "response": lambda c: c.responses.create(**RESPONSE),
    "embeddings": lambda c: c.embeddings.create(model="text-embedding-3-large", input="hi"),
    "message": lambda c: c.messages.create(**MESSAGE),
    "raw message": lambda c: c.messages.with_raw_response.create(**MESSAGE),
    "beta message": lambda c: c.beta.messages.create(**MESSAGE),
}
STREAMS: dict[str, Callable[[Any], Any]] = {
    "chat stream": lambda c: c.chat.completions.create(**CHAT, stream=True),
    "response stream": lambda c: c.responses.create(**RESPONSE, stream=True),
    "message stream": lambda c: c.messages.create(**MESSAGE, stream=True),
}
HELPERS: dict[str, Callable[[Any], Any]] = {
    "chat helper": lambda c: c.chat.completions.stream(**CHAT),
    "response helper": lambda c: c.responses.stream(**RESPONSE),
    "message helper": lambda c: c.messages.stream(**MESSAGE),
}


async def dumped(result: Any) -> Any:
    """What a result, its events or its parsed body say; with their types."""
    if isinstance(result, list):
        return [await dumped(item) for item in result]
    if hasattr(result, "parse"):
        parsed = result.parse()
        result = await parsed if inspect.isawaitable(parsed) else parsed
    return [type(result).__name__, result.model_dump(mode="json")]


def clients() -> tuple[dict[str, Any], dict[str, Any]]:
    """By the word in the names of the calls that they make: sync, async."""
    sync = {"http_client": httpx2.Client(transport=httpx2.MockTransport(answer))}
    later = {"http_client": httpx2.AsyncClient(transport=httpx2.MockTransport(answer))}
    return (
        {
            "message": anthropic.Anthropic(api_key="key", **sync),
            "": openai.OpenAI(api_key="key", **sync),
        },
        {
            "message": anthropic.AsyncAnthropic(api_key="key", **later),
            "": openai.AsyncOpenAI(api_key="key", **later),
        },
    )


def client_for(name: str, by_word: dict[str, Any]) -> Any:
    return next(client for word, client in by_word.items() if word in name)


async def calls(report: Callable[[], Any]) -> dict[str, Any]:
    """Every kind of call, sync and async, on new clients: name → (result, what was reported)."""
    sync, later = clients()
    found: dict[str, Any] = {}

    async def note(name: str, result: Any) -> None:
        found[name] = await dumped(result), report()

    for name, call in PLAIN.items():
        await note(name, call(client_for(name, sync)))
        await note(f"async {name}", await call(client_for(name, later)))
    for name, call in STREAMS.items():
        await note(name, list(call(client_for(name, sync))))
        stream = await call(client_for(name, later))
        await note(f"async {name}", [event async for event in stream])
    for name, call in HELPERS.items():
        await note(name, helped(call(client_for(name, sync))))
        await note(f"async {name}", await helped_async(call(client_for(name, later))))
    return found


class Telemetry:
    """Global providers that keep in memory what each call reported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        delta = AggregationTemporality.DELTA
        self.reader = InMemoryMetricReader(dict.fromkeys((Counter, Histogram), delta))
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meter_provider = MeterProvider([self.reader])
        trace.set_tracer_provider(self.tracer_provider)
        metrics.set_meter_provider(self.meter_provider)

    def take(self) -> dict[str, Any]:
        """The spans and our metrics since the last time."""
        spans = self.exporter.get_finished_spans()
        self.exporter.clear()
        ids = {span.context.span_id: span for span in spans if span.context}
        return {"spans": [_span(span, ids) for span in spans], "metrics": self._metrics()}

    def _metrics(self) -> dict[str, list[float]]:
        """By name: (how often recorded, sum) of what farthing's meter gave."""
        data = self.reader.get_metrics_data()
        found: dict[str, list[float]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                if scope.scope.name == "farthing":
                    for metric in scope.metrics:
                        for point in metric.data.data_points:
                            if count := getattr(point, "count", 0):
                                total = found.setdefault(metric.name, [0, 0])
                                total[0] += count
                                total[1] += getattr(point, "sum", 0)
        return found


def _span(span: ReadableSpan, ids: dict[int, ReadableSpan]) -> dict[str, Any]:
    parent = ids.get(span.parent.span_id) if span.parent else None
    attributes = span.attributes or {}
    return {
        "scope": _scope(span),
        "name": span.name,
        "parent": parent and _scope(parent),
        "cost": attributes.get("gen_ai.usage.cost.amount"),
        "status": attributes.get("farthing.cost.status"),
        "step": attributes.get("farthing.step.name"),
        "error": span.status.status_code.name == "ERROR",
    }


def _scope(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope else ""


async def main(peer: str, order: str) -> None:
    warnings.simplefilter("ignore")
    telemetry = Telemetry()
    both = ("farthing", peer) if order == "ours" else (peer, "farthing")
    phases = {"bare": await calls(telemetry.take)}
    stops = [
        peers.start(name, telemetry.tracer_provider, telemetry.meter_provider) for name in both
    ]
    phases["both"] = await calls(telemetry.take)
    with trace.get_tracer("application").start_as_current_span("plan"):
        phases["within"] = await calls(telemetry.take)
    telemetry.take()
    stops[0]()
    phases["second"] = await calls(telemetry.take)
    stops[1]()
    phases["none"] = await calls(telemetry.take)
    peers.start("farthing", telemetry.tracer_provider, telemetry.meter_provider)
    phases["again"] = await calls(telemetry.take)
    print(json.dumps(phases))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
