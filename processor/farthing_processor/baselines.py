"""Baselines: what a call of each step usually costs and takes, so that one can be compared to it.

For each step of each service the calls' cost, input and output tokens are three histograms. They
forget: a baseline is of the current window and the one before, a day each. They are bounded: past a
number of steps the one unused for longest is dropped. And they travel as a `Snapshot`, which speaks
where a step has too few calls of its own.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Final, Literal, NamedTuple

from farthing_processor.histogram import Histogram
from farthing_processor.snapshots import Measures, Snapshot

MINIMUM: Final = 30
"""Samples before a baseline speaks. "More than 5 times the median" then judges 1 call in 90 of the
next hundred otherwise than the true median would, 1 in 35 where costs spread most (measured in
tests/processor/test_outlier_rates.py)."""
LIMIT: Final = 10_000
"""Steps that are kept, of all services."""
PERIOD_NS: Final = 24 * 3600 * 10**9
"""One window."""
NAME_LENGTH: Final = 256
"""Characters of a service's or a step's name that tell it from another."""

Source = Literal["live", "snapshot", "threshold"]


class Baseline(NamedTuple):
    """What was usual for a step before a call. Immutable.

    Each median is of the calls that this process saw, if there were enough of them, else of the
    snapshot's, if those are enough, else None: a step may have tokens and never a cost.
    """

    cost: float | None
    """The median, USD."""
    input_tokens: float | None
    output_tokens: float | None
    samples: int
    """How many costs their median is of; where there is none, how many there are so far."""
    source: Source
    """Where the median of the cost is from; ``threshold`` where there is none."""


class _Step:
    """What is known of one step: the current window and the one before, summed."""

    __slots__ = ("earlier", "loaded", "seen", "until_ns")

    def __init__(self, until_ns: int, loaded: Measures) -> None:
        self.seen = _nothing()
        self.earlier = _NOTHING
        """``seen`` as the current window began, when it was of the window before alone."""
        self.until_ns = until_ns
        """Where the current window ends."""
        self.loaded = loaded

    def recent(self, now_ns: int, period_ns: int) -> Measures:
        """Copies of what is not forgotten at a moment."""
        if now_ns < self.until_ns:
            return Measures(*(histogram.plus() for histogram in self.seen))
        if now_ns >= self.until_ns + period_ns:
            return _nothing()
        return Measures(*map(Histogram.minus, self.seen, self.earlier))

    def rotate(self, now_ns: int, period_ns: int) -> None:
        self.seen = self.recent(now_ns, period_ns)
        self.earlier = Measures(*(histogram.plus() for histogram in self.seen))
        self.until_ns = _end_of_window(now_ns, period_ns)

    def forget(self) -> None:
        self.seen, self.earlier = _nothing(), _NOTHING


def _nothing() -> Measures:
    return Measures(Histogram(), Histogram(), Histogram())


_NOTHING: Final = _nothing()


class Baselines:
    """The baselines of one process. Thread-safe, and a child process goes on with a copy."""

    def __init__(
        self,
        loaded: Snapshot | None = None,
        *,
        minimum: int = MINIMUM,
        limit: int = LIMIT,
        period_ns: int = PERIOD_NS,
    ) -> None:
        """``loaded`` speaks for a step until ``minimum`` of its calls were seen here; it is not
        changed, nor part of a `snapshot`. ``limit`` is in steps; each number is at least 1."""
        self._loaded = loaded or {}
        self._minimum = minimum
        self._limit = limit
        self._period_ns = period_ns
        self._steps: OrderedDict[tuple[str, str], _Step] = OrderedDict()
        self._inserting = False
        self._late: list[tuple[str, str, int, float | None, int | None, int | None]] = []

    def observe(
        self,
        service: str,
        step: str,
        now_ns: int,
        cost: float | None,
        input_tokens: int | None,
        output_tokens: int | None,
    ) -> Baseline:
        """What was usual for a step until now; from now on this call is part of it.

        ``now_ns`` is the moment of the call's end in nanoseconds since the epoch, ``cost`` in USD.
        None is not known, and not inserted; nor is what is no finite number from 0 on.
        """
        with _lock:
            if self._inserting:
                # A finalizer or a signal handler of this thread, in the middle of an insertion:
                # it is inserted after that, or with the next call.
                self._late.append((service, step, now_ns, cost, input_tokens, output_tokens))
                key = service, step
                return self._said(self._steps.get(key) or _Step(0, self._loaded.get(key, _NOTHING)))
            self._inserting = True
            try:
                said = self._insert(service, step, now_ns, cost, input_tokens, output_tokens)
                while self._late:
                    self._insert(*self._late.pop())
            finally:
                self._inserting = False
            return said

    def snapshot(self, now_ns: int) -> Snapshot:
        """Copies of all that is not forgotten at a moment, of each step that has any of it."""
        with _lock:
            steps = list(self._steps.items())
        found: dict[tuple[str, str], Measures] = {}
        for key, known in steps:
            with _lock:  # For one step at a time: no call waits for a large snapshot.
                recent = known.recent(now_ns, self._period_ns)
            if any(histogram.count for histogram in recent):
                found[key] = recent
        return found

    def __len__(self) -> int:
        """Steps kept, of all services."""
        return len(self._steps)

    def _insert(
        self,
        service: str,
        step: str,
        now_ns: int,
        cost: float | None,
        input_tokens: int | None,
        output_tokens: int | None,
    ) -> Baseline:
        key = service, step
        known = self._steps.get(key)
        if known is None:
            known = self._known(key, now_ns)
        else:
            self._steps.move_to_end(key)
        try:
            if now_ns >= known.until_ns:
                known.rotate(now_ns, self._period_ns)
            said = self._said(known)
            seen = known.seen
            seen.cost.insert(cost)
            seen.input_tokens.insert(input_tokens)
            seen.output_tokens.insert(output_tokens)
        except BaseException:
            # Ctrl-C in a notebook: half an insertion would leave the median wrong for good.
            known.forget()
            raise
        return said

    def _known(self, key: tuple[str, str], now_ns: int) -> _Step:
        """The step of a key that is new, or too long to be kept as it is."""
        key = key[0][:NAME_LENGTH], key[1][:NAME_LENGTH]
        known = self._steps.get(key)
        if known is None:
            until_ns = _end_of_window(now_ns, self._period_ns)
            known = self._steps[key] = _Step(until_ns, self._loaded.get(key, _NOTHING))
            if len(self._steps) > self._limit:
                self._steps.popitem(last=False)
        else:
            self._steps.move_to_end(key)
        return known

    def _said(self, known: _Step) -> Baseline:
        """In one tuple for nearly every call; piece by piece where one of the three is rare."""
        minimum = self._minimum
        cost, inputs, outputs = known.seen
        if cost.count >= minimum and inputs.count >= minimum and outputs.count >= minimum:
            return Baseline(cost.p50, inputs.p50, outputs.p50, cost.count, "live")

        loaded = known.loaded
        cost = _speaking(cost, loaded.cost, minimum)
        inputs = _speaking(inputs, loaded.input_tokens, minimum)
        outputs = _speaking(outputs, loaded.output_tokens, minimum)
        if cost.count:
            source = "live" if cost is known.seen.cost else "snapshot"
            return Baseline(cost.p50, inputs.p50, outputs.p50, cost.count, source)
        samples = known.seen.cost.count
        return Baseline(None, inputs.p50, outputs.p50, samples, "threshold")


def _speaking(live: Histogram, loaded: Histogram, minimum: int) -> Histogram:
    """The one of the two that has enough samples, the live one first; else one that has none."""
    if live.count >= minimum:
        return live
    return loaded if loaded.count >= minimum else _SILENT


_SILENT: Final = Histogram()


def _end_of_window(now_ns: int, period_ns: int) -> int:
    """All steps' windows end together, so that those of all processes do."""
    return (now_ns // period_ns + 1) * period_ns


# One lock for all: it is held for a microsecond or two, and a fork has only one to care for. It is
# reentrant because a finalizer or a signal handler may end a call in the middle of another's.
_lock = threading.RLock()


def _before_fork() -> None:
    """No thread is in the middle of an insertion when the memory is copied."""
    _lock.acquire()


def _after_fork_in_parent() -> None:
    _lock.release()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
