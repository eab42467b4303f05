"""What one tracer writes of calls to the simulator: ``python -m tests.sampling EMITTER``.

Runs in the emitter's own environment; the sample is printed as JSON. What is random in it (ports,
ids, times) is made constant, so that the samples of two releases can be compared.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from farthing_dashboards.simulator import LedgerEntry, Simulator
from tests import peers
from tests.emitters import EMITTERS

LEDGER = ("response_id", "model", "api", "status", "usage", "reported", "cost")
LONGEST = 4000
"""Of a text that is not JSON no more is kept."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CONSTANT = (
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), r"\1:8000"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?"), "2026-01-01T00:00:00"),
    (re.compile(r'("(?:created|created_at|completed_at)": ?)\d+(\.\d+)?'), r"\g<1>1767225600"),
    (re.compile(r"'(created|created_at|completed_at)': \d+(\.\d+)?"), r"'\1': 1767225600"),
    (re.compile(r"\btook \d+\.\d+s"), "took 0.01s"),
    (re.compile(r"0x[0-9a-f]{6,}"), "0x0"),
    (re.compile(re.escape(str(peers.ROOT)) + r"/?"), ""),
)
_TIMED = re.compile(
    r"duration|latency|time_to|time_per|timestamp|ttft|_time$"
    r"|\bcreated(_at)?$|completed_at$|^thread\.id$|^code\.lineno$"
)


class Recorder(SpanProcessor):
    """Keeps each span as it was when it started, and in the order of ending."""

    def __init__(self) -> None:
        self._started: dict[int, tuple[int, Mapping[str, Any]]] = {}
        self._ended: list[ReadableSpan] = []
        self._uuids: dict[str, str] = {}

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self._started[span.context.span_id] = len(self._started) + 1, dict(span.attributes or {})

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.append(span)

    async def wait(self) -> None:
        """Until spans have come, and for a while no more do."""
        seen, quiet = 0, 0
        for _ in range(200):
            await asyncio.sleep(0.01)
            quiet = quiet + 1 if seen == len(self._ended) else 0
            seen = len(self._ended)
            if seen and quiet == 20:
                return

    def take(self, port: int) -> list[dict[str, Any]]:
        """The spans since the last time."""
        ids = _Ids()
        for span in self._started:
            ids.of("s", span)
        found = [self._span(span, ids, port) for span in self._ended]
        self._started.clear()
        self._ended.clear()
        return found

    def _span(self, span: ReadableSpan, ids: _Ids, port: int) -> dict[str, Any]:
        assert span.context
        assert span.instrumentation_scope
        number, at_start = self._started.get(span.context.span_id, (0, {}))
        scope = span.instrumentation_scope
        return {
            "scope": {"name": scope.name, "version": scope.version},
            "name": self._constant("", span.name, port),
            "kind": span.kind.name,
            "status": span.status.status_code.name,
            "trace_id": ids.of("t", span.context.trace_id),
            "span_id": ids.of("s", span.context.span_id),
            "parent_id": ids.of("s", span.parent.span_id) if span.parent else None,
            "started": number,
            "at_start": self._attributes(at_start, port),
            "attributes": self._attributes(span.attributes or {}, port),
        }

    def _attributes(self, attributes: Mapping[str, Any], port: int) -> dict[str, Any]:
        return {name: self._constant(name, attributes[name], port) for name in sorted(attributes)}

    def _constant(self, name: str, value: Any, port: int) -> Any:
        if isinstance(value, tuple | list):
            return [self._constant(name, one, port) for one in value]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bool):
            return value
        if _TIMED.search(name):
            return type(value)(1)
        return 8000 if value == port else value

    def _text(self, text: str) -> str:
        for pattern, constant in _CONSTANT:
            text = pattern.sub(constant, text)
        text = _UUID.sub(self._uuid, text)
        return text if len(text) <= LONGEST or text[0] in "{[" else f"{text[:LONGEST]}…"

    def _uuid(self, match: re.Match[str]) -> str:
        number = len(self._uuids) + 1
        return self._uuids.setdefault(match[0], f"00000000-0000-4000-8000-{number:012d}")


class _Ids(dict[tuple[str, int], str]):
    """Short names for ids, in the order in which they are asked for."""

    def of(self, kind: str, number: int) -> str:
        count = sum(1 for known, _ in self if known == kind) + 1
        return self.setdefault((kind, number), f"{kind}{count}")


class Sampler:
    """Providers to give to a tracer, the simulator to call, and what came of each call."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.recorder = Recorder()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(self.recorder)
        delta = AggregationTemporality.DELTA
        self._reader = InMemoryMetricReader(dict.fromkeys((Counter, Histogram), delta))
        self.meter_provider = MeterProvider([self._reader])
        self.calls: list[dict[str, Any]] = []
        self.settle: Callable[[], Any] = lambda: None
        """Waits for a tracer that writes its spans in the background."""

    def be_global(self) -> None:
        """For tracers that take no other providers."""
        trace.set_tracer_provider(self.tracer_provider)
        metrics.set_meter_provider(self.meter_provider)

    async def make(self, calls: Mapping[str, Callable[[], Any]], within: Iterable[str]) -> None:
        """Make every call, and those of ``within`` once more in a span of the application's."""
        self.recorder.take(0)  # what starting the tracer, or a framework, wrote
        tracer = self.tracer_provider.get_tracer("application")
        for name, call in calls.items():
            with self._call(name):
                await _made(call)
                await _made(self.settle)
        for name in within:
            with self._call(f"{name} within plan"), tracer.start_as_current_span("plan"):
                await _made(calls[name])
                await _made(self.settle)  # LiteLLM 1 writes on that span while it is open

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        before = len(self.simulator.ledger)
        yield
        gc.collect()  # some end a stream's span when it is collected
        port = self.simulator.server_address[1]
        self.calls.append(
            {
                "call": name,
                "server": "127.0.0.1:8000",
                "ledger": [_entry(entry) for entry in self.simulator.ledger[before:]],
                "spans": self.recorder.take(port),
                "metrics": self._metrics(),
            }
        )

    def _metrics(self) -> dict[str, list[str]]:
        data = self._reader.get_metrics_data()
        return {
            scope.scope.name: sorted({metric.name for metric in scope.metrics})
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
        }


async def _made(call: Callable[[], Any]) -> None:
    result = call()
    if inspect.isawaitable(result):
        await result


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    known = entry.as_json()
    return {name: known[name] for name in LEDGER}


def installed(environment: str) -> dict[str, str]:
    """The versions of what was asked for and of the SDK, as they are in this environment."""
    asked = (*(peers.PACKAGES | peers.FRAMEWORKS)[environment], *peers.CLIENTS, "opentelemetry-sdk")
    found: dict[str, str] = {}
    for package in asked:
        name = re.split(r"[\[=<>]", package)[0]
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed: run scripts/sample_spans.py.") from None
    return found


async def main(emitter: str) -> None:
    warnings.simplefilter("ignore")
    environment, start, within = EMITTERS[emitter]
    with Simulator() as simulator:
        sampler = Sampler(simulator)
        await sampler.make(start(sampler), within)
    sample = {"emitter": emitter, "packages": installed(environment), "calls": sampler.calls}
    print(json.dumps(sample))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
