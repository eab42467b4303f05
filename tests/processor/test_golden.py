"""Recorded usages with costs worked out by hand and agreed with a second source."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import price
from farthing_processor.pricing.explain import main, read_call

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cost_is_exact(case: dict[str, Any]) -> None:
    call = read_call(case)
    assert call.at_ns == int(datetime.fromisoformat(case["timestamp"]).timestamp()) * 10**9
    priced = price(call.usage, provider=call.provider, model=call.model, at_ns=call.at_ns)
    if case["expected_usd"] is None:
        assert (priced.usd, priced.exact(), priced.status) == (None, None, "unpriced")
        assert priced.reason == "unknown_model"
        return
    assert f"{priced.exact():f}" == case["expected_usd"], case["why"]
    assert priced.usd == float(case["expected_usd"])
    assert repr(priced.usd) == repr(float(case["expected_usd"]))
    assert priced.status == "priced"
    assert sum(priced.exact_classes().values()) == Decimal(case["expected_usd"])
    for wrong in case.get("naive_wrong_usd", {}):
        assert priced.exact() != Decimal(wrong), case["naive_wrong_usd"][wrong]


def test_the_command_prints_the_same_costs() -> None:
    code, out, err = main(json.dumps(CASES), as_json=True)
    assert (code, err) == (0, "")
    assert [json.loads(line)["usd"] for line in out.splitlines()] == [
        case["expected_usd"] for case in CASES
    ]


def test_all_cases_are_there() -> None:
    assert len(CASES) == 22
