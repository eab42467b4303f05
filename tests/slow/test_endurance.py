"""A long day: a hundred thousand calls, streams abandoned among them, and memory stays flat."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider

pytestmark = pytest.mark.slow

MESSAGES: Any = [{"role": "user", "content": "hi"}]
ROUNDS = 10
CALLS = 10_000


class Counting(SpanProcessor):
    """Counts spans, and keeps none."""

    started = 0
    ended = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.started += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.ended += 1


def test_memory_is_flat_and_every_span_ends() -> None:
    spans = Counting()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(spans)
    reader = InMemoryMetricReader()
    farthing.instrument(tracer_provider, MeterProvider([reader]))
    answer = shapes.chat()
    provider = Provider()
    chat = provider.openai().chat.completions
    chunks = shapes.chat_chunks()
    held: list[int] = []
    try:
        for _ in range(ROUNDS):
            for turn in range(CALLS):
                provider.requests.clear()
                if turn % 20:
                    provider.answers(shapes.ok(answer))
                    chat.create(model="gpt-4o", messages=MESSAGES)
                else:
                    provider.answers(shapes.sse(chunks, done=True))
                    next(chat.create(model="gpt-4o", messages=MESSAGES, stream=True))
            gc.collect()
            reader.get_metrics_data()  # a dropped stream ends at the collection after its drop
            gc.collect()
            held.append(sys.getallocatedblocks())
    finally:
        farthing.uninstrument()
    assert spans.started == spans.ended == ROUNDS * CALLS
    # What is held after a tenth of the day is held at its end, to one block in a hundred calls.
    assert held[-1] - held[0] < (ROUNDS - 1) * CALLS / 100, held
