"""From spans to rows, and from rows and a bill to what the demo says."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest

from farthing_dashboards import demo
from farthing_dashboards.otlp import Span
from farthing_dashboards.simulator import LedgerEntry
from farthing_dashboards.summary import Row, as_text, by_step, total


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
    assert row.step == "unknown"
    assert (row.average_cost, row.average_input, row.average_output) == (None, None, None)
    assert "$" not in as_text([row])


TABLE = """\
step                      calls  avg in  avg out    avg cost  of calls  of spend      spend
-------------------------------------------------------------------------------------------
doc_synthesis                 3  42,800    1,240  $0.2500000     60.0%    100.0%  $0.750000
embed_query                   1      64        0  $0.0000083     20.0%      0.0%  $0.000008
a step with a very lo...      1      10        5           -     20.0%         -          -
-------------------------------------------------------------------------------------------
total                         5  25,695      745  $0.1875021    100.0%    100.0%  $0.750008

1 of 5 calls have no price.
"""


def test_the_table():
    rows = by_step(
        [
            *[_span("doc_synthesis", 0.25, sent=42_800, received=1_240)] * 3,
            _span("embed_query", 0.00000832, sent=64, received=None),
            _span("a step with a very long name indeed", None, "unpriced"),
        ]
    )
    assert as_text(rows) == TABLE


def test_the_table_fits_100_columns():
    rows = by_step([_span("x" * 99, 99.5, sent=999_999, received=999_999)] * 9_999)
    assert max(map(len, as_text(rows).splitlines())) <= 100


def test_costs_are_compared_to_the_last_digit():
    exact = 0.06303
    one_bit_more = math.nextafter(exact, 1)
    equal = demo.compare([_span(cost=exact)], [_entry("0.06303")])
    assert equal == demo.Comparison(1, 1, ())
    other = demo.compare([_span(cost=one_bit_more)], [_entry("0.06303")])
    assert (other.equal, other.billed) == (0, 1)
    assert f"$0.06303; span 1111111111111111 says ${one_bit_more}." in other.differences[0]


@pytest.mark.parametrize(
    ("spans", "entries", "equal", "billed", "sentence"),
    [
        ([], [_entry()], 0, 1, "has no span"),
        ([_span(status=None)], [_entry()], 0, 1, "has no span"),
        ([_span(cost=None)], [_entry()], 0, 1, "has no cost"),
        ([_span(), _span()], [_entry()], 1, 1, "nobody charged"),
        ([_span(id="r2")], [_entry(None)], 0, 0, "nobody charged"),
        # An error, an answer that broke off, a usage that the client was not told.
        ([_span(cost=None)], [_entry(None), _entry(reported=False)], 0, 0, None),
        # Without an id: by model and tokens.
        ([_span(id=None)] * 2, [_entry(id=None)] * 2, 2, 2, None),
        ([_span(id=None)], [_entry(id=None)] * 2, 1, 2, "has no span"),
        ([_span(id=None, sent=11)], [_entry(id=None)], 0, 1, "has no span"),
    ],
)
def test_what_differs_from_the_bill_is_said(spans, entries, equal, billed, sentence):
    comparison = demo.compare(spans, entries)
    assert (comparison.equal, comparison.billed) == (equal, billed)
    assert bool(comparison.differences) == bool(sentence)
    assert not sentence or sentence in comparison.differences[0]


def test_json_keeps_costs_exact():
    rows = by_step([_span(cost=1e-07), _span(cost=0.1)])
    printed = json.loads(json.dumps(demo.as_json(rows, demo.Comparison(2, 2, ()))))
    assert printed["total"]["cost"] == "0.1000001"
    assert printed["steps"][0] == {
        "step": "plan",
        "calls": 2,
        "unpriced": 0,
        "counted": 2,
        "input_tokens": 20,
        "output_tokens": 10,
        "cost": "0.1000001",
    }
    assert printed["bill"] == {"equal": 2, "billed": 2, "differences": []}
    assert demo.as_json(rows, None)["bill"] is None


def test_missing_clients_are_named(monkeypatch, capsys):
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == "anthropic" else object())
    assert demo.main([]) == 1
    assert capsys.readouterr().err == (
        "The sample agent needs anthropic: pip install openai anthropic\n"
    )
