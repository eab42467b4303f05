"""Histogram: a base-2 exponential histogram that knows its median at every moment, and merges.

Its buckets are those of OpenTelemetry's data model
(https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram) at one fixed
scale, so that it is an ordinary OTLP metric, and so that sums of histograms are exact: a merge is
the histogram of all samples, in whatever order.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, inf, log2
from typing import Final, NamedTuple

SCALE: Final = 4
"""Buckets grow by 2**(1/16), 4.4 %: no value is further than 2.2 % from its bucket's middle."""
_PER_OCTAVE: Final = 1 << SCALE
_HIGHEST: Final = 40 * _PER_OCTAVE - 1
"""The last bucket holds 2**40 and all above: more USD and more tokens than any call has."""
ZERO: Final = -40 * _PER_OCTAVE - 1
"""The zero bucket holds 2**-40 and all below (OTLP's zero threshold): no USD that anyone is
billed. It counts as the bucket before all others."""
_MAX_SCALE: Final = 20
"""The finest scale that OpenTelemetry has."""
_MAX_COUNT: Final = 1 << 48
"""More samples than any bucket has: a larger count is not a count, and could overflow in a sum."""


class Exponential(NamedTuple):
    """The data point of an OTLP exponential histogram, as far as values from 0 on need one.

    Bucket ``offset + i`` holds ``counts[i]`` values above ``base**(offset + i)`` and up to
    ``base**(offset + i + 1)``, where base is ``2**(2**-scale)``. Immutable.
    """

    scale: int
    zero_count: int
    offset: int
    counts: Sequence[int]


class Histogram:
    """Counts of values from 0 on, by bucket; at most 1,281 of them. Not thread-safe.

    `insert` moves the median by one filled bucket at most, so that it costs the same whatever the
    values are.
    """

    __slots__ = ("_below", "_counts", "_filled", "_first", "_median", "count", "p50")

    count: int
    """Values inserted."""
    p50: float | None
    """The geometric middle of the bucket that holds the lower median; None of no values.

    Within 2.2 % of that value wherever it lies in its bucket, which interpolation would not be, and
    it stays the same from call to call until the median is in another bucket. The lower of the two
    where the count is even: the bucket that Prometheus' ``histogram_quantile(0.5, …)`` finds.
    """

    def __init__(self) -> None:
        self.count = 0
        self.p50 = None
        self._filled = array("h")
        """The indexes of all buckets that are not empty, in order."""
        self._first = 0
        self._counts = array("I")
        """Counts from the bucket ``_first`` on, to the last that is not empty."""
        self._median = 0
        """The index of the bucket that holds the lower median."""
        self._below = 0
        """How many values are in the buckets before it."""

    @classmethod
    def of_buckets(cls, buckets: Mapping[int, int]) -> Histogram:
        """The histogram that has these `buckets`."""
        made = cls()
        filled = made._filled = array("h", sorted(index for index, n in buckets.items() if n))
        if not filled:
            return made
        made.count = sum(buckets.values())
        made._first = first = filled[0]
        made._counts = array("Q" if made.count >> 32 else "I", [0]) * (filled[-1] - first + 1)
        for index in filled:
            made._counts[index - first] = buckets[index]
        for index in filled:
            if made._below + buckets[index] > (made.count - 1) // 2:
                made._median, made.p50 = index, _middle(index)
                break
            made._below += buckets[index]
        return made

    def insert(self, value: float | None) -> None:
        """Count a value. What is no number from 0 on, a bool among them, is not inserted."""
        if not ((type(value) is float or type(value) is int) and 0 <= value < inf):
            return
        index = ceil(log2(value) * _PER_OCTAVE) - 1 if value else ZERO
        counts = self._counts
        at = index - self._first
        if not (0 <= at < len(counts) and counts[at]):
            index = self._open(index)
            at = index - self._first
        try:
            counts[at] += 1
        except OverflowError:
            counts = self._counts = array("Q", counts)
            counts[at] += 1
        rank = self.count >> 1  # Of the lower median among one value more, counted from 0.
        self.count += 1
        median = self._median
        if index < median:
            self._below += 1
            if self._below > rank:
                filled = self._filled
                self._median = median = filled[bisect_left(filled, median) - 1]
                self._below -= counts[median - self._first]
                self.p50 = _middle(median)
        else:
            up_to = self._below + counts[median - self._first]
            if up_to <= rank:
                filled = self._filled
                self._median = median = filled[bisect_left(filled, median) + 1]
                self._below = up_to
                self.p50 = _middle(median)

    def _open(self, index: int) -> int:
        """Make room for a bucket that may be new, or beyond the last; gives back which it is."""
        index = min(max(index, ZERO), _HIGHEST)
        filled, counts = self._filled, self._counts
        if not filled:
            self._first = self._median = index
            self.p50 = _middle(index)
        before, after = self._first - index, index - self._first - len(counts) + 1
        if before > 0:
            counts[0:0] = array(counts.typecode, [0]) * before
            self._first = index
        elif after > 0:
            counts.extend(array(counts.typecode, [0]) * after)
        if not counts[index - self._first]:
            insort(filled, index)
        return index

    def buckets(self) -> dict[int, int]:
        """The counts that are not 0, by index, in order."""
        first = self._first
        return {index: self._counts[index - first] for index in self._filled}

    def plus(self, *others: Histogram) -> Histogram:
        """A new histogram of this one's values and those of ``others``."""
        sums = self.buckets()
        for other in others:
            for index, n in other.buckets().items():
                sums[index] = sums.get(index, 0) + n
        return Histogram.of_buckets(sums)

    def minus(self, earlier: Histogram) -> Histogram:
        """A new histogram of what came since it was ``earlier``."""
        before = earlier.buckets()
        return Histogram.of_buckets(
            {index: n - before.get(index, 0) for index, n in self.buckets().items()}
        )

    def exponential(self) -> Exponential:
        """Its data point: exact, and no longer than from its first to its last filled bucket."""
        buckets = self.buckets()
        zero_count = buckets.pop(ZERO, 0)
        if not buckets:
            return Exponential(SCALE, zero_count, 0, ())
        first, last = min(buckets), max(buckets)
        counts = tuple(buckets.get(index, 0) for index in range(first, last + 1))
        return Exponential(SCALE, zero_count, first, counts)

    @classmethod
    def of(cls, point: Exponential) -> Histogram:
        """The histogram of a data point. Raises ValueError as `at_scale` does."""
        counts = enumerate(point.counts, point.offset)
        return cls.at_scale(point.scale, point.zero_count, counts)

    @classmethod
    def at_scale(cls, scale: int, zero_count: int, pairs: Iterable[Sequence[int]]) -> Histogram:
        """The histogram of (index, count) ``pairs`` at a scale from 0 to 20.

        A finer scale than ours loses its fineness and nothing else. Of a coarser one each count
        goes to the middle of its bucket: the median is then as good as that scale, 7 % at 3 and
        45 % at 0. Raises ValueError for what is none of this, in words that follow "it".
        """
        if not (_is_count(scale) and scale <= _MAX_SCALE):
            raise ValueError(f"has the scale {scale!r}, which is none from 0 to {_MAX_SCALE}")
        if not _is_count(zero_count):
            raise ValueError(f"has {zero_count!r:.40} for a count of zeros")
        buckets = {ZERO: zero_count}
        try:
            for index, n in pairs:
                if not (type(index) is int and _is_count(n)):
                    raise TypeError
                if scale >= SCALE:
                    index >>= scale - SCALE
                else:
                    index = (2 * index + 1) << (SCALE - scale - 1)
                index = min(max(index, ZERO), _HIGHEST)
                buckets[index] = buckets.get(index, 0) + n
        except (TypeError, ValueError):
            raise ValueError("has buckets that are no pairs of an index and a count") from None
        return cls.of_buckets(buckets)


def bucket_of(value: float) -> int:
    """The index of the bucket that holds a value from 0 on, as `Histogram.buckets` has it."""
    index = ceil(log2(value) * _PER_OCTAVE) - 1 if value else ZERO
    return min(max(index, ZERO), _HIGHEST)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_COUNT


def _middle(index: int) -> float:
    return 0.0 if index == ZERO else 2.0 ** ((index + 0.5) / _PER_OCTAVE)
