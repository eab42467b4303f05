"""Running one case: sync and async clients by the same lines, and all that the application saw.

Every use of a client is written once, as a coroutine. A sync client never suspends it, so `drive`
runs it to its end without an event loop; an async client's runs in one of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import inspect
import operator
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
from opentelemetry import context, trace
from pydantic import BaseModel

from tests.contract.server import THREADS, Received, Reply, Server
from tests.contract.table import MAKERS, Library, Method

if TYPE_CHECKING:
    from tests.contract.endings import Ending


async def ready(value: Any) -> Any:
    """``value``, awaited where that is what the client asks for."""
    return await value if inspect.isawaitable(value) else value


class within:
    """``with``, or ``async with`` where the client asks for it."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._is_async = hasattr(manager, "__aenter__")

    async def __aenter__(self) -> Any:
        if self._is_async:
            return await self._manager.__aenter__()
        return self._manager.__enter__()

    async def __aexit__(self, *error: Any) -> Any:
        if self._is_async:
            return await self._manager.__aexit__(*error)
        return self._manager.__exit__(*error)


class each:
    """``for``, or ``async for`` where the client asks for it; holds nothing else alive."""

    def __init__(self, stream: Any) -> None:
        self._is_async = hasattr(stream, "__aiter__")
        self._iterator = stream.__aiter__() if self._is_async else iter(stream)

    def __aiter__(self) -> each:
        return self

    async def __anext__(self) -> Any:
        if self._is_async:
            return await self._iterator.__anext__()
        try:
            return next(self._iterator)
        except StopIteration:
            raise StopAsyncIteration from None


def drive(use: Coroutine[Any, Any, Any]) -> Any:
    """Run what never suspends."""
    try:
        use.send(None)
    except StopIteration as returned:
        return returned.value
    use.close()
    raise AssertionError("a sync client must not suspend")


@dataclass
class Case:
    """One use of one client, and what the application saw of it."""

    library: Library
    method: Method
    ending: Ending
    kind: str
    server: Server
    client: Any = None
    seen: list[Any] = field(default_factory=list)
    """Values, types and exceptions, in order; comparable, and holding none of the objects."""
    faults: list[str] = field(default_factory=list)
    """What the application would have noticed, whatever the bare client does."""
    error: str | None = None
    """The type of the exception that reached the application from the client."""
    arguments: dict[str, Any] = field(default_factory=dict)
    held: list[weakref.ref[Any]] = field(default_factory=list)

    @property
    def is_async(self) -> bool:
        return self.kind == "async"

    async def call(self, form: str = "") -> Any:
        """Call the method; ``form`` is ``with_raw_response`` or ``with_streaming_response``."""
        resource, _, name = self.method.name.rpartition(".")
        owner = operator.attrgetter(resource)(self.client)
        if form:
            owner = getattr(owner, form)
        self.arguments = copy.deepcopy(dict(self.method.arguments))
        called = getattr(owner, name)(**self.arguments)
        return self.hold(await ready(called))

    async def open(self, form: str = "") -> Any:
        """The stream that calling the method opens, entered where it is a manager of one."""
        made = await self.call(form)
        return self.hold(await within(made).__aenter__())

    def hold(self, thing: Any) -> Any:
        """The same thing, which is to be gone once the application has let go of it."""
        if not isinstance(thing, str):  # what a client gives where the answer was no JSON
            self.held.append(weakref.ref(thing))
        return thing

    def see(self, *values: Any) -> None:
        self.seen.extend(plain(value) for value in values)
        span = trace.get_current_span()
        if span.is_recording() and span is not self.current:
            self.faults.append(f"{span} is current in the application")

    def caught(self, error: BaseException) -> None:
        """The client raised."""
        self.error = type(error).__qualname__
        self.seen.append(("raised", type(error), str(error)))

    async def elsewhere(self, use: Coroutine[Any, Any, None]) -> None:
        """Run ``use`` in another task, or in another thread where the client is a sync one."""
        if self.is_async:
            await asyncio.create_task(use)
            return
        thread = threading.Thread(target=drive, args=(use,))
        thread.start()
        thread.join()

    current: Any = None
    """The application's own span, current around everything it does."""


@dataclass(frozen=True)
class Seen:
    """All there is to compare of one case. Immutable."""

    values: list[Any]
    requests: list[Received]


def run(
    library: Library,
    method: Method,
    ending: Ending,
    kind: str,
    server: Server,
    tracer_provider: Any,
) -> Case:
    """Run a case to its end and check what needs no comparison: nothing is left behind."""
    gc.collect()
    gc.freeze()  # what is there by now is not this case's, nor what takes time to look through
    server.plan(*ending.replies(method.reply))
    case = Case(library, method, ending, kind, server)
    threads = _threads()
    driver: Callable[..., Any] = asyncio.run if case.is_async else drive
    contextvars.copy_context().run(driver, _use(case, tracer_provider))
    gc.collect()
    assert not case.faults
    assert _threads() == threads
    assert case.arguments == method.arguments, "the caller's arguments were changed"
    alive = [type(thing()).__qualname__ for thing in case.held if thing() is not None]
    assert not alive, "kept after the application let go of them"
    return case


async def _use(case: Case, tracer_provider: Any) -> None:
    if case.is_async:
        # Dropped half read, the clients' own generators now and then close in the wrong order, with
        # us or without: the loop would log that, and the log would keep all that it speaks of.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    case.current = trace.NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)
    around = context.set_value("application", "its own", trace.set_span_in_context(case.current))
    context.attach(around)
    maker = case.library.clients[case.method.client][MAKERS[case.kind]]
    options = {"max_retries": 0, **case.ending.options}
    case.client = maker(case.server.url, _http_client(case), tracer_provider, **options)
    try:
        await case.ending.run(case)
    except BaseException as error:
        case.caught(error)
    finally:
        case.server.release()
    if case.is_async:
        gc.collect()  # here, so that what was dropped half read is closed while there is a loop
        await settled()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            case.faults.append(f"tasks left behind: {others}")
    if context.get_current() is not around:
        case.faults.append("the context is not the application's")
    await ready(case.client.close())
    case.client = None


async def settled() -> None:
    """Let an event loop do all it can do without hearing from outside."""
    for _ in range(50):
        await asyncio.sleep(0)


def _http_client(case: Case) -> Any:
    """An HTTP client over real sockets; without TLS and proxies, which take longer than a case."""
    timeout = httpx2.Timeout(30)
    if case.is_async:
        return httpx2.AsyncClient(verify=False, trust_env=False, timeout=timeout)
    transport = None
    if case.ending.interrupt_after is not None:
        transport = _Interrupted(_length(case.method.reply, case.ending.interrupt_after))
    return httpx2.Client(verify=False, trust_env=False, timeout=timeout, transport=transport)


def _length(reply: Reply, pieces: int) -> int:
    return sum(map(len, reply.pieces[:pieces]))


class _Interrupted(httpx2.HTTPTransport):
    """A transport in whose reading of a body the user presses Ctrl-C, after so many bytes."""

    def __init__(self, after: int) -> None:
        super().__init__(verify=False)
        self._after = after

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        response.stream = _InterruptedStream(response.stream, self._after)
        return response


class _InterruptedStream(httpx2.SyncByteStream):
    def __init__(self, inner: Any, after: int) -> None:
        self._inner = inner
        self._left = after

    def __iter__(self) -> Any:
        for piece in self._inner:
            self._left -= len(piece)
            yield piece
            if self._left <= 0:
                raise KeyboardInterrupt

    def close(self) -> None:
        self._inner.close()


def _threads() -> set[str]:
    return {t.name for t in threading.enumerate() if not t.name.startswith(THREADS)}


def plain(value: Any) -> Any:
    """``value`` in a form that can be compared between two runs, and keeps no object alive."""
    if isinstance(value, BaseModel):
        return type(value), value.model_dump(warnings=False)
    if isinstance(value, str | bytes | int | float | bool | None | type):
        return value
    if isinstance(value, httpx2.Headers):
        return {name: text for name, text in value.items() if name != "date"}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, httpx2.Response):
        return type(value), value.status_code, plain(value.headers), value.content
    return type(value)
