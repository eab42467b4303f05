"""Programs with several tracers in them: ``python -m tests.slow.stack_app``, which makes the calls
of one stack of tracers for each line that it is given.

A line is JSON: the tracers, in the order in which they are started (``farthing`` for our own
instrumentation; without it, a `CostSpanProcessor` is added). So is the answer: of each call, alone
and within a span of the application's, the provider's bill and what was reported of it; or, as a
string, why there is none. Everything is imported once; each stack has a process of its own, forked
while there is but one thread.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import multiprocessing
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from importlib import import_module
from typing import Any

import httpx2
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import farthing
from farthing_dashboards.simulator import Simulator
from tests import emitters, peers, sampled_calls
from tests.sampled_calls import CLASSIFY, PLAN, SUMMARISE, USAGE, Calls, read_async

NATIVE, OURS = "anthropic", "farthing"
TIMEOUT = 120
COST, TOKENS = "gen_ai.client.operation.cost", "gen_ai.client.token.usage"


class Telemetry:
    """Global providers that keep in memory what was reported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        delta = AggregationTemporality.DELTA
        self._reader = InMemoryMetricReader(dict.fromkeys((Counter, Histogram), delta))
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider([self._reader])
        trace.set_tracer_provider(self.tracer_provider)
        metrics.set_meter_provider(self.meter_provider)

    def take(self) -> dict[str, Any]:
        """The spans since the last time, and by scope and metric (how often, sum) of two."""
        found: dict[str, Any] = {"metrics": self._metrics()}  # which ends abandoned streams
        found["spans"] = [_span(span) for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        return found

    def _metrics(self) -> dict[str, dict[str, list[float]]]:
        data = self._reader.get_metrics_data()
        found: dict[str, dict[str, list[float]]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points if metric.name in (COST, TOKENS) else ():
                        by_name = found.setdefault(scope.scope.name, {})
                        both = by_name.setdefault(metric.name, [0, 0])
                        both[0] += getattr(point, "count", 0)
                        both[1] += getattr(point, "sum", 0)
        return found


def _span(span: ReadableSpan) -> dict[str, Any]:
    said = dict(span.attributes or {})
    return {
        "scope": span.instrumentation_scope.name if span.instrumentation_scope else "",
        "name": span.name,
        "cost": said.get("farthing.cost.amount", said.get("gen_ai.usage.cost.amount")),
        "status": said.get("farthing.cost.status"),
        "step": said.get("farthing.step.name"),
        "of": said.get("farthing.cost.duplicate_of"),
    }


def start(stack: Iterable[str], telemetry: Telemetry) -> None:
    """Start the tracers of a stack, one after the other."""
    providers = telemetry.tracer_provider, telemetry.meter_provider
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = str(NATIVE in stack).lower()  # of LangChain's clients
    os.environ["FARTHING_GATEWAYS"] = "127.0.0.1"
    if OURS not in stack:
        providers[0].add_span_processor(farthing.CostSpanProcessor(providers[1]))
    for peer in stack:
        peers.start(peer, *providers)


def calls_of(stack: Iterable[str], url: str, telemetry: Telemetry) -> Calls:
    """What is called: through LangChain, where a tracer of it is in the stack."""
    if any("langchain" in peer for peer in stack):
        return emitters.langchain_calls(url) | _batches(url)
    native = {"tracer_provider": telemetry.tracer_provider} if NATIVE in stack else {}
    to_anthropic = sampled_calls.anthropic_clients(url, **native)
    calls = sampled_calls.anthropic_calls(*to_anthropic) | _at_once(url, native)
    calls = sampled_calls.openai_calls(*sampled_calls.openai_clients(url)) | calls
    alone = set(stack) == {NATIVE}
    return {name: call for name, call in calls.items() if "message" in name or not alone}


def _at_once(url: str, native: Mapping[str, Any]) -> Calls:
    """Two calls at a time with one prompt; neither is answered before both have begun."""
    begun = threading.Barrier(2, timeout=30)
    both = httpx2.Client(event_hooks={"request": [lambda _: begun.wait()]})
    gpt, later = sampled_calls.openai_clients(url)
    claude, _ = sampled_calls.anthropic_clients(url, **native)
    gpt, claude = gpt.with_options(http_client=both), claude.with_options(http_client=both)
    asked, kept = sampled_calls.chat(PLAN), sampled_calls.message(SUMMARISE, "5m")
    return {
        "chat in two threads": lambda: _in_two_threads(
            lambda: gpt.chat.completions.create(**asked)
        ),
        "message in two threads": lambda: _in_two_threads(lambda: claude.messages.create(**kept)),
        "chat streams in two tasks": lambda: _in_two_tasks(
            lambda: read_async(later.chat.completions.create(**asked, **USAGE))
        ),
    }


def _in_two_threads(call: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(copy_context().run, call) for _ in range(2)]:
            done.result()


async def _in_two_tasks(call: Callable[[], Any]) -> None:
    await asyncio.gather(call(), call())


def _batches(url: str) -> Calls:
    from langchain_anthropic import ChatAnthropic
    from langchain_openai import ChatOpenAI

    keys: Any = {"api_key": "key", "max_retries": 0}
    gpt = ChatOpenAI(model="gpt-4.1", base_url=f"{url}/v1", **keys)
    claude: Any = ChatAnthropic(model="claude-haiku-4-5", base_url=url, **keys)  # type: ignore[call-arg]
    return {
        "chat batch": lambda: gpt.batch([PLAN, PLAN]),
        "message batch": lambda: claude.batch([CLASSIFY, CLASSIFY]),
    }


async def report(stack: list[str]) -> dict[str, dict[str, Any]]:
    """Make every call twice: name → the bill, and what was reported."""
    warnings.simplefilter("ignore")
    telemetry = Telemetry()
    start(stack, telemetry)
    tracer = telemetry.tracer_provider.get_tracer("application")
    found: dict[str, dict[str, Any]] = {}
    for seed, place in enumerate(("", " within plan")):
        with Simulator(seed=seed) as simulator:
            calls = calls_of(stack, simulator.url, telemetry)
            telemetry.take()  # some write a span of an agent that is made
            for name, call in calls.items():
                billed = len(simulator.ledger)
                with tracer.start_as_current_span("plan") if place else nullcontext():
                    raised = await _raised_by(call)
                    if "abandoned" in name:
                        gc.collect()  # some end a stream's span when it is collected
                bill = [entry.as_json() for entry in simulator.ledger[billed:]]
                found[name + place] = {"raised": raised, "bill": bill} | telemetry.take()
    return found


async def _raised_by(call: Callable[[], Any]) -> str | None:
    """Make a call; what it raised into the application."""
    try:
        result = call()
        if inspect.isawaitable(result):
            await result
    except Exception as error:
        return repr(error)
    return None


def _answer(stack: list[str], answer: Any) -> None:
    os.dup2(2, 1)  # others may print
    try:
        answer.send(asyncio.run(report(stack)))
    except BaseException:
        answer.send(traceback.format_exc())


def main() -> None:
    for module in (
        "langchain.agents",
        "langchain_anthropic",
        "langchain_openai",
        "logfire",
        "openlit",
        *(place.partition(":")[0] for places in peers.INSTRUMENTORS.values() for place in places),
    ):
        import_module(module)
    gc.freeze()  # else every collection of a child goes through all of it
    fork = multiprocessing.get_context("fork")
    for line in sys.stdin:
        assert threading.active_count() == 1
        here, there = fork.Pipe(duplex=False)
        child = fork.Process(target=_answer, args=(json.loads(line), there))
        child.start()
        there.close()
        try:
            answer = here.recv() if here.poll(TIMEOUT) else f"No answer in {TIMEOUT} seconds."
        except EOFError:
            answer = "Its process died."
        child.kill()
        child.join()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
