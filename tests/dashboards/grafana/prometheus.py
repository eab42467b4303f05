"""A real Prometheus on loopback: scraping programs, or holding a history that was written down."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from farthing_dashboards.grafana.names import ENVIRONMENT, label
from tests import needs

INTERVAL = "1s"
"""Between scrapes."""
PATIENCE = 60.0
"""Seconds to wait for what must come: only a test that fails waits so long."""

Labels = Mapping[str, str]
_http = build_opener(ProxyHandler({}))  # loopback never goes through a proxy


class Refused(Exception):
    """Prometheus could not answer a query; its own words."""


class Target(NamedTuple):
    """A program to scrape: its service, its port, and the environment that its series say."""

    job: str
    port: int
    environment: str = ""


class Series(NamedTuple):
    """One result: its labels, and values by Unix seconds (one of an instant query)."""

    labels: Labels
    values: Mapping[float, float]

    @property
    def value(self) -> float:
        (value,) = self.values.values()
        return value


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *targets: Target) -> Iterator[Self]:
        """Started on what ``folder`` holds, until the block ends."""
        port = free_port()
        folder.mkdir(exist_ok=True)
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(_config(targets)))  # JSON is YAML
        command = [
            needs.command("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                prometheus = cls(f"http://127.0.0.1:{port}")
                prometheus._until_ready(process, folder / "log")
                yield prometheus
            finally:
                process.terminate()

    def instant(self, expression: str, at: float) -> list[Series]:
        """What ``expression`` is at one time; a scalar is a series without labels."""
        found = self._get("query", query=expression, time=at)
        if found["resultType"] == "scalar":
            return [Series({}, _values([found["result"]]))]
        return [Series(_labels(each), _values([each["value"]])) for each in found["result"]]

    def over(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """What it is at every ``step`` from ``start`` to ``end``."""
        found = self._get("query_range", query=expression, start=start, end=end, step=step)
        return [Series(_labels(each), _values(each["values"])) for each in found["result"]]

    def scraped(self, job: str) -> float:
        """When ``job`` last answered; 0 before it did."""
        found = self.instant(f'timestamp(up{{job="{job}"}}) and up == 1', time.time())
        return found[0].value if found else 0

    def _get(self, what: str, **parameters: object) -> Any:
        try:
            asked = urlencode(parameters).encode()
            with _http.open(f"{self.url}/api/v1/{what}", asked) as response:
                return json.load(response)["data"]
        except HTTPError as error:
            raise Refused(f"{json.load(error)['error']}: {parameters['query']}") from error

    def _until_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return _http.open(f"{self.url}/-/ready").status == 200
            except URLError:
                return False

        until(is_ready, every=0.05)


def until(happened: Callable[[], bool], every: float = 0.2) -> None:
    """Ask until it is so; fails after `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"{happened} did not happen in {PATIENCE:.0f} s"
        time.sleep(every)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def exposition(port: int) -> str:
    """What a program says on ``/metrics``."""
    with _http.open(f"http://127.0.0.1:{port}/metrics") as response:
        return response.read().decode()


def write_history(folder: Path, openmetrics: str) -> None:
    """Store samples with times of their own, to start Prometheus on ``folder``."""
    folder.mkdir(exist_ok=True)
    source = folder / "history.om"
    source.write_text(openmetrics)
    command = [needs.command("promtool"), "tsdb", "create-blocks-from", "openmetrics"]
    made = subprocess.run(
        [*command, str(source), str(folder / "data")], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr


def _config(targets: tuple[Target, ...]) -> dict[str, Any]:
    def scrape(target: Target) -> dict[str, Any]:
        labels = {label(ENVIRONMENT): target.environment} if target.environment else {}
        to = {"targets": [f"127.0.0.1:{target.port}"], "labels": labels}
        return {
            "job_name": target.job,
            "static_configs": [to],
        }

    every = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}
    return {"global": every, "scrape_configs": [scrape(target) for target in targets]}


def _labels(found: Any) -> Labels:
    return {name: value for name, value in found["metric"].items() if name != "__name__"}


def _values(pairs: Any) -> dict[float, float]:
    return {float(at): float(value) for at, value in pairs}
