"""Scopes: what calls are to say of themselves for a while, in a block or wherever a function runs.

A scope lives in the OpenTelemetry context, so that what a thread, a task or another process does is
paid by whoever had it done, as far as its context went along. It keeps no token of that context:
tokens mean nothing in another task or thread, which is where generators and coroutines are closed,
and detaching one there logs an error. What was current before is set again instead.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Final, TypeVar, cast

from opentelemetry import context
from opentelemetry.context import Context

from farthing.telemetry import Telemetry, current, log
from farthing_processor import attribution, runs
from farthing_processor.attribution import Attribution
from farthing_processor.runs import Run

_F = TypeVar("_F", bound=Callable[..., Any])
_KEY: Final = context.create_key("farthing-scope")


class Scope:
    """What calls are to say of themselves for a while: ``with`` it, or decorate a function with it.

    One object serves any number of blocks and calls, one within the other or at once in any threads
    and tasks. A function keeps its kind: a coroutine function, generator function or async
    generator function stays one, and is in the scope only while its own code runs, never while it
    waits or has yielded. So generators that take turns each pay for themselves, and whoever
    consumes one sees nothing of its scope.

    In a generator, decorate it rather than having a ``yield`` inside the ``with``: until the next
    resumption the consumer is in the scope then, because Python gives a generator no context of its
    own.
    """

    __slots__ = ("_change",)

    def __init__(self, change: Callable[[Attribution], Attribution] | None) -> None:
        self._change = change
        """None where what was given cannot be used: nothing changes then."""

    def __enter__(self) -> Run | None:
        self._enter()
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._leave()

    def __call__(self, function: _F) -> _F:
        """``function``, in this scope whenever it runs."""
        if isinstance(function, staticmethod | classmethod):
            method = cast(Any, function)
            return type(method)(self(method.__func__))
        if not (inspect.isroutine(function) or isinstance(function, functools.partial)):
            complain(
                "decorator",
                "farthing decorates functions and methods, and %s is neither: it is left as it is. "
                "Put farthing's decorator next to the function, below all others.",
                type(function).__name__,
            )
            return function
        inner = cast("Callable[..., Any]", function)
        return cast(_F, functools.wraps(inner)(self._around(inner)))

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isasyncgenfunction(function):

            async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
                with self._begin() as stay:
                    values = function(*args, **kwargs)
                    resume, value = _first(values), None
                    while True:
                        try:
                            item = await _Staying(stay, resume(value))
                        except StopAsyncIteration:
                            return
                        finally:
                            value = None
                        try:
                            value = yield item
                            resume = values.asend
                        except BaseException as thrown:
                            resume, value = values.athrow, thrown

            return async_generator

        if inspect.iscoroutinefunction(function):

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with self._begin(closed=runs.CANCELLED) as stay:
                    return await _Staying(stay, function(*args, **kwargs))

            return coroutine

        if inspect.isgeneratorfunction(function):

            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                with self._begin() as stay:
                    return (yield from stay.all(function(*args, **kwargs)))

            # The generator of a coroutine of old can be awaited, and still is to be.
            flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
            old = flags & inspect.CO_ITERABLE_COROUTINE
            return types.coroutine(generator) if old else generator

        def plain(*args: Any, **kwargs: Any) -> Any:
            with self._begin() as stay:
                return stay.call(function, *args, **kwargs)

        return plain

    def _begin(self, closed: str = runs.SUCCESS) -> Stay:
        """A stay in this scope from the current context; ``closed`` is what its being closed is."""
        outside = context.get_current()
        stay = Stay(self, outside, closed)
        if self._change is not None:
            try:
                stay.inside = self._within(stay, self._change(attribution.current(outside)))
            except Exception:
                log.debug("A scope was not entered", exc_info=True)
        return stay

    def _within(self, stay: Stay, who: Attribution) -> Context:
        """The context of ``stay``, made from the one outside it."""
        telemetry = listening()
        propagate = None if telemetry is None else telemetry.settings.propagate
        return attribution.set_in_context(who, stay.outside, propagate)

    def _enter(self) -> Stay:
        stay = self._begin()
        context.attach(context.set_value(_KEY, stay, stay.inside))
        return stay

    def _leave(self) -> Stay | None:
        """Make current what was current before the block, and say which stay that ends.

        None where the block ends in another context than it began in, as that of a generator which
        someone else closes: there it changed nothing, so nothing is undone. Where blocks end in
        another order than they began in, as those of two generators that take turns, ours is taken
        out from below the others, so that the last one restores what was before all of them.
        """
        above, stay = None, _stay_in(context.get_current())
        while stay is not None and stay.scope is not self:
            above, stay = stay, _stay_in(stay.outside)
        if stay is None:
            return None
        if above is None:
            context.attach(stay.outside)
        else:
            above.outside = stay.outside
        # A task begun inside may live for ever with this context, and begin others in turn.
        stay.outside = _NOWHERE
        return stay


class Stay:
    """One block's or call's stay in a scope. ``with`` it lasts the run, if it has one."""

    __slots__ = ("closed", "inside", "outside", "run", "scope")

    def __init__(self, scope: Scope, outside: Context, closed: str) -> None:
        self.scope = scope
        self.outside = outside
        self.inside = outside
        """What is current while its code runs: as that code left it last."""
        self.run: Run | None = None
        self.closed = closed

    def __enter__(self) -> Stay:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self.run is not None:
            self.run.end(error, self.closed)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What ``function`` returns, called inside."""
        outside = context.get_current()
        context.attach(self.inside)
        try:
            return function(*args, **kwargs)
        finally:
            self.inside = context.get_current()
            context.attach(outside)
            del function, args  # the exception that holds this frame may be one of them

    def all(self, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """What ``steps`` does, resumed inside each time."""
        resume, value = steps.send, None
        while True:
            try:
                item = self.call(resume, value)
            except StopIteration as stop:
                return stop.value
            except BaseException:
                del steps, resume, value  # what holds the exception that holds this frame
                raise
            try:
                value = yield item
                resume = steps.send
            except BaseException as thrown:
                resume, value = steps.throw, thrown


class _Staying:
    """An awaitable that is resumed inside each time; between two times, others are not in it."""

    __slots__ = ("_awaited", "_stay")

    def __init__(self, stay: Stay, awaited: Awaitable[Any]) -> None:
        self._stay = stay
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._stay.all(self._awaited.__await__())


def _first(values: AsyncGenerator[Any, Any]) -> Callable[[Any], Awaitable[Any]]:
    """``values.asend`` for the first time, unknown to the event loop: only what it was asked for is
    its to close, and that closes ``values``. It would close both at once, and fail at one."""

    def asend(value: Any) -> Awaitable[Any]:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            return values.asend(value)
        finally:
            sys.set_asyncgen_hooks(*hooks)

    return asend


_NOWHERE: Final = Context()


def _stay_in(within: Context) -> Stay | None:
    stay = within.get(_KEY)
    return stay if isinstance(stay, Stay) else None


def listening() -> Telemetry | None:
    """Where calls report to, if anyone listens. Only then is anything put in Baggage: only then are
    the clients patched that keep it from the providers."""
    telemetry = current()
    return telemetry if telemetry is not None and telemetry.heard() else None


said_once: Final[set[str]] = set()
_AT_MOST: Final = 100


def complain(which: str, sentence: str, *values: object) -> None:
    if which not in said_once and len(said_once) < _AT_MOST:
        said_once.add(which)
        log.warning(sentence, *values)
