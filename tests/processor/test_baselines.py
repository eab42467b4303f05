"""What is usual for a step: near the truth, forgetting, bounded, and whole under threads."""

from __future__ import annotations

import gc
import math
import os
import random
import signal
import statistics
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing_processor.baselines import Baseline, Baselines
from farthing_processor.histogram import Histogram

NOW = 1_760_000_000 * 10**9
DAY = 24 * 3600 * 10**9
ERROR = 2 ** (1 / 32) * (1 + 1e-9)
"""Half a bucket at scale 4, as a factor: 2.2 %."""

AMOUNTS = st.floats(2.0**-39, 2.0**40) | st.sampled_from([0.0, 0.25, 1.0, 2.0, 1024.0])


def near(p50: float | None, truth: float) -> bool:
    if p50 is None:
        return False
    return p50 == truth if truth == 0 else truth / ERROR <= p50 <= truth * ERROR


def histogram(values: list[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.insert(value)
    return made


def say(baselines: Baselines, step: str = "plan", now_ns: int = NOW) -> Baseline:
    """What is usual for a step now, with nothing inserted."""
    return baselines.observe("shop", step, now_ns, None, None, None)


def fill(baselines: Baselines, calls: int, cost: float = 0.01, step: str = "plan") -> None:
    for _ in range(calls):
        baselines.observe("shop", step, NOW, cost, 1000, 200)


# The median.


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_the_median_of_lognormal_values_is_near_the_true_one(sigma: float) -> None:
    draw = random.Random(5)
    values: list[float] = []
    made = Histogram()
    for _ in range(5000):
        values.append(draw.lognormvariate(-6, sigma))
        made.insert(values[-1])
    assert near(made.p50, statistics.median_low(values))
    assert made.p50 == pytest.approx(math.exp(-6), rel=0.15)


@given(st.lists(AMOUNTS, min_size=1))
def test_the_median_of_any_values_is_near_the_true_one_at_every_moment(values: list[float]) -> None:
    made = Histogram()
    for count, value in enumerate(values, 1):
        made.insert(value)
        assert near(made.p50, statistics.median_low(values[:count]))
        assert made.count == count


@pytest.mark.parametrize(
    "values",
    [
        [1e-9, 1e9] * 50,
        [1e9, 1e-9] * 50,
        [2.0**k for k in range(-39, 40)],
        [2.0**k for k in range(39, -40, -1)],
        [0.0] * 50 + [1.0] * 51,
        [1.0] * 51 + [0.0] * 50,
        [1.0, 1.0 + 2**-52, 1.0 - 2**-53] * 9,
    ],
)
def test_the_median_holds_where_it_jumps(values: list[float]) -> None:
    made = Histogram()
    for count, value in enumerate(values, 1):
        made.insert(value)
        assert near(made.p50, statistics.median_low(values[:count]))


def test_what_is_beyond_the_buckets_is_in_the_first_or_the_last() -> None:
    assert histogram([5e-324, 2.0**-40]).p50 == 0.0
    assert near(histogram([2.0**40]).p50, 2.0**40)
    assert histogram([1e308, 10**400]).p50 == histogram([2.0**40]).p50


@pytest.mark.parametrize("value", [None, True, False, -1, -0.5, math.nan, math.inf, -math.inf, "1"])
def test_what_is_no_number_from_zero_on_is_not_inserted(value: Any) -> None:
    baselines = Baselines(minimum=1)
    baselines.observe("shop", "plan", NOW, value, value, value)
    assert say(baselines) == Baseline(None, None, None, 0, "threshold")
    baselines.observe("shop", "plan", NOW, 1.0, 10, 10)
    baselines.observe("shop", "plan", NOW, value, value, value)
    assert say(baselines).samples == 1


# What is said.


def test_a_call_is_compared_to_those_before_it() -> None:
    baselines = Baselines(minimum=1)
    assert baselines.observe("shop", "plan", NOW, 0.01, 1000, 200).cost is None
    first = baselines.observe("shop", "plan", NOW, 5.0, 10**6, 10**5)
    assert near(first.cost, 0.01)
    assert near(first.input_tokens, 1000)
    assert near(first.output_tokens, 200)
    assert first.samples == 1
    assert first.source == "live"


def test_nothing_is_said_before_thirty_samples() -> None:
    baselines = Baselines()
    fill(baselines, 29)
    assert say(baselines) == Baseline(None, None, None, 29, "threshold")
    fill(baselines, 1)
    said = say(baselines)
    assert near(said.cost, 0.01)
    assert (said.samples, said.source) == (30, "live")


def test_the_snapshot_speaks_until_there_are_enough() -> None:
    earlier = Baselines()
    fill(earlier, 40, cost=0.5)
    fill(earlier, 29, cost=0.5, step="rare")
    baselines = Baselines(earlier.snapshot(NOW))
    fill(baselines, 29)
    said = say(baselines)
    assert near(said.cost, 0.5)
    assert near(said.output_tokens, 200)
    assert (said.samples, said.source) == (40, "snapshot")
    fill(baselines, 1)
    assert near(say(baselines).cost, 0.01)
    assert say(baselines).source == "live"
    assert say(baselines, "rare").source == "threshold"
    assert say(baselines, "other").source == "threshold"


def test_tokens_speak_where_there_is_no_cost() -> None:
    """As of a model without a price; and an embedding has no output."""
    baselines = Baselines()
    for _ in range(30):
        baselines.observe("shop", "embed", NOW, None, 1000, None)
    said = say(baselines, "embed")
    assert near(said.input_tokens, 1000)
    assert (said.cost, said.output_tokens) == (None, None)
    assert (said.samples, said.source) == (0, "threshold")


def test_steps_and_services_are_apart() -> None:
    baselines = Baselines(minimum=1)
    for number, key in enumerate([("a", "x"), ("a", "y"), ("b", "x")]):
        baselines.observe(*key, NOW, 10.0**number, 1, 1)
    assert near(baselines.observe("a", "x", NOW, None, None, None).cost, 1)
    assert near(baselines.observe("a", "y", NOW, None, None, None).cost, 10)
    assert near(baselines.observe("b", "x", NOW, None, None, None).cost, 100)


# Forgetting.


def test_a_day_later_it_remembers_and_two_days_later_it_does_not() -> None:
    midnight = NOW // DAY * DAY
    baselines = Baselines()
    for _ in range(40):
        baselines.observe("shop", "plan", midnight, 1.0, 1, 1)
    assert near(say(baselines, now_ns=midnight + DAY - 1).cost, 1.0)
    for _ in range(30):
        baselines.observe("shop", "plan", midnight + DAY, 9.0, 1, 1)
    said = say(baselines, now_ns=midnight + 2 * DAY - 1)
    assert (near(said.cost, 1.0), said.samples) == (True, 70)
    said = say(baselines, now_ns=midnight + 2 * DAY)
    assert (near(said.cost, 9.0), said.samples) == (True, 30)
    assert say(baselines, now_ns=midnight + 4 * DAY).source == "threshold"


@given(
    st.lists(st.tuples(AMOUNTS, st.sampled_from([0, 0, 0, 1, 3, 10, 11, 25])), min_size=1),
    st.integers(0, 9),
)
def test_after_any_calls_and_pauses_it_is_the_median_of_this_window_and_the_last(
    calls: list[tuple[float, int]], start: int
) -> None:
    baselines = Baselines(minimum=1, period_ns=10)
    seen: list[tuple[int, float]] = []
    now = start
    for cost, pause in calls:
        now += pause
        said = baselines.observe("shop", "plan", now, cost, None, None)
        remembered = [old for at, old in seen if at // 10 >= now // 10 - 1]
        assert said.samples == len(remembered)
        assert not remembered or near(said.cost, statistics.median_low(remembered))
        seen.append((now, cost))
        kept = baselines.snapshot(now)["shop", "plan"].cost
        assert kept.p50 == histogram([c for at, c in seen if at // 10 >= now // 10 - 1]).p50


def test_a_snapshot_has_only_what_is_not_forgotten() -> None:
    baselines = Baselines()
    fill(baselines, 3)
    assert baselines.snapshot(NOW)["shop", "plan"].cost.count == 3
    assert baselines.snapshot(NOW + DAY)["shop", "plan"].cost.count == 3
    assert baselines.snapshot(NOW + 2 * DAY) == {}
    assert say(baselines).samples == 3


def test_a_clock_that_goes_back_loses_nothing() -> None:
    baselines = Baselines()
    fill(baselines, 30)
    assert say(baselines, now_ns=NOW - 5 * DAY).samples == 30


# Bounds.


def flood(baselines: Baselines, first: int, steps: int) -> None:
    for number in range(first, first + steps):
        baselines.observe("shop", f"step {number}", NOW, 0.01, 1000, 200)


def test_memory_is_flat_however_many_steps_are_offered() -> None:
    baselines = Baselines(limit=500)
    tracemalloc.start()
    try:
        flood(baselines, 0, 1000)
        full = tracemalloc.get_traced_memory()[0]
        flood(baselines, 1000, 9000)
        assert len(baselines) == 500
        assert tracemalloc.get_traced_memory()[0] < 1.05 * full
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_million_steps_take_the_memory_of_ten_thousand() -> None:
    baselines = Baselines()
    flood(baselines, 0, 20_000)
    gc.collect()
    full = sys.getallocatedblocks()
    flood(baselines, 20_000, 980_000)
    gc.collect()
    assert len(baselines) == 10_000
    assert sys.getallocatedblocks() < full + 10_000  # One block for a step would be 980,000.


def test_the_step_unused_for_longest_is_dropped() -> None:
    baselines = Baselines(minimum=1, limit=3)
    for step in ("a", "b", "c", "a", "d"):
        fill(baselines, 1, step=step)
    assert {step for _, step in baselines.snapshot(NOW)} == {"a", "c", "d"}


def test_a_step_in_use_survives_a_flood() -> None:
    baselines = Baselines(limit=50)
    fill(baselines, 30)
    for first in range(0, 5000, 25):
        flood(baselines, first, 25)
        assert say(baselines).samples == 30


def test_long_names_are_cut() -> None:
    baselines = Baselines(minimum=1)
    for end in ("a", "b"):
        baselines.observe("s" * 10**6 + end, "t" * 10**6 + end, NOW, 1.0, 1, 1)
    ((service, step),) = baselines.snapshot(NOW)
    assert (len(service), len(step)) == (256, 256)


def test_a_histogram_is_bounded_whatever_it_is_given() -> None:
    draw = random.Random(1)
    made = histogram([5e-324, 1e308, *(2.0 ** draw.uniform(-45, 45) for _ in range(30_000))])
    assert made.count == 30_002
    assert len(made.buckets()) == 1281


# Threads, finalizers, signals, forks.


@contextmanager
def impatient() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def whole(baselines: Baselines, step: str = "plan") -> int:
    """How many calls a step has, after checking that its medians are those of its buckets."""
    recent = baselines.snapshot(NOW)["shop", step]
    said = say(baselines, step)
    assert said.cost == recent.cost.p50
    assert said.input_tokens == recent.input_tokens.p50
    assert said.output_tokens == recent.output_tokens.p50
    assert {h.count for h in recent} == {said.samples}
    return said.samples


def hammer(baselines: Baselines, calls: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(calls):
        value = draw.randrange(1, 10**6)
        baselines.observe("shop", "plan", NOW, value / 1e6, value, value)


def test_threads_lose_nothing() -> None:
    baselines = Baselines(minimum=1)
    threads = [threading.Thread(target=hammer, args=(baselines, 4000, n)) for n in range(6)]
    with impatient():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert whole(baselines) == 24_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_goes_on_with_what_there_was() -> None:
    """Whatever threads are in the middle of: it has no lock that nobody holds."""
    baselines = Baselines(minimum=1)
    stop = threading.Event()

    def endless(seed: int) -> None:
        while not stop.is_set():
            hammer(baselines, 50, seed)

    threads = [threading.Thread(target=endless, args=(n,)) for n in range(3)]
    with impatient():
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                assert _in_child(lambda: _continue(baselines)) == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert whole(baselines) > 0


def _continue(baselines: Baselines) -> None:
    before = say(baselines).samples
    hammer(baselines, 20, 0)
    assert whole(baselines) == before + 20


def _in_child(work: Callable[[], None]) -> int:
    """The exit status of a child that does ``work``: 0, or not; a signal where it hangs."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


class Interruption:
    """Runs ``act`` once, before the ``at``-th instruction or line that is ours, while it is on."""

    def __init__(self, at: int, act: Callable[[], Any], *, lines_below: str | None = None) -> None:
        self.left = at
        self._act = act
        self._lines_below = lines_below
        """Only at lines, and not in the function of this name."""

    def __enter__(self) -> Interruption:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_globals.get("__name__") not in (baselines_module, histogram_module):
            return None
        if self._lines_below is None:
            frame.f_trace_opcodes = True
        elif event != "line" or frame.f_code.co_name == self._lines_below:
            return self._trace
        self.left -= 1
        if self.left == 0:
            self._act()
        return self._trace


baselines_module, histogram_module = Baselines.__module__, Histogram.__module__


def a_step() -> Baselines:
    """Its median moves with the next call that is dearer; and it is the oldest of all it can be."""
    baselines = Baselines(minimum=1, limit=2)
    for cost in (1.0, 4.0):
        baselines.observe("shop", "plan", NOW, cost, int(cost), int(cost))
    fill(baselines, 1, step="other")
    return baselines


@pytest.mark.parametrize("step", ["plan", "new"])
def test_a_call_that_ends_in_the_middle_of_another_is_not_lost(step: str) -> None:
    """As by a finalizer or a signal handler: at whatever instruction, and with no deadlock."""
    at, reached = 0, True
    while reached:
        at += 1
        baselines = a_step()

        def meanwhile(baselines: Baselines = baselines) -> None:
            said = baselines.observe("shop", step, NOW, 16.0, 16, 16)
            assert said.source in ("live", "threshold")

        with Interruption(at, meanwhile) as interruption:
            baselines.observe("shop", "plan", NOW, 9.0, 9, 9)
        reached = interruption.left <= 0
        say(baselines)  # At the very end of a call it waits for the next.
        if reached and step == "plan":
            assert whole(baselines) == 4
        elif reached:
            assert whole(baselines, "new") == 1
            assert len(baselines) == 2
    assert at > 200


def test_a_call_that_is_interrupted_leaves_no_median_wrong() -> None:
    """Ctrl-C in a notebook: at whatever line, the step is as before, as after, or starts anew."""
    at, reached = 0, True
    left: set[int] = set()
    while reached:
        at += 1
        baselines = a_step()
        raising = Interruption(at, Mock(side_effect=KeyboardInterrupt), lines_below="observe")
        with suppress(KeyboardInterrupt), raising:
            baselines.observe("shop", "plan", NOW, 9.0, 9, 9)
        reached = raising.left <= 0
        left.add(say(baselines).samples)
        hammer(baselines, 50, at)
        assert whole(baselines) in (50, 52, 53)
        assert whole(baselines, "other") == 1
    assert at > 30
    assert left == {0, 2, 3}
