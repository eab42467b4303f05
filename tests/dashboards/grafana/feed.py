"""What feeds Prometheus: programs that are scraped until their last values are in, and histories.

Their spans arrive over OTLP at the same time, so what a panel says can be compared with them and
with the simulator's bill.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from farthing_dashboards import demo
from farthing_dashboards.otlp import Span
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import LedgerEntry, Simulator
from tests.dashboards.grafana.prometheus import Prometheus, exposition, free_port, until

SPACING = 15.0
"""Seconds between the samples of a written history."""

_HERE = Path(__file__).parent


class Program:
    """One run of a script that lingers; ``spans`` and ``ledger`` are whole when it has ended."""

    def __init__(self, job: str, script: str, *arguments: str, seed: int = 0, **said: str) -> None:
        self.job = job
        self.command = (str(_HERE / script), *arguments)
        self.seed = seed
        self.said = said
        """Further variables of its environment."""
        self.port = free_port()
        self.spans: Sequence[Span] = ()
        self.ledger: Sequence[LedgerEntry] = ()
        self.seen = 0.0
        """When its last values were scraped."""
        self.exposition = ""
        """What it said on ``/metrics`` in the end."""

    def run(self, prometheus: Prometheus) -> None:
        """Do all the work, until its last values and spans have arrived."""
        collected = Collected()
        with Simulator(seed=self.seed, faults=demo.FAULTS) as simulator:
            with Receiver(collected) as receiver, self._process(simulator, receiver) as process:
                assert process.stdout
                assert process.stdout.readline() == "done\n"
                done = time.time()
                until(lambda: prometheus.scraped(self.job) > done)
                self.seen = prometheus.scraped(self.job)
                self.exposition = exposition(self.port)
            assert process.returncode == 0
            self.spans, self.ledger = collected.spans, simulator.ledger

    @contextmanager
    def _process(self, simulator: Simulator, receiver: Receiver) -> Iterator[subprocess.Popen[str]]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "FARTHING_", "LLM_"))
        } | {
            "NO_PROXY": "127.0.0.1",
            "LLM_BASE_URL": simulator.url,
            "FARTHING_GATEWAYS": simulator.url.removeprefix("http://"),
            "FARTHING_ESTIMATE": "1",
            "OTEL_SERVICE_NAME": self.job,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(self.port),
            "OTEL_BSP_MAX_QUEUE_SIZE": "100000",
            **self.said,
        }
        instrument = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
        with subprocess.Popen(
            [sys.executable, "-c", instrument, sys.executable, *self.command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield process  # leaving Popen's block ends its input, and waits for it


class Life(NamedTuple):
    """A process in a written history: it counts up to all of a run, in this many samples.

    Evenly, or all of it before the first one.
    """

    instance: str
    samples: int
    at_once: bool = False


def history(job: str, exposition: str, end: float, *lives: Life) -> str:
    """Samples in which one process after the other does all that ``exposition`` says; OpenMetrics.

    The last sample is at ``end``, the others `SPACING` apart. Counters begin at 0 in each process,
    their first sample is the first share of what they come to; gauges stay.
    """
    lines: list[str] = []
    start = end - SPACING * (sum(life.samples for life in lives) - 1)
    for family in text_string_to_metric_families(exposition):
        for name, samples in groupby(sorted(family.samples, key=_series), key=itemgetter(0)):
            lines.append(f"# TYPE {name} unknown")
            for sample in samples:
                at = start
                for life in lives:
                    labels = {**sample.labels, "job": job, "instance": life.instance}
                    told = ",".join(
                        f"{key}={json.dumps(value, ensure_ascii=False)}"
                        for key, value in labels.items()
                    )
                    for number in range(1, life.samples + 1):
                        steady = life.at_once or family.type == "gauge"
                        share = 1 if steady else number / life.samples
                        lines.append(f"{name}{{{told}}} {sample.value * share!r} {at:.0f}")
                        at += SPACING
    return "\n".join([*lines, ""])


def _series(sample: Sample) -> tuple[str, list[tuple[str, str]]]:
    return sample.name, sorted(sample.labels.items())
