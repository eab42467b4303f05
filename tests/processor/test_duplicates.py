"""One call is paid once, however many spans it has."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context

from farthing_processor.duplicates import Paid, Sight, models_of, tokens_of
from farthing_processor.span_processor import CostSpanProcessor
from tests.processor.spans import CHAT, CHAT_COST, NATIVE, OFFICIAL, Pipeline, hex_id, paid

LANGCHAIN = "opentelemetry.instrumentation.langchain"
ATTRIBUTE = "farthing.cost.duplicate_of"


@pytest.fixture
def pipeline() -> Pipeline:
    made = Pipeline()
    return made.processed_by(CostSpanProcessor(made.meter_provider))


def without_id(**changes: Any) -> dict[str, Any]:
    said = {name: value for name, value in CHAT.items() if name != "gen_ai.response.id"}
    return said | changes


def seen_twice(pipeline: Pipeline, outer: dict[str, Any], inner: dict[str, Any]) -> list[str]:
    """The spans that say they are duplicates, of two that are one in the other."""
    with pipeline.span(OFFICIAL, "outer") as around:
        with pipeline.span(NATIVE, "inner") as within:
            within.set_attributes(inner)
        around.set_attributes(outer)
    spans = pipeline.exporter.get_finished_spans()
    first = hex_id(spans[0])
    marked = [span for span in spans if ATTRIBUTE in (span.attributes or {})]
    assert all((span.attributes or {})[ATTRIBUTE] == first for span in marked)
    return [span.name for span in marked]


def test_the_inner_span_of_a_call_pays(pipeline: Pipeline) -> None:
    assert seen_twice(pipeline, CHAT, CHAT) == ["outer"]
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST]
    points = pipeline.points()
    assert points["gen_ai.client.operation.cost"][0].count == 1
    # The one around it records its tokens by itself.
    assert "gen_ai.client.token.usage" not in points
    outer = pipeline.said(1)
    assert "farthing.cost.status" not in outer


@pytest.mark.parametrize(
    "outer",
    [
        without_id(),
        without_id(**{"gen_ai.response.model": "gpt-4o"}),
        without_id(**{"gen_ai.request.model": "openai/gpt-4o", "gen_ai.response.model": "x"}),
        # It says only what was asked for, in a snapshot of another day.
        without_id(
            **{"gen_ai.request.model": "gpt-4o-2024-11-20", "gen_ai.response.model": "x"},
        ),
        # Its count is wrong, and it is still that call.
        CHAT | {"gen_ai.usage.output_tokens": 105},
        without_id(**{"gen_ai.usage.output_tokens": 105}),
        # It says nothing of tokens, and something in it has paid.
        {k: v for k, v in CHAT.items() if "usage" not in k},
        {k: v for k, v in without_id().items() if "usage" not in k},
    ],
    ids=["tokens", "model", "namespace", "snapshot", "id", "output", "id alone", "nothing"],
)
def test_what_encloses_a_paid_call_is_that_call(pipeline: Pipeline, outer: dict[str, Any]) -> None:
    assert seen_twice(pipeline, outer, CHAT) == ["outer"]
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST]


@pytest.mark.parametrize(
    "outer",
    [
        without_id(**{"gen_ai.usage.input_tokens": 1001}),
        without_id(**{"gen_ai.request.model": "gpt-4.1", "gen_ai.response.model": "gpt-4.1"}),
        CHAT | {"gen_ai.response.id": "chatcmpl-2"},
    ],
    ids=["tokens", "model", "id"],
)
def test_another_call_in_a_call_is_paid_too(pipeline: Pipeline, outer: dict[str, Any]) -> None:
    assert seen_twice(pipeline, outer, CHAT) == []
    assert len(paid(pipeline.exporter.get_finished_spans())) == 2


def test_a_span_without_usage_reserves_nothing(pipeline: Pipeline) -> None:
    inner = {name: value for name, value in CHAT.items() if "usage" not in name}
    assert seen_twice(pipeline, CHAT, inner) == []
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST]


def test_a_span_that_has_no_price_reserves_nothing(pipeline: Pipeline) -> None:
    inner = {name: value for name, value in CHAT.items() if name != "gen_ai.provider.name"}
    assert seen_twice(pipeline, CHAT, inner) == []
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST]


def test_the_sum_of_the_calls_within_is_not_paid_again(pipeline: Pipeline) -> None:
    with pipeline.span("somebody", "outer") as around:
        for n in (1, 2):
            pipeline.call(gen_ai__response__id=f"chatcmpl-{n}")
        around.set_attributes(
            without_id(
                **{"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 200},
            )
        )
    assert ATTRIBUTE in pipeline.said(2)
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST, CHAT_COST]


def test_an_inner_span_that_ends_later_is_the_same_call(pipeline: Pipeline) -> None:
    """A stream that is read after the function that made it has returned."""
    with pipeline.span("application", "plan"):
        outer = pipeline.provider.get_tracer(OFFICIAL).start_span("outer")
        with trace.use_span(outer):
            inner = pipeline.provider.get_tracer("somebody").start_span("inner")
        outer.set_attributes(CHAT)
        outer.end()
        inner.set_attributes(without_id())
        inner.end()
    assert pipeline.said(1)[ATTRIBUTE] == hex_id(outer)
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST]


def test_the_same_response_fetched_again_in_the_trace_is_paid_once(pipeline: Pipeline) -> None:
    with pipeline.span("application", "plan"):
        pipeline.call()
        pipeline.call()
    assert paid(pipeline.exporter.get_finished_spans()) == [CHAT_COST]


def test_a_server_that_gives_every_answer_one_id_is_paid_for_all(pipeline: Pipeline) -> None:
    with pipeline.span("application", "plan"):
        for tokens in (10, 20, 30):
            pipeline.call(gen_ai__usage__output_tokens=tokens)
    assert len(paid(pipeline.exporter.get_finished_spans())) == 3


def test_equal_calls_one_after_the_other_are_each_paid(pipeline: Pipeline) -> None:
    with pipeline.span("application", "plan"):
        for _ in range(3):
            pipeline.ended(OFFICIAL, without_id())
    assert len(paid(pipeline.exporter.get_finished_spans())) == 3


# Side by side: a tracer that is told of a call, and is not around it.


def both_told(pipeline: Pipeline, tokens: list[tuple[int, int]]) -> int:
    """How many calls are paid of some at once, of each of which two tracers are told."""
    by_scope = {scope: pipeline.provider.get_tracer(scope) for scope in (OFFICIAL, LANGCHAIN)}
    told = [by_scope[LANGCHAIN].start_span("told") for _ in tokens]
    around = [by_scope[OFFICIAL].start_span("around") for _ in tokens]
    for spans in (around, told):
        for span, (asked, taken) in zip(spans, tokens, strict=True):
            span.set_attributes(
                without_id(
                    **{"gen_ai.usage.input_tokens": asked, "gen_ai.usage.output_tokens": taken}
                )
            )
            span.end()
    return len(paid(pipeline.exporter.get_finished_spans()))


def test_a_call_that_two_are_told_of_is_paid_once(pipeline: Pipeline) -> None:
    assert both_told(pipeline, [(1000, 100)]) == 1


def test_so_it_is_within_a_span(pipeline: Pipeline) -> None:
    with pipeline.span("application", "plan"):
        assert both_told(pipeline, [(1000, 100)]) == 1


def test_calls_at_once_with_one_prompt_are_each_paid_once(pipeline: Pipeline) -> None:
    assert both_told(pipeline, [(1000, 100), (1000, 120), (1000, 100)]) == 3


def test_one_tracers_calls_at_once_are_each_paid(pipeline: Pipeline) -> None:
    tracer = pipeline.provider.get_tracer(OFFICIAL)
    spans = [tracer.start_span("chat") for _ in range(3)]
    for span in spans:
        span.set_attributes(without_id())
        span.end()
    assert len(paid(pipeline.exporter.get_finished_spans())) == 3


def test_calls_one_after_the_other_are_each_paid(pipeline: Pipeline) -> None:
    for scope in (OFFICIAL, LANGCHAIN):
        pipeline.ended(scope, without_id())
    assert len(paid(pipeline.exporter.get_finished_spans())) == 2


def at_once(pipeline: Pipeline, *ids: str | None) -> int:
    """How many calls are paid of one of which two tracers are told, each in a span of its own."""
    with ExitStack() as open_spans:
        for scope, response_id in zip((OFFICIAL, LANGCHAIN), ids, strict=True):
            outer = pipeline.provider.get_tracer("application").start_span("outer", Context())
            open_spans.callback(outer.end)
            within = trace.set_span_in_context(outer, Context())
            span = pipeline.provider.get_tracer(scope).start_span("told", within)
            span.set_attributes(without_id())
            if response_id:
                span.set_attribute("gen_ai.response.id", response_id)
            open_spans.callback(span.end)
    return len(paid(pipeline.exporter.get_finished_spans()))


@pytest.mark.parametrize("first", [None, "chatcmpl-1"])
def test_a_call_that_two_have_in_traces_of_their_own_is_paid_once(
    pipeline: Pipeline, first: str | None
) -> None:
    assert at_once(pipeline, first, "chatcmpl-1") == 1


def test_calls_at_once_with_ids_of_their_own_are_each_paid(pipeline: Pipeline) -> None:
    assert at_once(pipeline, "chatcmpl-1", "chatcmpl-2") == 2


# Tokens: of a call that is paid by the span of a tracer that records none.


def counted(pipeline: Pipeline) -> int:
    """The calls of which we have recorded tokens."""
    return sum(point.count for point in pipeline.points().get("gen_ai.client.token.usage", ())) // 2


def test_tokens_that_a_tracer_beside_records_are_not_recorded_again(pipeline: Pipeline) -> None:
    beside = pipeline.provider.get_tracer(OFFICIAL).start_span("beside", attributes=CHAT)
    pipeline.ended(NATIVE, CHAT)
    beside.end()
    assert counted(pipeline) == 0
    pipeline.ended(NATIVE, without_id())
    assert counted(pipeline) == 1


def test_a_span_that_nobody_ends_hides_the_tokens_of_one_call(pipeline: Pipeline) -> None:
    pipeline.provider.get_tracer(OFFICIAL).start_span("beside", attributes=CHAT)
    for _ in range(3):
        pipeline.ended(NATIVE, without_id())
    assert counted(pipeline) == 2


def test_of_calls_at_once_each_has_its_own_span_beside(pipeline: Pipeline) -> None:
    official, native = (pipeline.provider.get_tracer(scope) for scope in (OFFICIAL, NATIVE))
    beside = [official.start_span("beside", attributes=CHAT) for _ in range(2)]
    for other in reversed(beside):
        native.start_span("call", attributes=without_id()).end()
        other.end()
    assert counted(pipeline) == 0


# Memory.


def sight(
    trace: int, span: int, around: Any, response: str | None, tokens: Any, emitter: str = "one"
) -> Sight:
    names, counts = models_of("m"), tokens_of(*tokens)
    return Sight(trace, span, around, emitter, response, names, counts, span, span + 1)


def test_memory_is_bounded_by_trace_and_within_a_trace() -> None:
    calls = Paid(traces=3, calls=2)
    seen = [sight(trace, n, [99], f"r{n}", (n, n)) for trace in range(5) for n in range(4)]
    assert [calls.pay(one) for one in seen] == [None] * 20
    remembered = [one for one in seen if calls.earlier(one._replace(around=[], tokens=None))]
    assert {one.trace_id for one in remembered} == {2, 3, 4}
    assert all(one.span_id in (2, 3) for one in remembered if one.span_id)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(1, 12),
            st.lists(st.integers(1, 12), max_size=3),
            st.sampled_from([None, "a", "b"]),
            st.sampled_from([(None, None), (1, 1), (2, 2)]),
        ),
        max_size=60,
    )
)
@settings(max_examples=200, derandomize=True)
def test_whatever_comes_each_payer_has_paid(spans: list[Any]) -> None:
    calls = Paid(traces=2, calls=3)
    payers: set[int] = set()
    for one in spans:
        seen = sight(*one)
        earlier, first = calls.earlier(seen), calls.pay(seen)
        assert earlier == first
        if first is None:
            payers.add(seen.span_id)
        else:
            assert first in payers
