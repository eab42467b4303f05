"""Every query of every dashboard against what the sample agent really did, on a real Prometheus."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest

from farthing_dashboards import demo
from farthing_dashboards.grafana.names import series
from farthing_dashboards.grafana.promql import grown
from farthing_dashboards.loopback import LoopbackHandler, LoopbackServer
from farthing_processor import metrics
from farthing_processor import semconv as names
from tests.dashboards.grafana.oracle import ORACLE
from tests.dashboards.grafana.panels import Query, Variable, queries, variables
from tests.dashboards.grafana.prometheus import Prometheus, Target, until
from tests.dashboards.grafana.run import Numbers, cost, retries, total
from tests.dashboards.grafana.views import RANGE, View, made

STEP = 60.0
"""Seconds between the points of a line."""
VIEWS = (
    "demo",
    "unpriced",
    "partly unpriced",
    "reported by others",
    "one sample",
    "burst",
    "moved",
    "restarted",
    "nothing",
)
MONEY = (
    series(metrics.COST, "sum"),
    series(metrics.WORKFLOW_COST, "sum"),
    series(metrics.WASTE),
    series(metrics.CACHE_SAVINGS),
    series(metrics.CACHE_SURCHARGES),
)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, View]]:
    with made(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.mark.slow
def test_the_spans_say_what_the_simulator_charged(views: Mapping[str, View]) -> None:
    run = views["demo"].run
    compared = demo.compare(run.spans, run.ledger)
    assert (compared.equal, compared.unreported, compared.differences) == (796, 4, ())


def test_the_oracle_knows_every_query() -> None:
    asked: dict[str, dict[str, int]] = {}
    for query in queries():
        asked.setdefault(query.board, {}).setdefault(query.panel, 0)
        asked[query.board][query.panel] += 1
    known = {
        board: {panel: len(truths) for panel, truths in panels.items()}
        for board, panels in ORACLE.items()
    }
    assert asked == known


@pytest.mark.slow
@pytest.mark.parametrize("query", queries(), ids=lambda q: f"{q.board}: {q.panel} {q.ref}")
@pytest.mark.parametrize("seen", VIEWS)
def test_a_panel_says_what_was(views: Mapping[str, View], seen: str, query: Query) -> None:
    view = views[seen]
    truth = ORACLE[query.board][query.panel][query.index](view.run)
    found = _asked(view, query)
    if query.of_rates and not view.steady:
        assert found.keys() <= truth.keys()
    else:
        _assert_equal(found, truth, view.tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("variable", variables(), ids=lambda v: f"{v.board}: {v.name}")
def test_what_can_be_chosen(views: Mapping[str, View], variable: Variable) -> None:
    demo = views["demo"]
    asked = variable.query.replace("$__range", demo.window)
    found = demo.prometheus.instant(asked, demo.end)
    assert (
        variable.values(each.labels for each in found)
        == {
            "service": {"sample-agent", "newcomer", "stranger"},
            "environment": {"demo"},
        }[variable.name]
    )


@pytest.mark.slow
def test_unknown_is_never_zero(views: Mapping[str, View]) -> None:
    """No panel has an amount of money where no call has a price, and all that is missing counts."""
    view = views["unpriced"]
    shown = {q: _asked(view, q) for q in queries()}
    assert not [
        (query, found)
        for query, found in shown.items()
        if found and any(amount in query.expression for amount in MONEY)
    ]
    (missing,) = [f for q, f in shown.items() if q[:2] == ("farthing-trust", "Without a price")]
    assert missing == {frozenset(): 1}


def _asked(view: View, query: Query) -> Numbers:
    """What a panel shows: its numbers, or the last points of its lines. None is ever NaN."""
    expression = query.asked(
        {
            "service": view.service,
            "environment": view.environment,
            "__range": view.window,
            "__range_s": f"{RANGE:.0f}",
            "__interval": f"{STEP:.0f}s",
            "__rate_interval": f"{4 * STEP:.0f}s",
        }
    )
    if query.instant:
        numbers = view.instant(expression)
        assert all(map(math.isfinite, numbers.values()))
        return numbers
    lines = view.over_time(expression, STEP)
    assert all(math.isfinite(value) for line in lines for value in line.values.values())
    return {
        frozenset(line.labels.items()): line.values[view.end]
        for line in lines
        if view.end in line.values
    }


def _assert_equal(found: Numbers, truth: Numbers, tolerance: float) -> None:
    """The same labels, and each number the same or between the two that it must."""
    assert found.keys() == truth.keys()
    for key, number in truth.items():
        low, high = number if isinstance(number, tuple) else (number, number)
        assert low - tolerance * abs(low) <= found[key] <= high + tolerance * abs(high), key


# How much a counter grew, where increase() does not know.

COUNTED = {
    "spend by step": (series(metrics.COST, "sum"), total(cost, names.STEP_NAME)),
    "retries by step": (series(metrics.RETRIES), total(retries, names.STEP_NAME)),
}
LIVED = ("demo", "one sample", "burst", "moved", "restarted")


@pytest.mark.slow
@pytest.mark.parametrize("what", COUNTED)
@pytest.mark.parametrize("lived", LIVED)
def test_what_a_counter_grew_by(views: Mapping[str, View], lived: str, what: str) -> None:
    view, (counter, truth) = views[lived], COUNTED[what]
    found = view.instant(grown(counter, view.where, view.window, [names.STEP_NAME]))
    assert found == pytest.approx(truth(view.run), rel=view.tolerance)


@pytest.mark.slow
def test_increase_alone_misses_what_a_series_is_born_with(views: Mapping[str, View]) -> None:
    def increase(lived: str, what: str) -> float:
        view = views[lived]
        counter = f"{COUNTED[what][0]}{{{view.where}}}"
        return sum(view.instant(f"sum (increase({counter}[{view.window}]))").values())

    assert increase("burst", "spend by step") == 0
    assert increase("one sample", "spend by step") == 0
    # Three steps sent one request again, and their series never move from the 1 that they began at.
    assert increase("demo", "retries by step") <= 2.5 < 5


class _Counter(LoopbackServer):
    """Says what it counted, and nothing while it is ``broken``."""

    counted = 100
    broken = False

    def __init__(self) -> None:
        super().__init__(_Exposition)


class _Exposition(LoopbackHandler):
    server: _Counter

    def do_GET(self) -> None:
        if self.server.broken:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.reply(HTTPStatus.OK, f"spent_total {self.server.counted}\n".encode(), "text/plain")


@pytest.mark.slow
def test_a_scrape_that_fails_is_no_birth(tmp_path: Path) -> None:
    """It ends every series for the moment: a window that begins just then has no value before."""
    with (
        _Counter() as program,
        Prometheus.running(tmp_path, Target("program", program.server_address[1])) as prometheus,
    ):

        def is_up(up: int) -> bool:
            return bool(prometheus.instant(f"up == {up}", time.time()))

        until(lambda: is_up(1))
        program.broken = True
        until(lambda: is_up(0))
        failed = prometheus.instant("timestamp(up)", time.time())[0].value
        program.counted, program.broken = 103, False
        until(lambda: is_up(1))
        now = prometheus.scraped("program")
        window = f"{round((now - failed) * 1000)}ms"
        (grew,) = prometheus.instant(grown("spent_total", "", window), now)
        assert grew.value == 3
