"""Live spans: those of this process that have begun and not ended, so that what is around a call
can be told. Kept by `span_processor`; empty where it is not attached.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from opentelemetry import context

if TYPE_CHECKING:  # the SDK may not be there
    from opentelemetry.sdk.trace import Span
    from opentelemetry.trace import SpanContext

LIMIT: Final = 20_000
"""Spans kept at most: past it the oldest are forgotten, which somebody has left open for ever."""
DEPTH: Final = 32
"""How far up it is looked."""

CALL: Final = context.create_key("farthing-call")
"""In the context of a provider being called by a client that we instrument: our call."""

_live: Final[dict[int, Span]] = {}
_ours: Final[dict[int, int]] = {}
"""Span → the latest call of ours within it."""
_counting: Final[dict[int, Span]] = {}
"""Those whose tracer records the tokens of calls by itself."""
_taken: Final[dict[int, tuple[Span, int]]] = {}
"""Of these, those whose call another tracer has told of, and when (ns) it did."""


def begin(span: Span) -> None:
    """Keep a span that has begun."""
    _live[span.get_span_context().span_id] = span
    if len(_live) > LIMIT:
        # Another thread may be there first.
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):
            end(next(iter(_live)))


def begin_ours(span: Span) -> None:
    """Note what a call of ours, which has begun, is in."""
    for outer in around(span):
        _ours[outer.get_span_context().span_id] = span.get_span_context().span_id


def begin_counting(span: Span) -> None:
    """Note that a span, which has begun, is a tracer's that records the tokens of its calls."""
    _counting[span.get_span_context().span_id] = span


def end(span_id: int) -> None:
    """Forget a span that has ended."""
    _live.pop(span_id, None)
    if _ours:  # asked first: most spans are about no model, and pay for all of this
        _ours.pop(span_id, None)
    if _taken:
        _taken.pop(span_id, None)
    if _counting:
        ended = _counting.pop(span_id, None)
        if ended is not None and _taken:
            _give_back(ended)


def _give_back(ended: Span) -> None:
    """Of two calls at once each may have taken the span that is the other's: ``ended`` was left."""
    for span_id, (span, at_ns) in list(_taken.items()):
        if (
            at_ns >= (ended.start_time or 0)
            and span.instrumentation_scope == ended.instrumentation_scope
            and _id(span.parent) == _id(ended.parent)
        ):
            _taken.pop(span_id, None)
            _counting[span_id] = span
            return


def around(span: object) -> Iterator[Span]:
    """The live spans that enclose ``span``, innermost first; up to the first that is over, was
    begun in another process, or was not recorded."""
    for _ in range(DEPTH):
        parent = getattr(span, "parent", None)
        span = _live.get(parent.span_id) if parent is not None else None
        if span is None:
            return
        yield span


def ours_in(span_id: int) -> int | None:
    """The call of ours that is live within a span. It pays when it ends: another tracer may think
    that the answer is whole a little earlier."""
    ours = _ours.get(span_id)
    return ours if ours in _live else None


def counting_near(span: object) -> Iterator[Span]:
    """The live spans of tracers that record tokens, that are in ``span``, or in what it is in, or
    in nothing as it is."""
    near = _id(getattr(span, "context", None)), _id(getattr(span, "parent", None))
    return (one for one in list(_counting.values()) if one is not span and _id(one.parent) in near)


def take_counting(span: Span, at_ns: int) -> None:
    """Have one of `counting_near` be so of no further call: some tracers leave spans open for ever,
    and they would then seem to count the tokens of all that come after."""
    _counting.pop(span.get_span_context().span_id, None)
    _taken[span.get_span_context().span_id] = span, at_ns


def _id(known: SpanContext | None) -> int | None:
    return None if known is None else known.span_id


def count() -> int:
    """How many there are."""
    return len(_live)
