"""What a span says, as a row of calls; what it should not say, as nothing."""

from __future__ import annotations

import math
import sqlite3
from random import Random

import pytest

from farthing_dashboards.otlp import Event
from farthing_dashboards.store.schema import GROUP
from farthing_processor import semconv as names
from farthing_processor.histogram import Histogram, bucket_of
from tests.dashboards.store.agent_spans import START_NS, call, span
from tests.dashboards.store.recomputing import rows


def the_call(store):
    """The only call, by column, with its group."""
    with store.reading() as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute(
            "SELECT calls.*, groups.* FROM calls JOIN groups ON groups.id = group_id"
        ).fetchall()
        return dict(row)


def test_a_row_says_what_the_span_says(store):
    attributes = {
        names.WORKFLOW_NAME: "brief",
        names.WORKFLOW_ID: "run-1",
        names.AGENT_NAME: "writer",
        names.FEATURE: "export",
        names.STEP_NAME: "planning",
        names.USER_ID: "ada",
        names.SESSION_ID: "s-1",
        names.COST_AMOUNT: 0.0159696,
        f"{names.COST_CLASS_PREFIX}input": 0.006204,
        f"{names.COST_CLASS_PREFIX}output": 0.008835,
        f"{names.COST_CLASS_PREFIX}cache_read": 0.0009306,
        names.COST_CACHE_SAVINGS: -0.0083754,
        names.OUTLIER_AVOIDABLE_COST: 0.5,
        names.OUTLIER_DETECTED: True,
        names.OUTLIER_REASONS: [names.REPEATED_PROMPT, names.COLD_THRESHOLD, names.COST_OUTLIER],
        names.WASTE_REASON: "repeated",
        names.USAGE_INPUT_TOKENS: 5170,
        names.USAGE_OUTPUT_TOKENS: 589,
        names.USAGE_CACHE_READ: 3102,
        names.USAGE_REASONING: 12,
        names.RETRIES: 1,
        names.RESPONSE_TIME_TO_FIRST_CHUNK: 0.25,
    }
    one = call(Random(2), attributes, end_ns=START_NS + 1_500_000_000)
    store([one])
    found = the_call(store)
    expected = {
        "trace_id": bytes.fromhex(one.trace_id),
        "span_id": bytes.fromhex(one.span_id),
        "at": START_NS,
        "run": "run-1",
        "user": "ada",
        "session": "s-1",
        "status": "priced",
        "error": 0,
        "retries": 1,
        "input_tokens": 5170,
        "output_tokens": 589,
        "cache_read_tokens": 3102,
        "cache_write_tokens": None,
        "reasoning_tokens": 12,
        "cost": 15_969_600_000,
        "cost_input": 6_204_000_000,
        "cost_cache_read": 930_600_000,
        "cost_cache_write": None,
        "cost_output": 8_835_000_000,
        "cost_tools": None,
        "savings": -8_375_400_000,
        "avoidable": 500_000_000_000,
        "flagged": 1,
        "reasons": "cost_outlier,repeated_prompt",
        "waste": "repeated",
        "duration": bucket_of(1.5),
        "first_chunk": bucket_of(0.25),
        "prices": "genai-prices 0.2.3",
        "service": "sample-agent",
        "provider": "anthropic",
        "model": "claude-sonnet-4-6",
        "operation": "chat",
        "step": "planning",
        "agent": "writer",
        "workflow": "brief",
        "feature": "export",
    }
    assert {name: found[name] for name in expected} == expected


NONSENSE = (None, True, "5", "", -1, -0.5, 2**63, 2**70, math.nan, math.inf, -math.inf, [1], b"\0")
NUMBERS = {
    names.USAGE_INPUT_TOKENS: "input_tokens",
    names.RETRIES: "retries",
    names.COST_AMOUNT: "cost",
    f"{names.COST_CLASS_PREFIX}output": "cost_output",
    names.OUTLIER_AVOIDABLE_COST: "avoidable",
    names.RESPONSE_TIME_TO_FIRST_CHUNK: "first_chunk",
}


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_what_is_no_number_that_a_call_can_have_sets_nothing(store, value):
    said = dict.fromkeys((*NUMBERS, names.COST_CACHE_SAVINGS), value)
    one = call(Random(3))
    store([span(Random(3), attributes={**one.attributes, **said})])
    found = the_call(store)
    assert {column: found[column] for column in NUMBERS.values()} == {
        **dict.fromkeys(NUMBERS.values()),
        "retries": 0,
    }
    rows(store, "SELECT 1")


@pytest.mark.parametrize("value", [None, True, 5, 0.5, ["a"], {"a": 1}, b"\xff", ""], ids=repr)
def test_what_is_no_text_sets_nothing(store, value):
    texts = {
        names.STEP_NAME: "step",
        names.PROVIDER_NAME: "provider",
        names.OPERATION_NAME: "operation",
        names.USER_ID: "user",
        names.WORKFLOW_ID: "run",
        names.WASTE_REASON: "waste",
        names.OUTLIER_REASONS: "reasons",
        names.COST_PRICES: "prices",
    }
    one = call(Random(4))
    attributes = {**one.attributes, **dict.fromkeys(texts, value)}
    store([span(Random(4), attributes=attributes, resource={"service.name": value})])
    found = the_call(store)
    nothing = {column: "" if column in GROUP else None for column in texts.values()}
    assert {column: found[column] for column in nothing} == nothing
    assert found["service"] == ""


def test_what_no_sender_should_send_is_kept_all_the_same(store):
    long = "x" * 100_000
    odd = [
        call(Random(5), {names.STEP_NAME: long, names.USER_ID: long}),
        call(Random(6), start_ns=2**64 - 1, end_ns=0),
        call(Random(7), start_ns=0, end_ns=2**64 - 1),
        call(Random(8), {names.USER_ID: "a\0b"}),
        call(Random(9), trace_id="", span_id=""),
        call(Random(10), events=(Event("odd", 1, {"bytes": b"\0", "none": None, "x": math.nan}),)),
        call(Random(11), {names.COST_DIALECT: "openinference", "llm.token_count.prompt": [b"x"]}),
        call(Random(12), {names.COST_STATUS: ["?"], names.WORKFLOW_OUTCOME: 3}),
    ]
    store(odd)
    found = rows(store, "SELECT max(length(step)) FROM groups")
    assert found == [(256,)]
    assert rows(store, "SELECT count(*), max(length(user)) FROM calls") == [(8, 256)]


def test_what_is_no_call_is_kept_but_not_counted(store):
    paid = call(Random(13))
    store(
        [
            span(Random(14), name="GET /"),
            call(Random(15), {names.COST_DUPLICATE_OF: paid.span_id}),
            call(Random(16), {names.COST_STATUS: None, names.COST_AMOUNT: None}),
            call(
                Random(17),
                {names.COST_STATUS: None, names.COST_AMOUNT: None, names.ERROR_TYPE: "Timeout"},
                scope="another.tracer",
            ),
        ]
    )
    assert dict(rows(store, "SELECT name, value FROM meta WHERE name IN ('spans', 'calls')")) == {
        "spans": 4,
        "calls": 0,
    }
    assert rows(store, "SELECT * FROM hour_sums") == []


def test_a_call_that_failed_unbilled_is_an_error_and_neither_priced_nor_unpriced(store):
    failed = {names.COST_STATUS: None, names.COST_AMOUNT: None, names.ERROR_TYPE: "Timeout"}
    store([call(Random(18), failed)])
    assert rows(store, "SELECT calls, errors, priced, unpriced FROM hour_sums") == [(1, 1, 0, 0)]


def test_another_tracers_names_are_read_by_their_dialect(store):
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.provider": "openai",
        "llm.token_count.prompt": 120,
        "llm.token_count.completion": 30,
        names.COST_STATUS: "priced",
        names.COST_AMOUNT: 0.0006,
        names.COST_DIALECT: "openinference",
        names.STEP_NAME: "plan",
    }
    scope = "openinference.instrumentation.openai"
    store([span(Random(19), attributes=attributes, scope=scope)])
    found = the_call(store)
    assert [found[name] for name in ("provider", "model", "operation", "step")] == [
        "openai",
        "gpt-4o",
        "chat",
        "plan",
    ]
    assert (found["input_tokens"], found["output_tokens"]) == (120, 30)


@pytest.mark.parametrize("value", [0, 5e-324, 2.0**-40, 1e-9, 0.25, 1, 1.5, 7e11, 2.0**41, 1e300])
def test_a_bucket_is_the_histograms(value):
    histogram = Histogram()
    histogram.insert(value)
    assert histogram.buckets() == {bucket_of(value): 1}
