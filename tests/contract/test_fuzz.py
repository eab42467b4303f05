"""Streams and bodies broken at random: the application sees what the bare client shows it, and
telemetry stays whole.
"""

from __future__ import annotations

import copy
import gc
import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan

import farthing
from tests import needs
from tests.contract.breaking import RECORDED, REQUESTS, Example, examples, legible
from tests.contract.recordings import answered, usage_of
from tests.instrumentation.conftest import Telemetry

# What the clients themselves say of broken answers.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The model :DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]


class Log(logging.Handler):
    """Keeps what loggers say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.name}: {record.getMessage()} {record.exc_info or ''}")


@pytest.fixture(scope="module")
def sdk_log() -> Iterator[Log]:
    """What the SDK and the encoder complain of, such as an attribute that they leave out."""
    log, logger = Log(), logging.getLogger("opentelemetry")
    log.setLevel(logging.WARNING)
    logger.addHandler(log)
    yield log
    logger.removeHandler(log)


def check(example: Example, sdk_log: Log) -> ReadableSpan | None:
    """Ask with the bare client and with the instrumented one, and compare; the span of the call.

    A request that the client refuses to send may have one, or none.
    """

    def ask() -> tuple[list[str], list[httpx2.Request]]:
        return answered(
            example.api,
            copy.deepcopy(example.request),
            example.response,
            how=example.how,
            asynchronous=example.asynchronous,
            stop_after=example.stop_after,
        )

    sdk_log.said.clear()
    seen_bare, sent_bare = ask()
    telemetry, logs = Telemetry(), InMemoryLogRecordExporter()
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    farthing.instrument(
        telemetry.tracer_provider,
        telemetry.meter_provider,
        logger_provider,
        semconv="both",
        content="SPAN_AND_EVENT" if example.content else "NO_CONTENT",
        estimate=example.estimate,
    )
    try:
        seen, sent = ask()
        data = telemetry.reader.get_metrics_data()
        if sent and not telemetry.spans():
            gc.collect()  # dropped in a cycle: the next collection settles it
            data = telemetry.reader.get_metrics_data()
        assert seen == seen_bare
        assert [request.content for request in sent] == [request.content for request in sent_bare]
        if not sent and not telemetry.spans():
            return None
        span = telemetry.span()
        check_span(span)
        assert encode_spans([span]).SerializeToString()
        assert encode_metrics(data).SerializeToString()
        check_points(telemetry.points(), span)
        events = logs.get_finished_logs()
        assert len(events) == (example.content and example.api != "embeddings")
        assert encode_logs(events).SerializeToString() or not events
        assert not sdk_log.said
        return span
    finally:
        farthing.uninstrument()
        telemetry.tracer_provider.shutdown()
        telemetry.meter_provider.shutdown()
        logger_provider.shutdown()


CONTENT = (
    *("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"),
    "gen_ai.tool.definitions",
)


def check_span(span: ReadableSpan) -> None:
    said = dict(span.attributes or {})
    assert span.end_time is not None
    assert span.end_time >= (span.start_time or 0)
    for name, value in said.items():
        if name.startswith("gen_ai.usage.") and name.endswith("_tokens"):
            assert type(value) is int, name
            assert 0 <= value < 2**63, name
        if name.startswith(("gen_ai.usage.cost.amount", "farthing.cost.")) and not isinstance(
            value, str
        ):
            assert type(value) is float, name
            assert math.isfinite(value), name
            # What is written to a cache and never read costs more than it saves.
            assert value >= 0 or name == "farthing.cost.cache_savings", name
        if name in CONTENT:
            json.loads(str(value), parse_constant=pytest.fail)
    status = said.get("farthing.cost.status")
    if "gen_ai.usage.cost.amount" in said:
        assert status not in (None, "usage_missing", "unpriced")
    else:
        assert status in (None, "usage_missing", "unpriced")
        assert status is not None or "error.type" in said


def check_points(points: dict[str, list[Any]], span: ReadableSpan) -> None:
    said = span.attributes or {}
    durations = points["gen_ai.client.operation.duration"]
    assert [point.count for point in durations] == [1]
    for name, found in points.items():
        for point in found:
            value = getattr(point, "sum", None)
            value = point.value if value is None else value
            assert math.isfinite(value), name
            assert value >= 0, name
            assert all(isinstance(label, str) for label in point.attributes.values()), name
    costs = [point.sum for point in points.get("gen_ai.client.operation.cost", ())]
    assert costs == [value for value in [said.get("gen_ai.usage.cost.amount")] if value is not None]
    for point in points.get("gen_ai.client.token.usage", ()):
        kind = point.attributes["gen_ai.token.type"]
        assert point.sum == said[f"gen_ai.usage.{kind}_tokens"]


ORDINARY = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
# The same examples each time, so that no change is turned away for what it did not touch; new ones
# are drawn by `make fuzz`.
THOROUGH = settings(ORDINARY, max_examples=5000)


@ORDINARY
@given(example=examples(stream=True))
def test_broken_stream(sdk_log: Log, example: Example) -> None:
    check(example, sdk_log)


@ORDINARY
@given(example=examples(stream=False))
def test_broken_body(sdk_log: Log, example: Example) -> None:
    check(example, sdk_log)


@pytest.mark.slow
@THOROUGH
@given(example=examples(stream=True))
def test_many_broken_streams(sdk_log: Log, example: Example) -> None:
    check(example, sdk_log)


@pytest.mark.slow
@THOROUGH
@given(example=examples(stream=False))
def test_many_broken_bodies(sdk_log: Log, example: Example) -> None:
    check(example, sdk_log)


def check_legible(given: tuple[Example, dict[str, int]], sdk_log: Log) -> None:
    example, usage = given
    span = check(example, sdk_log)
    assert span is not None
    if "error.type" not in (span.attributes or {}):  # else the client stopped reading before
        assert usage_of(span) == usage


@ORDINARY
@given(given=legible())
def test_usage_is_read_whatever_is_broken_beside_it(sdk_log: Log, given: Any) -> None:
    check_legible(given, sdk_log)


@pytest.mark.slow
@THOROUGH
@given(given=legible())
def test_usage_is_read_of_many(sdk_log: Log, given: Any) -> None:
    check_legible(given, sdk_log)


@pytest.mark.parametrize("said", [math.nan, 2**63, {"": 1}, "\ud800", "plain \x00 text"], ids=ascii)
def test_content_that_is_hard_to_say(sdk_log: Log, said: object) -> None:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": said}}]}
    if not isinstance(said, str):
        body = {"choices": [{"message": {"content": [{"type": "text", "text": said}]}}]}
    example = Example(
        api="chat",
        request=REQUESTS["chat"],
        stream=False,
        how="plain",
        asynchronous=False,
        stop_after=None,
        content=True,
        estimate=False,
        status=200,
        headers={"content-type": "application/json"},
        pieces=[json.dumps(body).encode()],
        broken_off=False,
    )
    assert check(example, sdk_log) is not None


def test_recorded_answers_are_broken_too() -> None:
    needs.recordings()
    assert {(seed.api, seed.stream) for seed in RECORDED} >= {
        (api, stream) for api in ("chat", "responses", "messages") for stream in (False, True)
    }
