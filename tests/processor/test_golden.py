"""Recorded usages with costs worked out by hand and agreed with a second source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import price, rules
from farthing_processor.pricing.explain import read_call

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())
WHOLE = [case for case in CASES if "gap" not in case]
"""A gap is why a cost is not exact yet; closing one fails its case, and the note goes."""
RULED = [case for case in WHOLE if "rules" in case]
"""What these cost, nothing but a rule of the user's says: ``rules`` is their file."""
PLAIN = [case for case in WHOLE if "rules" not in case]


def _case(case: dict[str, Any]) -> Any:
    gap = case.get("gap")
    marks = [pytest.mark.xfail(strict=True, reason=gap)] if gap else []
    return pytest.param(case, id=case["name"], marks=marks)


@contextmanager
def own_rules(case: dict[str, Any], folder: Path) -> Iterator[None]:
    """The rules of a case in use, where it has any."""
    path = _written(case, folder) if "rules" in case else None
    assert rules.use_file(path) == ()
    try:
        yield
    finally:
        rules.use(None)


def _written(case: dict[str, Any], folder: Path) -> str:
    file = folder / "own.toml"
    file.write_text(case["rules"])
    return str(file)


@pytest.mark.parametrize("case", [_case(case) for case in CASES])
def test_cost_is_exact(case: dict[str, Any], tmp_path: Path) -> None:
    call = read_call(case)
    assert call.warnings == ()
    assert call.at_ns == int(datetime.fromisoformat(case["timestamp"]).timestamp()) * 10**9
    with own_rules(case, tmp_path):
        priced = price(
            call.usage,
            provider=call.provider,
            model=call.model,
            at_ns=call.at_ns,
            facts=call.facts,
        )
    if case["expected_usd"] is None:
        assert (priced.usd, priced.exact(), priced.status) == (None, None, "unpriced")
        assert priced.reason == case.get("expected_reason", "unknown_model")
        return
    assert f"{priced.exact():f}" == case["expected_usd"], case["why"]
    assert priced.usd == float(case["expected_usd"])
    assert repr(priced.usd) == repr(float(case["expected_usd"]))
    assert priced.status == case.get("expected_status", "priced")
    of_classes = priced.status == "priced" and "gpu_hour" not in case.get("rules", "")
    by_class = sum(priced.exact_classes().values())
    assert by_class == (Decimal(case["expected_usd"]) if of_classes else 0)
    for wrong in case.get("naive_wrong_usd", {}):
        assert priced.exact() != Decimal(wrong), case["naive_wrong_usd"][wrong]


def command(cases: list[dict[str, Any]], own: str | None = None) -> list[str | None]:
    """What `farthing price` prints for each, as a person runs it."""
    variables = {name: value for name, value in os.environ.items() if "FARTHING" not in name}
    done = subprocess.run(
        [sys.executable, "-c", "from farthing.cli import main; main(['price', '--json'])"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        env=variables | ({"FARTHING_PRICES": own} if own else {}),
    )
    assert done.stderr == ""
    return [json.loads(line)["usd"] for line in done.stdout.splitlines()]


def test_the_command_prints_the_same_costs() -> None:
    assert command(PLAIN) == [case["expected_usd"] for case in PLAIN]


@pytest.mark.parametrize("case", RULED, ids=lambda case: case["name"])
def test_the_command_prints_what_a_rule_of_the_users_says(
    case: dict[str, Any], tmp_path: Path
) -> None:
    (without,) = command([case])
    assert without != case["expected_usd"]
    assert command([case], _written(case, tmp_path)) == [case["expected_usd"]]


def test_all_cases_are_there() -> None:
    assert len(CASES) == 39
