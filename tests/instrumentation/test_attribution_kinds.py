"""Workflow, step and tag on functions of every kind: nothing about the function changes, and each
call inside is paid by its own step, however generators and tasks take turns."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import pickle
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry import context, trace

import farthing
from farthing_processor import attribution
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

pytestmark = pytest.mark.usefixtures("nothing_left_behind", "said_afresh")

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def path() -> str | None:
    """The steps that would pay for a call now."""
    return attribution.current().step_path


@farthing.step("plain")
def plain(value: int, *, more: int = 0) -> tuple[int, str | None]:
    """Said of it."""
    return value + more, path()


@farthing.step("coroutine")
async def coroutine(value: int) -> tuple[int, str | None]:
    await asyncio.sleep(0)
    return value, path()


@farthing.step("generator")
def generator(value: int) -> Generator[Any, Any, str]:
    try:
        while True:
            try:
                got = yield value, path()
                value = value if got is None else got
            except KeyError as error:
                value = error.args[0]
    except StopAsyncIteration:
        return f"returned {path()}"


@farthing.step("values")
async def values(value: int) -> AsyncIterator[Any]:
    while True:
        try:
            await asyncio.sleep(0)
            got = yield value, path()
            value = value if got is None else got
        except KeyError as error:
            value = error.args[0]
        except LookupError:
            return


SCOPES: list[Callable[[], Any]] = [
    lambda: farthing.workflow("w"),
    lambda: farthing.step("s"),
    lambda: farthing.tag(user="u"),
    lambda: farthing.step(""),
]
KINDS = [
    inspect.isfunction,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    asyncio.iscoroutinefunction,
    inspect.signature,
    inspect.getdoc,
    lambda function: (function.__name__, function.__qualname__, function.__module__),
]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("function", [plain, coroutine, generator, values])
def test_a_function_is_what_it_was(scope: Callable[[], Any], function: Any) -> None:
    original = inspect.unwrap(function)
    for made in (function, scope()(original), scope()(function)):
        assert inspect.unwrap(made) is original
        assert [kind(made) for kind in KINDS] == [kind(original) for kind in KINDS]
    assert pickle.loads(pickle.dumps(function)) is function


class Agent:
    @farthing.step("method")
    def method(self) -> tuple[object, str | None]:
        return self, path()

    @farthing.step("class")
    @classmethod
    def of_class(cls) -> tuple[object, str | None]:
        return cls, path()

    @farthing.step("static")
    @staticmethod
    def static(value: int) -> tuple[int, str | None]:
        return value, path()

    @classmethod
    @farthing.step("below")
    async def below(cls) -> tuple[object, str | None]:
        return cls, path()


async def test_methods() -> None:
    agent = Agent()
    assert agent.method() == (agent, "method")
    assert agent.of_class() == (Agent, "class")
    assert Agent.static(3) == (3, "static")
    assert await agent.below() == (Agent, "below")
    assert path() is None


@farthing.step
def named_by_itself() -> str | None:
    return path()


def test_a_step_without_a_name_takes_the_functions() -> None:
    assert named_by_itself() == "named_by_itself"


def test_what_is_no_function_is_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    class Tool:
        def __call__(self) -> int:
            return 1

    tool = Tool()
    assert farthing.step("x")(tool) is tool
    assert farthing.workflow("x")(Tool) is Tool
    assert "Put farthing's decorator next to the function" in caplog.text


def test_results_exceptions_and_arguments_are_untouched() -> None:
    assert plain(2, more=3) == (5, "plain")
    with pytest.raises(TypeError, match=r"plain\(\) missing 1 required"):
        plain()  # type: ignore[call-arg]
    error = ValueError()

    @farthing.workflow("w")
    def raises(given: object) -> None:
        assert given is error
        raise error

    with pytest.raises(ValueError, check=lambda raised: raised is error):
        raises(error)


def test_arguments_may_have_any_name() -> None:
    @farthing.workflow("w")
    def named(**named: object) -> object:
        return named

    given = dict.fromkeys(("self", "function", "args", "kwargs", "stay", "name"), 1)
    assert named(**given) == given


def test_a_generator_does_all_that_generators_do() -> None:
    made = generator(1)
    assert next(made) == (1, "generator")
    assert made.send(2) == (2, "generator")
    assert made.throw(KeyError(3)) == (3, "generator")
    assert path() is None
    with pytest.raises(StopIteration) as stopped:
        made.throw(StopAsyncIteration())
    assert stopped.value.value == "returned generator"
    with pytest.raises(StopIteration):
        next(made)

    def delegating() -> Generator[Any, Any, Any]:
        return (yield from generator(1))

    outer = delegating()
    assert next(outer) == (1, "generator")
    assert outer.send(5) == (5, "generator")
    with pytest.raises(StopIteration) as stopped:
        outer.throw(StopAsyncIteration())
    assert stopped.value.value == "returned generator"


async def test_an_async_generator_does_all_that_they_do() -> None:
    made = values(1)
    assert await anext(made) == (1, "values")
    assert await made.asend(2) == (2, "values")
    assert await made.athrow(KeyError(3)) == (3, "values")
    assert path() is None
    with pytest.raises(StopAsyncIteration):
        await made.athrow(LookupError())
    with pytest.raises(StopAsyncIteration):
        await anext(made)
    closed = values(1)
    await anext(closed)
    await closed.aclose()
    await closed.aclose()
    assert path() is None


def test_a_generator_that_ignores_its_closing_is_told_so() -> None:
    @farthing.step("x")
    def stubborn() -> Iterator[int]:
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    made = stubborn()
    next(made)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        made.close()
    assert path() is None


def test_a_coroutine_of_old_can_still_be_awaited() -> None:
    @farthing.step("old")
    @types.coroutine
    def old() -> Generator[Any, Any, Any]:
        yield
        return path()

    async def main() -> Any:
        return await old()

    assert asyncio.run(main()) == "old"


def test_generators_that_take_turns_each_pay_for_themselves(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).openai()

    def asking(times: int) -> Iterator[int]:
        for number in range(times):
            client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            yield number

    before = context.get_current()
    turns = [farthing.step(name)(asking)(2) for name in "ab"]
    for made in (*turns, *turns):
        next(made)
        assert context.get_current() is before
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    names = [span.attributes["farthing.step.name"] for span in telemetry.spans()]
    own = "chat gpt-4o"
    assert names == ["a", own, "b", own, "a", own, "b", own]


async def test_async_generators_and_tasks_that_take_turns(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).async_openai()

    async def asking() -> AsyncIterator[None]:
        for _ in range(2):
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            yield

    async def reading(name: str) -> None:
        before = context.get_current()
        async for _ in farthing.step(name)(asking)():
            assert context.get_current() is before
            await asyncio.sleep(0)

    with farthing.step("all"):
        await asyncio.gather(*map(reading, "abc"))
    paid = sorted(span.attributes["farthing.step.path"] for span in telemetry.spans())
    assert paid == [f"all/{name}" for name in "aabbcc"]


def test_a_span_or_step_inside_a_generator_stays_inside(telemetry: Telemetry) -> None:
    @farthing.step("outer")
    def working() -> Iterator[tuple[str | None, Any]]:
        with telemetry.tracer.start_as_current_span("work"), farthing.step("inner"):
            yield path(), trace.get_current_span()
            yield path(), trace.get_current_span()
        yield path(), trace.get_current_span()

    before = context.get_current()
    seen = []
    for item in working():
        assert context.get_current() is before
        seen.append((item[0], getattr(item[1], "name", None)))
    assert seen == [("outer/inner", "work"), ("outer/inner", "work"), ("outer", None)]


async def test_an_exception_thrown_in_is_freed_without_the_collector() -> None:
    freed: list[str] = []

    class Fault(Exception):
        def __del__(self) -> None:
            freed.append(self.args[0])

    async def failing() -> None:
        raise Fault("awaited")

    gc.disable()
    try:
        made, made_async = generator(1), values(1)
        next(made)
        with contextlib.suppress(Fault):
            made.throw(Fault("thrown"))
        await anext(made_async)
        with contextlib.suppress(Fault):
            await made_async.athrow(Fault("thrown async"))
        with contextlib.suppress(Fault):
            await farthing.step("x")(failing)()
        assert freed == ["thrown", "thrown async", "awaited"]
    finally:
        gc.enable()


async def test_while_it_waits_nobody_else_is_in_its_step() -> None:
    seen: list[str | None] = []

    @types.coroutine
    def suspend() -> Generator[None, None, None]:
        yield

    @farthing.step("driven")
    async def work() -> str | None:
        await suspend()
        return path()

    driven: Any = work()
    driven.send(None)
    seen.append(path())
    with pytest.raises(StopIteration) as stopped:
        driven.send(None)
    assert (seen, stopped.value.value, path()) == ([None], "driven", None)


async def test_timeouts_and_groups_work_as_before() -> None:
    @farthing.step("slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await slow()

    async def several() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(slow())
            group.create_task(asyncio.wait_for(slow(), 0.01))

    with pytest.raises(ExceptionGroup):
        await several()
    assert path() is None


async def test_one_decorator_serves_many_tasks_and_itself() -> None:
    @farthing.tag(agent="a")
    @farthing.step("deep")
    async def deep(levels: int) -> list[str | None]:
        await asyncio.sleep(0)
        return [path(), *(await deep(levels - 1) if levels else [])]

    assert await asyncio.gather(*(deep(3) for _ in range(20))) == [["deep"] * 4] * 20
