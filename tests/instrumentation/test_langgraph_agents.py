"""Agents of LangChain and LangGraph: their spans, their tools, and agents within agents."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import create_react_agent
from langgraph.types import Command, interrupt
from opentelemetry.trace import SpanKind, StatusCode

from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.framework_shapes import (
    GRAPH_RUNS,
    SECRET,
    State,
    asking,
    chat_answer,
    named,
    nothing_left_behind,  # noqa: F401
    openai_model,
    paths,
    said,
    steps,
    tool_first,
    tree,
)

CHAT = "chat gpt-4o"
THREAD: Any = {"configurable": {"thread_id": "t-1"}}


def search(query: str) -> str:
    """Search the web.

    At length.
    """
    return f"{SECRET} {query}"


@pytest.mark.parametrize("run", GRAPH_RUNS.values(), ids=GRAPH_RUNS)
@pytest.mark.parametrize("make", [create_agent, create_react_agent])
@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
def test_an_agent_and_its_tools(
    provider: Provider, telemetry: Telemetry, run: Any, make: Any
) -> None:
    provider.answers(tool_first("search", query=SECRET))
    agent = make(openai_model(provider), [search], name="researcher")
    run(agent, {"messages": [("user", SECRET)]}, THREAD)
    tool = "execute_tool search"
    assert tree(telemetry) == [("invoke_agent researcher", CHAT, tool, CHAT)]
    assert said(telemetry, "gen_ai.agent.name") == ["researcher"] * 2
    assert said(telemetry, "gen_ai.workflow.name") == [None] * 2
    assert set(steps(telemetry)) == {"researcher"}  # every agent has a node that calls the model
    assert dict(named(telemetry, "invoke_agent researcher").attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "researcher",
        "gen_ai.conversation.id": "t-1",
    }
    assert dict(named(telemetry, tool).attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Search the web.",
        "gen_ai.tool.call.id": "call_search",
        "gen_ai.agent.name": "researcher",
        "gen_ai.conversation.id": "t-1",
        "farthing.step.name": "tools",
        "farthing.step.path": "tools",
    }
    assert all(span.kind is SpanKind.INTERNAL for span in telemetry.spans() if span.name != CHAT)
    assert all(SECRET not in span.to_json() for span in telemetry.spans())
    (point,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert point.attributes["gen_ai.agent.name"] == "researcher"
    assert point.count == 2


def test_agents_of_agents(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    writer = create_agent(openai_model(provider), name="writer")
    critic = create_agent(openai_model(provider), name="critic")

    def ask_critic(text: str) -> str:
        """Ask the critic."""
        return str(critic.invoke({"messages": [("user", text)]})["messages"][-1].content)

    boss = create_agent(
        openai_model(Provider().answers(tool_first("ask_critic", text="x"))),
        [ask_critic],
        name="boss",
    )
    graph = StateGraph(dict)
    for name, node in (("draft", writer), ("review", boss)):
        graph.add_node(name, lambda _, node=node: node.invoke({"messages": [("user", "hi")]}))
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "review")
    graph.compile(name="report").invoke({}, THREAD)
    assert tree(telemetry) == [
        (
            "invoke_workflow report",
            ("invoke_agent writer", CHAT),
            (
                "invoke_agent boss",
                CHAT,
                ("execute_tool ask_critic", ("invoke_agent critic", CHAT)),
                CHAT,
            ),
        )
    ]
    assert said(telemetry, "gen_ai.agent.name") == ["writer", "boss", "critic", "boss"]
    assert said(telemetry, "gen_ai.workflow.name") == ["report"] * 4
    assert said(telemetry, "gen_ai.conversation.id", "invoke_agent") == ["t-1"] * 3
    assert paths(telemetry)[2] == "review/tools/critic"


def test_a_handover_is_no_error(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(tool_first("to_writer"))

    def to_writer() -> Command[Any]:
        """Hand over."""
        return Command(graph=Command.PARENT, goto="writer", update={"done": ["handed"]})

    boss = create_agent(openai_model(provider), [to_writer], name="boss")
    graph = StateGraph(State)
    graph.add_node("boss", lambda _: boss.invoke({"messages": [("user", "hi")]}))
    graph.add_node("writer", asking(Provider().answers(chat_answer), "written"))
    graph.add_edge(START, "boss")
    assert graph.compile(name="report").invoke({"done": []}) == {"done": ["handed", "written"]}
    assert steps(telemetry) == ["boss", "writer"]
    assert {span.status.status_code for span in telemetry.spans()} == {StatusCode.UNSET}


def test_a_tool_that_asks_a_person(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(tool_first("delete"))

    def delete() -> str:
        """Delete it."""
        return str(interrupt("sure?"))

    agent: Any = create_agent(
        openai_model(provider), [delete], name="boss", checkpointer=InMemorySaver()
    )
    agent.invoke({"messages": [("user", "hi")]}, THREAD)
    result = agent.invoke(Command(resume="yes"), THREAD)
    assert [each.content for each in result["messages"]] == ["hi", "", "yes", "Hello"]
    assert tree(telemetry) == [
        ("invoke_agent boss", CHAT, "execute_tool delete"),
        ("invoke_agent boss", "execute_tool delete", CHAT),
    ]
    assert {span.status.status_code for span in telemetry.spans()} == {StatusCode.UNSET}


def test_an_agent_that_fails(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(tool_first("search", query="x"))

    def broken(query: str) -> str:
        """Search."""
        raise OSError(SECRET)

    broken.__name__ = "search"
    agent: Any = create_agent(openai_model(provider), [broken], name="boss")
    with pytest.raises(OSError, match=SECRET):
        agent.invoke({"messages": [("user", "hi")]})
    for name in ("invoke_agent boss", "execute_tool search"):
        span = named(telemetry, name)
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "OSError"
        assert SECRET not in span.to_json()


def test_an_agent_that_is_not_read_to_its_end(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(tool_first("search", query="x"))
    agent: Any = create_agent(openai_model(provider), [search], name="boss")
    stream = agent.stream({"messages": [("user", "hi")]})
    next(stream)
    stream.close()
    agent.invoke({"messages": [("user", "hi")]})  # whose beginning is a safe moment
    first, *_ = tree(telemetry)
    assert first == ("invoke_agent boss", CHAT)
    assert {span.status.status_code for span in telemetry.spans()} == {StatusCode.UNSET}
