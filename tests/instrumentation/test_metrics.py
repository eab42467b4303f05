"""What is recorded under each choice of conventions, and how it stays bounded and whole."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Any

import pytest

import farthing
from farthing_processor import metrics as catalogue
from farthing_processor.recording import BATCH
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]

OLD = {
    "gen_ai.client.operation.duration": 3,
    "gen_ai.client.token.usage": 2306 * 2 + 1000,
    "gen_ai.client.operation.time_to_first_chunk": 1,
}
NEW = {
    "gen_ai.client.inference.duration": 2,
    "gen_ai.client.inference.time_to_first_chunk": 1,
    "gen_ai.client.inference.usage.input_tokens": 4012,
    "gen_ai.client.inference.usage.output_tokens": 600,
    "gen_ai.client.inference.usage.cache_read.input_tokens": 3840,
    "gen_ai.client.inference.usage.reasoning.output_tokens": 80,
    "gen_ai.client.inference.operation.input_tokens": 4012,
    "gen_ai.client.inference.operation.output_tokens": 600,
    # The newest conventions keep it for what is not inference.
    "gen_ai.client.operation.duration": 1,
}
COST = {
    "gen_ai.client.operation.cost": 2 * shapes.CHAT_COST + 0.00013,
    "farthing.cache.savings": 2 * 0.0024,
}
TIMES = ("duration", "first_chunk")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("released", OLD | COST), ("latest", NEW | COST), ("both", NEW | OLD | COST)],
)
def test_semconv(
    telemetry: Telemetry, provider: Provider, choice: str, expected: dict[str, float]
) -> None:
    """One chat, one streamed chat, one embedding."""
    telemetry.instrument(semconv=choice)
    chat = provider.answers(shapes.ok(shapes.chat())).openai().chat.completions
    chat.create(model="gpt-4o", messages=MESSAGES)
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    list(chat.create(model="gpt-4o", messages=MESSAGES, stream=True))
    provider.answers(shapes.ok(shapes.embeddings())).openai().embeddings.create(
        model="text-embedding-3-large", input="hi"
    )
    points = telemetry.points()
    seen = {
        name: sum(
            point.count if name.endswith(TIMES) else getattr(point, "sum", None) or point.value
            for point in found
        )
        for name, found in points.items()
    }
    assert seen == pytest.approx(expected)
    by_name = {metric.name: metric for metric in catalogue.CATALOGUE}
    for name, found in points.items():
        metric = by_name[name]
        assert choice in metric.choices
        for point in found:
            assert set(point.attributes) <= set(metric.labels)
            if metric.kind == "histogram":
                assert tuple(point.explicit_bounds) == metric.buckets


def test_modalities_sum_to_the_total(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(semconv="latest")
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 600,
        "total_tokens": 1600,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 800},
        "completion_tokens_details": {"audio_tokens": 500},
    }
    provider.answers(shapes.ok(shapes.chat(usage, model="gpt-audio")))
    provider.openai().chat.completions.create(model="gpt-audio", messages=MESSAGES)
    points = telemetry.points()

    def split(name: str) -> dict[str, float]:
        found = points[f"gen_ai.client.inference.usage.{name}"]
        return {point.attributes["gen_ai.token.modality"]: point.value for point in found}

    assert split("input_tokens") == {"text": 200, "audio": 800}
    assert split("output_tokens") == {"text": 100, "audio": 500}
    assert telemetry.sums()["gen_ai.client.operation.cost"] == 0.0591


def test_labels_are_bounded(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(label_limit=3)
    client = provider.answers(lambda r: shapes.ok(shapes.chat(model=f"m-{len(provider.requests)}")))
    for index in range(10):
        client.openai().chat.completions.create(model=f"deployment-{index}", messages=MESSAGES)
    client.openai().chat.completions.create(model="x" * 100_000, messages=MESSAGES)
    (durations, *_) = telemetry.points().values()
    labels = {point.attributes["gen_ai.request.model"] for point in durations}
    assert labels == {"deployment-0", "deployment-1", "deployment-2", "other"}
    assert sum(point.count for point in durations) == 11


def test_more_calls_than_a_batch_are_each_recorded_once(
    telemetry: Telemetry, provider: Provider
) -> None:
    chat = provider.answers(shapes.ok(shapes.chat())).openai().chat.completions
    for _ in range(2 * BATCH + 5):
        chat.create(model="gpt-4o", messages=MESSAGES)
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert cost.count == 2 * BATCH + 5
    assert cost.sum == pytest.approx(shapes.CHAT_COST * cost.count)
    telemetry.points()
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert cost.count == 2 * BATCH + 5


def test_the_age_of_the_prices_is_a_gauge(telemetry: Telemetry) -> None:
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    ((metric,),) = [scope.metrics for scope in data.resource_metrics[0].scope_metrics]
    (point,) = metric.data.data_points
    assert metric.name == "farthing.prices.age"
    assert point.value > 0
    assert "genai-prices" in point.attributes["farthing.cost.prices"]


CHILD = """
import os, sys
sys.path.insert(0, ".")
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader, ConsoleMetricExporter
import farthing
def show(data):
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name.endswith("operation.cost"):
                    counts = [point.count for point in metric.data.data_points]
                    return f"{'child' if CHILD else 'parent'} {counts}\\n"
    return ""
CHILD = False
exporter = ConsoleMetricExporter(formatter=show)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
farthing.instrument(Telemetry().tracer_provider, MeterProvider([reader]))
chat = Provider().answers(shapes.ok(shapes.chat())).openai().chat.completions
call = lambda: chat.create(model="gpt-4o", messages=[])
call()
call()
"""


def run(script: str) -> str:
    environment = dict(os.environ)
    return subprocess.run(
        [sys.executable, "-c", CHILD + script],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout


def test_calls_that_wait_are_recorded_at_exit() -> None:
    assert run("call()") == "parent [3]\n"
    assert run("call(); sys.exit(0)") == "parent [3]\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_does_not_record_its_parents_calls() -> None:
    out = run(
        """
pid = os.fork()
if not pid:
    CHILD = True
    call()
    reader.force_flush()
    os._exit(0)
os.waitpid(pid, 0)
"""
    )
    assert sorted(out.splitlines()) == ["child [1]", "parent [2]"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_an_open_stream_is_its_own_process_to_report() -> None:
    out = run(
        """
stream = Provider().answers(shapes.sse(shapes.chat_chunks(), done=True)).openai(
    ).chat.completions.create(model="gpt-4o", messages=[], stream=True)
next(stream)
pid = os.fork()
if not pid:
    CHILD = True
    list(stream)
    reader.force_flush()
    os._exit(0)
os.waitpid(pid, 0)
list(stream)
"""
    )
    assert out.splitlines() == ["parent [3]"]


def test_calls_begun_before_uninstrument_are_recorded(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).openai()
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    farthing.uninstrument()
    farthing.instrument()
    farthing.uninstrument()
    gc.collect()
    list(stream)
    del stream, client
    gc.collect()
    assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.CHAT_COST
