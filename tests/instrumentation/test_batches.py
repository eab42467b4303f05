"""Results of batches, as the clients download them: each recorded once, at batch rates."""

from __future__ import annotations

import decimal
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import farthing
from farthing import batches
from farthing_processor.attribution import Attribution, set_in_context
from tests.instrumentation import shapes
from tests.instrumentation.batch_shapes import (
    ANTHROPIC,
    MADE_S,
    OPENAI,
    anthropic_results,
    chat,
    file,
    jsonl,
    line,
    message,
    result,
    unbilled,
)
from tests.instrumentation.conftest import Provider, Telemetry


@pytest.fixture(autouse=True)
def _nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_RECORDED", batches.Recorded())


def test_a_downloaded_openai_file(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(file(jsonl(line(chat())))).openai()
    summary = farthing.record_batch(client.files.content("file-1"))
    assert summary == (1, 0, 0, 0, 0, Decimal(OPENAI["expected_usd"]))
    span = telemetry.span()
    assert span.name == "chat gpt-4o-mini"
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "farthing.batch": True,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "server.address": "api.openai.com",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.response.finish_reasons": ("stop",),
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_1",
        "gen_ai.usage.input_tokens": 100000,
        "gen_ai.usage.output_tokens": 20000,
        "gen_ai.usage.cost.amount": float(OPENAI["expected_usd"]),
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "farthing.cost.input": 0.0075,
        "farthing.cost.output": 0.006,
        "farthing.cost.status": "priced",
        "farthing.cost.prices": telemetry.attributes()["farthing.cost.prices"],
        "farthing.baseline.count": 0,
        "farthing.baseline.source": "threshold",
        "farthing.outlier.cost_limit": 0.005,
        "farthing.outlier.reasons": ("cold_threshold",),
        "farthing.step.name": "chat gpt-4o-mini",
    }


def test_the_results_of_an_anthropic_batch(telemetry: Telemetry, provider: Provider) -> None:
    results = anthropic_results(provider, jsonl(result(message())))
    assert not isinstance(results, list)
    summary = farthing.record_batch(results)
    assert summary == (1, 0, 0, 0, 0, Decimal(ANTHROPIC["expected_usd"]))
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == float(ANTHROPIC["expected_usd"])
    assert attributes["gen_ai.provider.name"] == "anthropic"
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 50000
    assert attributes["gen_ai.response.finish_reasons"] == ("end_turn",)
    assert attributes["gen_ai.response.id"] == "msg_1"
    assert attributes["farthing.batch"] is True


def test_batch_rates_though_nothing_says_batch(telemetry: Telemetry) -> None:
    """Also for what was billed beside the request."""
    advisor = {
        "type": "advisor_message",
        "model": "claude-sonnet-4-6",
        "input_tokens": 1000,
        "output_tokens": 100,
    }
    usage = {k: v for k, v in ANTHROPIC["usage"].items() if k != "service_tier"}
    one = farthing.record_batch([result(message(usage=usage))])
    assert one.usd == Decimal(ANTHROPIC["expected_usd"])
    beside = farthing.record_batch([result(message(2, usage=usage | {"iterations": [advisor]}))])
    # 1000 at 1.5 and 100 at 7.5 USD a million: half of what Sonnet 4.6 costs.
    assert beside.usd - one.usd == Decimal("0.00225")
    assert beside.unpriced == 0


def test_one_set_of_metrics_and_no_duration(telemetry: Telemetry) -> None:
    telemetry.instrument(semconv="both")
    farthing.record_batch([line(chat(n), n) for n in range(3)])
    sums = telemetry.sums()
    assert sums == {
        "gen_ai.client.token.usage": 360000,
        "gen_ai.client.inference.usage.input_tokens": 300000,
        "gen_ai.client.inference.usage.output_tokens": 60000,
        "gen_ai.client.inference.operation.input_tokens": 300000,
        "gen_ai.client.inference.operation.output_tokens": 60000,
        "gen_ai.client.operation.cost": pytest.approx(3 * 0.0135),
    }
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert cost.count == 3
    assert {e.span_id for e in cost.exemplars} <= {s.context.span_id for s in telemetry.spans()}


@pytest.mark.parametrize(
    ("body", "operation", "usd", "unpriced"),
    [
        # Half of 1.25 for 129, of 0.125 for 11904 cached and of 10 USD a million for 1044.
        (shapes.response(), "chat", Decimal(str(shapes.RESPONSES_COST)) / 2, 0),
        (shapes.response("incomplete"), "chat", Decimal(str(shapes.RESPONSES_COST)) / 2, 0),
        (shapes.chat(object="text_completion", model="gpt-4o"), "text_completion", None, 0),
        (shapes.embeddings(), "embeddings", None, 0),
        (
            {"id": "modr-1", "model": "omni-moderation-latest", "results": []},
            "moderation",
            Decimal(0),
            0,
        ),
        ({"id": "video_1", "object": "video", "model": "sora-2"}, "video_generation", None, 1),
        (shapes.chat(None), "chat", Decimal(0), 1),
        (shapes.chat(model="my-own"), "chat", Decimal(0), 1),
    ],
    ids=["response", "incomplete", "completion", "embeddings", "moderation", "video", "no", "own"],
)
def test_every_api_that_can_be_batched(
    telemetry: Telemetry, body: dict[str, Any], operation: str, usd: Decimal | None, unpriced: int
) -> None:
    made = {"created": MADE_S} if "created" in body else {}
    made |= {"created_at": MADE_S} if "created_at" in body else {}
    summary = farthing.record_batch([line(body | made)])
    assert (summary.calls, summary.unpriced, summary.unreadable) == (1, unpriced, 0)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.operation.name"] == operation
    assert attributes["gen_ai.response.model"] == body["model"]
    assert telemetry.span().name == f"{operation} {body['model']}"
    assert ("gen_ai.usage.cost.amount" in attributes) is not unpriced
    if usd is not None:
        assert summary.usd == usd
    assert telemetry.sums().get("farthing.calls.unpriced", 0) == unpriced


def test_images_name_no_model(telemetry: Telemetry) -> None:
    usage = {"input_tokens": 50, "output_tokens": 1000, "total_tokens": 1050}
    body = {"created": MADE_S, "data": [{"b64_json": "…"}], "usage": usage}
    assert farthing.record_batch([line(body)])[:5] == (1, 0, 0, 0, 1)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.output_tokens"] == 1000
    assert attributes["farthing.cost.status"] == "unpriced"


def test_what_failed_is_not_billed(telemetry: Telemetry) -> None:
    refused = line({"error": {"message": "no", "code": "x"}})
    refused["response"]["status_code"] = 400
    expired = line(None, error={"code": "batch_expired", "message": "too late"})
    failed = line(shapes.response("failed", error={"code": "server_error", "message": "sorry"}))
    kinds = [unbilled(kind) for kind in ("errored", "canceled", "expired")]
    assert farthing.record_batch([refused, expired, failed, *kinds]) == (0, 0, 6, 0, 0, 0)
    assert telemetry.spans() == []
    assert telemetry.points() == {}


def test_what_failed_after_it_cost_is_billed(telemetry: Telemetry) -> None:
    body = shapes.response("failed", error={"code": "server_error"}, usage=shapes.RESPONSES_USAGE)
    summary = farthing.record_batch([line(body | {"created_at": MADE_S})])
    assert summary[:3] == (1, 0, 0)
    assert summary.usd == Decimal(str(shapes.RESPONSES_COST)) / 2
    assert telemetry.span().status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["error.type"] == "server_error"


def test_each_result_once(telemetry: Telemetry, provider: Provider) -> None:
    first = [line(chat(1)), line(chat(2), 2)]
    assert farthing.record_batch(first).calls == 2
    again = farthing.record_batch([*first, line(chat(3), 3)])
    assert again == (1, 2, 0, 0, 0, Decimal(OPENAI["expected_usd"]))
    # The same id of another provider is another response.
    assert farthing.record_batch(first, provider="azure.ai.openai").repeated == 0
    assert len(telemetry.spans()) == 5


def test_embeddings_go_by_the_id_of_their_request(telemetry: Telemetry) -> None:
    """Their bodies have none, and a custom id is one of many batches."""
    one, other = line(shapes.embeddings()), line(shapes.embeddings(), 2, custom_id="request-1")
    azure = line(shapes.embeddings(), 3)
    del azure["id"]
    assert farthing.record_batch([one, other, azure])[:2] == (3, 0)
    assert farthing.record_batch([one, other, azure])[:2] == (0, 3)


def test_what_is_remembered_is_bounded() -> None:
    recorded = batches.Recorded(remembered=2)
    assert [recorded.add("openai", id) for id in "aabbcc"] == [True, False] * 3
    assert not recorded.add("openai", "b")
    assert recorded.add("openai", "a")
    assert recorded.add("openai", None)
    assert recorded.add("openai", None)


def test_threads_that_record_the_same_results(telemetry: Telemetry) -> None:
    lines = [line(chat(n), n) for n in range(200)]
    barrier = threading.Barrier(4)
    found: list[batches.BatchSummary] = []

    def record() -> None:
        barrier.wait()
        found.append(farthing.record_batch(lines))

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(summary.calls for summary in found) == len(telemetry.spans()) == 200
    assert sum(summary.repeated for summary in found) == 600
    assert sum(summary.usd for summary in found) == 200 * Decimal(OPENAI["expected_usd"])


def test_a_download_that_breaks_off_is_recorded_once_in_all(telemetry: Telemetry) -> None:
    lines = [line(chat(n), n) for n in range(4)]

    def broken() -> Iterator[dict[str, Any]]:
        yield from lines[:2]
        raise httpx2.ReadError("gone")

    with pytest.raises(httpx2.ReadError):
        farthing.record_batch(broken())
    assert len(telemetry.spans()) == 2
    assert farthing.record_batch(lines)[:2] == (2, 2)


@pytest.mark.parametrize("made", [None, 0, -5, True, "soon", 10**400, float("nan"), 4e9])
def test_a_moment_that_is_none(telemetry: Telemetry, made: object) -> None:
    """Then it is now, when batches have prices of their own; in 1970 they had none."""
    summary = farthing.record_batch([line(chat(created=made))])
    assert summary[:5] == (1, 0, 0, 0, 0)
    assert telemetry.attributes()["farthing.cost.status"] == "priced"


def test_the_provider_is_checked_before_anything_is_read(telemetry: Telemetry) -> None:
    results = iter([line(chat())])
    with pytest.raises(
        ValueError, match=r"^No provider is called 'azure': give one of .*azure\.ai"
    ):
        farthing.record_batch(results, provider="azure")
    assert farthing.record_batch(results, provider="azure.ai.openai").calls == 1
    assert telemetry.attributes()["gen_ai.provider.name"] == "azure.ai.openai"


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://team.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://proxy.example/v1", "openai"),
    ],
)
def test_a_download_says_who_served(
    telemetry: Telemetry, provider: Provider, base_url: str, expected: str
) -> None:
    text = jsonl(line(chat()))
    client = provider.answers(lambda _: file(text)).openai(base_url=base_url)
    farthing.record_batch(client.files.content("file-1"))
    assert telemetry.attributes()["gen_ai.provider.name"] == expected
    telemetry.exporter.clear()
    farthing.record_batch(client.files.content("file-1"), provider="together")
    assert telemetry.attributes()["gen_ai.provider.name"] == "together"


def test_who_pays(telemetry: Telemetry) -> None:
    who = Attribution(
        workflow="report", step="summarise", agent="writer", user="u", tags={"a": "b"}
    )
    token = context.attach(set_in_context(who))
    with telemetry.tracer.start_as_current_span("cron") as parent:
        farthing.record_batch([line(chat())])
    context.detach(token)
    with telemetry.tracer.start_as_current_span("cron"):
        farthing.record_batch([line(chat(2))])
    first, _, second, _ = telemetry.spans()
    assert first.parent is not None
    assert first.parent.span_id == parent.get_span_context().span_id
    assert dict(first.attributes or {}).items() >= who.attributes().items()
    assert dict(second.attributes or {})["farthing.step.name"] == "cron"
    steps = {p.attributes["farthing.step.name"] for p in telemetry.points()[COST]}
    assert steps == {"summarise", "cron"}


COST = "gen_ai.client.operation.cost"


def test_the_price_is_that_of_the_response_and_the_span_is_now(telemetry: Telemetry) -> None:
    """Batches have prices of their own since 14 October 2026."""
    before = int(datetime.fromisoformat("2026-10-01T00:00:00Z").timestamp())
    assert farthing.record_batch([line(chat(created=before))]).usd == Decimal("0.027")
    span = telemetry.span()
    assert span.start_time is not None
    assert span.start_time // 10**9 > before
    assert dict(span.attributes or {})["farthing.cost.status"] == "partial"


def test_a_sum_is_exact_whatever_the_application_counts_with(telemetry: Telemetry) -> None:
    """0.0135 a thousand times is 13.499999999999… in floats."""
    with decimal.localcontext(decimal.Context(prec=3)):
        summary = farthing.record_batch([line(chat(n), n) for n in range(1000)])
    assert f"{summary.usd:f}" == "13.5000"


def test_a_span_processor_that_breaks_loses_no_cost(telemetry: Telemetry) -> None:
    class Broken(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            raise RuntimeError("broken")

        def on_end(self, span: Any) -> None:
            raise RuntimeError("broken")

    telemetry.tracer_provider.add_span_processor(Broken())
    assert farthing.record_batch([line(chat())]).usd == Decimal(OPENAI["expected_usd"])
    assert telemetry.sums()[COST] == 0.0135


def test_no_span_is_dropped_for_want_of_an_exporter(telemetry: Telemetry) -> None:
    """The SDK's queue drops what it has no room for: here it exports when it is full, or asked."""
    exporter = InMemorySpanExporter()
    processor = BatchSpanProcessor(
        exporter, max_queue_size=1000, max_export_batch_size=1000, schedule_delay_millis=3_600_000
    )
    telemetry.tracer_provider.add_span_processor(processor)
    farthing.record_batch([line(chat(n), n) for n in range(5000)])
    processor.force_flush()
    assert len(exporter.get_finished_spans()) == 5000


@pytest.mark.parametrize(("patience_s", "flushes"), [(60.0, 9), (-1.0, 1)])
def test_an_exporter_that_is_down_is_waited_for_once(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, patience_s: float, flushes: int
) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(batches._Pace, "PATIENCE_S", patience_s)

    class Down(SpanProcessor):
        def force_flush(self, timeout_millis: int = 30000) -> bool:
            flushed.append(True)
            raise RuntimeError("down")

    telemetry.tracer_provider.add_span_processor(Down())
    assert farthing.record_batch([line(chat(n), n) for n in range(5000)]).calls == 5000
    assert len(flushed) == flushes


SCRIPT = """
import json, sys
sys.path.insert(0, ".")
import farthing
from tests.instrumentation.batch_shapes import chat, line
from tests.instrumentation.conftest import Telemetry
print(farthing.record_batch([line(chat(1))]).usd)
from opentelemetry import metrics, trace
telemetry = Telemetry()
trace.set_tracer_provider(telemetry.tracer_provider)
metrics.set_meter_provider(telemetry.meter_provider)
print(farthing.record_batch([line(chat(n)) for n in range(600)])[:2])
print(len(telemetry.spans()), round(telemetry.sums()["gen_ai.client.operation.cost"], 6))
"""


def test_without_instrument_it_reports_to_the_global_providers() -> None:
    """And without an SDK there is still the summary."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FARTHING_"))}
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert out.stderr == ""
    first, second, third = out.stdout.splitlines()
    assert (first, second) == ("0.0135", "(599, 1)")
    spans, cost = third.split()
    assert int(spans) == 599
    # The call recorded before there was an SDK may be among them: its metrics waited in the queue.
    assert float(cost) in (599 * 0.0135, 600 * 0.0135)
