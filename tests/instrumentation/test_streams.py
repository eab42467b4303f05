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
from opentelemetry.sdk.metrics._internal.aggregation import (
    _ExplicitBucketHistogramAggregation,
)
from opentelemetry.trace import StatusCode

from farthing_processor.recording import BATCH
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
    telemetry.points()  # a finaliser may end nothing itself: the next collection does
    assert_abandoned(telemetry)


def test_dropped_unread(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    del stream
    gc.collect()
    telemetry.points()
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
    assert telemetry.sums()["farthing.calls.unpriced"] == 50
    assert len(telemetry.spans()) == 50
    assert not [thing for thing in gc.get_objects() if type(thing) is Call]


def test_a_stream_dropped_inside_the_sdk_does_not_lock_it_up(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The garbage collector runs finalisers anywhere: here while the SDK holds a lock."""
    gc.disable()
    for _ in range(BATCH + 1):
        next(open_stream(provider))
    collect = _ExplicitBucketHistogramAggregation.collect

    def collecting(self: Any, *args: Any) -> Any:
        with self._lock:
            gc.collect()
        return collect(self, *args)

    monkeypatch.setattr(_ExplicitBucketHistogramAggregation, "collect", collecting)
    try:
        thread = threading.Thread(target=telemetry.points, daemon=True)
        open_stream(provider).close()
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    finally:
        gc.enable()
    monkeypatch.undo()
    assert telemetry.sums()["farthing.calls.unpriced"] == BATCH + 2


def test_a_dropped_stream_ends_with_the_next_call(telemetry: Telemetry, provider: Provider) -> None:
    stream = open_stream(provider)
    next(stream)
    del stream
    gc.collect()
    assert telemetry.spans() == []
    open_stream(provider).close()
    dropped, closed = telemetry.spans()
    assert dropped.end_time is not None
    assert closed.start_time is not None
    assert (
        dropped.end_time <= closed.start_time
    )  # it ended when it was dropped, not when it was noticed


def test_running_counts_of_a_stream_left_early_are_not_final(
    telemetry: Telemetry, provider: Provider
) -> None:
    """Some servers send the usage so far with every chunk."""
    chunks = [chunk | {"usage": shapes.CHAT_USAGE} for chunk in shapes.chat_chunks(None)]
    client = provider.answers(shapes.sse(chunks, done=True)).openai()
    with client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True) as stream:
        next(stream)
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert attributes["gen_ai.usage.input_tokens"] == 2006


def test_the_name_and_the_tier_may_come_late(telemetry: Telemetry, provider: Provider) -> None:
    """As from Azure, whose first chunk is about content filters and names no model."""
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    chunks = [first, *shapes.chat_chunks()]
    for chunk in chunks[1:-1]:
        chunk["service_tier"] = None
    chunks[-1]["service_tier"] = "priority"
    client = provider.answers(shapes.sse(chunks, done=True)).openai()
    list(client.chat.completions.create(model="my-deployment", messages=MESSAGES, stream=True))
    attributes = telemetry.attributes()
    assert attributes["gen_ai.response.model"] == "gpt-4o-2024-08-06"
    assert attributes["gen_ai.response.id"] == "chatcmpl-1"
    assert attributes["openai.response.service_tier"] == "priority"
    assert attributes["gen_ai.usage.cost.amount"] > shapes.CHAT_COST


def test_an_error_event_of_responses_is_an_error(telemetry: Telemetry, provider: Provider) -> None:
    events = [
        shapes.response_events()[0],
        {
            "type": "error",
            "code": "rate_limit_exceeded",
            "message": "slow",
            "param": None,
            "sequence_number": 1,
        },
    ]
    client = provider.answers(shapes.sse(events)).openai()
    list(client.responses.create(model="gpt-5", input="hi", stream=True))
    assert telemetry.attributes()["error.type"] == "rate_limit_exceeded"
    assert telemetry.span().status.status_code is StatusCode.ERROR
