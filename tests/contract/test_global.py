"""A process as applications have it: global providers, and a client that traces itself."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.contract.server import Server, answer
from tests.instrumentation import shapes

SCRIPT = """
import json, sys
import anthropic, openai
from opentelemetry import metrics, trace
from tests.instrumentation.conftest import Telemetry
telemetry = Telemetry()
trace.set_tracer_provider(telemetry.tracer_provider)
metrics.set_meter_provider(telemetry.meter_provider)
ours, url = sys.argv[1] == "farthing", sys.argv[2]
if ours:
    import farthing
    farthing.instrument(gateways="127.0.0.1")
ask = {"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": "hi"}]}
anthropic.Anthropic(api_key="k", base_url=url).messages.create(max_tokens=9, **ask)
openai.OpenAI(api_key="k", base_url=url).chat.completions.create(**ask)
print(json.dumps([
    [span.instrumentation_scope.name, f"{span.context.trace_id:032x}-{span.context.span_id:016x}"]
    for span in telemetry.spans()
]))
"""


def ask(server: Server, who: str) -> tuple[list[list[str]], list[Any]]:
    """The (scope, ids) of the spans of a message and a chat, and the requests."""
    server.plan(answer(shapes.message()), answer(shapes.chat()))
    script = [sys.executable, "-c", SCRIPT, who, server.url]
    run = subprocess.run(script, check=True, capture_output=True, text=True)
    assert run.stderr == ""
    return json.loads(run.stdout), server.requests


def test_one_call_one_span_and_nothing_added_to_a_request(server: Server) -> None:
    native, bare = ask(server, "nobody")
    spans, requests = ask(server, "farthing")
    assert [scope for scope, _ in native] == ["com.anthropic.sdk.python"]
    assert [scope for scope, _ in spans] == ["farthing", "farthing"]
    # The message carries a trace context, ours in place of the client's; the chat never does.
    assert requests == bare
    assert bare[0].trace == f"00-{native[0][1]}-03"
    assert requests[0].trace == f"00-{spans[0][1]}-03"
    assert requests[1].trace is None
