"""The demo: a sample agent runs under farthing, and what came of its money is printed.

The agent's providers are simulated, so every cost can be compared with what the simulator charged;
with ``LLM_BASE_URL`` set the agent goes there instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any, cast

from farthing_dashboards.otlp import Span
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Fault, LedgerEntry, Simulator
from farthing_dashboards.summary import Summary, cost_of, is_call, summarise
from farthing_dashboards.tables import as_text
from farthing_processor import semconv

FAULTS = (
    Fault("rate_limit", "planning", 2),
    Fault("rate_limit", "status_check", 5),
    Fault("rate_limit", "status_check", 90),
    Fault("server_error", "research", 1),
    Fault("server_error", "title", 20),
    Fault("cut", "doc_synthesis", 49),
    Fault("cut", "doc_synthesis", 58),
)
"""What goes wrong with the simulated providers. The clients try again after an error, which is not
billed; an answer that breaks off fails the call, and the workflow."""

NEEDED = ("openai", "anthropic", "langgraph")
"""The packages that the sample agent is written with."""

_INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when the agent ran and every cost equals the simulator's."""
    parser = argparse.ArgumentParser(
        prog="farthing demo",
        description="Run a sample agent and print what its steps and workflows cost, and for what.",
    )
    parser.add_argument(
        "--calls", type=int, default=40, help="calls of the rarest step (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, another month")
    parser.add_argument("--json", action="store_true", help="print JSON, costs as exact strings")
    options = parser.parse_args(argv)
    if options.calls < 1:
        parser.error("--calls takes a number of at least 1")

    if missing := [package for package in NEEDED if not _installed(package)]:
        return _fail(
            f"The sample agent needs {' and '.join(missing)}: pip install {' '.join(NEEDED)}"
        )
    collected = Collected()
    ledger: Sequence[LedgerEntry] | None = None
    with ExitStack() as running:
        base_url = os.environ.get("LLM_BASE_URL")
        simulator = None
        if not base_url:
            simulator = running.enter_context(Simulator(seed=options.seed, faults=FAULTS))
            base_url = simulator.url
        receiver = running.enter_context(Receiver(collected))
        exit_code = run_agent(receiver.url, base_url, options.calls, priced=simulator is not None)
        if simulator:
            ledger = simulator.ledger
    if exit_code:
        return _fail(f"The sample agent failed with exit code {exit_code}: see its message above.")
    summary = summarise(collected.spans, collected.points)
    if not summary.steps:
        return _fail(
            f"No priced call arrived: install farthing for {sys.executable} (pip install farthing) "
            "and leave it on."
        )
    comparison = None if ledger is None else compare(collected.spans, ledger)
    if options.json:
        sys.stdout.write(json.dumps(as_json(summary, comparison), indent=2) + "\n")
    else:
        sys.stdout.write(as_text(summary))
        host, gateways = _host(base_url), os.environ.get("FARTHING_GATEWAYS", "")
        if not simulator and summary.total.unpriced and host not in gateways:
            sys.stdout.write(
                f"If {host} is your gateway to the providers, set FARTHING_GATEWAYS={host}.\n"
            )
        if comparison:
            sys.stdout.write(
                f"\n{comparison.equal} of {comparison.billed} costs equal "
                "the simulator's own bill, to the last digit."
            )
            if comparison.unreported:
                sys.stdout.write(
                    f"\n{comparison.unreported} more cannot be compared: "
                    "the agent was never told what they used."
                )
            sys.stdout.write("\n")
    if comparison and comparison.differences:
        return _fail("\n".join(comparison.differences[:10]))
    return 0


def run_agent(endpoint: str, base_url: str, calls: int, *, priced: bool) -> int:
    """Run the agent as a user would in production; its exit code once all telemetry has arrived.

    ``priced`` declares ``base_url`` a gateway to the providers: an unknown host has no prices.
    """
    command = [sys.executable, "-c", _INSTRUMENT]  # opentelemetry-instrument of this environment
    agent = [sys.executable, "-m", "farthing_dashboards.agent", "--calls", str(calls)]
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("OTEL_")}
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, ["127.0.0.1", os.environ.get(name)]))
    environment |= {
        "LLM_BASE_URL": base_url,
        "OTEL_SERVICE_NAME": "sample-agent",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100000",  # the agent is faster than any real one: drop nothing
    }
    environment.setdefault("FARTHING_ESTIMATE", "1")  # of what ended early nobody says the usage
    if priced:
        environment["FARTHING_GATEWAYS"] = _host(base_url)
    return subprocess.run([*command, *agent], env=environment, check=False).returncode


@dataclass(frozen=True, slots=True)
class Comparison:
    """``equal`` of ``billed`` costs equal the bill; a sentence for each thing that differs.

    The bill of ``unreported`` answers is not compared: they ended before the client was told their
    usage.
    """

    equal: int
    billed: int
    unreported: int
    differences: tuple[str, ...]


def compare(spans: Iterable[Span], ledger: Iterable[LedgerEntry]) -> Comparison:
    """The costs on spans against a bill, as doubles: equal means to the last digit.

    A call is found by its response id or, where the API gives none, by model and tokens.
    """
    found: defaultdict[object, list[Span]] = defaultdict(list)
    for span in filter(is_call, spans):
        found[span.attributes.get(semconv.RESPONSE_ID) or _without_id(span)].append(span)
    billed = equal = unreported = 0
    differences: list[str] = []
    for entry in ledger:
        if not entry.reported or entry.cost is None:
            unreported += not entry.reported and entry.usage is not None
            continue
        key = entry.response_id or (entry.model, (entry.usage or {})["prompt_tokens"])
        span = found[key].pop() if found[key] else None
        if span is not None and entry.streamed and _ended_early(span):
            unreported += 1
            continue
        billed += 1
        what = f"Request {entry.seq} ({entry.step}, {entry.model}) was billed ${entry.cost:f}"
        if span is None:
            differences.append(f"{what} and has no span.")
        elif (cost := cost_of(span)) is None:
            differences.append(f"{what}; span {span.span_id} has no cost.")
        elif float(cost) != float(entry.cost):
            differences.append(f"{what}; span {span.span_id} says ${cost:f}.")
        else:
            equal += 1
    differences.extend(
        f"Span {span.span_id} ({span.name}) has a cost that nobody charged."
        for span in chain.from_iterable(found.values())
        if cost_of(span) is not None and not _ended_early(span)
    )
    return Comparison(equal, billed, unreported, tuple(differences))


def _ended_early(span: Span) -> bool:
    """Whether the usage of a call never came, and its cost is no more than an estimate."""
    return span.attributes[semconv.COST_STATUS] in ("usage_missing", "estimated")


def _without_id(span: Span) -> tuple[object, ...]:
    model = span.attributes.get(semconv.RESPONSE_MODEL)
    return (model, span.attributes.get(semconv.USAGE_INPUT_TOKENS))


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0]


def as_json(summary: Summary, comparison: Comparison | None) -> dict[str, Any]:
    """The same for machines: exact decimals as strings, tokens as sums over the calls."""
    everything = {**asdict(summary), "total": asdict(summary.total)}
    return {**_plain(everything), "bill": asdict(comparison) if comparison else None}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return f"{value:f}"
        case dict():
            return {str(key): _plain(each) for key, each in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [_plain(each) for each in cast("Sequence[Any]", value)]
        case _:
            return value


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _fail(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
