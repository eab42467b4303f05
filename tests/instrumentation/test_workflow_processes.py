"""A workflow over two real processes: cost by step, agent, workflow and feature adds up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry import propagate

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

SUB_AGENT = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import openai
from opentelemetry import context, propagate
import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

telemetry, provider = Telemetry(), Provider()
telemetry.instrument()
provider.answers(lambda request: shapes.ok(shapes.chat()))
client = provider.openai()

def ask(prompt):
    client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": prompt}])

class SubAgent(BaseHTTPRequestHandler):
    def do_POST(self):
        outside = context.get_current()
        context.attach(propagate.extract(dict(self.headers.items())))
        ask("as whoever asked me")
        with farthing.tag(agent="helper"), farthing.step("look"):
            ask("as myself")
            with farthing.step("closer"):
                ask("deeper")
        if "fails" in self.path:
            farthing.outcome("failed")  # of no workflow of this process
        context.attach(outside)
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        spans = [{"name": span.name, "attributes": dict(span.attributes)}
                 for span in telemetry.spans()]
        body = json.dumps({"spans": spans, "metrics": telemetry.sums()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), SubAgent)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

COST = Decimal(str(shapes.CHAT_COST))


@pytest.fixture
def sub_agent() -> Iterator[str]:
    """The address of a sub-agent in a process of its own."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SUB_AGENT], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def delegate(address: str, path: str = "/") -> None:
    headers: dict[str, str] = {}
    propagate.inject(headers)
    assert {"traceparent", "baggage"} <= set(headers)
    assert httpx2.post(address + path, headers=headers).status_code == 204


def ask(provider: Provider, prompt: str) -> None:
    messages: Any = [{"role": "user", "content": prompt}]
    provider.openai().chat.completions.create(model="gpt-4o", messages=messages)


def costs(spans: list[dict[str, Any]], *labels: str) -> dict[tuple[Any, ...], Decimal]:
    """USD by labels, summed over calls as a store would: exact."""
    totals: Counter[tuple[Any, ...]] = Counter()
    for said in spans:
        if (amount := said.get("gen_ai.usage.cost.amount")) is not None:
            totals[tuple(said.get(label) for label in labels)] += Decimal(str(amount))  # type: ignore[assignment]
    return dict(totals)  # type: ignore[arg-type]


STEP, AGENT, NAME, FEATURE = (
    "farthing.step.name",
    "gen_ai.agent.name",
    "gen_ai.workflow.name",
    "farthing.feature",
)


def test_the_hierarchy_adds_up_over_two_processes(
    telemetry: Telemetry, provider: Provider, sub_agent: str
) -> None:
    provider.answers(lambda _request: shapes.ok(shapes.chat()))
    runs: list[str] = []
    for fails in (False, True):
        with farthing.workflow("report") as run, farthing.tag(agent="writer", feature="export"):
            runs.append(run.id)
            with farthing.step("plan"):
                ask(provider, f"one {fails}")
                delegate(sub_agent, "/fails" if fails else "/")
            with farthing.step("write"):
                ask(provider, f"two {fails}")
            if fails:
                farthing.outcome("failed")
    theirs: dict[str, Any] = json.loads(httpx2.get(sub_agent).text)
    mine = [dict(span.attributes or {}) for span in telemetry.spans()]
    both = mine + [span["attributes"] for span in theirs["spans"]]

    by_step = costs(both, FEATURE, NAME, AGENT, STEP)
    assert by_step == {
        ("export", "report", "writer", "plan"): 4 * COST,
        ("export", "report", "writer", "write"): 2 * COST,
        ("export", "report", "helper", "look"): 2 * COST,
        ("export", "report", "helper", "closer"): 2 * COST,
    }
    for level in (3, 2, 1, 0):
        coarser = costs(both, *(FEATURE, NAME, AGENT)[:level])
        finer: Counter[tuple[Any, ...]] = Counter()
        for key, amount in by_step.items():
            finer[key[:level]] += amount  # type: ignore[assignment]
        assert coarser == dict(finer)
    # A store joins by the id of the run, and the paths say where in it.
    assert costs(both, "farthing.workflow.id") == {(id,): 5 * COST for id in runs}
    assert ("plan/look/closer",) in costs(both, "farthing.step.path")

    # A root span knows its own process, which alone counts the workflow.
    roots = [said for said in mine if said["gen_ai.operation.name"] == "invoke_workflow"]
    assert [root["farthing.workflow.cost"] for root in roots] == [float(2 * COST)] * 2
    assert [root["farthing.workflow.outcome"] for root in roots] == ["success", "failed"]
    assert not any("invoke_workflow" in span["name"] for span in theirs["spans"])
    here, there = telemetry.sums(), theirs["metrics"]
    assert (here["farthing.workflows"], there.get("farthing.workflows")) == (2, None)
    assert "farthing.workflow.cost" not in there
    # Nor does another process know that it failed: what it spent is the store's to call waste.
    assert here["farthing.waste.cost"] == float(2 * COST)
    assert "farthing.waste.cost" not in there

    # Cost per completed workflow over both: cost of calls by workflow name over the successes.
    metric = "gen_ai.client.operation.cost"
    succeeded = sum(
        point.value
        for point in telemetry.points()["farthing.workflows"]
        if point.attributes["farthing.workflow.outcome"] == "success"
    )
    assert (here[metric] + there[metric]) / succeeded == pytest.approx(float(10 * COST))
