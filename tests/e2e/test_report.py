"""`farthing report`: text, JSON and HTML of one store, the same bytes each time."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from farthing_dashboards import demo
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator
from farthing_dashboards.store import Store
from tests.dashboards.view.oracle import Summary, summarise
from tests.e2e.running import FARTHING, environment


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """The store of a short demo, and the sums of the same telemetry."""
    path = tmp_path_factory.mktemp("month") / "telemetry.db"
    collected = Collected()
    with (
        Simulator(seed=5, faults=demo.FAULTS) as simulator,
        Store(path) as store,
        Receiver(lambda records: (store(records), collected(records))[1]) as receiver,
    ):
        assert demo.run_agent(receiver.url, simulator.url, 3, priced=True) == 0
    return path, summarise(collected.spans)


def report(
    store: Path, *arguments: str | Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    with Simulator() as simulator:
        return subprocess.run(
            [FARTHING, "report", "--store", store, *arguments],
            env=environment(simulator, store.parent),
            cwd=cwd,
            capture_output=True,
            check=False,
        )


def test_text(month: tuple[Path, Summary]) -> None:
    path, summary = month
    result = report(path)
    assert (result.returncode, result.stderr) == (0, b"")
    text = result.stdout.decode()
    assert text.startswith(f"${summary.total.cost:,.6f} for {summary.total.calls} calls from ")
    assert max(map(len, text.splitlines())) <= 100
    rows = {line.split()[0]: line for line in reversed(text.splitlines()) if line}
    for step in summary.steps:
        assert f"${step.cost:,.6f}" in rows[step.name]
        assert f" {step.calls} " in rows[step.name]
    for workflow in summary.workflows:
        assert f"${workflow.cost:,.6f}" in rows[workflow.name]
    for reason, amount in summary.waste.items():
        assert f"${amount:,.6f}" in rows[reason]
    assert "Prompt cache: saved" in text
    assert "Price table: genai-prices" in text
    assert "days old" in text


def test_json(month: tuple[Path, Summary]) -> None:
    path, summary = month
    view = json.loads(report(path, "--json").stdout)
    assert Decimal(view["total"]["cost"]) == summary.total.cost
    assert {row["name"]: Decimal(row["cost"]) for row in view["steps"]} == {
        row.name: row.cost for row in summary.steps
    }
    assert "users" in view


def test_html(month: tuple[Path, Summary], tmp_path: Path) -> None:
    path, _ = month
    assert report(path, "--html", tmp_path / "out.html").returncode == 0
    written = (tmp_path / "out.html").read_bytes()
    assert written.lower().startswith(b"<!doctype html>")
    assert report(path, "--html", "-").stdout == written


@pytest.mark.parametrize("form", [["--json"], ["--html", "-"], []])
def test_the_same_store_gives_the_same_bytes(month: tuple[Path, Summary], form: list[str]) -> None:
    path, _ = month
    for since in ([], ["--since", "1h"], ["--since", "all"]):
        first = report(path, *since, *form)
        assert first.returncode == 0
        assert first.stdout == report(path, *since, *form).stdout != b""


def test_filters(month: tuple[Path, Summary]) -> None:
    path, summary = month
    step = summary.steps[0]
    view = json.loads(report(path, "--json", "--step", step.name).stdout)
    assert Decimal(view["total"]["cost"]) == step.cost
    assert view["asked"]["step"] == step.name
    nothing = report(path, "--model", "no-such-model").stdout.decode()
    assert nothing.startswith("No call of model 'no-such-model' from ")
    assert len(nothing.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["--since", "3x"], 2, "write 15m, 6h, 30d or all."),
        (["--since", "-1d"], 2, "--since"),
        (["--json", "--html", "x"], 2, "not allowed with"),
        (["--store", "nowhere.db"], 1, "There is no store at nowhere.db"),
        (["--html", "."], 1, ". cannot be written (Is a directory)"),
        (["--html", "no/such/folder.html"], 1, "cannot be written (No such file or directory)"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    month: tuple[Path, Summary], tmp_path: Path, arguments: list[str], exit_code: int, says: str
) -> None:
    result = report(month[0], *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (exit_code, b"")
    assert says in result.stderr.decode().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store(tmp_path: Path) -> None:
    with Store(tmp_path / "empty.db"):
        pass
    result = report(tmp_path / "empty.db")
    assert result.returncode == 0
    assert result.stdout.startswith(b"No call from ")
    assert report(tmp_path / "empty.db", "--html", "-").returncode == 0
