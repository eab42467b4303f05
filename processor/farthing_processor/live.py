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

LIMIT: Final = 20_000
"""Spans kept at most: past it the oldest are forgotten, which somebody has left open for ever."""
DEPTH: Final = 32
"""How far up it is looked."""

CALL: Final = context.create_key("farthing-call")
"""In the context of a provider being called by a client that we instrument: our call."""

_live: Final[dict[int, Span]] = {}


def begin(span: Span) -> None:
    """Keep a span that has begun."""
    _live[span.get_span_context().span_id] = span
    if len(_live) > LIMIT:
        # Another thread may be there first.
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):
            del _live[next(iter(_live))]


def end(span_id: int) -> None:
    """Forget a span that has ended."""
    _live.pop(span_id, None)


def around(span: object) -> Iterator[Span]:
    """The live spans that enclose ``span``, innermost first; up to the first that is over, was
    begun in another process, or was not recorded."""
    for _ in range(DEPTH):
        parent = getattr(span, "parent", None)
        span = _live.get(parent.span_id) if parent is not None else None
        if span is None:
            return
        yield span


def count() -> int:
    """How many there are."""
    return len(_live)
