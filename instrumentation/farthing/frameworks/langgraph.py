"""LangGraph: the node is the step; a graph is a workflow, or an agent if it is one of LangChain's.

A node is run by one function of the graph's runner, whether it is sync, async, a branch of its own
or a ``@task``, and its retries within: that is where its name is put on what it calls. A graph is
run by ``stream`` and ``astream``, which all other ways of running it come down to.
"""

from __future__ import annotations

from typing import Any, Final

from farthing.frameworks.langchain import conversation, given, nested
from farthing.frameworks.operations import (
    FrameworkWorkflow,
    GraphRun,
    Operation,
    around,
    signals,
)
from farthing.patching import Patch
from farthing.scopes import Scope
from farthing_processor import attribution
from farthing_processor import semconv as names
from farthing_processor.attribution import text
from farthing_processor.readers import Fields, fields

_UNNAMED: Final = "LangGraph"
"""The name of a graph that was given none: that of a class is no workflow's."""

_MODEL_NODES: Final = {
    "model": "langchain.agents.factory",
    "agent": "langgraph.prebuilt.chat_agent_executor",
}
"""What tells an agent from other graphs: the node that calls the model, and whose code that is.
Not by what made it: ``create_agent`` may have been imported before it could be wrapped."""


def _graph(graph: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Scope, ...]:
    configs = given(args, kwargs), fields(graph.config)
    name, thread = _name(graph, configs), conversation(*configs)
    if _is_agent(graph):
        return (Operation(names.INVOKE_AGENT, name, {names.CONVERSATION_ID: thread}, agent=name),)
    if nested():
        return ()  # part of another, whose steps its nodes are
    if name is None:
        return (Operation(names.INVOKE_WORKFLOW, None, {names.CONVERSATION_ID: thread}),)
    return (FrameworkWorkflow(name, thread),)


def _name(graph: Any, configs: tuple[Fields, ...]) -> str | None:
    if (own := text(graph.name)) not in (None, _UNNAMED):
        return own
    # A function with ``@entrypoint`` is the one node of a graph without a name.
    function = next(iter(graph.nodes)) if len(graph.nodes) == 1 else None
    named = (text(config.get("run_name")) for config in configs)
    return next(filter(None, named), text(function))


def _is_agent(graph: Any) -> bool:
    nodes = ((node, graph.nodes.get(node)) for node in _MODEL_NODES)
    return any(_calls_model(node, getattr(made, "bound", None)) for node, made in nodes)


def _calls_model(node: str, runnable: Any) -> bool:
    """Whether ``runnable`` is what calls the model in one of LangChain's own agents."""
    function = getattr(runnable, "func", None) or getattr(runnable, "afunc", None)
    return node in _MODEL_NODES and getattr(function, "__module__", None) == _MODEL_NODES[node]


def _node(_runner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Scope, ...]:
    task = args[0] if args else kwargs["task"]
    name = text(task.name)
    if name is None:
        return ()
    # Every agent has a node of that name: the agent's own tells what it was for.
    of_an_agent = _calls_model(name, next(iter(getattr(task.proc, "steps", ())), None))
    return (Scope(lambda who: who.in_step((of_an_agent and who.agent) or name)),)


def _ended(wrapped: Any, _loop: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrapper of a graph's ``__exit__``, which keeps to itself by what it was interrupted. The end
    of a graph within a node says nothing of the workflow."""
    who = attribution.current()
    if isinstance(who.run, GraphRun) and who.step_path == who.run.path and signals(args[1]):
        who.run.interrupted()
    return wrapped(*args, **kwargs)


PATCHES: Final = (
    Patch("langgraph.pregel.main", "Pregel.stream", around(_graph)),
    Patch("langgraph.pregel.main", "Pregel.astream", around(_graph)),
    Patch("langgraph.pregel._runner", "run_with_retry", around(_node)),
    Patch("langgraph.pregel._runner", "arun_with_retry", around(_node)),
    Patch("langgraph.pregel._loop", "SyncPregelLoop.__exit__", _ended),
    Patch("langgraph.pregel._loop", "AsyncPregelLoop.__aexit__", _ended),
)
