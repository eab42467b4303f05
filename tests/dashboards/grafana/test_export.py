"""``farthing dashboards export``: what is written where, and what is refused in which words."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from farthing_dashboards.grafana import export
from farthing_dashboards.grafana.names import NAMINGS, Naming, series
from farthing_processor import metrics

BOARDS = {
    f"dashboards/farthing-{name}.json"
    for name in ("anomalies", "models", "overview", "trust", "workflows")
}
RULES = {"rules/farthing.yaml"}
BUDGET = {"rules/farthing-budget.yaml"}


def test_dashboards_and_rules_are_written_and_it_is_said_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some" / "where"
    assert export.main(["export", str(folder)]) == 0
    assert written(folder) == BOARDS | RULES
    out, err = capsys.readouterr()
    assert not err
    first, second = out.splitlines()
    assert first == (
        f"Wrote 5 dashboards to {folder}/dashboards and the rules {folder}/rules/farthing.yaml."
    )
    assert "import the dashboards in Grafana" in second
    assert "rule_files" in second


def test_a_budget_gets_rules_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["export", str(tmp_path), "--daily-budget", "12.50"]) == 0
    assert written(tmp_path) == BOARDS | RULES | BUDGET
    assert "farthing-budget.yaml" in capsys.readouterr().out
    (group,) = yaml.safe_load((tmp_path / "rules/farthing-budget.yaml").read_text())["groups"]
    (limit,) = [rule for rule in group["rules"] if "12.5" in rule["expr"]]
    assert "record" in limit


@pytest.mark.parametrize("naming", NAMINGS)
def test_everything_is_written_in_the_naming_that_was_asked(tmp_path: Path, naming: Naming) -> None:
    assert export.main(["export", str(tmp_path), "--naming", naming, "--daily-budget", "9"]) == 0
    there = "".join(text for text in texts(tmp_path).values())
    step, counter, histogram = {
        "suffixed": (
            "{{farthing_step_name}}",
            "farthing_waste_cost_USD_total{",
            "gen_ai_client_operation_duration_seconds_count{",
        ),
        "plain": (
            "{{farthing_step_name}}",
            "farthing_waste_cost{",
            "gen_ai_client_operation_duration_count{",
        ),
        "utf8": (
            "{{farthing.step.name}}",
            r"{\"farthing.waste.cost\", ",
            r"{\"gen_ai.client.operation.duration_count\", ",
        ),
        "utf8-suffixed": (
            "{{farthing.step.name}}",
            r"{\"farthing.waste.cost_USD_total\", ",
            r"{\"gen_ai.client.operation.duration_seconds_count\", ",
        ),
    }[naming]
    assert step in there
    assert counter in there
    assert histogram in there
    if naming != "suffixed":
        assert series(metrics.OPERATION_DURATION, "count") not in there
        assert series(metrics.WASTE) not in there
    if naming.startswith("utf8"):
        assert "farthing_step_name" not in there


def test_another_naming_changes_names_and_nothing_else() -> None:
    suffixed, utf8 = export.files("suffixed"), export.files("utf8")
    for name in BOARDS:
        before, after = json.loads(suffixed[name]), json.loads(utf8[name])
        for board in (before, after):
            for panel in board["panels"]:
                for target in panel.get("targets", ()):
                    del target["expr"]
                    target.pop("legendFormat", None)
                for transformation in panel.get("transformations", ()):
                    transformation["options"].pop("renameByName", None)
                    transformation["options"].pop("indexByName", None)
            for variable in board["templating"]["list"]:
                if isinstance(variable["query"], dict):
                    del variable["query"]
        assert after == before


def test_the_same_again_is_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main(["export", str(tmp_path)]) == 0
    before = texts(tmp_path)
    assert export.main(["export", str(tmp_path)]) == 0
    assert texts(tmp_path) == before
    assert not capsys.readouterr().err


def test_what_somebody_changed_is_not_overwritten_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main(["export", str(tmp_path)]) == 0
    mine = tmp_path / "dashboards" / "farthing-trust.json"
    mine.write_text("{}")
    gone = tmp_path / "rules" / "farthing.yaml"
    gone.unlink()
    capsys.readouterr()

    assert export.main(["export", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err == (
        f"farthing dashboards export: {tmp_path} has other versions of "
        "dashboards/farthing-trust.json: name another directory, or overwrite them with --force. "
        "Nothing was written.\n"
    )
    assert mine.read_text() == "{}"
    assert not gone.exists()

    assert export.main(["export", str(tmp_path), "--force"]) == 0
    assert json.loads(mine.read_text())["uid"] == "farthing-trust"
    assert gone.exists()


def test_a_file_is_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert export.main(["export", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"farthing dashboards export: {file} is a file: name a directory to write to.\n"
    )
    assert file.read_text() == "mine"


def test_what_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dashboards").write_text("in the way")
    assert export.main(["export", str(tmp_path)]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"farthing dashboards export: {tmp_path / 'dashboards'}")
    assert "cannot be written" in said


@pytest.mark.parametrize("amount", ["0", "-1", "much", "nan", "inf", "1e9999999999999999999"])
def test_a_budget_is_an_amount_above_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], amount: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        export.main(["export", str(tmp_path / "new"), f"--daily-budget={amount}"])
    assert ended.value.code == 2
    assert f"{amount!r} is no amount of USD above 0, such as 250" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_budget_keeps_its_digits() -> None:
    text = export.files("suffixed", Decimal("1234567.89"))["rules/farthing-budget.yaml"]
    assert "1234567.89" in text


def test_it_needs_nothing_that_an_installation_has_not(tmp_path: Path) -> None:
    """Neither Grafana's SDK, nor a YAML or PromQL library: those are of development."""
    program = (
        "import sys\n"
        "for name in ('grafana_foundation_sdk', 'yaml', 'promql_parser', 'prometheus_client'):\n"
        "    sys.modules[name] = None\n"
        "from farthing_dashboards.grafana import export\n"
        "sys.exit(export.main(['export', sys.argv[1], '--naming=utf8', '--daily-budget=5']))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True)
    assert written(tmp_path) == BOARDS | RULES | BUDGET


def written(folder: Path) -> set[str]:
    return set(texts(folder))


def texts(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text("utf-8")
        for file in folder.rglob("*")
        if file.is_file()
    }
