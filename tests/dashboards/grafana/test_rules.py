"""The rules for Prometheus: what its own tool says of them, and what they may speak of.

`rules/` has promtool's unit tests, a file an alert. By hand, after scripts/make_rules.py:
copy files/rules.yaml beside them and run ``promtool test rules FILE``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from farthing import doctor
from farthing_dashboards.grafana import alerts, boards, budget, rules
from farthing_dashboards.grafana.names import (
    ENVIRONMENT,
    NAMINGS,
    SERVICE,
    Naming,
    Part,
    label,
    renamed,
    series,
)
from farthing_processor import runs
from farthing_processor import semconv as names
from farthing_processor.metrics import CATALOGUE, Metric
from tests import needs

ROOT = Path(__file__).parents[3]
FILES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
DAILY = Decimal("100")


def made(naming: Naming = "suffixed") -> dict[str, str]:
    """Both rule files, by the names under which promtool's tests know them."""
    return {
        "rules.yaml": rules.text(naming),
        "budget.yaml": budget.budget_rules(DAILY, naming),
    }


def each(naming: Naming = "suffixed") -> Iterator[dict[str, Any]]:
    for text in made(naming).values():
        for group in yaml.safe_load(text)["groups"]:
            yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in each() if "alert" in rule}
CASES = [case for file in FILES for case in yaml.safe_load(file.read_text())["tests"]]


def promtool(folder: Path, *arguments: str) -> None:
    for name, text in made().items():
        (folder / name).write_text(text)
    run = subprocess.run(
        [needs.command("promtool"), *arguments], cwd=folder, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_fires_when_it_should_and_no_longer(file: Path, tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text(file.read_text())
    promtool(tmp_path, "test", "rules", "test.yaml")


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_firing_not_firing_and_resolving(alert: str) -> None:
    fires, quiet, resolves = False, False, False
    for case in CASES:
        moments = [test for test in case["alert_rule_test"] if test["alertname"] == alert]
        firing = [bool(test["exp_alerts"]) for test in sorted(moments, key=_minutes)]
        fires = fires or any(firing)
        quiet = quiet or (bool(firing) and not any(firing))
        resolves = resolves or (True, False) in pairwise(firing)
    assert (fires, quiet, resolves) == (True, True, True)


def _minutes(test: dict[str, Any]) -> int:
    hours, minutes = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?", test["eval_time"]).groups("0")
    return 60 * int(hours) + int(minutes)


def test_prometheus_accepts_the_rules(tmp_path: Path) -> None:
    promtool(tmp_path, "check", "rules", *made())


def test_no_alert_fires_on_nothing_on_a_restart_or_on_totals_that_are_first_seen(
    tmp_path: Path,
) -> None:
    """Every counter there is comes with five millions after an hour, stays, restarts, and stays."""
    totals = [
        {"series": _series(metric, part), "values": "_x12 5000000x24 0x24 _x12 0x12"}
        for metric in CATALOGUE
        if metric.kind != "gauge"
        for part in _parts(metric)
    ]
    age = {"series": 'farthing_prices_age_seconds{job="agent"}', "values": "_x12 86400x72"}
    quiet = [
        {"alertname": alert, "eval_time": f"{minutes}m", "exp_alerts": []}
        for alert in ALERTS
        for minutes in range(0, 7 * 60, 10)
    ]
    test = {
        "rule_files": [*made()],
        "evaluation_interval": "5m",
        "tests": [
            {"interval": "5m", "input_series": given, "alert_rule_test": quiet}
            for given in ([], [*totals, age])
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    promtool(tmp_path, "test", "rules", "test.yaml")


def _parts(metric: Metric) -> tuple[Part, ...]:
    return ("sum", "count") if metric.kind == "histogram" else ("",)


def _series(metric: Metric, part: Part) -> str:
    """One series of it with a value for each label, among them every one that alerts ask for."""
    values = {names.TOKEN_TYPE: "output", names.WORKFLOW_OUTCOME: runs.SUCCESS}
    reasons = {names.OUTLIER_REASON: names.RETRY_STORM}
    labels = {name: (values | reasons).get(name, "x") for name in metric.labels}
    body = [f'{SERVICE}="agent"', *(f'{label(name)}="{value}"' for name, value in labels.items())]
    return f"{series(metric, part)}{{{', '.join(body)}}}"


def test_the_committed_file_is_what_the_tables_say() -> None:
    script = ROOT / "scripts" / "make_rules.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_bad_what_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    annotations = rule["annotations"]
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert 20 <= len(annotations["summary"]) <= 200
    assert "{{ $value" in annotations["description"]
    assert annotations["description"].endswith(".")
    assert "<" not in annotations["summary"] + annotations["description"]
    page, anchor = annotations["runbook_url"].split("#")
    assert page.endswith("/blob/main/docs/runbooks.md")
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


def test_the_runbooks_have_a_section_for_each_alert_and_for_no_other() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text()
    assert set(re.findall(r"^## (Farthing\w+)$", page, re.MULTILINE)) == set(ALERTS)
    recorded = {rule.get("record") for rule in each()}
    assert set(re.findall(r"\b(farthing:[\w:]+)", page)) <= recorded


def test_the_panels_that_the_runbooks_send_to_are_on_the_dashboards() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text()
    titles = {
        (name.removeprefix("farthing-").removesuffix(".json"), title)
        for name, board in boards.files().items()
        for title in re.findall(r'"title": ("[^"]+")', board)
    }
    sent = {(board, f'"{panel}"') for board, panel in re.findall(r"\*(\w+): ([^*]+)\*", page)}
    sent -= {("dashboard", '"panel"')}
    assert len(sent) > 10
    assert sent <= titles


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_name_is_of_the_catalogue_or_recorded_before(naming: Naming) -> None:
    spelt = str if naming.startswith("utf8") else label
    labels = {spelt(name) for metric in CATALOGUE for name in metric.labels}
    labels |= {SERVICE, spelt(ENVIRONMENT)}
    known = {
        name
        for metric in CATALOGUE
        for part in _parts(metric)
        for name in _metrics(promql_parser.parse(renamed(series(metric, part), naming)))
    }
    for rule in each(naming):
        expression = promql_parser.parse(rule["expr"])
        assert set(_metrics(expression)) <= known, rule
        assert set(_labels(expression)) <= labels, rule
        known.add(rule.get("record", ""))
        for text in rule.get("annotations", {}).values():
            used = re.findall(r'\$labels\.(\w+)|index \$labels "([^"]+)"', text)
            assert {plain or quoted for plain, quoted in used} <= labels


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for inner in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if (child := getattr(node, inner, None)) is not None:
            yield from _nodes(child)
    for argument in getattr(node, "args", ()):
        yield from _nodes(argument)


def _metrics(expression: Any) -> Iterator[str]:
    for node in _nodes(expression):
        if isinstance(node, promql_parser.VectorSelector):
            quoted = [m.value for m in node.matchers.matchers if m.name == "__name__"]
            yield node.name or quoted[0]


def _labels(expression: Any) -> Iterator[str]:
    for node in _nodes(expression):
        if isinstance(node, promql_parser.VectorSelector):
            yield from (m.name for m in node.matchers.matchers if m.name != "__name__")
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            yield from node.modifier.labels
        elif isinstance(node, promql_parser.BinaryExpr) and node.modifier:
            yield from getattr(node.modifier.matching, "labels", None) or ()


def test_a_budget_is_an_amount_above_nothing() -> None:
    for wrong in ("0", "-1", "NaN", "Infinity"):
        with pytest.raises(ValueError, match=r"A daily budget is an amount of USD above 0"):
            budget.budget_rules(Decimal(wrong))
    for amount, written in (("1E+3", "vector(1000)"), ("0.10", "vector(0.10)")):
        assert f" {written}\n" in budget.budget_rules(Decimal(amount))


def test_without_a_budget_there_is_no_alert_on_it() -> None:
    assert "budget" not in rules.text().lower()


def test_an_old_price_table_is_what_the_doctor_calls_one() -> None:
    assert alerts.PRICES_DAYS == doctor.STALE_DAYS
