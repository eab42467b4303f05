"""Services whose truth is known, and the dashboards' time range that sees all they did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from farthing_dashboards.grafana.names import SERVICE
from tests.dashboards.grafana.feed import SPACING, Life, Program, history
from tests.dashboards.grafana.prometheus import Prometheus, Series, Target, write_history
from tests.dashboards.grafana.run import Numbers, Run

RANGE = 3600.0
"""Seconds."""
ENVIRONMENT = "demo"
"""That of the sample agent; the others say none."""
_SAMPLES = int(RANGE / SPACING)
_HISTORIES = {
    "one sample": (Life("a", 1),),
    "burst": (Life("a", _SAMPLES, at_once=True),),
    "moved": (Life("a", _SAMPLES // 2), Life("b", _SAMPLES // 2)),
    "restarted": (Life("a", _SAMPLES // 2), Life("a", _SAMPLES // 2)),
}
"""What processes did all that the sample agent did, each, by the service that they are."""
_EXACT = 1e-9


class View(NamedTuple):
    """A service in a Prometheus, at the end of the time range."""

    prometheus: Prometheus
    service: str
    """What is chosen: a service, or several as Grafana joins them."""
    run: Run
    """What it really did."""
    end: float
    environment: str = ".*"
    """What is chosen; this is all."""
    tolerance: float = _EXACT
    """Relative; sums of doubles are exact but for their last digits."""
    steady: bool = False
    """Whether it did that evenly over the time range, so that every rate is known."""

    @property
    def window(self) -> str:
        """The time range, as Grafana says it."""
        return f"{RANGE:.0f}s"

    @property
    def where(self) -> str:
        return f'{SERVICE}="{self.service}"'

    def instant(self, expression: str) -> Numbers:
        """Its values at the end."""
        found = self.prometheus.instant(expression, self.end)
        return {frozenset(each.labels.items()): each.value for each in found}

    def over_time(self, expression: str, step: float) -> list[Series]:
        """Its values every ``step`` seconds of the time range, the end included."""
        return self.prometheus.over(expression, self.end - RANGE, self.end, step)


@contextmanager
def made(folder: Path) -> Iterator[Mapping[str, View]]:
    """All of them, while Prometheus runs."""
    agent = Program("sample-agent", "lingering_agent.py", "40", seed=11)
    newcomer = Program("newcomer", "lingering_agent.py", "2", seed=3, LLM_MODEL="mystery-1")
    stranger = Program("stranger", "lingering_stranger.py")
    targets = (
        Target(newcomer.job, newcomer.port),
        Target(stranger.job, stranger.port),
        Target(agent.job, agent.port, ENVIRONMENT),
    )
    with Prometheus.running(folder / "scraped", *targets) as prometheus:
        for program in (newcomer, stranger, agent):
            program.run(prometheus)

        def scraped(program: Program) -> View:
            run = Run(program.job, program.spans, program.ledger, seconds=RANGE)
            return View(prometheus, program.job, run, program.seen)

        demo, unpriced, reported = map(scraped, (agent, newcomer, stranger))
        both = Run(agent.job, [*agent.spans, *newcomer.spans], seconds=RANGE)
        with _written(folder / "written", agent) as written:
            yield written | {
                "demo": demo._replace(environment=ENVIRONMENT),
                "unpriced": unpriced,
                "partly unpriced": demo._replace(service=f"({newcomer.job}|{agent.job})", run=both),
                "reported by others": reported,
            }


@contextmanager
def _written(folder: Path, agent: Program) -> Iterator[dict[str, View]]:
    end = agent.seen // 3600 * 3600 - 6 * 3600
    text = "".join(history(job, agent.exposition, end, *_HISTORIES[job]) for job in _HISTORIES)
    write_history(folder, text + "# EOF\n")
    with Prometheus.running(folder) as prometheus:

        def seen(job: str, tolerance: float = _EXACT, *, steady: bool = False) -> View:
            run = Run(job, agent.spans, times=len(_HISTORIES[job]), seconds=RANGE)
            return View(prometheus, job, run, end, tolerance=tolerance, steady=steady)

        yield {
            "one sample": seen("one sample"),
            "burst": seen("burst"),
            "moved": seen("moved", steady=True),
            # increase() takes up to 1.1 intervals too much of a counter that restarts.
            "restarted": seen("restarted", 1.1 / (_SAMPLES - 1), steady=True),
            "nothing": View(prometheus, "nobody", Run("nobody", seconds=RANGE), end),
        }
