"""What a user gets: the wheel in an environment of its own, with old and new companions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from farthing_dashboards import demo
from farthing_dashboards.simulator import Simulator
from tests.e2e.conftest import APP

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
BASE = {
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
    "opentelemetry-instrumentation",
    "opentelemetry-distro",
    "wrapt",
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "venv", str(folder / "venv")]
    subprocess.run(pip, check=True)
    command = [folder / "venv" / "bin" / "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("farthing-*.whl")
    return built


def environment(folder: Path, *packages: str | Path) -> Path:
    """A new virtual environment with these packages; its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "pip", "install", "-q", *packages]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "bin"


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FARTHING_"))}


def test_the_demo_works_after_pip_install(wheel: Path, tmp_path: Path) -> None:
    bin_ = environment(tmp_path / "venv", wheel)
    without = subprocess.run(
        [bin_ / "farthing", "demo"], capture_output=True, text=True, check=False, env=clean()
    )
    assert without.returncode == 1
    assert "pip install openai anthropic langgraph" in without.stderr
    requires = subprocess.run(
        [
            bin_ / "python",
            "-c",
            "from importlib.metadata import requires as r; print(r('farthing'))",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    named = {entry.split(">")[0] for entry in json.loads(requires.replace("'", '"'))}
    assert named == BASE
    subprocess.run([bin_ / "pip", "install", "-q", *demo.NEEDED], check=True)
    shown = subprocess.run(
        [bin_ / "farthing", "demo", "--calls", "4", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=clean(),
    )
    bill = json.loads(shown.stdout)["bill"]
    assert bill["equal"] == bill["billed"] > 40


def test_the_page_and_the_dashboards_are_in_the_wheel(wheel: Path, tmp_path: Path) -> None:
    farthing = environment(tmp_path / "venv", wheel) / "farthing"

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [farthing, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=clean() | {"FARTHING_STORE": str(tmp_path / "store.db")},
        )

    assert "no call arrived" in run("run", farthing.parent / "python", "-c", "").stderr
    assert "uPlot" in run("report", "--html", "-").stdout
    run("dashboards", "export", tmp_path / "out", "--daily-budget", "100")
    written = sorted(path.name for path in (tmp_path / "out").rglob("*.*"))
    assert [name for name in written if name.endswith(".yaml")] == [
        "farthing-budget.yaml",
        "farthing.yaml",
    ]
    assert sum(name.endswith(".json") for name in written) == 5


OLDEST = (
    "opentelemetry-api==1.39.0",
    "opentelemetry-sdk==1.39.0",
    "opentelemetry-exporter-otlp==1.39.0",
    "opentelemetry-instrumentation==0.60b0",
    "opentelemetry-distro==0.60b0",
    "wrapt==1.17.0",
)


@pytest.mark.parametrize(
    "packages",
    [
        ("openai", "anthropic"),
        (*OLDEST, "openai", "anthropic"),
        (*OLDEST, "openai==2.0.0", "anthropic==0.75.0"),
        ("openai<3", "anthropic<1"),
        ("opentelemetry-sdk==1.40.0", "opentelemetry-distro==0.61b0", "openai", "anthropic"),
    ],
    ids=["newest", "oldest SDK", "oldest of all", "older clients", "first with a hook"],
)
def test_old_and_new_companions(wheel: Path, tmp_path: Path, packages: tuple[str, ...]) -> None:
    """The same application, the same costs, whatever it is installed beside."""
    bin_ = environment(tmp_path / "venv", wheel, *packages)
    (tmp_path / "app.py").write_text(APP + SPANS)
    with Simulator(seed=3) as simulator:
        run = subprocess.run(
            [bin_ / "python", "app.py"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=clean()
            | {
                "LLM_URL": simulator.url,
                "FARTHING_GATEWAYS": simulator.url.removeprefix("http://"),
            },
        )
    *said, spans, foreign = run.stdout.splitlines()
    assert said == ["assistant", "assistant"]
    # Without the SDK's hook the processor can add nothing, says so, and the exporter does.
    hooked = "opentelemetry-sdk==1.39.0" not in packages
    assert run.stderr.count("CostSpanExporter(...)") == (not hooked)
    assert len(run.stderr.splitlines()) == (not hooked)
    costs = {entry.response_id: float(entry.cost) for entry in simulator.ledger if entry.cost}
    assert len(costs) == 2
    assert json.loads(spans) == costs
    # Of another tracer, with what the processor writes and with what the exporter does.
    assert json.loads(foreign) == [0.0035 if hooked else None, 0.0035]


@pytest.mark.parametrize("packages", [OLDEST, ()], ids=["oldest SDK", "newest"])
def test_farthing_run_with_old_and_new_companions(
    wheel: Path, tmp_path: Path, packages: tuple[str, ...]
) -> None:
    bin_ = environment(tmp_path / "venv", wheel, *packages, "openai", "anthropic")
    (tmp_path / "app.py").write_text(APP)
    store = {"FARTHING_STORE": str(tmp_path / "store.db")}
    with Simulator(seed=4) as simulator:
        run = subprocess.run(
            [bin_ / "farthing", "run", bin_ / "python", "app.py"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=clean()
            | store
            | {
                "LLM_URL": simulator.url,
                "FARTHING_GATEWAYS": simulator.url.removeprefix("http://"),
            },
        )
    assert run.stdout.splitlines() == ["assistant", "assistant"]
    report = subprocess.run(
        [bin_ / "farthing", "report", "--json"],
        capture_output=True,
        check=True,
        env=clean() | store,
    )
    spent = sum(entry.cost for entry in simulator.ledger if entry.cost)
    assert Decimal(json.loads(report.stdout)["total"]["cost"]) == spent


SPANS = """
import json
telemetry.force_flush()
print(json.dumps({
    span.attributes["gen_ai.response.id"]: span.attributes["gen_ai.usage.cost.amount"]
    for span in kept.get_finished_spans()
}))
kept.clear()
bare = TracerProvider()
for provider in (telemetry, bare):
    if provider is bare:
        bare.add_span_processor(SimpleSpanProcessor(farthing.CostSpanExporter(kept)))
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai", "1.3b0")
    with tracer.start_as_current_span("chat gpt-4o") as span:
        span.set_attributes({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.response.model": "gpt-4o", "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
        })
print(json.dumps([
    span.attributes.get("gen_ai.usage.cost.amount") for span in kept.get_finished_spans()
]))
"""
APP = (
    """
import farthing
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
telemetry, kept = TracerProvider(), InMemorySpanExporter()
telemetry.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(telemetry)
farthing.instrument()
"""
    + APP
)
