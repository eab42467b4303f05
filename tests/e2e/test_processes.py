"""Processes, threads, tasks and exits: however a program runs, every call is counted once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator
from tests.e2e.conftest import BIN, Run

SETUP = """
import asyncio, os, sys, threading, time
import openai
url = os.environ["LLM_URL"] + "/v1"
messages = [{"role": "user", "content": "hi"}]
client = openai.OpenAI(api_key="key", base_url=url)
def call(**more):
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **more)
"""

PREFORK = """
call()
workers = []
for _ in range(3):
    worker = os.fork()
    if not worker:
        client = openai.OpenAI(api_key="key", base_url=url)  # connections are not to be shared
        for _ in range(5):
            call()
        sys.exit(0)
    workers.append(worker)
statuses = [os.waitpid(worker, 0)[1] for worker in workers]
call()
print(statuses)
"""

THREADS = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(len(list(pool.map(lambda _: call(), range(40)))))
"""

TASKS = """
from opentelemetry import trace
tracer = trace.get_tracer("application")
asynchronous = openai.AsyncOpenAI(api_key="key", base_url=url)
async def task(number):
    with tracer.start_as_current_span(f"task {number}"):
        await asyncio.sleep(0)
        stream = number % 2 == 0
        more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        result = await asynchronous.chat.completions.create(
            model="gpt-4o-mini", messages=messages, **more)
        if stream:
            async for chunk in result:
                await asyncio.sleep(0)
async def main():
    await asyncio.gather(*(task(number) for number in range(40)))
    print("done")
asyncio.run(main())
"""

EXIT = """
def forever():
    for _ in range(1000):
        for _ in call(stream=True):
            time.sleep(0.01)
for _ in range(4):
    threading.Thread(target=forever, daemon=True).start()
held = call(stream=True)
next(held)
call()
print("leaving")
"""


def script(run: Run, receiver: Receiver, tmp_path: Path, program: str) -> str:
    path = tmp_path / "program.py"
    path.write_text(SETUP + program)
    result = run(
        BIN / "opentelemetry-instrument",
        sys.executable,
        path,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="httpx",
    )
    assert "farthing" not in result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def assert_billed(collected: Collected, simulator: Simulator, calls: int) -> None:
    spans = [span for span in collected.spans if span.scope == "farthing"]
    assert len(spans) == calls
    paid = {
        span.attributes["gen_ai.response.id"]: span.attributes["gen_ai.usage.cost.amount"]
        for span in spans
    }
    assert paid == {
        entry.response_id: float(entry.cost) for entry in simulator.ledger if entry.cost
    }
    recorded = [point for point in collected.points if point.name == "gen_ai.client.operation.cost"]
    assert sum(point.count or 0 for point in recorded) == calls


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_server_that_loads_before_it_forks(
    run: Run, collected: Collected, receiver: Receiver, simulator: Simulator, tmp_path: Path
) -> None:
    assert script(run, receiver, tmp_path, PREFORK) == "[0, 0, 0]\n"
    assert_billed(collected, simulator, 17)


def test_threads(
    run: Run, collected: Collected, receiver: Receiver, simulator: Simulator, tmp_path: Path
) -> None:
    assert script(run, receiver, tmp_path, THREADS) == "40\n"
    assert_billed(collected, simulator, 40)


def test_many_tasks_keep_their_own_place(
    run: Run, collected: Collected, receiver: Receiver, simulator: Simulator, tmp_path: Path
) -> None:
    assert script(run, receiver, tmp_path, TASKS) == "done\n"
    assert_billed(collected, simulator, 40)
    names = {span.span_id: span.name for span in collected.spans if span.scope == "application"}
    ours = [span for span in collected.spans if span.scope == "farthing"]
    assert {names[str(span.parent_span_id)] for span in ours} == set(names.values())
    for span in ours:  # the step is the nearest span around the call: its own task's
        assert span.attributes["farthing.step.name"] == names[str(span.parent_span_id)]


def test_leaving_with_calls_in_flight(
    run: Run, collected: Collected, receiver: Receiver, simulator: Simulator, tmp_path: Path
) -> None:
    """The program ends when it wants to, and what was over by then is reported."""
    assert script(run, receiver, tmp_path, EXIT) == "leaving\n"
    spans = [span for span in collected.spans if span.scope == "farthing"]
    assert [span for span in spans if span.attributes.get("farthing.cost.status") == "priced"]
    ids = [span.attributes.get("gen_ai.response.id") for span in spans]
    assert len(ids) == len(set(ids))
