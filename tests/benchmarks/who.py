"""What it costs to say who spends: `figures()`, in microseconds of CPU, for `make bench`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import farthing


def figures() -> Iterator[tuple[str, float, str]]:
    """(what, microseconds, target), where an SDK listens; the best of seven rounds."""

    def step() -> None:
        with farthing.step("plan"):
            pass

    @farthing.step("plan")
    def decorated() -> None:
        pass

    def workflow() -> None:
        with farthing.workflow("report"):
            pass

    def traced() -> None:
        with farthing.cost_trace(step="plan", provider="openai", model="gpt-4o") as usage:
            usage.input_tokens, usage.output_tokens = 1000, 100

    yield "with farthing.step", _best(step), "10 µs"
    with farthing.workflow("report"), farthing.tag(agent="a", feature="f", task="t"):
        yield "  within a workflow, with tags", _best(step), "10 µs"
    yield "  as a decorator", _best(decorated), "10 µs"
    yield "with farthing.workflow, its span and metrics", _best(workflow), ""
    yield "with farthing.cost_trace, span, metrics and event", _best(traced), "1000 µs"


def _best(operation: Callable[[], None], rounds: int = 2_000) -> float:
    taken: list[float] = []
    for _ in range(7):
        start = time.thread_time_ns()
        for _ in range(rounds):
            operation()
        taken.append((time.thread_time_ns() - start) / rounds / 1000)
    return min(taken)
