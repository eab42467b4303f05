"""Who pays, in other processes: carried in Baggage, kept from providers, and not trusted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor

import farthing
from farthing_dashboards.simulator import Simulator
from farthing_processor import attribution
from farthing_processor.attribution import NOBODY, Attribution
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]

SUB_AGENT = """
import json, os, sys
import httpx2, openai
from opentelemetry import context, propagate
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import farthing
from tests.instrumentation import shapes

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
farthing.instrument(provider)
transport = httpx2.MockTransport(lambda request: shapes.ok(shapes.chat()))
client = openai.OpenAI(api_key="key", http_client=httpx2.Client(transport=transport))

def ask():
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])

context.attach(propagate.extract(json.load(sys.stdin)))
ask()
with farthing.tag(agent="helper"):
    with farthing.step("look"):
        ask()
        farthing.outcome("failed")  # of no workflow of this process
        onward = {}
        propagate.inject(onward)
spans = [
    {"trace": span.context.trace_id, "parent": span.parent.span_id, "name": span.name,
     "attributes": dict(span.attributes)}
    for span in exporter.get_finished_spans()
]
json.dump({"spans": spans, "onward": onward}, sys.stdout)
"""


def ask(provider: Provider) -> None:
    provider.openai().chat.completions.create(model="gpt-4o", messages=MESSAGES)


def headers() -> dict[str, str]:
    """What would go out with a request now."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def sent() -> dict[str, str]:
    """The baggage of `headers`, as whoever gets it reads it."""
    received = W3CBaggagePropagator().extract(headers(), Context())
    return {key: str(value) for key, value in baggage.get_all(received).items()}


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = context.get_current()
    yield
    assert context.get_current() is before


def test_another_process_inherits_it(telemetry: Telemetry, provider: Provider) -> None:
    """Two real processes and W3C headers: cost by workflow adds up over both."""
    provider.answers(shapes.ok(shapes.chat()))
    with (
        farthing.workflow("report") as run,
        farthing.tag(agent="writer", feature="export", task="t 1", user="ada", team="blue"),
        farthing.step("délégué, & co"),
    ):
        ask(provider)
        parent = trace.get_current_span().get_span_context()
        child = subprocess.run(
            [sys.executable, "-c", SUB_AGENT],
            input=json.dumps(headers()),
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(child.stdout)
    inherited = {
        "gen_ai.workflow.name": "report",
        "farthing.workflow.id": run.id,
        "farthing.feature": "export",
        "farthing.task.id": "t 1",
    }
    first, second = (span["attributes"] for span in told["spans"])
    for call in (first, second):
        assert {name: call.get(name) for name in inherited} == inherited
    assert [call["gen_ai.agent.name"] for call in (first, second)] == ["writer", "helper"]
    assert first["farthing.step.name"] == first["farthing.step.path"] == "délégué, & co"
    assert second["farthing.step.name"] == "look"
    assert second["farthing.step.path"] == "délégué, & co/look"
    assert not {"user.id", "farthing.tag.team"} & (set(first) | set(second))
    assert {span["trace"] for span in told["spans"]} == {parent.trace_id}
    assert {span["parent"] for span in told["spans"]} == {parent.span_id}
    assert run.id in told["onward"]["baggage"]
    assert "farthing.agent.name=helper" in told["onward"]["baggage"]
    costs = [
        span.attributes["gen_ai.usage.cost.amount"]
        for span in telemetry.spans()
        if span.attributes.get("farthing.workflow.id") == run.id and span.name.startswith("chat")
    ]
    costs += [span["gen_ai.usage.cost.amount"] for span in (first, second)]
    assert costs == [shapes.CHAT_COST] * 3
    (root,) = [span for span in telemetry.spans() if span.name == "invoke_workflow report"]
    assert root.attributes["farthing.workflow.outcome"] == "success"


def test_over_http_between_threads_of_a_server(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))

    class SubAgent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = context.attach(propagate.extract(dict(self.headers.items())))
            ask(provider)
            context.detach(token)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    HTTPX2ClientInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    server = ThreadingHTTPServer(("127.0.0.1", 0), SubAgent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with farthing.workflow("report") as run, farthing.step("plan"):
            httpx2.get(f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        HTTPX2ClientInstrumentor().uninstrument()
    (call,) = [span for span in telemetry.spans() if span.name == "chat gpt-4o"]
    assert call.attributes["farthing.workflow.id"] == run.id
    assert call.attributes["farthing.step.name"] == "plan"


PERSONAL = {"farthing.user.id", "farthing.session.id"}
OWN = {"farthing.tag.team", "farthing.tag.tier"}
ALWAYS = {
    "farthing.workflow.name",
    "farthing.workflow.id",
    "farthing.step.name",
    "farthing.step.path",
    "farthing.agent.name",
    "farthing.feature",
    "farthing.task.id",
    "farthing.task.type",
}


@pytest.mark.parametrize(
    ("propagated", "goes"),
    [
        (None, set()),
        ("user", {"farthing.user.id"}),
        (" Session , tier,", {"farthing.session.id", "farthing.tag.tier"}),
        ("user,session,tags", PERSONAL | OWN),
        (["tags"], OWN),
    ],
)
def test_what_goes_on_is_what_was_asked_for(propagated: object, goes: set[str]) -> None:
    telemetry = Telemetry()
    telemetry.instrument(propagate=propagated)
    try:
        with (
            farthing.workflow("report"),
            farthing.tag(agent="a", feature="f", task="t", task_type="d", user="u", session="s"),
            farthing.tag(team="blue", tier="gold"),
            farthing.step("plan"),
        ):
            assert set(sent()) == ALWAYS | goes
        assert sent() == {}
    finally:
        farthing.uninstrument()


def test_a_setting_that_makes_no_sense_is_said(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry()
    telemetry.instrument(propagate="user id; session")
    try:
        with farthing.tag(user="u", session="s"):
            assert sent() == {}
    finally:
        farthing.uninstrument()
    assert "use user, session, tags or the names of own tags, separated by commas" in caplog.text


def test_nothing_of_it_reaches_a_provider() -> None:
    """With HTTP instrumentation on, and over the anthropic client's own propagation."""
    telemetry = Telemetry()
    telemetry.instrument(propagate="user,session,tags")
    HTTPX2ClientInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    theirs = context.attach(baggage.set_baggage("tenant", "theirs"))
    try:
        with (
            Simulator() as simulator,
            farthing.workflow("report"),
            farthing.tag(agent="secret-a", user="secret-u", session="secret-s", team="secret-t"),
            farthing.step("plan"),
        ):
            openai.OpenAI(
                api_key="key", base_url=f"{simulator.url}/v1", http_client=httpx2.Client()
            ).chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
            anthropic.Anthropic(
                api_key="key", base_url=simulator.url, http_client=httpx2.Client()
            ).messages.create(model="claude-haiku-4-5", max_tokens=9, messages=MESSAGES)
            assert "secret-u" in headers()["baggage"]  # and does reach the others
    finally:
        context.detach(theirs)
        HTTPX2ClientInstrumentor().uninstrument()
        farthing.uninstrument()
    assert len(simulator.ledger) == 2
    for entry in simulator.ledger:
        assert entry.headers["baggage"] == "tenant=theirs"
        assert "secret" not in str(entry.headers)
        assert "farthing" not in str(entry.headers)


def test_nothing_of_it_reaches_a_provider_with_other_requests() -> None:
    telemetry = Telemetry()
    telemetry.instrument(propagate="user")
    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, json={"object": "list", "data": []})

    # What HTTP instrumentation does, at the place where it does it.
    hooks: Any = {"request": [lambda request: propagate.inject(request.headers)]}
    theirs = context.attach(baggage.set_baggage("tenant", "theirs"))
    try:
        with farthing.tag(user="secret-u"):
            client = httpx2.Client(transport=httpx2.MockTransport(answer), event_hooks=hooks)
            openai.OpenAI(api_key="key", http_client=client).models.list()
            assert "secret-u" in headers()["baggage"]
    finally:
        context.detach(theirs)
        farthing.uninstrument()
    assert [sent["baggage"] for sent in seen] == ["tenant=theirs"]


WITHOUT_SDK = """
import farthing
from opentelemetry import propagate
from farthing_processor import attribution

farthing.instrument()
with farthing.workflow("report"), farthing.step("plan"):
    carrier = {}
    propagate.inject(carrier)
    print(attribution.current().step_path, carrier)
"""


def test_without_an_sdk_nothing_is_sent() -> None:
    """No call is watched then, so nothing would keep it from providers."""
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDK], capture_output=True, text=True, check=True
    )
    assert process.stdout == "plan {}\n"


def test_baggage_of_the_application_is_its_own(telemetry: Telemetry) -> None:
    within = baggage.set_baggage("tenant", "blue", Context())
    token = context.attach(within)
    with farthing.workflow("report"), farthing.step("plan"):
        assert sent()["tenant"] == "blue"
        assert baggage.get_baggage("farthing.step.name") == "plan"
    assert context.get_current() is within
    context.detach(token)
    without = attribution.without_baggage(within)
    assert without is within


def received(**told: str) -> Attribution:
    within = Context()
    for key, value in told.items():
        within = baggage.set_baggage(key, value, within)
    return attribution.current(within)


def test_what_comes_from_outside_is_capped_and_cleaned(
    telemetry: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    told = {
        "farthing.step.name": "x" * 5_000,
        "farthing.step.path": "/" * 5_000,
        "farthing.workflow.name": "a%0d%0aInjected: 1\x00",
        "farthing.agent.name": "\r\nb\x1b[2J",
        "farthing.feature": "\ud800",
        "farthing.workflow.outcome": "success",
        "farthing.run": "1",
        "farthing.tags": "2",
        "farthing.cost.status": "free",
        "farthing.tag.Not a key": "x",
        "farthing.tag." + "k" * 65: "x",
        "user.id": "not-ours-to-read",
        **{f"farthing.tag.k{index}": "v" for index in range(100)},
    }
    within = Context()
    for key, value in told.items():
        within = baggage.set_baggage(key, value, within)
    token = context.attach(within)
    ask(provider)
    with farthing.step("inner"):
        assert len(attribution.current().step_path or "") <= 256
        ask(provider)
    context.detach(token)
    call = telemetry.spans()[0].attributes
    assert call["farthing.step.name"] == "x" * 256
    assert call["farthing.step.path"] == "/" * 256
    assert call["gen_ai.workflow.name"] == "a%0d%0aInjected: 1"
    assert call["gen_ai.agent.name"] == "b[2J"
    assert call["farthing.cost.status"] == "priced"
    tags = {key for key in call if key.startswith("farthing.tag.")}
    assert tags == {f"farthing.tag.k{index}" for index in range(16)}
    unwanted = ("farthing.feature", "farthing.run", "farthing.tags", "user.id")
    assert not set(unwanted) & set(call)
    encode_spans(telemetry.spans()).SerializeToString()


def test_baggage_that_is_no_text_does_no_harm() -> None:
    within = baggage.set_baggage("farthing.step.name", ["a list"], Context())
    within = baggage.set_baggage("farthing.feature", "f", within)
    assert attribution.current(within) == Attribution(feature="f")
    assert attribution.current(baggage.set_baggage("theirs", {}, Context())) is NOBODY
    assert attribution.current(Context()) is NOBODY


def test_what_this_process_says_comes_on_top(telemetry: Telemetry) -> None:
    carrier = {
        "baggage": "farthing.workflow.name=theirs,farthing.workflow.id=t-1,farthing.agent.name=a,"
        "farthing.step.name=s,farthing.step.path=r%2Fs,farthing.tag.team=x,farthing.tag.unit=u"
    }
    token = context.attach(propagate.extract(carrier))
    with farthing.tag(agent="own", team="y"):
        assert attribution.current() == Attribution(
            workflow="theirs",
            workflow_id="t-1",
            step="s",
            step_path="r/s",
            agent="own",
            tags={"unit": "u", "team": "y"},
        )
        with farthing.workflow("ours") as run, farthing.step("look"):
            who = attribution.current()
            assert (who.workflow, who.workflow_id, who.run) == ("ours", run.id, run)
            assert who.step_path == "r/s/look"
            assert sent()["farthing.workflow.id"] == run.id
            assert "farthing.tag.unit" not in sent()  # not asked for here
    context.detach(token)


def test_a_run_is_only_in_the_process_that_opened_it(telemetry: Telemetry) -> None:
    with farthing.workflow("report") as run:
        assert attribution.current().run is run
        elsewhere = W3CBaggagePropagator().extract(headers(), Context())
    assert attribution.current(elsewhere) == Attribution(workflow="report", workflow_id=run.id)
