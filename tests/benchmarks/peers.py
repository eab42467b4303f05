"""farthing beside other tracers of the same clients: same traffic, same run, taken in turn.

Each has a process in an environment of its own, made when first needed (`tests.peers`). All stay
alive, and each in turn does a short round of one measurement, so that what else the machine does
falls on all alike. A call is given in floors, as by `tests.benchmarks`: its time over the bare
client's, by the time of a floor operation beside it in the same loop.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
from collections.abc import Iterator
from typing import Any

from tests import peers
from tests.benchmarks.floor import Times

ROUNDS, CALLS = 8, 40
"""Rounds of each measurement; calls of each kind in a round."""
STARTS = 4
WIDTH = 14

KINDS = [(lib, awaits) for lib in ("openai", "anthropic") for awaits in (False, True)]
OWN_SDK = ("anthropic", "logfire", "openlit")
"""They are given, or bring, an SDK where the application has none: never without."""

Figures = dict[str, float]
"""Peer → its figure; a peer that has none is not there."""


def main() -> None:
    there = installed()
    print(f"{'beside other tracers':<52}" + "".join(f"{peer:>{WIDTH}}" for peer in there))
    for sampled in ("sampled", "unsampled"):
        with children(there, sampled) as running:
            for library, awaits in KINDS:
                took = calls(running, library, awaits)
                name = f"{called(library, awaits)} call, {sampled}, floor1"
                row(name, {peer: times.in_floors() for peer, times in took.items()})
                row("  mean", {peer: times.mean_in_floors() for peer, times in took.items()})
                row("  metric records", records(running, library, awaits), compared=False)
            if sampled == "sampled":
                for library, awaits in KINDS:
                    row(f"{called(library, awaits)} chunk, µs", chunks(running, library, awaits))
    with children([peer for peer in there if peer not in OWN_SDK], "no SDK") as running:
        for library, awaits in KINDS:
            took = calls(running, library, awaits)
            name = f"{called(library, awaits)} call, no SDK, µs"
            row(name, {peer: times.overhead() / 1000 for peer, times in took.items()})
    tracers = [peer for peer in there if peer != "anthropic"]  # which nobody has to start
    for what, first in (("imported", "import openai, anthropic"), ("never imported", "")):
        row(f"import and instrument(), clients {what}, ms", starts(tracers, first))


def called(library: str, awaits: bool) -> str:
    return f"async {library}" if awaits else library


def row(name: str, figures: Figures, compared: bool = True) -> None:
    """One line, the best marked where that is not farthing."""
    best = min(figures, key=figures.__getitem__)
    cells = (f"{figures[peer]:.2f}" if peer in figures else "-" for peer in peers.PACKAGES)
    mark = "" if best == "farthing" or not compared else f"  < {best}"
    print(f"{name:<52}" + "".join(f"{cell:>{WIDTH}}" for cell in cells) + mark, flush=True)


def installed() -> list[str]:
    """The peers that there is an environment for; of the others, why not."""
    there: list[str] = []
    for peer in peers.PACKAGES:
        try:
            peers.python(peer)
            there.append(peer)
        except (subprocess.CalledProcessError, OSError) as error:
            said = getattr(error, "stderr", None) or str(error)
            print(f"{peer} could not be installed, and is left out: {said.strip()[-200:]}")
    return there


Child = subprocess.Popen[str]


@contextlib.contextmanager
def children(names: list[str], sampled: str) -> Iterator[dict[str, Child]]:
    """A process a peer, ready to be asked."""
    with contextlib.ExitStack() as stack:
        running: dict[str, Child] = {}
        for peer in names:
            command = [peers.python(peer), "-m", "tests.benchmarks.peer_child", peer, sampled]
            running[peer] = stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    cwd=peers.ROOT,
                    env=peers.environment(),
                )
            )
        yield running
        for child in running.values():
            assert child.stdin
            child.stdin.close()


def ask(child: Child, *question: object) -> Any:
    assert child.stdin
    assert child.stdout
    print(json.dumps(question), file=child.stdin, flush=True)
    for line in child.stdout:
        if line.startswith("["):  # a peer may print
            return json.loads(line)
    raise RuntimeError(f"{child.args} ended without an answer")


def calls(running: dict[str, Child], library: str, awaits: bool) -> dict[str, Times]:
    found: dict[str, Times] = {peer: Times(int, int, int) for peer in takes(running, library)}
    for _ in range(ROUNDS):
        for peer, times in found.items():
            bare, floor, ours = ask(running[peer], "call", library, awaits, CALLS)
            times.bare += bare
            times.floor += floor
            times.ours += ours
    return found


def chunks(running: dict[str, Child], library: str, awaits: bool) -> Figures:
    found: dict[str, list[float]] = {peer: [] for peer in takes(running, library)}
    for _ in range(ROUNDS // 2):
        for peer, times in found.items():
            times += ask(running[peer], "chunk", library, awaits, 1)
    return {peer: statistics.median(times) / 1000 for peer, times in found.items()}


def records(running: dict[str, Child], library: str, awaits: bool) -> Figures:
    """How many histogram records a call leaves: what some save where nothing is sampled."""
    return {
        peer: ask(running[peer], "records", library, awaits, CALLS)[0]
        for peer in takes(running, library)
    }


def takes(running: dict[str, Child], library: str) -> list[str]:
    return [peer for peer in running if peer != "anthropic" or library == "anthropic"]


START = """
import time, opentelemetry.sdk.trace, opentelemetry.sdk.metrics
from opentelemetry import metrics, trace
from tests import peers
{first}
providers = opentelemetry.sdk.trace.TracerProvider(), opentelemetry.sdk.metrics.MeterProvider()
trace.set_tracer_provider(providers[0])
metrics.set_meter_provider(providers[1])
start = time.process_time()
peers.start({peer!r}, *providers)
print("took", (time.process_time() - start) * 1000)
"""


def starts(names: list[str], first: str) -> Figures:
    """CPU milliseconds of import and instrument(), in fresh interpreters; the first compiles."""
    found: dict[str, list[float]] = {peer: [] for peer in names}
    for _ in range(STARTS):
        for peer, times in found.items():
            run = subprocess.run(
                [peers.python(peer), "-c", START.format(first=first, peer=peer)],
                check=True,
                capture_output=True,
                text=True,
                cwd=peers.ROOT,
                env=peers.environment(),
            )
            times.append(float(run.stdout.rpartition("took")[2]))
    return {peer: statistics.median(times[1:]) for peer, times in found.items()}


if __name__ == "__main__":
    main()
