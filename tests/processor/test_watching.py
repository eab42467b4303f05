"""The settings of what is normal, and the file that baselines go through between processes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from farthing_processor import settings, snapshots
from farthing_processor.histogram import Histogram
from farthing_processor.settings import Settings
from farthing_processor.snapshots import Measures
from farthing_processor.thresholds import OFF, Thresholds
from farthing_processor.watching import OLDER, watch

# Thresholds.


def rules(**environ: str) -> Any:
    found, problems = settings.load({}, environ)
    assert problems == []
    return found.outlier_rules


def test_each_threshold_has_a_variable_or_a_key() -> None:
    assert rules().of("plan") == Thresholds()
    given = rules(
        FARTHING_OUTLIER_FACTOR="4",
        FARTHING_OUTLIER_MIN_USD="0.01",
        FARTHING_OUTLIER_MIN_COUNT="50",
        FARTHING_OUTLIER_COLD_USD="off",
    )
    assert given.of("plan")[:4] == (4.0, 0.01, 50, OFF)
    everything = ",".join(f"{name}=7" for name in Thresholds._fields)
    assert rules(FARTHING_OUTLIERS=f"plan: {everything}").of("plan") == (7,) * 10
    assert rules(FARTHING_OUTLIERS=f"plan: {everything}").of("plan b") == Thresholds()


def test_the_first_entry_that_says_it_counts() -> None:
    given = rules(
        FARTHING_OUTLIER_FACTOR="4",
        FARTHING_OUTLIERS="Doc Writing: factor=8; doc*: factor=6, low_yield=off ; *: low_yield=9;",
    )
    assert given.of("doc writing")[::9] == (8.0, OFF)
    assert given.of("DOCUMENT")[::9] == (6.0, OFF)
    assert given.of("other")[::9] == (4.0, 9.0)


def test_a_step_with_a_colon() -> None:
    given = rules(FARTHING_OUTLIERS="chat ft:gpt-4o:acme: factor=9")
    assert given.of("chat ft:gpt-4o:acme").factor == 9
    assert given.of("chat ft").factor == 5


def test_the_same_in_code_and_in_yaml() -> None:
    given = {"plan": {"factor": 8, "low_yield": False}, "*": {"min_count": 3}}
    found, problems = settings.load({"outliers": given}, {})
    assert problems == []
    text = "plan: factor=8, low_yield=off; *: min_count=3"
    assert found == settings.load({}, {"FARTHING_OUTLIERS": text})[0]
    assert found.outlier_rules.counts() == {30, 3}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("FARTHING_OUTLIER_FACTOR", "0.5", "use a number of at least 1, or off"),
        ("FARTHING_OUTLIER_FACTOR", "nan", "use a number of at least 1, or off"),
        ("FARTHING_OUTLIER_MIN_USD", "off", "use a number of at least 0"),
        ("FARTHING_OUTLIER_MIN_COUNT", "2.5", "use a whole number of at least 1"),
        ("FARTHING_OUTLIERS", "plan", "write it as step: factor=8"),
        ("FARTHING_OUTLIERS", "plan:", "write it as step: factor=8"),
        ("FARTHING_OUTLIERS", ": factor=8", "write it as step: factor=8"),
        ("FARTHING_OUTLIERS", "plan: factor", "write it as step: factor=8"),
        (
            "FARTHING_OUTLIERS",
            "plan: facter=8",
            "'facter' of 'plan' is no threshold, write 'factor'. It is ignored.",
        ),
        ("FARTHING_OUTLIERS", "plan: x=8", "is no threshold, use factor, min_usd, "),
        (
            "FARTHING_OUTLIERS",
            "plan: factor=many",
            "for 'factor' of 'plan' use a number of at least 1, or off. It is ignored.",
        ),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(variable: str, value: str, says: str) -> None:
    found, (problem,) = settings.load({}, {variable: value})
    assert found == Settings()
    assert problem.startswith(f"{variable}={value!r} is not usable: ")
    assert says in problem


def test_mappings_that_make_no_sense() -> None:
    for given in ({"plan": {}}, {"plan": 8}, 8, ["plan"]):
        assert settings.load({"outliers": given}, {})[1]


# One watch for one place.


def test_who_reports_to_one_place_shares_a_watch() -> None:
    place, other = MeterProvider(), MeterProvider()
    first = watch(Settings(), place)
    assert watch(Settings(semconv="both"), place) is first
    assert watch(Settings(outlier_factor=4), place) is not first
    assert watch(Settings(), other) is not first
    assert watch(Settings()) is watch(Settings())


# The file.

CHILD = """
import os, sys
sys.path.insert(0, ".")
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
import farthing
telemetry = Telemetry()
telemetry.instrument()
def call(step="plan", times=1, outputs=100):
    usage = {"prompt_tokens": 1000, "completion_tokens": outputs}
    provider = Provider().answers(shapes.ok(shapes.chat(usage)))
    for _ in range(times):
        with farthing.step(step):
            provider.openai().chat.completions.create(model="gpt-4o", messages=[])
def said():
    print(telemetry.spans()[-1].attributes["farthing.baseline.source"])
"""


def run(script: str, **environ: str) -> tuple[str, str]:
    environ = {**os.environ, "OTEL_SERVICE_NAME": "shop", **environ}
    command = [sys.executable, "-c", CHILD + script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    return done.stdout, done.stderr


def counts(path: Path) -> dict[tuple[str, str], int]:
    return {key: measures.cost.count for key, measures in snapshots.load(path).items()}


def test_what_one_process_saw_speaks_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "baselines.json"
    both = {"FARTHING_BASELINE": str(path), "FARTHING_BASELINE_SAVE": str(path)}
    assert run("call(times=25); said()", **both) == ("threshold\n", "")
    assert counts(path) == {("shop", "plan"): 25}
    assert run("call(times=15); call('other', 2); said()", **both) == ("threshold\n", "")
    assert counts(path) == {("shop", "plan"): 40, ("shop", "other"): 2}
    assert run("call(); said()", FARTHING_BASELINE=str(path)) == ("snapshot\n", "")
    assert counts(path)["shop", "plan"] == 40
    assert list(tmp_path.iterdir()) == [path]


def test_without_calls_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "baselines.json"
    run("os.chdir('/')", FARTHING_BASELINE_SAVE=str(path))
    assert not path.exists()


def test_a_relative_path_is_of_where_the_process_began(tmp_path: Path) -> None:
    path = os.path.relpath(tmp_path / "baselines.json")
    run("call(); os.chdir('/')", FARTHING_BASELINE_SAVE=path)
    assert counts(Path(path)) == {("shop", "plan"): 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_that_exits_adds_what_it_saw(tmp_path: Path) -> None:
    path = tmp_path / "baselines.json"
    script = """
pid = os.fork()
if not pid:
    call("child", 3)
    sys.exit()
os.waitpid(pid, 0)
call("parent", 2)
"""
    run(script, FARTHING_BASELINE_SAVE=str(path))
    assert counts(path) == {("shop", "child"): 3, ("shop", "parent"): 2}


def test_a_file_that_is_none_is_said_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "baselines.json"
    path.write_text("no baselines")
    both = {"FARTHING_BASELINE": str(path), "FARTHING_BASELINE_SAVE": str(path)}
    out, errors = run("call(); said()", **both)
    assert out == "threshold\n"
    assert errors.count("is not used: it is not JSON") == 2
    assert path.read_text() == "no baselines"


def test_a_file_that_is_not_there_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    place = MeterProvider()
    with caplog.at_level(logging.WARNING, "farthing"):
        for _ in range(2):
            watch(Settings(baseline="/nowhere/baselines.json"), place)
    (said,) = [record.message for record in caplog.records]
    assert said == (
        "The baseline file /nowhere/baselines.json is not used: it cannot be read "
        "(No such file or directory); save a new one."
    )


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    _, errors = run("call()", FARTHING_BASELINE_SAVE=str(blocked / "baselines.json"))
    assert errors.count("The baselines are not saved to ") == 1


def test_the_file_forgets(tmp_path: Path) -> None:
    """What it has is thinned, and its median stays, before the newest calls are added."""
    path = tmp_path / "baselines.json"
    cost = Histogram()
    for n in range(100_000):
        cost.insert(0.001 * 1.0001 ** (n % 10_000))
    snapshots.save({("shop", "plan"): Measures(cost, Histogram(), Histogram())}, path)
    run("call(times=2)", FARTHING_BASELINE_SAVE=str(path))
    (measures,) = snapshots.load(path).values()
    assert OLDER / 2 < measures.cost.count <= OLDER + 2
    assert measures.cost.p50 == pytest.approx(cost.p50, rel=0.05)
    assert measures.output_tokens.count == 2
    assert json.loads(path.read_text())["version"] == 1
