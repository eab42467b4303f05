"""`opentelemetry-instrument python app.py`, by every road to a backend, and with none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator
from tests.e2e.conftest import BIN, Run

SAID = "assistant\nassistant\n"


def assert_priced(collected: Collected, simulator: Simulator) -> None:
    """Spans and metrics of the application's two calls, at the simulator's own prices."""
    ours = [span for span in collected.spans if span.scope == "farthing"]
    costs = {
        span.attributes["gen_ai.response.id"]: span.attributes["gen_ai.usage.cost.amount"]
        for span in ours
    }
    # The HTTP instrumentation of the environment sees the same calls from below.
    parents = {span.span_id for span in ours}
    http = [span for span in collected.spans if span.scope.endswith(".httpx")]
    assert {span.parent_span_id for span in http} == parents
    assert len(collected.spans) == len(ours) + len(http)
    bill = {entry.response_id: float(entry.cost) for entry in simulator.ledger if entry.cost}
    assert costs == bill
    assert len(bill) == 2
    recorded = [point for point in collected.points if point.name == "gen_ai.client.operation.cost"]
    assert sum(point.count or 0 for point in recorded) == 2
    assert sum(point.sum or 0 for point in recorded) == pytest.approx(sum(bill.values()))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc", None])
def test_otlp(
    run: Run, collected: Collected, receiver: Receiver, simulator: Simulator, protocol: str | None
) -> None:
    endpoint = receiver.url if protocol == "http/protobuf" else receiver.grpc_url
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": str(endpoint)}
    if protocol:
        variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol
    result = run(**variables)
    assert result.stdout == SAID
    assert_priced(collected, simulator)


CONFIG = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple:
        exporter:
          otlp_http:
            endpoint: {url}/v1/traces
meter_provider:
  readers:
    - periodic:
        exporter:
          otlp_http:
            endpoint: {url}/v1/metrics
instrumentation/development:
  python:
    farthing:
      semconv: both
      gateways: ["{host}"]
"""


def test_configuration_file(
    run: Run, collected: Collected, receiver: Receiver, simulator: Simulator, tmp_path: Path
) -> None:
    host = simulator.url.removeprefix("http://")
    config = tmp_path / "otel.yaml"
    config.write_text(CONFIG.format(url=receiver.url, host=host))
    result = run(OTEL_CONFIG_FILE=str(config), FARTHING_GATEWAYS="")
    assert result.stdout == SAID
    assert_priced(collected, simulator)
    names = {point.name for point in collected.points}
    assert {"gen_ai.client.token.usage", "gen_ai.client.inference.duration"} <= names


FOREIGN = """
from opentelemetry import trace

tracer = trace.get_tracer("openinference.instrumentation.openai", "0.1.66")
with tracer.start_as_current_span("ChatCompletion") as span:
    span.set_attributes({
        "openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1000, "llm.token_count.completion": 100,
    })
print("done")
"""


@pytest.mark.parametrize("config", [False, True])
def test_a_span_of_another_tracer_leaves_with_its_cost(
    run: Run, collected: Collected, receiver: Receiver, tmp_path: Path, config: bool
) -> None:
    (tmp_path / "foreign.py").write_text(FOREIGN)
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    if config:
        (tmp_path / "otel.yaml").write_text(CONFIG.format(url=receiver.url, host="example"))
        variables = {"OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml")}
    result = run(BIN / "opentelemetry-instrument", sys.executable, "foreign.py", **variables)
    assert result.stdout == "done\n"
    (span,) = collected.spans
    assert span.attributes["gen_ai.usage.cost.amount"] == 0.0035
    assert span.attributes["farthing.cost.dialect"] == "openinference"
    sums = {point.name: point.sum for point in collected.points if point.scope == "farthing"}
    assert sums["gen_ai.client.operation.cost"] == 0.0035


@pytest.mark.parametrize("disabled", ["farthing", "requests, farthing", "*"])
def test_disabled(run: Run, collected: Collected, receiver: Receiver, disabled: str) -> None:
    """Then the anthropic client traces itself, as it would without us."""
    result = run(
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled,
    )
    assert result.stdout == SAID
    scopes = {span.scope for span in collected.spans}
    assert scopes - {"opentelemetry.instrumentation.httpx"} == ({"com.anthropic.sdk.python"})
    assert not [point for point in collected.points if point.scope == "farthing"]


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "nowhere"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        },
        {"FARTHING_SEMCONV": "nonsense", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_the_application_works_whatever_is_wrong(run: Run, variables: dict[str, str]) -> None:
    result = run(**({"OTEL_METRICS_EXPORTER": "none"} | variables))
    assert result.stdout == SAID
    assert "farthing" not in result.stderr or "FARTHING_SEMCONV" in result.stderr


def test_without_opentelemetry_instrument_nothing_happens(run: Run, receiver: Receiver) -> None:
    result = run(sys.executable, "app.py", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert result.stdout == SAID
    assert result.stderr == ""


def test_doctor_finds_all_well(run: Run, receiver: Receiver) -> None:
    result = run(
        BIN / "farthing",
        "doctor",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    assert "FIX" not in result.stdout
    for said in (
        "A provider for traces is set up.",
        f"Traces go to {receiver.url}/v1/traces (http/protobuf), which answers.",
        f"Metrics go to {receiver.url}/v1/metrics (http/protobuf), which answers.",
        "openai 3.",
        "anthropic 2.",
        "is instrumented.",
        "The spans of other tracers are seen, and priced as they end.",
        "is installed: the spans of its calls are read, as farthing.cost.dialect 'mistral'.",
        "The price table genai-prices",
    ):
        assert said in result.stdout
    assert result.stderr == ""


def rarely(variables: dict[str, str], says: str) -> Any:
    """A case that is run with the slow tests only: each takes seconds."""
    return pytest.param(variables, says, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "nothing listens there. Start the backend, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        rarely({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "nothing listens there."),
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED turns all telemetry off."),
        (
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
            "No exporter for traces is set up, so they never leave the process.",
        ),
        rarely({"OTEL_METRICS_EXPORTER": "none"}, "No exporter for metrics is set up"),
        rarely({"OTEL_TRACES_SAMPLER": "always_off"}, "drops every span"),
        rarely(
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://no-such-host.invalid",
            },
            "its host has no address.",
        ),
        ({"OTEL_TRACES_EXPORTER": "nowhere"}, "OpenTelemetry could not be set up"),
        (
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "farthing"},
            "is installed and not instrumented. Take farthing out of",
        ),
        ({"FARTHING_SEMCONV": "newest"}, "use one of released, latest, both"),
        (
            {"FARTHING_BASELINE": "nowhere.json"},
            "nowhere.json",
        ),
    ],
)
def test_doctor_says_what_to_mend(run: Run, variables: dict[str, str], says: str) -> None:
    result = run(
        BIN / "farthing",
        "doctor",
        check=False,
        **{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
        | variables,
    )
    assert result.returncode == 1
    (sentence,) = [line for line in result.stdout.splitlines() if says in line][:1]
    assert sentence.startswith("FIX ")
    assert "Traceback" not in result.stderr


def test_doctor_finds_a_backend_that_answers_otherwise(run: Run, simulator: Simulator) -> None:
    """Something listens, but it does not speak OTLP."""
    result = run(
        BIN / "farthing",
        "doctor",
        check=False,
        OTEL_EXPORTER_OTLP_ENDPOINT=simulator.url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert result.returncode == 1
    assert "it knows no such path (404)." in result.stdout


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        ("http/protobuf", "does not speak HTTP: it is usually grpc."),
        ("grpc", "does not speak grpc."),
    ],
)
def test_doctor_finds_the_wrong_protocol(
    run: Run, receiver: Receiver, protocol: str, says: str
) -> None:
    endpoint = receiver.grpc_url if protocol == "http/protobuf" else receiver.url
    result = run(
        BIN / "farthing",
        "doctor",
        check=False,
        OTEL_EXPORTER_OTLP_ENDPOINT=str(endpoint),
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_TIMEOUT="2",
    )
    assert says in result.stdout
