"""Whose call it is: the step that is found, and what a provider never learns."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import baggage, context, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from farthing_dashboards.simulator import Simulator
from farthing_processor import attribution
from farthing_processor.attribution import Attribution
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def ask(provider: Provider) -> None:
    provider.openai().chat.completions.create(model="gpt-4o", messages=MESSAGES)


def test_the_enclosing_span_is_the_step(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    with telemetry.tracer.start_as_current_span("report"):
        with telemetry.tracer.start_as_current_span("plan"):
            ask(provider)
        ask(provider)
    steps = [
        dict(span.attributes or {})["farthing.step.name"]
        for span in telemetry.spans()
        if span.name.startswith("chat")
    ]
    assert steps == ["plan", "report"]
    by_step = {
        point.attributes["farthing.step.name"]: point.sum
        for point in telemetry.points()["gen_ai.client.operation.cost"]
    }
    assert by_step == {"plan": shapes.CHAT_COST, "report": shapes.CHAT_COST}


def test_what_the_application_named_is_on_the_span(
    telemetry: Telemetry, provider: Provider
) -> None:
    who = Attribution(
        workflow="report",
        workflow_id="r-1",
        step="plan",
        step_path="write/plan",
        agent="writer",
        feature="export",
        user="ada@example.org",
        session="s-1",
        task="t-1",
        task_type="doc",
        tags={"team": "blue"},
    )
    token = context.attach(attribution.set_in_context(who))
    try:
        ask(provider.answers(shapes.ok(shapes.chat())))
    finally:
        context.detach(token)
    attributes = telemetry.attributes()
    assert {
        "gen_ai.workflow.name": "report",
        "farthing.workflow.id": "r-1",
        "farthing.step.name": "plan",
        "farthing.step.path": "write/plan",
        "gen_ai.agent.name": "writer",
        "farthing.feature": "export",
        "user.id": "ada@example.org",
        "session.id": "s-1",
        "farthing.task.id": "t-1",
        "farthing.task.type": "doc",
        "farthing.tag.team": "blue",
    }.items() <= attributes.items()
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    labels = set(cost.attributes)
    assert {"farthing.step.name", "gen_ai.agent.name", "gen_ai.workflow.name"} <= labels
    # Each would be a series of its own for every user, session and run.
    assert not labels & {"user.id", "session.id", "farthing.task.id", "farthing.workflow.id"}


def test_an_agent_without_a_step_is_the_step(telemetry: Telemetry, provider: Provider) -> None:
    token = context.attach(attribution.set_in_context(Attribution(agent="writer")))
    try:
        ask(provider.answers(shapes.ok(shapes.chat())))
    finally:
        context.detach(token)
    assert telemetry.attributes()["farthing.step.name"] == "writer"


@pytest.fixture
def propagators() -> Any:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    )
    yield
    propagate.set_global_textmap(before)


def test_no_baggage_of_ours_and_no_user_reaches_a_provider(
    telemetry: Telemetry, propagators: None
) -> None:
    """With HTTP instrumentation on, and over the anthropic client's own propagation."""
    HTTPX2ClientInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    within = context.get_current()
    for key, value in {
        "farthing.workflow.name": "report",
        "farthing.step.name": "plan",
        "user.id": "ada@example.org",
        "session.id": "s-1",
        "enduser.id": "ada@example.org",
        "tenant": "theirs",
    }.items():
        within = baggage.set_baggage(key, value, within)
    token = context.attach(within)
    try:
        with Simulator() as simulator:
            openai.OpenAI(
                api_key="key", base_url=f"{simulator.url}/v1", http_client=httpx2.Client()
            ).chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
            anthropic.Anthropic(
                api_key="key", base_url=simulator.url, http_client=httpx2.Client()
            ).messages.create(model="claude-haiku-4-5", max_tokens=9, messages=MESSAGES)
        assert baggage.get_all() == baggage.get_all(within)
    finally:
        context.detach(token)
        HTTPX2ClientInstrumentor().uninstrument()
    assert len(simulator.ledger) == 2
    for entry in simulator.ledger:
        # What is the application's own goes where it would have gone without us.
        assert entry.headers["baggage"] == "tenant=theirs"
        assert "traceparent" in entry.headers
        assert "example.org" not in str(entry.headers)
