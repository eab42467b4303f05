"""Operations: the scopes that a framework runs things in, each with its span, and how they are put
around what it calls.

A span says who and how long, never what: the arguments and results of tools, and what agents are
asked and answer, are content, which only the spans and events of model calls carry, where asked to.
"""

from __future__ import annotations

import atexit
import functools
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from farthing.attribution import Workflow
from farthing.patching import Wrapper
from farthing.scopes import Scope, Stay, listening
from farthing.telemetry import log
from farthing_processor import semconv as names
from farthing_processor.attribution import Attribution
from farthing_processor.recording import before_collection
from farthing_processor.runs import SUCCESS, Run

Find = Callable[[Any, tuple[Any, ...], dict[str, Any]], tuple[Scope, ...]]
"""Which scopes a call is to be in, innermost first: (instance, args, kwargs) → scopes."""


def around(find: Find) -> Wrapper:
    """A wrapper that has every call run in the scopes that ``find`` names for it."""

    def wrapper(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        scopes: tuple[Scope, ...] = ()
        try:
            if listening() is not None:
                scopes = find(instance, args, kwargs)
        except Exception:
            log.debug("What a framework runs was not understood", exc_info=True)
        for scope in scopes:
            wrapped = scope(wrapped)
        return wrapped(*args, **kwargs)

    return wrapper


class Operation(Scope):
    """An agent or a tool at work: a span ``{operation} {name}`` as long as its own code runs."""

    __slots__ = ("_attributes", "_name", "_operation")

    def __init__(
        self,
        operation: str,
        name: str | None,
        attributes: Mapping[str, str | None],
        agent: str | None = None,
    ) -> None:
        """Every call within is ``agent``'s, if it has a name; attributes of None are left out."""
        super().__init__(lambda who: who if agent is None else who._replace(agent=agent))
        self._operation = operation
        self._name = name
        self._attributes = attributes

    def _within(self, stay: Stay, who: Attribution) -> Context:
        within = super()._within(stay, who)
        if _over:
            settle()
        telemetry = listening()
        if telemetry is None:
            return within
        own = {name: value for name, value in self._attributes.items() if value is not None}
        try:
            span = telemetry.tracer.start_span(
                names.span_name(self._operation, self._name),
                stay.outside,
                SpanKind.INTERNAL,
                {names.OPERATION_NAME: self._operation, **who.attributes(), **own},
            )
        except Exception:  # someone's span processor broke on it: the calls still count
            log.debug("A span was not started", exc_info=True)
            return within
        _settle_at_exit()
        stay.run = cast(Run, _Open(span))  # of a run, a stay knows its end alone
        return trace.set_span_in_context(span, within)


class GraphRun(Run):
    """The run of a framework's workflow, which may be interrupted, to be resumed by another."""

    __slots__ = ("path",)

    def __init__(self, name: str, path: str | None) -> None:
        super().__init__(name, uuid.uuid4().hex)
        self.path = path
        """The path of the step that it runs in: deeper in are its own parts."""

    def interrupted(self) -> None:
        """It ends because it waits for someone, unless the application had named an outcome."""
        if self.outcome is None:
            self.outcome = names.INTERRUPTED

    def end(self, error: BaseException | None, closed: str = SUCCESS) -> None:
        """As any run ends; but a signal between parts of the framework is no error."""
        if signals(error):
            self.interrupted()
            error = None
        super().end(error, closed)


class FrameworkWorkflow(Workflow):
    """A `Workflow` that a framework runs, in the conversation that it was given, if any."""

    __slots__ = ("_conversation",)

    def __init__(self, name: str, conversation: str | None) -> None:
        super().__init__(name, None)
        self._conversation = conversation

    def _opened(self, who: Attribution) -> Attribution:
        run = GraphRun(self._name, who.step_path)
        return who._replace(workflow=run.name, workflow_id=run.id, run=run)

    def _within(self, stay: Stay, who: Attribution) -> Context:
        within = super()._within(stay, who)
        if stay.run is not None and self._conversation is not None:
            stay.run.span.set_attribute(names.CONVERSATION_ID, self._conversation)
        return within


def signals(error: BaseException | None) -> bool:
    """Whether an exception is how LangGraph interrupts, drains or hands over, and no failure."""
    return any(
        kind.__name__ == "GraphBubbleUp" and kind.__module__ == "langgraph.errors"
        for kind in type(error).__mro__
    )


class _Open:
    """A span that has begun. Ended by the first `end`."""

    __slots__ = ("_open", "_process", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span
        # pop() on a list is atomic, with or without the interpreter lock: the first one ends it.
        self._open = [True]
        self._process = os.getpid()

    def end(self, error: BaseException | None, _closed: str) -> None:
        """End the span, by ``error`` if it was one. After a `GeneratorExit` at the next `settle`:
        the garbage collector closes generators anywhere, in the middle of an SDK that holds its
        locks too."""
        try:
            self._open.pop()
        except IndexError:
            return
        if self._process != os.getpid():
            return  # a span that a fork took along is its parent's to end
        if isinstance(error, GeneratorExit):
            _over.append((self._span, time.time_ns()))
            return
        try:
            if error is not None and not signals(error):
                self._span.set_attribute(names.ERROR_TYPE, type(error).__qualname__)
                # Without a description: an exception's message can quote the prompt or the key.
                self._span.set_status(Status(StatusCode.ERROR))
            self._span.end()
        except Exception:
            log.debug("A span was not ended", exc_info=True)


_over: Final[deque[tuple[Span, int]]] = deque()
"""The spans that are over, and when they were."""


def settle() -> None:
    """End the spans of what was not read to its end."""
    while True:
        try:
            span, ended_ns = _over.popleft()
        except IndexError:
            return
        try:
            span.end(ended_ns)
        except Exception:
            log.debug("A span was not ended", exc_info=True)


before_collection(settle)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_over.clear)


@functools.cache
def _settle_at_exit() -> None:
    """Settle before the SDK shuts down: what registers last runs first."""
    atexit.register(settle)
