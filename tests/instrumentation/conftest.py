"""Real clients over a transport in this process, and telemetry kept in memory."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

import farthing
from farthing import scopes
from tests.instrumentation import shapes


class Telemetry:
    """The application's providers, with what they were given."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider(sampler=sampler)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meter_provider = MeterProvider([self.reader])
        self.tracer = self.tracer_provider.get_tracer("application")

    def instrument(self, **options: object) -> None:
        farthing.instrument(self.tracer_provider, self.meter_provider, **options)

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def span(self) -> ReadableSpan:
        """The one span there is."""
        spans = self.spans()
        assert len(spans) == 1, [span.name for span in spans]
        return spans[0]

    def attributes(self) -> dict[str, Any]:
        return dict(self.span().attributes or {})

    def points(self) -> dict[str, list[Any]]:
        """Data points by metric name, the gauge aside."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name != "farthing.prices.age"
        }

    def sums(self) -> dict[str, float]:
        """Total of every metric over all its labels."""
        return {
            name: sum(getattr(point, "sum", None) or getattr(point, "value", 0) for point in points)
            for name, points in self.points().items()
        }


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry()
    made.instrument()
    yield made
    farthing.uninstrument()


Reply = httpx2.Response | Callable[[httpx2.Request], httpx2.Response]


@dataclass
class Provider:
    """Answers requests with what it was told to, in order, and remembers them."""

    replies: list[Reply] = field(default_factory=list)
    requests: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(request) if callable(reply) else reply

    def answers(self, *replies: Reply) -> Provider:
        self.replies = list(replies)
        return self

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)

    def openai(self, **options: Any) -> openai.OpenAI:
        client = httpx2.Client(transport=httpx2.MockTransport(self))
        return openai.OpenAI(
            **{"api_key": "key", "http_client": client, "max_retries": 0} | options
        )

    def async_openai(self, **options: Any) -> openai.AsyncOpenAI:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return openai.AsyncOpenAI(
            **{"api_key": "key", "http_client": client, "max_retries": 0} | options
        )

    def anthropic(self, **options: Any) -> anthropic.Anthropic:
        client = httpx2.Client(transport=httpx2.MockTransport(self))
        return anthropic.Anthropic(
            **{"api_key": "key", "http_client": client, "max_retries": 0} | options
        )

    def async_anthropic(self, **options: Any) -> anthropic.AsyncAnthropic:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return anthropic.AsyncAnthropic(
            **{"api_key": "key", "http_client": client, "max_retries": 0} | options
        )


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def answering(provider: Provider) -> Provider:
    """Every request is answered by the same chat completion."""
    return provider.answers(shapes.ok(shapes.chat()))


@pytest.fixture
def nothing_left_behind(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After the test the context is the very same; nothing failed to detach, nor was left open."""
    caplog.set_level(logging.DEBUG)
    before = context.get_current()
    yield
    assert context.get_current() is before
    said = [(record.name, record.levelno) for record in caplog.records]
    assert not [level for name, level in said if name == "opentelemetry.context"]
    assert not [level for name, level in said if name == "asyncio" and level > logging.DEBUG]


@pytest.fixture
def said_afresh() -> None:
    """What is said once only may be said again."""
    scopes.said_once.clear()
