"""The floor, and calls timed beside it: what every benchmark of a client shares."""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx2
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind

MESSAGES: Any = [{"role": "user", "content": "hi"}]


ORDERS = tuple(itertools.permutations(range(3)))


class Telemetry:
    def __init__(self, sampler: Sampler) -> None:
        self.tracer_provider = TracerProvider(sampler=sampler)
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader])
        self.tracer = TracerProvider(sampler=ALWAYS_ON).get_tracer("floor")
        meter = self.meter_provider.get_meter("floor")
        self.histograms = [meter.create_histogram(f"floor.{n}", "s", "floor") for n in range(3)]

    def floor(self) -> None:
        """One floor operation: 12 attributes, and the six labels that the conventions ask for."""
        span = self.tracer.start_span(
            "chat gpt-4o",
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "server.address": "api.openai.com",
                "server.port": 443,
            },
        )
        span.set_attributes(
            {
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.response.model": "gpt-4o-2024-08-06",
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.usage.input_tokens": 2006,
                "gen_ai.usage.output_tokens": 300,
                "gen_ai.usage.cache_read.input_tokens": 1920,
                "gen_ai.usage.reasoning.output_tokens": 40,
            }
        )
        labels = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "server.address": "api.openai.com",
            "server.port": 443,
        }
        within = trace.set_span_in_context(span)
        duration, *tokens = self.histograms
        duration.record(0.5, labels, within)
        for histogram, kind in zip(tokens, ("input", "output"), strict=True):
            histogram.record(300, {**labels, "gen_ai.token.type": kind}, within)
        span.end()

    def records(self) -> int:
        """Histogram records until now, the floor's aside."""
        data = self.reader.get_metrics_data()
        return sum(
            getattr(point, "count", 0)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            if scope.scope.name != "floor"
            for metric in scope.metrics
            for point in metric.data.data_points
        )


def transport(reply: Callable[[], httpx2.Response]) -> httpx2.MockTransport:
    return httpx2.MockTransport(lambda _request: reply())


class Times:
    """Nanoseconds of a bare call, a floor operation and an instrumented call, taken in turn.

    Of this thread's own time: what else the machine does meanwhile is not in it.
    """

    def __init__(
        self,
        bare: Callable[[], Any],
        ours: Callable[[], Any],
        floor: Callable[[], Any],
        awaits: bool = False,
    ) -> None:
        self.bare: list[int] = []
        self.floor: list[int] = []
        self.ours: list[int] = []
        self._turns = (
            (bare, awaits, self.bare),
            (floor, False, self.floor),
            (ours, awaits, self.ours),
        )

    async def run(self, rounds: int, warm_up: int = 50) -> None:
        """Take each in turn, ``rounds`` times; of calls that are awaited, until they are."""
        for operation, awaits, _ in self._turns * warm_up:
            result = operation()
            if awaits:
                await result
        gc.collect()
        for turn in range(rounds):
            # Each follows each equally often: after its like, a call finds its own code cached.
            for index in ORDERS[turn % len(ORDERS)]:
                operation, awaits, times = self._turns[index]
                start = time.thread_time_ns()
                result = operation()
                if awaits:
                    await result
                times.append(time.thread_time_ns() - start)

    def overhead(self) -> float:
        """What ours costs over a bare call, in nanoseconds: the median of the pairs."""
        return statistics.median(a - b for a, b in zip(self.ours, self.bare, strict=True))

    def in_floors(self) -> float:
        return self.overhead() / statistics.median(self.floor)

    def mean_in_floors(self) -> float:
        """The mean, less the slowest hundredth of each, which bears what others left to collect."""
        bare, floor, ours = (
            statistics.fmean(sorted(times)[: -len(times) // 100])
            for times in (self.bare, self.floor, self.ours)
        )
        return (ours - bare) / floor


def compiled() -> dict[str, str]:
    """The variables of a child whose compiled modules are kept, as an application's are."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
