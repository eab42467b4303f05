"""Generators, coroutines and tasks that end early or elsewhere: the scope they were in ends once,
and nobody else is left in it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan

import farthing
from farthing_processor import attribution
from tests.instrumentation.conftest import Telemetry

pytestmark = pytest.mark.usefixtures("nothing_left_behind", "said_afresh")

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def path() -> str | None:
    """The steps that would pay for a call now."""
    return attribution.current().step_path


CLOSINGS: dict[str, Callable[[Iterator[Any]], Any]] = {
    "close": lambda made: made.close(),  # type: ignore[attr-defined]
    "drop": lambda made: None,
    "read to its end": list,
    "another thread": lambda made: in_thread(made.close),  # type: ignore[attr-defined]
    "another context": lambda made: contextvars.Context().run(made.close),  # type: ignore[attr-defined]
}


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("decorated", [True, False])
def test_however_a_generator_ends(telemetry: Telemetry, closing: str, decorated: bool) -> None:
    """Its workflow has ended once and not failed; the consumer's context is what it was."""
    cleanup: list[str | None] = []

    def reading() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            cleanup.append(path())

    on_function = farthing.workflow("report")(farthing.step("read")(reading))

    def inside() -> Iterator[int]:
        with farthing.workflow("report"), farthing.step("read"):
            yield from reading()

    def consume() -> None:
        before = context.get_current()
        made = (on_function if decorated else inside)()
        next(made)
        assert not decorated or context.get_current() is before
        CLOSINGS[closing](made)
        del made
        assert (context.get_current() is before) is not leaks

    # With a yield inside a with, a consumer whose generator is closed elsewhere stays in the scope.
    leaks = not decorated and closing.startswith("another")
    contextvars.copy_context().run(consume)
    telemetry.points()  # a collection settles
    (span,) = telemetry.spans()
    assert span.attributes["farthing.workflow.outcome"] == "success"
    assert cleanup == ["read" if decorated or not leaks else None]


def test_a_generator_in_a_cycle_is_closed_by_the_collector(telemetry: Telemetry) -> None:
    @farthing.workflow("report")
    def reading(own: list[Any]) -> Iterator[int]:
        yield 1
        own.clear()

    own: list[Any] = []
    own.append(reading(own))
    next(own[0])
    del own
    gc.collect()
    # The collector may come while the SDK holds its locks: the span is left for later.
    assert telemetry.spans() == []
    with farthing.workflow("another"):
        (span,) = telemetry.spans()
    assert span.name == "invoke_workflow report"
    assert span.attributes["farthing.workflow.outcome"] == "success"


def test_generators_with_a_yield_inside_a_with_may_end_in_any_order() -> None:
    def reading(name: str) -> Iterator[None]:
        with farthing.step(name):
            yield

    before = context.get_current()
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)):
        made = [reading(name) for name in "abc"]
        for one in made:
            next(one)
        for index in order:
            list(made[index])
        assert context.get_current() is before


async def test_a_cancelled_task_is_cancelled_and_its_workflow_too(telemetry: Telemetry) -> None:
    waiting = asyncio.Event()

    @farthing.workflow("report")
    @farthing.step("wait")
    async def work() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            assert path() == "wait"
            await asyncio.sleep(0)
            assert path() == "wait"

    task = asyncio.create_task(work())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    (span,) = telemetry.spans()
    assert span.attributes["farthing.workflow.outcome"] == "cancelled"
    assert "error.type" not in span.attributes


def test_a_coroutine_that_is_closed_is_cancelled(telemetry: Telemetry) -> None:
    @farthing.workflow("report")
    async def work() -> None:
        await asyncio.sleep(1)

    made: Any = work()

    @types.coroutine
    def once() -> Generator[None, None, None]:
        yield

    async def suspended() -> None:
        await once()

    made.close()  # never begun: no workflow
    begun: Any = farthing.workflow("report")(suspended)()
    begun.send(None)
    contextvars.Context().run(begun.close)
    telemetry.points()
    (span,) = telemetry.spans()
    assert span.attributes["farthing.workflow.outcome"] == "cancelled"


@pytest.mark.parametrize("cleanup", [0, 0.01])
def test_a_loop_that_shuts_down_closes_it_in_peace(
    cleanup: float, caplog: pytest.LogCaptureFixture, telemetry: Telemetry
) -> None:
    done: list[str | None] = []

    @farthing.workflow("report")
    @farthing.step("stream")
    async def stream() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(cleanup)
            done.append(path())

    kept: list[Any] = []

    async def main() -> None:
        kept.append(stream())
        await anext(kept[0])

    asyncio.run(main())
    assert done == ["stream"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    telemetry.points()
    assert ended(telemetry.spans()) == ["success"]


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_an_async_generator_left_early(telemetry: Telemetry, elsewhere: bool) -> None:
    @farthing.workflow("report")
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    before = context.get_current()
    made = stream()
    async for _ in made:
        break
    assert context.get_current() is before
    await (asyncio.create_task(closing(made)) if elsewhere else closing(made))
    assert context.get_current() is before
    telemetry.points()
    assert ended(telemetry.spans()) == ["success"]


async def closing(made: Any) -> None:
    await made.aclose()
    assert path() is None


def ended(spans: list[ReadableSpan]) -> list[Any]:
    return [span.attributes["farthing.workflow.outcome"] for span in spans]
