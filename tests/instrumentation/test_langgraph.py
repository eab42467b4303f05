"""LangGraph as applications use it: nodes are steps, graphs workflows, tasks steps too."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel, _loop, _runner
from langgraph.types import RetryPolicy, Send
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode

import farthing
from farthing import frameworks, patching
from farthing.frameworks import operations
from farthing.scopes import Stay
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from tests.instrumentation.framework_shapes import (
    GRAPH_RUNS,
    SECRET,
    State,
    asking,
    asking_async,
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


def anywhere(provider: Provider) -> Any:
    """A graph of every kind of node: sync, two parallel branches, a graph, its own threads."""
    inner = chain(("deep", asking(provider, "deep")), name="inner")
    graph = StateGraph(State)
    graph.add_node("plan", asking(provider, "plan"))
    graph.add_node("write", asking(provider, "write"))
    graph.add_node("check", inner)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", lambda _: [Send("write", {}), Send("write", {})], ["write"])
    graph.add_edge("write", "check")
    return graph.compile(name="report")


@pytest.mark.parametrize("run", GRAPH_RUNS.values(), ids=GRAPH_RUNS)
def test_the_node_is_the_step(provider: Provider, telemetry: Telemetry, run: Any) -> None:
    provider.answers(chat_answer)
    graph = anywhere(provider)
    given: Any = {"done": []}
    farthing.uninstrument()
    bare = run(graph, given, THREAD)
    telemetry.instrument()
    result = run(graph, given, THREAD)
    if run is not GRAPH_RUNS["stream"]:  # whose namespaces are new each time
        assert result == bare
    assert len(result) == len(bare)
    assert tree(telemetry) == [("invoke_workflow report", CHAT, CHAT, CHAT, CHAT)]
    assert steps(telemetry) == ["plan", "write", "write", "deep"]
    assert paths(telemetry) == ["plan", "write", "write", "check/deep"]
    assert said(telemetry, "gen_ai.workflow.name") == ["report"] * 4


@pytest.mark.parametrize("run", ["ainvoke", "astream", "astream_events"])
def test_the_node_may_be_a_coroutine(provider: Provider, telemetry: Telemetry, run: str) -> None:
    provider.answers(chat_answer)
    inner = chain(("deep", asking_async(provider, "deep")), name="inner")
    graph = chain(("plan", asking_async(provider, "plan")), ("check", inner))
    GRAPH_RUNS[run](graph, {"done": []}, THREAD)
    assert tree(telemetry) == [("invoke_workflow report", CHAT, CHAT)]
    assert paths(telemetry) == ["plan", "check/deep"]


def test_a_graphs_span_is_what_the_conventions_say(
    provider: Provider, telemetry: Telemetry
) -> None:
    provider.answers(chat_answer)
    graph = chain(("plan", asking(provider, SECRET)))
    graph.invoke({"done": [SECRET]}, THREAD)
    span = named(telemetry, "invoke_workflow report")
    assert span.kind is SpanKind.INTERNAL
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "farthing"
    attributes = dict(span.attributes or {})
    assert attributes.pop("farthing.workflow.id")
    assert attributes == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "report",
        "gen_ai.conversation.id": "t-1",
        "farthing.workflow.outcome": "success",
        "farthing.workflow.calls": 1,
        "farthing.workflow.cost": shapes.CHAT_COST,
        "farthing.workflow.input_tokens": 2006,
        "farthing.workflow.output_tokens": 300,
    }
    assert all(SECRET not in each.to_json() for each in telemetry.spans())


def test_labels_of_metrics(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    chain(("plan", asking(provider, "plan"))).invoke({"done": []})
    (point,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert point.attributes["farthing.step.name"] == "plan"
    assert point.attributes["gen_ai.workflow.name"] == "report"


def test_an_unnamed_graph_is_called_by_no_class(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    graph = chain(("plan", asking(provider, "plan")), name=None)
    graph.invoke({"done": []})
    assert tree(telemetry) == [("invoke_workflow", CHAT)]
    assert said(telemetry, "gen_ai.workflow.name") == [None]
    assert steps(telemetry) == ["plan"]
    telemetry.exporter.clear()
    graph.invoke({"done": []}, {"run_name": "report"})
    graph.with_config(run_name="other").invoke({"done": []})
    assert tree(telemetry) == [("invoke_workflow report", CHAT), ("invoke_workflow other", CHAT)]


def test_a_step_of_the_users_own_wins(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    ask = asking(provider, "plan")

    def plan(state: Any) -> Any:
        with farthing.step("outline"):
            return ask(state)

    with farthing.step("nightly"):
        chain(("plan", plan), ("write", ask)).invoke({"done": []})
    assert steps(telemetry) == ["outline", "write"]
    assert paths(telemetry) == ["nightly/plan/outline", "nightly/write"]


def test_a_workflow_of_the_users_own_stays(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    graph = chain(("plan", asking(provider, "plan")), checkpointer=InMemorySaver())
    with farthing.workflow("nightly"), farthing.tag(user="ada"):
        graph.invoke({"done": []}, THREAD, interrupt_before=["plan"])
        graph.invoke(None, THREAD)
    assert tree(telemetry) == [("invoke_workflow nightly", CHAT)]
    assert said(telemetry, "gen_ai.workflow.name") == ["nightly"]
    assert said(telemetry, "user.id") == ["ada"]
    root = named(telemetry, "invoke_workflow nightly")
    assert (root.attributes or {})["farthing.workflow.outcome"] == "success"


@pytest.mark.parametrize("run", ["invoke", "ainvoke"])
def test_tasks_are_steps(provider: Provider, telemetry: Telemetry, run: str) -> None:
    provider.answers(chat_answer)
    ask = asking(provider, "")
    outline = task(asking(provider, ""), name="outline")
    write = task(asking(provider, ""), name="write")

    @entrypoint()
    def report(state: Any) -> Any:
        ask(state)
        return [outline(state).result(), write(state).result()]

    GRAPH_RUNS[run](report, {"done": []}, THREAD)
    assert tree(telemetry) == [("invoke_workflow report", CHAT, CHAT, CHAT)]
    assert paths(telemetry) == ["report", "report/outline", "report/write"]


def test_a_thread_of_the_nodes_own(provider: Provider, telemetry: Telemetry) -> None:
    """A thread that was given the node's context, as `asyncio.to_thread` does, is in the node."""
    provider.answers(chat_answer)
    ask = asking(provider, "plan")

    async def plan(state: Any) -> Any:
        return await asyncio.to_thread(ask, state)

    asyncio.run(chain(("plan", plan)).ainvoke({"done": []}))
    assert steps(telemetry) == ["plan"]


@pytest.mark.parametrize("run", ["invoke", "ainvoke", "stream", "astream"])
def test_an_exception_is_the_callers(provider: Provider, telemetry: Telemetry, run: str) -> None:
    error = LookupError(SECRET)

    def fail(_: Any) -> Any:
        raise error

    with pytest.raises(LookupError) as raised:
        GRAPH_RUNS[run](chain(("plan", fail)), {"done": []}, THREAD)
    assert raised.value is error
    span = named(telemetry, "invoke_workflow report")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "LookupError"
    assert (span.attributes or {})["farthing.workflow.outcome"] == "failed"
    assert SECRET not in span.to_json()


def test_retries_of_a_node_are_of_one_step(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    ask, failures = asking(provider, "plan"), [ValueError(), ValueError()]

    def plan(state: Any) -> Any:
        done = ask(state)
        if failures:
            raise failures.pop()
        return done

    graph = StateGraph(State)
    retry = RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError)
    graph.add_node("plan", plan, retry_policy=retry)
    graph.add_edge(START, "plan")
    assert graph.compile(name="report").invoke({"done": []}) == {"done": ["plan"]}
    assert steps(telemetry) == ["plan"] * 3
    assert named(telemetry, "invoke_workflow report").status.status_code is StatusCode.UNSET


def test_a_stream_that_is_not_read_to_its_end(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    graph = chain(("plan", asking(provider, "plan")), ("write", asking(provider, "write")))
    stream = graph.stream({"done": []}, THREAD)
    for _ in stream:
        assert trace.get_current_span() is trace.INVALID_SPAN  # the reader is not in it
        break
    stream.close()
    telemetry.points()  # the collector may have closed it anywhere: it ends at a safe moment
    assert tree(telemetry) == [("invoke_workflow report", CHAT)]


def test_an_async_stream_that_is_not_read_to_its_end(
    provider: Provider, telemetry: Telemetry
) -> None:
    provider.answers(chat_answer)
    graph = chain(("plan", asking(provider, "plan")), ("write", asking(provider, "write")))

    async def run() -> None:
        before = context.get_current()
        async for _ in graph.astream({"done": []}, THREAD):
            assert context.get_current() is before
            break

    asyncio.run(run())
    telemetry.points()
    assert tree(telemetry) == [("invoke_workflow report", CHAT)]


def test_cancelling(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)
    begun = asyncio.Event()
    ask = asking(provider, "plan")

    async def plan(state: Any) -> Any:
        ask(state)
        begun.set()
        await asyncio.Event().wait()

    async def run() -> None:
        running = asyncio.create_task(chain(("plan", plan)).ainvoke({"done": []}))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert tree(telemetry) == [("invoke_workflow report", CHAT)]
    attributes = named(telemetry, "invoke_workflow report").attributes or {}
    assert attributes["farthing.workflow.outcome"] == "cancelled"


def test_off_it_is_as_it_was(provider: Provider) -> None:
    owners = (Pregel, _runner, _loop.SyncPregelLoop, _loop.AsyncPregelLoop)

    def there() -> list[dict[str, int]]:
        # By identity: what wraps a function is equal to it.
        return [{name: id(value) for name, value in vars(owner).items()} for owner in owners]

    farthing.uninstrument()
    before = there()
    telemetry = Telemetry()
    telemetry.instrument()
    assert all(now != then for now, then in zip(there(), before, strict=True))
    assert frameworks.missing() == []
    farthing.uninstrument()
    assert there() == before
    provider.answers(chat_answer)
    chain(("plan", asking(provider, "plan"))).invoke({"done": []})
    assert telemetry.spans() == []


def test_uninstrumented_while_it_runs(provider: Provider, telemetry: Telemetry) -> None:
    provider.answers(chat_answer)

    def plan(_: Any) -> Any:
        farthing.uninstrument()
        return {"done": ["plan"]}

    graph = chain(("plan", plan), ("write", plan))
    assert graph.invoke({"done": []}) == {"done": ["plan", "plan"]}
    assert tree(telemetry) == ["invoke_workflow report"]


def test_another_version_lacks_what_we_patch(
    provider: Provider, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answers(chat_answer)
    farthing.uninstrument()
    monkeypatch.setattr(patching, "_warned", set())
    monkeypatch.delattr(_runner, "run_with_retry")
    telemetry.instrument()
    assert frameworks.missing() == ["langgraph.pregel._runner.run_with_retry"]
    farthing.uninstrument()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "langgraph.pregel._runner", None)  # type: ignore[arg-type]
    telemetry.instrument()
    assert "langgraph.pregel._runner.run_with_retry" in frameworks.missing()


def test_a_bug_of_ours_is_not_the_callers(
    provider: Provider, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError

    provider.answers(chat_answer)
    graph = chain(("plan", asking(provider, "plan")))
    monkeypatch.setattr(operations, "listening", broken)
    monkeypatch.setattr(operations.log, "debug", lambda *_, **__: None)
    assert graph.invoke({"done": []}) == {"done": ["plan"]}
    assert tree(telemetry) == [CHAT]


def test_nothing_stays_of_a_thousand_runs(provider: Provider, telemetry: Telemetry) -> None:
    telemetry.exporter.shutdown()
    agent_like = chain(("plan", lambda _: {"done": ["x"]}), ("write", lambda _: {}))

    def ours() -> int:
        gc.collect()
        kinds = (Stay, operations.GraphRun, operations._Open)  # pyright: ignore
        return sum(isinstance(each, kinds) for each in gc.get_objects())

    before = ours()
    for number in range(1000):
        stream = agent_like.stream({"done": []})
        if number % 2:
            list(stream)
        else:
            next(stream)
            del stream
    telemetry.points()
    assert ours() <= before
