"""The ways in which an application may use an answer or a stream, and leave it."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from tests.contract.running import Case, drive, each, ready, settled, within
from tests.contract.server import Reply, error
from tests.contract.table import MAKERS, Method

# What is to be recorded.


@dataclass(frozen=True)
class Outcome:
    """How a call ended, as its span is to say. Immutable."""

    costs: tuple[bool, ...]
    """Whether it has the row's usage, cost and status; either where both are honest."""
    failed: bool | None = False
    """None is: if an exception reached the application."""
    status: str | None = "usage_missing"
    """``farthing.cost.status`` of a call whose usage is not known."""


WHOLE: Final = Outcome((True,))
LEFT: Final = Outcome((False,))
"""Nobody read to the end: no error, and what it cost is not known."""
BYTES: Final = Outcome((True, False))
"""The application read bytes that nobody keeps for us: known, or said to be unknown."""
FAILED: Final = Outcome((False,), failed=True, status=None)
"""It failed, and nothing of an answer had come: no cost, and no status either."""
UNREADABLE: Final = Outcome((False,), failed=None)
"""It was answered, but not with what was asked for: some methods take it, some raise."""
BROKEN: Final = Outcome((False,), failed=True)
"""It failed with part of a stream received."""


@dataclass(frozen=True)
class Ending:
    """One way to use a method. Immutable."""

    name: str
    run: Callable[[Case], Awaitable[None]]
    outcome: Outcome
    of: str
    """``stream``, ``answer`` or ``any``; then, after blanks, what else it takes: ``paced``,
    ``json``, or a form, ``raw`` or ``streaming``."""
    replies: Callable[[Reply], tuple[Reply, ...]] = lambda reply: (reply,)
    kinds: tuple[str, ...] = tuple(MAKERS)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of the client."""
    retries: int = 0
    interrupt_after: int | None = None
    """Pieces after which reading is interrupted (sync only)."""
    core: bool = False
    """Whether to try it with every method each time, not only with the samples."""

    def suits(self, method: Method) -> bool:
        what, *needs = self.of.split()
        if what != "any" and (what == "stream") != method.streams:
            return False
        has = {"paced": method.paces, "json": method.is_json}
        return all(has.get(need, need in method.forms) for need in needs)


# Streams.


async def read(case: Case, stream: Any, count: int | None = None) -> None:
    """Read ``count`` items, or all."""
    seen = 0
    async for item in each(stream):
        case.see(item)
        seen += 1
        if seen == count:
            break


async def exhaust(case: Case) -> None:
    await read(case, await case.open())


async def exhaust_within(case: Case) -> None:
    async with within(await case.call()) as stream:
        case.see(stream)
        await read(case, stream)


async def finals(case: Case) -> None:
    """What a stream helper offers beside its events, each on a stream of its own."""
    final = case.ending.name.partition(" ")[2]
    async with within(await case.call()) as stream:
        there = getattr(stream, final)
        if callable(there):
            case.see(await ready(there()))
        else:
            await read(case, there)


async def paced(case: Case) -> None:
    """Each item reaches the application before the next one is sent."""
    stream = await case.open()
    items = each(stream)
    while True:
        case.server.ask()
        try:
            case.see(await items.__anext__())
        except StopAsyncIteration:
            break
        case.see(case.server.sent)


async def break_within(case: Case) -> None:
    async with within(await case.call()) as stream:
        await read(case, stream, 1)


async def break_only(case: Case) -> None:
    await read(case, await case.open(), 1)


async def close(case: Case) -> None:
    stream = await case.open()
    await read(case, stream, 1)
    await ready(stream.close())
    await ready(stream.close())


async def close_unread(case: Case) -> None:
    stream = await case.open()
    await ready(stream.close())


async def drop_unread(case: Case) -> None:
    case.see(await case.open())


async def raise_in_loop(case: Case) -> None:
    kind = {"error": ZeroDivisionError, "interrupt": KeyboardInterrupt}[
        case.ending.name.rpartition(" ")[2]
    ]
    try:
        async with within(await case.call()) as stream:
            async for item in each(stream):
                case.see(item)
                raise kind("the application's own")
    except kind as error:
        case.see(str(error))


async def close_generator(case: Case) -> None:
    """The application is a generator around the stream, and is closed itself."""

    async def application() -> Any:
        async for item in each(await case.open()):
            yield item

    generator = application()
    case.see(await generator.__anext__())
    await generator.aclose()


async def elsewhere(case: Case) -> None:
    await case.elsewhere(read(case, await case.open()))


async def cancel(case: Case) -> None:
    """The task is cancelled while it waits for more."""

    async def application() -> None:
        if case.method.streams:
            await read(case, await case.open())
        else:
            case.see(await case.call())

    task = asyncio.create_task(application())
    while not (case.server.stalled.is_set() or task.done()):
        await asyncio.sleep(0)
    await settled()
    task.cancel()
    await task


async def copies(case: Case) -> None:
    thing = await (case.open() if case.method.streams else case.call())
    case.see(thing)
    for how in (copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))):
        try:
            case.see(how(thing))
        except Exception as error:
            case.see(type(error))
    if case.method.streams:
        await read(case, thing)


# Answers.


async def use(case: Case) -> None:
    """Whatever the method gives, used in full."""
    if case.method.streams:
        await exhaust(case)
        return
    answer = await case.call()
    case.see(answer, getattr(answer, "_request_id", None))
    if hasattr(answer, "iter_bytes"):
        case.see(answer.content)


async def call_elsewhere(case: Case) -> None:
    await case.elsewhere(use(case))


# Raw and streaming responses.


def _headers(case: Case, raw: Any) -> None:
    case.see(raw, raw.status_code, raw.headers, raw.request_id, raw.http_request.method)
    case.see(raw.retries_taken, raw.is_closed)


async def _parsed(case: Case, raw: Any) -> None:
    """Parse twice, as anyone may; and read it if it is a stream."""
    first = await ready(raw.parse())
    case.see(first, (await ready(raw.parse())) is first)
    if case.method.streams:
        await read(case, first)


async def _http_response(case: Case, raw: Any) -> None:
    response = raw.http_response
    if case.method.streams:
        async for line in each(response.aiter_lines() if case.is_async else response.iter_lines()):
            case.see(line)
    else:
        case.see(response)


async def _nothing(_case: Case, _raw: Any) -> None:
    """Headers may be all that the application wants."""


async def _half(case: Case, raw: Any) -> None:
    await read(case, await ready(raw.parse()), 1)


def _reads(name: str) -> Callable[[Case, Any], Awaitable[None]]:
    async def reads(case: Case, raw: Any) -> None:
        case.see(await ready(getattr(raw, name)()))

    return reads


def _iterates(name: str) -> Callable[[Case, Any], Awaitable[None]]:
    async def iterates(case: Case, raw: Any) -> None:
        pieces = [piece async for piece in each(getattr(raw, name)())]
        case.see((b"" if name == "iter_bytes" else "").join(pieces))

    return iterates


def _raw(then: Callable[[Case, Any], Awaitable[None]]) -> Callable[[Case], Awaitable[None]]:
    async def run(case: Case) -> None:
        raw = await case.call("with_raw_response")
        _headers(case, raw)
        await then(case, raw)

    return run


def _streaming(then: Callable[[Case, Any], Awaitable[None]]) -> Callable[[Case], Awaitable[None]]:
    async def run(case: Case) -> None:
        async with within(await case.call("with_streaming_response")) as raw:
            case.hold(raw)
            _headers(case, raw)
            await then(case, raw)

    return run


# Failures.


def _stalls(at: int) -> Callable[[Reply], tuple[Reply, ...]]:
    return lambda reply: (reply.but(stall=at),)


def _cuts(at: int) -> Callable[[Reply], tuple[Reply, ...]]:
    return lambda reply: (reply.but(cut=at),)


def _breaks(at: int) -> Callable[[Reply], tuple[Reply, ...]]:
    """An event that is no JSON in place of one that is."""

    def broken(reply: Reply) -> tuple[Reply, ...]:
        event = reply.pieces[at].partition(b"data:")[0] + b"data: {\n\n"
        return (reply.but(pieces=(*reply.pieces[:at], event, *reply.pieces[at + 1 :])),)

    return broken


def _with_error_event(case_reply: Reply) -> tuple[Reply, ...]:
    return (case_reply.but(pieces=(*case_reply.pieces[:2], ERROR_EVENT)),)


ERROR_EVENT: Final = (
    b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error",'
    b' "message": "overloaded"}}\n\n'
)
"""What both OpenAI's and Anthropic's clients take for an error told of in a stream."""


def _fails(status: int, times: int) -> Callable[[Reply], tuple[Reply, ...]]:
    return lambda reply: (*[error(status)] * times, reply)


def _always(status: int) -> Callable[[Reply], tuple[Reply, ...]]:
    return lambda _reply: (error(status),)


_SHORT: Final = {"timeout": httpx2.Timeout(30, read=0.3)}
_RETRYING: Final = {"max_retries": 2}

STREAMS: Final = (
    Ending("exhaust", exhaust, WHOLE, "stream", core=True),
    Ending("exhaust within", exhaust_within, WHOLE, "stream"),
    Ending(
        "paced",
        paced,
        WHOLE,
        "stream paced",
        replies=lambda reply: (reply.but(paced=True),),
        core=True,
    ),
    Ending("break within", break_within, LEFT, "stream", core=True),
    Ending("break only", break_only, LEFT, "stream"),
    Ending("close", close, LEFT, "stream"),
    Ending("close unread", close_unread, LEFT, "stream"),
    Ending("drop unread", drop_unread, LEFT, "stream", core=True),
    Ending("raise in the loop: error", raise_in_loop, LEFT, "stream"),
    Ending("raise in the loop: interrupt", raise_in_loop, LEFT, "stream", kinds=("sync",)),
    Ending("close the generator", close_generator, LEFT, "stream"),
    Ending("read elsewhere", elsewhere, WHOLE, "stream"),
    Ending("interrupted", exhaust, BROKEN, "stream", _stalls(2), ("sync",), interrupt_after=2),
    Ending("cancelled", cancel, BROKEN, "stream", _stalls(2), ("async",)),
    Ending("cut in the middle", exhaust, BROKEN, "stream", _cuts(2)),
    Ending("cut at once", exhaust, FAILED, "stream", _cuts(0)),
    Ending("error event", exhaust, BROKEN, "stream", _with_error_event),
    Ending("broken event", exhaust, BROKEN, "stream", _breaks(2)),
    Ending("timeout in the middle", exhaust, BROKEN, "stream", _stalls(2), options=_SHORT),
)
ANSWERS: Final = (
    Ending("use", use, WHOLE, "answer", core=True),
    Ending("call elsewhere", call_elsewhere, WHOLE, "answer"),
    Ending("cut in the middle", use, FAILED, "answer", _cuts(0)),
    Ending(
        "broken JSON", use, FAILED, "answer json", lambda reply: (reply.but(pieces=(b'{"id": ',)),)
    ),
    Ending(
        "not JSON",
        use,
        UNREADABLE,
        "answer json",
        lambda reply: (reply.but(pieces=(b"<html>",), kind="text/html"),),
    ),
)
EITHER: Final = (
    Ending("copies", copies, WHOLE, "any", core=True),
    Ending("cancelled before an answer", cancel, FAILED, "any", _stalls(-1), ("async",)),
    Ending("timeout", use, FAILED, "any", _stalls(-1), options=_SHORT),
    Ending("bad request", use, FAILED, "any", _always(400), core=True),
    Ending("server error", use, FAILED, "any", _always(500), options=_RETRYING, retries=2),
    Ending("too many requests", use, WHOLE, "any", _fails(429, 2), options=_RETRYING, retries=2),
    Ending("overloaded once", use, WHOLE, "any", _fails(503, 1), options=_RETRYING, retries=1),
    Ending("raw parse", _raw(_parsed), WHOLE, "any raw", core=True),
    Ending("raw http_response", _raw(_http_response), WHOLE, "answer raw"),
    Ending("raw http_response", _raw(_http_response), BYTES, "stream raw"),
    Ending("raw headers", _raw(_nothing), WHOLE, "answer raw"),
    Ending("raw headers", _raw(_nothing), LEFT, "stream raw"),
    Ending("raw half", _raw(_half), LEFT, "stream raw"),
    Ending("raw bad request", _raw(_parsed), FAILED, "any raw", _always(400)),
    Ending("streaming parse", _streaming(_parsed), WHOLE, "any streaming", core=True),
    Ending("streaming json", _streaming(_reads("json")), WHOLE, "answer json streaming"),
    Ending("streaming text", _streaming(_reads("text")), WHOLE, "answer streaming"),
    Ending("streaming read", _streaming(_reads("read")), WHOLE, "answer streaming"),
    Ending("streaming iter_bytes", _streaming(_iterates("iter_bytes")), BYTES, "any streaming"),
    Ending("streaming iter_lines", _streaming(_iterates("iter_lines")), BYTES, "any streaming"),
    Ending("streaming headers", _streaming(_nothing), LEFT, "any streaming"),
    Ending("streaming half", _streaming(_half), LEFT, "stream streaming"),
    Ending("streaming bad request", _streaming(_parsed), FAILED, "any streaming", _always(400)),
)
ENDINGS: Final = (*STREAMS, *ANSWERS, *EITHER)


def endings_of(method: Method) -> tuple[Ending, ...]:
    """Every ending that ``method`` can have, its own helpers included."""
    helpers = (
        Ending(f"final {name}", finals, WHOLE, "stream", core=True) for name in method.finals
    )
    return (*(ending for ending in ENDINGS if ending.suits(method)), *helpers)


__all__ = ["BROKEN", "ENDINGS", "FAILED", "LEFT", "WHOLE", "Ending", "drive", "endings_of"]
