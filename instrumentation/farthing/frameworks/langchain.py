"""LangChain: the name of a runnable is the step, where no node and nobody else named one; one that
is run on its own is a workflow, and a tool has a span.

A runnable that was given no name changes nothing: ``RunnableSequence`` is no step of anybody's.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Awaitable, Generator
from typing import Any, Final, cast

from opentelemetry import context
from opentelemetry.context import Context

from farthing.frameworks.operations import FrameworkWorkflow, Operation, around
from farthing.patching import Patch
from farthing.scopes import Scope, Stay
from farthing.telemetry import log
from farthing_processor import attribution, runs
from farthing_processor import semconv as names
from farthing_processor.attribution import Attribution, text
from farthing_processor.readers import Fields, fields

_CONFIG: Final = "langchain_core.runnables.config"
_KEY: Final = context.create_key("farthing-runnable")
"""The path of the step that a runnable named."""


class _Step(Scope):
    """The step of a runnable: where nobody named one, or a runnable around it did."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__(lambda who: who)
        self._name = name

    def _within(self, stay: Stay, who: Attribution) -> Context:
        if who.step is not None and who.step_path != stay.outside.get(_KEY):
            return stay.outside
        who = who.in_step(self._name)
        return context.set_value(_KEY, who.step_path, super()._within(stay, who))


def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fields:
    """The config of (input, config, …); the first one of a batch that has many."""
    config = args[1] if len(args) > 1 else kwargs.get("config")
    return fields(cast("list[object]", config)[0] if isinstance(config, list) else config)


def conversation(*configs: object) -> str | None:
    """The thread that a run belongs to by its configs, or by that of whatever runs it."""
    for config in (*configs, _around()):
        thread = text(fields(fields(config).get("configurable")).get("thread_id"))
        if thread is not None:
            return thread
    return None


def nested() -> bool:
    """Whether what is about to run is part of something else: a workflow, a graph, a runnable."""
    return _around() is not None or attribution.current().workflow is not None


def _around() -> dict[str, Any] | None:
    """The config of the runnable that is running, if any."""
    variable = getattr(sys.modules.get(_CONFIG), "var_child_runnable_config", None)
    return None if variable is None else variable.get()


def _runnable(runnable: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Scope, ...]:
    config = given(args, kwargs)
    name = text(config.get("run_name") or runnable.name)
    if name is None:
        return ()
    if nested():
        return (_Step(name),)
    return _Step(name), FrameworkWorkflow(name, conversation(config))


def _model(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Scope, ...]:
    name = text(given(args, kwargs).get("run_name") or model.name)
    return () if name is None else (_Step(name),)


def _tool(tool: Any, _args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Scope, ...]:
    name = text(tool.name)
    attributes = {
        names.TOOL_NAME: name,
        names.TOOL_TYPE: names.TOOL_FUNCTION,
        names.TOOL_DESCRIPTION: text(tool.description.partition("\n")[0]),
        names.TOOL_CALL_ID: text(kwargs.get("tool_call_id")),
        names.CONVERSATION_ID: conversation(kwargs.get("config")),
    }
    return (Operation(names.EXECUTE_TOOL, name, attributes),)


class _Upstream:
    """What a runnable is fed from. Its reader drives it, but its calls are not the reader's."""

    def __init__(self, values: Any) -> None:
        self._values = iter(values) if hasattr(values, "__iter__") else aiter(values)
        self._stay = Stay(Scope(None), context.get_current(), runs.SUCCESS)

    def __iter__(self) -> _Upstream:
        return self

    def __next__(self) -> Any:
        return self._stay.call(next, self._values)

    def __aiter__(self) -> _Upstream:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._resumed(self._values.__anext__())

    @types.coroutine
    def _resumed(self, value: Awaitable[Any]) -> Generator[Any, Any, Any]:
        return (yield from self._stay.all(value.__await__()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._values, name)


_run: Final = around(_runnable)


def _transform(wrapped: Any, runnable: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrapper of what reads (input, config, …) as a stream while it runs."""
    try:
        args = (_Upstream(args[0]), *args[1:])
    except Exception:
        log.debug("The input of a runnable was left alone", exc_info=True)
    return _run(wrapped, runnable, args, kwargs)


_CALLED: Final = dict.fromkeys(("invoke", "ainvoke"), _run)
_BATCHED: Final = dict.fromkeys(("batch", "abatch"), _run)
_STREAMED: Final = dict.fromkeys(("stream", "astream"), _run)
_FED: Final = dict.fromkeys(("transform", "atransform"), _transform)
_MODEL: Final = dict.fromkeys(("invoke", "ainvoke", "stream", "astream"), around(_model))
_TOOL: Final = dict.fromkeys(("run", "arun"), around(_tool))

PATCHES: Final = tuple(
    Patch(f"langchain_core.{module}", f"{kind}.{method}", wrapper)
    for module, kind, methods in (
        # Each by what all ways of running it come down to.
        ("runnables.base", "RunnableSequence", _CALLED | _BATCHED | _FED),
        ("runnables.base", "RunnableParallel", _CALLED | _FED),
        ("runnables.base", "RunnableLambda", _CALLED | _FED),
        ("runnables.branch", "RunnableBranch", _CALLED | _STREAMED),
        ("runnables.fallbacks", "RunnableWithFallbacks", _CALLED | _BATCHED | _STREAMED),
        ("language_models.chat_models", "BaseChatModel", _MODEL),
        ("language_models.llms", "BaseLLM", _MODEL),
        ("tools.base", "BaseTool", _TOOL),
    )
    for method, wrapper in methods.items()
)
