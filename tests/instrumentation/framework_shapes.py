"""What tests of frameworks run, and how they look at what came of it."""

from __future__ import annotations

import asyncio
import json
import logging
import operator
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypedDict

import httpx2
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]
SECRET = "a secret that no span may hold"


class State(TypedDict, total=False):
    done: Annotated[list[str], operator.add]


def asking(provider: Provider, done: str) -> Callable[[Any], dict[str, list[str]]]:
    """A node that makes one call."""
    client = provider.openai()

    def node(_: Any) -> dict[str, list[str]]:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        return {"done": [done]}

    return node


def asking_async(provider: Provider, done: str) -> Callable[[Any], Any]:
    client = provider.async_openai()

    async def node(_: Any) -> dict[str, list[str]]:
        await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        return {"done": [done]}

    return node


def chain(*nodes: tuple[str, Any], name: str | None = "report", **options: Any) -> Any:
    """A graph of nodes one after the other."""
    graph = StateGraph(State)
    previous = START
    for node, action in nodes:
        graph.add_node(node, action)
        graph.add_edge(previous, node)
        previous = node
    return graph.compile(name=name, **options)


def openai_model(provider: Provider, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-4o",
        api_key="key",  # type: ignore[arg-type]
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(provider)),
        http_async_client=httpx2.AsyncClient(transport=httpx2.MockTransport(provider)),
        **options,
    )


def anthropic_model(provider: Provider, **options: Any) -> ChatAnthropic:
    model = ChatAnthropic(model="claude-sonnet-4-6", api_key="key", max_tokens=100, **options)  # type: ignore[call-arg]
    # It makes its clients itself, and keeps them: here, those that answer.
    model.__dict__["_client"] = provider.anthropic()
    model.__dict__["_async_client"] = provider.async_anthropic()
    return model


def chat_answer(request: httpx2.Request) -> httpx2.Response:
    """``Hello``, streamed where it was asked for so."""
    if json.loads(request.content).get("stream"):
        return shapes.sse(shapes.chat_chunks())
    return shapes.ok(shapes.chat())


def tool_first(*names: str, **arguments: str) -> Callable[[httpx2.Request], httpx2.Response]:
    """Asks for the tools ``names`` in one answer, and says ``Hello`` once it has their results."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        if body["messages"][-1]["role"] == "tool":
            return chat_answer(request)
        calls = [
            {
                "index": index,
                "id": f"call_{name}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, name in enumerate(names)
        ]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"index": 0, "finish_reason": "tool_calls"}
        if not body.get("stream"):
            return shapes.ok(shapes.chat(choices=[choice | {"message": message}]))
        head, *_, usage = shapes.chat_chunks()
        return shapes.sse([head | {"choices": [choice | {"delta": message}]}, usage])

    return answer


async def last(values: Any) -> Any:
    value: Any = None
    async for each in values:
        value = each
    return value


GRAPH_RUNS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda graph, given, config: graph.invoke(given, config),
    "ainvoke": lambda graph, given, config: asyncio.run(graph.ainvoke(given, config)),
    "stream": lambda graph, given, config: list(
        graph.stream(given, config, stream_mode=["updates", "messages"], subgraphs=True)
    ),
    "astream": lambda graph, given, config: asyncio.run(
        last(graph.astream(given, config, stream_mode="values"))
    ),
    "astream_events": lambda graph, given, config: asyncio.run(
        last(graph.astream_events(given, config, version="v2"))
    )["data"],
    "batch": lambda graph, given, config: graph.batch([given], config),
}
"""The ways of running a graph: (graph, input, config) → result."""


def tree(telemetry: Telemetry) -> list[Any]:
    """The names of the spans, each with those of its children: ``name`` or ``(name, …)``."""
    spans = sorted(telemetry.spans(), key=lambda span: span.start_time or 0)
    ids = {span.context.span_id for span in spans}

    def below(span_id: int | None) -> list[Any]:
        found = []
        for span in spans:
            parent = span.parent.span_id if span.parent and span.parent.span_id in ids else None
            if parent == span_id:
                children = below(span.context.span_id)
                found.append((span.name, *children) if children else span.name)
        return found

    return below(None)


def named(telemetry: Telemetry, name: str) -> ReadableSpan:
    """The one span of that name."""
    (span,) = [span for span in telemetry.spans() if span.name == name]
    return span


def said(telemetry: Telemetry, attribute: str, operation: str = "chat") -> list[Any]:
    """What the spans of an operation say of one attribute, in the order in which they began."""
    spans = sorted(telemetry.spans(), key=lambda span: span.start_time or 0)
    attributes = [dict(span.attributes or {}) for span in spans]
    return [
        each.get(attribute) for each in attributes if each["gen_ai.operation.name"] == operation
    ]


def steps(telemetry: Telemetry) -> list[Any]:
    return said(telemetry, "farthing.step.name")


def paths(telemetry: Telemetry) -> list[Any]:
    return said(telemetry, "farthing.step.path")


@pytest.fixture(autouse=True)
def nothing_left_behind(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test the context is the very same, and nothing went wrong inside us."""
    caplog.set_level(logging.DEBUG, "farthing")
    caplog.set_level(logging.DEBUG, "opentelemetry")
    before = context.get_current()
    yield
    assert context.get_current() is before
    assert not [each for each in caplog.records if each.name == "opentelemetry.context"]
    assert not [each for each in caplog.records if each.name == "farthing" and each.exc_info]
