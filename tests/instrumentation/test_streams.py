"""How a stream may end: each way once, with the caller undisturbed."""

from __future__ import annotations

import asyncio
import copy
import gc
import threading
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def open_stream(provider: Provider, **reply: Any) -> openai.Stream[Any]:
    client = provider.answers(shapes.sse(shapes.chat_chunks(), **({"done": True} | reply))).openai()
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)


async def open_async_stream(provider: Provider, **reply: Any) -> openai.AsyncStream[Any]:
    client = provider.answers(
        shapes.sse(shapes.chat_chunks(), **({"done": True} | reply))
    ).async_openai()
    return await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)


def assert_abandoned(telemetry: Telemetry) -> None:
    attributes = telemetry.attributes()
    assert telemetry.span().status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert attributes["gen_ai.response.finish_reasons"] == ("error",)
    assert telemetry.sums()["farthing.calls.unpriced"] == 1


def test_close(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    next(stream)
    stream.close()
    stream.close()
    assert_abandoned(telemetry)


def test_with_and_break(telemetry: Telemetry, provider: Provider) -> None:
    with open_stream(provider) as stream:
        for _ in stream:
            break
    assert_abandoned(telemetry)


def test_dropped_half_read(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    next(stream)
    del stream
    gc.collect()
    assert_abandoned(telemetry)


def test_dropped_unread(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    del stream
    gc.collect()
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert "gen_ai.response.time_to_first_chunk" not in attributes


def test_left_after_the_usage_came(telemetry: Telemetry, provider: Provider) -> None:
    """Nothing is missing: the usage chunk is the last word, whoever waits for the end or not."""
    stream = open_stream(provider)
    for chunk in stream:
        if chunk.usage:
            break
    stream.close()
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_broken_off_by_the_server(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider, done=False, error=httpx2.ReadError("cut"))
    with pytest.raises((openai.APIConnectionError, httpx2.ReadError)) as raised:
        list(stream)
    attributes = telemetry.attributes()
    assert telemetry.span().status.status_code is StatusCode.ERROR
    assert attributes["error.type"] == raised.type.__qualname__
    # It failed after the usage had come, so what it cost is known.
    assert attributes["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_broken_off_before_the_usage(telemetry: Telemetry, provider: Provider) -> None:
    reply = shapes.sse(shapes.chat_chunks()[:2], error=httpx2.ReadError("cut"))
    client = provider.answers(reply).openai()
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    with pytest.raises((openai.APIConnectionError, httpx2.ReadError)):
        list(stream)
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert "error.type" in attributes


def test_an_exception_in_the_loop_is_the_callers(telemetry: Telemetry, provider: Provider) -> None:
    def loop() -> None:
        with open_stream(provider) as stream:
            for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert_abandoned(telemetry)


def test_read_in_another_thread(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    thread = threading.Thread(target=lambda: list(stream))
    thread.start()
    thread.join()
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_closed_from_many_threads_ends_once(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    next(stream)
    threads = [threading.Thread(target=stream.close) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_abandoned(telemetry)


async def test_async_break_and_close(telemetry: Telemetry, provider: Provider) -> None:
    async with await open_async_stream(provider) as stream:
        async for _ in stream:
            break
    assert_abandoned(telemetry)


async def test_async_cancelled(telemetry: Telemetry, provider: Provider) -> None:
    started = asyncio.Event()

    class Stalls(shapes.Bytes):
        async def __aiter__(self) -> Any:
            for piece in self.pieces[:2]:
                yield piece
            started.set()
            await asyncio.Event().wait()

    reply = shapes.sse(shapes.chat_chunks())
    stalled = httpx2.Response(200, headers=reply.headers, stream=Stalls(reply.stream.pieces))  # type: ignore[attr-defined]
    client = provider.answers(stalled).async_openai()

    async def read() -> None:
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=True
        )
        async for _ in stream:
            pass

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    attributes = telemetry.attributes()
    assert attributes["error.type"] == "CancelledError"
    assert telemetry.span().status.status_code is StatusCode.ERROR
    assert attributes["farthing.cost.status"] == "usage_missing"


async def test_cancelled_before_an_answer(telemetry: Telemetry, provider: Provider) -> None:
    started = asyncio.Event()

    async def never(_request: httpx2.Request) -> httpx2.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    client = openai.AsyncOpenAI(
        api_key="key", http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(never))
    )
    task = asyncio.create_task(client.chat.completions.create(model="gpt-4o", messages=MESSAGES))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert telemetry.attributes()["error.type"] == "CancelledError"
    assert "farthing.cost.status" not in telemetry.attributes()


async def test_a_coroutine_closed_from_elsewhere(
    telemetry: Telemetry, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing it in another context must neither fail nor log a failed detach."""

    async def never(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = openai.AsyncOpenAI(
        api_key="key", http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(never))
    )
    coroutine = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    started = coroutine.send(None)
    assert started is not None
    await asyncio.to_thread(coroutine.close)
    assert "detach" not in caplog.text
    assert len(telemetry.spans()) == 1
    context.attach(context.Context())


def test_the_context_is_the_callers_again(telemetry: Telemetry, provider: Provider) -> None:
    before = context.get_current()
    stream = open_stream(provider)
    assert context.get_current() is before
    for _ in stream:
        assert context.get_current() is before
        assert not trace.get_current_span().get_span_context().is_valid


def test_the_stream_is_the_clients_own(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    assert isinstance(stream, openai.Stream)
    assert type(stream) is openai.Stream
    assert isinstance(stream.response, httpx2.Response)
    assert type(copy.copy(stream)) is openai.Stream
    assert len(list(stream)) == 5


def test_chunks_that_make_no_sense(telemetry: Telemetry, provider: Provider) -> None:
    """Whatever the caller's own loop can stand, it gets."""
    odd: list[Any] = [
        {"choices": None},
        {"choices": [{"index": 3, "delta": None}]},
        {"id": 5, "model": ["x"], "choices": [None]},
        {},
        {"usage": {"prompt_tokens": "x"}},
    ]
    client = provider.answers(shapes.sse(odd, done=True)).openai()
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    assert len(list(stream)) == 5
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_many_abandoned_streams_leave_nothing_behind(
    telemetry: Telemetry, provider: Provider
) -> None:
    from farthing.call import Call

    for _ in range(50):
        next(open_stream(provider))
    gc.collect()
    gc.collect()  # the first one ran the finalisers that held the calls
    assert len(telemetry.spans()) == 50
    assert telemetry.sums()["farthing.calls.unpriced"] == 50
    assert not [thing for thing in gc.get_objects() if type(thing) is Call]
