"""Who pays, as the application says it: workflow, step, tag and outcome around real calls."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

import farthing
from farthing_processor import attribution, metrics
from farthing_processor.attribution import Attribution
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

pytestmark = pytest.mark.usefixtures("nothing_left_behind", "said_afresh")

MESSAGES: Any = [{"role": "user", "content": "hi"}]


def ask(provider: Provider) -> None:
    provider.openai().chat.completions.create(model="gpt-4o", messages=MESSAGES)


def calls(telemetry: Telemetry) -> list[dict[str, Any]]:
    """The attributes of the calls, in the order in which they ended."""
    return [
        dict(span.attributes or {}) for span in telemetry.spans() if span.name.startswith("chat")
    ]


def test_everything_that_was_said_is_on_the_call(telemetry: Telemetry, answering: Provider) -> None:
    with (
        farthing.workflow("report", id="r-1"),
        farthing.tag(agent="writer", feature="export", user="ada", session="s-1"),
        farthing.tag(task="t-1", task_type="doc", team="blue", **{"cost.centre": 7}),
        farthing.step("plan"),
    ):
        ask(answering)
    (call,) = calls(telemetry)
    assert {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.workflow.name": "report",
        "farthing.workflow.id": "r-1",
        "farthing.step.name": "plan",
        "farthing.step.path": "plan",
        "gen_ai.agent.name": "writer",
        "farthing.feature": "export",
        "user.id": "ada",
        "session.id": "s-1",
        "farthing.task.id": "t-1",
        "farthing.task.type": "doc",
        "farthing.tag.team": "blue",
        "farthing.tag.cost.centre": "7",
    }.items() <= call.items()
    spans = {span.name.split()[0]: span for span in telemetry.spans()}
    assert spans["chat"].context.trace_id == spans["invoke_workflow"].context.trace_id


def test_only_labels_of_the_list_are_on_metrics(telemetry: Telemetry, answering: Provider) -> None:
    with (
        farthing.workflow("report"),
        farthing.tag(agent="writer", feature="export", user="ada", session="s", task="t", team="b"),
        farthing.step("plan"),
    ):
        ask(answering)
    for name, points in telemetry.points().items():
        (metric,) = [metric for metric in metrics.CATALOGUE if metric.name == name]
        for point in points:
            assert set(point.attributes) <= set(metric.labels)
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert {
        "farthing.step.name": "plan",
        "gen_ai.agent.name": "writer",
        "gen_ai.workflow.name": "report",
        "farthing.feature": "export",
    }.items() <= cost.attributes.items()


def test_the_innermost_step_pays_and_the_path_is_kept(
    telemetry: Telemetry, answering: Provider
) -> None:
    with farthing.step("a"):
        with farthing.step("b"):
            with contextlib.suppress(LookupError), farthing.step("c"):
                ask(answering)
                raise LookupError
            ask(answering)
        ask(answering)
    paid = [(call["farthing.step.name"], call["farthing.step.path"]) for call in calls(telemetry)]
    assert paid == [("c", "a/b/c"), ("b", "a/b"), ("a", "a")]
    assert len(telemetry.spans()) == 3  # a step makes none


def test_a_path_is_bounded() -> None:
    def down(names: list[str]) -> str:
        if not names:
            return attribution.current().step_path or ""
        with farthing.step(names[0]):
            return down(names[1:])

    assert down(["again"] * 100) == "again"
    assert down(["a", "b", "a"]) == "a/b/a"
    assert down(["a", "b"] * 50 + ["last"]).split("/") == ["a", "b"] * 7 + ["a", "last"]
    assert down(["x" * 200, "y" * 100]) == "y" * 100
    assert down(["x" * 100, "y" * 100, "z" * 100]) == "x" * 100 + "/" + "z" * 100
    assert down(["a", "x" * 9_999]) == "x" * 256
    assert down(["a", "/" * 300]) == "/" * 256


@pytest.mark.parametrize("bad", [None, "", " \n ", b"bytes", [], {}, object(), ValueError])
def test_what_cannot_be_used_is_said_once_and_left_out(
    bad: Any, telemetry: Telemetry, answering: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with (
            farthing.workflow(bad) as run,
            farthing.step("plan"),
            farthing.step(bad),
            farthing.tag(user=bad, team=bad),
        ):
            farthing.outcome(bad)
            ask(answering)
    call, _ = calls(telemetry)
    assert call["farthing.step.path"] == "plan"
    assert call["gen_ai.workflow.name"] == "unknown"
    assert call["farthing.workflow.id"] != run.id
    assert not {"user.id", "farthing.tag.team"} & set(call)
    warned = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert len(warned) == (3 if bad is None else 5)  # a tag that is None says nothing
    assert all("give a text that is not empty" in sentence for sentence in warned)


class Sulking:
    def __str__(self) -> str:
        raise RuntimeError


class Reference(str):
    def strip(self, _chars: str | None = None) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "7"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (" ada\x00\x1b[31m\u2028 ", "ada[31m"),
        ("\ud800a", "a"),
        ("日本", "日本"),
        ("👩‍🚀", "👩‍🚀"),
        ("x" * 1_000_000, "x" * 256),
        (Reference("ada"), "ada"),
        (Sulking(), None),
    ],
)
def test_a_value_is_one_line_of_text(
    value: object, said: str | None, telemetry: Telemetry, answering: Provider
) -> None:
    with farthing.tag(user=value):
        ask(answering)
    assert calls(telemetry)[0].get("user.id") == said
    encode_spans(telemetry.spans()).SerializeToString()  # an exporter can


def test_own_tags_are_bounded(
    telemetry: Telemetry, answering: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    many = {f"k{index}": index for index in range(20)}
    with farthing.tag(team="blue", **many), farthing.tag(team="red", **{"Not a key": 1, "é": 2}):
        ask(answering)
    (call,) = calls(telemetry)
    tags = {key: value for key, value in call.items() if key.startswith("farthing.tag.")}
    assert len(tags) == 16
    assert tags["farthing.tag.team"] == "red"
    assert tags["farthing.tag.k19"] == "19"
    sentences = {record.getMessage() for record in caplog.records if record.levelno > logging.INFO}
    assert sentences == {
        "farthing.tag() keeps the newest 16 tags of a call: use fewer.",
        "farthing.tag() ignores 'Not a key': name a tag with up to 64 of a-z, 0-9, _, . and -.",
    }


def test_an_inner_tag_wins_and_the_rest_stays() -> None:
    with farthing.tag(agent="a", user="u", team="x"), farthing.tag(agent="b", unit="y", user=None):
        who = attribution.current()
    assert (who.agent, who.user, dict(who.tags)) == ("b", "u", {"team": "x", "unit": "y"})


def test_without_instrumentation_it_is_context_and_nothing_else() -> None:
    before = context.get_current()
    with farthing.workflow("report") as run, farthing.step("plan"), farthing.tag(user="ada"):
        who = attribution.current()
        assert who == Attribution("report", run.id, "plan", "plan", user="ada", run=run)
        # Nothing keeps it from providers then.
        assert not baggage.get_all()
        assert trace.get_current_span() is trace.INVALID_SPAN
    assert run.outcome == "success"
    assert context.get_current() is before


def test_a_span_processor_that_breaks_hides_no_call(
    telemetry: Telemetry, answering: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError

    processors = telemetry.tracer_provider._active_span_processor._span_processors
    monkeypatch.setattr(processors[0], "on_start", broken)
    with farthing.workflow("report"), farthing.step("plan"):
        ask(answering)
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert cost.attributes["farthing.step.name"] == "plan"
    assert cost.attributes["gen_ai.workflow.name"] == "report"


def test_a_thread_that_was_given_the_context_pays_for_its_step(
    telemetry: Telemetry, answering: Provider
) -> None:
    with farthing.workflow("report") as run, farthing.step("plan"):
        inherited = contextvars.copy_context()
        thread = threading.Thread(target=inherited.run, args=(ask, answering))
        thread.start()
        thread.join()
    (call,) = calls(telemetry)
    assert call["farthing.step.name"] == "plan"
    assert call["farthing.workflow.id"] == run.id


def test_one_object_serves_many_threads(telemetry: Telemetry, answering: Provider) -> None:
    workflow, step = farthing.workflow("report"), farthing.step("plan")
    together = threading.Barrier(8)

    def work(fails: bool) -> tuple[str, str | None]:
        before = context.get_current()
        try:
            with workflow as run, step:
                together.wait(10)
                ask(answering)
                together.wait(10)
                if fails:
                    raise ValueError
        except ValueError:
            pass
        assert context.get_current() is before
        return run.id, run.outcome

    with ThreadPoolExecutor(8) as pool:
        came_to = dict(pool.map(work, [False, True] * 4))
    assert sorted(came_to.values()) == ["failed"] * 4 + ["success"] * 4
    assert {call["farthing.workflow.id"] for call in calls(telemetry)} == set(came_to)


async def test_tasks_inherit_and_do_not_mix(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    client = provider.async_openai()

    async def one(name: str) -> None:
        with farthing.step(name):
            await asyncio.sleep(0)
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            await asyncio.sleep(0)

    before = context.get_current()
    with farthing.workflow("report"), farthing.step("outer"):
        await asyncio.gather(*(one(f"s{index}") for index in range(5)))
    assert context.get_current() is before
    paths = {call["farthing.step.path"] for call in calls(telemetry)}
    assert paths == {f"outer/s{index}" for index in range(5)}


async def test_a_task_that_outlives_its_step_is_still_paid_by_it(
    telemetry: Telemetry, provider: Provider
) -> None:
    client = provider.answers(shapes.ok(shapes.chat())).async_openai()
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        with farthing.step("inner"):
            pass
        await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    with farthing.step("outer"):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    go.set()
    await task
    assert calls(telemetry)[0]["farthing.step.path"] == "outer"


def test_a_tick_that_sets_off_the_next_one_keeps_nothing() -> None:
    """Each begins in the context of the one before, for ever."""
    ticking, previous, kept = farthing.step("tick"), contextvars.copy_context(), []

    def tick() -> contextvars.Context:
        with ticking:
            kept.append(weakref.ref(context.get_current()))
            return contextvars.copy_context()

    for _ in range(50):
        previous = previous.run(tick)
    assert previous.run(attribution.current).step_path == "tick"
    assert sum(made() is not None for made in kept) == 1
