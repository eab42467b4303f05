"""Sampled spans of real tracers, through a real SDK: a call costs what was billed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from farthing_processor.span_exporter import CostSpanExporter
from farthing_processor.span_processor import CostSpanProcessor
from tests.processor.spans import Pipeline
from tests.replaying import CALLS, Replayed, bill, cost

WHOLE = [
    (emitter, name, call)
    for emitter, name, call in CALLS
    if not any(part in name for part in ("abandoned", "without usage", "error"))
    and "mistral" not in emitter
]
"""Of calls whose usage the client is told; what Mistral charges, the simulator does not know."""

SEEN = {
    **dict.fromkeys(("official", "openllmetry", "openinference", "openlit", "logfire"), 15),
    **dict.fromkeys(
        ("openinference-langchain", "openllmetry-langchain", "pydantic-ai", "anthropic"), 10
    ),
}
"""Emitter → of how many calls at least the amount is exact: `test_dialects` has what it loses."""


def amounts(spans: list[Any]) -> list[float]:
    return [amount for span in spans if (amount := cost(span)) is not None]


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.mark.parametrize("emitter", SEEN)
def test_a_call_costs_what_was_billed(emitter: str, pipeline: Pipeline) -> None:
    replayed = Replayed(CostSpanProcessor(pipeline.meter_provider, gateways="127.0.0.1:8000"))
    exact = total = 0
    for name, call in [(name, call) for one, name, call in WHOLE if one == emitter]:
        found = amounts(replayed.replay(call))
        billed = [entry for entry in call["ledger"] if entry["cost"]]
        assert len(found) <= len(billed), name
        exact += sum(map(Decimal, map(repr, found))) == bill(call)
        total += 1
    assert exact >= SEEN[emitter], f"{exact} of {total}"


@pytest.mark.parametrize("emitter", SEEN)
def test_the_exporter_says_what_the_processor_says(emitter: str, pipeline: Pipeline) -> None:
    by_processor = Replayed(CostSpanProcessor(pipeline.meter_provider, gateways="127.0.0.1:8000"))
    by_exporter = Replayed()
    (simple,) = by_exporter.provider._active_span_processor._span_processors
    simple.span_exporter = CostSpanExporter(
        by_exporter.exporter, pipeline.meter_provider, gateways="127.0.0.1:8000"
    )
    for name, call in [(name, call) for one, name, call in CALLS if one == emitter]:
        one, other = by_processor.replay(call), by_exporter.replay(call)
        assert amounts(one) == amounts(other), name
        said = [dict(span.attributes or {}).get("farthing.cost.status") for span in one]
        assert [dict(span.attributes or {}).get("farthing.cost.status") for span in other] == said


def test_a_stream_that_is_miscounted_is_an_estimate(pipeline: Pipeline) -> None:
    replayed = Replayed(CostSpanProcessor(pipeline.meter_provider, gateways="127.0.0.1:8000"))
    call = next(c for e, n, c in CALLS if (e, n) == ("openllmetry", "message stream"))
    (span,) = replayed.replay(call)
    assert (span.attributes or {})["farthing.cost.status"] == "estimated"
    assert cost(span) == pytest.approx(float(bill(call)), rel=0.01)
