"""A trace as a waterfall: every span once, in its place, with what it cost and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farthing_dashboards.otlp import Event, LogRecord, Span
from farthing_dashboards.store import Store
from farthing_dashboards.view.trace import trace
from farthing_dashboards.view.words import FLAGS
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import SECOND, START_NS, call, run, span
from tests.dashboards.view import oracle
from tests.dashboards.view.conftest import KEPT, Filled

TRACE = "ab" * 16


def look(store: Store, trace_id: str = TRACE) -> dict[str, Any] | None:
    with store.reading() as connection:
        found = trace(connection, trace_id)
    json.dumps(found, allow_nan=False)
    return found


def shown(store: Store, *spans: Span) -> list[dict[str, Any]]:
    store(spans)
    found = look(store)
    assert found is not None
    return found["spans"]


def _span(id: int, parent: int | None, start: int = 0, **given: Any) -> Span:
    return span(
        Random(id),
        **{
            "trace_id": TRACE,
            "span_id": f"{id:016x}",
            "parent_span_id": None if parent is None else f"{parent:016x}",
            "start_ns": START_NS + start * SECOND,
            **given,
        },
    )


def _places(found: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(int(each["span_id"], 16), each["depth"]) for each in found]


def test_every_trace_of_the_demo_costs_what_its_calls_do(demo: Filled) -> None:
    by_trace: dict[str, list[Span]] = {}
    for each in demo.spans:
        by_trace.setdefault(each.trace_id, []).append(each)
    for trace_id, spans in by_trace.items():
        found = look(demo.store, trace_id)
        assert found is not None
        calls = [each for each in spans if oracle.is_call(each)]
        assert {each["span_id"] for each in found["spans"]} == {each.span_id for each in spans}
        assert found["calls"] == len(calls)
        assert Decimal(found["cost"]) == oracle.summed(map(oracle.cost, calls))
        assert found["start"] == min(each.start_ns for each in spans) / 10**6
        for each in found["spans"]:
            assert (each["kind"] == "call") == (each["price"] is not None)
            if each["price"] is not None:
                _check_price(each)
        root = found["spans"][0]
        assert (root["kind"], root["depth"], root["parent"]) == ("workflow", 0, None)
        assert {each["depth"] for each in found["spans"]} == {0, 1, 2}


def _check_price(found: dict[str, Any]) -> None:
    """The lines add up, and each is its tokens at its rate, exactly."""
    price = found["price"]
    lines = price["lines"]
    assert price["total"] == found["cost"]
    assert sum(Decimal(line["cost"]) for line in lines) == Decimal(price["total"])
    for line in lines:
        amount = Decimal(line["per_million"]) * line["tokens"] / 10**6
        assert amount == Decimal(line["cost"])
    assert price["table"] == "genai-prices 0.2.3"
    assert price["says"]
    flagged = found["attributes"].get(names.OUTLIER_REASONS, [])
    assert len(found["flags"]) == len(flagged)


def test_what_only_the_store_knows_is_told(demo: Filled) -> None:
    failed = next(
        each for each in demo.spans if each.attributes.get(names.WORKFLOW_OUTCOME) == "failed"
    )
    found = look(demo.store, failed.trace_id)
    assert found is not None
    wasted = {each["waste"] for each in found["spans"] if each["cost"] is not None}
    assert "workflow_failed" in wasted
    assert None not in wasted


@pytest.mark.parametrize("id", ["cd" * 16, "", "no id", "ab", "ab" * 40, "é"])
def test_a_trace_that_is_not_there_is_none(empty: Store, id: str) -> None:
    empty([_span(1, None)])
    assert look(empty, id) is None
    assert look(empty, TRACE.upper()) is not None


def test_spans_stand_after_their_parents_in_order_of_start(empty: Store) -> None:
    spans = (_span(4, 3, 6), _span(3, 1, 5), _span(2, 1, 1), _span(1, None), _span(5, 2, 2))
    found = shown(empty, *spans)
    assert _places(found) == [(1, 0), (2, 1), (5, 2), (3, 1), (4, 2)]
    assert [each["offset_s"] for each in found] == [0, 1, 2, 5, 6]


def test_a_trace_may_be_deeper_than_python_recurses(empty: Store) -> None:
    found = shown(empty, *(_span(id, id - 1 or None) for id in range(5000, 0, -1)))
    assert _places(found) == [(id, id - 1) for id in range(1, 5001)]


def test_a_span_whose_parent_is_not_there_is_a_root(empty: Store) -> None:
    found = shown(empty, _span(2, 99, 1), _span(3, 2, 2), _span(1, None))
    assert _places(found) == [(1, 0), (2, 0), (3, 1)]
    assert found[1]["parent"] is None


def test_spans_that_are_each_others_parents_are_all_shown(empty: Store) -> None:
    found = shown(empty, _span(1, 2), _span(2, 1, 1), _span(3, 3, 2))
    assert _places(found) == [(1, 0), (2, 1), (3, 0)]


def test_a_request_that_came_twice_is_shown_once(empty: Store) -> None:
    spans = [_span(1, None), call(Random(9), trace_id=TRACE, parent_span_id=f"{1:016x}")]
    empty(spans)
    found = shown(empty, *spans)
    assert len(found) == 2
    whole = look(empty)
    assert whole is not None
    assert whole["calls"] == 1
    assert Decimal(whole["cost"]) == oracle.cost(spans[1])


def _log(span_id: str | None, second: int, **given: Any) -> LogRecord:
    fields: dict[str, Any] = {
        "time_ns": START_NS + second * SECOND,
        "observed_ns": START_NS + second * SECOND,
        "severity": "INFO",
        "severity_number": 9,
        "event_name": "",
        "body": f"log {second}",
        "attributes": {},
        "trace_id": TRACE,
        "span_id": span_id,
        "scope": "app",
        "scope_version": "",
        "resource": {},
    }
    return LogRecord(**{**fields, **given})


def test_logs_are_with_their_spans(empty: Store) -> None:
    ids = [f"{id:016x}" for id in (1, 2, 99)]
    empty([_span(1, None), _span(2, 1, 1)])
    logs = [_log(ids[1], 3), _log(ids[0], 2), _log(ids[1], 1, event_name="gen_ai.choice")]
    empty(logs)
    empty(logs)  # sent again
    empty([_log(None, 4), _log(ids[2], 5)])
    found = look(empty)
    assert found is not None
    said = [[log["body"] for log in each["logs"]] for each in found["spans"]]
    assert said == [["log 2"], ["log 1", "log 3"]]
    assert found["spans"][1]["logs"][0]["name"] == "gen_ai.choice"
    # Those whose span is not there are kept too.
    assert sorted(log["body"] for log in found["logs"]) == ["log 4", "log 5"]


def test_kinds_labels_errors_and_events(empty: Store) -> None:
    tool = {names.OPERATION_NAME: "execute_tool", names.TOOL_NAME: "search"}
    agent = {names.OPERATION_NAME: "invoke_agent", names.AGENT_NAME: "writer"}
    event = Event("exception", START_NS + SECOND, {"exception.type": "Boom"})
    found = shown(
        empty,
        _span(1, None, attributes=agent),
        _span(2, 1, 1, attributes=tool, status="ERROR", status_message="no net", events=(event,)),
        _span(3, 1, 2, attributes={"openinference.span.kind": "TOOL"}, name="lookup"),
        _span(4, 1, 3, attributes={names.ERROR_TYPE: "Timeout"}, name="GET"),
    )
    assert [(each["kind"], each["label"]) for each in found] == [
        ("agent", "writer"),
        ("tool", "search"),
        ("tool", "lookup"),
        ("other", "GET"),
    ]
    assert [each["error"] for each in found] == [None, "no net", None, "Timeout"]
    assert found[1]["events"][0]["offset_s"] == 1
    assert found[1]["events"][0]["attributes"] == {"exception.type": "Boom"}
    assert all(each["price"] is None and each["cost"] is None for each in found)


def test_a_call_that_another_span_has_paid_is_not_paid_again(empty: Store) -> None:
    paid = call(Random(1), trace_id=TRACE)
    again = {
        names.COST_DUPLICATE_OF: paid.span_id,
        names.COST_STATUS: None,
        names.COST_AMOUNT: None,
    }
    found = shown(empty, paid, call(Random(2), again, trace_id=TRACE, start_ns=START_NS + 1))
    assert [each["duplicate_of"] for each in found] == [None, paid.span_id]
    assert found[1]["cost"] is None
    assert found[1]["price"]["says"] == [
        f"The span {paid.span_id} has paid this call: it is not counted again."
    ]
    whole = look(empty)
    assert whole is not None
    assert (whole["calls"], Decimal(whole["cost"])) == (1, oracle.cost(paid))


def test_a_run_that_nobody_timed_is_shown(empty: Store) -> None:
    spans = run(Random(1), trace_id=TRACE)
    spans.append(_span(1, None, start_ns=0, end_ns=0))
    found = shown(empty, *spans)
    assert all(each["offset_s"] >= 0 and each["duration_s"] >= 0 for each in found)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.text(max_size=3) | st.floats(), max_size=2),
)
SAID = [value for name, value in vars(names).items() if name.isupper() and "." in str(value)]
REASONED = {names.COST_STATUS: "priced", names.OUTLIER_REASONS: list(FLAGS)}


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(attributes=st.dictionaries(st.sampled_from(SAID), ODD, max_size=25))
def test_whatever_a_span_says_is_shown(
    tmp_path_factory: pytest.TempPathFactory, attributes: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("odd") / "store.db"
    with Store(path, keep_days=KEPT) as store:
        (found,) = shown(store, _span(1, None, attributes={**REASONED, **attributes}))
    assert found["attributes"].keys() == {**REASONED, **attributes}.keys()
