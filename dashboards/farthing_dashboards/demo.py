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
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Self

from farthing_dashboards.otlp import Record, Span
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.running.showing import show
from farthing_dashboards.simulator import Fault, LedgerEntry, Simulator
from farthing_dashboards.store import Store
from farthing_dashboards.store.rows import cost_of, is_call
from farthing_dashboards.view.filters import ALL, Asked
from farthing_dashboards.view.page import page, people
from farthing_dashboards.view.period import stored
from farthing_dashboards.view.text import in_brief
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
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the JSON of farthing report, costs as exact strings, and the comparison with"
        " what the simulator charged under bill",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not end by opening the page")
    options = parser.parse_args(argv)
    if options.calls < 1:
        parser.error("--calls takes a number of at least 1")

    if missing := [package for package in NEEDED if not _installed(package)]:
        return _fail(
            f"The sample agent needs {' and '.join(missing)}: pip install {' '.join(NEEDED)}"
        )
    # A new one each time, so that nothing else is on its page; JSON has no page.
    prefix = "farthing-demo-"
    folder = TemporaryDirectory(prefix=prefix) if options.json else nullcontext(mkdtemp("", prefix))
    with folder as place:
        return _demo(options, Path(place, "telemetry.db"))


def _demo(options: argparse.Namespace, path: Path) -> int:
    collected = Collected()
    base_url = os.environ.get("LLM_BASE_URL", "")
    simulator = None if base_url else Simulator(seed=options.seed, faults=FAULTS)
    with ExitStack() as running:
        progress = running.enter_context(Progress())
        store = running.enter_context(Store(path))
        if simulator:
            base_url = running.enter_context(simulator).url

        def take_in(records: Sequence[Record], /) -> None:
            # The first, so that what it could not keep is in none when it is sent again.
            for sink in (store, collected, progress):
                sink(records)

        receiver = running.enter_context(Receiver(take_in))
        exit_code = run_agent(receiver.url, base_url, options.calls, priced=simulator is not None)
    if exit_code:
        return _fail(f"The sample agent failed with exit code {exit_code}: see its message above.")
    with store.reading() as connection:
        everything, (_, now_ns) = Asked(since=ALL), stored(connection)
        view = page(connection, everything, now_ns) | people(connection, everything, now_ns)
    if not view["total"]["calls"]:
        return _fail(
            f"No priced call arrived: install farthing for {sys.executable} (pip install farthing) "
            "and leave it on."
        )
    comparison = None if simulator is None else compare(collected.spans, simulator.ledger)
    if options.json:
        bill = asdict(comparison) if comparison else None
        sys.stdout.write(json.dumps(view | {"bill": bill}, indent=2) + "\n")
    else:
        sys.stdout.write(in_brief(view))
        host, gateways = _host(base_url), os.environ.get("FARTHING_GATEWAYS", "")
        if not simulator and view["total"]["unpriced"] and host not in gateways:
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
    if not options.json:
        sys.stdout.flush()
        show(path, browser=not options.no_browser)
    return 0


class Progress:
    """Counts the calls that arrive, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._calls = 0
        self._shown = sys.stderr.isatty()

    def __call__(self, records: Sequence[Record], /) -> None:
        self._calls += sum(isinstance(record, Span) and is_call(record) for record in records)
        self._say(f"\rThe sample agent runs: {self._calls} calls so far …")

    def __enter__(self) -> Self:
        self._say("The sample agent starts …")
        return self

    def __exit__(self, *_: object) -> None:
        self._say("\r\033[K")

    def _say(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(text)
            sys.stderr.flush()


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
    return span.attributes.get(semconv.COST_STATUS) in ("usage_missing", "estimated")


def _without_id(span: Span) -> tuple[object, ...]:
    model = span.attributes.get(semconv.RESPONSE_MODEL)
    return (model, span.attributes.get(semconv.USAGE_INPUT_TOKENS))


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0]


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
