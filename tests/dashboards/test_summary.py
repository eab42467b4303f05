"""From spans to rows, and from rows and a bill to what the demo says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import PackageNotFoundError

import pytest

from farthing_dashboards import demo, tables
from farthing_dashboards.otlp import Point, Span
from farthing_dashboards.simulator import LedgerEntry
from farthing_dashboards.summary import Outlier, Row, Workflow, by_step, summarise, total


def _span(step="plan", cost=0.1, status="priced", sent=10, received=5, id="r1", **attributes):
    found = {
        "farthing.step.name": step,
        "farthing.cost.status": status,
        "gen_ai.usage.cost.amount": cost,
        "gen_ai.usage.input_tokens": sent,
        "gen_ai.usage.output_tokens": received,
        "gen_ai.response.id": id,
        "gen_ai.response.model": "m",
    } | attributes
    return Span(
        trace_id="0" * 32,
        span_id="1" * 16,
        parent_span_id=None,
        name="chat m",
        kind="CLIENT",
        start_ns=0,
        end_ns=1,
        attributes={name: value for name, value in found.items() if value is not None},
        status="UNSET",
        status_message="",
        events=(),
        scope="farthing",
        scope_version="",
        resource={},
    )


def _outlier(step, cost, usual=0.01, *more):
    return _span(
        step,
        cost,
        **{
            "farthing.outlier.detected": True,
            "farthing.outlier.reasons": ["cost_outlier", *more],
            "farthing.outlier.ratio": cost / usual,
            "farthing.baseline.p50": usual,
        },
    )


def _root(name="report", outcome="success", cost=0.1):
    """A workflow's root span, which is no call."""
    return _span(
        None,
        None,
        None,
        **{
            "gen_ai.workflow.name": name,
            "farthing.workflow.outcome": outcome,
            "farthing.workflow.cost": cost,
        },
    )


def _wasted(amount, reason="failed", step="plan", start=0, name="farthing.waste.cost"):
    return Point(
        name=name,
        unit="USD",
        kind="sum",
        attributes={"farthing.step.name": step, "farthing.waste.reason": reason},
        start_ns=start,
        time_ns=1,
        temporality="CUMULATIVE",
        scope="farthing",
        scope_version="",
        resource={},
        value=amount,
    )


def _entry(cost="0.1", id="r1", **kwargs):
    values = {
        "seq": 0,
        "api": "responses",
        "model": "m",
        "step": "plan",
        "index": 0,
        "response_id": id,
        "status": 200,
        "fault": None,
        "streamed": False,
        "usage": {"prompt_tokens": 10},
        "reported": True,
        "cost": None if cost is None else Decimal(cost),
        "headers": {},
    }
    return LedgerEntry(**(values | kwargs))


def test_rows_are_sorted_by_spend_and_sum_exactly():
    rows = by_step(
        [
            _span("cheap", 0.1),
            _span("cheap", 0.2),
            _span("dear", 7, sent=1000, received=20),
            _span("plan"),
            _span(status=None),  # a step or another span that is no call
        ]
    )
    assert rows == [
        Row("dear", 1, 0, 1, 1000, 20, Decimal(7)),
        Row("cheap", 2, 0, 2, 20, 10, Decimal("0.3")),
        Row("plan", 1, 0, 1, 10, 5, Decimal("0.1")),
    ]
    assert total(rows) == Row("total", 4, 0, 4, 1030, 35, Decimal("7.4"))
    assert rows[1].average_cost == Decimal("0.15")
    assert (rows[0].average_input, rows[0].average_output) == (1000, 20)


def test_calls_without_a_price_or_usage_do_not_lower_the_averages():
    (row,) = by_step(
        [
            _span(cost=0.5),
            _span(cost=None, status="unpriced"),
            _span(cost=None, status="usage_missing", sent=None, received=None),
            _span(cost=0.0, status="free", sent=40, received=None),
        ]
    )
    assert (row.calls, row.unpriced, row.counted) == (4, 2, 3)
    assert row.average_cost == Decimal("0.25")
    assert (row.average_input, row.average_output) == (20, pytest.approx(10 / 3))


def test_nothing_to_average_is_not_zero():
    (row,) = by_step([_span(None, None, "usage_missing", None, None)])
    assert row.name == "unknown"
    assert (row.average_cost, row.average_input, row.average_output) == (None, None, None)
    assert "$" not in tables.steps([row])


STEPS = """\
step                 calls  avg in  avg out    avg cost  of calls  of spend      spend  outliers
------------------------------------------------------------------------------------------------
doc_synthesis            3  42,800    1,240  $0.2500000     60.0%    100.0%  $0.750000         -
embed_query              1      64        0  $0.0000083     20.0%      0.0%  $0.000008         -
a step with a ve...      1      10        5           -     20.0%         -          -         -
------------------------------------------------------------------------------------------------
total                    5  25,695      745  $0.1875021    100.0%    100.0%  $0.750008         -

1 of 5 calls have no price.
"""


def test_the_table_of_steps():
    summary = summarise(
        [
            *[_span("doc_synthesis", 0.25, sent=42_800, received=1_240)] * 3,
            _span("embed_query", 0.00000832, sent=64, received=None),
            _span("a step with a very long name indeed", None, "unpriced"),
        ],
        [],
    )
    # With one model, no workflow and nothing out of the ordinary there is no more to say.
    assert tables.as_text(summary) == STEPS


EVERYTHING = """\
step   calls  avg in  avg out    avg cost  of calls  of spend      spend  outliers
----------------------------------------------------------------------------------
draft      3      10        5  $1.0333333     60.0%     96.9%  $3.100000         1
plan       2      10        5  $0.0500000     40.0%      3.1%  $0.100000         1
----------------------------------------------------------------------------------
total      5      10        5  $0.6400000    100.0%    100.0%  $3.200000         2

workflow  runs  succeeded      spend  cost per success
------------------------------------------------------
report       3          2  $3.000000         $1.500000
brief        1          0  $0.200000                 -
idle         1          1          -                 -

waste                spend  of spend
-----------------------------------------------------------------------------
repeated         $0.060000      1.9%  the same asked again in one run
workflow_failed  $0.020000      0.6%  the rest of what failed workflows spent
-----------------------------------------------------------------------------
total            $0.080000      2.5%

flagged           calls
--------------------------------------------------------------------
cost_outlier          2  cost far more than their step usually does
completion_spike      1  wrote far more than their step usually does

Dearest outlier: draft, one call of $3.000000, 300.0 times the usual $0.010000.
Dearest model: big-1, 20.0% of the calls and 93.8% of the spend.
Prompt cache: saved $0.250000; without it the spend would be $3.450000.
Estimated: $0.020000 of the spend, for 1 call that ended before the usage was reported.
"""


def _everything():
    dear = _outlier("draft", 3.0, 0.01, "completion_spike")
    spans = [
        replace(dear, attributes=dear.attributes | {"gen_ai.response.model": "big-1"}),
        _span("draft", 0.08, **{"farthing.cost.cache_savings": 0.3}),
        _span("draft", 0.02, "estimated", **{"farthing.cost.cache_savings": -0.05}),
        _outlier("plan", 0.09),
        # Marked because its step has no median yet: no outlier.
        _span("plan", 0.01, **{"farthing.outlier.reasons": ["cold_threshold"]}),
        _root(cost=1.0),
        _root(cost=1.5),
        _root(cost=0.5, outcome="failed"),
        _root("brief", "failed", 0.2),
        _root("idle", cost=None),
    ]
    points = [
        _wasted(0.01, "workflow_failed"),
        _wasted(0.02, "workflow_failed"),  # the same counter, exported again
        _wasted(0.05, "repeated"),
        _wasted(0.01, "repeated", "draft"),
        _wasted(9.0, name="farthing.cache.savings"),
    ]
    return summarise(spans, points)


def test_everything_that_is_said():
    summary = _everything()
    assert summary.workflows == [
        Workflow("report", 3, 2, 3, Decimal("3.0")),
        Workflow("brief", 1, 0, 1, Decimal("0.2")),
        Workflow("idle", 1, 1, 0, Decimal(0)),
    ]
    assert summary.waste == {"repeated": Decimal("0.06"), "workflow_failed": Decimal("0.02")}
    assert summary.wasted == Decimal("0.08")
    assert summary.flags == {"cost_outlier": 2, "completion_spike": 1}
    assert summary.worst == Outlier("draft", Decimal("3.0"), Decimal("0.01"), 300.0)
    assert summary.cache_savings == Decimal("0.25")
    assert (summary.estimated.calls, summary.estimated.cost) == (1, Decimal("0.02"))
    assert [(model.name, model.calls) for model in summary.models] == [("big-1", 1), ("m", 4)]
    assert tables.as_text(summary) == EVERYTHING


def test_waste_of_counters_that_start_anew_adds_up():
    again = [_wasted(0.1), _wasted(0.2, start=5), _wasted(0.3, start=5)]
    assert summarise([], again).waste == {"failed": Decimal("0.4")}


def test_the_dearest_model_is_the_one_whose_calls_cost_most():
    often, seldom = (
        [_span(cost=cost, **{"gen_ai.response.model": name})] * calls
        for name, cost, calls in (("often", 0.1, 90), ("seldom", 0.5, 10))
    )
    summary = summarise([*often, *seldom], [])
    assert "Dearest model: seldom, 10.0% of the calls and 35.7% of the spend." in tables.as_text(
        summary
    )
    assert [model.name for model in summary.models] == ["often", "seldom"]


def test_a_cache_that_costs_more_than_it_saves_says_so():
    written = _span(cost=1.0, **{"farthing.cost.cache_savings": -0.2})
    text = tables.as_text(summarise([written], []))
    assert "cost $0.200000 more than it saved; without it the spend would be $0.800000." in text


def test_what_has_no_price_has_no_amount_anywhere():
    spans = [_span(cost=None, status="unpriced"), _root(cost=None)]
    text = tables.as_text(summarise(spans, []))
    assert "$" not in text
    assert "1 of 1 call have no price." in text
    assert "waste" not in text


def test_the_tables_fit_100_columns():
    spans = [_span("x" * 99, 99.5, sent=999_999, received=999_999)] * 9_990
    spans += [_root("x" * 99, "success", 999_999.5), _outlier("y" * 99, 99.0, 0.001)]
    spans += [_span("z", 0.01, **{"gen_ai.response.model": "z" * 99})]
    text = tables.as_text(summarise(spans, [_wasted(99_999.5, "workflow_failed")]))
    assert max(map(len, text.splitlines())) <= 100


def test_costs_are_compared_to_the_last_digit():
    exact = 0.06303
    one_bit_more = math.nextafter(exact, 1)
    equal = demo.compare([_span(cost=exact)], [_entry("0.06303")])
    assert equal == demo.Comparison(1, 1, 0, ())
    other = demo.compare([_span(cost=one_bit_more)], [_entry("0.06303")])
    assert (other.equal, other.billed) == (0, 1)
    assert f"$0.06303; span 1111111111111111 says ${one_bit_more}." in other.differences[0]


@pytest.mark.parametrize(
    ("spans", "entries", "equal", "billed", "unreported", "sentence"),
    [
        ([], [_entry()], 0, 1, 0, "has no span"),
        ([_span(status=None)], [_entry()], 0, 1, 0, "has no span"),
        ([_span(cost=None)], [_entry()], 0, 1, 0, "has no cost"),
        ([_span(), _span()], [_entry()], 1, 1, 0, "nobody charged"),
        ([_span(id="r2")], [_entry(None)], 0, 0, 0, "nobody charged"),
        # An error, an answer that broke off, a usage that the client was not told.
        ([], [_entry(None, usage=None, reported=False)], 0, 0, 0, None),
        ([_span(status="estimated")], [_entry(None, reported=False)], 0, 0, 1, None),
        ([_span(cost=None)], [_entry(reported=False)], 0, 0, 1, None),
        # A stream that was not read to the end; nothing else may do without its usage.
        ([_span(status="estimated")], [_entry(streamed=True)], 0, 0, 1, None),
        ([_span(None, None, "usage_missing")], [_entry(streamed=True)], 0, 0, 1, None),
        ([_span(cost=0.2, status="estimated")], [_entry()], 0, 1, 0, "says $0.2"),
        ([_span(cost=0.2)], [_entry(streamed=True)], 0, 1, 0, "says $0.2"),
        # Without an id: by model and tokens.
        ([_span(id=None)] * 2, [_entry(id=None)] * 2, 2, 2, 0, None),
        ([_span(id=None)], [_entry(id=None)] * 2, 1, 2, 0, "has no span"),
        ([_span(id=None, sent=11)], [_entry(id=None)], 0, 1, 0, "has no span"),
    ],
)
def test_what_differs_from_the_bill_is_said(spans, entries, equal, billed, unreported, sentence):
    comparison = demo.compare(spans, entries)
    assert (comparison.equal, comparison.billed) == (equal, billed)
    assert comparison.unreported == unreported
    assert bool(comparison.differences) == bool(sentence)
    assert not sentence or sentence in comparison.differences[0]


def test_json_keeps_costs_exact():
    summary = summarise([_span(cost=1e-07), _span(cost=0.1), _root()], [_wasted(1e-07)])
    printed = json.loads(json.dumps(demo.as_json(summary, demo.Comparison(2, 2, 0, ()))))
    assert printed["total"]["cost"] == "0.1000001"
    assert printed["steps"][0] == {
        "name": "plan",
        "calls": 2,
        "unpriced": 0,
        "counted": 2,
        "input_tokens": 20,
        "output_tokens": 10,
        "cost": "0.1000001",
        "outliers": 0,
    }
    assert printed["waste"] == {"failed": "0.0000001"}
    assert printed["workflows"][0]["cost"] == "0.1"
    assert printed["worst"] is None
    assert printed["bill"] == {"equal": 2, "billed": 2, "unreported": 0, "differences": []}
    assert demo.as_json(summary, None)["bill"] is None


def test_missing_packages_are_named(monkeypatch, capsys):
    def version(package):
        if package in ("anthropic", "langgraph"):
            raise PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(demo, "version", version)
    assert demo.main([]) == 1
    assert capsys.readouterr().err == (
        "The sample agent needs anthropic and langgraph: pip install openai anthropic langgraph\n"
    )
