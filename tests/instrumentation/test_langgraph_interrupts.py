"""Graphs that wait for a person, stop for a while or hand over: no failures."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command, interrupt
from opentelemetry.trace import StatusCode

import farthing
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.framework_shapes import (
    GRAPH_RUNS,
    asking,
    chain,
    chat_answer,
    named,
    nothing_left_behind,  # noqa: F401
    paths,
    said,
    steps,
    tree,
)

CHAT = "chat gpt-4o"
THREAD: Any = {"configurable": {"thread_id": "t-1"}}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_interrupt_is_no_error(
    provider: Provider, telemetry: Telemetry, asynchronous: bool
) -> None:
    provider.answers(chat_answer)
    run = GRAPH_RUNS["ainvoke" if asynchronous else "invoke"]
    ask = asking(provider, "plan")

    def approve(state: Any) -> Any:
        return ask(state) if interrupt("may I?") == "yes" else {}

    inner = chain(("approve", approve), name="inner")
    graph = chain(("plan", ask), ("check", inner), checkpointer=InMemorySaver())
    first = run(graph, {"done": []}, THREAD)
    assert first["__interrupt__"][0].value == "may I?"
    assert run(graph, Command(resume="yes"), THREAD) == {"done": ["plan", "plan", "plan"]}
    assert tree(telemetry) == [("invoke_workflow report", CHAT), ("invoke_workflow report", CHAT)]
    assert said(telemetry, "farthing.workflow.outcome", "invoke_workflow") == [
        "interrupted",
        "success",
    ]
    assert paths(telemetry) == ["plan", "check/approve"]
    assert {span.status.status_code for span in telemetry.spans()} == {StatusCode.UNSET}


def test_a_breakpoint_is_an_interrupt(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    nodes = [(name, asking(provider, name)) for name in ("plan", "write")]
    graph = chain(*nodes, checkpointer=InMemorySaver(), interrupt_before=["write"])
    for given in ({"done": []}, None):
        graph.invoke(given, THREAD)
    outcomes = said(telemetry, "farthing.workflow.outcome", "invoke_workflow")
    assert outcomes == ["interrupted", "success"]
    assert steps(telemetry) == ["plan", "write"]


def test_an_interrupt_of_another_thread_within_a_node_is_not_the_workflows(
    provider: Provider, telemetry: Telemetry
) -> None:
    other = chain(("wait", lambda _: interrupt("?")), name="other", checkpointer=InMemorySaver())

    def plan(_: Any) -> Any:
        result = other.invoke({"done": []}, {"configurable": {"thread_id": "another"}})
        return {"done": [result["__interrupt__"][0].value]}

    graph = chain(("plan", plan), checkpointer=InMemorySaver())
    assert graph.invoke({"done": []}, THREAD) == {"done": ["?"]}
    assert tree(telemetry) == ["invoke_workflow report"]
    attributes = named(telemetry, "invoke_workflow report").attributes or {}
    assert attributes["farthing.workflow.outcome"] == "success"


def test_what_the_application_says_of_the_outcome_stays(
    provider: Provider, telemetry: Telemetry
) -> None:
    def plan(_: Any) -> Any:
        farthing.outcome("waiting", "for Ada")
        return interrupt("?")

    chain(("plan", plan), checkpointer=InMemorySaver()).invoke({"done": []}, THREAD)
    attributes = named(telemetry, "invoke_workflow report").attributes or {}
    assert attributes["farthing.workflow.outcome"] == "waiting"
    assert attributes["farthing.workflow.reason"] == "for Ada"


def test_a_drained_graph_is_no_failure(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    control = RunControl()

    def plan(_: Any) -> Any:
        control.request_drain("deploy")
        return {"done": ["plan"]}

    graph = chain(("plan", plan), ("write", plan), checkpointer=InMemorySaver())
    with pytest.raises(GraphDrained):
        graph.invoke({"done": []}, THREAD, control=control)
    span = named(telemetry, "invoke_workflow report")
    assert span.status.status_code is StatusCode.UNSET
    assert (span.attributes or {})["farthing.workflow.outcome"] == "interrupted"
