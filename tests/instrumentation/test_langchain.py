"""LangChain as applications use it: named runnables are steps, tools have spans."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    Runnable,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables import chain as chained
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from langgraph.graph import START, StateGraph
from opentelemetry import context
from opentelemetry.trace import SpanKind, StatusCode

import farthing
from farthing import frameworks
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.framework_shapes import (
    SECRET,
    State,
    anthropic_model,
    asking,
    chat_answer,
    named,
    nothing_left_behind,  # noqa: F401
    openai_model,
    paths,
    said,
    steps,
    tree,
)

CHAT = "chat gpt-4o"


def simple(provider: Provider) -> Any:
    """prompt | model | parser, without a name."""
    prompt = ChatPromptTemplate.from_messages([("user", "{text}")])
    return prompt | openai_model(provider) | StrOutputParser()


async def gathered(values: Any) -> list[Any]:
    return [value async for value in values]


RUNS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda runnable, given, config: runnable.invoke(given, config),
    "ainvoke": lambda runnable, given, config: asyncio.run(runnable.ainvoke(given, config)),
    "stream": lambda runnable, given, config: list(runnable.stream(given, config)),
    "astream": lambda runnable, given, config: asyncio.run(
        gathered(runnable.astream(given, config))
    ),
    "astream_events": lambda runnable, given, config: asyncio.run(
        gathered(runnable.astream_events(given, config, version="v2"))
    )[-1]["data"],
    "batch": lambda runnable, given, config: runnable.batch([given], config),
    "abatch": lambda runnable, given, config: asyncio.run(runnable.abatch([given], config)),
}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@runs
def test_the_name_of_a_chain_is_its_step_and_its_workflow(
    provider: Provider, telemetry: Telemetry, run: Any
) -> None:
    provider.answers(chat_answer)
    given, config = {"text": SECRET}, {"run_name": "summarise", "configurable": {"thread_id": "t"}}
    chain = simple(provider)
    farthing.uninstrument()
    bare = run(chain, given, config)
    telemetry.instrument()
    assert run(chain, given, config) == bare
    assert tree(telemetry) == [("invoke_workflow summarise", CHAT)]
    assert steps(telemetry) == paths(telemetry) == ["summarise"]
    assert said(telemetry, "gen_ai.workflow.name") == ["summarise"]
    span = named(telemetry, "invoke_workflow summarise")
    assert span.kind is SpanKind.INTERNAL
    assert (span.attributes or {})["gen_ai.conversation.id"] == "t"
    assert all(SECRET not in each.to_json() for each in telemetry.spans())
    (point,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert point.attributes["farthing.step.name"] == "summarise"


@runs
def test_a_chain_without_a_name_changes_nothing(
    provider: Provider, telemetry: Telemetry, run: Any
) -> None:
    provider.answers(chat_answer)
    run(simple(provider), {"text": "hi"}, None)
    assert tree(telemetry) == [CHAT]
    assert steps(telemetry) == [CHAT]


@runs
@pytest.mark.parametrize("make", [openai_model, anthropic_model])
def test_the_name_of_a_model_is_a_step_and_no_workflow(
    provider: Provider, telemetry: Telemetry, run: Any, make: Any
) -> None:
    provider.answers(chat_answer if make is openai_model else anthropic_answer)
    run(make(provider), "hi", {"run_name": "summarise"})
    assert len(telemetry.spans()) == 1
    assert steps(telemetry) == ["summarise"]


def anthropic_answer(request: Any) -> Any:
    if b'"stream":true' in request.content.replace(b" ", b""):
        return shapes.sse(shapes.message_events())
    return shapes.ok(shapes.message())


@pytest.mark.parametrize("run", ["invoke", "ainvoke", "stream", "astream"])
def test_the_innermost_name_pays_whoever_reads(
    provider: Provider, telemetry: Telemetry, run: str
) -> None:
    """Streamed, each part of a chain is driven by the next, which pays for none of it."""
    provider.answers(chat_answer)
    model = openai_model(provider)
    asked = RunnableLambda(lambda text: model.invoke(str(text)).content)
    chain = (
        (model | StrOutputParser()).with_config(run_name="outline")
        | asked
        | RunnableParallel(both=asked).with_config(run_name="write")
    )
    RUNS[run](chain, "hi", {"run_name": "report"})
    assert tree(telemetry) == [("invoke_workflow report", CHAT, CHAT, CHAT)]
    assert paths(telemetry) == ["report/outline", "report", "report/write"]
    assert steps(telemetry) == ["outline", "report", "write"]
    telemetry.exporter.clear()
    RUNS[run](chain, "hi", None)
    assert tree(telemetry) == [CHAT, CHAT, CHAT]
    assert steps(telemetry) == ["outline", CHAT, "write"]


@runs
def test_a_function_is_a_step_by_its_name(
    provider: Provider, telemetry: Telemetry, run: Any
) -> None:
    provider.answers(chat_answer)
    ask = asking(provider, "x")

    @chained
    def report(text: str) -> Any:
        return ask(text)["done"]

    run(report, "hi", None)
    assert tree(telemetry) == [("invoke_workflow report", CHAT)]
    assert steps(telemetry) == ["report"]


@pytest.mark.parametrize("run", ["invoke", "ainvoke", "stream", "astream"])
def test_branches_and_fallbacks(provider: Provider, telemetry: Telemetry, run: str) -> None:
    def fail(_: Any) -> Any:
        raise LookupError

    provider.answers(chat_answer)
    model: Runnable[Any, Any] = openai_model(provider)
    branch: Any = RunnableBranch((lambda _: True, model), model)
    fallback: Any = RunnableLambda(fail, name="first").with_fallbacks([model])
    for name, runnable in (("choose", branch), ("try", fallback)):
        RUNS[run](runnable, "hi", {"run_name": name})
    assert steps(telemetry) == ["choose", "try"]
    assert tree(telemetry) == [("invoke_workflow choose", CHAT), ("invoke_workflow try", CHAT)]


def test_a_node_and_a_step_of_the_users_own_win(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    runnable = simple(provider).with_config(run_name="summarise")
    graph = StateGraph(State)
    graph.add_node("plan", lambda _: {"done": [runnable.invoke({"text": "hi"})]})
    graph.add_edge(START, "plan")
    graph.compile(name="report").invoke({"done": []})
    with farthing.step("mine"):
        runnable.invoke({"text": "hi"})
    assert paths(telemetry) == ["plan", "mine"]


def test_a_step_of_the_users_own_within(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    model = openai_model(provider)

    @chained
    def report(text: str) -> Any:
        with farthing.step("outline"):
            return model.invoke(text, {"run_name": "ignored"}).content

    with farthing.workflow("nightly"):
        report.invoke("hi")
    assert tree(telemetry) == [("invoke_workflow nightly", CHAT)]
    assert paths(telemetry) == ["report/outline"]


def test_each_run_of_a_batch_and_each_thread(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    model = openai_model(provider)
    model.batch(["a", "b", "c"], {"run_name": "summarise", "max_concurrency": 3})
    with farthing.step("mine"), ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(contextvars.copy_context().run, model.invoke, "hi").result()
    assert steps(telemetry) == ["summarise"] * 3 + ["mine"] * 2


@pytest.mark.parametrize("run", ["invoke", "ainvoke", "stream", "astream", "batch"])
def test_an_exception_is_the_callers(provider: Provider, telemetry: Telemetry, run: str) -> None:
    error = LookupError(SECRET)

    @chained
    def report(_: str) -> Any:
        raise error

    with pytest.raises(LookupError) as raised:
        RUNS[run](report, "hi", None)
    assert raised.value is error
    span = named(telemetry, "invoke_workflow report")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "LookupError"
    assert SECRET not in span.to_json()


def test_streams_that_are_not_read_to_their_end(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    chain = simple(provider).with_config(run_name="summarise")
    stream = chain.stream({"text": "hi"})
    before = context.get_current()
    next(stream)
    assert context.get_current() is before
    stream.close()

    async def read() -> None:
        async for _ in chain.astream({"text": "hi"}):
            assert context.get_current() is before
            break

    asyncio.run(read())
    del stream
    telemetry.points()
    assert tree(telemetry) == [("invoke_workflow summarise", CHAT)] * 2
    assert steps(telemetry) == ["summarise"] * 2


def test_a_model_of_another_vendor_has_no_span(telemetry: Telemetry) -> None:
    model = FakeListChatModel(responses=["Hello"])
    assert model.invoke("hi", {"run_name": "summarise"}).content == "Hello"
    assert telemetry.spans() == []
    (model | StrOutputParser()).invoke("hi", {"run_name": "report"})
    assert tree(telemetry) == ["invoke_workflow report"]
    assert "gen_ai.client.operation.cost" not in telemetry.points()


def search(query: str) -> str:
    """Search the web."""
    if query == "fail":
        raise ToolException(SECRET)
    return f"{SECRET} {query}"


async def search_async(query: str) -> str:
    return search(query)


TOOLS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda tool, given: tool.invoke(given),
    "ainvoke": lambda tool, given: asyncio.run(tool.ainvoke(given)),
    "run": lambda tool, given: tool.run(given["args"], tool_call_id=given["id"]),
    "arun": lambda tool, given: asyncio.run(tool.arun(given["args"], tool_call_id=given["id"])),
}
tools = pytest.mark.parametrize("run", TOOLS.values(), ids=TOOLS)


@tools
@pytest.mark.parametrize("coroutine", [None, search_async])
def test_a_tool_has_one_span(telemetry: Telemetry, run: Any, coroutine: Any) -> None:
    made = StructuredTool.from_function(search, coroutine)
    given = {"name": "search", "args": {"query": SECRET}, "id": "call_1", "type": "tool_call"}
    farthing.uninstrument()
    bare = run(made, given)
    telemetry.instrument()
    assert run(made, given) == bare
    span = telemetry.span()
    assert span.name == "execute_tool search"
    assert span.kind is SpanKind.INTERNAL
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Search the web.",
        "gen_ai.tool.call.id": "call_1",
    }
    assert SECRET not in span.to_json()


@tools
def test_a_tool_that_fails(telemetry: Telemetry, run: Any) -> None:
    made = StructuredTool.from_function(search, search_async)
    given = {"name": "search", "args": {"query": "fail"}, "id": "call_1", "type": "tool_call"}
    with pytest.raises(ToolException, match=SECRET):
        run(made, given)
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ToolException"
    assert SECRET not in span.to_json()


def test_calls_within_a_tool(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    model = openai_model(provider)
    inner = simple(provider).with_config(run_name="outline")

    @tool
    def think(text: str) -> str:
        """Think."""
        model.invoke(text)
        return str(inner.invoke({"text": text}))

    think.invoke({"text": "hi"})
    assert tree(telemetry) == [("execute_tool think", CHAT, CHAT)]
    assert steps(telemetry) == ["execute_tool think", "outline"]


def test_off_it_is_as_it_was(provider: Provider) -> None:
    owners = (
        RunnableSequence,
        RunnableParallel,
        RunnableLambda,
        RunnableBranch,
        RunnableWithFallbacks,
        BaseChatModel,
        BaseTool,
    )

    def there() -> list[dict[str, int]]:
        # By identity: what wraps a function is equal to it. The rest is pydantic's and abc's.
        return [
            {name: id(value) for name, value in vars(owner).items() if callable(value)}
            for owner in owners
        ]

    farthing.uninstrument()
    before = there()
    telemetry = Telemetry()
    telemetry.instrument()
    assert all(now != then for now, then in zip(there(), before, strict=True))
    assert frameworks.missing() == []
    farthing.uninstrument()
    assert there() == before
    provider.answers(chat_answer)
    simple(provider).invoke({"text": "hi"}, {"run_name": "summarise"})
    assert telemetry.spans() == []
