"""The demo holds the costs on spans against a bill, and says what it needs."""

from __future__ import annotations

import math
from decimal import Decimal
from importlib.metadata import PackageNotFoundError

import pytest

from farthing_dashboards import demo
from farthing_dashboards.otlp import Span
from farthing_dashboards.simulator import LedgerEntry


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
