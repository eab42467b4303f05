"""Duplicates: which of several spans of one call is paid, whoever made them. Bounded memory.

Two spans show the same call

- if they have the same response id, in one trace, and one encloses the other or they count the same
  tokens (servers that give every answer the same id exist);
- if one encloses the other, and they have a model and the tokens in common: those of one call
  inside, or of all of them together;
- if one encloses a call that is paid, and says nothing of tokens itself;
- if they come from two emitters at the same time, side by side: they have a model and the input in
  common, their times overlap, and none of them is known to show another call. LangChain's tracers
  are told of a call and are not around it, OpenLLMetry makes some spans without being around what
  is called, and Logfire tells of a stream in a trace of its own.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

TRACES: Final = 2_048
CALLS: Final = 512
"""Paid calls remembered of each of the latest traces; and as many of the latest of all."""


class Sight(NamedTuple):
    """One span of a call, as far as it tells the call from others. Immutable."""

    trace_id: int
    span_id: int
    around: Sequence[int]
    """The ids of the spans that enclose it, innermost first, as far as they are known."""
    emitter: str
    """The instrumentation scope that made it."""
    response_id: str | None
    models: frozenset[str]
    """The names of the model, asked for and answered, as `models_of` gives them."""
    tokens: tuple[int, int] | None
    """Input and output; None where they are not known."""
    start_ns: int
    end_ns: int


def models_of(*names: object) -> frozenset[str]:
    """The names of a model, without a namespace before them and the date of a snapshot after: one
    emitter says only what was asked for, another only what answered."""
    return frozenset(_plain(name) for name in names if name and isinstance(name, str))


_SNAPSHOT: Final = re.compile(r"[-@]20\d\d-?\d\d-?\d\d$")


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return _SNAPSHOT.sub("", name.rpartition("/")[2])


def tokens_of(given: object, taken: object) -> tuple[int, int] | None:
    """Input and output, where either is known."""
    given = given if isinstance(given, int) else None
    taken = taken if isinstance(taken, int) else None
    return None if given is None and taken is None else (given or 0, taken or 0)


class _Paid:
    """A call that is paid, by the span that was first."""

    __slots__ = ("all_ended_ns", "also", "sight")

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.also = {sight.emitter}
        """The emitters whose spans of it have been seen: each makes one, or one within another."""
        self.all_ended_ns = sight.end_ns
        """When it and all before it with the same input had ended."""


class _Trace:
    __slots__ = ("by_response", "by_span", "inside")

    def __init__(self) -> None:
        self.by_response: dict[str, _Paid] = {}
        self.by_span: OrderedDict[int, _Paid] = OrderedDict()
        self.inside: dict[int, list[_Paid]] = {}
        """Span → the paid calls that it encloses."""


class Paid:
    """The calls that are paid. Thread-safe; a fork takes a copy along."""

    def __init__(self, traces: int = TRACES, calls: int = CALLS) -> None:
        self._limit, self._calls = traces, calls
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._latest: deque[_Paid] = deque()
        """The latest calls of any trace."""
        self._by_input: dict[int, list[_Paid]] = {}
        """The same by their input."""

    def earlier(self, seen: Sight) -> int | None:
        """The span that has paid the call that ``seen`` shows; None where none has."""
        with _lock[0]:
            return self._earlier(seen)

    def pay(self, seen: Sight) -> int | None:
        """Note that ``seen`` is paid, unless another span was quicker, which is given then."""
        with _lock[0]:
            if (first := self._earlier(seen)) is not None:
                return first
            trace = self._traces.get(seen.trace_id)
            if trace is None:
                trace = self._traces[seen.trace_id] = _Trace()
                if len(self._traces) > self._limit:
                    self._traces.popitem(last=False)
            if len(trace.by_span) >= self._calls:
                _forget_oldest(trace)
            paid = _Paid(seen)
            trace.by_span[seen.span_id] = paid
            if seen.tokens is not None:
                self._keep(paid, seen.tokens[0])
            if seen.response_id:
                trace.by_response[seen.response_id] = paid
            for outer in seen.around:
                trace.inside.setdefault(outer, []).append(paid)
            return None

    def _keep(self, paid: _Paid, given: int) -> None:
        """Keep it among the latest, and forget the oldest of them."""
        self._latest.append(paid)
        alike = self._by_input.setdefault(given, [])
        if alike:
            paid.all_ended_ns = max(paid.all_ended_ns, alike[-1].all_ended_ns)
        alike.append(paid)
        if len(self._latest) > self._calls:
            oldest = self._latest.popleft()
            tokens = oldest.sight.tokens
            if tokens is not None:
                alike = self._by_input[tokens[0]]
                alike.remove(oldest)
                if not alike:
                    del self._by_input[tokens[0]]

    def _earlier(self, seen: Sight) -> int | None:
        trace = self._traces.get(seen.trace_id)
        paid = None if trace is None else _in_trace(trace, seen)
        if paid is None and seen.tokens is not None:
            paid = _side_by_side(self._by_input.get(seen.tokens[0], ()), seen)
        if paid is None:
            return None
        paid.also.add(seen.emitter)
        return paid.sight.span_id


def _in_trace(trace: _Trace, seen: Sight) -> _Paid | None:
    """The paid call of the trace that ``seen`` shows by its id, or by what is around or inside."""
    if seen.response_id and (paid := trace.by_response.get(seen.response_id)) is not None:
        first = paid.sight
        nested = first.span_id in seen.around or seen.span_id in first.around
        if nested or seen.tokens in (None, first.tokens):
            return paid
    inside = trace.inside.get(seen.span_id, ())
    if inside and seen.tokens is None:
        return inside[0]
    for outer in seen.around:
        paid = trace.by_span.get(outer)
        if paid is not None and _same(paid.sight, seen):
            return paid
    for paid in inside:
        if _same(paid.sight, seen):
            return paid
    if len(inside) > 1 and any(not paid.sight.models.isdisjoint(seen.models) for paid in inside):
        counted = [paid.sight.tokens for paid in inside if paid.sight.tokens is not None]
        if seen.tokens == (sum(n for n, _ in counted), sum(n for _, n in counted)):
            return inside[0]
    return None


def _contradict(one: Sight, other: Sight) -> bool:
    """Whether their response ids tell them apart."""
    return bool(one.response_id and other.response_id and one.response_id != other.response_id)


def _same(one: Sight, other: Sight) -> bool:
    if _contradict(one, other):
        return False
    return one.tokens == other.tokens and not one.models.isdisjoint(other.models)


def _side_by_side(alike: Sequence[_Paid], seen: Sight) -> _Paid | None:
    """Of paid calls with the same input, that which ``seen`` shows at the same time as another
    emitter did: one with the same output first, so that calls with one prompt each find their own.
    Of two traces neither of which begins with the call, both counts have to be the same.
    """
    found = None
    for paid in reversed(alike):
        if paid.all_ended_ns < seen.start_ns:
            break  # an application asks the same again and again
        one = paid.sight
        if (
            one.start_ns <= seen.end_ns
            and seen.start_ns <= one.end_ns
            and seen.emitter not in paid.also
            and not one.models.isdisjoint(seen.models)
            and not _contradict(one, seen)
        ):
            if one.tokens == seen.tokens:
                return paid
            if one.trace_id == seen.trace_id or not one.around or not seen.around:
                found = paid
    return found


def _forget_oldest(trace: _Trace) -> None:
    _, oldest = trace.by_span.popitem(last=False)
    seen = oldest.sight
    if seen.response_id:
        trace.by_response.pop(seen.response_id, None)
    for outer in seen.around:
        inside = trace.inside.get(outer)
        if inside is not None:
            inside.remove(oldest)
            if not inside:
                del trace.inside[outer]


_lock: Final = [threading.Lock()]


def _after_fork() -> None:
    _lock[0] = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
